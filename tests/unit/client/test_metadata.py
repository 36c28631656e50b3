"""What a Metadata response says of the cluster, and what it may not say."""

import pytest

from ottla.client.metadata import (
    Address,
    LeaderHint,
    cluster_untrusted,
    updated,
    with_leaders,
)
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


def test_a_leader_epoch_never_goes_back_while_the_topic_is_the_same() -> None:
    known = cluster(1, 1, epoch=5)
    older = updated(known, cluster(2, 2, epoch=4), is_whole=True)
    assert [older.leader_of("t", part) for part in (0, 1)] == [1, 1]
    assert older.leader_epoch_of("t", 0) == 5
    for newer in (cluster(2, 2, epoch=5), cluster(2, 2, epoch=6), cluster(2, 2, epoch=-1)):
        assert updated(known, newer, is_whole=True).leader_of("t", 0) == 2


def test_a_topic_made_anew_begins_its_epochs_anew() -> None:
    known = cluster(1, epoch=5)
    another = cluster(2, epoch=0, topic_id=bytes(15) + b"\x07")
    assert updated(known, another, is_whole=False).leader_of("t", 0) == 2
    # Before Kafka 2.8 only the time without it tells that it is another.
    gone = updated(known, cluster(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), is_whole=False)
    assert updated(gone, cluster(2, epoch=0), is_whole=False).leader_of("t", 0) == 2


def test_an_error_that_passes_does_not_forget_the_epochs() -> None:
    known = cluster(1, epoch=5)
    failing = updated(known, cluster(error_code=ErrorCode.LEADER_NOT_AVAILABLE), is_whole=False)
    assert failing.leader_of("t", 0) is None
    assert updated(failing, cluster(2, epoch=4), is_whole=False).leader_of("t", 0) == 1


def test_partitions_may_become_more() -> None:
    more = updated(cluster(1, epoch=5), cluster(2, 2, epoch=4), is_whole=False)
    assert [more.leader_of("t", part) for part in (0, 1)] == [1, 2]


def test_topics_that_were_not_asked_for_stay_but_for_leaders_that_are_gone() -> None:
    known = cluster(1, 2)
    alone = cluster_untrusted(
        MetadataResponse(brokers=[MetadataResponseBroker(1, "new", 9092, "rack-a")], topics=[])
    )
    partly = updated(known, alone, is_whole=False)
    assert [partly.leader_of("t", part) for part in (0, 1)] == [1, None]
    assert partly.brokers == {1: Address("new", 9092)}
    assert partly.racks == {1: "rack-a"}
    assert updated(known, alone, is_whole=True).topics == {}


def test_old_brokers_tell_epochs_that_do_not_count() -> None:
    view = cluster_untrusted(described(1), has_epochs=False)
    assert view.leader_epoch_of("t", 0) == -1
    assert view.leader_epoch_of("nobody", 0) == -1


def test_a_newer_leader_told_beside_a_refusal_counts() -> None:
    known = cluster(1, 1, epoch=5)
    hints = [
        LeaderHint("t", 0, 2, 6),
        LeaderHint("t", 1, 2, 5),
        LeaderHint("t", 9, 2, 9),
        LeaderHint("nobody", 0, 2, 9),
    ]
    view = with_leaders(known, hints, {})
    assert [view.leader_of("t", part) for part in (0, 1)] == [2, 1]
    assert view.leader_epoch_of("t", 0) == 6
    assert with_leaders(known, [LeaderHint("t", 0, 7, 6)], {}) is known, "nobody knows its address"
    told = with_leaders(known, [LeaderHint("t", 0, 7, 6)], {7: Address("seven", 1)})
    assert (told.leader_of("t", 0), told.brokers[7]) == (7, Address("seven", 1))
