"""The broker's settings: what was given, the defaults that are ours, and what does not fit together."""

import pytest

from ottla.settings.broker import BrokerSettings, base_name, broker_settings
from ottla.settings.definition import ConfigurationError
from ottla.settings.listener import HostPort
from ottla.settings.parse import Resolved
from ottla.settings.topic import check_topic_overrides, topic_settings


def broker(**given: str) -> BrokerSettings:
    """`num_partitions="3"` is num.partitions=3."""
    return broker_settings(
        {n.replace("_", "."): Resolved(t, where="here") for n, t in given.items()}
    )


def test_nothing_configured_is_one_node_on_loopback() -> None:
    settings = broker()
    (listener,) = settings.listeners
    assert (settings.node_id, listener.host, listener.port) == (1, "localhost", 9092)
    assert listener.advertised is None
    assert settings.groups.offsets_replication_factor == 1
    assert settings.transactions.replication_factor == 1
    assert settings.transactions.min_insync_replicas == 1
    assert settings.connections.connections_max == 10_000
    assert settings.fetch.response_bytes_max == 55 * 1024 * 1024
    assert settings.http == "loopback"
    assert not settings.logs.flush_on_ack


def test_given_values_arrive_with_their_types() -> None:
    settings = broker(
        node_id="7",
        num_partitions="3",
        auto_create_topics_enable="false",
        log_dirs="/a, /b",
        ottla_flush="ack",
        offsets_retention_minutes="2",
        connections_max_idle_ms="-1",
        max_connections_per_ip_overrides="10.0.0.1:5, ::1:6",
        queued_max_request_bytes="-1",
    )
    assert settings.node_id == 7
    assert settings.topics.partitions == 3
    assert not settings.topics.auto_create
    assert settings.log_dirs == ("/a", "/b")
    assert settings.logs.flush_on_ack
    assert settings.groups.offsets_retention_ms == 120_000
    assert settings.connections.idle_ms is None
    assert settings.connections.per_host_max_overrides == {"10.0.0.1": 5, "::1": 6}
    assert settings.connections.queued_request_bytes_max is None


def test_the_older_name_of_the_node_id_is_read() -> None:
    assert broker(broker_id="4").node_id == 4
    assert broker(broker_id="-1").node_id == 1
    assert broker(broker_id="0").node_id == 0


@pytest.mark.parametrize(
    ("listeners", "advertised", "outcome"),
    [
        ("PLAINTEXT://:9092", None, [("", 9092, None)]),
        ("PLAINTEXT://0.0.0.0:9092", None, [("0.0.0.0", 9092, None)]),
        ("PLAINTEXT://[::]:9092", None, [("::", 9092, None)]),
        ("PLAINTEXT://kafka1:9092", None, [("kafka1", 9092, HostPort("kafka1", 9092))]),
        ("plaintext://:0", "PLAINTEXT://h:1", [("", 0, HostPort("h", 1))]),
        ("PLAINTEXT://[::1]:1", "PLAINTEXT://[fe80::1]:2", [("::1", 1, HostPort("fe80::1", 2))]),
        (
            "PLAINTEXT://:1,CONTROLLER://:2",
            "PLAINTEXT://h:1,CONTROLLER://h:2",
            [("", 1, HostPort("h", 1))],
        ),
    ],
)
def test_listeners_and_their_advertised_addresses(
    listeners: str, advertised: str | None, outcome: list[tuple[str, int, HostPort | None]]
) -> None:
    given = {"listeners": listeners}
    if advertised is not None:
        given["advertised_listeners"] = advertised
    opened = broker(**given).listeners
    assert [(o.host, o.port, o.advertised) for o in opened] == outcome


def test_the_inter_broker_listener_is_the_one_named_else_plaintext_else_the_first() -> None:
    protocols = "PLAINTEXT:PLAINTEXT,IN:PLAINTEXT,OUT:PLAINTEXT"
    two = {"listener_security_protocol_map": protocols, "listeners": "OUT://:1,IN://:2"}
    assert broker(**two).inter_broker_listener == "OUT"
    assert broker(**two, inter_broker_listener_name="in").inter_broker_listener == "IN"
    two["listeners"] = "OUT://:1,PLAINTEXT://:2"
    assert broker(**two).inter_broker_listener == "PLAINTEXT"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_partitions": "many"}, "here: num.partitions=many: a whole number of 32 bits"),
        ({"num_partitions": "0"}, "here: num.partitions=0: a number from 1 on is expected"),
        ({"node_id": "1", "broker_id": "2"}, "broker.id=2 and node.id=1 are names of one thing"),
        ({"process_roles": "controller"}, "a controller of its own is not run here"),
        ({"process_roles": "broker,zookeeper"}, "a list of at least one out of broker, controller"),
        ({"zookeeper_connect": "zoo:2181"}, "which this version cannot form yet"),
        ({"zookeeper_connect": "zoo:2181"}, "ottla.metadata.store=local"),
        (
            {"controller_quorum_voters": "1@a:1,2@b:1,3@c:1"},
            "a cluster is formed by zookeeper.connect (KAFKA_ZOOKEEPER_CONNECT)",
        ),
        ({"controller_quorum_bootstrap_servers": "a:1,b:1"}, "a quorum of several controllers"),
        ({"controller_quorum_voters": "2@other:9093"}, "names another node than this one"),
        ({"authorizer_class_name": "x.Authorizer"}, "access control is not in this version"),
        ({"listeners": "localhost:9092"}, "NAME://host:port is expected"),
        ({"listeners": "PLAINTEXT://h:70000"}, "NAME://host:port is expected"),
        ({"listeners": "PLAINTEXT://::1:9092"}, "NAME://host:port is expected"),
        ({"listeners": "OUT://:9092"}, "add OUT:PLAINTEXT to the map"),
        ({"listeners": "SSL://:9092"}, "listens with PLAINTEXT only"),
        ({"listeners": "PLAINTEXT://:1,plaintext://:2"}, "a listener's name stands twice"),
        (
            {
                "listeners": "PLAINTEXT://:1,A://:1",
                "listener_security_protocol_map": "PLAINTEXT:PLAINTEXT,A:PLAINTEXT",
            },
            "two listeners have the same host and port",
        ),
        ({"listeners": "CONTROLLER://:9093"}, "has none for clients"),
        ({"listener_security_protocol_map": "A:TLS"}, "'A:TLS' is not NAME:PROTOCOL"),
        ({"listener_security_protocol_map": "A:SSL,a:SSL"}, "A stands twice"),
        ({"advertised_listeners": "OUT://h:1"}, "names OUT, which is not in listeners (PLAINTEXT)"),
        ({"advertised_listeners": "PLAINTEXT://0.0.0.0:9092"}, "belongs into listeners"),
        ({"advertised_listeners": "PLAINTEXT://:9092"}, "belongs into listeners"),
        ({"inter_broker_listener_name": "OUT"}, "one of the listeners (PLAINTEXT) is expected"),
        (
            {
                "inter_broker_listener_name": "PLAINTEXT",
                "security_inter_broker_protocol": "PLAINTEXT",
            },
            "only one of them may be",
        ),
        ({"max_connections_per_ip_overrides": "h"}, "a list of host:number is expected"),
        ({"group_min_session_timeout_ms": "2000000"}, "is above group.max.session.timeout.ms"),
        ({"log_roll_ms": "0"}, "here: log.roll.ms=0: a number from 1 on is expected"),
        ({"log_retention_ms": "0"}, "here: log.retention.ms=0: -1 (for ever) or"),
        ({"log_segment_bytes": "14"}, "here: log.segment.bytes=14: a number from 1048576 on"),
        ({"ottla_flush": "disk"}, "one of page-cache, ack is expected"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        broker(**given)
    assert said in str(caught.value)


def test_zookeeper_is_no_obstacle_when_the_metadata_stays_local() -> None:
    assert broker(zookeeper_connect="zoo:2181", ottla_metadata_store="local").node_id == 1


def test_one_voter_is_this_node() -> None:
    settings = broker(node_id="3", controller_quorum_voters="3@localhost:9093")
    assert settings.node_id == 3


@pytest.mark.parametrize(
    ("given", "retention_ms"),
    [
        ({}, 604_800_000),
        ({"log_retention_hours": "1"}, 3_600_000),
        ({"log_retention_hours": "1", "log_retention_minutes": "2"}, 120_000),
        ({"log_retention_minutes": "2", "log_retention_ms": "3"}, 3),
        ({"log_retention_hours": "-1"}, None),
        ({"log_retention_ms": "-1"}, None),
    ],
)
def test_the_finest_unit_of_retention_wins(given: dict[str, str], retention_ms: int | None) -> None:
    assert topic_settings({}, broker(**given)).retention_ms == retention_ms


def test_a_topic_is_the_brokers_until_it_overrides() -> None:
    settings = broker(log_cleanup_policy="compact", message_max_bytes="5", log_roll_hours="1")
    plain = topic_settings({}, settings)
    assert (plain.cleanup_compact, plain.cleanup_delete) == (True, False)
    assert (plain.message_bytes_max, plain.segment_ms) == (5, 3_600_000)
    assert plain.flush_messages is None
    assert plain.retention_bytes is None
    assert plain.max_compaction_lag_ms is None
    own = topic_settings(
        {
            "cleanup.policy": "compact,delete",
            "max.message.bytes": "6",
            "segment.ms": "7",
            "flush.messages": "1",
            "retention.bytes": "8",
            "message.timestamp.type": "LogAppendTime",
            "compression.type": "zstd",
            "min.cleanable.dirty.ratio": "0.25",
            "some.later.name": "x",
        },
        settings,
    )
    assert (own.cleanup_compact, own.cleanup_delete) == (True, True)
    assert (own.message_bytes_max, own.segment_ms, own.flush_messages) == (6, 7, 1)
    assert (own.retention_bytes, own.timestamp_log_append) == (8, True)
    assert (own.compression_type, own.min_cleanable_dirty_ratio) == ("zstd", 0.25)
    assert not topic_settings({"cleanup.policy": ""}, settings).cleanup_compact


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({}, None),
        ({"retention.ms": "-1", "cleanup.policy": "compact,delete"}, None),
        ({"retention.ms": None}, "Null value not supported for topic configs: retention.ms"),
        ({"retention": "1"}, "Unknown topic config name: retention"),
        ({"message.format.version": "2.0"}, "Kafka 4.0 removed it"),
        ({"retention.ms": "7d"}, "retention.ms=7d: a whole number of 64 bits from -1 on"),
        ({"retention.ms": "-2"}, "retention.ms=-2: a number from -1 on is expected"),
        ({"cleanup.policy": "shred"}, "cleanup.policy=shred: a list out of compact, delete"),
        ({"min.compaction.lag.ms": "9", "max.compaction.lag.ms": "8"}, "is above max.compaction"),
        ({"remote.storage.enable": "true"}, "tiered storage is off"),
        ({"segment.bytes": "1048575"}, "segment.bytes=1048575: a number from 1048576 on"),
    ],
)
def test_overrides_a_topic_may_not_have(overrides: dict[str, str | None], said: str | None) -> None:
    message = check_topic_overrides(overrides)
    assert message is None if said is None else said in (message or "")


def test_a_listeners_own_setting_is_known_by_its_end() -> None:
    assert base_name("listener.name.internal.ssl.keystore.location") == "ssl.keystore.location"
    assert base_name("listener.name.a.scram-sha-256.sasl.jaas.config") == "sasl.jaas.config"
    assert base_name("listener.name.a.nonsense") == "listener.name.a.nonsense"
    assert base_name("num.partitions") == "num.partitions"
