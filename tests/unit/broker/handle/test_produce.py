"""Produce: what is appended, what is refused and how, and when it is acknowledged."""

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.broker.handle import produce
from ottla.broker.handle.produce import HandleProduce
from ottla.core.effect import Effect, Flush, Reply
from ottla.errors import ErrorCode
from ottla.types import ZERO_UUID
from ottla.wire.api import APIS
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.unit.core.replica.house import (
    NOW_MS,
    House,
    batch,
    closes,
    flushes,
    partition_image,
    replies,
)

VERSIONS = range(produce.VERSIONS[0], produce.VERSIONS[1] + 1)
NEWEST = produce.VERSIONS[1]
BY_NAME = 12
ZSTD = 4


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.check_invariants()


def send(
    house: House,
    *records: tuple[str, int, memoryview | None],
    version: int = BY_NAME,
    acks: int = -1,
    transactional_id: str | None = None,
    timeout_ms: int = 30_000,
) -> list[Effect]:
    """One request; (topic, partition, records) each as a topic of its own."""
    ids = {topic.name: topic.topic_id for topic in house.image.topics.values()}
    request = ProduceRequest(
        transactional_id,
        acks,
        timeout_ms,
        [
            TopicProduceData(name, ids.get(name, b"?" * 16), [PartitionProduceData(number, data)])
            for name, number, data in records
        ],
    )
    handle = HandleProduce(house.table, house.waiting)
    return handle(house.now_ms, house.call(produce.API_KEY, version), request)


def rows(effects: list[Effect]) -> list[Any]:
    (response,) = replies(effects)
    return [row for topic in response.responses for row in topic.partition_responses]


def row(effects: list[Effect]) -> Any:
    (one,) = rows(effects)
    return one


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("acks", [-1, 1])
def test_a_batch_is_appended_and_acknowledged_in_every_version(
    house: House, version: int, acks: int
) -> None:
    topic_id = house.create("t", 2)
    first = send(house, ("t", 1, batch(b"a", b"b")), version=version, acks=acks)
    second = send(house, ("t", 1, batch()), version=version, acks=acks)
    assert [(row(one).error_code, row(one).base_offset) for one in (first, second)] == [
        (0, 0),
        (0, 2),
    ]
    assert house.leader("t", 1).log.end_offset == 3
    assert house.leader("t", 0).log.end_offset == 0
    (response,) = replies(first)
    if version >= produce.TOPIC_IDS_SINCE:
        assert response.responses[0].topic_id == topic_id
    assert APIS[produce.API_KEY].encode_response(response, version)


def test_each_partition_succeeds_or_fails_on_its_own(house: House) -> None:
    house.create("t")
    answers = rows(
        send(
            house,
            ("t", 0, batch()),
            ("t", 1, batch()),
            ("missing", 0, batch()),
            ("t", 0, None),
            ("t", 0, batch()),
        )
    )
    assert [(one.error_code, one.base_offset) for one in answers] == [
        (ErrorCode.NONE, 0),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        (ErrorCode.INVALID_RECORD, -1),
        (ErrorCode.NONE, 1),
    ]


def test_an_unknown_topic_id_has_its_own_error(house: House) -> None:
    house.create("t")
    assert row(send(house, ("x", 0, batch()), version=13)).error_code == ErrorCode.UNKNOWN_TOPIC_ID
    missing = send(house, ("t", 7, batch()), version=13)
    assert row(missing).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("acks", [-2, 2, 127])
def test_other_acks_are_refused_and_nothing_is_appended(house: House, acks: int) -> None:
    house.create("t")
    answers = rows(send(house, ("t", 0, batch()), ("missing", 0, batch()), acks=acks))
    assert [one.error_code for one in answers] == [
        ErrorCode.INVALID_REQUIRED_ACKS,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    assert house.leader("t").log.end_offset == 0


def test_with_acks_0_success_is_answered_by_nothing(house: House) -> None:
    house.create("t")
    (effect,) = send(house, ("t", 0, batch()), acks=0)
    assert isinstance(effect, Reply)
    assert effect.response is None
    assert house.leader("t").log.end_offset == 1


def test_with_acks_0_an_error_closes_the_connection_and_says_why(house: House) -> None:
    house.create("t")
    effects = send(house, ("t", 0, batch()), ("t", 3, batch()), acks=0)
    (close,) = closes(effects)
    assert "t-3" in close.reason
    assert "UNKNOWN_TOPIC_OR_PARTITION" in close.reason
    assert replies(effects) == []
    assert house.leader("t").log.end_offset == 1


@pytest.mark.parametrize(
    ("configs", "data", "error"),
    [
        pytest.param(
            {"max.message.bytes": "100"},
            batch(b"x" * 100),
            ErrorCode.MESSAGE_TOO_LARGE,
            id="too large",
        ),
        pytest.param(
            {"cleanup.policy": "compact"}, batch(b"x"), ErrorCode.INVALID_RECORD, id="no key"
        ),
        pytest.param(
            {"message.timestamp.after.max.ms": "1000"},
            batch(timestamp_ms=NOW_MS + 1001),
            ErrorCode.INVALID_TIMESTAMP,
            id="from the future",
        ),
    ],
)
def test_a_refused_batch_says_why(
    house: House, configs: dict[str, str], data: memoryview, error: ErrorCode
) -> None:
    house.create("t", configs=configs)
    answer = row(send(house, ("t", 0, data)))
    assert (answer.error_code, answer.base_offset) == (error, -1)
    assert answer.error_message
    assert house.leader("t").log.end_offset == 0


def test_record_errors_name_the_records_and_encode_in_every_version(house: House) -> None:
    house.create("t", configs={"cleanup.policy": "compact"})
    for version in VERSIONS:
        effects = send(house, ("t", 0, batch(b"a", b"b")), version=version)
        assert [one.batch_index for one in row(effects).record_errors] == [0, 1]
        assert APIS[produce.API_KEY].encode_response(replies(effects)[0], version)


def test_corrupt_bytes_are_refused(house: House) -> None:
    house.create("t")
    data = batch(b"hello")
    data[-1] ^= 1
    assert row(send(house, ("t", 0, data))).error_code == ErrorCode.CORRUPT_MESSAGE


def test_early_zstd_is_refused(house: House) -> None:
    house.create("t")
    zstd = row(send(house, ("t", 0, batch(codec=ZSTD)), version=6))
    assert zstd.error_code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


def test_transactions_are_refused_as_long_as_there_are_none(house: House) -> None:
    house.create("t")
    data = batch(producer_id=7, producer_epoch=0, base_sequence=0, transactional=True)
    anonymous = rows(send(house, ("t", 0, batch()), ("t", 0, data)))
    assert [one.error_code for one in anonymous] == [
        ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    ] * 2
    named = rows(send(house, ("t", 0, batch()), ("t", 0, data), transactional_id="tx"))
    assert [one.error_code for one in named] == [ErrorCode.NONE, ErrorCode.INVALID_TXN_STATE]


def test_internal_topics_are_not_for_clients(house: House) -> None:
    house.create("__consumer_offsets")
    answer = row(send(house, ("__consumer_offsets", 0, batch())))
    assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_acks_all_needs_as_many_replicas_in_sync_as_the_topic_says(house: House) -> None:
    two = partition_image(replicas=(1, 2))
    shrunk = type(two)(
        replicas=(1, 2),
        isr=(1,),
        leader=1,
        leader_epoch=0,
        partition_epoch=1,
        directories=two.directories,
    )
    house.create("t", [shrunk], {"min.insync.replicas": "2"})
    assert row(send(house, ("t", 0, batch()))).error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert row(send(house, ("t", 0, batch()), acks=1)).error_code == ErrorCode.NONE


def test_one_replica_is_enough_where_a_partition_has_only_one(house: House) -> None:
    house.create("t", configs={"min.insync.replicas": "2"})
    assert row(send(house, ("t", 0, batch()))).error_code == ErrorCode.NONE


def test_a_partition_led_elsewhere_is_refused_with_a_hint(house: House) -> None:
    house.create("t", [partition_image(leader=2, leader_epoch=9, replicas=(1, 2))])
    answer = row(send(house, ("t", 0, batch())))
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (answer.current_leader.leader_id, answer.current_leader.leader_epoch) == (2, 9)


def test_the_broker_stamps_the_time_where_the_topic_says_so(house: House) -> None:
    house.create("t", configs={"message.timestamp.type": "LogAppendTime"})
    house.now_ms += 5
    answer = row(send(house, ("t", 0, batch(timestamp_ms=3))))
    assert answer.log_append_time_ms == NOW_MS + 5


def idempotent(sequence: int, *values: bytes, epoch: int = 0) -> memoryview:
    return batch(*values, producer_id=7, producer_epoch=epoch, base_sequence=sequence)


def test_a_retry_is_answered_with_its_first_offset_and_appended_once(house: House) -> None:
    house.create("t")
    for sequence in range(5):
        assert row(send(house, ("t", 0, idempotent(sequence)))).base_offset == sequence
    for sequence in range(5):
        again = row(send(house, ("t", 0, idempotent(sequence))))
        assert (again.error_code, again.base_offset) == (0, sequence)
    assert house.leader("t").log.end_offset == 5


@pytest.mark.parametrize(
    ("sequence", "epoch", "error"),
    [
        (3, 1, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (2, 0, ErrorCode.INVALID_PRODUCER_EPOCH),
        (1, 2, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (0, 2, ErrorCode.NONE),
        (2, 1, ErrorCode.NONE),
    ],
)
def test_sequences_and_epochs_are_kept(
    house: House, sequence: int, epoch: int, error: ErrorCode
) -> None:
    house.create("t")
    send(house, ("t", 0, idempotent(0, b"a", b"b", epoch=1)))
    assert row(send(house, ("t", 0, idempotent(sequence, epoch=epoch)))).error_code == error


def test_a_disk_that_refuses_is_a_storage_error_and_the_log_is_as_before(house: House) -> None:
    house.create("t")
    send(house, ("t", 0, batch()))
    house.disk.fail_in(1, changes_only=True)
    answer = row(send(house, ("t", 0, batch())))
    assert (answer.error_code, answer.base_offset) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
    house.disk.mend()
    assert row(send(house, ("t", 0, batch()))).base_offset == 1


def test_a_disk_that_refuses_for_a_while_is_told_when_it_begins_and_when_it_ends(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.create("t")
    send(house, ("t", 0, batch()))
    house.disk.fail_in(1, changes_only=True, stays_broken=True)
    for _ in range(10):
        assert row(send(house, ("t", 0, batch()))).error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert house.leader("t").slice(0, 1, 1000, at_least_one=True) is not None
    house.disk.mend()
    for offset in (1, 2):
        assert row(send(house, ("t", 0, batch()))).base_offset == offset
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


# --- when acknowledgments wait for the disk ------------------------------------------------------


@pytest.fixture
def durable() -> Iterator[House]:
    house = House(settings={"ottla.flush": "ack"})
    house.create("t", 2)
    yield house
    house.check_invariants()


@pytest.mark.parametrize("acks", [-1, 1])
def test_no_answer_leaves_before_the_flush(durable: House, acks: int) -> None:
    effects = send(durable, ("t", 0, batch()), acks=acks)
    assert replies(effects) == []
    assert flushes(effects) == [("t", 0)]
    assert durable.leader("t").high_watermark == 0
    assert row(durable.flush(effects)).base_offset == 0
    assert durable.leader("t").high_watermark == 1
    assert len(durable.waiting) == 0


def test_acks_0_does_not_wait_but_is_flushed_all_the_same(durable: House) -> None:
    effects = send(durable, ("t", 0, batch()), acks=0)
    assert replies(effects) == [None]
    assert flushes(effects) == [("t", 0)]


def test_what_comes_during_a_flush_shares_the_next_one(durable: House) -> None:
    first = send(durable, ("t", 0, batch()))
    others = [send(durable, ("t", 0, batch())) for _ in range(3)]
    assert others == [[], [], []]
    second = durable.flush(first)
    assert [one.responses[0].partition_responses[0].base_offset for one in replies(second)] == [0]
    assert flushes(second) == [("t", 0)]
    third = durable.flush(second)
    assert [one.responses[0].partition_responses[0].base_offset for one in replies(third)] == [
        1,
        2,
        3,
    ]
    assert flushes(third) == []


def test_an_answer_waits_for_all_its_partitions(durable: House) -> None:
    effects = send(durable, ("t", 0, batch()), ("t", 1, batch()))
    one, other = (effect for effect in effects if isinstance(effect, Flush))
    assert durable.flush([one]) == []
    assert [answer.error_code for answer in rows(durable.flush([other]))] == [0, 0]


def test_a_flush_that_fails_takes_the_whole_directory_offline(durable: House) -> None:
    effects = send(durable, ("t", 0, batch()), ("t", 1, batch()))
    first = next(effect for effect in effects if isinstance(effect, Flush))
    answers = rows(durable.flush([first], error="input/output error"))
    assert [(one.error_code, one.base_offset) for one in answers] == [
        (ErrorCode.KAFKA_STORAGE_ERROR, -1),
        (ErrorCode.KAFKA_STORAGE_ERROR, -1),
    ]
    for partition in (0, 1):
        after = row(send(durable, ("t", partition, batch())))
        assert after.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert durable.table.next_ms() is None
    assert not durable.table.is_durable
    assert durable.table.close(NOW_MS) == []
    assert durable.table.close_logs(NOW_MS) == []


def test_an_answer_that_waits_too_long_is_a_timeout(durable: House) -> None:
    send(durable, ("t", 0, batch()), timeout_ms=100)
    assert durable.waiting.expire(NOW_MS + 99) == []
    late = row(durable.waiting.expire(NOW_MS + 100))
    assert late.error_code == ErrorCode.REQUEST_TIMED_OUT


def test_a_retry_of_an_unflushed_batch_waits_as_well(durable: House) -> None:
    first = send(durable, ("t", 0, idempotent(0)))
    assert send(durable, ("t", 0, idempotent(0))) == []
    answers = replies(durable.flush(first))
    assert [one.responses[0].partition_responses[0].base_offset for one in answers] == [0, 0]


def test_flush_messages_bounds_how_far_the_watermark_runs_ahead_of_the_disk(house: House) -> None:
    house.create("t", configs={"flush.messages": "3"})
    for _ in range(2):
        assert row(send(house, ("t", 0, batch()))).error_code == 0
    third = send(house, ("t", 0, batch()))
    assert replies(third) == []
    assert flushes(third) == [("t", 0)]
    assert house.leader("t").high_watermark == 2
    assert row(house.flush(third)).base_offset == 2


def test_a_deleted_topic_answers_what_waited_for_it(durable: House) -> None:
    pending = send(durable, ("t", 0, batch()))
    answer = row(durable.delete("t"))
    assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    durable.create("t", topic_id=b"n" * 16)
    new = send(durable, ("t", 0, batch()))
    assert flushes(new) == []  # the old flush's outcome must not be taken for its own
    after = durable.flush(pending)
    assert replies(after) == []
    assert flushes(after) == [("t", 0)]
    assert row(durable.flush(after)).base_offset == 0


def test_a_zero_topic_id_is_no_topic(house: House) -> None:
    assert house.table.topic_by_id(ZERO_UUID) is None


def test_a_clean_stop_acknowledges_what_it_flushed(durable: House) -> None:
    under_way = send(durable, ("t", 0, batch()))
    assert send(durable, ("t", 0, batch())) == []
    rest = durable.table.close(durable.now_ms)
    answers = replies(durable.flush(under_way)) + replies(durable.flush(rest))
    assert [one.responses[0].partition_responses[0].error_code for one in answers] == [0, 0]
    refused = row(send(durable, ("t", 0, batch())))
    assert refused.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
