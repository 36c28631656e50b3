"""Fetch: which records, how many, how long it waits, and what a session is told."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ottla.broker.handle import fetch
from ottla.broker.handle.fetch import HandleFetch
from ottla.core.effect import Effect
from ottla.core.log.log import Log
from ottla.core.log.segment import Segment
from ottla.core.log.tested import FOR_MS
from ottla.core.port import FileSlice
from ottla.core.replica.fetch_session import TOPIC_IDS_SINCE
from ottla.core.replica.heads import Heads
from ottla.core.replica.old_reader import MAGIC_2_SINCE
from ottla.errors import ErrorCode
from ottla.record.batch import batches_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.control import transaction_marker
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.types import TopicPartition
from ottla.wire.api import APIS
from ottla.wire.message.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
    ReplicaState,
)
from tests.unit.core.replica.house import (
    NOW_MS,
    House,
    batch,
    flushes,
    partition_image,
    replies,
    topic_id_of,
)
from tests.unit.fakes.quotas import no_quotas

VERSIONS = range(MAGIC_2_SINCE, fetch.VERSIONS[1] + 1)
BY_NAME, BY_ID = 12, 18


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.check_invariants()


def append(house: House, topic: str, partition: int = 0, *values: bytes) -> list[Effect]:
    leader = house.leader(topic, partition)
    valid = validate_untrusted(
        batch(*values), api_version=9, now_ms=house.now_ms, settings=leader.policy.checks
    )
    assert isinstance(valid, ValidBatch)
    leader.append(valid, house.now_ms)
    return house.table.appended(leader, house.now_ms)


def ask(
    house: House,
    wanted: Mapping[tuple[str, int], int | FetchPartition],
    *,
    version: int = BY_NAME,
    session: tuple[int, int] = (0, -1),
    forget: Mapping[str, list[int]] | None = None,
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    max_bytes: int = 1 << 30,
    partition_max_bytes: int = 1 << 20,
    isolation_level: int = 0,
    replica_id: int = -1,
) -> list[Effect]:
    ids = {topic.name: topic.topic_id for topic in house.image.topics.values()}
    topics: list[FetchTopic] = []
    for (name, number), offset in wanted.items():
        if isinstance(offset, int):
            part = FetchPartition(
                number, fetch_offset=offset, partition_max_bytes=partition_max_bytes
            )
        else:
            part = offset
        topics.append(FetchTopic(name, ids.get(name, b"?" * 16), [part]))
    if version >= TOPIC_IDS_SINCE:
        topics = [FetchTopic("", topic.topic_id, topic.partitions) for topic in topics]
    request = FetchRequest(
        replica_id=replica_id if version < fetch.REPLICA_STATE_SINCE else -1,
        replica_state=ReplicaState(replica_id),
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        isolation_level=isolation_level,
        session_id=session[0],
        session_epoch=session[1],
        topics=topics,
        forgotten_topics_data=[
            ForgottenTopic(name, ids[name], numbers) for name, numbers in (forget or {}).items()
        ],
    )
    handle = HandleFetch(
        house.table,
        house.sessions,
        house.waiting,
        house.settings.fetch.response_bytes_max,
        no_quotas(),
        Heads(),
    )
    return handle(house.now_ms, house.call(fetch.API_KEY, version), request)


def answer(effects: list[Effect]) -> Any:
    (response,) = replies(effects)
    return response


def told(effects: list[Effect]) -> dict[tuple[str, int], Any]:
    """Topic and partition -> row, in the order of the answer."""
    return {
        (topic.topic or topic.topic_id, row.partition_index): row
        for topic in answer(effects).responses
        for row in topic.partitions
    }


def only(effects: list[Effect]) -> Any:
    (row,) = told(effects).values()
    return row


def offsets(row: Any) -> list[int]:
    """Base offsets of the batches a row carries."""
    if not isinstance(row.records, FileSlice):
        assert row.records == b""
        return []
    return [one.base_offset for one in batches_untrusted(memoryview(row.records.read()))]


@pytest.mark.parametrize("version", VERSIONS)
def test_records_come_as_a_slice_of_the_file_in_every_version(house: House, version: int) -> None:
    topic_id = house.create("t", 2)
    for _ in range(3):
        append(house, "t", 1)
    effects = ask(house, {("t", 1): 1}, version=version)
    row = only(effects)
    assert isinstance(row.records, FileSlice)
    assert offsets(row) == [1, 2]
    assert (row.error_code, row.high_watermark, row.last_stable_offset) == (0, 3, 3)
    assert row.aborted_transactions is None
    (topic,) = answer(effects).responses
    assert topic.topic_id == topic_id if version >= TOPIC_IDS_SINCE else topic.topic == "t"
    assert APIS[fetch.API_KEY].encode_response(answer(effects), version)


def test_an_offset_inside_a_batch_gives_the_whole_batch(house: House) -> None:
    house.create("t")
    append(house, "t", 0, b"a", b"b", b"c")
    append(house, "t", 0, b"d")
    assert offsets(only(ask(house, {("t", 0): 2}))) == [0, 3]


def test_read_committed_has_a_list_of_aborted_transactions(house: House) -> None:
    house.create("t")
    append(house, "t")
    for offset in (0, 1):
        assert only(ask(house, {("t", 0): offset}, isolation_level=1)).aborted_transactions == []


def write_as_apache_kafka(house: House, producer_id: int, *, ends: bool | None) -> None:
    """A transaction of one record; `ends`: committed or aborted, None: left open."""
    log = house.leader("t").log

    def builder(offset: int) -> bytes:
        records = BatchBuilder()
        records.append(NOW_MS, None, b"v")
        return bytes(
            records.build(
                base_offset=offset,
                leader_epoch=0,
                producer_id=producer_id,
                producer_epoch=0,
                base_sequence=0,
                transactional=True,
            )
        )

    log.append_batches(builder(log.end_offset), now_ms=NOW_MS)
    if ends is not None:
        marker = transaction_marker(
            commit=ends,
            producer_id=producer_id,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=NOW_MS,
            base_offset=log.end_offset,
            leader_epoch=0,
        )
        log.append_batches(bytes(marker), now_ms=NOW_MS)
    house.table.appended(house.leader("t"), NOW_MS)


def test_transactions_that_apache_kafka_wrote_are_told_by_their_outcome(house: House) -> None:
    house.create("t")
    write_as_apache_kafka(house, 7, ends=False)
    write_as_apache_kafka(house, 8, ends=True)
    write_as_apache_kafka(house, 9, ends=None)
    write_as_apache_kafka(house, 10, ends=True)
    committed = only(ask(house, {("t", 0): 0}, isolation_level=1))
    assert offsets(committed) == [0, 1, 2, 3]
    assert (committed.high_watermark, committed.last_stable_offset) == (7, 4)
    aborted = [(one.producer_id, one.first_offset) for one in committed.aborted_transactions]
    assert aborted == [(7, 0)]
    assert offsets(only(ask(house, {("t", 0): 4}, isolation_level=1))) == []
    every = only(ask(house, {("t", 0): 0}))
    assert len(offsets(every)) == 7
    assert every.aborted_transactions is None


def test_a_disk_that_does_not_give_the_records_is_a_storage_error(house: House) -> None:
    house.create("t")
    house.create("u")
    for _ in range(3):
        append(house, "t")
        append(house, "u")
    house.disk.fail_in(1)
    rows = told(ask(house, {("t", 0): 1, ("u", 0): 1}, max_wait_ms=500, min_bytes=1 << 20))
    errors = [row.error_code for row in rows.values()]
    assert errors == [ErrorCode.KAFKA_STORAGE_ERROR, 0]


def test_a_changed_batch_is_not_served_and_costs_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.create("t")
    house.create("u")
    for _ in range(3):
        append(house, "t")
        append(house, "u")
    path = "t-0/00000000000000000000.log"
    data = bytearray(house.disk.files()[path])
    data[len(data) // 2] ^= 1
    house.disk._contents[path].data[:] = data
    house.now_ms += FOR_MS
    before = told(ask(house, {("t", 0): 0, ("u", 0): 0}))
    assert [offsets(row) for row in before.values()] == [[0], [0, 1, 2]]
    for _ in range(5):
        rows = told(ask(house, {("t", 0): 1, ("u", 0): 1}))
        assert [row.error_code for row in rows.values()] == [ErrorCode.CORRUPT_MESSAGE, 0]
    assert offsets(only(ask(house, {("t", 0): 2}))) == [2]
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert path in str(record.__dict__["error"])
    assert "at byte" in str(record.__dict__["error"])


@pytest.mark.parametrize(
    ("version", "wanted", "error"),
    [
        (BY_NAME, {("missing", 0): 0}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (BY_NAME, {("t", 5): 0}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (BY_NAME, {("t", -1): 0}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (BY_ID, {("missing", 0): 0}, ErrorCode.UNKNOWN_TOPIC_ID),
        (BY_ID, {("t", 5): 0}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (BY_NAME, {("t", 0): 3}, ErrorCode.OFFSET_OUT_OF_RANGE),
        (BY_NAME, {("t", 0): -1}, ErrorCode.OFFSET_OUT_OF_RANGE),
        (BY_NAME, {("led elsewhere", 0): 0}, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (
            BY_NAME,
            {("t", 0): FetchPartition(0, current_leader_epoch=4)},
            ErrorCode.FENCED_LEADER_EPOCH,
        ),
        (
            BY_NAME,
            {("t", 0): FetchPartition(0, current_leader_epoch=6)},
            ErrorCode.UNKNOWN_LEADER_EPOCH,
        ),
        (
            BY_NAME,
            {("t", 0): FetchPartition(0, last_fetched_epoch=6)},
            ErrorCode.OFFSET_OUT_OF_RANGE,
        ),
    ],
)
def test_an_error_is_told_at_once_and_stops_no_other_partition(
    house: House, version: int, wanted: dict[tuple[str, int], Any], error: ErrorCode
) -> None:
    house.create("t", [partition_image(leader_epoch=5)])
    house.create("led elsewhere", [partition_image(leader=2, replicas=(1, 2))])
    house.create("fine")
    append(house, "t", 0)
    append(house, "t", 0)
    append(house, "fine")
    effects = ask(
        house, {**wanted, ("fine", 0): 0}, version=version, max_wait_ms=500, min_bytes=1000
    )
    bad, good = told(effects).values()
    assert (bad.error_code, bad.high_watermark, bad.log_start_offset) == (error, -1, -1)
    assert offsets(good) == [0]
    assert APIS[fetch.API_KEY].encode_response(answer(effects), version)


def test_a_client_with_the_right_epoch_is_served(house: House) -> None:
    house.create("t", [partition_image(leader_epoch=5)])
    append(house, "t")
    part = FetchPartition(
        0, current_leader_epoch=5, last_fetched_epoch=5, partition_max_bytes=1 << 20
    )
    assert offsets(only(ask(house, {("t", 0): part}))) == [0]


def test_a_client_whose_log_diverges_is_told_where(house: House) -> None:
    house.create("t", [partition_image(leader_epoch=1)])
    append(house, "t")
    house.change("t", 0, partition_image(leader_epoch=3))
    append(house, "t")
    part = FetchPartition(0, fetch_offset=2, last_fetched_epoch=2, partition_max_bytes=1 << 20)
    row = only(ask(house, {("t", 0): part}, max_wait_ms=500))
    assert (row.diverging_epoch.epoch, row.diverging_epoch.end_offset) == (1, 1)
    assert offsets(row) == []


def test_who_claims_to_be_a_replica_is_refused(house: House) -> None:
    house.create("t")
    append(house, "t")
    for version in (BY_NAME, BY_ID):
        row = only(ask(house, {("t", 0): 0}, version=version, replica_id=1))
        assert row.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        assert offsets(row) == []


def test_zstd_topics_are_not_for_clients_that_cannot_know_it(house: House) -> None:
    house.create("t", configs={"compression.type": "zstd"})
    append(house, "t")
    refused = only(ask(house, {("t", 0): 0}, version=9))
    assert refused.error_code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert only(ask(house, {("t", 0): 0}, version=10)).error_code == 0


# --- how much -------------------------------------------------------------------------------------


def size_of_one(house: House) -> int:
    append(house, "sized")
    return len(only(ask(house, {("sized", 0): 0})).records)


def test_the_first_batch_is_sent_whatever_its_size_and_no_other(house: House) -> None:
    house.create("sized")
    house.create("t", 2)
    for partition in (0, 1):
        append(house, "t", partition)
        append(house, "t", partition)
    rows = told(ask(house, {("t", 0): 0, ("t", 1): 0}, max_bytes=1))
    assert [offsets(row) for row in rows.values()] == [[0], []]
    rows = told(ask(house, {("t", 0): 2, ("t", 1): 0}, partition_max_bytes=1))
    assert [offsets(row) for row in rows.values()] == [[], [0]]
    assert offsets(only(ask(house, {("t", 0): 0}, max_bytes=-1))) == [0]


def test_both_bounds_hold_for_whole_batches(house: House) -> None:
    house.create("sized")
    size = size_of_one(house)
    house.create("t", 3)
    for partition in range(3):
        for _ in range(4):
            append(house, "t", partition)
    wanted = {("t", partition): 0 for partition in range(3)}
    rows = told(
        ask(house, wanted, max_bytes=5 * size + 1, partition_max_bytes=3 * size + size // 2)
    )
    assert [offsets(row) for row in rows.values()] == [[0, 1, 2], [0, 1], []]


def test_the_broker_bounds_what_a_client_may_ask(house: House) -> None:
    bounded = House(settings={"fetch.max.bytes": "1024"})
    bounded.create("t")
    for _ in range(4):
        append(bounded, "t", 0, b"x" * 400)
    assert offsets(only(ask(bounded, {("t", 0): 0}))) == [0, 1]


# --- waiting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [(0, -1), (0, 0)])
def test_an_empty_fetch_waits_for_the_first_record(house: House, session: tuple[int, int]) -> None:
    house.create("t", 2)
    assert ask(house, {("t", 0): 0, ("t", 1): 0}, session=session, max_wait_ms=500) == []
    rows = told(append(house, "t", 1))
    assert [offsets(row) for row in rows.values()] == [[], [0]]
    assert len(house.waiting) == 0


def test_time_ends_the_wait_with_what_there_is(house: House) -> None:
    house.create("t")
    append(house, "t")
    assert ask(house, {("t", 0): 0}, max_wait_ms=500, min_bytes=10_000) == []
    assert house.waiting.expire(NOW_MS + 499) == []
    assert offsets(only(house.waiting.expire(NOW_MS + 500))) == [0]


def test_it_waits_for_min_bytes_over_all_its_partitions(house: House) -> None:
    house.create("sized")
    size = size_of_one(house)
    house.create("t", 2)
    append(house, "t", 0)
    wanted = {("t", 0): 0, ("t", 1): 0}
    assert ask(house, wanted, max_wait_ms=500, min_bytes=3 * size) == []
    assert append(house, "t", 1) == []
    rows = told(append(house, "t", 0))
    assert [offsets(row) for row in rows.values()] == [[0, 1], [0]]


def test_bytes_beyond_the_partition_bound_are_not_counted(house: House) -> None:
    house.create("sized")
    size = size_of_one(house)
    house.create("t", 2)
    wanted = {("t", 0): 0, ("t", 1): 0}
    parked = ask(house, wanted, max_wait_ms=500, min_bytes=3 * size, partition_max_bytes=2 * size)
    assert parked == []
    assert [append(house, "t", 0) for _ in range(5)] == [[]] * 5
    assert len(told(append(house, "t", 1))) == 2


def test_what_is_not_readable_yet_is_counted_when_it_is(house: House) -> None:
    house.create("sized")
    size = size_of_one(house)
    durable = House(settings={"ottla.flush": "ack"})
    durable.create("t")
    first = append(durable, "t")
    assert ask(durable, {("t", 0): 0}, max_wait_ms=500, min_bytes=2 * size) == []
    assert durable.flush(first) == []
    second = append(durable, "t")
    assert replies(second) == []
    (row,) = told(durable.flush(second)).values()
    assert offsets(row) == [0, 1]


def test_those_who_wait_for_more_cost_an_append_no_look_into_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.create("t")
    append(house, "t")
    for _ in range(10):
        assert ask(house, {("t", 0): 0}, max_wait_ms=500, min_bytes=1_000_000) == []
    with monkeypatch.context() as patch:
        patch.setattr(Log, "slice", lambda *args, **how: pytest.fail("the log is read"))
        patch.setattr(Segment, "find", lambda *args: pytest.fail("the log is looked into"))
        for _ in range(5):
            assert append(house, "t") == []
    assert len(house.waiting) == 10


def test_nothing_waits_when_nothing_is_asked_for(house: House) -> None:
    house.create("t")
    for effects in (
        ask(house, {}, max_wait_ms=500),
        ask(house, {("t", 0): 0}, max_wait_ms=500, min_bytes=0),
        ask(house, {("t", 0): 0}, max_wait_ms=0),
    ):
        assert answer(effects).error_code == 0


def test_a_deleted_topic_ends_the_wait(house: House) -> None:
    house.create("t")
    house.create("u")
    ask(house, {("t", 0): 0, ("u", 0): 0}, max_wait_ms=500)
    rows = told(house.delete("t"))
    assert [row.error_code for row in rows.values()] == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0]


def test_a_new_leader_epoch_ends_the_wait_of_a_client_that_named_the_old_one(house: House) -> None:
    house.create("t")
    part = FetchPartition(0, current_leader_epoch=0)
    ask(house, {("t", 0): part}, version=17, max_wait_ms=500)
    row = only(house.change("t", 0, partition_image(leader_epoch=1)))
    assert row.error_code == ErrorCode.FENCED_LEADER_EPOCH
    assert (row.current_leader.leader_id, row.current_leader.leader_epoch) == (1, 1)


def test_a_closed_connection_is_forgotten(house: House) -> None:
    house.create("t")
    ask(house, {("t", 0): 0}, max_wait_ms=500)
    house.waiting.drop_connection(1)
    assert append(house, "t") == []


def test_consumers_see_nothing_that_a_power_cut_could_take(house: House) -> None:
    durable = House(settings={"ottla.flush": "ack"})
    durable.create("t")
    parked = ask(durable, {("t", 0): 0}, max_wait_ms=500)
    effects = append(durable, "t")
    assert parked == []
    assert flushes(effects) == [("t", 0)]
    assert replies(effects) == []
    row = only(ask(durable, {("t", 0): 1}))
    assert (row.error_code, row.high_watermark) == (0, 0)
    assert offsets(only(durable.flush(effects))) == [0]


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [BY_NAME, BY_ID])
def test_a_session_is_told_only_what_changed(house: House, version: int) -> None:
    house.create("t", 3)
    append(house, "t", 0)
    first = ask(house, {("t", number): 0 for number in range(3)}, version=version, session=(0, 0))
    session_id = answer(first).session_id
    assert session_id > 0
    assert len(told(first)) == 3

    def again(epoch: int, wanted: Mapping[tuple[str, int], int] | None = None) -> list[int]:
        effects = ask(house, wanted or {}, version=version, session=(session_id, epoch))
        assert answer(effects).session_id == session_id
        return [number for _, number in told(effects)]

    assert again(1, {("t", 0): 1}) == []
    append(house, "t", 2)
    assert again(2) == [2]
    assert again(3) == [2]  # not yet fetched past it
    assert again(4, {("t", 2): 1}) == []


def test_a_new_watermark_or_log_start_is_told_without_records(house: House) -> None:
    house.create("t")
    first = ask(house, {("t", 0): 0}, session=(0, 0))
    session_id = answer(first).session_id
    append(house, "t")
    moved = ask(house, {("t", 0): 1}, session=(session_id, 1))
    assert (only(moved).high_watermark, offsets(only(moved))) == (1, [])
    house.leader("t").log.truncate_prefix(1)
    started = ask(house, {}, session=(session_id, 2))
    assert only(started).log_start_offset == 1
    assert told(ask(house, {}, session=(session_id, 3))) == {}


def test_an_error_is_told_until_it_is_over_and_then_the_partition_again(house: House) -> None:
    house.create("t")
    session_id = answer(ask(house, {("t", 0): 0}, session=(0, 0))).session_id
    house.change("t", 0, partition_image(leader=2, leader_epoch=1))
    for epoch in (1, 2):
        effects = ask(house, {}, session=(session_id, epoch), max_wait_ms=500)
        assert only(effects).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    house.change("t", 0, partition_image(leader_epoch=2))
    assert only(ask(house, {}, session=(session_id, 3))).error_code == 0
    assert told(ask(house, {}, session=(session_id, 4))) == {}


def test_forgotten_partitions_are_not_told(house: House) -> None:
    house.create("t", 2)
    wanted = {("t", 0): 0, ("t", 1): 0}
    session_id = answer(ask(house, wanted, session=(0, 0))).session_id
    append(house, "t", 0)
    append(house, "t", 1)
    effects = ask(house, {}, session=(session_id, 1), forget={"t": [0]})
    assert list(told(effects)) == [("t", 1)]


def test_a_session_waits_and_is_woken(house: House) -> None:
    house.create("t", 2)
    wanted = {("t", 0): 0, ("t", 1): 0}
    session_id = answer(ask(house, wanted, session=(0, 0))).session_id
    assert ask(house, {}, session=(session_id, 1), max_wait_ms=500) == []
    woken = append(house, "t", 1)
    assert answer(woken).session_id == session_id
    assert list(told(woken)) == [("t", 1)]


def test_one_busy_partition_starves_no_other(house: House) -> None:
    house.create("t", 3)
    wanted = {("t", number): 0 for number in range(3)}
    session_id = answer(ask(house, wanted, session=(0, 0))).session_id
    served = []
    for epoch in range(1, 7):
        for partition in range(3):
            append(house, "t", partition)
        effects = ask(house, {}, session=(session_id, epoch), max_bytes=1)
        served += [number for (_, number), row in told(effects).items() if offsets(row)]
    assert served == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("session", "error"),
    [
        ((999, 1), ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
        ((1, 7), ErrorCode.INVALID_FETCH_SESSION_EPOCH),
    ],
)
def test_a_session_that_does_not_fit_is_refused_as_a_whole(
    house: House, session: tuple[int, int], error: ErrorCode
) -> None:
    house.create("t")
    assert answer(ask(house, {("t", 0): 0}, session=(0, 0))).session_id == 1
    response = answer(ask(house, {}, session=session, max_wait_ms=500))
    assert (response.error_code, response.session_id, list(response.responses)) == (error, 0, [])


def test_a_parked_request_overtaken_by_the_next_is_refused(house: House) -> None:
    house.create("t")
    session_id = answer(ask(house, {("t", 0): 0}, session=(0, 0))).session_id
    ask(house, {}, session=(session_id, 1), max_wait_ms=500)
    ask(house, {}, session=(session_id, 2))
    response = answer(house.waiting.expire(NOW_MS + 500))
    assert response.error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH


def test_a_topic_made_anew_is_not_the_one_the_session_named(house: House) -> None:
    house.create("t")
    first = ask(house, {("t", 0): 0}, version=BY_ID, session=(0, 0))
    session_id = answer(first).session_id
    house.delete("t")
    gone = only(ask(house, {}, version=BY_ID, session=(session_id, 1)))
    assert gone.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    house.create("t", topic_id=topic_id_of(77))
    other = only(ask(house, {}, version=BY_ID, session=(session_id, 2)))
    assert other.error_code == ErrorCode.INCONSISTENT_TOPIC_ID


def test_a_storage_error_is_told_to_old_clients_as_something_they_know(house: House) -> None:
    house.create("t")
    house.leader("t").fail()
    for version, error in (
        (5, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (6, ErrorCode.KAFKA_STORAGE_ERROR),
    ):
        assert only(ask(house, {("t", 0): 0}, version=version)).error_code == error


def test_waiting_is_keyed_by_the_partitions_asked_for(house: House) -> None:
    house.create("t", 2)
    ask(house, {("t", 0): 0}, max_wait_ms=500)
    assert house.waiting.wake(TopicPartition("t", 1), NOW_MS) == []
    assert len(house.waiting) == 1
