"""The records of a batch as columns: offsets, timestamps, keys, values. The consumer's way to read.

Two strategies give the same answer, as in `survey.py`. A run of records of one layout (`uniform.py`)
is cut out of the payload by C, column by column: 0.1 µs per record. Whatever is not so uniform is
parsed one by one, 0.7 µs. Where there are no runs, they are looked for ever more rarely.

Promises: what is accepted here is what `record.py` accepts; whatever `record_count` claims, no more
work is done than the bytes pay for. Elsewhere: the producer's way to write, `columns.py`.
"""

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
from ottla.record.uniform import RUN_MIN, Run, fields, run_untrusted

_INT64_END: Final = 1 << 63
_SAFE_TIME: Final = 1 << 62
"""A base timestamp from which two bytes of delta do not lead out of 64 bits."""
_TABLE_MIN: Final = 100
"""So many timestamps are looked up faster than computed, with the table's making."""

_ONE_BYTE: Final = [byte >> 1 ^ -(byte & 1) for byte in range(128)]
"""The numbers of zigzag varints of one byte."""
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
        skip = RUN_MIN
        while self._index < self._count:
            sizes = None
            if self._count - self._index >= RUN_MIN:
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
        """Take as many records of one layout as there are here, or none: (key size, value size)."""
        run = run_untrusted(self._data, self.at, self._index, self._count)
        if run is None:
            return None
        columns = self.columns
        if run.time_size <= _TWO_BYTES:
            columns.timestamps += self._timestamps(run)
        else:
            self._has_wide_deltas = True
            delta, _ = unsigned(self._data, self.at + run.time_at, 10)
            stamp = self._base_timestamp + ((delta >> 1) ^ -(delta & 1))
            columns.timestamps += [stamp] * run.count
        base_offset = self._base_offset + self._index
        columns.offsets += range(base_offset, base_offset + run.count)
        self._cut(run)
        self.at += run.stride * run.count
        self._index += run.count
        return run.key_size, run.value_size

    def _timestamps(self, run: Run) -> list[int]:
        """Those of a run whose deltas have one byte, or two."""
        at, end = self.at + run.time_at, self.at + run.stride * run.count
        base, count = self._base_timestamp, run.count
        low = self._data[at : end : run.stride]
        if run.time_size == 1:
            if low == low[:1] * count:
                return [base + _ONE_BYTE[low[0]]] * count
            if count < _TABLE_MIN:
                return [base + _ONE_BYTE[byte] for byte in low]
            table = [base + delta for delta in _ONE_BYTE]
            return list(map(table.__getitem__, low))
        high = self._data[at + 1 : end : run.stride]
        if low == low[:1] * count and high == high[:1] * count:
            delta = (high[0] << 7) + low[0] - 128
            return [base + (delta >> 1 ^ -(delta & 1))] * count
        deltas = [(more << 7) + byte - 128 for byte, more in zip(low, high, strict=True)]
        return [base + (delta >> 1 ^ -(delta & 1)) for delta in deltas]

    def _cut(self, run: Run) -> None:
        """Take keys and values of a run."""
        columns = self.columns
        stride, count = run.stride, run.count
        block = memoryview(self._data)[self.at : self.at + stride * count]
        if run.key_size > 0 and run.value_size > 0:
            gap = run.value_at - run.key_at - run.key_size
            rest = stride - run.value_at - run.value_size
            form = f"{run.key_at}x{run.key_size}s{gap}x{run.value_size}s{rest}x"
            both = fields(form, block, count)
            columns.keys += both[0::2]
            columns.values += both[1::2]
            return
        for into, place, size in (
            (columns.keys, run.key_at, run.key_size),
            (columns.values, run.value_at, run.value_size),
        ):
            if size > 0:
                into += fields(f"{place}x{size}s{stride - place - size}x", block, count)
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
