"""Positions become requests, answers become records: each once, in order."""

import pytest

from ottla.client.fetcher import Fetched, Fetcher
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.record.builder import BatchBuilder, build_batch
from ottla.record.control import transaction_marker
from ottla.wire.message.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from tests.unit.client.clusters import TOPIC_ID, cluster


def batch(base_offset: int, *values: bytes, append_time_ms: int | None = None) -> bytes:
    builder = BatchBuilder()
    for value in values:
        builder.append(1_000, None, value)
    return bytes(builder.build(base_offset=base_offset, append_time_ms=append_time_ms))


def answer(partition: int, records: bytes = b"", *, end: int = 100, code: int = 0) -> FetchResponse:
    part = PartitionData(
        partition_index=partition, error_code=code, high_watermark=end, records=records
    )
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[part])])


def read(fetcher: Fetcher, response: FetchResponse) -> list[tuple[int, bytes | None]]:
    [fetch] = fetcher.requests(cluster(1))
    fetched = fetcher.answered_untrusted(fetch, response)
    return [(one.record.offset, one.record.value) for one in fetched]


def test_each_leader_is_asked_for_its_partitions_unless_it_is_busy() -> None:
    fetcher = Fetcher("t", {0: 5, 1: 6, 2: 7})
    first, second = fetcher.requests(cluster(1, 2, 1))
    assert (first.broker_id, dict(first.positions)) == (1, {0: 5, 2: 7})
    assert (second.broker_id, dict(second.positions)) == (2, {1: 6})
    topic = first.request.topics[0]
    assert (topic.topic, topic.topic_id) == ("t", TOPIC_ID)
    assert [part.current_leader_epoch for part in topic.partitions] == [5, 5]
    assert [one.broker_id for one in fetcher.requests(cluster(1, 2, 1), frozenset({1}))] == [2]


def test_records_before_the_position_are_dropped() -> None:
    fetcher = Fetcher("t", {0: 6})
    got = read(fetcher, answer(0, batch(5, b"a", b"b") + batch(7, b"c")))
    assert got == [(6, b"b"), (7, b"c")]
    assert fetcher.position(0) == 8


def test_a_cut_tail_is_left_for_the_next_fetch() -> None:
    fetcher = Fetcher("t", {0: 0})
    assert read(fetcher, answer(0, batch(0, b"a") + batch(1, b"b")[:-1])) == [(0, b"a")]
    assert fetcher.position(0) == 1


def test_control_batches_are_passed_by_unseen() -> None:
    marker = transaction_marker(
        commit=True,
        producer_id=1,
        producer_epoch=0,
        coordinator_epoch=0,
        timestamp_ms=0,
        base_offset=1,
    )
    fetcher = Fetcher("t", {0: 0})
    assert read(fetcher, answer(0, batch(0, b"a") + bytes(marker), end=2)) == [(0, b"a")]
    assert fetcher.position(0) == 2
    assert fetcher.all_ended


def test_append_time_is_told_with_the_record() -> None:
    fetcher = Fetcher("t", {0: 0})
    [fetch] = fetcher.requests(cluster(1))
    [one] = fetcher.answered_untrusted(fetch, answer(0, batch(0, b"a", append_time_ms=9)))
    assert isinstance(one, Fetched)
    assert (one.is_append_time, one.record.timestamp_ms) == (True, 9)


def test_the_end_is_where_the_high_watermark_is() -> None:
    fetcher = Fetcher("t", {0: 0})
    read(fetcher, answer(0, batch(0, b"a"), end=2))
    assert not fetcher.all_ended
    read(fetcher, answer(0, batch(1, b"b"), end=2))
    assert fetcher.all_ended


def test_a_wrong_checksum_is_refused_and_the_position_stays() -> None:
    damaged = bytearray(batch(0, b"abc"))
    damaged[-2] ^= 1
    fetcher = Fetcher("t", {0: 0})
    with pytest.raises(RemoteProtocolError, match="checksum"):
        read(fetcher, answer(0, bytes(damaged)))
    assert fetcher.position(0) == 0


@pytest.mark.parametrize("records", [b"\0" * 10, batch(0, b"a"), batch(7, b"x" * 100)[:-1]])
def test_bytes_that_bring_nothing_new_are_refused(records: bytes) -> None:
    fetcher = Fetcher("t", {0: 7})
    with pytest.raises(RemoteProtocolError, match="hold nothing"):
        read(fetcher, answer(0, records))


def test_a_partition_nobody_asked_for_is_refused() -> None:
    fetcher = Fetcher("t", {0: 0})
    with pytest.raises(RemoteProtocolError, match="was not asked for"):
        read(fetcher, answer(3))


def test_a_moved_leader_means_new_metadata_and_a_wait() -> None:
    fetcher = Fetcher("t", {0: 3})
    assert read(fetcher, answer(0, code=ErrorCode.NOT_LEADER_OR_FOLLOWER)) == []
    assert (fetcher.must_refresh, fetcher.must_wait, fetcher.position(0)) == (True, True, 3)


def test_a_missing_leader_means_new_metadata() -> None:
    fetcher = Fetcher("t", {0: 3})
    assert fetcher.requests(cluster(-1)) == []
    assert (fetcher.must_refresh, fetcher.must_wait) == (True, True)


def test_a_position_out_of_range_waits_for_a_seek() -> None:
    fetcher = Fetcher("t", {0: 3})
    read(fetcher, answer(0, code=ErrorCode.OFFSET_OUT_OF_RANGE))
    assert fetcher.out_of_range == {0}
    assert fetcher.requests(cluster(1)) == []
    fetcher.seek(0, 10)
    [fetch] = fetcher.requests(cluster(1))
    assert dict(fetch.positions) == {0: 10}


def test_a_refusal_for_good_is_kept() -> None:
    fetcher = Fetcher("t", {0: 3})
    read(fetcher, answer(0, code=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    assert fetcher.refused == {0: ErrorCode.TOPIC_AUTHORIZATION_FAILED}
    assert fetcher.requests(cluster(1)) == []


def test_an_answer_from_before_a_seek_is_dropped() -> None:
    fetcher = Fetcher("t", {0: 0})
    [fetch] = fetcher.requests(cluster(1))
    fetcher.seek(0, 50)
    assert fetcher.answered_untrusted(fetch, answer(0, batch(0, b"a"))) == []
    assert fetcher.position(0) == 50


def test_compressed_batches_are_read_too() -> None:
    data = bytes(build_batch([(0, b"k", b"v"), (0, None, None)], codec=1))
    assert read(Fetcher("t", {0: 0}), answer(0, data)) == [(0, b"v"), (1, None)]
