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
from typing import Final, NamedTuple, final

HERE: Final = Path(__file__).resolve().parent
TURNS: Final = 3
ROUNDS: Final = 4
CHILD_SECONDS_MAX: Final = 300
BATCH_BYTES: Final = 64 * 1024
LINGER_MS: Final = 5
BUFFER_BYTES: Final = 64 * 1024 * 1024
YIELD_EVERY: Final = 1_000
PARTITIONS: Final = 3
FILLED: Final = 600_000
"""Records of 100 B that consumers read; of larger ones, as many bytes."""

Measure = Callable[["Task"], None]


@final
class Task(NamedTuple):
    """What one process measures. `label`: only this way of the client's; None: all."""

    port: int
    topic: str
    records: int
    size: int
    label: str | None

    def wants(self, label: str) -> bool:
        return self.label in (None, label)


def report(name: str, seconds: list[float], records: int) -> None:
    print(f"{name}\t{min(seconds) / records * 1e6:.3f}", flush=True)


def rounds_of(name: str, task: Task, once: Callable[[], None]) -> None:
    """Measure `once`, which moves the task's records, after one round to warm up."""
    if not task.wants(name):
        return
    seconds = []
    for at in range(ROUNDS + 1):
        before = time.process_time()
        once()
        if at:
            seconds.append(time.process_time() - before)
    report(name, seconds, task.records)


async def async_rounds_of(name: str, task: Task, once: Callable[[], Awaitable[None]]) -> None:
    if not task.wants(name):
        return
    seconds = []
    for at in range(ROUNDS + 1):
        before = time.process_time()
        await once()
        if at:
            seconds.append(time.process_time() - before)
    report(name, seconds, task.records)


# ---- produce


def ours(task: Task) -> None:
    """Three ways: a record at a time from code that may wait, from code that must not, and whole."""
    from ottla.aio.client import Client
    from ottla.aio.producer import Producer
    from ottla.client.metadata import Address
    from ottla.client.options import ConnectionOptions
    from ottla.client.produce.fate import BufferFull
    from ottla.client.produce.options import ProducerOptions

    topic, records, value = task.topic, task.records, b"x" * task.size
    options = ProducerOptions(
        linger_ms=LINGER_MS, batch_size=BATCH_BYTES, buffer_memory=BUFFER_BYTES
    )

    async def work() -> None:
        address = Address("127.0.0.1", task.port)
        async with (
            Client(ConnectionOptions(bootstrap=(address,))) as client,
            Producer(client, options) as producer,
        ):
            await producer.topic(topic)

            async def send() -> None:
                for _ in range(records):
                    await producer.send(topic, value)
                await producer.flush()

            async def append() -> None:
                for number in range(records):
                    try:
                        producer.append(topic, value)
                    except BufferFull:
                        await producer.room()
                        producer.append(topic, value)
                    if not number % YIELD_EVERY:
                        await asyncio.sleep(0)
                await producer.flush()

            async def futures() -> None:
                kept = [await producer.send(topic, value) for _ in range(records)]
                await producer.flush()
                assert all(one.result().offset >= 0 for one in kept)

            async def batches() -> None:
                for _ in range(records // YIELD_EVERY):
                    await producer.send_batch(topic, [value] * YIELD_EVERY)
                await producer.flush()

            for name, once in (
                ("ours, append", append),
                ("ours, send", send),
                ("ours, send, each result read", futures),
                ("ours, send_batch of 1,000", batches),
            ):
                await async_rounds_of(name, task, once)

    asyncio.run(work())


def ours_kafka(task: Task) -> None:
    """`ottla.kafka`: kafka-python's interface."""
    from ottla.kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=f"127.0.0.1:{task.port}",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
        buffer_memory=BUFFER_BYTES,
    )
    topic, records, value = task.topic, task.records, b"x" * task.size

    def once() -> None:
        for _ in range(records):
            producer.send(topic, value)
        producer.flush()

    rounds_of("ours, ottla.kafka", task, once)
    producer.close()


def kafka_python(task: Task) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=f"127.0.0.1:{task.port}",
        acks="all",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
    )
    topic, records, value = task.topic, task.records, b"x" * task.size

    def once() -> None:
        for _ in range(records):
            producer.send(topic, value)
        producer.flush()

    rounds_of("kafka-python", task, once)
    producer.close()


def aiokafka(task: Task) -> None:
    from aiokafka import AIOKafkaProducer

    topic, records, value = task.topic, task.records, b"x" * task.size

    async def work() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{task.port}",
            acks="all",
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            enable_idempotence=True,
        )
        await producer.start()

        async def once() -> None:
            for _ in range(records):
                await producer.send(topic, value)
            await producer.flush()

        await async_rounds_of("aiokafka", task, once)
        await producer.stop()

    asyncio.run(work())


def confluent(task: Task) -> None:
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{task.port}",
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    topic, records, value = task.topic, task.records, b"x" * task.size
    delivered = 0

    def plain() -> None:
        for _ in range(records):
            producer.produce(topic, value)
        producer.flush()

    def count(error: object, message: object) -> None:
        nonlocal delivered
        delivered += error is None

    def called_back() -> None:
        for number in range(records):
            producer.produce(topic, value, on_delivery=count)
            if not number % YIELD_EVERY:
                producer.poll(0)
        producer.flush()

    rounds_of("confluent-kafka", task, plain)
    rounds_of("confluent-kafka, each called back", task, called_back)


PRODUCE: Final[dict[str, tuple[Measure, int]]] = {
    "ours": (ours, 200_000),
    "ours_kafka": (ours_kafka, 200_000),
    "confluent": (confluent, 200_000),
    "aiokafka": (aiokafka, 50_000),
    "kafka_python": (kafka_python, 20_000),
}
"""What to call, and how many records a round has."""

# ---- consume: all partitions of a topic that was filled before, from the beginning, again and again


def ours_consume(task: Task) -> None:
    """Records by poll and one by one, and whole batches, of which the values are taken."""
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.metadata import Address
    from ottla.client.options import ConnectionOptions
    from ottla.types import TopicPartition

    async def work() -> None:
        options = ConnectionOptions(bootstrap=(Address("127.0.0.1", task.port),))
        async with Client(options) as client, Consumer(client, ConsumerOptions()) as consumer:
            consumer.assign(
                [TopicPartition(task.topic, partition) for partition in range(PARTITIONS)]
            )

            async def polled() -> None:
                consumer.seek_to_beginning()
                count = total = 0
                while count < task.records:
                    for some in (await consumer.poll(1_000)).values():
                        count += len(some)
                        for record in some:
                            total += len(record.value or b"")

            async def iterated() -> None:
                records = task.records
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
                while count < task.records:
                    for batch in await consumer.poll_batches(1_000):
                        count += len(batch)
                        total += sum(map(len, batch.values))

            for name, once in (
                ("ours, poll", polled),
                ("ours, async for", iterated),
                ("ours, poll_batches", batches),
            ):
                await async_rounds_of(name, task, once)

    asyncio.run(work())


def drop_in_consume(name: str, module: str, task: Task) -> None:
    """kafka-python's interface, by whoever has it."""
    kafka = importlib.import_module(module)
    consumer = kafka.KafkaConsumer(bootstrap_servers=f"127.0.0.1:{task.port}")
    consumer.assign(
        [kafka.TopicPartition(task.topic, partition) for partition in range(PARTITIONS)]
    )

    def polled() -> None:
        consumer.seek_to_beginning()
        count = total = 0
        while count < task.records:
            for some in consumer.poll(1_000).values():
                count += len(some)
                for record in some:
                    total += len(record.value)

    def iterated() -> None:
        records = task.records
        consumer.seek_to_beginning()
        total = 0
        for count, record in enumerate(consumer, 1):
            total += len(record.value)
            if count >= records:
                return

    rounds_of(f"{name}, poll", task, polled)
    rounds_of(f"{name}, for", task, iterated)
    consumer.close()


def ours_kafka_consume(task: Task) -> None:
    drop_in_consume("ours, ottla.kafka", "ottla.kafka", task)


def kafka_python_consume(task: Task) -> None:
    drop_in_consume("kafka-python", "kafka", task)


def aiokafka_consume(task: Task) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async def work() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{task.port}")
        await consumer.start()
        consumer.assign([TopicPartition(task.topic, partition) for partition in range(PARTITIONS)])

        async def once() -> None:
            await consumer.seek_to_beginning()
            count = total = 0
            while count < task.records:
                for some in (await consumer.getmany(timeout_ms=1_000)).values():
                    count += len(some)
                    for record in some:
                        total += len(record.value)

        await async_rounds_of("aiokafka, getmany", task, once)
        await consumer.stop()

    asyncio.run(work())


def confluent_consume(task: Task) -> None:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{task.port}",
            "group.id": "bench",
            "enable.auto.commit": False,
        }
    )

    def once() -> None:
        consumer.assign(
            [TopicPartition(task.topic, part, OFFSET_BEGINNING) for part in range(PARTITIONS)]
        )
        count = total = 0
        while count < task.records:
            some = consumer.consume(500, timeout=1)
            count += len(some)
            for message in some:
                total += len(message.value())

    rounds_of("confluent-kafka, consume(500)", task, once)
    consumer.close()


CONSUME: Final[dict[str, tuple[Measure, int]]] = {
    "ours": (ours_consume, FILLED),
    "ours_kafka": (ours_kafka_consume, FILLED),
    "confluent": (confluent_consume, FILLED),
    "aiokafka": (aiokafka_consume, FILLED // 12),
    "kafka_python": (kafka_python_consume, FILLED // 30),
}


def fill(port: int, topic: str, size: int, *, varied: bool) -> None:
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
        producer.produce(topic, b"x" * length, partition=number % PARTITIONS)
    producer.flush()


MODES: Final = {"produce": PRODUCE, "consume": CONSUME}


def run_all(mode: str, names: list[str], sizes: list[int], varied: bool) -> None:
    sys.path.insert(0, str(HERE))
    from process import broker
    from wire import create_topics

    for size in sizes:
        with tempfile.TemporaryDirectory() as data, broker(Path(data)) as process:
            with process.connect() as connection:
                create_topics(connection, [mode], PARTITIONS)
            if mode == "consume":
                fill(process.port, mode, size, varied=varied)
            print(f"{mode}, {size:,} B: us of CPU per record", flush=True)
            # In turns, so that what else the machine does meets everybody.
            least: dict[str, float] = {}
            for _ in range(TURNS):
                for name in names:
                    for label, figure in figures_of(mode, name, size, process.port, mode).items():
                        least[label] = min(figure, least.get(label, figure))
            for label, figure in least.items():
                print(f"  {label:<36}{figure:>8.3f}", flush=True)


def figures_of(
    mode: str,
    name: str,
    size: int,
    port: int,
    topic: str,
    *,
    label: str | None = None,
    python: Sequence[str] = (sys.executable,),
) -> dict[str, float]:
    """What one client measured of itself, by label (None: of all its ways)."""
    command = [*python, __file__, mode, "--child", name]
    command += ["--bytes", str(size), "--port", str(port), "--topic", topic]
    if label is not None:
        command += ["--label", label]
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
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    parser.add_argument("--label", help=argparse.SUPPRESS)
    args = parser.parse_args()
    clients = MODES[args.mode]
    sizes = [int(size) for size in args.bytes.split(",")]
    if args.child:
        measure, records = clients[args.child]
        # A tenth of the records where each is ten times as long.
        (size,) = sizes
        count = max(1_000, records * 100 // max(100, size))
        measure(Task(args.port, args.topic, count, size, args.label))
        return
    os.chdir(HERE.parent)
    run_all(args.mode, args.only.split(",") if args.only else list(clients), sizes, args.varied)


if __name__ == "__main__":
    main()
