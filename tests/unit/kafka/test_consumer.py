"""The consumer against a broker over loopback: polls, iterates, seeks, commits, rebalances."""

import signal
import threading
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import pytest

from ottla.kafka import errors, loop
from ottla.kafka.admin import KafkaAdminClient, NewTopic
from ottla.kafka.consumer import KafkaConsumer
from ottla.kafka.consumer.subscription_state import ConsumerRebalanceListener
from ottla.kafka.producer import KafkaProducer
from ottla.kafka.structs import OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

WAIT_MS = 10_000


def filled(bootstrap: str, topic: str, count: int, partitions: int = 1) -> None:
    """Values 0, 1, 2, …; timestamps 1,000, 1,001, …"""
    if partitions > 1:
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            admin.create_topics([NewTopic(topic, partitions, 1)])
    with KafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(count):
            producer.send(
                topic,
                b"%d" % number,
                key=b"k",
                partition=number % partitions,
                headers=[("h", b"1")],
                timestamp_ms=1_000 + number,
            )


def reader(bootstrap: str, *topics: str, **more: object) -> KafkaConsumer:
    given: dict[str, object] = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 1_000}
    return KafkaConsumer(*topics, bootstrap_servers=bootstrap, **{**given, **more})


def polled(consumer: KafkaConsumer, count: int) -> list[int]:
    """So many values, whatever the number of polls."""
    values: list[int] = []
    deadline = time.monotonic() + WAIT_MS / 1000
    while len(values) < count and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            values += [int(record.value or b"-1") for record in records]
    return values


def test_a_record_has_thirteen_fields(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 1)
    with reader(bootstrap, topic) as consumer:
        found = consumer.poll(timeout_ms=WAIT_MS)
    place = TopicPartition(topic, 0)
    (record,) = found[place]
    assert tuple(record)[:6] == (topic, 0, 0, 0, 1_000, 0)
    assert (record.key, record.value, list(record.headers)) == (b"k", b"0", [("h", b"1")])
    assert tuple(record)[9:] == (None, 1, 1, 2)
    assert isinstance(found[place], list)


def test_the_iterator_ends_when_nothing_came_for_so_long(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 1_200)
    with reader(bootstrap, topic, value_deserializer=int) as consumer:
        assert [record.value for record in consumer] == list(range(1_200))
        assert list(consumer) == []
        consumer.seek(TopicPartition(topic, 0), 1_199)
        assert [record.value for record in consumer] == [1_199]


def test_a_loop_that_is_left_goes_on_where_it_was(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 10)
    place = TopicPartition(topic, 0)
    with reader(bootstrap, topic, value_deserializer=int) as consumer:
        for record in consumer:
            if record.value == 3:
                break
        assert consumer.position(place) == 4
        assert next(consumer).value == 4
        consumer.seek(place, 8)
        assert [record.value for record in consumer] == [8, 9]
        consumer.seek_to_beginning()
        assert next(consumer).value == 0
        found = consumer.poll(timeout_ms=WAIT_MS, max_records=2)
        assert [record.value for record in found[place]] == [1, 2]
        assert next(consumer).value == 3


def test_what_is_not_taken_over_comes_again(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 4)
    place = TopicPartition(topic, 0)
    with reader(bootstrap, topic) as consumer:
        first = consumer.poll(timeout_ms=WAIT_MS, max_records=2, update_offsets=False)
        again = consumer.poll(timeout_ms=WAIT_MS, max_records=2)
        after = consumer.poll(timeout_ms=WAIT_MS)
    assert [record.offset for record in first[place]] == [0, 1]
    assert [record.offset for record in again[place]] == [0, 1]
    assert [record.offset for record in after[place]] == [2, 3]


def test_a_deserializer_that_raises_loses_nothing(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 5)
    place = TopicPartition(topic, 0)

    def read(data: bytes | None) -> int:
        if data == b"2":
            raise ValueError("poison")
        return int(data or b"-1")

    with reader(bootstrap, topic, value_deserializer=read) as consumer:
        assert [one.value for one in consumer.poll(timeout_ms=WAIT_MS)[place]] == [0, 1]
        for _ in range(2):
            with pytest.raises(ValueError, match="poison"):
                consumer.poll(timeout_ms=WAIT_MS)
        assert consumer.position(place) == 2
        consumer.seek(place, 3)
        assert [one.value for one in consumer] == [3, 4]


def test_positions_are_sought_and_asked_for(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 10)
    place = TopicPartition(topic, 0)
    with reader(bootstrap) as consumer:
        with pytest.raises(errors.IllegalStateError, match="not assigned"):
            consumer.position(place)
        consumer.assign([place])
        assert consumer.assignment() == {place}
        assert consumer.subscription() is None
        assert (consumer.position(place), consumer.beginning_offsets([place])) == (0, {place: 0})
        assert consumer.end_offsets([place]) == {place: 10}
        consumer.seek_to_end(place)
        assert consumer.position(place) == 10
        times = {place: 1_004}
        assert consumer.offsets_for_times(times) == {place: OffsetAndTimestamp(4, 1_004, 0)}
        assert consumer.offsets_for_times({place: 10**12}) == {place: None}
        consumer.seek(place, 9)
        assert polled(consumer, 1) == [9]
        assert consumer.highwater(place) == 10
        with pytest.raises(ValueError, match="0 or more"):
            consumer.seek(place, -1)
        with pytest.raises(ValueError, match="not assigned"):
            consumer.seek(TopicPartition(topic, 5), 1)
        with pytest.raises(ValueError, match="before all times"):
            consumer.offsets_for_times({place: -5})
        with pytest.raises(errors.IllegalStateError, match="without group_id"):
            consumer.commit()


def test_paused_partitions_give_nothing(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 4, partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    with reader(bootstrap) as consumer:
        consumer.assign([first, second])
        consumer.pause(first)
        assert consumer.paused() == {first}
        assert sorted(polled(consumer, 2)) == [1, 3]
        consumer.resume(first)
        assert sorted(polled(consumer, 2)) == [0, 2]


def test_a_group_remembers(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 10)
    place = TopicPartition(topic, 0)
    group = f"g.{topic}"
    with reader(bootstrap, topic, group_id=group, enable_auto_commit=False) as consumer:
        assert polled(consumer, 10) == list(range(10))
        assert consumer.committed(place) is None
        consumer.commit()
        assert consumer.committed(place) == 10
        consumer.commit({place: OffsetAndMetadata(4, "note", -1)})
        assert consumer.committed(place, metadata=True) == OffsetAndMetadata(4, "note", -1)
        who = consumer.group_metadata()
        assert (who.group_id, who.generation_id >= 1, bool(who.member_id)) == (group, True, True)
    with reader(bootstrap, topic, group_id=group) as consumer:
        assert polled(consumer, 6) == [4, 5, 6, 7, 8, 9]
    with reader(bootstrap, topic, group_id=group, consumer_timeout_ms=100) as consumer:
        assert consumer.poll(timeout_ms=300) == {}
        assert consumer.committed(place) == 10


def test_an_asynchronous_commit_tells_its_end(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 3)
    place = TopicPartition(topic, 0)
    told: list[tuple[object, str]] = []

    def ended(offsets: object, came_to: object) -> None:
        told.append((came_to, threading.current_thread().name))

    with reader(bootstrap, topic, group_id=f"g.{topic}", enable_auto_commit=False) as consumer:
        polled(consumer, 3)
        future = consumer.commit_async({place: 2}, ended)
        deadline = time.monotonic() + 10
        while not future.is_done and time.monotonic() < deadline:
            consumer.poll(timeout_ms=20)
        assert future.succeeded()
        assert told == [(True, threading.current_thread().name)]
        assert consumer.committed(place) == 2


def test_what_the_loop_had_done_is_committed_at_its_end(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 10)
    group = f"g.{topic}"
    with reader(bootstrap, topic, group_id=group) as consumer:
        for record in consumer:
            if record.offset == 5:
                break
    with reader(bootstrap, topic, group_id=group) as consumer:
        assert next(consumer).offset == 6


def test_what_failed_is_not_committed(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 3)
    group = f"g.{topic}"

    def fails() -> None:
        with reader(bootstrap, topic, group_id=group) as consumer:
            next(consumer)
            raise KeyError("x")

    with pytest.raises(KeyError):
        fails()
    with reader(bootstrap, topic, group_id=group) as consumer:
        assert next(consumer).offset == 0


class Noting(ConsumerRebalanceListener):
    def __init__(self, consumer: KafkaConsumer) -> None:
        self.consumer = consumer
        self.told: list[tuple[str, frozenset[TopicPartition], str]] = []

    def on_partitions_revoked(self, revoked: AbstractSet[TopicPartition]) -> None:
        # A callback may use its consumer.
        if revoked:
            self.consumer.commit()
        self._note("revoked", revoked)

    def on_partitions_assigned(self, assigned: AbstractSet[TopicPartition]) -> None:
        for place in assigned:
            self.consumer.position(place)
        self._note("assigned", assigned)

    def _note(self, what: str, places: AbstractSet[TopicPartition]) -> None:
        self.told.append((what, frozenset(places), threading.current_thread().name))


def test_a_listener_is_called_where_it_is_polled(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 4, partitions=2)
    both = frozenset({TopicPartition(topic, 0), TopicPartition(topic, 1)})
    consumer = reader(bootstrap, group_id=f"g.{topic}")
    listener = Noting(consumer)
    consumer.subscribe([topic], listener=listener)
    assert consumer.subscription() == {topic}
    assert sorted(polled(consumer, 4)) == [0, 1, 2, 3]
    consumer.close()
    here = threading.current_thread().name
    assert ("assigned", both, here) in listener.told
    assert ("revoked", both, here) in listener.told


def test_topics_are_found_by_a_pattern(bootstrap: str, topic: str) -> None:
    filled(bootstrap, f"{topic}.a", 1)
    filled(bootstrap, f"{topic}.b", 1)
    with reader(bootstrap, group_id=f"g.{topic}") as consumer:
        consumer.subscribe(pattern=rf"{topic}\.[ab]")
        assert polled(consumer, 2) == [0, 0]
        assert f"{topic}.a" in consumer.topics()
        assert consumer.partitions_for_topic(f"{topic}.a") == {0}
        consumer.unsubscribe()
        assert consumer.assignment() == set()
        metrics = consumer.metrics()
        assert metrics["consumer-fetch-manager-metrics"]["records-consumed-total"] == 2


def test_what_cannot_be_subscribed_is_refused(bootstrap: str, topic: str) -> None:
    with reader(bootstrap) as consumer:
        with pytest.raises(TypeError, match="a list of names"):
            consumer.subscribe(topic)
        with pytest.raises(ValueError, match="topics or a pattern"):
            consumer.subscribe()
        with pytest.raises(errors.IllegalStateError, match="not to both"):
            consumer.subscribe([topic], pattern="x")
        with pytest.raises(TypeError, match="on_partitions_revoked"):
            consumer.subscribe([topic], listener=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="TopicPartition"):
            consumer.assign([topic])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="timeout_ms"):
            consumer.poll(timeout_ms=-1)


def test_one_list_is_the_topics(bootstrap: str, topic: str) -> None:
    with reader(bootstrap, [topic]) as consumer:  # type: ignore[arg-type]
        assert consumer.subscription() == {topic}


def test_a_closed_consumer_says_so(bootstrap: str, topic: str) -> None:
    consumer = reader(bootstrap, topic)
    assert consumer.bootstrap_connected()
    assert consumer.bootstrap(refresh=True)
    consumer.close()
    consumer.close()
    with pytest.raises(errors.IllegalStateError, match="closed"):
        consumer.poll()
    assert list(consumer) == []


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell's background jobs, and what they start, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_interrupts_a_poll_that_waits(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 1)
    with reader(bootstrap, topic) as consumer:
        assert polled(consumer, 1) == [0]
        here = threading.main_thread().ident
        assert here is not None
        timer = threading.Timer(0.1, signal.pthread_kill, [here, signal.SIGINT])
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            consumer.poll(timeout_ms=WAIT_MS)
        assert time.monotonic() - began < WAIT_MS / 2000
        timer.join()
        filled(bootstrap, topic, 1)
        assert polled(consumer, 1) == [0]


def test_what_nobody_closed_leaves_its_group(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 1)
    consumer = reader(bootstrap, topic, group_id=f"g.{topic}")
    assert polled(consumer, 1) == [0]
    line = consumer._line
    del consumer
    deadline = time.monotonic() + 10
    while line in loop._process.open and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        found = admin.describe_groups([f"g.{topic}"])[f"g.{topic}"]
        assert found["members"] == []


def test_what_came_already_is_taken_without_the_other_thread(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 9)
    with reader(bootstrap, topic) as consumer:
        values = [int(r.value) for r in consumer.poll(WAIT_MS, 2)[TopicPartition(topic, 0)]]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumer._line.handoff, "run", lambda work: work.close())
            # The other thread is due a turn every now and then; not here, however slow this is.
            patch.setattr(consumer, "_turn_due", time.monotonic() + WAIT_MS)
            for _ in range(3):
                found = consumer.poll(0, 2)
                values += [int(record.value) for record in found[TopicPartition(topic, 0)]]
            assert int(next(consumer).value) == 8
        assert values == list(range(8))
        assert consumer.position(TopicPartition(topic, 0)) == 9


def test_the_other_thread_has_its_turn_every_now_and_then(bootstrap: str, topic: str) -> None:
    """The group hears that somebody polls, though there are always records."""
    filled(bootstrap, topic, 10)
    with reader(bootstrap, topic, group_id=topic) as consumer:
        assert polled(consumer, 1) == list(range(10))
        consumer.seek_to_beginning()
        assert consumer.poll(WAIT_MS, 1)
        membership = consumer._consumer._group.membership
        heard: list[int] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(membership), "polled", lambda self, now_ms: heard.append(now_ms))
            patch.setattr(consumer, "_turn_due", time.monotonic() + WAIT_MS)
            assert consumer.poll(0, 1)
            assert heard == []
            consumer._turn_due = time.monotonic()
            assert consumer.poll(0, 1)
            assert len(heard) == 1
            assert consumer._turn_due > time.monotonic() - WAIT_MS / 1000


def test_a_rebalance_is_not_passed_by(bootstrap: str, topic: str) -> None:
    """Of partitions that may be others' already nothing is handed out before the listener was told."""
    filled(bootstrap, topic, 10)
    with reader(bootstrap, topic, group_id=topic, max_poll_records=2) as consumer:
        assert polled(consumer, 1) == [0, 1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumer, "_turn_due", time.monotonic() + WAIT_MS)
            assert consumer._taken(2)
            consumer._call(lambda: consumer._consumer.enforce_rebalance("a test"))
            assert consumer._taken(2) == {}
        # What was taken behind `poll`'s back was not processed, and comes again.
        assert polled(consumer, 8) == list(range(2, 10))


def test_a_take_that_is_broken_off_loses_nothing(bootstrap: str, topic: str) -> None:
    filled(bootstrap, topic, 10)
    with reader(bootstrap, topic) as consumer:
        values = [int(r.value) for r in consumer.poll(WAIT_MS, 3)[TopicPartition(topic, 0)]]
        take = type(consumer._consumer).take

        def broken_off(self: object, count: int) -> None:
            take(self, count)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(consumer._consumer), "take", broken_off)
            patch.setattr(consumer, "_turn_due", time.monotonic() + WAIT_MS)
            with pytest.raises(KeyboardInterrupt):
                consumer.poll(0, 3)
        assert values + polled(consumer, 7) == list(range(10))
