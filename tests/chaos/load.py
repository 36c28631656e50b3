"""One idempotent producer under a dying broker: `load.py CLIENT BOOTSTRAP TOPIC PARTITIONS RATE FILE`.

Sends numbered values, one partition after the other, at about RATE records a second until SIGTERM,
and writes one line to FILE for each record the broker acknowledged: `partition offset value`. Then
it waits for what is still under way and ends with a line `end SENT FAILED`. The client is left to
its own retries: an error it reports is counted, never repaired.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

DELIVERY_MS: Final = 120_000
FLUSH_SECONDS: Final = 90
TICK_SECONDS: Final = 0.01
PADDING: Final = "." * 80


class Ledger:
    """What was acknowledged, on disk line by line; callbacks come from the client's threads."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self.failed = 0

    def acknowledged(self, partition: int, offset: int, value: str) -> None:
        with self._lock:
            self._out.write(f"{partition} {offset} {value}\n")

    def refused(self, reason: object) -> None:
        with self._lock:
            self.failed += 1
        print(f"not delivered: {reason}", file=sys.stderr, flush=True)

    def flush(self) -> None:
        with self._lock:
            self._out.flush()


Send = Callable[[int, str], None]
Finish = Callable[[], None]


def kafka_python(
    bootstrap: str, topic: str, ledger: Ledger
) -> tuple[Send, Callable[[], Any], Finish]:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=5,
        delivery_timeout_ms=DELIVERY_MS,
        request_timeout_ms=10_000,
        max_block_ms=DELIVERY_MS,
    )

    def send(partition: int, value: str) -> None:
        future = producer.send(topic, value=(value + PADDING).encode(), partition=partition)
        future.add_callback(lambda done: ledger.acknowledged(partition, done.offset, value))
        future.add_errback(ledger.refused)

    return send, lambda: None, lambda: producer.flush(FLUSH_SECONDS)


def confluent(bootstrap: str, topic: str, ledger: Ledger) -> tuple[Send, Callable[[], Any], Finish]:
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "delivery.timeout.ms": DELIVERY_MS,
            "reconnect.backoff.max.ms": 500,
        }
    )

    def send(partition: int, value: str) -> None:
        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                ledger.refused(error)
            else:
                ledger.acknowledged(message.partition(), message.offset(), value)

        payload = (value + PADDING).encode()
        producer.produce(topic, value=payload, partition=partition, on_delivery=delivered)

    return send, lambda: producer.poll(0), lambda: producer.flush(FLUSH_SECONDS)


def main() -> None:
    client, bootstrap, topic, partitions, rate, file = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open(file, "w") as out:
        ledger = Ledger(out)
        make = {"kafka-python": kafka_python, "confluent-kafka": confluent}[client]
        send, poll, finish = make(bootstrap, topic, ledger)
        sent = 0
        started = time.monotonic()
        while not stop.is_set():
            due = int((time.monotonic() - started) * int(rate))
            while sent < due and not stop.is_set():
                try:
                    send(sent % int(partitions), f"{client}:{sent}")
                except BufferError:  # librdkafka's queue is full while the broker is away
                    break
                sent += 1
            poll()
            ledger.flush()
            time.sleep(TICK_SECONDS)
        finish()
        ledger.flush()
        out.write(f"end {sent} {ledger.failed}\n")


if __name__ == "__main__":
    main()
