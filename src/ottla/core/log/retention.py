"""Which of a log's oldest segments may go: behind the log's start, too many bytes, too old.

Only decides; `log.py` does it. Segments go from the oldest on and only as a run: the first one that
must stay keeps all after it. Nothing at or above the high watermark ever goes. A topic that is only
compacted loses nothing by age or size.

Source: Kafka's documentation of retention.ms, retention.bytes; KIP-107 for the log's start.
Elsewhere: keeping the last record per key, `compaction.py`.
"""

from collections.abc import Sequence

from ottla.core.log.segment import Segment
from ottla.settings.topic import TopicSettings


def expired_by_start(segments: Sequence[Segment], start_offset: int) -> int:
    """How many of the first segments end at or before `start_offset`. The active one never does."""
    count = 0
    while count + 1 < len(segments) and segments[count + 1].base_offset <= start_offset:
        count += 1
    return count


def expired_by_policy(
    segments: Sequence[Segment],
    settings: TopicSettings,
    *,
    now_ms: int,
    end_offset: int,
    high_watermark: int,
) -> int:
    """How many of the first segments size and age let go; all of them: the active one as well.

    An empty active segment always stays.
    """
    if not settings.cleanup_delete:
        return 0
    size_bytes = sum(segment.size_bytes for segment in segments)
    excess_bytes = -1
    if settings.retention_bytes is not None:
        excess_bytes = size_bytes - settings.retention_bytes
    count = 0
    for at, segment in enumerate(segments):
        is_active = at + 1 == len(segments)
        segment_end = end_offset if is_active else segments[at + 1].base_offset
        if segment_end > high_watermark or (is_active and segment.size_bytes == 0):
            break
        if excess_bytes >= segment.size_bytes:
            excess_bytes -= segment.size_bytes
        elif not _is_too_old(segment, settings, now_ms):
            break
        else:
            excess_bytes -= segment.size_bytes
        count += 1
    return count


def _is_too_old(segment: Segment, settings: TopicSettings, now_ms: int) -> bool:
    if settings.retention_ms is None:
        return False
    if segment.size_bytes == 0:  # compaction has left nothing in it, not even a time
        return True
    return now_ms - segment.age_timestamp_ms() > settings.retention_ms
