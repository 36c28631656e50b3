"""Producer state on the disk: which snapshots there are, which is believed, what is replayed after it.

A snapshot stands at every segment's base offset that had one written when the segment began, and at
the log's end when it was closed. Any of them may go missing: the headers of the batches hold all it
says, except for producers whose batches are gone.

Elsewhere: the state and the format, `producer_state.py`.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from ottla import probe
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.producer_state import ProducerState, decode_untrusted
from ottla.core.log.segment import Segment, segment_path
from ottla.core.port import Disk
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch

SNAPSHOT: Final = ".snapshot"
OFFSET_DIGITS: Final = 20

log: Final = logging.getLogger(__name__)


def base_offset_of(name: str, suffix: str) -> int | None:
    """The offset a file is named by; None: it has another name."""
    stem = name[:OFFSET_DIGITS]
    if len(name) == OFFSET_DIGITS + len(suffix) and name.endswith(suffix):
        if stem.isascii() and stem.isdigit():
            return int(stem)
    return None


def snapshot_offsets(names: Iterable[str]) -> list[int]:
    """The offsets of the snapshots in a directory, ascending."""
    found = (base_offset_of(name, SNAPSHOT) for name in names if name.endswith(SNAPSHOT))
    return sorted(offset for offset in found if offset is not None)


def restore(
    disk: Disk,
    directory: str,
    offsets: Sequence[int],
    segments: Sequence[Segment],
    *,
    start_offset: int,
    end_offset: int,
    offset_max: int,
    rebuild_aborted: bool,
) -> ProducerState:
    """The state at `end_offset`, from the newest good snapshot at most `offset_max` and the log.

    Only reads, but for `rebuild_aborted`: then the aborted transactions found in the replayed part
    are written again.
    """
    state: ProducerState | None = None
    for offset in reversed(offsets):
        if not start_offset <= offset <= min(offset_max, end_offset):
            continue
        path = segment_path(directory, offset, SNAPSHOT)
        try:
            state = decode_untrusted(disk.read_whole(path) or b"", offset)
            break
        except RemoteProtocolError as error:
            log.warning(
                "a producer snapshot is not believed", extra={"file": path, "problem": str(error)}
            )
    if state is None:
        state = ProducerState(start_offset)
    offset = state.end_offset
    if probe.MUTANTS and probe.mutant("M73-producers-not-replayed"):
        state.end_offset = offset = end_offset
    if offset < end_offset:
        for at, segment in enumerate(segments):
            if at + 1 == len(segments) or segments[at + 1].base_offset > offset:
                _replay(state, segment, offset, end_offset, rebuild_aborted=rebuild_aborted)
        state.end_offset = end_offset
    return state


def remove_strays(
    disk: Disk,
    directory: str,
    offsets: Sequence[int],
    *,
    believed: int,
    bases: Iterable[int],
    end_offset: int,
    suspect: bool,
) -> None:
    """Remove the snapshots that no truncated log would look for.

    Kept are those at a segment's base and the one that was `believed`, unless they are beyond the
    log's end or newer than the believed one: that they were not taken shows they are damaged. So
    may older ones be that are `suspect`, which are looked into.
    """
    kept = {base for base in bases if base <= min(believed, end_offset)} | {believed}
    for offset in offsets:
        path = segment_path(directory, offset, SNAPSHOT)
        if offset not in kept or (suspect and not is_good(disk, path, offset)):
            disk.remove(path)


def is_good(disk: Disk, path: str, offset: int) -> bool:
    """Whether there is a snapshot that can be read."""
    try:
        decode_untrusted(disk.read_whole(path) or b"", offset)
    except RemoteProtocolError:
        return False
    return True


def _replay(
    state: ProducerState, segment: Segment, offset: int, end_offset: int, *, rebuild_aborted: bool
) -> None:
    found = segment.find(offset)
    if found is None:
        return
    is_cut = False
    for position, entry in segment.walk(found.position):
        if not isinstance(entry, Batch):
            continue
        if entry.base_offset >= end_offset:
            return
        if entry.is_control and entry.data is None:
            whole = segment.entry_at(position, entry.size_bytes)
            assert isinstance(whole, Batch)
            entry = whole
        try:
            completed = state.observe(entry)
        except RemoteProtocolError as error:
            raise CorruptSegment(segment.path(), position, str(error)) from error
        if rebuild_aborted and completed is not None and completed.aborted:
            if not is_cut:
                segment.aborted.keep_below(completed.last_offset)
                is_cut = True
            segment.aborted.append(state.aborted(completed))
