"""The producer against a broker over loopback, and what it refuses without one."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from ottla.client.reach import Unreachable
from ottla.kafka import errors, loop
from ottla.kafka.admin import KafkaAdminClient, NewTopic
from ottla.kafka.cluster import ClusterMetadata
from ottla.kafka.partitioner import Partitioner
from ottla.kafka.producer import KafkaProducer
from ottla.kafka.producer.future import RecordMetadata
from ottla.kafka.structs import ProducerRecord, TopicPartition

SECONDS_MAX = 10


@pytest.fixture(scope="module")
def producer(bootstrap: str) -> Iterator[KafkaProducer]:
    with KafkaProducer(bootstrap_servers=bootstrap) as made:
        yield made


def test_a_record_is_where_its_future_says(producer: KafkaProducer, topic: str) -> None:
    future = producer.send(topic, b"value", key=b"k", headers=[("h", b"123")], timestamp_ms=77)
    found = future.get(SECONDS_MAX)
    place = TopicPartition(topic, 0)
    assert found == RecordMetadata(topic, 0, place, 0, 77, None, 1, 5, 4)
    assert future.is_done
    assert future.succeeded()
    assert not future.failed()
    assert future.value == found
    assert future.exception is None
    assert repr(future) == (
        f"<ottla.kafka.producer.future.FutureRecordMetadata for {topic}-0: at offset 0>"
    )
    assert producer.send(topic, b"v").get(SECONDS_MAX).offset == 1


def test_a_record_may_come_in_one_piece(
    producer: KafkaProducer, bootstrap: str, topic: str
) -> None:
    """Where the topic is known or not, and through serializers or past them."""
    for _ in range(2):
        found = producer.send(topic, ProducerRecord(b"key", b"value", 77)).get(SECONDS_MAX)
        assert (found.timestamp, found.serialized_key_size, found.serialized_value_size) == (
            77,
            3,
            5,
        )
    with KafkaProducer(bootstrap_servers=bootstrap, value_serializer=str.encode) as own:
        sent = own.send(topic, ProducerRecord(key=None, value="text"), partition=0)
        assert sent.get(SECONDS_MAX).serialized_value_size == 4
    with pytest.raises(TypeError, match="value has to be bytes"):
        producer.send(topic, ProducerRecord(None, "text"))


def test_a_future_tells_how_far_its_record_is(bootstrap: str, topic: str) -> None:
    with KafkaProducer(bootstrap_servers=bootstrap, linger_ms=60_000, acks=0) as producer:
        future = producer.send(topic, b"v", partition=0)
        assert repr(future).endswith(f"FutureRecordMetadata for {topic}-0: on its way>")
        producer.flush(SECONDS_MAX)
        assert repr(future).endswith(f"FutureRecordMetadata for {topic}-0: sent>")
        large = producer.send(topic, b"v" * 2_000_000, partition=0)
        assert f"FutureRecordMetadata for {topic}-0: failed, a record for " in repr(large)


def test_callbacks_run_in_order_and_may_raise(
    producer: KafkaProducer, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[object] = []
    ended = threading.Event()
    future = producer.send(topic, b"v")
    future.add_callback(lambda: None)  # takes no value: raises, and is logged
    future.add_callback(lambda mark, found, end: told.append((mark, found.offset, end)), 1, end=2)
    future.add_errback(lambda error: told.append(error))
    future.add_both(lambda _: ended.set())
    producer.flush(SECONDS_MAX)
    assert ended.wait(SECONDS_MAX)
    assert told == [(1, 0, 2)]
    assert "a delivery callback raised" in caplog.text
    late = producer.send(topic, b"v")
    late.get(SECONDS_MAX)
    late.add_callback(lambda found: told.append(found.offset))
    assert told[-1] == 1


def test_a_callback_that_would_wait_for_itself_is_told(producer: KafkaProducer, topic: str) -> None:
    problems: list[Exception] = []
    ended = threading.Event()
    producer.send(topic, b"v").get(SECONDS_MAX)

    def sends_and_waits(_: object) -> None:
        try:
            producer.send(topic, b"again").get(SECONDS_MAX)
        except errors.IllegalStateError as error:
            problems.append(error)
        ended.set()

    producer.send(topic, b"v").add_callback(sends_and_waits)
    assert ended.wait(SECONDS_MAX)
    assert "would wait for itself" in str(problems[0])


def test_values_are_serialized_with_their_topic(bootstrap: str, topic: str) -> None:
    class Named:
        def serialize(self, topic: str, value: object) -> bytes:
            return f"{topic}/{value}".encode()

    with KafkaProducer(
        bootstrap_servers=bootstrap,
        value_serializer=Named(),
        key_serializer=lambda key: None if key is None else str(key).encode(),
    ) as producer:
        found = producer.send(topic, 5, key=12).get(SECONDS_MAX)
        assert found.serialized_value_size == len(f"{topic}/5")
        assert found.serialized_key_size == 2
        assert producer.send(topic, 5).get(SECONDS_MAX).serialized_key_size == -1


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"value": "text"}, TypeError, "give a key_serializer or value_serializer"),
        ({"value": None}, ValueError, "a key or a value"),
        ({"value": b"v", "partition": 88}, ValueError, "no partition 88"),
        ({"value": b"v", "headers": [("a", "b")]}, TypeError, "header"),
        ({"value": b"v", "topic": "a b"}, ValueError, "letters, digits"),
        ({"value": b"v", "topic": None}, TypeError, "a name is expected"),
    ],
)
def test_what_is_no_record_is_refused_on_the_spot(
    producer: KafkaProducer,
    topic: str,
    arguments: dict[str, object],
    kind: type[Exception],
    words: str,
) -> None:
    producer.send(topic, b"v").get(SECONDS_MAX)
    with pytest.raises(kind, match=words):
        producer.send(**{"topic": topic, **arguments})  # type: ignore[arg-type]


def test_a_record_that_is_too_large_is_a_failed_future(producer: KafkaProducer, topic: str) -> None:
    producer.send(topic, b"v").get(SECONDS_MAX)
    future = producer.send(topic, b"v" * 2_000_000)
    assert future.failed()
    with pytest.raises(errors.MessageSizeTooLargeError, match="max_request_size is 1,048,576"):
        future.get(0)
    assert isinstance(future.exception, errors.MessageSizeTooLargeError)
    assert future.exception.topic_partition == TopicPartition(topic, -1)
    told: list[Exception] = []
    future.add_errback(told.append)
    assert len(told) == 1


def test_partitioners_of_both_generations_choose(bootstrap: str, topic: str) -> None:
    class Last(Partitioner):
        def partition(
            self,
            topic: str,
            key: object,
            serialized_key: bytes | None,
            value: object,
            serialized_value: bytes | None,
            cluster: ClusterMetadata,
        ) -> int:
            return max(cluster.partitions_for_topic(topic) or ())

    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics([NewTopic(topic, 3, 1)])
    with KafkaProducer(bootstrap_servers=bootstrap, partitioner=Last()) as producer:
        assert producer.send(topic, b"v").get(SECONDS_MAX).partition == 2
        assert producer.partitions_for(topic) == {0, 1, 2}
    with KafkaProducer(
        bootstrap_servers=bootstrap, partitioner=lambda key, every, available: every[1]
    ) as producer:
        assert producer.send(topic, b"v").get(SECONDS_MAX).partition == 1
        assert producer.send(topic, b"v", partition=0).get(SECONDS_MAX).partition == 0


def test_threads_share_a_producer(bootstrap: str, topic: str) -> None:
    with KafkaProducer(bootstrap_servers=bootstrap, linger_ms=1) as producer:
        producer.send(topic, b"v").get(SECONDS_MAX)

        def send() -> None:
            for _ in range(500):
                producer.send(topic, b"v")

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        producer.flush(SECONDS_MAX)
        assert producer.metrics()["producer-metrics"]["record-send-total"] == 2_001


def test_a_full_buffer_blocks_no_longer_than_it_may(bootstrap: str, topic: str) -> None:
    with KafkaProducer(
        bootstrap_servers=bootstrap,
        buffer_memory=30_000,
        batch_size=10_000,
        max_block_ms=SECONDS_MAX * 1000,
    ) as producer:
        futures = [producer.send(topic, b"v" * 1_000) for _ in range(200)]
        assert [one.get(SECONDS_MAX).offset for one in futures] == list(range(200))


def test_transactions_are_not_there(producer: KafkaProducer) -> None:
    for method in (
        producer.init_transactions,
        producer.begin_transaction,
        producer.commit_transaction,
        producer.abort_transaction,
    ):
        with pytest.raises(errors.IllegalStateError, match="without transactional_id"):
            method()
    with pytest.raises(errors.KafkaConfigurationError, match="no transactions"):
        KafkaProducer(transactional_id="t")


# ---- life


def test_a_closed_producer_says_so(bootstrap: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    assert producer.bootstrap_connected()
    producer.close()
    producer.close()
    assert not producer.bootstrap_connected()
    for ask in (lambda: producer.send(topic, b"v"), producer.flush):
        with pytest.raises(errors.IllegalStateError, match="closed"):
            ask()


def test_close_says_what_it_could_not_deliver(
    bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=60_000, batch_size=1_000_000)
    producer.partitions_for(topic)

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(3600)

    # Nothing leaves any more: the broker takes nothing.
    client = producer._line.session.client
    client.post = lambda *_, **__: None  # type: ignore[method-assign]
    client.ready = never  # type: ignore[method-assign]
    for _ in range(3):
        producer.send(topic, b"v")
    with pytest.raises(errors.KafkaTimeoutError, match=f"of topic '{topic}'"):
        producer.close(timeout=0.05)
    assert "not delivered" in caplog.text


def test_a_wait_that_is_too_short_says_what_stands_in_the_way(bootstrap: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, delivery_timeout_ms=2_000)
    producer.partitions_for(topic)
    client = producer._line.session.client

    def unreachable(*_: object, **__: object) -> None:
        raise Unreachable("broker.example:9092", "connection refused")

    client.post = unreachable  # type: ignore[assignment]
    future = producer.send(topic, b"v")
    with pytest.raises(errors.KafkaTimeoutError, match=r"broker\.example:9092 cannot be reached"):
        future.get(0.3)
    assert not future.is_done
    with pytest.raises(errors.KafkaTimeoutError, match="not delivered"):
        future.get(SECONDS_MAX)
    producer.close()


def test_what_nobody_closed_is_sent_all_the_same(bootstrap: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50)
    future = producer.send(topic, b"v")
    line = producer._line
    del producer
    assert future.get(SECONDS_MAX).offset == 0
    deadline = time.monotonic() + SECONDS_MAX
    while line in loop._process.open and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert line not in loop._process.open


def test_at_exit_the_buffer_is_emptied(bootstrap: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=60_000)
    future = producer.send(topic, b"v")
    loop.loop_thread().run(producer._line.at_exit())
    assert future.succeeded()
    producer._closed = True


def test_a_body_that_raises_is_not_masked(
    bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    futures = []

    def fails() -> None:
        with KafkaProducer(bootstrap_servers=bootstrap) as producer:
            futures.append(producer.send(topic, b"v"))
            raise KeyError("x")

    with pytest.raises(KeyError):
        fails()
    assert futures[0].is_done


def test_an_unknown_topic_is_named_when_brokers_make_none(bootstrap: str, topic: str) -> None:
    with KafkaProducer(
        bootstrap_servers=bootstrap, allow_auto_create_topics=False, max_block_ms=200
    ) as producer:
        with pytest.raises(errors.KafkaError) as raised:
            producer.send(topic, b"v")
        assert topic in str(raised.value)
        assert raised.value.retriable
