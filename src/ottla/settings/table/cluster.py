"""The node's place in a cluster: identity, the controller's quorum, the metadata log, replication."""

from typing import Final

from ottla.limits import LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    CLUSTER_WIDE,
    HIGH,
    INT,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    STRING,
    Setting,
    setting,
)
from ottla.settings.valid import HostPorts, Voters, at_least, names, one_of

SETTINGS: Final[tuple[Setting, ...]] = (
    # KRaft
    setting("broker.heartbeat.interval.ms", INT, 2000),
    setting("broker.session.timeout.ms", INT, 9000),
    setting("controller.listener.names", LIST, None, names(empty=False), HIGH, honored=True),
    setting(
        "controller.performance.always.log.threshold.ms", LONG, 2000, at_least(0), internal=True
    ),
    setting("controller.performance.sample.period.ms", LONG, 60_000, at_least(100), internal=True),
    setting("initial.broker.registration.timeout.ms", INT, 60_000),
    setting("node.id", INT, None, at_least(0), HIGH, honored=True),
    setting(
        "process.roles", LIST, None, names("broker", "controller", empty=False), HIGH, honored=True
    ),
    setting("sasl.mechanism.controller.protocol", STRING, "GSSAPI", None, HIGH),
    setting("server.max.startup.time.ms", LONG, LONG_MAX, at_least(0), internal=True),
    # Quorum
    setting("controller.quorum.append.linger.ms", INT, 25, at_least(0)),
    setting("controller.quorum.auto.join.enable", BOOLEAN, False, None, LOW),
    setting("controller.quorum.bootstrap.servers", LIST, "", HostPorts(), HIGH, honored=True),
    setting("controller.quorum.election.backoff.max.ms", INT, 1000, at_least(0), HIGH),
    setting("controller.quorum.election.timeout.ms", INT, 1000, at_least(0), HIGH),
    setting("controller.quorum.fetch.max.bytes", INT, 1_048_576, at_least(1), LOW),
    setting("controller.quorum.fetch.snapshot.max.bytes", INT, 1_048_576, at_least(1), LOW),
    setting("controller.quorum.fetch.timeout.ms", INT, 2000, at_least(0), HIGH),
    setting("controller.quorum.request.timeout.ms", INT, 2000, at_least(0)),
    setting("controller.quorum.retry.backoff.ms", INT, 20, at_least(0), LOW),
    setting("controller.quorum.voters", LIST, "", Voters(), HIGH, honored=True),
    # MetadataLog
    setting("internal.metadata.delete.delay.millis", LONG, 60_000, None, LOW, internal=True),
    setting("internal.metadata.log.segment.bytes", INT, None, None, LOW, internal=True),
    setting("internal.metadata.max.batch.size.in.bytes", INT, 8_388_608, None, LOW, internal=True),
    setting("metadata.log.dir", STRING, None, None, HIGH, honored=True),
    setting(
        "metadata.log.max.record.bytes.between.snapshots",
        LONG,
        20_971_520,
        at_least(1),
        HIGH,
        honored=True,
    ),
    setting(
        "metadata.log.max.snapshot.interval.ms", LONG, 3_600_000, at_least(0), HIGH, honored=True
    ),
    setting(
        "metadata.log.segment.bytes", INT, 1_073_741_824, at_least(8_388_608), HIGH, honored=True
    ),
    setting("metadata.log.segment.ms", LONG, 604_800_000, None, HIGH, honored=True),
    setting("metadata.max.idle.interval.ms", INT, 500, at_least(0), LOW),
    setting("metadata.max.retention.bytes", LONG, 104_857_600, None, HIGH),
    setting("metadata.max.retention.ms", LONG, 604_800_000, None, HIGH),
    # Replication
    setting("auto.leader.rebalance.enable", BOOLEAN, True, None, HIGH),
    setting("controller.socket.timeout.ms", INT, 30_000),
    setting("default.replication.factor", INT, 1, honored=True),
    setting("delete.records.purgatory.purge.interval.requests", INT, 1),
    setting("fetch.purgatory.purge.interval.requests", INT, 1000),
    setting("follower.fetch.last.tiered.offset.enable", BOOLEAN, False, None, MEDIUM, CLUSTER_WIDE),
    setting("inter.broker.listener.name", STRING, None, honored=True),
    setting("leader.imbalance.check.interval.seconds", LONG, 300, at_least(1), HIGH),
    setting("num.replica.fetchers", INT, 1, at_least(1), HIGH, CLUSTER_WIDE),
    setting("producer.purgatory.purge.interval.requests", INT, 1000),
    setting("replica.fetch.backoff.ms", INT, 1000, at_least(0)),
    setting("replica.fetch.max.bytes", INT, 1_048_576, at_least(0)),
    setting("replica.fetch.min.bytes", INT, 1, None, HIGH),
    setting("replica.fetch.response.max.bytes", INT, 10_485_760, at_least(0)),
    setting("replica.fetch.wait.max.ms", INT, 500, None, HIGH),
    setting("replica.high.watermark.checkpoint.interval.ms", LONG, 5000, None, HIGH),
    setting("replica.lag.time.max.ms", LONG, 30_000, None, HIGH),
    setting("replica.selector.class", STRING, None),
    setting("replica.socket.receive.buffer.bytes", INT, 65_536, None, HIGH),
    setting("replica.socket.timeout.ms", INT, 30_000, None, HIGH),
    setting(
        "security.inter.broker.protocol",
        STRING,
        "PLAINTEXT",
        one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        honored=True,
    ),
    setting(
        "unclean.leader.election.enable", BOOLEAN, False, None, HIGH, CLUSTER_WIDE, honored=True
    ),
    setting("unclean.leader.election.interval.ms", LONG, 300_000, at_least(1), internal=True),
)
