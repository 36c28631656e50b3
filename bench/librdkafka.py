"""How much goes through with librdkafka's client, and what does it cost the broker?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from peer import Peer
from process import BrokerProcess
from question import Answer, Figure, Question, Round, main
from wire import delete_topic, make_topic

LINGER_MS: Final = 5
SIZES: Final = {100: 200_000, 1_000: 50_000}
"""Bytes of a record: how many a round has."""
READ_BYTES: Final = 1_000
EMPTY_SECONDS_MAX: Final = 10


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    numbers = count()
    keeps_all = peer.title != "librdkafka's mock"

    def once() -> Answer:
        answer: dict[str, float] = {}
        for size, records in SIZES.items():
            topic = f"records-{next(numbers)}"
            begin = make_topic(connection, topic)
            wall_s, cpu_s = timed_produce(process, topic, size, records)
            answer[f"produce, {size:,} B: rate"] = records / wall_s
            answer[f"produce, {size:,} B: broker's CPU"] = cpu_s / (records * size) * 1e9
            if size == READ_BYTES and keeps_all:
                wall_s, cpu_s = timed_consume(process, topic, begin, records)
                answer[f"consume, {size:,} B: rate"] = records / wall_s
                answer[f"consume, {size:,} B: broker's CPU"] = cpu_s / (records * size) * 1e9
            delete_topic(connection, topic)
        return answer

    with peer.running(place) as process, process.connect() as connection:
        yield once


def timed_produce(
    process: BrokerProcess, topic: str, size: int, records: int
) -> tuple[float, float]:
    """Seconds by the clock and of the broker's CPU until the last acknowledgment."""
    producer = Producer(
        {
            "bootstrap.servers": process.bootstrap,
            "linger.ms": LINGER_MS,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.list_topics(topic, timeout=10)
    value = b"x" * size
    cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
    for _ in range(records):
        producer.produce(topic, value, partition=0)
    left = producer.flush(60)
    assert left == 0, f"{left} records were not acknowledged"
    return time.perf_counter() - wall_s, process.cpu_seconds() - cpu_s


def timed_consume(
    process: BrokerProcess, topic: str, begin: int, records: int
) -> tuple[float, float]:
    """The same, from the assignment to the last record."""
    consumer = Consumer(
        {
            "bootstrap.servers": process.bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
        }
    )
    cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
    consumer.assign([TopicPartition(topic, 0, begin)])
    seen = 0
    while seen < records:
        some = consumer.consume(1_000, timeout=EMPTY_SECONDS_MAX)
        assert some, f"only {seen} records came"
        seen += len(some)
    wall_s, cpu_s = time.perf_counter() - wall_s, process.cpu_seconds() - cpu_s
    consumer.close()
    return wall_s, cpu_s


def figures() -> Iterator[Figure]:
    for what in (*(f"produce, {size:,} B" for size in SIZES), f"consume, {READ_BYTES:,} B"):
        yield Figure(name=f"{what}: rate", unit="records/s", more_is_better=True)
        yield Figure(name=f"{what}: broker's CPU", unit="s/GB")


QUESTION: Final = Question(
    name="librdkafka",
    title="Throughput with librdkafka's client",
    how=(
        f"confluent-kafka with acks=all and {LINGER_MS} ms of linger into one partition, then out of it; "
        + ", ".join(f"{records:,} records of {size:,} bytes" for size, records in SIZES.items())
        + " a round. The client has a core of its own, and may be what limits the rate."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
