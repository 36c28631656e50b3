"""The honest client beside the attack: an idempotent producer, and a reader who compares every value.

It uses a topic whose name and id the attacker does not know; who may touch which topic is a question
of access control, not of this.
"""

from typing import TypeVar

from ottla.record.batch import batches_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted
from ottla.wire.api import Message
from ottla.wire.client import ClientConnection
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.fuzz.grammar import TOPICS
from tests.fuzz.target import Defect, Target, _bytes

A = TypeVar("A", bound=Message)
HONEST = "honest"
_CONFIGS: dict[str, dict[str, str]] = {
    "evil-0": {"internal.segment.bytes": "2000"},
    "evil-1": {"cleanup.policy": "compact"},
    "evil-2": {"message.timestamp.type": "LogAppendTime"},
    "evil-3": {"max.message.bytes": "300", "flush.messages": "1"},
}


class HonestClient:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._caller = target.connect()
        self._client = ClientConnection("honest")
        self.written: list[bytes] = []
        self._create(HONEST, {})
        self.provide()
        self._producer_id = self._ask(
            InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000),
            4,
            InitProducerIdResponse,
        ).producer_id

    def provide(self) -> None:
        """The attacker's topics, where it deleted them."""
        self._target.flush()
        names = {topic.name for topic in self._target.node.current.image.topics.values()}
        for topic in TOPICS:
            if topic not in names:
                self._create(topic, _CONFIGS[topic])

    def write(self) -> None:
        builder = BatchBuilder()
        first = len(self.written)
        values = [b"honest %d" % (first + number) for number in range(1 + first % 3)]
        for value in values:
            builder.append(self._target.now_ms, None, value)
        records = bytes(
            builder.build(producer_id=self._producer_id, producer_epoch=0, base_sequence=first)
        )
        part = PartitionProduceData(index=0, records=records)
        request = ProduceRequest(
            acks=-1, timeout_ms=1000, topic_data=[TopicProduceData(HONEST, partition_data=[part])]
        )
        row = self._ask(request, 9, ProduceResponse).responses[0].partition_responses[0]
        if row.error_code or row.base_offset != first:
            raise Defect(f"honest Produce at {first}: {row}")
        self.written += values

    def read(self) -> None:
        """Everything, from the start; compared."""
        if not self._caller.open:
            self._caller = self._target.connect()
            self._client = ClientConnection("honest")
        values: list[bytes] = []
        while True:
            asked = FetchPartition(
                partition=0, fetch_offset=len(values), partition_max_bytes=100_000_000
            )
            request = FetchRequest(max_wait_ms=0, topics=[FetchTopic(HONEST, partitions=[asked])])
            [row] = self._ask(request, 12, FetchResponse).responses[0].partitions
            if row.error_code or row.high_watermark != len(self.written):
                raise Defect(f"honest Fetch: {row}; {len(self.written)} were acknowledged")
            data = _bytes(row.records)
            if not data:
                break
            for batch in batches_untrusted(data):
                values += [
                    bytes(one.value or b"") for one in records_untrusted(batch, limit=1 << 20)
                ]
        if values != self.written:
            raise Defect("honest records are not what was written")

    def _create(self, name: str, configs: dict[str, str]) -> None:
        topic = CreatableTopic(
            name=name,
            num_partitions=2,
            replication_factor=1,
            configs=[CreatableTopicConfig(key, value) for key, value in configs.items()],
        )
        answer = self._ask(CreateTopicsRequest(topics=[topic]), 5, CreateTopicsResponse)
        if answer.topics[0].error_code:
            raise Defect(f"honest CreateTopics: {answer}")

    def _ask(self, request: Message, version: int, kind: type[A]) -> A:
        _, chunks = self._client.request(request.API_KEY, version, request)
        target = self._target
        target.flush()
        target.answered.clear()
        target.arrive(self._caller, b"".join(map(_bytes, chunks)))
        target.flush()
        if len(target.answered) != 1 or not isinstance(target.answered[0], kind):
            raise Defect(f"an honest {type(request).__name__} was answered by {target.answered}")
        return target.answered[0]
