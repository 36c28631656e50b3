"""Listeners, connections, request sizes, quotas, metrics, and the server as a whole."""

from typing import Final

from ottla.limits import INT_MAX, LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    CLASS,
    CLUSTER_WIDE,
    HIGH,
    INT,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    PER_BROKER,
    STRING,
    Setting,
    setting,
)
from ottla.settings.valid import GzipLevel, at_least, between, names, one_of

SETTINGS: Final[tuple[Setting, ...]] = (
    # SocketServer
    setting("advertised.listeners", LIST, None, names(empty=False), HIGH, honored=True),
    setting("connection.failed.authentication.delay.ms", INT, 100, at_least(0), LOW),
    setting("connections.max.idle.ms", LONG, 600_000, honored=True),
    setting(
        "listener.security.protocol.map",
        STRING,
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        None,
        LOW,
        PER_BROKER,
        honored=True,
    ),
    setting(
        "listeners", LIST, "PLAINTEXT://:9092", names(empty=False), HIGH, PER_BROKER, honored=True
    ),
    setting(
        "max.connection.creation.rate",
        INT,
        INT_MAX,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting("max.connections", INT, INT_MAX, at_least(0), MEDIUM, CLUSTER_WIDE, honored=True),
    setting(
        "max.connections.per.ip", INT, INT_MAX, at_least(0), MEDIUM, CLUSTER_WIDE, honored=True
    ),
    setting(
        "max.connections.per.ip.overrides", STRING, "", None, MEDIUM, CLUSTER_WIDE, honored=True
    ),
    setting("num.network.threads", INT, 3, at_least(1), HIGH, CLUSTER_WIDE),
    setting("queued.max.request.bytes", LONG, -1, honored=True),
    setting(
        "queued.max.requests",
        INT,
        500,
        at_least(1),
        HIGH,
        gap="no request is queued: each runs when it has come (ADR 10), and a connection with too many "
        "unanswered ones is not read; see queued.max.request.bytes for those of which a part has come",
    ),
    setting("socket.listen.backlog.size", INT, 50, at_least(1), honored=True),
    setting("socket.receive.buffer.bytes", INT, 102_400, None, HIGH, honored=True),
    setting("socket.request.max.bytes", INT, 104_857_600, at_least(1), HIGH, honored=True),
    setting("socket.send.buffer.bytes", INT, 102_400, None, HIGH, honored=True),
    # Server
    setting("authorizer.class.name", STRING, "", None, LOW, honored=True),
    setting("background.threads", INT, 10, at_least(1), HIGH, CLUSTER_WIDE),
    setting("broker.id", INT, -1, None, HIGH, honored=True),
    setting("broker.rack", STRING, None, honored=True),
    setting("compression.gzip.level", INT, -1, GzipLevel(), MEDIUM, CLUSTER_WIDE, honored=True),
    setting("compression.lz4.level", INT, 9, between(1, 17), MEDIUM, CLUSTER_WIDE),
    setting(
        "compression.type",
        STRING,
        "producer",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        HIGH,
        CLUSTER_WIDE,
        honored=True,
    ),
    setting(
        "compression.zstd.level", INT, 3, between(-131_072, 22), MEDIUM, CLUSTER_WIDE, honored=True
    ),
    setting("config.providers", LIST, "", names(), LOW, CLUSTER_WIDE),
    setting("controlled.shutdown.enable", BOOLEAN, True),
    setting("delete.topic.enable", BOOLEAN, True, None, HIGH, honored=True),
    setting("early.start.listeners", LIST, None, names(), HIGH),
    setting("fetch.max.bytes", INT, 57_671_680, at_least(1024), honored=True),
    setting("max.incremental.fetch.session.cache.slots", INT, 1000, at_least(0), honored=True),
    setting("max.request.partition.size.limit", INT, 2000, at_least(1), honored=True),
    setting("message.max.bytes", INT, 1_048_588, at_least(0), HIGH, CLUSTER_WIDE, honored=True),
    setting("num.io.threads", INT, 8, at_least(1), HIGH, CLUSTER_WIDE),
    setting("num.replica.alter.log.dirs.threads", INT, None, None, HIGH),
    setting("request.timeout.ms", INT, 30_000, None, HIGH),
    setting("socket.connection.setup.timeout.max.ms", LONG, 30_000),
    setting("socket.connection.setup.timeout.ms", LONG, 10_000),
    setting("unstable.api.versions.enable", BOOLEAN, False, None, HIGH, internal=True),
    setting("unstable.feature.versions.enable", BOOLEAN, False, None, HIGH, internal=True),
    # Quota
    setting("alter.log.dirs.replication.quota.window.num", INT, 11, at_least(1), LOW),
    setting("alter.log.dirs.replication.quota.window.size.seconds", INT, 1, at_least(1), LOW),
    setting("client.quota.callback.class", CLASS, None, None, LOW),
    setting("controller.quota.window.num", INT, 11, at_least(1), LOW, honored=True),
    setting("controller.quota.window.size.seconds", INT, 1, at_least(1), LOW, honored=True),
    setting(
        "follower.replication.throttled.rate",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        dynamic_only=True,
    ),
    setting(
        "leader.replication.throttled.rate",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        dynamic_only=True,
    ),
    setting("quota.window.num", INT, 11, at_least(1), LOW, honored=True),
    setting("quota.window.size.seconds", INT, 1, at_least(1), LOW, honored=True),
    setting(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        CLUSTER_WIDE,
        dynamic_only=True,
    ),
    setting("replication.quota.window.num", INT, 11, at_least(1), LOW),
    setting("replication.quota.window.size.seconds", INT, 1, at_least(1), LOW),
    # Metric
    setting("kafka.metrics.polling.interval.secs", INT, 10, at_least(1), LOW),
    setting("kafka.metrics.reporters", LIST, "", names(), LOW),
    setting(
        "metric.reporters",
        LIST,
        "org.apache.kafka.common.metrics.JmxReporter",
        names(),
        LOW,
        CLUSTER_WIDE,
    ),
    setting("metrics.num.samples", INT, 2, at_least(1), LOW),
    setting("metrics.recording.level", STRING, "INFO", None, LOW),
    setting("metrics.sample.window.ms", LONG, 30_000, at_least(1), LOW),
    setting("telemetry.max.bytes", INT, 1_048_576, at_least(1), LOW),
)
