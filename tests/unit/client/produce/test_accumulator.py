"""Records come together by partition, within bounds."""

import random

import pytest

from ottla.client.metadata import TopicView
from ottla.client.produce.batch import Draft
from ottla.client.produce.fate import BufferFull, ProducerClosed, RecordTooLarge, TopicUnknown
from ottla.client.produce.intake import HANDED_OVER_BYTES_MAX
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.partitioner import partition_for_key
from ottla.errors import LocalProtocolError
from ottla.record.record import Headers
from tests.unit.client.produce.rig import Rig, led_by, seen


def test_a_key_decides_and_keeps_its_place() -> None:
    rig = Rig(1, 1, 1)
    for key in (b"a", b"b", b"a", b"c", b"b"):
        taken = rig.append(b"v", None, key)
        assert taken.partition == partition_for_key(key, 3)


def test_records_without_key_stick_until_a_batch_is_full() -> None:
    rig = Rig(1, 1, 1, options=ProducerOptions(batch_size=1_000))
    draws = iter([2, 0, 2])
    rig.topic._below = lambda n: next(draws)
    places = [rig.append(b"x" * 100, None).partition for _ in range(20)]
    changes = [at for at in range(1, 20) if places[at] != places[at - 1]]
    assert changes == [8, 16], "eight of them fill a batch of a thousand bytes"
    assert [places[at] for at in (0, 8, 16)] == [2, 0, 1]


def test_sticking_goes_on_over_batches_that_left_early() -> None:
    rig = Rig(1, 1, 1, options=ProducerOptions(batch_size=1_000))
    rig.topic._below = lambda n: n - 1
    places = []
    for _ in range(20):
        places.append(rig.append(b"x" * 100, None).partition)
        for sent in rig.ready():
            rig.answer(sent)
    assert places[0] == 2
    first_change = (
        next(at for at in range(20) if places[at] != places[0]) if len(set(places)) > 1 else 20
    )
    assert first_change > 5, "a thousand bytes went there first"


def test_where_batches_are_spread_each_goes_elsewhere() -> None:
    rig = Rig(1, 1, 1, options=ProducerOptions(spreads_batches=True))
    draws = iter([2, 0, 1])
    rig.topic._below = lambda _: next(draws)
    places = []
    for _ in range(3):
        places.append([rig.append(b"v", None).partition for _ in range(2)])
        for sent in rig.ready():
            rig.answer(sent)
    assert places == [[2, 2], [0, 0], [1, 1]]


def test_a_partition_without_leader_is_left() -> None:
    rig = Rig(1, 1)
    assert rig.append(b"v", None).partition == 0
    rig.cluster = led_by(-1, 1, epoch=6)
    rig.ready()
    assert rig.append(b"v", None).partition == 1


def test_more_partitions_move_keys() -> None:
    rig = Rig(1)
    assert rig.append(b"v", None, b"key").partition == 0
    rig.cluster = led_by(*[1] * 12, epoch=6)
    rig.ready()
    assert rig.append(b"v", None, b"key").partition == partition_for_key(b"key", 12)


def test_partitioners_of_both_shapes_are_asked() -> None:
    def last(key: bytes | None, every: object, available: object) -> int:
        assert (every, available) == ([0, 1, 2], [0, 2])
        return 2

    class Middle:
        def partition(self, topic: TopicView, key: bytes | None, value: bytes | None) -> int:
            assert (topic.name, key, value) == ("t", None, b"v")
            return 1

    rig = Rig(1, -1, 1, options=ProducerOptions(partitioner=last))
    assert [rig.append(b"v", None, key).partition for key in (b"k", None)] == [2, 2]
    rig = Rig(1, -1, 1, options=ProducerOptions(partitioner=Middle()))
    assert rig.append(b"v", None).partition == 1
    assert rig.append(b"v", 0).partition == 0, "whoever names one is not overruled"


@pytest.mark.parametrize("partition", [-1, 2, "0"])
def test_a_partition_that_is_not_there_is_refused(partition: int) -> None:
    with pytest.raises(LocalProtocolError, match="0 to 1; there is no partition"):
        Rig(1, 1).append(b"v", partition)


def test_an_unknown_topic_is_said_to_be_so() -> None:
    with pytest.raises(TopicUnknown, match="'u'"):
        Rig(1).records.append("u", b"v", None, (), None, 0)


@pytest.mark.parametrize(("value", "key"), [("text", None), (b"v", "text"), (3, None)])
def test_what_is_no_bytes_is_refused(value: bytes, key: bytes) -> None:
    with pytest.raises(TypeError, match="bytes or None, not"):
        Rig(1).append(value, 0, key)


@pytest.mark.parametrize("header", [("n", "text"), (b"n", b"v"), (3, None)])
def test_headers_of_other_types_are_refused(header: tuple[str, bytes]) -> None:
    rig = Rig(1)
    with pytest.raises(TypeError, match="header"):
        rig.records.append("t", b"v", None, (header,), 0, 0)
    with pytest.raises(TypeError, match="header"):
        rig.records.append_batch("t", [Draft(b"v", None, (header,))], 0, 0)
    assert not rig.records.incomplete


def test_a_time_before_1970_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="-5"):
        Rig(1).records.append("t", b"v", None, (), 0, -5)


def test_what_its_owner_may_change_is_copied() -> None:
    rig = Rig(1)
    value = bytearray(b"before")
    rig.append(value, 0)  # type: ignore[arg-type]
    rig.append(memoryview(value), 0)  # type: ignore[arg-type]
    value[:] = b"after!"
    [sent] = rig.ready()
    assert seen(sent)[0][2] == [b"before", b"before"]


def test_a_record_that_fits_nowhere_is_refused_at_once() -> None:
    rig = Rig(1, options=ProducerOptions(max_request_size=1_000))
    rig.append(b"x" * 900)
    with pytest.raises(RecordTooLarge, match="max_request_size is 1,000"):
        rig.append(b"x" * 1_000)
    rig = Rig(1, options=ProducerOptions(buffer_memory=1_000))
    with pytest.raises(RecordTooLarge, match="buffer_memory is 1,000"):
        rig.append(b"x" * 1_000)


def test_memory_is_bounded_and_comes_back() -> None:
    rig = Rig(1, 1, 1, options=ProducerOptions(batch_size=400, buffer_memory=1_000, linger_ms=9))
    rig.append(b"a", 0)
    rig.append(b"b", 1)
    with pytest.raises(BufferFull, match="200 of 1,000 are left"):
        rig.append(b"c", 2)
    sent = rig.ready()
    assert len(sent[0].batches) == 2, "somebody waits for room, so nothing lingers"
    assert rig.records.room_bytes > 800, "what a batch did not need is free when it is closed"
    for one in sent:
        rig.answer(one)
    assert rig.records.room_bytes == 1_000
    rig.append(b"c", 2)
    assert rig.ready() == [], "and now it lingers again"


def test_whoever_has_closed_takes_nothing() -> None:
    rig = Rig(1)
    rig.append(b"a", None)
    rig.records.refusal = ProducerClosed("closed")
    rig.ready()
    with pytest.raises(ProducerClosed):
        rig.append(b"b", None)


def test_the_shell_is_woken_once_per_batch() -> None:
    rig = Rig(1)
    for _ in range(5):
        rig.append(b"v")
    assert rig.wakes == 1


def test_records_handed_over_together_are_batches_of_their_own() -> None:
    rig = Rig(1, 1).introduced()
    rig.append(b"before", 0)
    handed = rig.records.append_batch("t", [b"a", Draft(b"b", b"k", (("h", b"1"),), 77)], 0, 1_000)
    rig.append(b"after", 0)
    rig.sender.schedule.flushing = 1
    sent = rig.ready()
    assert [seen(one)[0][2] for one in sent] == [[b"before"], [b"a", b"b"], [b"after"]]
    told = []
    handed.add_done_callback(lambda done: told.append(done.spans()))
    for one in sent:
        rig.answer(one, base_offset=5)
    rig.finished()
    assert told == [[(0, 5, 2)]]
    assert [(one.offset, one.timestamp_ms) for one in handed.result()] == [(5, 1_000), (6, 77)]


def test_handed_over_without_partition_keys_decide() -> None:
    rig = Rig(1, 1, 1)
    drafts = [Draft(b"v", b"%d" % number) for number in range(20)]
    rig.records.append_batch("t", drafts, None, 0)
    [sent] = rig.ready()
    for partition, (_, _, values) in seen(sent).items():
        mine = [draft for draft in drafts if partition_for_key(draft.key or b"", 3) == partition]
        assert len(values) == len(mine)


def test_handed_over_is_split_where_it_is_long_and_refused_where_it_never_fits() -> None:
    rig = Rig(1).introduced()
    handed = rig.records.append_batch("t", [b"x" * 1_000] * 600, 0, 0)
    sizes = [len(values) for one in rig.ready() for _, _, values in seen(one).values()]
    assert len(sizes) == 3
    assert sum(sizes) == handed.record_count == 600
    assert max(sizes) * 1_000 < HANDED_OVER_BYTES_MAX
    rig = Rig(1, options=ProducerOptions(buffer_memory=10_000))
    with pytest.raises(RecordTooLarge, match="hand over fewer"):
        rig.records.append_batch("t", [b"x" * 1_000] * 20, 0, 0)
    assert not rig.records.incomplete


def test_a_delivery_knows_sizes_and_times_when_the_records_are_gone() -> None:
    rig = Rig(1)
    first = rig.records.append("t", b"abc", b"k", (("h", b"12"), ("i", None)), 0, 1_000)
    second = rig.records.append("t", None, None, (), 0, 2_000)
    assert not first.done
    with pytest.raises(LocalProtocolError, match="on its way"):
        first.result()
    [sent] = rig.ready()
    rig.answer(sent, base_offset=9)
    assert first.result() == ("t", 0, 9, 1_000, 1, 3, 4)
    assert second.result() == ("t", 0, 10, 2_000, -1, -1, -1)
    told = []
    second.add_done_callback(told.append)
    rig.finished()
    second.add_done_callback(told.append)
    assert told == [second, second], "before and after"


def test_options_that_cannot_keep_their_word_are_refused() -> None:
    for given in (
        {"acks": 1},
        {"max_in_flight": 6},
        {"retries": 0},
        {"acks": 2, "enable_idempotence": False},
        {"codec": 9},
        {"transactional_id": "x"},
        {"linger_ms": -1},
        {"buffer_memory": 0},
    ):
        with pytest.raises(LocalProtocolError, match=next(iter(given))):
            ProducerOptions(**given)  # type: ignore[arg-type]


def test_what_compresses_well_makes_longer_batches() -> None:
    rig = Rig(1, options=ProducerOptions(batch_size=2_000, codec=1))
    counts = []
    for _ in range(200):
        while len(rig.records.incomplete) < 2:
            rig.append(b"the same again" * 5)
        for sent in rig.ready(after_ms=10):
            [(_, _, values)] = seen(sent).values()
            counts.append(len(values))
            rig.answer(sent)
    assert counts[0] < 30
    assert max(counts) > 50


def test_a_batch_is_no_longer_than_a_request() -> None:
    rig = Rig(1, options=ProducerOptions(batch_size=100_000, max_request_size=1_000))
    rig.introduced()
    for _ in range(20):
        rig.append(b"x" * 100)
    rig.sender.schedule.flushing = 1
    assert [len(values) for one in rig.ready() for _, _, values in seen(one).values()] == [8, 8, 4]


def test_every_way_to_append_gives_the_same_records() -> None:
    """The usual case is written out; whatever mixes with it must not be lost or move."""
    draw = random.Random(5)
    rig = Rig(1, 1, options=ProducerOptions(batch_size=3_000))
    expected: dict[int, list[tuple[bytes | None, bytes | None, Headers, int]]] = {0: [], 1: []}
    timestamp = 1_000
    for number in range(3_000):
        value = None if draw.random() < 0.1 else b"%d" % number
        key = draw.choice([None, None, b"a", b"b", b"%d" % number])
        headers: Headers = (("h", b"1"),) if draw.random() < 0.1 else ()
        partition = draw.choice([None, None, 0, 1])
        timestamp += draw.choice([0, 0, 0, 1, -2, 1 << 20 if draw.random() < 0.02 else 0])
        taken = rig.records.append("t", value, key, headers, partition, timestamp)
        assert partition is None or taken.partition == partition
        expected[taken.partition].append((value, key, headers, timestamp))
        if draw.random() < 0.02:
            rig.records.append_batch("t", [b"whole"], 0, timestamp)
            expected[0].append((b"whole", None, (), timestamp))
    found: dict[int, list[tuple[bytes | None, bytes | None, Headers, int]]] = {0: [], 1: []}
    rig.sender.schedule.flushing = 1
    while rig.records.incomplete:
        for sent in rig.ready():
            for lane, batch in sent.batches:
                built = batch.build(0, None)
                assert len(built) <= batch.held_bytes
                found[lane.partition] += [
                    (one.value, one.key, one.headers, one.timestamp_ms or 0)
                    for one in batch.records()
                ]
            rig.answer(sent)
    assert found == expected
