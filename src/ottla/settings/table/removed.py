"""Settings that Kafka 3.9 still had. Accepted, so that existing files start; none is described to clients."""

from typing import Final

from ottla.limits import LONG_MAX
from ottla.settings.definition import (
    BOOLEAN,
    HIGH,
    INT,
    LIST,
    LONG,
    LOW,
    PASSWORD,
    SHORT,
    STRING,
    Setting,
    setting,
)
from ottla.settings.valid import at_least, between

SETTINGS: Final[tuple[Setting, ...]] = (
    setting("alter.config.policy.kraft.compatibility.enable", BOOLEAN, False, None, LOW),
    setting("auto.include.jmx.reporter", BOOLEAN, True, None, LOW),
    setting("broker.id.generation.enable", BOOLEAN, True),
    setting("control.plane.listener.name", STRING, None, None, HIGH),
    setting("controlled.shutdown.max.retries", INT, 3),
    setting("controlled.shutdown.retry.backoff.ms", LONG, 5000),
    setting("delegation.token.master.key", PASSWORD, None),
    setting("eligible.leader.replicas.enable", BOOLEAN, False, None, HIGH),
    setting("group.coordinator.new.enable", BOOLEAN, False, internal=True),
    setting("group.share.enable", BOOLEAN, False, internal=True),
    setting("group.share.max.groups", SHORT, 10, between(1, 100)),
    setting("inter.broker.protocol.version", STRING, "3.9-IV0"),
    setting("leader.imbalance.per.broker.percentage", INT, 10, None, HIGH),
    setting("log.message.downconversion.enable", BOOLEAN, True, None, LOW, honored=True),
    setting("log.message.format.version", STRING, "3.0-IV1"),
    setting("log.message.timestamp.difference.max.ms", LONG, LONG_MAX, at_least(0)),
    setting("metadata.log.segment.min.bytes", INT, 8_388_608, at_least(12), HIGH, internal=True),
    setting("offsets.commit.required.acks", SHORT, -1, None, HIGH),
    setting("password.encoder.cipher.algorithm", STRING, "AES/CBC/PKCS5Padding", None, LOW),
    setting("password.encoder.iterations", INT, 4096, at_least(1024), LOW),
    setting("password.encoder.key.length", INT, 128, at_least(8), LOW),
    setting("password.encoder.keyfactory.algorithm", STRING, None, None, LOW),
    setting("password.encoder.old.secret", PASSWORD, None),
    setting("password.encoder.secret", PASSWORD, None),
    setting("reserved.broker.max.id", INT, 1000, at_least(0)),
    setting("zookeeper.clientCnxnSocket", STRING, None),
    setting("zookeeper.connect", STRING, None, None, HIGH, honored=True),
    setting("zookeeper.connection.timeout.ms", INT, None, None, HIGH),
    setting("zookeeper.max.in.flight.requests", INT, 10, at_least(1), HIGH),
    setting("zookeeper.metadata.migration.enable", BOOLEAN, False, None, HIGH),
    setting("zookeeper.metadata.migration.min.batch.size", INT, 200, at_least(1), internal=True),
    setting("zookeeper.session.timeout.ms", INT, 18_000, None, HIGH),
    setting("zookeeper.set.acl", BOOLEAN, False, None, HIGH),
    setting("zookeeper.ssl.cipher.suites", LIST, None, None, LOW),
    setting("zookeeper.ssl.client.enable", BOOLEAN, False),
    setting("zookeeper.ssl.crl.enable", BOOLEAN, False, None, LOW),
    setting("zookeeper.ssl.enabled.protocols", LIST, None, None, LOW),
    setting("zookeeper.ssl.endpoint.identification.algorithm", STRING, "HTTPS", None, LOW),
    setting("zookeeper.ssl.keystore.location", STRING, None),
    setting("zookeeper.ssl.keystore.password", PASSWORD, None),
    setting("zookeeper.ssl.keystore.type", STRING, None),
    setting("zookeeper.ssl.ocsp.enable", BOOLEAN, False, None, LOW),
    setting("zookeeper.ssl.protocol", STRING, "TLSv1.2", None, LOW),
    setting("zookeeper.ssl.truststore.location", STRING, None),
    setting("zookeeper.ssl.truststore.password", PASSWORD, None),
    setting("zookeeper.ssl.truststore.type", STRING, None),
)

TOPIC_SETTINGS: Final[tuple[Setting, ...]] = (
    setting("message.format.version", STRING, "3.0-IV1"),
    setting("message.timestamp.difference.max.ms", LONG, LONG_MAX, at_least(0)),
)
