"""Everything that can be tested in one partition's directory without knowing how it came about.

Reads only, so that it may run beside a broker: what is behind the last whole batch of the newest
segment may still be being written, and so may index entries for it; that is no finding.

Tested: each batch's checksum, offsets, leader epoch and, for a batch of magic 2, that its records
can be taken out; each index entry against the batch it names; producer snapshots; the epoch history.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from ottla.core.log import checkpoint
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.producer_state import decode_untrusted
from ottla.core.log.segment import Entry, Segment, largest_timestamp
from ottla.core.log.snapshot import SNAPSHOT, base_offset_of
from ottla.core.log.sound import is_sound
from ottla.core.port import Disk
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.legacy import any_records_untrusted
from ottla.types import NO_TIMESTAMP

_OFFSET_ENTRY: Final = Struct(">ii")
_TIME_ENTRY: Final = Struct(">qi")
_DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
_INDEX_INTERVAL_BYTES: Final = 4096


class Finding(NamedTuple):
    """Something that is not as it must be. `offset` -1: it does not belong to one."""

    path: str
    position: int
    offset: int
    problem: str


class Scrubbed(NamedTuple):
    """What a whole directory amounts to."""

    batches: int
    size_bytes: int
    findings: tuple[Finding, ...]


class _Place(NamedTuple):
    position: int
    base_offset: int
    last_offset: int
    max_timestamp_ms: int


def scrub(disk: Disk, directory: str) -> Scrubbed:
    """Test one partition's directory. OSError: it can't be read."""
    names = disk.names(directory)
    findings: list[Finding] = []
    epochs = _epochs(disk, directory, names, findings)
    bases = sorted(
        base for base in (base_offset_of(name, ".log") for name in names) if base is not None
    )
    batches = size_bytes = 0
    expected = -1
    for at, base in enumerate(bases):
        is_last = at + 1 == len(bases)
        size = disk.size_bytes(f"{directory}/{base:020d}.log")
        segment = Segment(
            disk,
            directory,
            base,
            size,
            index_interval_bytes=_INDEX_INTERVAL_BYTES,
            created_ms=0,
        )
        places = list(_batches(segment, is_last, max(base, expected), epochs, findings))
        _offset_index(disk, segment, names, places, is_last, findings)
        _time_index(disk, segment, names, places, is_last, findings)
        batches += len(places)
        size_bytes += size
        if places:
            expected = places[-1].last_offset + 1
            if not is_last and expected > bases[at + 1]:
                problem = f"it reaches into the next segment, which begins at {bases[at + 1]}"
                findings.append(
                    Finding(segment.path(), places[-1].position, places[-1].base_offset, problem)
                )
        segment.close()
    for name in names:
        offset = base_offset_of(name, SNAPSHOT) if name.endswith(SNAPSHOT) else None
        if offset is not None:
            path = f"{directory}/{name}"
            try:
                decode_untrusted(disk.read_whole(path) or b"", offset)
            except RemoteProtocolError as error:
                findings.append(Finding(path, 0, offset, str(error)))
    return Scrubbed(batches, size_bytes, tuple(findings))


def _epochs(
    disk: Disk, directory: str, names: Sequence[str], findings: list[Finding]
) -> list[tuple[int, int]]:
    if checkpoint.EPOCHS not in names:
        return []
    path = f"{directory}/{checkpoint.EPOCHS}"
    try:
        return checkpoint.parse_epochs(path, disk.read_whole(path) or b"")
    except checkpoint.MalformedFile as error:
        findings.append(Finding(path, 0, -1, str(error)))
        return []


def _batches(
    segment: Segment,
    is_last: bool,
    expected: int,
    epochs: Sequence[tuple[int, int]],
    findings: list[Finding],
) -> Iterator[_Place]:
    """Every batch that is where it should be; the others are findings."""
    position = 0
    while position < segment.size_bytes:
        try:
            _, header = next(segment.walk(position, strictly=True))
            entry = segment.entry_at(position, header.size_bytes)
            problem = _problem(entry, expected, epochs)
        except CorruptSegment as error:
            problem, entry = error.problem, None
        if problem:
            behind = segment.whole_after(position)
            if entry is None and behind is None and is_last:
                return  # the end of what is being written, or of what a kill has torn
            offset = expected if entry is None else _base(entry)
            findings.append(Finding(segment.path(), position, offset, problem))
            if behind is None:
                return
            position = behind
            continue
        assert entry is not None
        base = _base(entry)
        yield _Place(position, base, entry.next_offset - 1, largest_timestamp(entry))
        expected = entry.next_offset
        position += entry.size_bytes


def _problem(entry: Entry, expected: int, epochs: Sequence[tuple[int, int]]) -> str:
    if not is_sound(entry):
        return "the checksum is wrong"
    if entry.next_offset - 1 < expected or _base(entry) < expected:
        return f"offset {_base(entry)}, where {expected} or a later one is expected"
    if isinstance(entry, Batch):
        known = [epoch for epoch, start in epochs if start <= entry.last_offset]
        if known and entry.partition_leader_epoch != known[-1]:
            return f"leader epoch {entry.partition_leader_epoch}; the history says {known[-1]}"
    try:
        any_records_untrusted(entry, limit=_DECOMPRESSED_BYTES_MAX)
    except RemoteProtocolError as error:
        return f"its records can't be read: {error}"
    return ""


def _base(entry: Entry) -> int:
    return entry.base_offset if isinstance(entry, Batch) else entry.last_offset


def _offset_index(
    disk: Disk,
    segment: Segment,
    names: Sequence[str],
    places: Sequence[_Place],
    is_last: bool,
    findings: list[Finding],
) -> None:
    path = segment.path(".index")
    if path.rpartition("/")[2] not in names:
        if places and not is_last:
            findings.append(Finding(path, 0, -1, "the index is missing"))
        return
    known = {place.position: place for place in places}
    ends = {place.last_offset for place in places}
    last = -1
    for at, (relative, position) in _entries(disk, path, _OFFSET_ENTRY):
        offset = segment.base_offset + relative
        if position >= segment.size_bytes and is_last:
            return
        place = known.get(position)
        if place is None:
            findings.append(Finding(path, at, offset, f"no sound batch begins at byte {position}"))
        elif offset < place.base_offset or offset not in ends or offset <= last:
            # Kafka's followers index a run of batches by the last one's offset.
            problem = f"offset {offset} is not at byte {position}: {place.base_offset} is there"
            findings.append(Finding(path, at, offset, problem))
        last = offset


def _time_index(
    disk: Disk,
    segment: Segment,
    names: Sequence[str],
    places: Sequence[_Place],
    is_last: bool,
    findings: list[Finding],
) -> None:
    path = segment.path(".timeindex")
    if path.rpartition("/")[2] not in names:
        if places and not is_last:
            findings.append(Finding(path, 0, -1, "the index is missing"))
        return
    known = {place.last_offset: place for place in places}
    last_ms = -1
    for at, (timestamp_ms, relative) in _entries(disk, path, _TIME_ENTRY):
        offset = segment.base_offset + relative
        place = known.get(offset)
        if timestamp_ms == NO_TIMESTAMP:
            continue
        if place is None:
            if places and offset > places[-1].last_offset and is_last:
                return
            findings.append(Finding(path, at, offset, f"no sound batch ends with offset {offset}"))
        elif place.max_timestamp_ms != timestamp_ms or timestamp_ms < last_ms:
            problem = f"timestamp {timestamp_ms}; the batch's largest is {place.max_timestamp_ms}"
            findings.append(Finding(path, at, offset, problem))
        last_ms = timestamp_ms


def _entries(disk: Disk, path: str, layout: Struct) -> Iterator[tuple[int, tuple[int, int]]]:
    """(position, entry) of an index, without the zero tail of one that was allocated ahead."""
    data = disk.read_whole(path) or b""
    data = data[: len(data) - len(data) % layout.size]
    end = len(data)
    while end > layout.size and not any(data[end - layout.size : end]):
        end -= layout.size
    for at in range(0, end, layout.size):
        first, second = layout.unpack_from(data, at)
        yield at, (first, second)
