"""What a group may override (KIP-1240), with the broker's name for the same thing."""

from typing import Final

from ottla.settings.definition import (
    BOOLEAN,
    CLUSTER_WIDE,
    INT,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    STRING,
    Importance,
    Setting,
    Synonym,
    Type,
    setting,
)
from ottla.settings.valid import ShareOffsetReset, Valid, at_least, names, one_of


def _group(
    name: str,
    type_: Type,
    default: str | int | bool | None,
    valid: Valid | None = None,
    *,
    broker: str | None = None,
    importance: Importance = MEDIUM,
    internal: bool = False,
) -> Setting:
    return setting(
        name,
        type_,
        default,
        valid,
        importance,
        CLUSTER_WIDE,
        synonyms=() if broker is None else (Synonym(broker),),
        internal=internal,
    )


SETTINGS: Final[tuple[Setting, ...]] = (
    _group(
        "consumer.assignment.interval.ms",
        INT,
        1000,
        at_least(0),
        broker="group.consumer.assignment.interval.ms",
    ),
    _group(
        "consumer.assignor.offload.enable",
        BOOLEAN,
        True,
        broker="group.consumer.assignor.offload.enable",
        internal=True,
    ),
    _group(
        "consumer.heartbeat.interval.ms",
        INT,
        5000,
        at_least(1),
        broker="group.consumer.heartbeat.interval.ms",
    ),
    _group(
        "consumer.session.timeout.ms",
        INT,
        45_000,
        at_least(1),
        broker="group.consumer.session.timeout.ms",
    ),
    _group("errors.deadletterqueue.copy.record.enable", BOOLEAN, False),
    _group("errors.deadletterqueue.topic.name", STRING, ""),
    _group(
        "share.assignment.interval.ms",
        INT,
        1000,
        at_least(0),
        broker="group.share.assignment.interval.ms",
    ),
    _group(
        "share.assignor.offload.enable",
        BOOLEAN,
        True,
        broker="group.share.assignor.offload.enable",
        internal=True,
    ),
    _group("share.auto.offset.reset", STRING, "latest", ShareOffsetReset()),
    _group(
        "share.delivery.count.limit", INT, 5, at_least(2), broker="group.share.delivery.count.limit"
    ),
    _group(
        "share.heartbeat.interval.ms",
        INT,
        5000,
        at_least(1),
        broker="group.share.heartbeat.interval.ms",
    ),
    _group(
        "share.isolation.level",
        STRING,
        "read_uncommitted",
        one_of("read_committed", "read_uncommitted"),
    ),
    _group(
        "share.partition.max.record.locks",
        INT,
        2000,
        at_least(100),
        broker="group.share.partition.max.record.locks",
    ),
    _group(
        "share.record.lock.duration.ms",
        INT,
        30_000,
        at_least(1000),
        broker="group.share.record.lock.duration.ms",
    ),
    _group("share.renew.acknowledge.enable", BOOLEAN, True),
    _group(
        "share.session.timeout.ms",
        INT,
        45_000,
        at_least(1),
        broker="group.share.session.timeout.ms",
    ),
    _group(
        "streams.acceptable.recovery.lag",
        LONG,
        10_000,
        at_least(0),
        broker="group.streams.acceptable.recovery.lag",
        internal=True,
    ),
    _group(
        "streams.assignment.interval.ms",
        INT,
        1000,
        at_least(0),
        broker="group.streams.assignment.interval.ms",
    ),
    _group("streams.assignor.name", STRING, None, broker="group.streams.assignors"),
    _group(
        "streams.assignor.offload.enable",
        BOOLEAN,
        True,
        broker="group.streams.assignor.offload.enable",
        internal=True,
    ),
    _group(
        "streams.heartbeat.interval.ms",
        INT,
        5000,
        at_least(1),
        broker="group.streams.heartbeat.interval.ms",
    ),
    _group(
        "streams.initial.rebalance.delay.ms",
        INT,
        3000,
        at_least(0),
        broker="group.streams.initial.rebalance.delay.ms",
    ),
    _group(
        "streams.num.standby.replicas",
        INT,
        0,
        at_least(0),
        broker="group.streams.num.standby.replicas",
    ),
    _group(
        "streams.num.warmup.replicas",
        INT,
        2,
        at_least(0),
        broker="group.streams.num.warmup.replicas",
        internal=True,
    ),
    _group(
        "streams.rack.aware.assignment.tags",
        LIST,
        "",
        names(),
        broker="group.streams.rack.aware.assignment.tags",
        importance=LOW,
    ),
    _group(
        "streams.session.timeout.ms",
        INT,
        45_000,
        at_least(1),
        broker="group.streams.session.timeout.ms",
    ),
    _group(
        "streams.task.offset.interval.ms",
        INT,
        60_000,
        at_least(1),
        broker="group.streams.task.offset.interval.ms",
        internal=True,
    ),
)
