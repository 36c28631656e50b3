"""What a decision owes to whoever asked for it: an answer, given when its records are committed.

An answer is made together with its records and rendered afterwards, from the image that holds them:
so a reply never tells of what a crash can still take away, and may tell of what the commit made
(the partitions of a topic that a Metadata request created). A refused append answers too.
"""

from typing import Protocol, final

from ottla.core.effect import Effect
from ottla.core.metadata.image import Image
from ottla.errors import ErrorCode


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
