"""The consumer against a real broker, over a line that is cut at any byte, in either direction."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.client import Client
from ottla.aio.consumer import Consumer
from ottla.aio.producer import Producer
from ottla.client.consume.options import ConsumerOptions
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.produce.options import ProducerOptions
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved
from ottla.types import TopicPartition
from tests.unit.aio.test_producer_on_bad_lines import Line
from tests.unit.cli.test_config import free_port

SECONDS_MAX = 50
RECORDS = 400
PARTITIONS = 2


def over_a_bad_line(
    directory: Path, seed: int, work: Callable[[ConnectionOptions, Line], Awaitable[None]]
) -> None:
    """The topic `t` has records "0.…", "1.…", … in the order of their offsets, in each partition."""

    async def run() -> None:
        draw = random.Random(seed)
        inner, outer = free_port(), free_port()
        given = {
            "listeners": Resolved(f"PLAINTEXT://127.0.0.1:{inner}"),
            "advertised.listeners": Resolved(f"PLAINTEXT://127.0.0.1:{outer}"),
            "log.dirs": Resolved(str(directory)),
            "num.partitions": Resolved(str(PARTITIONS)),
            "offsets.topic.num.partitions": Resolved("1"),
            "group.initial.rebalance.delay.ms": Resolved("0"),
            "group.min.session.timeout.ms": Resolved("100"),
        }
        broker = Broker(broker_settings(given), given=given)
        await broker.start()
        line = Line(inner, draw)
        await line.start(outer)
        options = ConnectionOptions(
            bootstrap=(Address("127.0.0.1", outer),),
            request_ms_max=2_000,
            retry_backoff_ms=1,
            retry_backoff_ms_max=5,
            reconnect_backoff_ms=1,
            reconnect_backoff_ms_max=5,
        )
        try:
            line.is_good = True
            async with (
                Client(options) as client,
                Producer(client, ProducerOptions(batch_size=500)) as producer,
            ):
                for number in range(RECORDS):
                    value = b"%d." % (number // PARTITIONS) + b"." * draw.randrange(200)
                    await producer.send("t", value, partition=number % PARTITIONS)
            line.is_good = False
            await work(options, line)
            assert line.cuts > 3
        finally:
            assert line.server is not None
            line.server.close()
            await broker.stop()

    asyncio.run(asyncio.wait_for(run(), SECONDS_MAX))


def read_options(seed: int, group: str | None = None) -> ConsumerOptions:
    draw = random.Random(seed)
    return ConsumerOptions(
        group_id=group,
        offset_reset="earliest",
        assignors=(draw.choice(["range", "cooperative-sticky"]),),
        # An answer that outgrows every connection would never arrive.
        partition_fetch_bytes_max=draw.choice([200, 1_000, 2_000]),
        fetch_sessions=draw.random() < 0.7,
        fetch_wait_ms_max=20,
        # Whose farewell was lost is missed after so long.
        session_timeout_ms=500,
        heartbeat_interval_ms=20,
        auto_commit_interval_ms=10,
        poll_records_max=draw.choice([3, 50]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_every_record_comes_once_and_in_order(tmp_path: Path, seed: int) -> None:
    async def work(options: ConnectionOptions, line: Line) -> None:
        async with Client(options) as client, Consumer(client, read_options(seed)) as consumer:
            consumer.assign([TopicPartition("t", partition) for partition in range(PARTITIONS)])
            found: list[list[int]] = [[] for _ in range(PARTITIONS)]
            async for record in consumer:
                assert record.value is not None
                assert int(record.value.split(b".")[0]) == record.offset
                found[record.partition].append(record.offset)
                if sum(map(len, found)) == RECORDS:
                    break
            line.is_good = True
        assert found == [list(range(RECORDS // PARTITIONS))] * PARTITIONS

    over_a_bad_line(tmp_path, seed, work)


@pytest.mark.parametrize("seed", range(4))
def test_a_group_gets_everything_though_its_members_come_and_go(tmp_path: Path, seed: int) -> None:
    async def work(options: ConnectionOptions, line: Line) -> None:
        seen: set[tuple[int, int]] = set()

        async def member(records: int) -> None:
            """Reads so many, or until all are seen."""
            grouped = read_options(seed, "g")
            async with Client(options) as client, Consumer(client, grouped) as consumer:
                consumer.subscribe(["t"])
                count = 0
                while len(seen) < RECORDS and count < records:
                    for place, some in (await consumer.poll(50)).items():
                        seen.update((place.partition, record.offset) for record in some)
                        count += len(some)
                line.is_good = line.is_good or len(seen) == RECORDS

        await asyncio.gather(member(60), member(RECORDS))
        while len(seen) < RECORDS:
            await member(RECORDS)
        assert len(seen) == RECORDS

    over_a_bad_line(tmp_path, seed, work)
