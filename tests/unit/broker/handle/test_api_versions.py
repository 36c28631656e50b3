"""ApiVersions: in every version the truth about this node, and in none more than that."""

import pytest

from ottla.broker.handle.api_versions import API_KEY, VERSIONS, HandleApiVersions
from ottla.core.controller.answer import Nobody
from ottla.core.effect import Reply
from ottla.core.metadata.records import FeatureLevelRecord
from ottla.errors import ErrorCode
from ottla.wire.api import APIS
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from tests.unit.broker.handle.metadata_node import ask, encoded
from tests.unit.core.controller.one_node import CLUSTER_ID, OneNode, call, start

KEYS = {0: (0, 13), 3: (0, 13), 18: (0, 5)}


@pytest.fixture
def node() -> OneNode:
    return start()


def handler(node: OneNode) -> HandleApiVersions:
    return HandleApiVersions(current=node.current, cluster_id=CLUSTER_ID, advertised=lambda: KEYS)


def asked(node: OneNode, version: int, **fields: object) -> ApiVersionsResponse:
    request = ApiVersionsRequest(client_software_name="test", client_software_version="1.0")
    for name, value in fields.items():
        setattr(request, name, value)
    return ask(node, handler(node), request, version, ApiVersionsResponse)


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS


@pytest.mark.parametrize("version", range(VERSIONS[0], VERSIONS[1] + 1))
def test_what_is_served(node: OneNode, version: int) -> None:
    response = asked(node, version)
    assert response.error_code == ErrorCode.NONE
    served = {one.api_key: (one.min_version, one.max_version) for one in response.api_keys}
    assert served == KEYS
    if version < 3:
        assert list(response.supported_features) == []
        return
    (supported,) = response.supported_features
    assert (supported.name, supported.min_version, supported.max_version) == (
        "metadata.version",
        7,
        30,
    )
    (finalized,) = response.finalized_features
    assert (finalized.name, finalized.min_version_level, finalized.max_version_level) == (
        "metadata.version",
        30,
        30,
    )
    assert response.finalized_features_epoch == node.image.offset - 1


def test_features_that_are_not_implemented_are_not_told_though_they_are_finalized(
    node: OneNode,
) -> None:
    record = FeatureLevelRecord("transaction.version", 2)
    node.perform(node.controller.submit(1, (record,), Nobody()))
    node.flush()
    assert node.image.features["transaction.version"] == 2
    response = asked(node, 4)
    assert [one.name for one in response.finalized_features] == ["metadata.version"]
    assert [one.name for one in response.supported_features] == ["metadata.version"]


def test_a_finalized_level_is_within_the_supported_ones(node: OneNode) -> None:
    record = FeatureLevelRecord("metadata.version", 33)
    node.perform(node.controller.submit(1, (record,), Nobody()))
    node.flush()
    (supported,) = asked(node, 4).supported_features
    assert supported.max_version == 33


def test_a_version_nobody_knows_is_answered_in_version_0_with_all_that_is_served(
    node: OneNode,
) -> None:
    (reply,) = handler(node)(1, call(API_KEY, 0), None)
    assert isinstance(reply, Reply)
    assert reply.response is not None
    answer = encoded(API_KEY, 0, reply.response)
    assert isinstance(answer, ApiVersionsResponse)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert len(answer.api_keys) == len(KEYS)


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "ä", "a\n"])
def test_software_names_are_checked(node: OneNode, version: int, name: str) -> None:
    for field in ("client_software_name", "client_software_version"):
        response = asked(node, version, **{field: name})
        assert response.error_code == ErrorCode.INVALID_REQUEST
        assert list(response.api_keys) == []


@pytest.mark.parametrize("name", ["a", "a-b.c", "apache-kafka-java", "4.4.0-SNAPSHOT"])
def test_ordinary_software_names_pass(node: OneNode, name: str) -> None:
    assert asked(node, 3, client_software_version=name).error_code == ErrorCode.NONE


@pytest.mark.parametrize(
    ("cluster_id", "node_id", "error"),
    [
        (None, -1, ErrorCode.NONE),
        (None, 1, ErrorCode.NONE),
        (CLUSTER_ID, 1, ErrorCode.NONE),
        (CLUSTER_ID, 2, ErrorCode.NONE),
        ("another", -1, ErrorCode.NONE),
        ("another", 1, ErrorCode.REBOOTSTRAP_REQUIRED),
    ],
)
def test_a_client_of_another_cluster_is_sent_away(
    node: OneNode, cluster_id: str | None, node_id: int, error: ErrorCode
) -> None:
    response = asked(node, 5, cluster_id=cluster_id, node_id=node_id)
    assert response.error_code == error
