"""Every record is acknowledged or refused, in order, and none is stored twice."""

import pytest

from ottla.client.accumulator import Draft
from ottla.client.sender import Identity, Outgoing, Sender
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.record.batch import header_untrusted
from ottla.record.record import records_untrusted
from ottla.wire.message.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from tests.unit.client.clusters import TOPIC_ID, cluster


def drafts(*values: bytes) -> list[Draft]:
    return [Draft(1_000, None, value) for value in values]


def sender() -> Sender:
    made = Sender("t", acks=-1, codec=0, timeout_ms=100)
    made.renew(Identity(producer_id=7, producer_epoch=0))
    return made


def answer(
    *codes: tuple[int, int], record_errors: list[BatchIndexAndErrorMessage] | None = None
) -> ProduceResponse:
    parts = [
        PartitionProduceResponse(index=index, error_code=code, record_errors=record_errors or [])
        for index, code in codes
    ]
    return ProduceResponse(responses=[TopicProduceResponse(name="t", partition_responses=parts)])


def batches(sent: Outgoing) -> dict[int, tuple[int, list[bytes | None]]]:
    """By partition: base sequence and values."""
    found = {}
    for part in sent.request.topic_data[0].partition_data:
        assert isinstance(part.records, memoryview)
        batch = header_untrusted(part.records)
        values = [record.value for record in records_untrusted(batch, limit=1_000)]
        found[part.index] = (batch.base_sequence, values)
    return found


def test_each_leader_gets_one_request_with_its_partitions() -> None:
    made = sender()
    for partition in range(3):
        made.enqueue(partition, [drafts(b"v%d" % partition)])
    first, second = made.requests(cluster(1, 2, 1))
    assert (first.broker_id, first.partitions) == (1, (0, 2))
    assert (second.broker_id, second.partitions) == (2, (1,))
    assert first.request.topic_data[0].topic_id == TOPIC_ID
    assert made.requests(cluster(1, 2, 1)) == [], "all of them are under way"
    made.answered_untrusted(first, answer((0, 0), (2, 0)))
    made.answered_untrusted(second, answer((1, 0)))
    assert (made.acknowledged_count, made.pending_count, made.failures) == (3, 0, [])


def test_sequences_move_on_with_acknowledgments_only() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a", b"b"), drafts(b"c")])
    [sent] = made.requests(cluster(1))
    assert batches(sent) == {0: (0, [b"a", b"b"])}
    made.lost(sent, "gone")
    assert made.must_refresh
    [again] = made.requests(cluster(2))
    assert again.broker_id == 2
    assert batches(again) == batches(sent)
    made.answered_untrusted(again, answer((0, ErrorCode.DUPLICATE_SEQUENCE_NUMBER)))
    [then] = made.requests(cluster(2))
    assert batches(then) == {0: (2, [b"c"])}
    assert made.acknowledged_count == 2


def test_what_may_pass_is_sent_again_and_what_may_not_is_a_failure() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a")])
    made.enqueue(1, [drafts(b"b")])
    [sent] = made.requests(cluster(1, 1))
    refusals = [BatchIndexAndErrorMessage(0, "no key")]
    made.answered_untrusted(
        sent,
        answer(
            (0, ErrorCode.NOT_LEADER_OR_FOLLOWER),
            (1, ErrorCode.INVALID_RECORD),
            record_errors=refusals,
        ),
    )
    assert made.must_refresh
    assert made.pending_count == 1
    [failure] = made.failures
    assert (failure.partition, failure.record_count) == (1, 1)
    assert failure.reason == "INVALID_RECORD; record 0: no key"
    assert not made.must_renew_identity


def test_a_batch_too_large_is_halved_in_order() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a", b"b", b"c"), drafts(b"d")])
    accepted = []
    for _ in range(20):
        requests = made.requests(cluster(1))
        if not requests:
            break
        sequence, values = batches(requests[0])[0]
        too_large = len(values) > 1 or values == [b"c"]
        if not too_large:
            accepted.append((sequence, values))
        code = ErrorCode.MESSAGE_TOO_LARGE if too_large else ErrorCode.NONE
        made.answered_untrusted(requests[0], answer((0, code)))
    # c alone is too large for its topic: it fails, and its sequence goes to the next.
    assert accepted == [(0, [b"a"]), (1, [b"b"]), (2, [b"d"])]
    assert [failure.record_count for failure in made.failures] == [1]


def test_a_fenced_identity_is_to_be_renewed() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a")])
    [sent] = made.requests(cluster(1))
    made.answered_untrusted(sent, answer((0, ErrorCode.INVALID_PRODUCER_EPOCH)))
    assert made.must_renew_identity
    made.renew(Identity(producer_id=8, producer_epoch=0))
    assert not made.must_renew_identity


def test_giving_up_says_why_and_forgets_the_sequences() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a"), drafts(b"b", b"c")])
    assert made.requests(cluster(-1)) == []
    assert made.must_refresh
    made.give_up()
    [failure] = made.failures
    assert failure.record_count == 3
    assert "no leader" in failure.reason
    assert (made.pending_count, made.must_renew_identity) == (0, True)


def test_an_answer_that_leaves_a_partition_out_is_refused() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a")])
    [sent] = made.requests(cluster(1))
    with pytest.raises(RemoteProtocolError, match="t-0"):
        made.answered_untrusted(sent, answer((1, 0)))


def test_without_acknowledgments_sent_is_done() -> None:
    made = Sender("t", acks=0, codec=0, timeout_ms=100)
    made.enqueue(0, [drafts(b"a")])
    [sent] = made.requests(cluster(1))
    assert batches(sent)[0][0] == -1, "nobody's sequence"
    made.answered_untrusted(sent, None)
    assert (made.acknowledged_count, made.pending_count) == (1, 0)


def test_a_sequence_wraps_to_zero() -> None:
    made = sender()
    made.enqueue(0, [drafts(b"a")])
    made._lanes[0].next_sequence = 2**31 - 1
    [sent] = made.requests(cluster(1))
    made.answered_untrusted(sent, answer((0, 0)))
    made.enqueue(0, [drafts(b"b")])
    [sent] = made.requests(cluster(1))
    assert batches(sent)[0][0] == 0
