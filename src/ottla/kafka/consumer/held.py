"""Records that came and were not handed out yet: they come first, before anything is asked for.

The position below is ahead of them; the program's is not, so they count as not processed.
"""

from collections.abc import Collection
from typing import TypeAlias, final

from ottla.client.consume.record import ConsumedRecord
from ottla.types import TopicPartition

Records: TypeAlias = dict[TopicPartition, list[ConsumedRecord]]


@final
class Held:
    """By partition, in order of their offsets."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: Records = {}

    def __bool__(self) -> bool:
        return bool(self._records)

    def take(self, count: int) -> Records:
        """Up to so many, the partitions in turn."""
        found: Records = {}
        while count > 0 and self._records:
            place = next(iter(self._records))
            records = self._records.pop(place)
            found[place] = records[:count]
            if len(records) > count:
                self._records = {place: records[count:], **self._records}
            count -= len(found[place])
        return found

    def take_run(self) -> list[ConsumedRecord]:
        """All of one partition; empty: there is nothing."""
        if not self._records:
            return []
        return self._records.pop(next(iter(self._records)))

    def put_back(self, records: Records) -> None:
        """These come first again, before what is held of their partitions."""
        back = {place: some for place, some in records.items() if some}
        if back:
            for place, some in back.items():
                back[place] = some + self._records.pop(place, [])
            self._records = {**back, **self._records}

    def drop(self, places: Collection[TopicPartition] | None) -> dict[TopicPartition, int]:
        """Nothing is held of these (None: of any); the first offset of each that was."""
        gone = [place for place in self._records if places is None or place in places]
        return {place: self._records.pop(place)[0].offset for place in gone}

    def clear(self) -> None:
        self._records.clear()
