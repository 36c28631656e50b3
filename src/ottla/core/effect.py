"""What a machine asks for: everything that takes time is returned as one of these, never awaited.

The shell performs a step's effects in their order, after the step. What has an outcome comes back
as an event (`event.py`): `Flush` as `Flushed`.

Built per request, hence plain slotted classes with written-out constructors (STYLE, habit 7).
"""

from collections.abc import Mapping
from typing import Final, TypeAlias, final

from ottla.core.port import File
from ottla.settings.broker import BrokerSettings
from ottla.types import TopicPartition
from ottla.wire.api import Message
from ottla.wire.server import Call

METADATA_PARTITION: Final = TopicPartition("__cluster_metadata", 0)

COMPACTION: Final = TopicPartition("(compaction)", 0)  # no topic can have that name
"""Whose flushes are those of segments that compaction has written and nobody reads yet. Their
`end_offset` is a turn, to know them by."""

STRAYS: Final = "(strays)"  # no topic can have that name
"""Whose flush is that of the names of what was set aside at the start; the number is the directory's."""


@final
class Reply:
    """Answer a call; the connection keeps the order. `response` None: answered by nothing (acks=0)."""

    __slots__ = ("call", "response")

    def __init__(self, call: Call, response: Message | None) -> None:
        self.call = call
        self.response = response


@final
class Close:
    """End a connection, with one WARNING that says why."""

    __slots__ = ("connection_id", "reason")

    def __init__(self, connection_id: int, reason: str) -> None:
        self.connection_id = connection_id
        self.reason = reason


@final
class Flush:
    """Bring `files` to the disk; `Flushed(partition, end_offset)` tells when.

    Flushes of one partition that wait together are done once, for the highest `end_offset`: that is
    the group commit. `directory`: the partition's directory, itself to be synced, when a file in it
    is new since the last flush; otherwise None. `log_dir`: the number of the log directory.

    `gathering`: the shell holds it and has not begun. Until it does, whoever appends to the last of
    the files may raise `end_offset`: one sync then does for all that a turn of the loop brings.
    """

    __slots__ = ("directory", "end_offset", "files", "gathering", "log_dir", "partition")

    def __init__(
        self,
        partition: TopicPartition,
        end_offset: int,
        files: tuple[File, ...],
        directory: str | None = None,
        log_dir: int = 0,
    ) -> None:
        self.partition = partition
        self.end_offset = end_offset
        self.files = files
        self.directory = directory
        self.log_dir = log_dir
        self.gathering = False


@final
class WriteWhole:
    """Replace a small file so that it survives a power cut: write aside, sync, rename, sync.

    Later writes of the same path win over earlier ones. There is no outcome event: what is written
    so (checkpoints) only ever shortens a recovery.
    """

    __slots__ = ("data", "log_dir", "path")

    def __init__(self, path: str, data: bytes, log_dir: int = 0) -> None:
        self.path = path
        self.data = data
        self.log_dir = log_dir


@final
class Reconfigure:
    """The broker's settings were changed by a request: what the shell itself goes by changes too."""

    __slots__ = ("settings",)

    def __init__(self, settings: BrokerSettings) -> None:
        self.settings = settings


@final
class Mute:
    """Take no more requests from a connection for so long: its client is above a quota."""

    __slots__ = ("connection_id", "duration_ms")

    def __init__(self, connection_id: int, duration_ms: int) -> None:
        self.connection_id = connection_id
        self.duration_ms = duration_ms


@final
class LimitAccepts:
    """New connections per second, by the IP address they come from; None: from any other."""

    __slots__ = ("rates",)

    def __init__(self, rates: Mapping[str | None, float]) -> None:
        self.rates = rates


@final
class Halt:
    """Stop the whole process: going on would break a promise. `reason` is logged as an ERROR."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


Effect: TypeAlias = Reply | Close | Flush | WriteWhole | Reconfigure | Mute | LimitAccepts | Halt
