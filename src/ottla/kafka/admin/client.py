"""KafkaAdminClient: every question that a program may ask about a cluster, by area."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from ottla.kafka.admin.acls import AclCalls
from ottla.kafka.admin.cluster import ClusterCalls
from ottla.kafka.admin.configs import ConfigCalls
from ottla.kafka.admin.groups import GroupCalls
from ottla.kafka.admin.topics import TopicCalls
from ottla.kafka.admin.transactions import TransactionCalls
from ottla.kafka.admin.users import UserCalls
from ottla.wire.api import APIS, Message

__all__ = ["KafkaAdminClient"]

T = TypeVar("T")


class KafkaAdminClient(
    TopicCalls, GroupCalls, ConfigCalls, AclCalls, ClusterCalls, TransactionCalls, UserCalls
):
    """The admin client of kafka-python 3, with 2.x's names too.

    Answers are dicts whose keys are attributes. What a broker refuses is raised, or stands in the
    answer where the docstring says so.
    """

    def send_request(self, request: Message, node_id: int | None = None) -> Message:
        """The answer to a message of `ottla.wire`, of one broker or of any."""
        if request.API_KEY not in APIS:
            raise TypeError(f"{request!r} is no request")
        if node_id is None:
            return self._any(request, Message)
        return self._broker(node_id, request, Message)

    def send_requests(
        self,
        requests_and_node_ids: Iterable[tuple[Message, int | None]],
        response_fn: Callable[[Message], T] | None = None,
    ) -> "list[T] | list[Message]":
        """The answers, in order, as `response_fn` sees them."""
        found = [self.send_request(request, node) for request, node in requests_and_node_ids]
        return found if response_fn is None else [response_fn(one) for one in found]
