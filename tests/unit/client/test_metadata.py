"""What a Metadata response says of the cluster, and what it may not say."""

import pytest

from ottla.client.metadata import Address, cluster_untrusted
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.wire.message.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from tests.unit.client.clusters import cluster, described


def test_leaders_and_their_addresses_are_known() -> None:
    view = cluster(1, 2)
    assert [view.leader_of("t", partition) for partition in range(3)] == [1, 2, None]
    assert view.leader_of("t", -1) is None
    assert view.brokers[2] == Address("host2", 9092)
    assert view.obstacle("t") == ErrorCode.NONE


@pytest.mark.parametrize("leader", [-1, 7])
def test_a_leader_nobody_knows_is_none(leader: int) -> None:
    view = cluster(1, leader)
    assert view.leader_of("t", 1) is None
    assert view.obstacle("t") == ErrorCode.LEADER_NOT_AVAILABLE
    topic = view.topic("t")
    assert topic is not None
    assert topic.led == [0]


def test_a_topic_with_an_error_has_that_obstacle() -> None:
    view = cluster_untrusted(described(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    assert view.obstacle("t") == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert view.topic("t") is None
    assert view.obstacle("other") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("indexes", [(1,), (0, 2), (0, 0), (-1, 0)])
def test_partitions_with_gaps_are_refused(indexes: tuple[int, ...]) -> None:
    parts = [MetadataResponsePartition(partition_index=index) for index in indexes]
    response = MetadataResponse(topics=[MetadataResponseTopic(name="t", partitions=parts)])
    with pytest.raises(RemoteProtocolError, match="is expected"):
        cluster_untrusted(response)


@pytest.mark.parametrize(("host", "port"), [("h", 0), ("h", -1), ("h", 65_536), ("", 9092)])
def test_addresses_nobody_can_dial_are_refused(host: str, port: int) -> None:
    response = MetadataResponse(brokers=[MetadataResponseBroker(1, host, port)])
    with pytest.raises(RemoteProtocolError, match="broker 1"):
        cluster_untrusted(response)


def test_addresses_are_written_as_urls_write_them() -> None:
    assert str(Address("localhost", 9092)) == "localhost:9092"
    assert str(Address("::1", 9092)) == "[::1]:9092"
