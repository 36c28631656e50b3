"""What a consumer's owner has to decide: raised by `poll`, each until somebody seeks.

Elsewhere: a batch that cannot be read, `held.py`; what a broker refused by a code, `ApiError`.
"""

from collections.abc import Mapping

from ottla.errors import OttlaError
from ottla.types import TopicPartition


class NoOffset(OttlaError):
    """No offset is committed, and `offset_reset` does not say where else to begin."""

    def __init__(self, places: list[TopicPartition]) -> None:
        self.places = places
        named = ", ".join(str(place) for place in places)
        super().__init__(
            f"no offset is committed for {named}, and offset_reset is none: seek, commit an offset, or "
            "use earliest or latest"
        )


class OutOfRange(OttlaError):
    """The position is not in the log any more, or not yet. `offsets`: the positions by partition."""

    def __init__(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.offsets = dict(offsets)
        named = ", ".join(f"{offset} of {place}" for place, offset in offsets.items())
        super().__init__(f"the log does not have offset {named}, and offset_reset is none: seek")


class Truncated(OttlaError):
    """Records that were handed out are not in the log any more: another leader never had them.

    `diverged`: by partition, the first offset of which the log may have something else; None: unknown.
    """

    def __init__(
        self, offsets: Mapping[TopicPartition, int], diverged: Mapping[TopicPartition, int | None]
    ) -> None:
        self.offsets = dict(offsets)
        self.diverged = dict(diverged)
        named = ", ".join(
            f"{place} was read to {offset} and now differs from {self.diverged.get(place)} on"
            for place, offset in offsets.items()
        )
        super().__init__(f"the log was truncated: {named}. Seek to where to go on")
