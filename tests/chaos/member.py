"""One member of a group under faults: `member.py CLIENT BOOTSTRAP TOPIC GROUP FILE`.

Reads until SIGTERM and writes a line to FILE for each record it got, `r partition offset value`, then
commits what it read, and writes `c partition offset` for each partition whose commit was
acknowledged. What is written stays when the process is killed. A commit that fails is counted and
left to the next one: what it was for is committed then, or read by somebody else.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

SESSION_MS: Final = 6_000
HEARTBEAT_MS: Final = 500

Record = tuple[int, int, str]
Positions = dict[int, int]
"""By partition, the offset of the next record."""
Read = Callable[[], list[Record]]
Commit = Callable[[Positions], None]


def kafka_python(bootstrap: str, topic: str, group: str) -> tuple[Read, Commit, Callable[[], Any]]:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.structs import OffsetAndMetadata

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        reconnect_backoff_max_ms=500,
    )

    def read() -> list[Record]:
        batches = consumer.poll(timeout_ms=200, max_records=200)
        return [
            (one.partition, one.offset, one.value.decode().rstrip("."))
            for batch in batches.values()
            for one in batch
        ]

    def commit(positions: Positions) -> None:
        consumer.commit(
            {
                TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
                for partition, offset in positions.items()
            }
        )

    return read, commit, consumer.close


def confluent(bootstrap: str, topic: str, group: str) -> tuple[Read, Commit, Callable[[], Any]]:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "partition.assignment.strategy": "range",
            "reconnect.backoff.max.ms": 500,
        }
    )
    consumer.subscribe([topic])

    def read() -> list[Record]:
        messages = consumer.consume(200, timeout=0.2)
        return [
            (one.partition(), one.offset(), one.value().decode().rstrip("."))
            for one in messages
            if one.error() is None
        ]

    def commit(positions: Positions) -> None:
        offsets = [TopicPartition(topic, part, offset) for part, offset in positions.items()]
        for answer in consumer.commit(offsets=offsets, asynchronous=False):
            if answer.error is not None:
                raise KafkaException(answer.error)

    return read, commit, consumer.close


def batches(read: Read, stop: threading.Event) -> Iterator[list[Record]]:
    while not stop.is_set():
        try:
            records = read()
        except Exception as error:  # noqa: BLE001 - a client's own exceptions are many
            print(f"not read: {error!r}", file=sys.stderr, flush=True)
            continue
        if records:
            yield records


def main() -> None:
    client, bootstrap, topic, group, file = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    make = {"kafka-python": kafka_python, "confluent-kafka": confluent}[client]
    read, commit, close = make(bootstrap, topic, group)
    with open(file, "w") as out:
        for records in batches(read, stop):
            out.writelines(f"r {part} {offset} {value}\n" for part, offset, value in records)
            out.flush()
            positions = {part: offset + 1 for part, offset, _ in records}
            try:
                commit(positions)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing was acknowledged
                print(f"not committed: {error!r}", file=sys.stderr, flush=True)
                continue
            out.writelines(f"c {part} {offset}\n" for part, offset in positions.items())
            out.flush()
    close()


if __name__ == "__main__":
    main()
