"""Indexes and producer snapshots as text, and what is wrong with an index, seen from its segment.

An index that is longer than its entries is full of zeros behind them: a file made ahead of its use,
after a crash. Its reading ends there.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, final

from ottla.cli.kafka.dump_records import (
    RECORDS_BYTES_MAX,
    Gaps,
    base_offset_of,
    opened,
)
from ottla.core.log.aborted_index import ENTRY_BYTES as ABORTED_BYTES
from ottla.core.log.producer_state import decode_untrusted as producers_untrusted
from ottla.errors import RemoteProtocolError
from ottla.record.legacy import any_batches_untrusted, any_records_untrusted
from ottla.types import NO_TIMESTAMP

_OFFSET_ENTRY: Final = Struct(">ii")
_TIME_ENTRY: Final = Struct(">qi")
_ABORTED: Final = Struct(">hqqqq")
_NOT_FOUND: Final = -1
_HOT_ENTRIES: Final = 1024
"""At the end of an index; Kafka looks there first, to stay within pages that are in memory."""

Pairs = list[tuple[int, int]]


@final
class Faults:
    """What does not fit together, by file, to be told after all files."""

    def __init__(self) -> None:
        self.gaps = Gaps()
        self.index: dict[str, Pairs] = {}
        self.time: dict[str, Pairs] = {}
        self.order: dict[str, Pairs] = {}
        self.missing: dict[str, Pairs] = {}

    def lines(self) -> Iterator[str]:
        for name, pairs in self.index.items():
            yield f"Mismatches in :{name}"
            for indexed, found in pairs:
                yield f"  Index offset: {indexed}, log offset: {found}"
        for name, pairs in self.time.items():
            yield f"Found timestamp mismatch in :{name}"
            for indexed, found in pairs:
                yield f"  Index timestamp: {indexed}, log timestamp: {found}"
        for name, pairs in self.order.items():
            yield f"Found out of order timestamp in :{name}"
            for indexed, before in pairs:
                yield f"  Index timestamp: {indexed}, Previously indexed timestamp: {before}"
        for name, pairs in self.missing.items():
            yield f"The following indexed offsets are not found in :{name}"
            for indexed, found in pairs:
                yield f"Indexed offset: {indexed}, found log offset: {found}"
        for name, pairs in self.gaps.found.items():
            yield f"Non-consecutive offsets in {name}"
            for last, offset in pairs:
                yield f"  {last} is followed by {offset}"


def dump_index(
    path: Path, faults: Faults, *, is_sanity_only: bool, is_quiet: bool, batch_bytes_max: int
) -> None:
    base_offset = base_offset_of(path)
    log = opened(path.with_suffix(".log"))
    data = opened(path)
    entries = _entries(data, base_offset)
    if not entries:
        print(f"{path} is empty.")
        return
    if is_sanity_only:
        _check(path, len(data), _OFFSET_ENTRY.size, entries[-1][0], base_offset)
        return
    for offset, position in entries:
        found = _last_offset_untrusted(path, log[position : position + batch_bytes_max], position)
        if found != offset:
            faults.index.setdefault(str(path.absolute()), []).append((offset, found))
        if not is_quiet:
            print(f"offset: {offset} position: {position}")


def dump_time_index(path: Path, faults: Faults, *, is_sanity_only: bool, is_quiet: bool) -> None:
    base_offset = base_offset_of(path)
    log = opened(path.with_suffix(".log"))
    data = opened(path)
    whole_bytes = len(data) // _TIME_ENTRY.size * _TIME_ENTRY.size
    entries = [
        (timestamp_ms, base_offset + relative)
        for timestamp_ms, relative in _TIME_ENTRY.iter_unpack(data[:whole_bytes])
    ]
    if is_sanity_only:
        last = entries[-1][1] if entries else base_offset
        _check(path, len(data), _TIME_ENTRY.size, last, base_offset)
        return
    positions = _entries(opened(path.with_suffix(".index")), base_offset)
    previous_ms = NO_TIMESTAMP
    name = str(path.absolute())
    for slot, (timestamp_ms, offset) in enumerate(entries):
        if offset == base_offset and slot > 0:
            return
        position = _position_at_most(positions, offset)
        found, found_ms = _greatest_untrusted(log, position, offset)
        if found != offset:
            faults.missing.setdefault(name, []).append((offset, found))
        else:
            if found_ms != timestamp_ms:
                faults.time.setdefault(name, []).append((timestamp_ms, found_ms))
            if previous_ms >= timestamp_ms:
                faults.order.setdefault(name, []).append((timestamp_ms, previous_ms))
        if not is_quiet:
            print(f"timestamp: {timestamp_ms} offset: {offset}")
        previous_ms = timestamp_ms


def dump_transactions(path: Path) -> None:
    data = opened(path)
    whole_bytes = len(data) // ABORTED_BYTES * ABORTED_BYTES
    for version, producer, first, last, stable in _ABORTED.iter_unpack(data[:whole_bytes]):
        print(
            f"version: {version} producerId: {producer} firstOffset: {first} lastOffset: {last} "
            f"lastStableOffset: {stable}"
        )


def dump_producers(path: Path) -> None:
    state = producers_untrusted(path.read_bytes(), base_offset_of(path))
    for producer_id, producer in state.producers.items():
        start = producer.transaction_start
        shown = f"OptionalLong[{start}]" if start >= 0 else "OptionalLong.empty"
        batches = "".join(
            f" firstSequence: {batch.base_sequence} lastSequence: {batch.last_sequence} "
            f"lastOffset: {batch.last_offset} offsetDelta: {batch.offset_delta} "
            f"timestamp: {batch.timestamp_ms}"
            for batch in producer.batches[:1]
        )
        print(
            f"producerId: {producer_id} producerEpoch: {producer.epoch} coordinatorEpoch: "
            f"{producer.coordinator_epoch} currentTxnFirstOffset: {shown} "
            f"lastTimestamp: {producer.last_timestamp_ms}{batches}"
        )


def _entries(data: memoryview, base_offset: int) -> Pairs:
    """(offset, position), up to where the zeros begin."""
    whole_bytes = len(data) // _OFFSET_ENTRY.size * _OFFSET_ENTRY.size
    entries: Pairs = []
    for relative, position in _OFFSET_ENTRY.iter_unpack(data[:whole_bytes]):
        if relative == 0 and entries:
            break
        entries.append((base_offset + relative, position))
    return entries


def _position_at_most(entries: Pairs, offset: int) -> int:
    """Where a scan for `offset` begins. Searched as Kafka does, also where the order is broken."""
    if not entries or entries[0][0] > offset:
        return 0
    hot = max(0, len(entries) - 1 - _HOT_ENTRIES)
    low, high = (hot, len(entries) - 1) if entries[hot][0] < offset else (0, hot)
    while low < high:
        middle = (low + high + 1) // 2
        indexed, position = entries[middle]
        if indexed == offset:
            return position
        if indexed > offset:
            high = middle - 1
        else:
            low = middle
    return entries[low][1]


def _check(path: Path, size_bytes: int, entry_bytes: int, last: int, base_offset: int) -> None:
    """Raises RemoteProtocolError if a broker would rebuild the index."""
    if last < base_offset:
        raise RemoteProtocolError(
            f"Corrupt index found, index file ({path.absolute()}) has non-zero size but the last "
            f"offset is {last} which is less than the base offset {base_offset}."
        )
    if size_bytes % entry_bytes:
        raise RemoteProtocolError(
            f"Index file {path.absolute()} is corrupt, found {size_bytes} bytes which is neither "
            f"positive nor a multiple of {entry_bytes}."
        )
    print(f"{path} passed sanity check.")


def _last_offset_untrusted(path: Path, log: memoryview, position: int) -> int:
    for batch in any_batches_untrusted(log):
        return batch.last_offset
    raise RemoteProtocolError(f"{path}: there is no whole batch at position {position} of its log")


def _greatest_untrusted(log: memoryview, position: int, offset: int) -> tuple[int, int]:
    """Last offset and largest time stamp of the batch that has `offset`; _NOT_FOUND: none."""
    for batch in any_batches_untrusted(log, position):
        if batch.last_offset == offset:
            records = any_records_untrusted(batch, limit=RECORDS_BYTES_MAX)
            return offset, max((one.timestamp_ms for one in records), default=NO_TIMESTAMP)
        if batch.last_offset > offset:
            return batch.last_offset, NO_TIMESTAMP
    return _NOT_FOUND, NO_TIMESTAMP
