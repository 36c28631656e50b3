"""Every batch is sent in order, again where that may help, and ends exactly once."""

from dataclasses import replace

import pytest

from ottla.client.produce.batch import Draft, Identity
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.fate import DeliveryTimedOut, ProducerClosed, ProducerFenced
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.schedule import NEVER_MS
from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from tests.unit.client.clusters import TOPIC_ID
from tests.unit.client.produce.rig import Rig, led_by, seen

PLAIN = ProducerOptions(acks=1, enable_idempotence=False)
SINGLES = ProducerOptions(batch_size=0)
"""Each record is a batch."""


def test_each_leader_gets_one_request_with_its_partitions() -> None:
    rig = Rig(1, 2, 1)
    taken = [rig.append(b"v%d" % partition, partition) for partition in range(3)]
    first, second = rig.ready()
    assert (first.broker_id, seen(first)) == (1, {0: (0, 0, [b"v0"]), 2: (0, 0, [b"v2"])})
    assert (second.broker_id, seen(second)) == (2, {1: (0, 0, [b"v1"])})
    assert first.request().topic_data[0].topic_id == TOPIC_ID
    assert rig.ready() == [], "all of them are under way"
    rig.answer(first, base_offset=40)
    rig.answer(second)
    assert len(rig.finished()) == 3
    assert [one.result().offset for one in taken] == [40, 0, 40]
    assert rig.sender.acknowledged_count == 3
    assert rig.records.room_bytes == rig.options.buffer_memory


def test_without_topic_ids_names_are_said() -> None:
    rig = Rig(1)
    topic = rig.cluster.topics["t"]
    rig.cluster = replace(rig.cluster, topics={"t": replace(topic, topic_id=bytes(16))})
    rig.append(b"v")
    [sent] = rig.ready()
    assert sent.version_max == 12


def test_several_batches_of_a_partition_are_under_way_in_order() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    for number in range(7):
        rig.append(b"%d" % number)
    first = rig.ready()
    sequences = [seen(one)[0][1] for one in first]
    assert sequences == [1, 2, 3, 4, 5], "a broker remembers five"
    rig.answer(first[0])
    assert [seen(one)[0][1] for one in rig.ready()] == [6]


def test_the_first_batch_of_an_identity_is_alone_until_it_is_acknowledged() -> None:
    rig = Rig(1, options=SINGLES)
    rig.append(b"a")
    rig.append(b"b")
    [first] = rig.ready()
    rig.answer(first, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    [again] = rig.ready(after_ms=500)
    assert seen(again) == {0: (0, 0, [b"a"])}, "b would have passed for the first one"
    rig.append(b"c")
    rig.answer(again)
    assert [seen(one)[0][1] for one in rig.ready()] == [1, 2]


def test_a_record_that_has_just_come_waits_for_those_after_it() -> None:
    rig = Rig(1, options=ProducerOptions(batch_size=200)).introduced()
    rig.append(b"x" * 100)
    rig.append(b"y" * 100)
    [sent] = rig.ready()
    assert seen(sent)[0][2] == [b"x" * 100]
    assert rig.sender.schedule.next_ms == rig.now_ms, (
        "it goes at the next turn, with what came meanwhile"
    )
    rig.append(b"z")
    [sent] = rig.ready()
    assert seen(sent)[0][2] == [b"y" * 100, b"z"]


def test_a_batch_lingers_unless_it_is_full_or_somebody_waits() -> None:
    rig = Rig(1, options=ProducerOptions(linger_ms=50, batch_size=300)).introduced()
    rig.append(b"v")
    assert rig.ready() == []
    assert rig.sender.schedule.next_ms == rig.now_ms + 50
    assert rig.ready(after_ms=49) == []
    assert len(rig.ready(after_ms=1)) == 1
    rig.append(b"w" * 200)
    rig.append(b"w" * 200)
    [full] = rig.ready()
    assert seen(full)[0][2] == [b"w" * 200]
    rig.sender.schedule.flushing += 1
    assert len(rig.ready()) == 1


def test_a_retry_keeps_its_sequence_and_goes_before_what_came_later() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    rig.append(b"a")
    rig.append(b"b")
    one, two = rig.ready()
    before = seen(one), seen(two)
    rig.append(b"c")
    rig.lost(one)
    rig.lost(two)
    assert rig.sender.schedule.must_refresh
    assert rig.ready() == [], "not before the backoff"
    [again] = rig.ready(after_ms=100)
    assert seen(again) == before[0], "one at a time, the oldest first"
    rig.answer(again, ErrorCode.DUPLICATE_SEQUENCE_NUMBER)
    sent = rig.ready()
    assert [seen(s) for s in sent] == [before[1], {0: (0, 3, [b"c"])}]
    for s in sent:
        rig.answer(s)
    assert rig.sender.acknowledged_count == 4


def test_a_batch_behind_one_that_failed_to_arrive_is_only_early() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    rig.append(b"a")
    rig.append(b"b")
    one, two = rig.ready()
    rig.lost(one)
    rig.answer(two, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    sent = rig.ready(after_ms=150)
    assert [seen(s) for s in sent] == [{0: (0, 1, [b"a"])}]
    rig.answer(sent[0])
    assert [seen(s) for s in rig.ready()] == [{0: (0, 2, [b"b"])}]


def test_a_new_leader_is_tried_at_once() -> None:
    rig = Rig(1)
    rig.append(b"a")
    [sent] = rig.ready()
    rig.answer(sent, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert rig.sender.schedule.must_refresh
    assert rig.ready() == []
    rig.cluster = led_by(2, epoch=6)
    [again] = rig.ready()
    assert again.broker_id == 2


def test_what_an_answer_says_of_the_leader_is_handed_on() -> None:
    rig = Rig(1)
    rig.append(b"a")
    [sent] = rig.ready()
    part = PartitionProduceResponse(
        0, ErrorCode.NOT_LEADER_OR_FOLLOWER, current_leader=LeaderIdAndEpoch(3, 9)
    )
    nodes = [NodeEndpoint(3, "host3", 9092), NodeEndpoint(4, "", 9092), NodeEndpoint(5, "h", 0)]
    topic = TopicProduceResponse(topic_id=TOPIC_ID, partition_responses=[part])
    rig.sender.answered_untrusted(sent, ProduceResponse([topic], node_endpoints=nodes), rig.now_ms)
    assert rig.sender.hints == [("t", 0, 3, 9)]
    assert rig.sender.hinted == {3: ("host3", 9092)}, "what is no address is not believed"


def test_a_refusal_for_good_names_the_record_and_begins_a_new_epoch() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    bad, good = rig.append(b"a"), rig.append(b"b")
    one, two = rig.ready()
    rig.answer(one, ErrorCode.INVALID_RECORD, errors=[BatchIndexAndErrorMessage(0, "no key")])
    assert bad.done
    with pytest.raises(ApiError, match="INVALID_RECORD: t-0: no key"):
        bad.result()
    later = rig.append(b"c")
    assert rig.ready(after_ms=500) == [], "b may yet be stored: that decides what comes next"
    rig.answer(two, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    [again] = rig.ready(after_ms=500)
    assert seen(again) == {0: (1, 0, [b"b"])}
    rig.answer(again)
    [then] = rig.ready()
    assert seen(then) == {0: (1, 1, [b"c"])}
    rig.answer(then)
    assert (good.error, later.error) == (None, None)


def test_other_partitions_go_on_as_who_they_began_and_follow_when_they_are_done() -> None:
    rig = Rig(1, 1, options=SINGLES)
    rig.append(b"a", 0)
    rig.append(b"x", 1)
    [both] = rig.ready()
    rig.answer(both, ErrorCode.INVALID_TIMESTAMP, ErrorCode.NOT_ENOUGH_REPLICAS)
    rig.append(b"b", 0)
    rig.append(b"y", 1)
    [sent] = rig.ready(after_ms=500)
    assert seen(sent) == {0: (1, 0, [b"b"]), 1: (0, 0, [b"x"])}
    rig.answer(sent)
    [sent] = rig.ready()
    assert seen(sent) == {1: (1, 0, [b"y"])}


def test_a_forgotten_producer_begins_anew() -> None:
    rig = Rig(1)
    kept = rig.append(b"a")
    [sent] = rig.ready()
    rig.answer(sent, ErrorCode.UNKNOWN_PRODUCER_ID)
    [again] = rig.ready(after_ms=100)
    assert seen(again) == {0: (1, 0, [b"a"])}
    rig.answer(again)
    assert kept.error is None


def lost_together(rig: Rig, *values: bytes) -> list[Delivery]:
    """Batches whose answers never come."""
    taken = [rig.append(value) for value in values]
    for one in rig.ready():
        rig.lost(one)
    return taken


def test_a_broker_that_forgot_all_but_the_last_batch_has_those_before_it() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    taken = lost_together(rig, b"a", b"b", b"c")
    for _ in range(2):
        [again] = rig.ready(after_ms=1_000)
        rig.answer(again, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    [last] = rig.ready(after_ms=1_000)
    assert seen(last) == {0: (0, 3, [b"c"])}
    later = rig.append(b"d")
    rig.answer(last, base_offset=7)
    assert [one.result().offset for one in taken] == [-1, -1, 7], "of two nobody said where"
    [then] = rig.ready()
    assert seen(then) == {0: (0, 4, [b"d"])}
    rig.answer(then)
    assert later.error is None
    assert rig.records.room_bytes == rig.options.buffer_memory


def test_a_broker_that_has_none_of_what_was_lost_gets_it_as_of_another_epoch() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    lost_together(rig, b"a", b"b")
    for sequence in (1, 2):
        [again] = rig.ready(after_ms=1_000)
        assert seen(again)[0][:2] == (0, sequence)
        rig.answer(again, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    rig.append(b"c")
    sent = rig.ready(after_ms=1_000)
    assert seen(sent[0]) == {0: (1, 0, [b"a"])}
    rig.answer(sent[0])
    assert [seen(one)[0] for one in rig.ready()] == [(1, 1, [b"b"]), (1, 2, [b"c"])]


def test_what_nobody_can_vouch_for_any_more_is_not_sent_again() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    first, second = lost_together(rig, b"a", b"b")
    [again] = rig.ready(after_ms=1_000)
    rig.answer(again, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    [witness] = rig.ready(after_ms=1_000)
    rig.answer(witness, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    rig.finished()
    assert isinstance(second.error, ApiError)
    assert isinstance(first.error, ApiError)
    assert first.error.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert rig.ready(after_ms=1_000) == []


def test_a_witness_that_was_given_up_vouches_for_nobody() -> None:
    """The broker may have all three, and a limit that the second one does not keep any more."""
    rig = Rig(1, options=SINGLES).introduced()
    first, second, third = lost_together(rig, b"a", b"b", b"c")
    for code in (
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.INVALID_TIMESTAMP,
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ):
        [again] = rig.ready(after_ms=1_000)
        rig.answer(again, code)
    [sent] = rig.ready(after_ms=1_000)
    assert seen(sent) == {0: (1, 0, [b"c"])}
    rig.answer(sent)
    assert isinstance(first.error, ApiError)
    assert first.error.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert isinstance(second.error, ApiError)
    assert third.error is None
    assert rig.records.room_bytes == rig.options.buffer_memory


def test_what_was_stored_before_one_that_is_acknowledged_is_not_sent_as_of_another_epoch() -> None:
    rig = Rig(1, options=SINGLES).introduced()
    taken = [rig.append(value) for value in (b"a", b"b")]
    sent = rig.ready(after_ms=1)
    rig.answer(sent[0], ErrorCode.REQUEST_TIMED_OUT)
    rig.answer(sent[1], base_offset=9)
    [again] = rig.ready(after_ms=1_000)
    rig.answer(again, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    assert [one.result().offset for one in taken] == [-1, 9], "of one nobody said where"
    assert rig.ready(after_ms=1_000) == []


def test_after_the_last_epoch_another_identity_is_asked_for() -> None:
    rig = Rig(1)
    rig.sender.identified(Identity(7, 32_767))
    rig.append(b"a")
    [sent] = rig.ready()
    rig.answer(sent, ErrorCode.UNKNOWN_PRODUCER_ID)
    assert rig.ready(after_ms=100) == []
    assert rig.sender.wants_identity
    rig.sender.identified(Identity(8, 0))
    [again] = rig.ready()
    assert seen(again) == {0: (0, 0, [b"a"])}
    assert again.batches[0][1].identity.producer_id == 8


def test_a_fenced_producer_is_told_so_and_stops() -> None:
    rig = Rig(1)
    taken = rig.append(b"a")
    [sent] = rig.ready()
    rig.answer(sent, ErrorCode.PRODUCER_FENCED)
    assert isinstance(rig.sender.fatal, ProducerFenced)
    assert isinstance(taken.error, ProducerFenced)


def test_delivery_ends_when_its_time_is_over_and_says_what_was_in_the_way() -> None:
    rig = Rig(-1, options=ProducerOptions(delivery_timeout_ms=300))
    taken = rig.append(b"a")
    assert rig.ready() == []
    assert rig.sender.schedule.must_refresh
    assert rig.sender.schedule.next_ms == rig.now_ms + 300
    rig.ready(after_ms=300)
    assert isinstance(taken.error, DeliveryTimedOut)
    assert "1 record for t-0 not delivered within 300 ms: LEADER_NOT_AVAILABLE" in str(taken.error)
    assert rig.sender.schedule.next_ms == NEVER_MS


def test_what_was_sent_and_expired_is_in_doubt_until_its_answer_comes() -> None:
    rig = Rig(1, options=replace(SINGLES, delivery_timeout_ms=300))
    taken = rig.append(b"a")
    [sent] = rig.ready()
    rig.ready(after_ms=300)
    assert "there was no answer" in str(taken.error)
    rig.append(b"b")
    assert rig.ready() == [], "nobody knows which sequence the broker expects"
    rig.answer(sent)
    assert rig.sender.acknowledged_count == 0, "it was told to have failed"
    [then] = rig.ready()
    assert seen(then) == {0: (0, 1, [b"b"])}


def test_what_expired_without_an_answer_costs_an_epoch() -> None:
    rig = Rig(1, options=replace(SINGLES, delivery_timeout_ms=300))
    rig.append(b"a")
    [sent] = rig.ready()
    rig.ready(after_ms=300)
    rig.append(b"b")
    rig.lost(sent)
    [then] = rig.ready()
    assert seen(then) == {0: (1, 0, [b"b"])}


def test_a_batch_too_large_is_halved_in_order() -> None:
    rig = Rig(1)
    taken = [rig.append(value) for value in (b"a", b"b", b"c")]
    told: list[int] = []
    for one in taken:
        one.add_done_callback(
            lambda done: told.append(done.result().offset if not done.error else -1)
        )
    accepted = []
    for _ in range(20):
        for sent in rig.ready(after_ms=1_000):
            epoch, sequence, values = seen(sent)[0]
            too_large = len(values) > 1 or values == [b"c"]
            if not too_large:
                accepted.append((epoch, sequence, values))
            code = ErrorCode.MESSAGE_TOO_LARGE if too_large else ErrorCode.NONE
            rig.answer(sent, code, base_offset=sequence)
        rig.finished()
    assert accepted == [(0, 0, [b"a"]), (0, 1, [b"b"])]
    assert [one.error is None for one in taken] == [True, True, False]
    assert told == [0, 1, -1]
    assert rig.records.room_bytes == rig.options.buffer_memory


@pytest.mark.parametrize("was_stored", [False, True])
def test_a_batch_that_is_too_large_only_when_tried_again_is_not_stored_twice(
    was_stored: bool,
) -> None:
    """Its limit was lowered meanwhile: no broker knows the halves for what it may have stored."""
    rig = Rig(1).introduced()
    taken = [rig.append(value) for value in (b"a", b"b")]
    [sent] = rig.ready(after_ms=1)
    rig.lost(sent)
    [again] = rig.ready(after_ms=1_000)
    rig.answer(again, ErrorCode.MESSAGE_TOO_LARGE)
    accepted: list[bytes | None] = []
    later = rig.append(b"c")
    for _ in range(9):
        for half in rig.ready(after_ms=1_000):
            epoch, sequence, values = seen(half)[0]
            expected = (0, 3) if was_stored else (0, 1 + len(accepted))
            in_line = (epoch, sequence) == expected or (epoch, sequence) == (1, 0)
            accepted += values if in_line else []
            rig.answer(half, 0 if in_line else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    assert accepted == ([b"c"] if was_stored else [b"a", b"b", b"c"])
    assert later.error is None
    for one in taken:
        if was_stored:
            assert isinstance(one.error, ApiError)
            assert one.error.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        else:
            assert one.error is None


def test_halves_do_not_keep_what_is_older_from_expiring() -> None:
    rig = Rig(1, -1, options=ProducerOptions(delivery_timeout_ms=300))
    old = rig.append(b"z", 1)
    assert rig.ready() == []
    rig.now_ms += 200
    young = [rig.append(value) for value in (b"a", b"b")]
    [sent] = rig.ready(after_ms=1)
    rig.answer(sent, ErrorCode.MESSAGE_TOO_LARGE)
    for half in rig.ready():
        rig.lost(half)
    rig.ready(after_ms=150)
    assert [one.done for one in (old, *young)] == [True, False, False]


def test_records_handed_over_together_are_told_of_once() -> None:
    rig = Rig(1, 1)
    told: list[int] = []
    handed = rig.records.append_batch("t", [Draft(b"v", b"%d" % n) for n in range(9)], None, 5)
    handed.add_done_callback(lambda done: told.append(done.record_count))
    for sent in rig.ready(after_ms=1):
        rig.answer(sent)
    rig.finished()
    assert told == [9]


def test_retries_end_where_they_are_bounded() -> None:
    rig = Rig(1, options=replace(PLAIN, retries=1))
    taken = rig.append(b"a")
    for _ in range(2):
        [sent] = rig.ready(after_ms=1_000)
        rig.answer(sent, ErrorCode.NOT_ENOUGH_REPLICAS)
    with pytest.raises(ApiError, match="NOT_ENOUGH_REPLICAS"):
        taken.result()


def test_without_identity_order_is_kept_where_one_request_at_a_time_is_asked_for() -> None:
    rig = Rig(1, options=replace(PLAIN, max_in_flight=1, batch_size=0))
    rig.append(b"a")
    rig.append(b"b")
    [sent] = rig.ready()
    assert seen(sent) == {0: (-1, -1, [b"a"])}
    rig.lost(sent)
    assert rig.ready() == []
    [again] = rig.ready(after_ms=100)
    assert seen(again)[0][2] == [b"a"]


def test_without_acknowledgments_sent_is_done() -> None:
    rig = Rig(1, options=replace(PLAIN, acks=0))
    taken = rig.append(b"a")
    [sent] = rig.ready()
    assert sent.request().acks == 0
    rig.sender.answered_untrusted(sent, None, rig.now_ms)
    assert taken.result().offset == -1


def test_requests_are_bounded() -> None:
    options = ProducerOptions(max_request_size=1_000)
    rig = Rig(1, 1, 1, options=options)
    for partition in range(3):
        rig.append(b"x" * 400, partition)
    sizes = [len(one.batches) for one in rig.ready()]
    assert sizes == [2, 1]


def test_a_blocked_broker_keeps_its_batches_open() -> None:
    rig = Rig(1, 2)
    rig.append(b"a", 0)
    rig.append(b"b", 1)
    [sent] = rig.sender.ready(rig.now_ms, rig.cluster, {1})
    assert sent.broker_id == 2
    rig.append(b"c", 0)
    [sent] = rig.ready()
    assert seen(sent)[0][2] == [b"a", b"c"]


def test_nothing_is_sent_before_the_producer_knows_who_it_is() -> None:
    rig = Rig(1)
    rig.sender.wants_identity = True
    rig.append(b"a")
    assert rig.ready() == []
    rig.sender.cannot_be_identified()
    [sent] = rig.ready()
    assert seen(sent) == {0: (-1, -1, [b"a"])}


def test_giving_up_leaves_nothing_open() -> None:
    rig = Rig(1, 1, options=SINGLES)
    taken = [rig.append(b"a", 0), rig.append(b"b", 1)]
    [sent] = rig.ready()
    taken.append(rig.append(b"c", 0))
    rig.sender.give_up(ProducerClosed("closed"))
    assert all(isinstance(one.error, ProducerClosed) for one in taken)
    rig.answer(sent)
    assert rig.sender.acknowledged_count == 0
    assert rig.ready() == []


def test_an_answer_that_leaves_a_partition_out_changes_nothing() -> None:
    rig = Rig(1, 1)
    rig.append(b"a", 0)
    rig.append(b"b", 1)
    [sent] = rig.ready()
    parts = [PartitionProduceResponse(0)]
    short = ProduceResponse([TopicProduceResponse("t", partition_responses=parts)])
    with pytest.raises(RemoteProtocolError, match="t-1"):
        rig.sender.answered_untrusted(sent, short, rig.now_ms)
    assert rig.sender.acknowledged_count == 0


def test_a_sequence_wraps_to_zero() -> None:
    rig = Rig(1, options=SINGLES)
    rig.append(b"a")
    [sent] = rig.ready()
    rig.answer(sent)
    sent.batches[0][0].next_sequence = 2**31 - 1
    sequences = []
    for value in (b"b", b"c"):
        rig.append(value)
        [sent] = rig.ready()
        sequences.append(seen(sent)[0][1])
        rig.answer(sent)
    assert sequences == [2**31 - 1, 0]


def test_the_halves_of_a_batch_have_no_more_time_than_it_had() -> None:
    rig = Rig(1, options=ProducerOptions(delivery_timeout_ms=300))
    old = [rig.append(b"a"), rig.append(b"b")]
    [sent] = rig.ready()
    rig.now_ms += 200
    young = rig.append(b"c")
    rig.answer(sent, ErrorCode.MESSAGE_TOO_LARGE)
    for one in rig.ready():
        rig.lost(one)
    rig.ready(after_ms=100)
    assert [one.done for one in (*old, young)] == [True, True, False]


def test_the_log_may_have_its_own_times() -> None:
    rig = Rig(1)
    taken = rig.append(b"a")
    [sent] = rig.ready()
    part = PartitionProduceResponse(0, base_offset=3, log_append_time_ms=77)
    topic = TopicProduceResponse("t", partition_responses=[part])
    rig.sender.answered_untrusted(sent, ProduceResponse([topic]), rig.now_ms)
    assert taken.result()[:4] == ("t", 0, 3, 77)


def test_what_is_in_the_way_of_a_topic_is_named() -> None:
    rig = Rig(1, options=ProducerOptions(delivery_timeout_ms=300))
    taken = rig.append(b"a")
    gone = replace(rig.cluster.topics["t"], error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    rig.cluster = replace(rig.cluster, topics={"t": gone})
    rig.ready()
    rig.ready(after_ms=300)
    assert "TOPIC_AUTHORIZATION_FAILED" in str(taken.error)
