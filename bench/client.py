"""What does a record cost its client?  Prints µs of CPU per record, all threads, for ours and others.

Each client runs in a process of its own against the same `ottla serve`; CPU is the whole process's
between a warm start and the last acknowledgment, the least of several rounds. All get the same
settings: acks=all, batches of 64 KiB, 5 ms of linger, no compression, three partitions, no keys.

    python bench/client.py produce                   every client, 100 B and 1,000 B
    python bench/client.py produce --only ours,confluent --bytes 100
    python bench/client.py consume                   the same for reading, of values of equal size
    python bench/client.py consume --varied          of values from half to one and a half of it
"""

import argparse
import asyncio
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TURNS: Final = 3
ROUNDS: Final = 4
CHILD_SECONDS_MAX: Final = 300
BATCH_BYTES: Final = 64 * 1024
LINGER_MS: Final = 5
BUFFER_BYTES: Final = 64 * 1024 * 1024
TOPIC: Final = "bench"
YIELD_EVERY: Final = 1_000
PARTITIONS: Final = 3
FILLED: Final = 600_000
"""Records of 100 B that consumers read; of larger ones, as many bytes."""

Round = Callable[[int, bytes], Awaitable[None]]
Measure = Callable[[int, int, int], None]


def report(name: str, seconds: list[float], records: int) -> None:
    print(f"{name}\t{min(seconds) / records * 1e6:.3f}", flush=True)


def rounds_of(name: str, records: int, once: Callable[[], None]) -> None:
    """Measure `once`, which moves so many records, after one round to warm up."""
    seconds = []
    for at in range(ROUNDS + 1):
        before = time.process_time()
        once()
        if at:
            seconds.append(time.process_time() - before)
    report(name, seconds, records)


async def async_rounds_of(name: str, records: int, once: Callable[[], Awaitable[None]]) -> None:
    seconds = []
    for at in range(ROUNDS + 1):
        before = time.process_time()
        await once()
        if at:
            seconds.append(time.process_time() - before)
    report(name, seconds, records)


# ---- produce


def ours(port: int, records: int, size: int) -> None:
    """Three ways: a record at a time from code that may wait, from code that must not, and whole."""
    from ottla.aio.client import Client
    from ottla.aio.producer import Producer
    from ottla.client.metadata import Address
    from ottla.client.options import ConnectionOptions
    from ottla.client.produce.fate import BufferFull
    from ottla.client.produce.options import ProducerOptions

    value = b"x" * size
    options = ProducerOptions(
        linger_ms=LINGER_MS, batch_size=BATCH_BYTES, buffer_memory=BUFFER_BYTES
    )

    async def work() -> None:
        address = Address("127.0.0.1", port)
        async with (
            Client(ConnectionOptions(bootstrap=(address,))) as client,
            Producer(client, options) as producer,
        ):
            await producer.topic(TOPIC)

            async def send() -> None:
                for _ in range(records):
                    await producer.send(TOPIC, value)
                await producer.flush()

            async def append() -> None:
                for number in range(records):
                    try:
                        producer.append(TOPIC, value)
                    except BufferFull:
                        await producer.room()
                        producer.append(TOPIC, value)
                    if not number % YIELD_EVERY:
                        await asyncio.sleep(0)
                await producer.flush()

            async def futures() -> None:
                kept = [await producer.send(TOPIC, value) for _ in range(records)]
                await producer.flush()
                assert all(one.result().offset >= 0 for one in kept)

            async def batches() -> None:
                for _ in range(records // YIELD_EVERY):
                    await producer.send_batch(TOPIC, [value] * YIELD_EVERY)
                await producer.flush()

            for name, once in (
                ("ours, append", append),
                ("ours, send", send),
                ("ours, send, each result read", futures),
                ("ours, send_batch of 1,000", batches),
            ):
                await async_rounds_of(name, records, once)

    asyncio.run(work())


def ours_kafka(port: int, records: int, size: int) -> None:
    """`ottla.kafka`: kafka-python's interface."""
    from ottla.kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=f"127.0.0.1:{port}",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
        buffer_memory=BUFFER_BYTES,
    )
    value = b"x" * size

    def once() -> None:
        for _ in range(records):
            producer.send(TOPIC, value)
        producer.flush()

    rounds_of("ours, ottla.kafka", records, once)
    producer.close()


def kafka_python(port: int, records: int, size: int) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=f"127.0.0.1:{port}",
        acks="all",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
    )
    value = b"x" * size

    def once() -> None:
        for _ in range(records):
            producer.send(TOPIC, value)
        producer.flush()

    rounds_of("kafka-python", records, once)
    producer.close()


def aiokafka(port: int, records: int, size: int) -> None:
    from aiokafka import AIOKafkaProducer

    value = b"x" * size

    async def work() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{port}",
            acks="all",
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            enable_idempotence=True,
        )
        await producer.start()

        async def once() -> None:
            for _ in range(records):
                await producer.send(TOPIC, value)
            await producer.flush()

        await async_rounds_of("aiokafka", records, once)
        await producer.stop()

    asyncio.run(work())


def confluent(port: int, records: int, size: int) -> None:
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    value = b"x" * size
    delivered = 0

    def plain() -> None:
        for _ in range(records):
            producer.produce(TOPIC, value)
        producer.flush()

    def count(error: object, message: object) -> None:
        nonlocal delivered
        delivered += error is None

    def called_back() -> None:
        for number in range(records):
            producer.produce(TOPIC, value, on_delivery=count)
            if not number % YIELD_EVERY:
                producer.poll(0)
        producer.flush()

    rounds_of("confluent-kafka", records, plain)
    rounds_of("confluent-kafka, each called back", records, called_back)


PRODUCE: Final[dict[str, tuple[Measure, int]]] = {
    "ours": (ours, 200_000),
    "ours_kafka": (ours_kafka, 200_000),
    "confluent": (confluent, 200_000),
    "aiokafka": (aiokafka, 50_000),
    "kafka_python": (kafka_python, 20_000),
}
"""What to call, and how many records a round has."""

# ---- consume: all partitions of a topic that was filled before, from the beginning, again and again


def ours_consume(port: int, records: int, size: int) -> None:
    """Records by poll and one by one, and whole batches, of which the values are taken."""
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.metadata import Address
    from ottla.client.options import ConnectionOptions
    from ottla.types import TopicPartition

    async def work() -> None:
        options = ConnectionOptions(bootstrap=(Address("127.0.0.1", port),))
        async with Client(options) as client, Consumer(client, ConsumerOptions()) as consumer:
            consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])

            async def polled() -> None:
                consumer.seek_to_beginning()
                count = total = 0
                while count < records:
                    for some in (await consumer.poll(1_000)).values():
                        count += len(some)
                        for record in some:
                            total += len(record.value or b"")

            async def iterated() -> None:
                consumer.seek_to_beginning()
                count = total = 0
                async for record in consumer:
                    total += len(record.value or b"")
                    count += 1
                    if count >= records:
                        return

            async def batches() -> None:
                consumer.seek_to_beginning()
                count = total = 0
                while count < records:
                    for batch in await consumer.poll_batches(1_000):
                        count += len(batch)
                        total += sum(map(len, batch.values))

            for name, once in (
                ("ours, poll", polled),
                ("ours, async for", iterated),
                ("ours, poll_batches", batches),
            ):
                await async_rounds_of(name, records, once)

    asyncio.run(work())


def drop_in_consume(name: str, module: str, port: int, records: int) -> None:
    """kafka-python's interface, by whoever has it."""
    kafka = importlib.import_module(module)
    consumer = kafka.KafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}")
    consumer.assign([kafka.TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])

    def polled() -> None:
        consumer.seek_to_beginning()
        count = total = 0
        while count < records:
            for some in consumer.poll(1_000).values():
                count += len(some)
                for record in some:
                    total += len(record.value)

    def iterated() -> None:
        consumer.seek_to_beginning()
        total = 0
        for count, record in enumerate(consumer, 1):
            total += len(record.value)
            if count >= records:
                return

    rounds_of(f"{name}, poll", records, polled)
    rounds_of(f"{name}, for", records, iterated)
    consumer.close()


def ours_kafka_consume(port: int, records: int, size: int) -> None:
    drop_in_consume("ours, ottla.kafka", "ottla.kafka", port, records)


def kafka_python_consume(port: int, records: int, size: int) -> None:
    drop_in_consume("kafka-python", "kafka", port, records)


def aiokafka_consume(port: int, records: int, size: int) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async def work() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}")
        await consumer.start()
        consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])

        async def once() -> None:
            await consumer.seek_to_beginning()
            count = total = 0
            while count < records:
                for some in (await consumer.getmany(timeout_ms=1_000)).values():
                    count += len(some)
                    for record in some:
                        total += len(record.value)

        await async_rounds_of("aiokafka, getmany", records, once)
        await consumer.stop()

    asyncio.run(work())


def confluent_consume(port: int, records: int, size: int) -> None:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "group.id": "bench",
            "enable.auto.commit": False,
        }
    )

    def once() -> None:
        consumer.assign(
            [TopicPartition(TOPIC, part, OFFSET_BEGINNING) for part in range(PARTITIONS)]
        )
        count = total = 0
        while count < records:
            some = consumer.consume(500, timeout=1)
            count += len(some)
            for message in some:
                total += len(message.value())

    rounds_of("confluent-kafka, consume(500)", records, once)
    consumer.close()


CONSUME: Final[dict[str, tuple[Measure, int]]] = {
    "ours": (ours_consume, FILLED),
    "ours_kafka": (ours_kafka_consume, FILLED),
    "confluent": (confluent_consume, FILLED),
    "aiokafka": (aiokafka_consume, FILLED // 12),
    "kafka_python": (kafka_python_consume, FILLED // 30),
}


def fill(port: int, size: int, varied: bool) -> None:
    """The topic has what every consumer then reads."""
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for number in range(max(1_000, FILLED * 100 // max(100, size))):
        # The same sizes in every run, from half to one and a half.
        length = size // 2 + number * 7919 % (size + 1) if varied else size
        producer.produce(TOPIC, b"x" * length, partition=number % PARTITIONS)
    producer.flush()


MODES: Final = {"produce": PRODUCE, "consume": CONSUME}


def run_all(mode: str, names: list[str], sizes: list[int], varied: bool) -> None:
    sys.path.insert(0, str(HERE))
    from process import broker
    from wire import create_topics

    for size in sizes:
        with tempfile.TemporaryDirectory() as data, broker(Path(data)) as process:
            with process.connect() as connection:
                create_topics(connection, [TOPIC], PARTITIONS)
            if mode == "consume":
                fill(process.port, size, varied)
            print(f"{mode}, {size:,} B: us of CPU per record", flush=True)
            # In turns, so that what else the machine does meets everybody.
            least: dict[str, float] = {}
            for _ in range(TURNS):
                for name in names:
                    for label, figure in figures_of(mode, name, size, process.port).items():
                        least[label] = min(figure, least.get(label, figure))
            for label, figure in least.items():
                print(f"  {label:<36}{figure:>8.3f}", flush=True)


def figures_of(
    mode: str, name: str, size: int, port: int, *, python: Sequence[str] = (sys.executable,)
) -> dict[str, float]:
    """What one client measured of itself, by label."""
    command = [*python, __file__, mode, "--child", name]
    command += ["--bytes", str(size), "--port", str(port)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=CHILD_SECONDS_MAX, check=False
    )
    if done.returncode:
        print(f"  {name:<36}  failed: {done.stderr.strip()[-300:]}", flush=True)
    return {
        label: float(figure)
        for label, figure in (line.split("\t") for line in done.stdout.splitlines())
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--only", help="names with commas")
    parser.add_argument("--bytes", help="sizes with commas", default="100,1000")
    parser.add_argument("--varied", action="store_true", help="consume: values of many sizes")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    clients = MODES[args.mode]
    sizes = [int(size) for size in args.bytes.split(",")]
    if args.child:
        measure, records = clients[args.child]
        # A tenth of the records where each is ten times as long.
        measure(args.port, max(1_000, records * 100 // max(100, sizes[0])), sizes[0])
        return
    os.chdir(HERE.parent)
    run_all(args.mode, args.only.split(",") if args.only else list(clients), sizes, args.varied)


if __name__ == "__main__":
    main()
