"""Configurations: every name of kafka-python is known, unknown ones and wrong values are not."""

import math
import warnings

import pytest

from ottla.client.metadata import Address
from ottla.errors import LocalProtocolError
from ottla.kafka import config
from ottla.kafka.arguments import AdminArguments, ConsumerArguments, ProducerArguments
from ottla.kafka.config import For, OttlaCompatWarning, configured, defaults
from ottla.kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from ottla.kafka.errors import InvalidConfigValueError, UnknownConfigError
from ottla.kafka.options import (
    addresses,
    connection_options,
    consumer_options,
    own_partitioner,
    producer_options,
    security,
)
from ottla.kafka.partitioner import DefaultPartitioner, Partitioner

SHARED = [
    "bootstrap_servers",
    "client_id",
    "connections_max_idle_ms",
    "metadata_max_age_ms",
    "client_dns_lookup",
    "retry_backoff_ms",
    "request_timeout_ms",
    "default_api_timeout_ms",
    "receive_message_max_bytes",
    "receive_buffer_bytes",
    "send_buffer_bytes",
    "socket_options",
    "reconnect_backoff_ms",
    "reconnect_backoff_max_ms",
    "max_in_flight_requests_per_connection",
    "security_protocol",
    "ssl_context",
    "ssl_check_hostname",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_crlfile",
    "ssl_password",
    "api_version",
    "bootstrap_timeout_ms",
    "metric_reporters",
    "metrics_num_samples",
    "metrics_sample_window_ms",
    "selector",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_name",
    "sasl_kerberos_service_name",
    "sasl_kerberos_domain_name",
    "sasl_oauth_token_provider",
    "socket_connection_setup_timeout_ms",
    "socket_connection_setup_timeout_max_ms",
    "proxy_url",
    "socks5_proxy",
    "kafka_client",
    "net",
    "api_version_auto_timeout_ms",
    "ssl_ciphers",
]
PRODUCER = [
    "key_serializer",
    "value_serializer",
    "enable_idempotence",
    "transactional_id",
    "transaction_timeout_ms",
    "delivery_timeout_ms",
    "acks",
    "compression_type",
    "retries",
    "batch_size",
    "linger_ms",
    "partitioner",
    "max_block_ms",
    "max_request_size",
    "allow_auto_create_topics",
    "metrics_enabled",
    "buffer_memory",
]
CONSUMER = [
    "allow_auto_create_topics",
    "metrics_enabled",
    "client_rack",
    "group_id",
    "group_instance_id",
    "key_deserializer",
    "value_deserializer",
    "enable_incremental_fetch_sessions",
    "fetch_max_wait_ms",
    "fetch_min_bytes",
    "fetch_max_bytes",
    "max_partition_fetch_bytes",
    "auto_offset_reset",
    "enable_auto_commit",
    "auto_commit_interval_ms",
    "default_offset_commit_callback",
    "check_crcs",
    "isolation_level",
    "partition_assignment_strategy",
    "max_poll_records",
    "max_poll_interval_ms",
    "session_timeout_ms",
    "heartbeat_interval_ms",
    "consumer_timeout_ms",
    "metric_group_prefix",
    "exclude_internal_topics",
    "legacy_iterator",
]


@pytest.mark.parametrize(
    ("client", "names"),
    [(For.PRODUCER, SHARED + PRODUCER), (For.CONSUMER, SHARED + CONSUMER), (For.ADMIN, SHARED)],
)
def test_every_name_is_known_and_its_default_is_taken(client: For, names: list[str]) -> None:
    assert set(names) - set(defaults(client)) == set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OttlaCompatWarning)
        for name, value in defaults(client).items():
            assert configured(client, {name: value})[name] == value


@pytest.mark.parametrize(
    ("client", "arguments"),
    [
        (For.PRODUCER, ProducerArguments),
        (For.CONSUMER, ConsumerArguments),
        (For.ADMIN, AdminArguments),
    ],
)
def test_the_types_name_what_is_taken(client: For, arguments: type) -> None:
    assert arguments.__annotations__.keys() | set() == defaults(client).keys()


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    for wrong in ("bootstrap_server", "bootstrap.servers"):
        with pytest.raises(UnknownConfigError, match="is 'bootstrap_servers' meant"):
            configured(For.PRODUCER, {wrong: "x"})


def test_a_name_of_another_client_is_refused_with_whose_it_is() -> None:
    with pytest.raises(
        TypeError, match="KafkaProducer has no configuration 'group_id'; KafkaConsumer"
    ):
        configured(For.PRODUCER, {"group_id": "g"})


@pytest.mark.parametrize(
    ("client", "name", "value", "words"),
    [
        (For.PRODUCER, "linger_ms", "5", "a number, 0 or more"),
        (For.PRODUCER, "linger_ms", -1, "a number, 0 or more"),
        (For.PRODUCER, "linger_ms", True, "a number, 0 or more"),
        (For.PRODUCER, "acks", "1", "0, 1, -1 or 'all'"),
        (For.PRODUCER, "compression_type", "gzipp", "is 'gzip' meant"),
        (For.CONSUMER, "auto_offset_reset", "earlist", "is 'earliest' meant"),
        (For.CONSUMER, "group_id", 7, "text is expected, not int"),
        (For.CONSUMER, "enable_auto_commit", "yes", "True or False"),
        (For.ADMIN, "bootstrap_servers", 9092, "host:port"),
        (For.ADMIN, "security_protocol", "TLS", "'SSL'"),
        (For.ADMIN, "request_timeout_ms", 0, "above 0"),
        (For.ADMIN, "socks5_proxy", "socks5://x:1", "proxy"),
    ],
)
def test_a_wrong_value_is_told_what_is_expected(
    client: For, name: str, value: object, words: str
) -> None:
    with pytest.raises(InvalidConfigValueError, match=words):
        configured(client, {name: value})


def test_what_has_no_meaning_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_warned", set())
    with pytest.warns(OttlaCompatWarning, match="api_version has no meaning here"):
        configured(For.PRODUCER, {"api_version": (2, 5)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        configured(For.PRODUCER, {"api_version": (2, 5)})
        configured(For.PRODUCER, {"metrics_num_samples": 2})  # the default asks for nothing


def test_old_spellings_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_warned", set())
    with pytest.warns(OttlaCompatWarning, match="is called bootstrap_timeout_ms"):
        found = configured(For.CONSUMER, {"api_version_auto_timeout_ms": 700})
    assert found["bootstrap_timeout_ms"] == 700
    assert configured(For.CONSUMER, {"auto_offset_reset": "smallest"})["auto_offset_reset"] == (
        "earliest"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", [("a", 9092)]),
        ("a:1,b:2", [("a", 1), ("b", 2)]),
        (["a:1", "b"], [("a", 1), ("b", 9092)]),
        ("[::1]:7", [("::1", 7)]),
        ("::1", [("::1", 9092)]),
        ("PLAINTEXT://a:1", [("a", 1)]),
    ],
)
def test_addresses(given: object, expected: list[tuple[str, int]]) -> None:
    assert addresses(given) == tuple(Address(*one) for one in expected)


def test_addresses_come_from_the_environment_when_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "env:5")
    assert addresses(None) == (Address("env", 5),)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS")
    assert addresses(None) == (Address("localhost", 9092),)
    for wrong in ("a:b", "a:0", "a:70000", "", ","):
        with pytest.raises(InvalidConfigValueError):
            addresses(wrong)


def test_connection_options_are_kafka_pythons() -> None:
    found = connection_options(configured(For.ADMIN, {"bootstrap_servers": "a:1"}))
    assert (found.request_ms_max, found.reconnect_backoff_ms_max) == (30_000, 30_000)
    assert (found.response_bytes_max, found.api_ms_max) == (100_000_000, 60_000)


def test_idempotence_is_on_where_the_rest_allows_it() -> None:
    def options(**given: object) -> bool:
        return producer_options(
            configured(For.PRODUCER, given), frozenset(given)
        ).enable_idempotence

    assert options()
    assert options(acks="all")
    assert not options(acks=1)
    assert not options(retries=0)
    assert not options(max_in_flight_requests_per_connection=10)
    with pytest.raises(LocalProtocolError, match="enable_idempotence needs acks -1"):
        options(acks=1, enable_idempotence=True)


def test_unbounded_retries_are_a_number() -> None:
    found = producer_options(configured(For.PRODUCER, {"retries": math.inf}), frozenset())
    assert found.retries == 2**31 - 1


def test_partitioners_of_both_forms_are_told_apart() -> None:
    def old(key: bytes | None, every: object, available: object) -> int:
        return 0

    class New(Partitioner):
        def partition(self, *_: object) -> int:
            return 1

    def chosen(given: object) -> tuple[object, object]:
        found = configured(For.PRODUCER, {"partitioner": given})
        return own_partitioner(found), producer_options(found, frozenset()).partitioner

    assert chosen(None) == chosen(DefaultPartitioner()) == (None, None)
    assert chosen(old) == (None, old)
    own = New()
    assert chosen(own) == (own.partition, None)
    with pytest.raises(InvalidConfigValueError, match="partitioner=3"):
        chosen(3)


def test_strategies_are_named_by_class_or_by_name() -> None:
    found = configured(
        For.CONSUMER,
        {"partition_assignment_strategy": [RoundRobinPartitionAssignor, "cooperative-sticky"]},
    )
    assert consumer_options(found).assignors == ("roundrobin", "cooperative-sticky")
    assert consumer_options(defaults(For.CONSUMER)).assignors == ("range", "roundrobin")
    own = configured(For.CONSUMER, {"partition_assignment_strategy": [object()]})
    with pytest.raises(InvalidConfigValueError, match="partition_assignment_strategy"):
        consumer_options(own)


def test_credentials_reach_the_client() -> None:
    found = security(
        configured(
            For.CONSUMER,
            {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-256",
                "sasl_plain_username": "u",
                "sasl_plain_password": "p",
                "ssl_cafile": "ca.pem",
                "ssl_check_hostname": False,
            },
        )
    )
    assert found.sasl is not None
    assert (found.sasl.mechanism, found.sasl.username, found.sasl.password) == (
        "SCRAM-SHA-256",
        "u",
        "p",
    )
    assert (found.tls.ca_path, found.tls.must_match_hostname) == ("ca.pem", False)
    with pytest.raises(LocalProtocolError, match="GSSAPI"):
        security(
            configured(For.ADMIN, {"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"})
        )


def test_a_token_provider_is_an_object_or_a_function() -> None:
    class Provider:
        def extensions(self) -> dict[str, object]:
            return {"number": 1}

        def token(self) -> str:
            return "t"

    def said_by(provider: object) -> tuple[object, object]:
        given = {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauth_token_provider": provider,
        }
        sasl = security(configured(For.ADMIN, given)).sasl
        assert sasl is not None
        assert sasl.token is not None
        return sasl.token(), sasl.extensions()

    assert said_by(Provider()) == ("t", {"number": "1"})
    assert said_by(lambda: "t") == ("t", {})
    with pytest.raises(InvalidConfigValueError, match="sasl_oauth_token_provider"):
        said_by(Provider)
