"""Records of one batch, as columns or as records; nothing is made before it is asked for.

Making a record is half of what reading it costs. So whoever wants all of a column (`values`,
`offsets`) takes that, and whoever wants records gets them in one pass of C.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Final, cast, final

from ottla.client.consume.record import (
    CREATE_TIME,
    LOG_APPEND_TIME,
    ConsumedRecord,
    Headers,
)
from ottla.record.read_columns import Columns
from ottla.types import NO_EPOCH, TopicPartition

# A named tuple from a tuple without a Python frame. It has the right type, which it cannot say.
_record_of: Final = cast(
    Callable[[type[ConsumedRecord], tuple[object, ...]], ConsumedRecord], tuple.__new__
)
_NO_HEADERS: Final[Headers] = ()


@final
class ConsumedBatch:
    """Records that were written together. What was handed out already is not in it any more."""

    __slots__ = (
        "_columns",
        "_from",
        "is_append_time",
        "leader_epoch",
        "next_offset",
        "place",
    )

    def __init__(
        self,
        place: TopicPartition,
        columns: Columns,
        next_offset: int,
        *,
        leader_epoch: int = NO_EPOCH,
        is_append_time: bool = False,
    ) -> None:
        self.place = place
        self.leader_epoch = leader_epoch
        self.is_append_time = is_append_time
        self.next_offset = next_offset
        """Behind the batch, also where compaction took its last records."""
        self._columns = columns
        self._from = 0

    def __len__(self) -> int:
        return len(self._columns.offsets) - self._from

    @property
    def topic(self) -> str:
        return self.place.topic

    @property
    def partition(self) -> int:
        return self.place.partition

    @property
    def offsets(self) -> Sequence[int]:
        return self._columns.offsets[self._from :]

    @property
    def timestamps(self) -> Sequence[int]:
        return self._columns.timestamps[self._from :]

    @property
    def keys(self) -> Sequence[bytes | None]:
        return self._columns.keys[self._from :]

    @property
    def values(self) -> Sequence[bytes | None]:
        return self._columns.values[self._from :]

    @property
    def headers(self) -> Sequence[Headers]:
        headers = self._columns.headers
        return [_NO_HEADERS] * len(self) if headers is None else headers[self._from :]

    def records(self) -> list[ConsumedRecord]:
        return self.take(len(self))[1]

    def skip_below(self, offset: int) -> None:
        """Records below `offset` are not in it any more."""
        offsets = self._columns.offsets
        if self._from < len(offsets) and offsets[self._from] < offset:
            self._from = bisect_left(offsets, offset, self._from)

    def take(self, count: int) -> tuple[int, list[ConsumedRecord]]:
        """The next `count` records, which are then not in it any more, and the offset behind them."""
        columns, start = self._columns, self._from
        end = min(start + count, len(columns.offsets))
        whole = start == 0 and end == len(columns.offsets)
        self._from = end
        offsets, stamps = columns.offsets, columns.timestamps
        keys, values, headers = columns.keys, columns.values, columns.headers
        if not whole:
            offsets, stamps = offsets[start:end], stamps[start:end]
            keys, values = keys[start:end], values[start:end]
            headers = None if headers is None else headers[start:end]
        count = end - start
        records = list(
            map(
                _record_of,
                repeat(ConsumedRecord),
                zip(
                    repeat(self.place.topic, count),
                    repeat(self.place.partition),
                    repeat(None if self.leader_epoch == NO_EPOCH else self.leader_epoch),
                    offsets,
                    stamps,
                    repeat(LOG_APPEND_TIME if self.is_append_time else CREATE_TIME),
                    keys,
                    values,
                    repeat(_NO_HEADERS) if headers is None else headers,
                    repeat(None),
                    _sizes(keys, columns.key_size),
                    _sizes(values, columns.value_size),
                    repeat(-1) if headers is None else map(_headers_size, headers),
                    strict=False,
                ),
            )
        )
        next_offset = self.next_offset
        if end < len(columns.offsets):
            next_offset = columns.offsets[end - 1] + 1 if count else columns.offsets[start]
        return next_offset, records


def _sizes(data: Sequence[bytes | None], same: int | None) -> Iterable[int]:
    if same is not None:
        return repeat(same)
    return [-1 if one is None else len(one) for one in data]


def _headers_size(headers: Headers) -> int:
    """As kafka-python counts: names and values; -1 where there are none."""
    if not headers:
        return -1
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)
