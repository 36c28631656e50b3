"""Producers and a consumer in a session, in random order: everything acknowledged is read, once, in
order, and nothing is read or acknowledged before it is as safe as the flush policy says."""

import random
from typing import Any

import pytest

from ottla.broker.handle import fetch, produce
from ottla.broker.handle.fetch import HandleFetch
from ottla.broker.handle.produce import HandleProduce
from ottla.core.effect import Effect, Flush, Reply
from ottla.core.replica.heads import Heads
from ottla.errors import ErrorCode
from ottla.record.batch import batches_untrusted
from ottla.record.record import records_untrusted
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.message.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.unit.core.replica.house import House, batch
from tests.unit.fakes.quotas import no_quotas

PARTITIONS = 5


class World:
    """One producer per partition with retries, one consumer with a session; flushes take a while."""

    def __init__(self, seed: int, *, durable: bool, version: int) -> None:
        self.random = random.Random(seed)
        self.house = House(settings={"ottla.flush": "ack"} if durable else {})
        self.durable = durable
        self.version = version
        self.topic_id = self.house.create("t", PARTITIONS, {"internal.segment.bytes": "600"})
        self.handle_produce = HandleProduce(self.house.table, self.house.waiting)
        self.handle_fetch = HandleFetch(
            self.house.table, self.house.sessions, self.house.waiting, 1 << 20, no_quotas(), Heads()
        )
        self.flushes: list[Flush] = []
        self.appended: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.acknowledged = [0] * PARTITIONS
        self.read: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.asked: dict[int, int] = {}  # correlation id of a Produce -> its partition
        self.session = (0, 0)
        self.changed = dict.fromkeys(range(PARTITIONS))
        self.fetching = False

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Flush):
                self.flushes.append(effect)
            elif isinstance(effect, Reply):
                if effect.call.api_key == produce.API_KEY:
                    self.produced(self.asked[effect.call.correlation_id], effect.response)
                else:
                    self.fetched(effect.response)

    def produce(self) -> None:
        number = self.random.randrange(PARTITIONS)
        count = self.random.randrange(1, 4)
        sequence = len(self.appended[number])
        values = [b"%d-%d" % (number, sequence + one) for one in range(count)]
        data = batch(*values, producer_id=number, producer_epoch=0, base_sequence=sequence)
        for _ in range(1 + (self.random.random() < 0.2)):  # sometimes sent twice
            call = self.house.call(produce.API_KEY, 9)
            self.asked[call.correlation_id] = number
            request = ProduceRequest(
                None, -1, 30_000, [TopicProduceData("t", bytes(16), [_part(number, data)])]
            )
            self.perform(self.handle_produce(self.house.now_ms, call, request))
        self.appended[number] += values

    def produced(self, number: int, response: Any) -> None:
        (row,) = response.responses[0].partition_responses
        assert row.error_code == ErrorCode.NONE
        leader = self.house.leader("t", number)
        assert row.base_offset < leader.high_watermark
        if self.durable:
            assert row.base_offset < leader.log.flushed_offset
        self.acknowledged[number] = max(self.acknowledged[number], row.base_offset + 1)

    def flush(self) -> None:
        if self.flushes:
            at = self.random.randrange(len(self.flushes))
            self.perform(self.house.flush([self.flushes.pop(at)]))

    def fetch(self) -> None:
        if self.fetching:
            return
        parts = [
            FetchPartition(number, fetch_offset=len(self.read[number]), partition_max_bytes=300)
            for number in self.changed
        ]
        self.changed.clear()
        request = FetchRequest(
            max_wait_ms=self.random.choice((0, 500)),
            min_bytes=self.random.choice((1, 1, 250)),
            max_bytes=self.random.choice((1, 400, 1 << 20)),
            session_id=self.session[0],
            session_epoch=self.session[1],
            topics=[FetchTopic("t", self.topic_id, parts)] if parts else [],
        )
        self.fetching = True
        call = self.house.call(fetch.API_KEY, self.version)
        self.perform(self.handle_fetch(self.house.now_ms, call, request))

    def fetched(self, response: Any) -> None:
        assert response.error_code == ErrorCode.NONE
        self.fetching = False
        self.session = (response.session_id, self.session[1] + 1)
        for topic in response.responses:
            for row in topic.partitions:
                assert row.error_code == ErrorCode.NONE
                if row.records:
                    self.take(row.partition_index, row.records.read(), row.high_watermark)

    def take(self, number: int, data: bytes, high_watermark: int) -> None:
        read = self.read[number]
        for one in batches_untrusted(memoryview(data)):
            for record in records_untrusted(one, limit=1 << 20):
                assert record.offset < high_watermark
                if record.offset == len(read):  # a batch may begin before what was asked for
                    assert record.value is not None
                    read.append(record.value)
                    self.changed[number] = None

    def wait(self) -> None:
        self.house.now_ms += self.random.randrange(400)
        self.perform(self.house.waiting.expire(self.house.now_ms))

    def drain(self) -> None:
        for _ in range(200):
            self.flush()
            self.fetch()
            self.house.now_ms += 500
            self.perform(self.house.waiting.expire(self.house.now_ms))


def _part(number: int, data: memoryview) -> PartitionProduceData:
    return PartitionProduceData(number, data)


@pytest.mark.parametrize("version", [12, 18])
@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_everything_acknowledged_is_read_once_and_in_order(
    seed: int, durable: bool, version: int
) -> None:
    world = World(seed, durable=durable, version=version)
    steps = (world.produce, world.fetch, world.flush, world.wait)
    for _ in range(150):
        world.random.choice(steps)()
    world.drain()
    world.house.check_invariants()
    for number in range(PARTITIONS):
        assert world.read[number] == world.appended[number]
        end = world.house.leader("t", number).log.end_offset
        assert world.house.leader("t", number).high_watermark == end
    assert world.flushes == []
    assert sum(map(len, world.read)) > 20
