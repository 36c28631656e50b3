"""What a topic may override, with the broker's names for the same thing."""

from typing import Final

from ottla.limits import LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    STRING,
    Setting,
    Synonym,
    Type,
    setting,
)
from ottla.settings.table.log import FLUSH, RETENTION, ROLL, ROLL_JITTER
from ottla.settings.valid import (
    GzipLevel,
    ThrottledReplicas,
    Valid,
    at_least,
    between,
    names,
    one_of,
)


def _topic(
    name: str,
    type_: Type,
    default: str | int | bool | None,
    valid: Valid | None = None,
    *,
    broker: str | tuple[Synonym, ...] = (),
    gap: str = "",
    internal: bool = False,
) -> Setting:
    """A topic's setting is honored, or it has a `gap`: the reason why it has no meaning here."""
    return setting(
        name,
        type_,
        default,
        valid,
        MEDIUM,
        CLUSTER_WIDE,
        synonyms=(Synonym(broker),) if isinstance(broker, str) else broker,
        honored=not gap and not internal,
        internal=internal,
        gap=gap,
    )


_TIERED: Final = "there is no tiered storage (KIP-405): all segments are local"
_COPIES: Final = "a single node copies to nobody, so that there is nothing to slow down"

SETTINGS: Final[tuple[Setting, ...]] = (
    _topic(
        "cleanup.policy", LIST, "delete", names("compact", "delete"), broker="log.cleanup.policy"
    ),
    _topic("compression.gzip.level", INT, -1, GzipLevel(), broker="compression.gzip.level"),
    _topic(
        "compression.lz4.level",
        INT,
        9,
        between(1, 17),
        broker="compression.lz4.level",
        gap="the lz4 library that Ottla uses knows one level",
    ),
    _topic(
        "compression.type",
        STRING,
        "producer",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        broker="compression.type",
    ),
    _topic(
        "compression.zstd.level", INT, 3, between(-131_072, 22), broker="compression.zstd.level"
    ),
    _topic(
        "delete.retention.ms",
        LONG,
        86_400_000,
        at_least(0),
        broker="log.cleaner.delete.retention.ms",
    ),
    _topic(
        "errors.deadletterqueue.group.enable",
        BOOLEAN,
        False,
        gap="share groups are not served, whose undelivered records it would take",
    ),
    _topic("file.delete.delay.ms", LONG, 60_000, at_least(0), broker="log.segment.delete.delay.ms"),
    _topic("flush.messages", LONG, LONG_MAX, at_least(1), broker="log.flush.interval.messages"),
    _topic("flush.ms", LONG, LONG_MAX, at_least(0), broker=FLUSH),
    _topic("follower.replication.throttled.replicas", LIST, "", ThrottledReplicas(), gap=_COPIES),
    _topic("index.interval.bytes", INT, 4096, at_least(0), broker="log.index.interval.bytes"),
    _topic("internal.segment.bytes", INT, None, internal=True),
    _topic("leader.replication.throttled.replicas", LIST, "", ThrottledReplicas(), gap=_COPIES),
    _topic(
        "local.retention.bytes",
        LONG,
        -2,
        at_least(-2),
        broker="log.local.retention.bytes",
        gap=_TIERED,
    ),
    _topic(
        "local.retention.ms", LONG, -2, at_least(-2), broker="log.local.retention.ms", gap=_TIERED
    ),
    _topic(
        "max.compaction.lag.ms",
        LONG,
        LONG_MAX,
        at_least(1),
        broker="log.cleaner.max.compaction.lag.ms",
    ),
    _topic("max.message.bytes", INT, 1_048_588, at_least(0), broker="message.max.bytes"),
    # Of Kafka 3.9. Newer ones have nothing to convert to, and clients do not expect it described.
    setting(
        "message.downconversion.enable",
        BOOLEAN,
        True,
        None,
        LOW,
        CLUSTER_WIDE,
        synonyms=(Synonym("log.message.downconversion.enable"),),
        honored=True,
        internal=True,
    ),
    _topic(
        "message.timestamp.after.max.ms",
        LONG,
        3_600_000,
        at_least(0),
        broker="log.message.timestamp.after.max.ms",
    ),
    _topic(
        "message.timestamp.before.max.ms",
        LONG,
        LONG_MAX,
        at_least(0),
        broker="log.message.timestamp.before.max.ms",
    ),
    _topic(
        "message.timestamp.type",
        STRING,
        "CreateTime",
        one_of("CreateTime", "LogAppendTime"),
        broker="log.message.timestamp.type",
    ),
    _topic(
        "min.cleanable.dirty.ratio",
        DOUBLE,
        "0.5",
        between(0, 1),
        broker="log.cleaner.min.cleanable.ratio",
    ),
    _topic(
        "min.compaction.lag.ms", LONG, 0, at_least(0), broker="log.cleaner.min.compaction.lag.ms"
    ),
    _topic("min.insync.replicas", INT, 1, at_least(1), broker="min.insync.replicas"),
    _topic(
        "preallocate",
        BOOLEAN,
        False,
        broker="log.preallocate",
        gap="a segment's file grows as it is written",
    ),
    _topic(
        "remote.copy.lag.bytes",
        LONG,
        -1,
        at_least(-1),
        broker="log.remote.copy.lag.bytes",
        gap=_TIERED,
    ),
    _topic(
        "remote.copy.lag.ms", LONG, 0, at_least(-1), broker="log.remote.copy.lag.ms", gap=_TIERED
    ),
    _topic("remote.log.copy.disable", BOOLEAN, False, gap=_TIERED),
    _topic("remote.log.delete.on.disable", BOOLEAN, False, gap=_TIERED),
    _topic("remote.storage.enable", BOOLEAN, False, gap=f"{_TIERED}; true is refused"),
    _topic("retention.bytes", LONG, -1, broker="log.retention.bytes"),
    _topic("retention.ms", LONG, 604_800_000, at_least(-1), broker=RETENTION),
    _topic("segment.bytes", INT, 1_073_741_824, at_least(1_048_576), broker="log.segment.bytes"),
    _topic("segment.index.bytes", INT, 10_485_760, at_least(4), broker="log.index.size.max.bytes"),
    _topic("segment.jitter.ms", LONG, 0, at_least(0), broker=ROLL_JITTER),
    _topic("segment.ms", LONG, 604_800_000, at_least(1), broker=ROLL),
    _topic(
        "unclean.leader.election.enable", BOOLEAN, False, broker="unclean.leader.election.enable"
    ),
)
