"""A topic's settings as the log and the produce path use them, and the check of what a client asks for.

A topic overrides some settings; the rest is the broker's (`BrokerSettings.topic_defaults`). Kafka's
"unlimited" values become None here, so that no machine compares with a sentinel.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from ottla.limits import LONG_MAX, shortened
from ottla.settings.broker import BrokerSettings
from ottla.settings.definition import ConfigurationError, Setting, Source
from ottla.settings.parse import Resolved, Values, value_of
from ottla.settings.table import removed, topic

SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in topic.SETTINGS}

_REMOVED: Final = {setting.name for setting in removed.TOPIC_SETTINGS}

CompressionType = Literal["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]

_COMPRESSION_TYPES: Final[Mapping[str, CompressionType]] = {
    "producer": "producer",
    "uncompressed": "uncompressed",
    "gzip": "gzip",
    "snappy": "snappy",
    "lz4": "lz4",
    "zstd": "zstd",
}


class TopicSettings(NamedTuple):
    """None in a bound means: no bound. Times are durations, sizes are per partition."""

    cleanup_delete: bool
    cleanup_compact: bool
    retention_ms: int | None
    retention_bytes: int | None
    delete_retention_ms: int
    min_compaction_lag_ms: int
    max_compaction_lag_ms: int | None
    min_cleanable_dirty_ratio: float
    segment_bytes: int
    segment_ms: int
    segment_jitter_ms: int
    segment_index_bytes: int
    index_interval_bytes: int
    file_delete_delay_ms: int
    flush_messages: int | None
    flush_ms: int | None
    message_bytes_max: int
    compression_type: CompressionType
    compression_gzip_level: int
    compression_zstd_level: int
    timestamp_log_append: bool
    timestamp_before_max_ms: int | None
    timestamp_after_max_ms: int | None
    min_insync_replicas: int
    unclean_leader_election: bool
    down_conversion: bool


def topic_settings(overrides: Mapping[str, str], broker: BrokerSettings) -> TopicSettings:
    """What holds for a topic with these overrides. They were checked when they were accepted: a name
    nobody knows (a log written by another version) is not read."""
    given = {
        name: Resolved(text, Source.DYNAMIC_TOPIC, "topic") for name, text in overrides.items()
    }
    values = Values(SETTINGS, given, broker.topic_defaults)
    cleanup = values.strings("cleanup.policy")
    return TopicSettings(
        cleanup_delete="delete" in cleanup,
        cleanup_compact="compact" in cleanup,
        retention_ms=_unless_negative(values.integer("retention.ms")),
        retention_bytes=_unless_negative(values.integer("retention.bytes")),
        delete_retention_ms=values.integer("delete.retention.ms"),
        min_compaction_lag_ms=values.integer("min.compaction.lag.ms"),
        max_compaction_lag_ms=_unless_endless(values.integer("max.compaction.lag.ms")),
        min_cleanable_dirty_ratio=values.double("min.cleanable.dirty.ratio"),
        # Kafka's own tests set the internal name to get segments below the public minimum.
        segment_bytes=values.integer_or_none("internal.segment.bytes")
        or values.integer("segment.bytes"),
        segment_ms=values.integer("segment.ms"),
        segment_jitter_ms=values.integer("segment.jitter.ms"),
        segment_index_bytes=values.integer("segment.index.bytes"),
        index_interval_bytes=values.integer("index.interval.bytes"),
        file_delete_delay_ms=values.integer("file.delete.delay.ms"),
        flush_messages=_unless_endless(values.integer("flush.messages")),
        flush_ms=_unless_endless(values.integer("flush.ms")),
        message_bytes_max=values.integer("max.message.bytes"),
        compression_type=_COMPRESSION_TYPES[values.string("compression.type")],
        compression_gzip_level=values.integer("compression.gzip.level"),
        compression_zstd_level=values.integer("compression.zstd.level"),
        timestamp_log_append=values.string("message.timestamp.type") == "LogAppendTime",
        timestamp_before_max_ms=_unless_endless(values.integer("message.timestamp.before.max.ms")),
        timestamp_after_max_ms=_unless_endless(values.integer("message.timestamp.after.max.ms")),
        min_insync_replicas=values.integer("min.insync.replicas"),
        unclean_leader_election=values.boolean("unclean.leader.election.enable"),
        down_conversion=values.boolean("message.downconversion.enable"),
    )


def check_topic_overrides(
    overrides: Mapping[str, str | None], defaults: Mapping[str, str] | None = None
) -> str | None:
    """None when a topic may have these overrides, else the message for INVALID_CONFIG (40).

    `defaults`: what the broker has for what is not overridden (`BrokerSettings.topic_defaults`). A
    null is refused as in Kafka: to remove an override is another request's operation.
    """
    nulls = [name for name, text in overrides.items() if text is None]
    if nulls:
        return f"Null value not supported for topic configs: {shortened(','.join(nulls))}"
    for name, text in overrides.items():
        assert text is not None
        setting = SETTINGS.get(name)
        if setting is None and name in _REMOVED:
            return (
                f"Unknown topic config name: {shortened(name)} (Kafka 4.0 removed it; leave it out)"
            )
        if setting is None:
            return f"Unknown topic config name: {shortened(name)}"
        try:
            value_of(setting, text)
        except ConfigurationError as error:
            return str(error).replace(text, shortened(text))
    return _check_together(overrides, defaults or {})


def _check_together(overrides: Mapping[str, str | None], defaults: Mapping[str, str]) -> str | None:
    lags = []
    for name in ("min.compaction.lag.ms", "max.compaction.lag.ms"):
        text = overrides.get(name) or defaults.get(name) or SETTINGS[name].default
        assert text is not None
        lag_ms = value_of(SETTINGS[name], text)
        assert isinstance(lag_ms, int)
        lags.append(lag_ms)
    if lags[0] > lags[1]:
        return f"min.compaction.lag.ms={lags[0]} is above max.compaction.lag.ms={lags[1]}"
    if (overrides.get("remote.storage.enable") or "").strip().lower() == "true":
        return "remote.storage.enable=true: false is expected; tiered storage is off on this broker"
    return None


def _unless_negative(number: int) -> int | None:
    return number if number >= 0 else None


def _unless_endless(number: int) -> int | None:
    return number if number < LONG_MAX else None
