"""The producer against a real broker, over a line that is cut at any byte, in either direction."""

import asyncio
import random
from contextlib import closing
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.client import Client
from ottla.aio.producer import Producer
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.options import ProducerOptions
from ottla.record.batch import header_untrusted
from ottla.record.record import records_untrusted
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved
from ottla.wire.api import FETCH
from ottla.wire.message.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
)
from tests.unit.cli.test_config import free_port

SECONDS_MAX = 50
RECORDS = 300
PARTITIONS = 2


class Line:
    """Copies bytes to a port and back, until a budget is used up: then the connection ends, at
    whatever byte that is. The first connections live long enough to find the cluster."""

    def __init__(self, port: int, draw: random.Random) -> None:
        self.port = port
        self.draw = draw
        self.is_good = False
        self.cuts = 0
        self.server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closed whatever comes: the broker may have ended, and the test may end before its line.
        with closing(writer):
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
            with closing(back):
                await self.copied((reader, back), (there, writer))

    async def copied(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        budget = 1 << 40 if self.is_good else self.draw.randrange(600, 9_000)
        left = [budget]

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while left[0] > 0 and (data := await source.read(4_096)):
                sink.write(data[: left[0]])
                left[0] -= len(data)
                if left[0] <= 0:
                    self.cuts += 1
            for _, one in ways:
                one.close()

        await asyncio.gather(*(copy(*way) for way in ways), return_exceptions=True)


async def stored(client: Client, partition: int) -> list[bytes]:
    """The values in the log, in its order."""
    topic = client.cluster.topics["t"]
    values: list[bytes] = []
    offset = 0
    while True:
        part = FetchPartition(
            partition, fetch_offset=offset, partition_max_bytes=1 << 20, current_leader_epoch=-1
        )
        request = FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1 << 20,
            topics=[FetchTopic("t", topic.topic_id, [part])],
        )
        leader = client.cluster.leader_of("t", partition)
        assert leader is not None
        response = await client.ask(leader, FETCH, request)
        assert isinstance(response, FetchResponse)
        data = response.responses[0].partitions[0].records
        if not data:
            return values
        at = 0
        while at < len(data):
            batch = header_untrusted(data, at)
            if batch.data is None:
                break
            for record in records_untrusted(batch, limit=1 << 20):
                assert record.offset == offset, "no gap"
                values.append(record.value or b"")
                offset += 1
            at += batch.size_bytes


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_stored_twice(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)

    async def work() -> None:
        inner, outer = free_port(), free_port()
        given = {
            "listeners": Resolved(f"PLAINTEXT://127.0.0.1:{inner}"),
            "advertised.listeners": Resolved(f"PLAINTEXT://127.0.0.1:{outer}"),
            "log.dirs": Resolved(str(tmp_path)),
            "num.partitions": Resolved(str(PARTITIONS)),
        }
        broker = Broker(broker_settings(given), given=given)
        await broker.start()
        line = Line(inner, draw)
        await line.start(outer)
        try:
            await produce(line, outer)
        finally:
            assert line.server is not None
            line.server.close()
            await broker.stop()

    async def produce(line: Line, port: int) -> None:
        options = ConnectionOptions(
            bootstrap=(Address("127.0.0.1", port),),
            request_ms_max=2_000,
            retry_backoff_ms=1,
            retry_backoff_ms_max=5,
            reconnect_backoff_ms=1,
            reconnect_backoff_ms_max=5,
        )
        line.is_good = True
        async with Client(options) as client:
            producer = Producer(client, ProducerOptions(batch_size=draw.choice([0, 300])))
            await producer.start()
            await producer.topic("t")
            line.is_good = False
            taken: list[list[Delivery]] = [[] for _ in range(PARTITIONS)]
            for number in range(RECORDS):
                partition = draw.randrange(PARTITIONS)
                value = b"%d" % number + b"." * draw.randrange(200)
                taken[partition].append(await producer.send("t", value, partition=partition))
                if draw.random() < 0.2:
                    await asyncio.sleep(0)
            await producer.flush(30_000)
            line.is_good = True
            assert line.cuts > 3
            await producer.close(5_000)
        async with Client(options) as client:
            await client.refresh(["t"])
            for partition, deliveries in enumerate(taken):
                values = await stored(client, partition)
                assert len(values) == len(deliveries), "each once"
                numbers = [int(value.split(b".")[0]) for value in values]
                assert numbers == sorted(numbers)
                offsets = [one.result().offset for one in deliveries]
                known = [at for at, offset in enumerate(offsets) if offset >= 0]
                assert [offsets[at] for at in known] == known, "and where it was said to be"

    asyncio.run(asyncio.wait_for(work(), SECONDS_MAX))
