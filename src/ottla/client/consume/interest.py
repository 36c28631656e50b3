"""What a consumer wants to read: topics by name, topics by pattern, or partitions that it was assigned.

One of the three at a time. A pattern is matched against the beginning of names, as `re.match` does, with
every new picture of the cluster. Elsewhere: who reads what of it, `client/member`.
"""

import re
from collections.abc import Iterable
from typing import Final, final

from ottla.client.metadata import ClusterView
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
from ottla.types import TopicPartition

_NOT_TO_BE_READ: Final = frozenset(
    {ErrorCode.TOPIC_AUTHORIZATION_FAILED, ErrorCode.INVALID_TOPIC_EXCEPTION}
)


@final
class Interest:
    """`topics` None: none are subscribed. With a `pattern`, those that match now."""

    __slots__ = ("_exclude_internal", "is_assigned", "pattern", "topics")

    def __init__(self, *, exclude_internal: bool) -> None:
        self._exclude_internal = exclude_internal
        self.topics: frozenset[str] | None = None
        self.pattern: re.Pattern[str] | None = None
        self.is_assigned = False

    def subscribe(
        self, topics: Iterable[str], pattern: str | re.Pattern[str] | None, cluster: ClusterView
    ) -> None:
        """Raises LocalProtocolError for what cannot be meant."""
        if self.is_assigned:
            raise LocalProtocolError("partitions are assigned by hand: unsubscribe first")
        if isinstance(topics, str):
            raise LocalProtocolError(f"topics={topics!r}: a list of names is expected")
        wanted = frozenset(topics)
        if bool(wanted) == (pattern is not None):
            raise LocalProtocolError("subscribe wants topics or a pattern, one of them")
        self.pattern = None if pattern is None else re.compile(pattern)
        self.topics = wanted
        self.follow(cluster)

    def assign(self, places: Iterable[TopicPartition]) -> frozenset[TopicPartition]:
        """The partitions, each once. LocalProtocolError where topics are subscribed."""
        if self.topics is not None:
            raise LocalProtocolError("topics are subscribed: unsubscribe first")
        wanted = frozenset(TopicPartition(*place) for place in places)
        self.is_assigned = bool(wanted)
        return wanted

    def clear(self) -> None:
        self.topics = self.pattern = None
        self.is_assigned = False

    def follow(self, cluster: ClusterView) -> None:
        """`topics` are what the pattern matches now."""
        pattern = self.pattern
        if pattern is not None:
            self.topics = frozenset(
                name for name in readable(cluster, self._exclude_internal) if pattern.match(name)
            )

    def places(self, cluster: ClusterView) -> frozenset[TopicPartition]:
        """All partitions of the topics, as far as they are known."""
        return frozenset(
            TopicPartition(name, part.partition)
            for name in self.topics or ()
            if (topic := cluster.topic(name)) is not None
            for part in topic.partitions
        )

    def refusal(self, cluster: ClusterView) -> ApiError | None:
        """Why one of the topics will never be read."""
        for name in self.topics or ():
            topic = cluster.topics.get(name)
            if topic is not None and topic.error_code in _NOT_TO_BE_READ:
                return ApiError(topic.error_code, f"topic '{name}'")
        return None


def readable(cluster: ClusterView, exclude_internal: bool) -> frozenset[str]:
    """The topics that may be seen."""
    return frozenset(
        topic.name
        for topic in cluster.topics.values()
        if topic.error_code == ErrorCode.NONE and not (topic.is_internal and exclude_internal)
    )
