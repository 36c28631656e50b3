"""Which record is the first at or after a time, and which has the largest time.

Exact per record: the time indexes choose the segment and where to begin, the headers the batch, and
the records inside it, decompressed if need be, give the answer. Records outside start..end do not
count, even where their batch reaches over an edge.

Source: KIP-33, KIP-79, KIP-734.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ottla import probe
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.segment import Entry, Segment, largest_timestamp
from ottla.core.log.sound import is_sound
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.legacy import any_records_untrusted
from ottla.record.record import Record, first_since_untrusted
from ottla.types import NO_EPOCH, NO_TIMESTAMP

_DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
"""A look-up opens a stored batch; no sane producer packs more into one."""


class TimestampOffset(NamedTuple):
    """A record's time and place. `leader_epoch` -1: its batch carries none."""

    timestamp_ms: int
    offset: int
    leader_epoch: int


def first_offset(entry: Entry) -> int:
    """The first offset of a batch; of an old wrapper, only its last one is known."""
    return entry.base_offset if isinstance(entry, Batch) else entry.last_offset


def first_since(
    segments: Sequence[Segment], timestamp_ms: int, *, start: int, end: int
) -> TimestampOffset | None:
    """The first record in start..end whose time is at least `timestamp_ms`."""
    for segment, segment_end in _with_ends(segments, end):
        max_ms = segment.load_max_timestamp()[0]
        if probe.MUTANTS and probe.mutant("M39-equal-time-skipped"):
            max_ms -= 1
        if segment_end <= start or max_ms < timestamp_ms:
            continue
        for position, entry in segment.walk(segment.position_since(timestamp_ms, start)):
            if isinstance(entry, Batch) and entry.base_offset >= end:
                return None
            if largest_timestamp(entry) >= timestamp_ms and entry.next_offset > start:
                found = _first_inside(segment, position, entry, timestamp_ms, start)
                if found is not None:
                    return found if found.offset < end else None
    return None


def largest(segments: Sequence[Segment], *, start: int, end: int) -> TimestampOffset | None:
    """The first record that has the largest timestamp of all in start..end."""
    for believed in (True, False):
        max_ms = NO_TIMESTAMP
        for segment, segment_end in _with_ends(segments, end):
            max_ms = max(max_ms, _largest_of(segment, start, segment_end, believed=believed))
        found = None if max_ms < 0 else first_since(segments, max_ms, start=start, end=end)
        if found is not None or max_ms < 0:
            return found
        # The batch that an index tells of is damaged, or compaction, which keeps a batch's time,
        # has left none of its records: only the batches know what is left.
    return None


def _with_ends(segments: Sequence[Segment], end: int) -> Iterator[tuple[Segment, int]]:
    """The segments that begin before `end`, and where each ends, at most there."""
    for at, segment in enumerate(segments):
        if segment.base_offset >= end:
            return
        is_last = at + 1 == len(segments)
        yield segment, end if is_last else min(end, segments[at + 1].base_offset)


def _largest_of(segment: Segment, start: int, end: int, *, believed: bool) -> int:
    """`believed`: the segment's own idea of it, where the segment is asked for whole."""
    max_ms, offset = segment.load_max_timestamp()
    if believed and (max_ms < 0 or (segment.base_offset >= start and offset < end)):
        return max_ms
    found = segment.find(start)
    return NO_TIMESTAMP if found is None else _largest_from(segment, found.position, start, end)


def _largest_from(segment: Segment, at: int, start: int, end: int) -> int:
    """The largest timestamp of the records in start..end, from the batch at position `at` on."""
    max_ms = NO_TIMESTAMP
    for position, entry in segment.walk(at):
        if first_offset(entry) >= end:
            break
        if entry.next_offset <= start or (isinstance(entry, Batch) and entry.record_count == 0):
            continue
        if largest_timestamp(entry) <= max_ms:
            continue
        if first_offset(entry) >= start and entry.next_offset <= end:
            max_ms = largest_timestamp(entry)
            continue
        # Only some records of this batch count.
        for record in _records(segment, position, entry):
            if start <= record.offset < end:
                max_ms = max(max_ms, record.timestamp_ms)
    return max_ms


def _first_inside(
    segment: Segment, position: int, entry: Entry, timestamp_ms: int, start: int
) -> TimestampOffset | None:
    entry = _whole(segment, position, entry)
    if isinstance(entry, Batch):
        try:
            found = first_since_untrusted(
                entry, timestamp_ms, from_offset=start, limit=_DECOMPRESSED_BYTES_MAX
            )
        except RemoteProtocolError as error:
            raise CorruptSegment(segment.path(), position, str(error)) from error
        if found is None:
            return None
        return TimestampOffset(found[1], found[0], entry.partition_leader_epoch)
    for record in _records(segment, position, entry):
        if record.timestamp_ms >= timestamp_ms and record.offset >= start:
            return TimestampOffset(record.timestamp_ms, record.offset, NO_EPOCH)
    return None


def _whole(segment: Segment, position: int, entry: Entry) -> Entry:
    """The batch with its data, which must be as it was appended."""
    whole = segment.entry_at(position, entry.size_bytes)
    if not is_sound(whole):
        raise CorruptSegment(segment.path(), position, "the checksum is wrong")
    return whole


def _records(segment: Segment, position: int, entry: Entry) -> list[Record]:
    whole = _whole(segment, position, entry)
    try:
        return any_records_untrusted(whole, limit=_DECOMPRESSED_BYTES_MAX)
    except RemoteProtocolError as error:
        raise CorruptSegment(segment.path(), position, str(error)) from error
