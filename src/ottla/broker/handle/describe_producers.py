"""DescribeProducers, API key 61: the idempotent producers a partition remembers; each partition once.

Source: KIP-664. Elsewhere: their sequences and expiry, see `core/log/producer_state.py`.
"""

from typing import Final, final

from ottla.core.controller.topic_name import name_problem
from ottla.core.effect import Effect, Reply
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.wire.message.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 61
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleDescribeProducers:
    __slots__ = ("replicas",)

    def __init__(self, replicas: ReplicaTable) -> None:
        self.replicas = replicas

    def __call__(self, now_ms: int, call: Call, request: DescribeProducersRequest) -> list[Effect]:
        asked: dict[str, dict[int, None]] = {}
        for topic in request.topics:
            asked.setdefault(topic.name, {}).update(dict.fromkeys(topic.partition_indexes))
        topics = [
            TopicResponse(name, [self._describe(name, number) for number in numbers])
            for name, numbers in asked.items()
        ]
        return [Reply(call, DescribeProducersResponse(topics=topics))]

    def _describe(self, topic: str, number: int) -> PartitionResponse:
        problem = name_problem(topic)
        if problem is not None:
            return PartitionResponse(number, ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        leader = self.replicas.leader(topic, number)
        if isinstance(leader, ErrorCode):
            return PartitionResponse(number, leader)
        states = [
            ProducerState(
                producer_id=producer_id,
                producer_epoch=producer.epoch,
                last_sequence=producer.last_sequence,
                last_timestamp=producer.last_timestamp_ms,
                coordinator_epoch=producer.coordinator_epoch,
                current_txn_start_offset=producer.transaction_start,
            )
            for producer_id, producer in leader.log.producers.producers.items()
        ]
        return PartitionResponse(number, ErrorCode.NONE, None, states)
