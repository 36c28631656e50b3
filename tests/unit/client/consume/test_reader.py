"""Positions become requests, answers become records: each once, in order."""

from dataclasses import replace

import pytest

from ottla.client.consume.fetcher import NAMED_TOPIC_MAX, FetchAsk
from ottla.client.consume.held import Corrupt
from ottla.client.consume.locator import EpochsAsk, OffsetsAsk
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.record import OffsetAndMetadata
from ottla.client.consume.trouble import NoOffset, OutOfRange, Truncated
from ottla.client.lookup import EARLIEST, LATEST
from ottla.client.metadata import Address, ClusterView, LeaderHint
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError
from ottla.record.builder import build_batch
from ottla.record.control import transaction_marker
from ottla.types import ZERO_UUID
from ottla.wire.message.fetch import NodeEndpoint
from tests.unit.client.clusters import TOPIC_ID, cluster
from tests.unit.client.consume.feed import (
    NOON_MS,
    T0,
    T1,
    Feed,
    answer,
    batch,
    epochs,
    offsets,
    part,
)

READ_COMMITTED = ConsumerOptions(isolation="read_committed")
NO_RESET = ConsumerOptions(offset_reset="none")


def with_epoch(view: ClusterView, epoch: int, leader: int = 1) -> ClusterView:
    topic = view.topics["t"]
    parts = tuple(replace(p, leader_epoch=epoch, leader_id=leader) for p in topic.partitions)
    return replace(view, topics={"t": replace(topic, partitions=parts)})


def test_each_leader_is_asked_for_its_partitions_once_at_a_time() -> None:
    feed = Feed(5, 6, 7, view=cluster(1, 2, 1))
    first, second = feed.asks()
    assert isinstance(first, FetchAsk)
    assert isinstance(second, FetchAsk)
    assert (first.broker_id, [at.partition for at in first.asked]) == (1, [0, 2])
    assert (second.broker_id, [at.partition for at in second.asked]) == (2, [1])
    topic = first.request.topics[0]
    assert (topic.topic, topic.topic_id) == ("t", TOPIC_ID)
    assert [p.current_leader_epoch for p in topic.partitions] == [5, 5]
    assert feed.asks() == []


def test_topics_without_ids_are_asked_for_by_name() -> None:
    view = cluster(1)
    view = replace(view, topics={"t": replace(view.topics["t"], topic_id=ZERO_UUID)})
    assert Feed(0, view=view).fetch().version_max == NAMED_TOPIC_MAX
    assert Feed(0).fetch().version_max > NAMED_TOPIC_MAX


def test_records_before_the_position_are_dropped() -> None:
    feed = Feed(6)
    feed.feed(part(0, batch(5, b"a", b"b") + batch(7, b"c")))
    assert feed.values() == [(6, b"b"), (7, b"c")]
    assert feed.reader.position(T0) == 8


def test_no_more_is_handed_out_than_asked_for_and_the_rest_comes_later() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a", b"b", b"c") + batch(3, b"d")))
    assert feed.values(2) == [(0, b"a"), (1, b"b")]
    assert feed.reader.position(T0) == 2
    assert feed.values(2) == [(2, b"c"), (3, b"d")]
    assert feed.values() == []


def test_partitions_come_in_turn() -> None:
    feed = Feed(0, 0)
    feed.feed(part(0, batch(0, *[b"a"] * 4)), part(1, batch(0, *[b"b"] * 4)))
    assert [value for _, value in feed.values(2) + feed.values(2)] == [b"a", b"a", b"b", b"b"]


def test_more_is_fetched_while_little_is_held_and_the_broker_left_alone_while_much_is() -> None:
    feed = Feed(0, 0, options=ConsumerOptions(partition_fetch_bytes_max=1_000))
    feed.feed(part(0, batch(0, b"a")))
    ask = feed.fetch()
    assert ask.asked[T0][1] == 1
    feed.reader.answered_untrusted(ask, answer(part(0, batch(1, b"x" * 600))), feed.now_ms)
    assert feed.asks() == [], "a partition left out of a long wait would wait for its end"
    assert len(feed.values()) == 2
    assert feed.reader.is_due
    assert feed.fetch().asked[T0][1] == 2


def test_what_is_paused_is_neither_fetched_nor_handed_out_nor_in_the_way() -> None:
    feed = Feed(0, 0, options=ConsumerOptions(partition_fetch_bytes_max=100))
    feed.feed(part(0, batch(0, b"a")), part(1, batch(0, b"b")))
    feed.reader.pause([T0], is_paused=True)
    assert feed.values() == [(0, b"b")]
    assert list(feed.fetch().asked) == [T1]
    feed.reader.pause([T0], is_paused=False)
    assert feed.values() == [(0, b"a")]


def test_a_cut_tail_is_left_for_the_next_fetch() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a") + batch(1, b"b")[:-1]))
    assert feed.values() == [(0, b"a")]
    assert feed.fetch().asked[T0][1] == 1


def marker(base_offset: int, *, commit: bool, producer_id: int = 7) -> bytes:
    return bytes(
        transaction_marker(
            commit=commit,
            producer_id=producer_id,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=0,
            base_offset=base_offset,
        )
    )


def test_control_batches_are_passed_by_unseen() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a") + marker(1, commit=True), end=2))
    assert feed.values() == [(0, b"a")]
    assert feed.values() == []
    assert feed.reader.position(T0) == 2


def test_aborted_transactions_are_passed_by_for_those_who_read_committed() -> None:
    log = (
        batch(0, b"aborted", producer_id=7, transactional=True)
        + batch(1, b"other", producer_id=8, transactional=True)
        + marker(2, commit=False)
        + batch(3, b"again", producer_id=7, transactional=True)
        + batch(4, b"plain")
    )
    feed = Feed(0, options=READ_COMMITTED)
    feed.feed(part(0, log, aborted=[(7, 0)]))
    assert [value for _, value in feed.values()] == [b"other", b"again", b"plain"]
    feed = Feed(0)
    feed.feed(part(0, log, aborted=[(7, 0)]))
    assert len(feed.values()) == 4
    assert Feed(0, options=READ_COMMITTED).fetch().request.isolation_level == 1


def test_append_time_is_told_with_the_record() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a", append_time_ms=9)))
    [[record]] = feed.reader.take(1).values()
    assert (record.timestamp, record.timestamp_type, record.leader_epoch) == (9, 1, 5)
    assert record[6:] == (None, b"a", (), None, -1, 1, -1)


@pytest.mark.parametrize("checks", [True, False])
def test_a_wrong_checksum_stops_the_partition_until_somebody_seeks(checks: bool) -> None:
    damaged = bytearray(batch(1, b"abc"))
    damaged[-2] ^= 1
    feed = Feed(0, options=ConsumerOptions(check_crcs=checks))
    feed.feed(part(0, batch(0, b"good") + damaged + batch(2, b"behind")))
    if not checks:
        assert len(feed.values()) == 3
        return
    assert feed.values() == [(0, b"good")]
    for _ in range(2):
        with pytest.raises(Corrupt, match=r"offset 1: .*checksum"):
            feed.values()
    assert feed.asks() == []
    feed.reader.seek(T0, 2)
    assert feed.fetch().asked[T0][1] == 2


def test_what_is_damaged_does_not_count_as_handed_out_what_its_owner_still_has() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"good") + b"\xff" * 100))
    feed.reader.take(10, advance=False)
    assert feed.reader.position(T0) == 0


def test_bytes_that_are_no_records_are_a_trouble_behind_those_that_are() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"good") + b"\xff" * 100))
    assert feed.values() == [(0, b"good")]
    with pytest.raises(Corrupt, match="offset 1"):
        feed.values()


def test_an_answer_from_before_a_seek_is_dropped() -> None:
    feed = Feed(0)
    ask = feed.fetch()
    feed.reader.seek(T0, 50)
    feed.reader.answered_untrusted(ask, answer(part(0, batch(0, b"a"))), feed.now_ms)
    assert feed.values() == []
    assert feed.fetch().asked[T0][1] == 50


def test_an_answer_for_what_was_removed_is_dropped() -> None:
    feed = Feed(0, 0)
    ask = feed.fetch()
    feed.reader.remove([T0])
    parts = part(0, batch(0, b"a")), part(1, batch(0, b"b"))
    feed.reader.answered_untrusted(ask, answer(*parts), feed.now_ms)
    assert feed.values() == [(0, b"b")]


def test_an_answer_from_an_assignment_before_this_one_is_dropped() -> None:
    feed = Feed(options=ConsumerOptions(offset_reset="earliest"), view=cluster(1))
    feed.reader.add([T0], ask_group=False)
    [old] = feed.asks()
    feed.reader.remove([T0])
    feed.reader.add([T0], ask_group=False)
    [new] = feed.asks()
    feed.reader.answered_untrusted(old, offsets(0, 7), feed.now_ms)
    assert feed.reader.position(T0) is None
    feed.reader.answered_untrusted(new, offsets(0, 9), feed.now_ms)
    assert feed.reader.position(T0) == 9


def test_a_partition_nobody_asked_for_is_refused() -> None:
    feed = Feed(0)
    with pytest.raises(RemoteProtocolError, match="was not asked for"):
        feed.reader.answered_untrusted(feed.fetch(), answer(part(3)), feed.now_ms)


def test_a_moved_leader_means_new_metadata_and_a_wait() -> None:
    feed = Feed(3)
    feed.feed(part(0, code=ErrorCode.NOT_LEADER_OR_FOLLOWER, leader=(2, 6)))
    assert feed.values() == []
    assert feed.reader.must_refresh == {"t"}
    assert feed.reader.take_hints()[0] == [LeaderHint("t", 0, 2, 6)]
    assert feed.asks() == []
    assert feed.reader.next_ms == feed.now_ms + 100
    feed.now_ms += 100
    assert feed.fetch().asked[T0][1] == 3


def test_addresses_that_answers_tell_are_handed_on_once_and_only_those_that_work() -> None:
    feed = Feed(3)
    told = answer(part(0, code=ErrorCode.NOT_LEADER_OR_FOLLOWER, leader=(2, 6)))
    told.node_endpoints = [
        NodeEndpoint(2, "b", 92),
        NodeEndpoint(3, "", 92),
        NodeEndpoint(4, "c", 0),
    ]
    feed.reader.answered_untrusted(feed.fetch(), told, feed.now_ms)
    assert feed.reader.take_hints() == ([LeaderHint("t", 0, 2, 6)], {2: Address("b", 92)})
    assert feed.reader.take_hints() == ([], {})


def test_a_missing_leader_means_new_metadata() -> None:
    feed = Feed(3, view=cluster(-1))
    assert feed.asks() == []
    assert feed.reader.must_refresh == {"t"}
    feed.reader.refreshed()
    assert feed.reader.must_refresh == set()


def test_a_lost_request_is_made_again_after_a_moment_in_a_new_session() -> None:
    feed = Feed(3)
    feed.feed(part(0), session_id=11)
    ask = feed.fetch()
    assert (ask.request.session_id, ask.request.session_epoch) == (11, 1)
    assert ask.request.topics == []
    feed.reader.lost(ask, feed.now_ms)
    assert feed.asks() == []
    feed.now_ms += 100
    again = feed.fetch().request
    assert (again.session_id, again.session_epoch, len(again.topics)) == (11, 0, 1)


def test_a_position_out_of_range_begins_again_by_the_rule() -> None:
    feed = Feed(3, options=ConsumerOptions(offset_reset="earliest"))
    feed.feed(part(0, code=ErrorCode.OFFSET_OUT_OF_RANGE))
    [ask] = feed.asks()
    assert isinstance(ask, OffsetsAsk)
    assert ask.request.topics[0].partitions[0].timestamp == EARLIEST
    assert feed.asks() == []
    feed.reader.answered_untrusted(ask, offsets(0, 20), feed.now_ms)
    assert feed.fetch().asked[T0][1] == 20


def test_without_a_rule_the_owner_is_told_until_it_seeks() -> None:
    feed = Feed(3, options=NO_RESET)
    feed.feed(part(0, code=ErrorCode.OFFSET_OUT_OF_RANGE))
    for _ in range(2):
        with pytest.raises(OutOfRange) as told:
            feed.values()
        assert told.value.offsets == {T0: 3}
    feed.reader.seek_to([T0], LATEST)
    assert isinstance(feed.asks()[0], OffsetsAsk)
    assert feed.values() == []


def test_what_was_held_is_handed_out_before_a_position_is_called_out_of_range() -> None:
    feed = Feed(3, options=NO_RESET)
    feed.feed(part(0, batch(3, b"a")))
    feed.feed(part(0, code=ErrorCode.OFFSET_OUT_OF_RANGE))
    assert feed.values() == [(3, b"a")]


@pytest.mark.parametrize(
    ("rule", "asked"),
    [("earliest", EARLIEST), ("latest", LATEST), ("by_duration:PT1H", NOON_MS - 3_600_000)],
)
def test_where_nothing_is_committed_the_rule_says_where_to_begin(rule: str, asked: int) -> None:
    feed = Feed(options=ConsumerOptions(offset_reset=rule), view=cluster(1))
    feed.reader.add([T0], ask_group=True)
    assert feed.asks() == []
    assert feed.reader.awaiting_committed() == [T0]
    feed.reader.committed({T0: None})
    [ask] = feed.asks()
    assert isinstance(ask, OffsetsAsk)
    assert ask.request.topics[0].partitions[0].timestamp == asked


def test_a_time_after_the_last_record_means_the_end() -> None:
    feed = Feed(options=ConsumerOptions(offset_reset="by_duration:PT0S"), view=cluster(1))
    feed.reader.add([T0], ask_group=False)
    [ask] = feed.asks()
    feed.reader.answered_untrusted(ask, offsets(0, -1), feed.now_ms)
    [ask] = feed.asks()
    assert isinstance(ask, OffsetsAsk)
    assert ask.request.topics[0].partitions[0].timestamp == LATEST


def test_without_a_rule_and_an_offset_the_owner_is_told() -> None:
    feed = Feed(options=NO_RESET, view=cluster(1))
    feed.reader.add([T0], ask_group=True)
    feed.reader.committed({T0: None})
    with pytest.raises(NoOffset, match="t-0"):
        feed.values()


@pytest.mark.parametrize("rule", ["", "newest", "by_duration:1h", "by_duration:-PT1H"])
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(LocalProtocolError, match="offset_reset"):
        Feed(options=ConsumerOptions(offset_reset=rule))


def test_lookups_that_fail_are_made_again() -> None:
    feed = Feed(options=ConsumerOptions(offset_reset="earliest"), view=cluster(1))
    feed.reader.add([T0], ask_group=False)
    [ask] = feed.asks()
    feed.reader.answered_untrusted(
        ask, offsets(0, -1, ErrorCode.NOT_LEADER_OR_FOLLOWER), feed.now_ms
    )
    assert feed.reader.must_refresh == {"t"}
    feed.now_ms = feed.reader.next_ms or feed.now_ms + 100
    [ask] = feed.asks()
    feed.reader.lost(ask, feed.now_ms)
    feed.now_ms += 100
    [ask] = feed.asks()
    feed.reader.answered_untrusted(ask, offsets(0, -1, 29), feed.now_ms)
    with pytest.raises(ApiError, match="TOPIC_AUTHORIZATION_FAILED"):
        feed.values()


def test_a_refusal_is_told_once_each_time_it_comes() -> None:
    feed = Feed(3)
    feed.feed(part(0, code=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(ApiError, match="TOPIC_AUTHORIZATION_FAILED: partition t-0"):
        feed.values()
    assert feed.values() == []
    feed.now_ms += 100
    assert feed.fetch().asked[T0][1] == 3


def test_a_new_leader_is_asked_whether_it_has_what_was_read() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a", epoch=5)))
    assert feed.values() == [(0, b"a")]
    feed.view = with_epoch(feed.view, 6)
    [ask] = feed.asks()
    assert isinstance(ask, EpochsAsk)
    asked = ask.request.topics[0].partitions[0]
    assert (asked.current_leader_epoch, asked.leader_epoch) == (6, 5)
    feed.reader.answered_untrusted(ask, epochs(0, 5, 1), feed.now_ms)
    assert feed.fetch().asked[T0][1] == 1


def test_what_was_only_fetched_ahead_is_forgotten_before_anybody_is_told() -> None:
    feed = Feed(0, options=NO_RESET)
    feed.feed(part(0, batch(0, b"a", b"b", epoch=5)))
    assert feed.values(1) == [(0, b"a")]
    feed.feed(part(0, batch(2, b"c", epoch=5)))
    feed.view = with_epoch(feed.view, 6)
    [ask] = feed.asks()
    feed.reader.answered_untrusted(ask, epochs(0, 5, 1), feed.now_ms)
    [ask] = feed.asks()
    assert isinstance(ask, EpochsAsk)
    feed.reader.answered_untrusted(ask, epochs(0, 5, 1), feed.now_ms)
    assert feed.values() == []
    assert feed.fetch().asked[T0][1] == 1


@pytest.mark.parametrize(("end", "epoch"), [(1, 5), (-1, -1)])
def test_a_log_that_lost_what_was_read_is_a_trouble_or_read_from_where_it_differs(
    end: int, epoch: int
) -> None:
    for options in (NO_RESET, ConsumerOptions()):
        feed = Feed(0, options=options)
        feed.feed(part(0, batch(0, b"a", b"b", epoch=5)))
        assert len(feed.values()) == 2
        feed.view = with_epoch(feed.view, 6)
        [ask] = feed.asks()
        feed.reader.answered_untrusted(ask, epochs(0, epoch, end), feed.now_ms)
        if options is NO_RESET:
            with pytest.raises(Truncated) as told:
                feed.values()
            assert told.value.diverged == {T0: None if end < 0 else end}
        elif end < 0:
            assert isinstance(feed.asks()[0], OffsetsAsk)
        else:
            assert feed.fetch().asked[T0][1] == end


def test_a_broker_that_cannot_be_asked_by_epochs_is_believed() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a", epoch=5)))
    feed.values()
    feed.view = with_epoch(feed.view, 6)
    [ask] = feed.asks()
    feed.reader.refused(ask, ApiError(ErrorCode.UNSUPPORTED_VERSION), feed.now_ms)
    assert feed.fetch().asked[T0][1] == 1


def test_a_committed_offset_is_checked_by_the_epoch_it_was_committed_with() -> None:
    feed = Feed(view=cluster(1))
    feed.reader.add([T0], ask_group=True)
    feed.reader.committed({T0: OffsetAndMetadata(9, "", 4)})
    [ask] = feed.asks()
    assert isinstance(ask, EpochsAsk)
    feed.reader.answered_untrusted(ask, epochs(0, 4, 9), feed.now_ms)
    assert feed.fetch().asked[T0][1] == 9


def test_a_follower_is_read_from_where_the_leader_says_so_and_while_it_is_there() -> None:
    feed = Feed(3)
    feed.feed(part(0, replica=2))
    ask = feed.fetch()
    assert ask.broker_id == 2
    feed.reader.answered_untrusted(
        ask, answer(part(0, code=ErrorCode.OFFSET_OUT_OF_RANGE)), feed.now_ms
    )
    assert feed.fetch().broker_id == 1, "only the leader's word counts"


def test_positions_are_what_a_commit_says() -> None:
    feed = Feed(0, 7)
    feed.feed(part(0, batch(0, b"a", b"b", epoch=5)))
    feed.values(1)
    assert feed.reader.positions() == {
        T0: OffsetAndMetadata(1, "", 5),
        T1: OffsetAndMetadata(7, "", -1),
    }


def test_without_advance_positions_stay_until_somebody_moves_them() -> None:
    feed = Feed(0)
    feed.feed(part(0, batch(0, b"a", b"b")))
    assert len(feed.reader.take(10, advance=False)[T0]) == 2
    assert feed.reader.position(T0) == 0
    feed.reader.advance_to(T0, 2)
    assert feed.reader.position(T0) == 2
    assert feed.fetch().asked[T0][1] == 2


def test_whole_batches_come_as_columns() -> None:
    feed = Feed(1)
    feed.feed(part(0, batch(0, b"a", b"b") + batch(2, b"c") + batch(3, b"d")))
    first, second = feed.reader.take_batches(2)
    assert (first.place, list(first.offsets), list(first.values)) == (T0, [1], [b"b"])
    assert (list(second.keys), list(second.headers), second.topic) == ([None], [()], "t")
    assert feed.reader.position(T0) == 3
    assert [one.value for one in feed.reader.take_batches(9)[0].records()] == [b"d"]


def test_compressed_batches_are_read_too() -> None:
    feed = Feed(0)
    feed.feed(part(0, bytes(build_batch([(0, b"k", b"v"), (0, None, None)], codec=1))))
    assert feed.values() == [(0, b"v"), (1, None)]


def test_what_is_not_assigned_cannot_be_sought() -> None:
    feed = Feed(0)
    with pytest.raises(LocalProtocolError, match="t-1 is not assigned"):
        feed.reader.seek(T1, 0)
    with pytest.raises(LocalProtocolError, match="offset -1"):
        feed.reader.seek(T0, -1)
