"""What every part of the admin client stands on: configuration, session, and how a question is put.

Elsewhere: who is asked and how often, `aio/admin.py`; the calls themselves, by area, beside this.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import ClassVar, TypeVar, Unpack

from ottla.aio.admin import GROUP
from ottla.errors import LocalProtocolError
from ottla.kafka.arguments import AdminArguments
from ottla.kafka.config import For, configured, defaults, number
from ottla.kafka.errors import (
    BrokerResponseError,
    IllegalStateError,
    IncompatibleBrokerVersion,
    for_code,
)
from ottla.kafka.loop import Logged, Work
from ottla.kafka.session import Session
from ottla.kafka.translation import coded
from ottla.types import TopicPartition
from ottla.wire.api import Message
from ottla.wire.client import CORRELATION_ID_MAX

R = TypeVar("R", bound=Message)
T = TypeVar("T")
Self = TypeVar("Self", bound="Asking")

ANY_VERSION = CORRELATION_ID_MAX
OPERATIONS: Mapping[int, str] = {
    3: "READ",
    4: "WRITE",
    5: "CREATE",
    6: "DELETE",
    7: "ALTER",
    8: "DESCRIBE",
    9: "CLUSTER_ACTION",
    10: "DESCRIBE_CONFIGS",
    11: "ALTER_CONFIGS",
    12: "IDEMPOTENT_WRITE",
    13: "CREATE_TOKENS",
    14: "DESCRIBE_TOKENS",
}
_NOT_ASKED = -(2**31)


class Asking:
    """A client for questions. Its constructor has reached a broker, or raises NoBrokersAvailable."""

    DEFAULT_CONFIG: ClassVar[Mapping[str, object]] = defaults(For.ADMIN)

    def __init__(self, **configs: Unpack[AdminArguments]) -> None:
        self._closed = True  # until it is open
        self.config = configured(For.ADMIN, configs)
        self._session = Session(self.config)
        self._closed = False

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more. A second time is no mistake."""
        if not self._closed:
            self._closed = True
            self._session.close()

    def __del__(self) -> None:
        if not self._closed and self._session.is_ours:
            with Logged("admin client that nobody closed"):
                self._session.close_soon()

    # ---- questions

    def _open(self) -> Session:
        if self._closed:
            raise IllegalStateError("this KafkaAdminClient is closed")
        if not self._session.is_ours:
            self._session = Session(self.config)
        return self._session

    @property
    def _timeout_ms(self) -> int:
        return number(self.config, "request_timeout_ms")

    def _run(self, work: Work[T]) -> T:
        try:
            return self._open().run(work)
        except IllegalStateError as error:
            if not isinstance(error.__cause__, LocalProtocolError):
                raise
            # A question that the broker's version has no words for.
            raise IncompatibleBrokerVersion(error.args[0]) from error

    def _any(self, request: Message, expects: type[R], *, version_max: int = ANY_VERSION) -> R:
        session = self._open()
        return self._run(session.admin.any(request, expects, version_max=version_max))

    def _controller(self, request: Message, expects: type[R]) -> R:
        session = self._open()
        return self._run(session.admin.controller(request, expects))

    def _broker(self, broker_id: int, request: Message, expects: type[R]) -> R:
        session = self._open()
        return self._run(session.admin.broker(broker_id, request, expects))

    def _each(
        self, request: Message, expects: type[R], broker_ids: Iterable[int] | None = None
    ) -> dict[int, R]:
        session = self._open()
        return self._run(session.admin.each(request, expects, broker_ids))

    def _coordinated(
        self,
        key: str,
        request: Message,
        expects: type[R],
        *,
        kind: int = GROUP,
        version_max: int = ANY_VERSION,
        broker_id: int | None = None,
    ) -> R:
        """`broker_id`: a coordinator that the caller knows already."""
        session = self._open()
        if broker_id is not None:
            return self._run(
                session.admin.broker(broker_id, request, expects, version_max=version_max)
            )
        return self._run(
            session.admin.coordinated(key, request, expects, kind=kind, version_max=version_max)
        )

    def _speaks(self, api_key: int) -> bool:
        session = self._open()
        return self._run(session.client.speaks(api_key))


def raise_if(code: int, message: str | None = None, *, place: TopicPartition | None = None) -> None:
    """Raises the code's exception, unless it is none."""
    if code != 0:
        error = coded(code, message)
        error.topic_partition = place
        raise error


def error_class(code: int) -> type[BrokerResponseError]:
    return for_code(code)


def operations(bits: int) -> list[str] | None:
    """The operations that an answer allows; None: it was not asked for, or could not say."""
    if bits == _NOT_ASKED:
        return None
    return [name for bit, name in OPERATIONS.items() if bits >> bit & 1]


def partitions_by_topic(
    places: "Iterable[TopicPartition | tuple[str, int]] | Mapping[str, Iterable[int]]",
) -> dict[str, list[int]]:
    """From `{topic: [partition]}` or an iterable of topic partitions."""
    if isinstance(places, Mapping):
        return {topic: list(partitions) for topic, partitions in places.items()}
    found: dict[str, list[int]] = {}
    for topic, partition in places:
        found.setdefault(topic, []).append(partition)
    return found
