"""Tiered storage (KIP-405): accepted, without a meaning here."""

from typing import Final

from ottla.limits import LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    LONG,
    LOW,
    MEDIUM,
    STRING,
    Setting,
    setting,
)
from ottla.settings.valid import NonEmpty, at_least, between

SETTINGS: Final[tuple[Setting, ...]] = (
    setting("log.local.retention.bytes", LONG, -2, at_least(-2), MEDIUM, CLUSTER_WIDE),
    setting("log.local.retention.ms", LONG, -2, at_least(-2), MEDIUM, CLUSTER_WIDE),
    setting("log.remote.copy.lag.bytes", LONG, -1, at_least(-1), MEDIUM, CLUSTER_WIDE),
    setting("log.remote.copy.lag.ms", LONG, 0, at_least(-1), MEDIUM, CLUSTER_WIDE),
    setting("remote.fetch.max.wait.ms", INT, 500, at_least(1), MEDIUM, CLUSTER_WIDE),
    setting(
        "remote.list.offsets.request.timeout.ms", LONG, 30_000, at_least(1), MEDIUM, CLUSTER_WIDE
    ),
    setting(
        "remote.log.index.file.cache.total.size.bytes",
        LONG,
        1_073_741_824,
        at_least(1),
        LOW,
        CLUSTER_WIDE,
    ),
    setting("remote.log.index.file.cache.ttl.ms", LONG, 900_000, at_least(-1), LOW, internal=True),
    setting(
        "remote.log.manager.copier.thread.pool.size", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE
    ),
    setting(
        "remote.log.manager.copy.max.bytes.per.second",
        LONG,
        LONG_MAX,
        at_least(1),
        MEDIUM,
        CLUSTER_WIDE,
    ),
    setting("remote.log.manager.copy.quota.window.num", INT, 11, at_least(1)),
    setting("remote.log.manager.copy.quota.window.size.seconds", INT, 1, at_least(1)),
    setting(
        "remote.log.manager.expiration.thread.pool.size", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE
    ),
    setting(
        "remote.log.manager.fetch.max.bytes.per.second",
        LONG,
        LONG_MAX,
        at_least(1),
        MEDIUM,
        CLUSTER_WIDE,
    ),
    setting("remote.log.manager.fetch.quota.window.num", INT, 11, at_least(1)),
    setting("remote.log.manager.fetch.quota.window.size.seconds", INT, 1, at_least(1)),
    setting(
        "remote.log.manager.follower.thread.pool.size", INT, 2, at_least(1), MEDIUM, CLUSTER_WIDE
    ),
    setting("remote.log.manager.task.interval.ms", LONG, 30_000, at_least(1), LOW),
    setting(
        "remote.log.manager.task.retry.backoff.max.ms",
        LONG,
        30_000,
        at_least(1),
        LOW,
        internal=True,
    ),
    setting("remote.log.manager.task.retry.backoff.ms", LONG, 500, at_least(1), LOW, internal=True),
    setting(
        "remote.log.manager.task.retry.jitter", DOUBLE, "0.2", between(0, 0.5), LOW, internal=True
    ),
    setting("remote.log.manager.thread.pool.size", INT, 2, at_least(1)),
    setting("remote.log.metadata.custom.metadata.max.bytes", INT, 128, at_least(0), LOW),
    setting(
        "remote.log.metadata.manager.class.name",
        STRING,
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        NonEmpty(),
    ),
    setting("remote.log.metadata.manager.class.path", STRING, None),
    setting("remote.log.metadata.manager.impl.prefix", STRING, "rlmm.config.", NonEmpty()),
    setting("remote.log.metadata.manager.listener.name", STRING, None, NonEmpty()),
    setting("remote.log.reader.max.pending.tasks", INT, 100, at_least(1)),
    setting("remote.log.reader.threads", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE),
    setting("remote.log.storage.manager.class.name", STRING, None, NonEmpty()),
    setting("remote.log.storage.manager.class.path", STRING, None),
    setting("remote.log.storage.manager.impl.prefix", STRING, "rsm.config.", NonEmpty()),
    setting("remote.log.storage.system.enable", BOOLEAN, False),
)
