"""The records of a batch as columns: offsets, timestamps, keys, values. The consumer's way to read.

Two strategies give the same answer, as in `survey.py`. A run of records of one layout (the same
sizes, offsets in order) is cut out of the payload by C, column by column: 0.1 µs per record. Whatever
is not so uniform is parsed one by one, 0.7 µs. How far a run goes is seen by comparing byte k of
every record, one strided slice; where there are no runs, they are looked for ever more rarely.

Promises: what is accepted here is what `record.py` accepts; whatever `record_count` claims, no more
work is done than the bytes pay for. Elsewhere: the producer's way to write, `columns.py`.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import Final, final

from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.legacy import LegacyEntry, messages_untrusted
from ottla.record.record import (
    RECORD_BYTES_MIN,
    Headers,
    headers_at,
    payload_untrusted,
    unsigned,
)

_RUN_MIN: Final = 8
"""Fewer records are parsed one by one faster than their columns are compared."""

_INT64_END: Final = 1 << 63
_SAFE_TIME: Final = 1 << 62
"""A base timestamp from which two bytes of delta do not lead out of 64 bits."""
_TOGETHER: Final = 64
"""So many records are cut by one call: a `Struct` that long has 4 KiB, and is soon made."""
_TABLE_MIN: Final = 100
"""So many timestamps are looked up faster than computed, with the table's making."""

# The zigzag varints of the offset deltas 0..63, and the two bytes of those of 64..8191, as columns.
_DELTAS_1: Final = bytes(range(0, 128, 2))
_DELTAS_2_LOW: Final = bytes(range(128, 256, 2)) * 127
_DELTAS_2_HIGH: Final = b"".join(bytes([high]) * 64 for high in range(1, 128))
_ONE_BYTE: Final = [byte >> 1 ^ -(byte & 1) for byte in range(128)]
"""The numbers of zigzag varints of one byte."""
_DELTAS_1_END: Final = 64
_DELTAS_2_END: Final = 8192
_TWO_BYTES: Final = 2


@final
class Columns:
    """Record i is element i of each. `headers` None: no record has any.

    `key_size` and `value_size`: the size of all of them, -1 where all are null, None where they differ.
    """

    __slots__ = ("headers", "key_size", "keys", "offsets", "timestamps", "value_size", "values")

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.timestamps: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[Headers] | None = None
        self.key_size: int | None = None
        self.value_size: int | None = None


def columns_untrusted(batch: Batch | LegacyEntry, *, limit: int) -> Columns:
    """All records of a whole batch or entry; `limit` bounds the bytes they may decompress to."""
    if isinstance(batch, LegacyEntry):
        return _of_messages_untrusted(batch, limit)
    data = bytes(payload_untrusted(batch, limit))
    count = batch.record_count
    if count < 0 or count * RECORD_BYTES_MIN > len(data):
        raise RemoteProtocolError(f"{count:,} records cannot fit in {len(data):,} bytes")
    parser = _Parser(data, count, batch.base_offset, batch.base_timestamp)
    try:
        parser.run()
    except IndexError as error:
        raise RemoteProtocolError(f"one of {count:,} records is cut") from error
    if parser.at != len(data):
        raise RemoteProtocolError(
            f"{len(data) - parser.at:,} bytes follow the last of {count} records"
        )
    columns = parser.columns
    if batch.is_log_append_time:
        columns.timestamps = [batch.max_timestamp] * count
    return columns


def _of_messages_untrusted(entry: LegacyEntry, limit: int) -> Columns:
    records = messages_untrusted(entry, limit=limit)
    columns = Columns()
    columns.offsets = [record.offset for record in records]
    columns.timestamps = [record.timestamp_ms for record in records]
    columns.keys = [record.key for record in records]
    columns.values = [record.value for record in records]
    return columns


@final
class _Parser:
    """Reads records from `at` on into `columns`. IndexError: one is cut."""

    __slots__ = (
        "_base_offset",
        "_base_timestamp",
        "_count",
        "_data",
        "_has_wide_deltas",
        "_index",
        "at",
        "columns",
    )

    def __init__(self, data: bytes, count: int, base_offset: int, base_timestamp: int) -> None:
        self._data = data
        self._count = count
        self._index = 0
        self._base_offset = base_offset
        self._base_timestamp = base_timestamp
        self._has_wide_deltas = False
        self.at = 0
        self.columns = Columns()

    def run(self) -> None:
        columns = self.columns
        seen: set[tuple[int, int] | None] = set()
        skip = _RUN_MIN
        while self._index < self._count:
            sizes = None
            if self._count - self._index >= _RUN_MIN:
                sizes = self._uniform()
            if sizes is None:
                self._one_by_one(min(self._count, self._index + skip))
                skip *= 2
            seen.add(sizes)
        if len(seen) == 1 and (sizes := seen.pop()) is not None:
            columns.key_size, columns.value_size = sizes
        if self._has_wide_deltas or not -_SAFE_TIME < self._base_timestamp < _SAFE_TIME:
            # As Java's long wraps.
            columns.timestamps = [
                (stamp + _INT64_END) % (2 * _INT64_END) - _INT64_END for stamp in columns.timestamps
            ]

    def _uniform(self) -> tuple[int, int] | None:
        """Take as many records of one layout as there are here, or none: (key size, value size).

        Compared are: length, offset deltas, key length, value length, header count (none). A timestamp
        delta may vary within one or two bytes. Left whole on purpose: it is one comparison.
        """
        data, at, index = self._data, self.at, self._index
        try:
            here = at
            length, here = unsigned(data, here, 5)
            stride = here - at + (length >> 1)
            constant = list(range(here - at))
            time_at = here + 1 - at
            _, here = unsigned(data, here + 1, 10)
            offset_at = here - at
            time_bytes = offset_at - time_at
            if time_bytes > _TWO_BYTES:
                constant += range(time_at, offset_at)
            offset, here = unsigned(data, here, 5)
            key_at = here - at
            key, here = unsigned(data, here, 5)
            constant += range(key_at, here - at)
            key_at = here - at
            value_at = key_at + (0 if key & 1 else key >> 1)
            value, here = unsigned(data, at + value_at, 5)
            constant += range(value_at, here - at)
            value_at = here - at
            headers_from = value_at + (0 if value & 1 else value >> 1)
            constant.append(headers_from)
            if length & 1 or headers_from + 1 != stride or data[at + headers_from]:
                return None
        except (IndexError, RemoteProtocolError):
            return None  # to be said, with the record's index, by whoever looks at each
        if offset != 2 * index:
            return None
        count = min(self._count - index, (len(data) - at) // stride)
        offset_end = _DELTAS_1_END if index < _DELTAS_1_END else _DELTAS_2_END
        count = min(count, offset_end - index)
        for place in constant:
            if count < _RUN_MIN:
                return None
            column = data[at + place : at + stride * count : stride]
            first = column[:1]
            # A twin is made and compared at once; stripping looks at byte after byte.
            if column != first * count:
                count -= len(column.lstrip(first))
        column = data[at + offset_at : at + stride * count : stride]
        if index < _DELTAS_1_END:
            count = _agreeing(column, _DELTAS_1[index : index + count])
        else:
            start = index - _DELTAS_1_END
            count = _agreeing(column, _DELTAS_2_LOW[start : start + count])
            column = data[at + offset_at + 1 : at + stride * count : stride]
            count = _agreeing(column, _DELTAS_2_HIGH[start : start + count])
        if count < _RUN_MIN:
            return None
        if time_bytes <= _TWO_BYTES:
            count = self._timestamps(time_at, time_bytes, stride, count)
            if count < _RUN_MIN:
                return None
        else:
            self._has_wide_deltas = True
            delta, _ = unsigned(data, at + time_at, 10)
            stamp = self._base_timestamp + ((delta >> 1) ^ -(delta & 1))
            self.columns.timestamps += [stamp] * count
        base_offset = self._base_offset + index
        self.columns.offsets += range(base_offset, base_offset + count)
        key_size = -1 if key & 1 else key >> 1
        value_size = -1 if value & 1 else value >> 1
        self._cut(stride, count, key_at, key_size, value_at, value_size)
        self.at = at + stride * count
        self._index = index + count
        return key_size, value_size

    def _timestamps(self, place: int, size: int, stride: int, count: int) -> int:
        """Take timestamps whose deltas have `size` bytes; returns how many records have such.

        None are taken if they are fewer than a run.
        """
        end = self.at + stride * count
        base = self._base_timestamp
        low = self._data[self.at + place : end : stride]
        if size == 1:
            if not low.isascii():
                count = next(index for index, byte in enumerate(low) if byte > 0x7F)
                low = low[:count]
            if count < _RUN_MIN:
                return 0
            if low == low[:1] * count:
                stamps = [base + (low[0] >> 1 ^ -(low[0] & 1))] * count
            elif count < _TABLE_MIN:
                stamps = [base + (byte >> 1 ^ -(byte & 1)) for byte in low]
            else:
                table = [base + delta for delta in _ONE_BYTE]
                stamps = list(map(table.__getitem__, low))
        else:
            high = self._data[self.at + place + 1 : end : stride]
            if min(low) < 0x80 or not high.isascii():
                count = next(
                    index
                    for index, (byte, more) in enumerate(zip(low, high, strict=True))
                    if byte < 0x80 or more > 0x7F
                )
            if count < _RUN_MIN:
                return 0
            if low == low[:1] * len(low) and high == high[:1] * len(high):
                delta = (high[0] << 7) + low[0] - 128
                stamps = [base + (delta >> 1 ^ -(delta & 1))] * count
            else:
                pairs = zip(low[:count], high, strict=False)
                deltas = [(more << 7) + byte - 128 for byte, more in pairs]
                stamps = [base + (delta >> 1 ^ -(delta & 1)) for delta in deltas]
        self.columns.timestamps += stamps
        return count

    def _cut(
        self, stride: int, count: int, key_at: int, key_size: int, value_at: int, value_size: int
    ) -> None:
        """Take keys and values of `count` records of one layout."""
        columns = self.columns
        block = memoryview(self._data)[self.at : self.at + stride * count]
        if key_size > 0 and value_size > 0:
            gap = value_at - key_at - key_size
            rest = stride - value_at - value_size
            both = _fields(f"{key_at}x{key_size}s{gap}x{value_size}s{rest}x", block, count)
            columns.keys += both[0::2]
            columns.values += both[1::2]
            return
        for into, place, size in (
            (columns.keys, key_at, key_size),
            (columns.values, value_at, value_size),
        ):
            if size > 0:
                into += _fields(f"{place}x{size}s{stride - place - size}x", block, count)
            else:
                into += [None if size < 0 else b""] * count

    def _one_by_one(self, until: int) -> None:
        """Take the records up to `until`, whatever their layout.

        Longer than a screen on purpose: the usual short varints are unrolled, because a call per field
        would double the time.
        """
        data, at, count = self._data, self.at, self._count
        base_offset, base_timestamp = self._base_offset, self._base_timestamp
        columns = self.columns
        add_offset, add_timestamp = columns.offsets.append, columns.timestamps.append
        add_key, add_value = columns.keys.append, columns.values.append
        for index in range(self._index, until):
            size = data[at]
            if size < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    size += (high << 7) - 128
                    at += 2
                else:
                    size, at = unsigned(data, at, 5)
            if size & 1:
                raise RemoteProtocolError(f"record {index} of {count} has a negative length")
            end = at + (size >> 1)
            at += 1  # attributes, which mean nothing yet
            delta = data[at]
            if delta < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    delta += (high << 7) - 128
                    at += 2
                else:
                    delta, at = unsigned(data, at, 10)
                    self._has_wide_deltas = True
            add_timestamp(base_timestamp + ((delta >> 1) ^ -(delta & 1)))
            delta = data[at]
            if delta < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    delta += (high << 7) - 128
                    at += 2
                else:
                    delta, at = unsigned(data, at, 5)
            add_offset(base_offset + ((delta >> 1) ^ -(delta & 1)))
            # Key, then value. An odd zigzag is a negative length: null.
            size = data[at]
            if size < 128:
                at += 1
            else:
                size, at = unsigned(data, at, 5)
            if size & 1:
                add_key(None)
            else:
                size >>= 1
                add_key(data[at : at + size])
                at += size
            size = data[at]
            if size < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    size += (high << 7) - 128
                    at += 2
                else:
                    size, at = unsigned(data, at, 5)
            if size & 1:
                add_value(None)
            else:
                size >>= 1
                add_value(data[at : at + size])
                at += size
            if data[at]:
                headers, at = headers_at(data, at)
                if columns.headers is None:
                    columns.headers = [()] * count
                columns.headers[index] = headers
            else:
                at += 1
            if at != end:
                raise RemoteProtocolError(f"record {index} of {count} has a wrong length")
        self.at, self._index = at, until


def _fields(form: str, block: memoryview, count: int) -> list[bytes]:
    """What `form` says of one record, of all in `block`, in their order."""
    # Many records by one call: a call each takes longer than 100 bytes.
    together = min(count, _TOGETHER)
    end = len(block) // count * (count - count % together)
    found: list[bytes] = []
    for some in _layout(form, together).iter_unpack(block[:end]):
        found += some
    if end < len(block):
        found += chain.from_iterable(_layout(form, 1).iter_unpack(block[end:]))
    return found


@lru_cache(maxsize=256)
def _layout(form: str, count: int) -> Struct:
    return Struct(form * count)


def _agreeing(column: bytes, expected: Sequence[int]) -> int:
    """How many of the first are as expected."""
    if column == expected:
        return len(column)
    for index, (byte, wanted) in enumerate(zip(column, expected, strict=False)):
        if byte != wanted:
            return index
    return min(len(column), len(expected))
