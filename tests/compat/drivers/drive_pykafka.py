"""pykafka, which speaks the protocol of Kafka 0.8 and 0.9 (`contract.py`): no headers, no timestamps."""

from __future__ import annotations

import time
from typing import Any

from contract import CONSUME_SECONDS_MAX, Request, serve, to_bytes, to_text
from pykafka import KafkaClient
from pykafka.common import CompressionType, OffsetType

CODECS = {
    "none": CompressionType.NONE,
    "gzip": CompressionType.GZIP,
    "snappy": CompressionType.SNAPPY,
}
SEND_SECONDS_MAX = 30


def topic_of(bootstrap: str, request: Request) -> Any:
    client = KafkaClient(hosts=bootstrap, broker_version="0.9.0")
    return client.topics[request["topic"].encode()]


def produce(bootstrap: str, request: Request) -> list[Request]:
    placed: list[Request] = []
    wanted = {record["partition"] for record in request["records"]}
    (partition,) = wanted  # the harness asks for one at a time
    with topic_of(bootstrap, request).get_producer(
        partitioner=lambda partitions, key: next(p for p in partitions if p.id == partition),
        compression=CODECS[request["codec"]],
        delivery_reports=True,
        linger_ms=5,
        required_acks=-1,
    ) as producer:
        for record in request["records"]:
            producer.produce(to_bytes(record["value"]), partition_key=to_bytes(record["key"]))
        for _ in request["records"]:
            message, error = producer.get_delivery_report(timeout=SEND_SECONDS_MAX)
            if error is not None:
                raise error
            placed.append({"partition": message.partition_id, "offset": message.offset})
    return sorted(placed, key=lambda one: one["offset"])


def consume(bootstrap: str, request: Request) -> list[Request]:
    topic = topic_of(bootstrap, request)
    starts = {int(number): offset for number, offset in request["starts"].items()}
    partitions = [topic.partitions[number] for number in starts]
    consumer = topic.get_simple_consumer(
        partitions=partitions, consumer_timeout_ms=1_000, auto_start=True
    )
    records: list[Request] = []
    deadline = time.monotonic() + CONSUME_SECONDS_MAX
    try:
        # pykafka names the last offset that was read, and a negative one is a time.
        consumer.reset_offsets(
            [
                (part, starts[part.id] - 1 if starts[part.id] else OffsetType.EARLIEST)
                for part in partitions
            ]
        )
        while len(records) < request["count"] and time.monotonic() < deadline:
            message = consumer.consume()
            if message is not None:
                records.append(
                    {
                        "partition": message.partition_id,
                        "offset": message.offset,
                        "timestamp": None,
                        "key": to_text(message.partition_key),
                        "value": to_text(message.value),
                        "headers": [],
                    }
                )
    finally:
        consumer.stop()
    return records


serve({"produce": produce, "consume": consume})
