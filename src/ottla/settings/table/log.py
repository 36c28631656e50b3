"""Where and how logs are kept; most are the default of a topic's setting of a similar name."""

from typing import Final

from ottla.limits import LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    CLASS,
    CLUSTER_WIDE,
    DOUBLE,
    HIGH,
    INT,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    PER_BROKER,
    STRING,
    Setting,
    Synonym,
    setting,
)
from ottla.settings.valid import at_least, between, names, one_of

# Names for one thing in several units: the first that is given wins.
RETENTION: Final = (
    Synonym("log.retention.ms"),
    Synonym("log.retention.minutes", 60_000),
    Synonym("log.retention.hours", 3_600_000),
)
ROLL: Final = (Synonym("log.roll.ms"), Synonym("log.roll.hours", 3_600_000))
ROLL_JITTER: Final = (Synonym("log.roll.jitter.ms"), Synonym("log.roll.jitter.hours", 3_600_000))
FLUSH: Final = (Synonym("log.flush.interval.ms"), Synonym("log.flush.scheduler.interval.ms"))

SETTINGS: Final[tuple[Setting, ...]] = (
    # Log
    setting("alter.config.policy.class.name", CLASS, None, None, LOW),
    setting("auto.create.topics.enable", BOOLEAN, True, None, HIGH, honored=True),
    setting("cordoned.log.dirs", LIST, "", names(), MEDIUM, PER_BROKER),
    setting("create.topic.policy.class.name", CLASS, None, None, LOW),
    setting(
        "log.cleanup.policy",
        LIST,
        "delete",
        names("compact", "delete"),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("log.dir", LIST, "/tmp/kafka-logs", names(empty=False), HIGH, honored=True),
    setting("log.dir.failure.timeout.ms", LONG, 30_000, at_least(1), LOW),
    setting("log.dirs", LIST, None, names(empty=False), HIGH, honored=True),
    setting(
        "log.flush.interval.messages", LONG, LONG_MAX, at_least(1), HIGH, CLUSTER_WIDE, honored=True
    ),
    setting(
        "log.flush.interval.ms", LONG, None, None, HIGH, CLUSTER_WIDE, synonyms=FLUSH, honored=True
    ),
    setting(
        "log.flush.offset.checkpoint.interval.ms", INT, 60_000, at_least(0), HIGH, honored=True
    ),
    setting("log.flush.scheduler.interval.ms", LONG, LONG_MAX, None, HIGH, honored=True),
    setting("log.flush.start.offset.checkpoint.interval.ms", INT, 60_000, at_least(0), HIGH),
    setting("log.index.interval.bytes", INT, 4096, at_least(0), MEDIUM, CLUSTER_WIDE, honored=True),
    setting(
        "log.index.size.max.bytes", INT, 10_485_760, at_least(4), MEDIUM, CLUSTER_WIDE, honored=True
    ),
    setting(
        "log.initial.task.delay.ms", LONG, 30_000, at_least(0), LOW, honored=True, internal=True
    ),
    setting(
        "log.message.timestamp.after.max.ms",
        LONG,
        3_600_000,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.message.timestamp.before.max.ms",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.message.timestamp.type",
        STRING,
        "CreateTime",
        one_of("CreateTime", "LogAppendTime"),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("log.preallocate", BOOLEAN, False, None, MEDIUM, CLUSTER_WIDE),
    setting("log.retention.bytes", LONG, -1, None, HIGH, CLUSTER_WIDE, honored=True),
    setting("log.retention.check.interval.ms", LONG, 300_000, at_least(1), honored=True),
    setting("log.retention.hours", INT, 168, None, HIGH, synonyms=RETENTION, honored=True),
    setting("log.retention.minutes", INT, None, None, HIGH, synonyms=RETENTION, honored=True),
    setting(
        "log.retention.ms", LONG, None, None, HIGH, CLUSTER_WIDE, synonyms=RETENTION, honored=True
    ),
    setting("log.roll.hours", INT, 168, at_least(1), HIGH, synonyms=ROLL, honored=True),
    setting("log.roll.jitter.hours", INT, 0, at_least(0), HIGH, synonyms=ROLL_JITTER, honored=True),
    setting(
        "log.roll.jitter.ms",
        LONG,
        None,
        None,
        HIGH,
        CLUSTER_WIDE,
        synonyms=ROLL_JITTER,
        honored=True,
    ),
    setting("log.roll.ms", LONG, None, None, HIGH, CLUSTER_WIDE, synonyms=ROLL, honored=True),
    setting(
        "log.segment.bytes",
        INT,
        1_073_741_824,
        at_least(1_048_576),
        HIGH,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.segment.delete.delay.ms", LONG, 60_000, at_least(0), HIGH, CLUSTER_WIDE, honored=True
    ),
    setting("min.insync.replicas", INT, 1, at_least(1), HIGH, CLUSTER_WIDE, honored=True),
    setting("num.partitions", INT, 1, at_least(1), honored=True),
    setting("num.recovery.threads.per.data.dir", INT, 2, at_least(1), HIGH, CLUSTER_WIDE),
    # Cleaner
    setting(
        "log.cleaner.backoff.ms", LONG, 15_000, at_least(0), MEDIUM, CLUSTER_WIDE, honored=True
    ),
    setting(
        "log.cleaner.dedupe.buffer.size",
        LONG,
        134_217_728,
        None,
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.cleaner.delete.retention.ms",
        LONG,
        86_400_000,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("log.cleaner.enable", BOOLEAN, True, honored=True),
    setting(
        "log.cleaner.io.buffer.load.factor",
        DOUBLE,
        "0.9",
        None,
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("log.cleaner.io.buffer.size", INT, 524_288, at_least(0), MEDIUM, CLUSTER_WIDE),
    setting(
        "log.cleaner.io.max.bytes.per.second",
        DOUBLE,
        "1.7976931348623157E308",
        None,
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.cleaner.max.compaction.lag.ms",
        LONG,
        LONG_MAX,
        at_least(1),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.cleaner.min.cleanable.ratio",
        DOUBLE,
        "0.5",
        between(0, 1),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "log.cleaner.min.compaction.lag.ms",
        LONG,
        0,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("log.cleaner.threads", INT, 1, at_least(0), MEDIUM, CLUSTER_WIDE),
)
