"""What a program gives a consumer, as the consumer below takes it; or a TypeError that says what is."""

from collections.abc import Mapping

from ottla.client.consume.record import OffsetAndMetadata
from ottla.types import TopicPartition


def place_of(given: TopicPartition | tuple[str, int]) -> TopicPartition:
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"{given!r}: a TopicPartition is expected")
    return TopicPartition(*given)


def offsets_of(
    given: Mapping[TopicPartition, OffsetAndMetadata | int] | None,
) -> dict[TopicPartition, OffsetAndMetadata] | None:
    if given is None:
        return None
    made = {}
    for place, offset in given.items():
        if isinstance(offset, int):
            offset = OffsetAndMetadata(offset)
        if not isinstance(offset, tuple):
            raise TypeError(f"{place}: an OffsetAndMetadata is expected, not {offset!r}")
        epoch = -1 if len(offset) < 3 or offset[2] is None else offset[2]
        metadata = "" if len(offset) < 2 or offset[1] is None else offset[1]
        made[place_of(place)] = OffsetAndMetadata(offset[0], metadata, epoch)
    return made


def whole_ms(timeout_ms: float | None) -> int | None:
    return None if timeout_ms is None else max(0, int(timeout_ms))
