"""DescribeCluster: the brokers, under the addresses of the listener that was asked."""

import pytest

from ottla.broker.handle.describe_cluster import API_KEY, VERSIONS, HandleDescribeCluster
from ottla.core.controller.answer import Nobody
from ottla.core.metadata.records import RegisterBrokerRecord
from ottla.errors import ErrorCode
from ottla.wire.api import APIS
from ottla.wire.message.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.stored.register_broker_record import BrokerEndpoint
from tests.unit.broker.handle.metadata_node import REACH, ask
from tests.unit.core.controller.one_node import CLUSTER_ID, OneNode, start

EVERY = range(VERSIONS[0], VERSIONS[1] + 1)


@pytest.fixture
def node() -> OneNode:
    node = start()
    fenced = RegisterBrokerRecord(
        broker_id=0,
        incarnation_id=b"0" * 16,
        broker_epoch=1,
        end_points=[BrokerEndpoint("PLAINTEXT", "away", 1, 0)],
    )
    node.perform(node.controller.submit(1, (fenced,), Nobody()))
    node.flush()
    return node


def asked(
    node: OneNode, version: int, listener: str = "PLAINTEXT", **fields: object
) -> DescribeClusterResponse:
    request = DescribeClusterRequest()
    for name, value in fields.items():
        setattr(request, name, value)
    handle = HandleDescribeCluster(current=node.current, cluster_id=CLUSTER_ID, reach=REACH)
    return ask(node, handle, request, version, DescribeClusterResponse, listener=listener)


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS


@pytest.mark.parametrize("version", EVERY)
def test_the_brokers_alive(node: OneNode, version: int) -> None:
    response = asked(node, version)
    assert (response.error_code, response.error_message) == (0, None)
    assert (response.cluster_id, response.controller_id) == (CLUSTER_ID, 1)
    assert [(one.broker_id, one.host, one.port, one.rack) for one in response.brokers] == [
        (1, "127.0.0.1", 19092, "r1")
    ]
    assert response.cluster_authorized_operations == -(2**31)
    assert asked(
        node, version, include_cluster_authorized_operations=True
    ).cluster_authorized_operations == sum(1 << bit for bit in (5, 7, 8, 9, 10, 11, 12))


def test_fenced_brokers_are_told_if_asked_for(node: OneNode) -> None:
    response = asked(node, 2, include_fenced_brokers=True)
    assert [(one.broker_id, one.host, one.is_fenced) for one in response.brokers] == [
        (0, "away", True),
        (1, "127.0.0.1", False),
    ]
    assert response.controller_id == 1


def test_each_listener_has_its_addresses(node: OneNode) -> None:
    assert [one.host for one in asked(node, 1, "OUTSIDE").brokers] == ["example.org"]
    response = asked(node, 1, "NONE")
    assert (list(response.brokers), response.controller_id) == ([], -1)


@pytest.mark.parametrize(
    ("endpoint_type", "error"),
    [(2, ErrorCode.MISMATCHED_ENDPOINT_TYPE), (7, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)],
)
def test_a_broker_does_not_speak_for_controllers(
    node: OneNode, endpoint_type: int, error: ErrorCode
) -> None:
    response = asked(node, 1, endpoint_type=endpoint_type)
    assert response.error_code == error
    assert response.error_message is not None
    assert list(response.brokers) == []
