"""AlterConfigs and IncrementalAlterConfigs: what may be changed, whole or not at all, and obeyed at once.

The error codes are those that Apache Kafka 4.3.1 gave to the same requests.
"""

import logging
from collections.abc import Iterator

import pytest

from ottla.broker.handle import alter_configs, incremental_alter_configs
from ottla.core.controller.configs import Change, ConfigChanger
from ottla.errors import ErrorCode
from ottla.settings.alter import Operation
from ottla.wire.api import APIS
from ottla.wire.message import alter_configs as legacy
from ottla.wire.message import incremental_alter_configs as incremental
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from tests.unit.broker.whole_node import Peer, WholeNode
from tests.unit.core.controller.one_node import in_force, start
from tests.unit.fakes.disk import MemoryDisk

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = Operation
OK = 0
INVALID_CONFIG = ErrorCode.INVALID_CONFIG
INVALID_REQUEST = ErrorCode.INVALID_REQUEST

Op = tuple[str, int, str | None]


@pytest.fixture
def node() -> WholeNode:
    node = WholeNode(MemoryDisk(), "node.id=1")
    topics = [
        CreatableTopic("t", 2, 1),
        CreatableTopic("u", 1, 1, configs=[CreatableTopicConfig("retention.ms", "777")]),
    ]
    node.connect().ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    return node


@pytest.fixture
def peer(node: WholeNode) -> Peer:
    return node.connect()


def resource(kind: int, name: str, *ops: Op) -> incremental.AlterConfigsResource:
    configs = [incremental.AlterableConfig(key, op, value) for key, op, value in ops]
    return incremental.AlterConfigsResource(kind, name, configs)


def altered(
    peer: Peer,
    *resources: incremental.AlterConfigsResource,
    validate_only: bool = False,
    version: int = 1,
) -> list[tuple[int, str]]:
    request = incremental.IncrementalAlterConfigsRequest(resources, validate_only)
    answer = peer.ask(request, version, incremental.IncrementalAlterConfigsResponse)
    asked = [(one.resource_type, one.resource_name) for one in resources]
    assert [(row.resource_type, row.resource_name) for row in answer.responses] == asked
    for row in answer.responses:
        assert (row.error_code == OK) == (row.error_message is None)
    return [(row.error_code, row.error_message or "") for row in answer.responses]


def one(peer: Peer, kind: int, name: str, *ops: Op) -> tuple[int, str]:
    (outcome,) = altered(peer, resource(kind, name, *ops))
    return outcome


def described(peer: Peer, kind: int, name: str) -> dict[str, DescribeConfigsResourceResult]:
    request = DescribeConfigsRequest([DescribeConfigsResource(kind, name, None)], True)
    (result,) = peer.ask(request, 4, DescribeConfigsResponse).results
    assert result.error_code == OK
    return {config.name: config for config in result.configs}


def value(peer: Peer, kind: int, name: str, key: str) -> str | None:
    return described(peer, kind, name)[key].value


def test_the_advertised_versions_are_all_there_are() -> None:
    for module in (alter_configs, incremental_alter_configs):
        api = APIS[module.API_KEY]
        assert (api.advertised_min, api.advertised_max) == module.VERSIONS


@pytest.mark.parametrize("version", [0, 1])
def test_a_setting_is_set_and_removed(peer: Peer, version: int) -> None:
    ask = resource(TOPIC, "t", ("retention.ms", SET, "1000"))
    assert altered(peer, ask, version=version) == [(OK, "")]
    now = described(peer, TOPIC, "t")["retention.ms"]
    assert (now.value, now.config_source) == ("1000", 1)
    assert one(peer, TOPIC, "t", ("retention.ms", DELETE, None)) == (OK, "")
    now = described(peer, TOPIC, "t")["retention.ms"]
    assert (now.value, now.config_source) == ("604800000", 5)


def test_a_list_grows_and_shrinks_from_its_default(peer: Peer) -> None:
    for operation, text, expected in (
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact", ""),
    ):
        assert one(peer, TOPIC, "t", ("cleanup.policy", operation, text)) == (OK, "")
        assert value(peer, TOPIC, "t", "cleanup.policy") == expected


@pytest.mark.parametrize(
    ("kind", "name", "ops", "error", "told"),
    [
        (TOPIC, "t", [("retention.ms", APPEND, "1")], INVALID_CONFIG, "not LIST"),
        (TOPIC, "t", [("retention.ms", SET, None)], INVALID_REQUEST, "Null value"),
        (TOPIC, "t", [("retention.ms", 9, "1")], INVALID_REQUEST, "operations type 9"),
        (TOPIC, "t", [("nope", SET, "1")], INVALID_CONFIG, "Unknown topic config name: nope"),
        (TOPIC, "t", [("nope", APPEND, "1")], INVALID_CONFIG, "not LIST"),
        (TOPIC, "t", [("retention.ms", SET, "x")], INVALID_CONFIG, "retention.ms=x"),
        (TOPIC, "t", [("segment.bytes", SET, "1")], INVALID_CONFIG, "from 1048576 on"),
        (TOPIC, "t", [("a", SET, "1"), ("a", SET, "2")], INVALID_REQUEST, "duplicate"),
        (
            TOPIC,
            "t",
            [("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5")],
            INVALID_CONFIG,
            "min.compaction.lag.ms=10 is above",
        ),
        (TOPIC, "t", [("remote.storage.enable", SET, "true")], INVALID_CONFIG, "tiered"),
        (TOPIC, "no", [("retention.ms", SET, "5")], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "'no'"),
        (TOPIC, "no", [("retention.ms", SET, "x")], INVALID_CONFIG, "retention.ms=x"),
        (TOPIC, "", [("retention.ms", SET, "5")], INVALID_REQUEST, "Default topic"),
        (TOPIC, "!", [("retention.ms", SET, "5")], ErrorCode.INVALID_TOPIC_EXCEPTION, "!"),
        (BROKER, "1", [("log.retention.ms", SET, "x")], INVALID_REQUEST, "log.retention.ms=x"),
        (BROKER, "1", [("log.retention.ms", SET, "0")], INVALID_REQUEST, "log.retention.ms=0"),
        (BROKER, "1", [("log.roll.ms", SET, "0")], INVALID_REQUEST, "log.roll.ms"),
        (BROKER, "1", [("num.partitions", SET, "4")], INVALID_REQUEST, "[num.partitions]"),
        (BROKER, "1", [("listeners", SET, "PLAINTEXT://:1")], INVALID_REQUEST, "[listeners]"),
        (BROKER, "", [("listeners", SET, "PLAINTEXT://:1")], INVALID_REQUEST, "broker id must"),
        (BROKER, "1", [("nope", APPEND, "4")], INVALID_CONFIG, "nope"),
        (BROKER, "1", [("ssl.protocol", SET, "x")], INVALID_REQUEST, "listener prefix"),
        (
            BROKER,
            "",
            [("listener.name.a.ssl.protocol", SET, "x")],
            INVALID_REQUEST,
            "broker id must be specified",
        ),
        (BROKER, "1", [("max.connections", SET, "0")], INVALID_REQUEST, "max.connections=0"),
        (BROKER, "1", [("log.segment.bytes", SET, "1")], INVALID_REQUEST, "log.segment.bytes=1"),
        (BROKER, "2", [("log.retention.ms", SET, "5")], INVALID_REQUEST, "expected 1"),
        (BROKER, "x", [("log.retention.ms", SET, "5")], INVALID_REQUEST, "must be an integer"),
        (GROUP, "g", [("nope", SET, "5")], INVALID_CONFIG, "nope"),
        (GROUP, "", [("consumer.session.timeout.ms", SET, "5")], INVALID_REQUEST, "Default group"),
        (
            GROUP,
            "g",
            [("consumer.session.timeout.ms", SET, "5")],
            INVALID_CONFIG,
            "at least 45,000",
        ),
        (GROUP, "g", [("share.delivery.count.limit", SET, "99")], INVALID_CONFIG, "at most 10"),
        (GROUP, "g", [("streams.num.standby.replicas", SET, "9")], INVALID_CONFIG, "at most 2"),
        (GROUP, "g", [("consumer.session.timeout.ms", SET, "x")], INVALID_CONFIG, "whole number"),
        (CLIENT_METRICS, "m", [("nope", SET, "5")], INVALID_REQUEST, "nope"),
        (CLIENT_METRICS, "", [("interval.ms", SET, "500")], INVALID_REQUEST, "empty"),
        (CLIENT_METRICS, "m", [("interval.ms", SET, "5")], INVALID_REQUEST, "from 100 to"),
        (CLIENT_METRICS, "m", [("interval.ms", SET, "x")], INVALID_CONFIG, "interval.ms=x"),
        (CLIENT_METRICS, "m", [("match", SET, "nope=x")], INVALID_CONFIG, "nope=x"),
        (CLIENT_METRICS, "m", [("match", SET, "client_id=[")], INVALID_CONFIG, "client_id=["),
        (CLIENT_METRICS, "m", [("metrics", APPEND, "a")], INVALID_CONFIG, "not LIST"),
        (7, "x", [("a", SET, "b")], INVALID_REQUEST, "Unknown resource type 7"),
        (LOGGER, "2", [("root", SET, "INFO")], INVALID_REQUEST, "Expected 1"),
        (LOGGER, "", [("root", SET, "INFO")], INVALID_REQUEST, "must be an integer"),
        (LOGGER, "1", [("no.such", SET, "INFO")], INVALID_CONFIG, "no.such does not exist"),
        (LOGGER, "1", [("root", DELETE, None)], INVALID_REQUEST, "Removing"),
        (LOGGER, "1", [("root", APPEND, "INFO")], INVALID_REQUEST, "APPEND"),
        (LOGGER, "1", [("root", SET, "LOUD")], INVALID_CONFIG, "LOUD"),
    ],
)
def test_a_refusal_names_what_is_wrong(
    peer: Peer, kind: int, name: str, ops: list[Op], error: ErrorCode, told: str
) -> None:
    code, message = one(peer, kind, name, *ops)
    assert (code, told in message) == (error, True), message


def test_a_resource_is_changed_whole_or_not_at_all(node: WholeNode, peer: Peer) -> None:
    before = node.node.current.image.configs
    outcome = altered(
        peer,
        resource(TOPIC, "t", ("retention.ms", SET, "5"), ("segment.bytes", SET, "1")),
        resource(TOPIC, "u", ("retention.ms", SET, "5")),
    )
    assert [code for code, _ in outcome] == [INVALID_CONFIG, OK]
    after = dict(node.node.current.image.configs)
    assert after.pop((TOPIC, "u")) == {"retention.ms": "5"}
    assert after == {key: kept for key, kept in before.items() if key != (TOPIC, "u")}


def test_a_resource_twice_is_refused_twice(peer: Peer) -> None:
    twice = resource(TOPIC, "t", ("retention.ms", SET, "5"))
    other = resource(TOPIC, "u", ("retention.ms", SET, "5"))
    outcome = altered(peer, twice, twice, other)
    assert [code for code, _ in outcome] == [INVALID_REQUEST, INVALID_REQUEST, OK]


def test_validate_only_changes_nothing(node: WholeNode, peer: Peer) -> None:
    image = node.node.current.image
    resources = [
        resource(TOPIC, "t", ("retention.ms", SET, "5")),
        resource(BROKER, "", ("log.retention.ms", SET, "5")),
        resource(LOGGER, "1", ("root", SET, "FATAL")),
    ]
    level = logging.root.level
    assert altered(peer, *resources, validate_only=True) == [(OK, "")] * 3
    assert node.node.current.image is image
    assert logging.root.level == level


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_older_request_replaces_everything(peer: Peer, version: int) -> None:
    configs = [legacy.AlterableConfig("retention.bytes", "5")]
    request = legacy.AlterConfigsRequest([legacy.AlterConfigsResource(TOPIC, "u", configs)])
    (row,) = peer.ask(request, version, legacy.AlterConfigsResponse).responses
    assert (row.error_code, row.error_message, row.resource_name) == (OK, None, "u")
    now = described(peer, TOPIC, "u")
    assert (now["retention.bytes"].value, now["retention.ms"].value) == ("5", "604800000")


@pytest.mark.parametrize(
    ("kind", "key", "text", "error"),
    [
        (TOPIC, "retention.ms", None, INVALID_REQUEST),
        (TOPIC, "nope", "1", INVALID_CONFIG),
        (LOGGER, "root", "INFO", INVALID_REQUEST),
        (BROKER, "num.partitions", "1", INVALID_REQUEST),
    ],
)
def test_the_older_request_is_refused_alike(
    peer: Peer, kind: int, key: str, text: str | None, error: ErrorCode
) -> None:
    name = "t" if kind == TOPIC else "1"
    configs = [legacy.AlterableConfig(key, text)]
    request = legacy.AlterConfigsRequest([legacy.AlterConfigsResource(kind, name, configs)])
    (row,) = peer.ask(request, 2, legacy.AlterConfigsResponse).responses
    assert row.error_code == error


def test_a_broker_setting_is_one_brokers_before_it_is_everyones(peer: Peer) -> None:
    assert one(peer, BROKER, "", ("log.retention.ms", SET, "6000")) == (OK, "")
    assert one(peer, BROKER, "1", ("log.retention.ms", SET, "5000")) == (OK, "")
    now = described(peer, BROKER, "1")["log.retention.ms"]
    assert (now.value, now.config_source) == ("5000", 2)
    assert [(s.value, s.source) for s in now.synonyms][:2] == [("5000", 2), ("6000", 3)]
    of_all = described(peer, BROKER, "")
    assert list(of_all) == ["log.retention.ms"]
    only = of_all["log.retention.ms"]
    assert (only.value, [(s.value, s.source) for s in only.synonyms]) == ("6000", [("6000", 3)])
    assert value(peer, TOPIC, "t", "retention.ms") == "5000"
    assert one(peer, BROKER, "1", ("log.retention.ms", DELETE, None)) == (OK, "")
    now = described(peer, TOPIC, "t")["retention.ms"]
    assert (now.value, now.config_source) == ("6000", 3)


def test_names_nobody_knows_are_kept_for_plugins(peer: Peer) -> None:
    assert one(peer, BROKER, "1", ("my.plugin.key", SET, "4")) == (OK, "")
    kept = described(peer, BROKER, "1")["my.plugin.key"]
    assert (kept.value, kept.is_sensitive, kept.config_source) == (None, True, 2)


def test_client_metrics_and_groups_are_kept_and_described(peer: Peer) -> None:
    ops = [("interval.ms", SET, "1000"), ("match", SET, "client_id=a.*")]
    assert one(peer, CLIENT_METRICS, "m", *ops) == (OK, "")
    rows = described(peer, CLIENT_METRICS, "m")
    shown = {name: (row.value, row.config_source) for name, row in rows.items()}
    assert shown == {
        "interval.ms": ("1000", 7),
        "match": ("client_id=a.*", 7),
        "metrics": ("", 5),
    }
    assert one(peer, GROUP, "g", ("consumer.session.timeout.ms", SET, "50000")) == (OK, "")
    kept = described(peer, GROUP, "g")["consumer.session.timeout.ms"]
    assert (kept.value, kept.config_source) == ("50000", 8)


def test_with_eligible_leader_replicas_all_brokers_share_one_min_isr() -> None:
    node = start()
    features = {**node.image.features, "eligible.leader.replicas.version": 1}
    image = node.image.__class__(brokers=node.image.brokers, features=features)
    changer = ConfigChanger(image, in_force(), 1)
    for name, operation, refused in (("1", SET, True), ("", DELETE, True), ("", SET, False)):
        text = None if operation is DELETE else "1"
        outcome = changer.alter(BROKER, name, [Change("min.insync.replicas", operation, text)])
        assert (outcome is not None) == refused
        assert outcome is None or outcome.error is INVALID_CONFIG


@pytest.fixture
def a_logger() -> Iterator[logging.Logger]:
    root = logging.root.level
    logger = logging.getLogger("ottla.a_test")
    yield logger
    logger.setLevel(logging.NOTSET)
    logging.root.setLevel(root)


def test_loggers_are_made_louder_and_inherit_again(peer: Peer, a_logger: logging.Logger) -> None:
    name = a_logger.name
    assert one(peer, LOGGER, "1", ("root", SET, "ERROR"), (name, SET, "DEBUG")) == (OK, "")
    assert (logging.root.level, a_logger.level) == (logging.ERROR, logging.DEBUG)
    shown = described(peer, LOGGER, "1")
    assert (shown["root"].value, shown[name].value) == ("ERROR", "DEBUG")
    assert one(peer, LOGGER, "1", (name, DELETE, None)) == (OK, "")
    assert value(peer, LOGGER, "1", name) == "ERROR"


def test_one_wrong_logger_leaves_all_as_they_were(peer: Peer, a_logger: logging.Logger) -> None:
    before = logging.root.level
    code, _ = one(peer, LOGGER, "1", ("root", SET, "FATAL"), (a_logger.name, SET, "LOUD"))
    assert (code, logging.root.level) == (INVALID_CONFIG, before)


def test_nothing_is_said_changed_before_it_is_committed(node: WholeNode, peer: Peer) -> None:
    request = incremental.IncrementalAlterConfigsRequest(
        [resource(TOPIC, "t", ("retention.ms", SET, "5"))]
    )
    asked = peer.send(request, 1)
    assert peer.answer(asked) is None
    assert (TOPIC, "t") not in node.node.current.image.configs
    node.flush()
    assert peer.answer(asked) is not None


def test_a_disk_that_refuses_is_told(node: WholeNode, peer: Peer) -> None:
    node.disk.fail_in(1, stays_broken=True, changes_only=True)
    ((code, message),) = altered(peer, resource(TOPIC, "t", ("retention.ms", SET, "5")))
    assert code == ErrorCode.KAFKA_STORAGE_ERROR
    assert message
    node.disk.mend()
    assert value(peer, TOPIC, "t", "retention.ms") == "604800000"


LONG = "x" * 32_000


@pytest.mark.parametrize(
    ("kind", "name", "op"),
    [
        (TOPIC, LONG, ("retention.ms", SET, "5")),
        (TOPIC, "t", (LONG, SET, "5")),
        (TOPIC, "t", ("retention.ms", SET, LONG)),
        (TOPIC, "t", (LONG, APPEND, "5")),
        (BROKER, LONG, ("log.retention.ms", SET, "5")),
        (BROKER, "1", ("max.connections.per.ip.overrides", SET, LONG)),
        (BROKER, "1", ("max.connections", SET, "0" * 32_000)),
        (GROUP, "g", (LONG, SET, "5")),
        (CLIENT_METRICS, "m", ("match", SET, LONG)),
        (LOGGER, "1", (LONG, SET, "INFO")),
        (LOGGER, LONG, ("root", SET, "INFO")),
    ],
)
def test_a_callers_own_text_does_not_outgrow_the_answer(
    peer: Peer, kind: int, name: str, op: Op
) -> None:
    code, message = one(peer, kind, name, op)
    assert code != OK
    assert 0 < len(message) < 2_100


def test_a_request_changes_so_much_and_no_more(node: WholeNode, peer: Peer) -> None:
    image = node.node.current.image
    ((code, _),) = altered(
        peer, resource(BROKER, "1", *((f"k{n}", SET, "v") for n in range(10_001)))
    )
    assert code == ErrorCode.POLICY_VIOLATION
    ops = [(f"k{n}", SET, "v" * 30_000) for n in range(300)]
    ((code, _),) = altered(peer, resource(BROKER, "1", *ops))
    assert code == ErrorCode.POLICY_VIOLATION
    assert node.node.current.image is image


def test_a_list_does_not_outgrow_a_string(peer: Peer) -> None:
    key = "leader.replication.throttled.replicas"
    parts = ["1:" + str(number).zfill(8) for number in range(5_000)]
    half, rest = ",".join(parts[:2_500]), ",".join(parts[2_500:])
    assert one(peer, TOPIC, "t", (key, SET, half)) == (OK, "")
    code, message = one(peer, TOPIC, "t", (key, APPEND, rest))
    assert (code, "at most 32,767" in message) == (INVALID_CONFIG, True)
    assert value(peer, TOPIC, "t", key) == half
