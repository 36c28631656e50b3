"""How much of a log is not compacted, whether that is enough to begin, and what is rewritten together.

A log is clean up to an offset that is checkpointed; from there on it is dirty. Cleanable are whole
segments, below the active one and below everything a reader of committed records may not yet see
(min of high watermark and last stable offset), and none younger than `min.compaction.lag.ms`. The
log with the greatest share of cleanable bytes comes first.

Source: Kafka's documentation of the settings named here, KIP-58, KIP-354. Elsewhere: who goes through
all logs, `core/replica/cleaner.py`; the rewriting, `compaction.py`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.log.log import Log
from ottla.core.log.segment import RELATIVE_OFFSET_MAX, Segment
from ottla.core.log.time_index import ENTRY_BYTES as _TIME_ENTRY_BYTES
from ottla.settings.topic import TopicSettings

_TOGETHER_MAX: Final = 64


@final
class Cleanable(NamedTuple):
    """first_dirty_offset..end_offset is to be mapped, all segments below end_offset are rewritten."""

    first_dirty_offset: int
    end_offset: int
    clean_bytes: int
    cleanable_bytes: int
    is_overdue: bool  # something in it is older than max.compaction.lag.ms

    @property
    def offset_count(self) -> int:
        return self.end_offset - self.first_dirty_offset

    @property
    def ratio(self) -> float:
        total_bytes = self.clean_bytes + self.cleanable_bytes
        return self.cleanable_bytes / total_bytes if total_bytes else 0.0


def first_dirty_offset(log: Log) -> int:
    """From where on the log was never compacted."""
    cleaned = log.cleaned_offset
    if cleaned is None or not log.start_offset <= cleaned <= log.end_offset:
        return log.start_offset
    return cleaned


def cleanable(log: Log, stable_end: int, now_ms: int) -> Cleanable | None:
    """What may be compacted now; None: nothing, or too little."""
    settings = log.settings
    sealed = log.segments[:-1]
    if not sealed:
        return None
    first = first_dirty_offset(log)
    end = _uncleanable_from(log, first, stable_end, now_ms)
    clean_bytes = cleanable_bytes = 0
    is_overdue = False
    for at, segment in enumerate(sealed):
        if segment.base_offset >= end:
            break
        if segment.base_offset < first:
            clean_bytes += segment.size_bytes
        if log.segments[at + 1].base_offset > first:
            cleanable_bytes += segment.size_bytes
            is_overdue = is_overdue or _is_overdue(segment, settings.max_compaction_lag_ms, now_ms)
    found = Cleanable(
        first_dirty_offset=first,
        end_offset=end,
        clean_bytes=clean_bytes,
        cleanable_bytes=cleanable_bytes,
        is_overdue=is_overdue,
    )
    if cleanable_bytes and (is_overdue or found.ratio > settings.min_cleanable_dirty_ratio):
        return found
    return None


def _uncleanable_from(log: Log, first: int, stable_end: int, now_ms: int) -> int:
    """The base of the first segment that must be left alone."""
    if probe.MUTANTS and probe.mutant("M18-compaction-past-watermark"):
        stable_end = log.end_offset
    # What is not on the disk may be lost to a power cut, and what it replaced must not be then.
    stable_end = min(stable_end, log.flushed_offset)
    segments = log.segments
    active = segments[-1]
    lag_ms = log.settings.min_compaction_lag_ms
    for at, segment in enumerate(segments[:-1]):
        next_base = segments[at + 1].base_offset
        if next_base > stable_end:
            return segment.base_offset
        if lag_ms > 0 and next_base > first:
            if segment.load_max_timestamp()[0] > now_ms - lag_ms:
                return segment.base_offset
    return active.base_offset


def _is_overdue(segment: Segment, lag_max_ms: int | None, now_ms: int) -> bool:
    if lag_max_ms is None:
        return False
    first_ms = segment.first_timestamp_ms()
    return 0 < first_ms < now_ms - lag_max_ms


def groups(
    segments: Sequence[Segment], end_offset: int, settings: TopicSettings
) -> list[list[Segment]]:
    """The segments before `end_offset`, in runs each of which becomes one segment.

    A run has no more bytes and index entries than a segment may have, no offset that does not fit
    into 31 bits behind its first, and no more segments than can be renamed within some milliseconds.
    """
    # Every index entry stands for more than the interval.
    entries_max = max(1, settings.segment_index_bytes // _TIME_ENTRY_BYTES - 1)
    bytes_max = min(settings.segment_bytes, entries_max * (settings.index_interval_bytes + 1))
    grouped: list[list[Segment]] = []
    size_bytes = 0
    for at, segment in enumerate(segments):
        next_base = segments[at + 1].base_offset if at + 1 < len(segments) else end_offset
        size_bytes += segment.size_bytes
        group = grouped[-1] if grouped else None
        if (
            group is not None
            and size_bytes <= bytes_max
            and len(group) < _TOGETHER_MAX
            and (
                segment.size_bytes == 0
                or next_base - 1 - group[0].base_offset <= RELATIVE_OFFSET_MAX
            )
        ):
            group.append(segment)
        else:
            grouped.append([segment])
            size_bytes = segment.size_bytes
    return grouped
