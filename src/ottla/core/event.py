"""What a node is told. `Node.step` is one exhaustive match over these."""

from typing import TypeAlias, final

from ottla.types import TopicPartition
from ottla.wire.api import Message
from ottla.wire.server import Call


@final
class Received:
    """A request arrived. `message` None: the version is not one the codec knows."""

    __slots__ = ("call", "message")

    def __init__(self, call: Call, message: Message | None) -> None:
        self.call = call
        self.message = message


@final
class Disconnected:
    """A connection ended; what it had parked will never be answered."""

    __slots__ = ("connection_id",)

    def __init__(self, connection_id: int) -> None:
        self.connection_id = connection_id


@final
class Flushed:
    """The outcome of a `Flush`. `error`: None, or what the disk of `log_dir` said."""

    __slots__ = ("end_offset", "error", "log_dir", "partition")

    def __init__(
        self, partition: TopicPartition, end_offset: int, error: str | None, log_dir: int = 0
    ) -> None:
        self.partition = partition
        self.end_offset = end_offset
        self.error = error
        self.log_dir = log_dir


@final
class Ticked:
    """Time has passed `Node.next_deadline_ms()`."""

    __slots__ = ()


Event: TypeAlias = Received | Disconnected | Flushed | Ticked
