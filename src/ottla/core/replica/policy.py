"""What a topic's settings mean to its partitions, worked out once per change.

Thousands of topics without overrides share one `Policy`.

Elsewhere: where the settings come from, see `settings/topic.py`; who obeys them, see `leader.py`.
"""

from typing import NamedTuple, final

from ottla.core.replica.recompress import CODEC_OF, level_of
from ottla.limits import DECOMPRESSED_BYTES_MAX, DECOMPRESSION_FACTOR_MAX, LONG_MAX
from ottla.record.validate import AppendChecks
from ottla.settings.broker import BrokerSettings
from ottla.settings.topic import TopicSettings


@final
class Policy(NamedTuple):
    settings: TopicSettings
    checks: AppendChecks
    codec: int | None  # what every batch is written in; None: as its producer sent it
    codec_level: int | None  # how hard the codec tries
    unflushed_max: int | None  # None: the disk is not waited for
    flush_ms: int | None


def policy_of(settings: TopicSettings, broker: BrokerSettings) -> Policy:
    """`ottla.flush=ack` is flush.messages=1 for every topic."""
    before_max_ms = settings.timestamp_before_max_ms
    after_max_ms = settings.timestamp_after_max_ms
    return Policy(
        settings=settings,
        checks=AppendChecks(
            bytes_max=settings.message_bytes_max,
            compacted=settings.cleanup_compact,
            timestamp_type_log_append=settings.timestamp_log_append,
            before_max_ms=LONG_MAX if before_max_ms is None else before_max_ms,
            after_max_ms=LONG_MAX if after_max_ms is None else after_max_ms,
            decompressed_bytes_max=min(
                settings.message_bytes_max * DECOMPRESSION_FACTOR_MAX, DECOMPRESSED_BYTES_MAX
            ),
        ),
        codec=CODEC_OF[settings.compression_type],
        codec_level=level_of(settings),
        unflushed_max=1 if broker.logs.flush_on_ack else settings.flush_messages,
        flush_ms=settings.flush_ms,
    )
