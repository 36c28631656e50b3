"""What a decision owes to whoever asked for it: an answer, given when its records are committed.

An answer is made together with its records and rendered afterwards, from the image that holds them:
so a reply never tells of what a crash can still take away, and may tell of what the commit made
(the partitions of a topic that a Metadata request created). A refused append answers too.
"""

from collections.abc import Sequence
from typing import Protocol, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.errors import ErrorCode
from ottla.wire.api import Message
from ottla.wire.server import Call


class Answer(Protocol):
    def committed(self, image: Image) -> list[Effect]:
        """The records stand; `image` holds them. `image.timestamp_ms` is when they were decided."""

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        """The records could not be written; nothing changed."""


@final
class Nobody:
    """Nobody asked. What cannot be written is a reason to stop only for those who say so."""

    __slots__ = ()

    def committed(self, image: Image) -> list[Effect]:
        return []

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        return []


class Row(Protocol):
    """One part of an answer, with an outcome of its own."""

    error_code: int
    error_message: str | None


@final
class RowByRow:
    """An answer that says all there is to say before its records are committed. When they can't be
    written, each of its rows that had promised something is refused."""

    __slots__ = ("_call", "_response", "_rows")

    def __init__(self, call: Call, response: Message, rows: Sequence[Row]) -> None:
        """`rows`: those of `response`, wherever they stand in it."""
        self._call = call
        self._response = response
        self._rows = rows

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        for row in self._rows:
            if not row.error_code:
                row.error_code, row.error_message = error, message
        return [Reply(self._call, self._response)]
