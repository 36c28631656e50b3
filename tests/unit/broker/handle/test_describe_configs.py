"""DescribeConfigs: every setting with its source, each resource for itself."""

import pytest

from ottla.broker.handle.describe_configs import API_KEY, VERSIONS, HandleDescribeConfigs
from ottla.core.controller.answer import Nobody
from ottla.core.controller.topics import NewTopic, TopicMaker
from ottla.core.metadata.records import ConfigRecord
from ottla.errors import ErrorCode
from ottla.wire.api import APIS
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from tests.unit.broker.handle.metadata_node import ask
from tests.unit.core.controller.one_node import DEFAULTS, OneNode, SeededEntropy, layers, start

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
EVERY = range(VERSIONS[0], VERSIONS[1] + 1)


def setting(resource_type: int, resource: str, name: str, value: str) -> ConfigRecord:
    return ConfigRecord(resource_type, resource, name, value)


@pytest.fixture
def node() -> OneNode:
    node = start()
    maker = TopicMaker(node.image, DEFAULTS, SeededEntropy())
    maker.make(NewTopic(name="t", configs={"retention.ms": "777"}))
    records = (
        *maker.records,
        setting(BROKER, "", "log.retention.bytes", "99"),
        setting(BROKER, "1", "log.cleaner.threads", "3"),
        setting(CLIENT_METRICS, "m", "interval.ms", "1000"),
        setting(GROUP, "g", "consumer.session.timeout.ms", "50000"),
    )
    node.perform(node.controller.submit(1, records, Nobody()))
    node.flush()
    return node


def asked(
    node: OneNode,
    *resources: DescribeConfigsResource,
    version: int = 4,
    synonyms: bool = False,
    documentation: bool = False,
) -> list[DescribeConfigsResult]:
    request = DescribeConfigsRequest(
        resources=resources, include_synonyms=synonyms, include_documentation=documentation
    )
    handle = HandleDescribeConfigs(
        current=node.current, node_id=1, layers=layers(log_segment_bytes="2000000")
    )
    return list(ask(node, handle, request, version, DescribeConfigsResponse).results)


def resource(kind: int, name: str, *keys: str) -> DescribeConfigsResource:
    return DescribeConfigsResource(kind, name, keys or None)


def by_name(result: DescribeConfigsResult) -> dict[str, DescribeConfigsResourceResult]:
    assert (result.error_code, result.error_message) == (0, None)
    return {one.name: one for one in result.configs}


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS


@pytest.mark.parametrize("version", EVERY)
def test_a_topic(node: OneNode, version: int) -> None:
    (result,) = asked(node, resource(TOPIC, "t"), version=version)
    assert (result.resource_type, result.resource_name) == (TOPIC, "t")
    configs = by_name(result)
    assert len(configs) == 36
    assert configs["retention.ms"].value == "777"
    assert configs["segment.bytes"].value == "2000000"
    assert configs["cleanup.policy"].value == "delete"
    sources = [
        configs[name].config_source for name in ("retention.ms", "segment.bytes", "flush.ms")
    ]
    assert sources == ([1, 4, 5] if version >= 1 else [-1, -1, -1])
    defaults = [configs[name].is_default for name in ("retention.ms", "flush.ms")]
    assert defaults == ([False, True] if version == 0 else [False, False])
    assert configs["retention.ms"].config_type == (5 if version >= 3 else 0)
    assert not any(one.synonyms for one in configs.values())
    assert not any(one.documentation for one in configs.values())


@pytest.mark.parametrize("version", EVERY[1:])
def test_synonyms_and_documentation_if_asked_for(node: OneNode, version: int) -> None:
    (result,) = asked(
        node,
        resource(TOPIC, "t", "segment.bytes", "retention.ms"),
        version=version,
        synonyms=True,
        documentation=version >= 3,
    )
    configs = by_name(result)
    assert list(configs) == ["retention.ms", "segment.bytes"]
    assert [(one.name, one.value, one.source) for one in configs["segment.bytes"].synonyms] == [
        ("log.segment.bytes", "2000000", 4),
        ("log.segment.bytes", "1073741824", 5),
    ]
    assert configs["retention.ms"].synonyms[0].source == 1
    assert bool(configs["segment.bytes"].documentation) is (version >= 3)


@pytest.mark.parametrize("version", EVERY)
def test_this_broker(node: OneNode, version: int) -> None:
    (result,) = asked(node, resource(BROKER, "1"), version=version)
    configs = by_name(result)
    assert len(configs) > 300
    assert configs["log.segment.bytes"].value == "2000000"
    assert configs["log.retention.bytes"].value == "99"
    assert configs["log.cleaner.threads"].value == "3"
    if version >= 1:
        assert configs["log.segment.bytes"].config_source == 4
        assert configs["log.retention.bytes"].config_source == 3
        assert configs["log.cleaner.threads"].config_source == 2
    assert configs["ssl.keystore.password"].is_sensitive
    assert configs["ssl.keystore.password"].value is None
    assert configs["log.dirs"].read_only


def test_what_holds_for_all_brokers(node: OneNode) -> None:
    (result,) = asked(node, resource(BROKER, ""))
    assert {name: one.value for name, one in by_name(result).items()} == {
        "log.retention.bytes": "99"
    }


def test_a_group_a_logger_and_client_metrics(node: OneNode) -> None:
    group, logger, metrics = asked(
        node, resource(GROUP, "g"), resource(LOGGER, "1"), resource(CLIENT_METRICS, "m")
    )
    assert by_name(group)["consumer.session.timeout.ms"].value == "50000"
    assert by_name(logger)["root"].config_source == 6
    assert by_name(metrics)["interval.ms"].value == "1000"
    assert by_name(metrics)["interval.ms"].config_source == 7


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("kind", "name", "error", "named"),
    [
        (TOPIC, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "'nope'"),
        (TOPIC, "bad name", ErrorCode.INVALID_TOPIC_EXCEPTION, "'bad name'"),
        (TOPIC, "", ErrorCode.INVALID_TOPIC_EXCEPTION, "empty"),
        (BROKER, "2", ErrorCode.INVALID_REQUEST, "broker 1"),
        (BROKER, "one", ErrorCode.INVALID_REQUEST, "'one'"),
        (LOGGER, "", ErrorCode.INVALID_REQUEST, "broker 1"),
        (CLIENT_METRICS, "", ErrorCode.INVALID_REQUEST, "name"),
        (GROUP, "", ErrorCode.INVALID_REQUEST, "empty"),
        (3, "x", ErrorCode.INVALID_REQUEST, "resource type 3"),
    ],
)
def test_what_cannot_be_described_is_named_and_costs_the_others_nothing(
    node: OneNode, version: int, kind: int, name: str, error: ErrorCode, named: str
) -> None:
    refused, fine = asked(node, resource(kind, name), resource(TOPIC, "t"), version=version)
    assert (refused.error_code, refused.resource_type, refused.resource_name) == (
        error,
        kind,
        name,
    )
    assert refused.error_message is not None
    assert named in refused.error_message
    assert list(refused.configs) == []
    assert len(fine.configs) == 36


def test_keys_that_are_no_settings_are_left_out(node: OneNode) -> None:
    (result,) = asked(node, resource(TOPIC, "t", "no.such", "retention.ms"))
    assert list(by_name(result)) == ["retention.ms"]
