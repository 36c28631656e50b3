"""Records that were polled and are handed out one by one: what is still in here is not processed.

So that `async for` may poll hundreds of records at a time and a commit in the middle still says the
truth, at no cost per record.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import final

from ottla.client.consume.record import ConsumedRecord, OffsetAndMetadata
from ottla.types import NO_EPOCH, TopicPartition


@final
class Handing:
    """`chunk` is what to take records from, None when all are handed out."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: deque[tuple[TopicPartition, deque[ConsumedRecord]]] = deque()

    def fill(self, found: Mapping[TopicPartition, Sequence[ConsumedRecord]]) -> None:
        self._chunks.extend((place, deque(records)) for place, records in found.items())

    def chunk(self) -> deque[ConsumedRecord] | None:
        """Records of one partition, to be taken from the left; it is emptied if they are dropped."""
        chunks = self._chunks
        while chunks:
            if chunks[0][1]:
                return chunks[0][1]
            chunks.popleft()
        return None

    def positions(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Where processing goes on, of the partitions that have something in here."""
        found: dict[TopicPartition, OffsetAndMetadata] = {}
        for place, records in reversed(self._chunks):
            if records:
                epoch = records[0].leader_epoch
                found[place] = OffsetAndMetadata(
                    records[0].offset, "", NO_EPOCH if epoch is None else epoch
                )
        return found

    def drop(self, places: Iterable[TopicPartition]) -> None:
        """Nothing of these is handed out any more."""
        gone = set(places)
        for place, records in self._chunks:
            if place in gone:
                records.clear()

    def clear(self) -> None:
        for _, records in self._chunks:
            records.clear()
        self._chunks.clear()
