"""A time, or an end of the log, becomes an offset per partition."""

import pytest

from ottla.client.lookup import (
    EARLIEST,
    At,
    Found,
    found_untrusted,
    lookups,
    times_asks,
    times_untrusted,
)
from ottla.errors import RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from tests.unit.client.clusters import cluster


def answer(*parts: ListOffsetsPartitionResponse) -> ListOffsetsResponse:
    return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name="t", partitions=parts)])


def test_each_leader_is_asked_as_a_consumer_asks() -> None:
    first, second = lookups(cluster(1, 2, -1, 1), "t", range(4), EARLIEST)
    assert (first.broker_id, first.partitions) == (1, (0, 3))
    assert (second.broker_id, second.partitions) == (2, (1,))
    assert first.request.replica_id == -1
    assert {part.timestamp for part in first.request.topics[0].partitions} == {EARLIEST}


def test_answers_are_by_partition() -> None:
    [lookup] = lookups(cluster(1, 1), "t", [0, 1], 5)
    found = found_untrusted(
        lookup,
        answer(
            ListOffsetsPartitionResponse(partition_index=1, offset=7),
            ListOffsetsPartitionResponse(partition_index=0, error_code=6),
        ),
    )
    assert found == {0: Found(6, -1), 1: Found(0, 7)}


@pytest.mark.parametrize("part", [(1, 0), (0, -2)])
def test_an_answer_that_makes_no_sense_is_refused(part: tuple[int, int]) -> None:
    [lookup] = lookups(cluster(1), "t", [0], 5)
    response = answer(ListOffsetsPartitionResponse(partition_index=part[0], offset=part[1]))
    with pytest.raises(RemoteProtocolError, match="ListOffsets"):
        found_untrusted(lookup, response)


def test_times_of_many_partitions_go_to_their_leaders_together() -> None:
    places = [TopicPartition("t", number) for number in range(3)]
    first, second = times_asks(cluster(1, 2, -1), dict(zip(places, [7, 8, 9], strict=True)), 1)
    assert (first.broker_id, first.places, first.request.isolation_level) == (1, (places[0],), 1)
    [part] = second.request.topics[0].partitions
    assert (part.partition_index, part.timestamp, part.current_leader_epoch) == (1, 8, 5)
    response = answer(
        ListOffsetsPartitionResponse(partition_index=1, offset=4, timestamp=8, leader_epoch=2)
    )
    assert times_untrusted(second, response) == {places[1]: At(0, 4, 8, 2)}
    with pytest.raises(RemoteProtocolError, match="leaves out t-0"):
        times_untrusted(first, response)
