"""The tuples that user code gets and gives: partitions, offsets, groups, in kafka-python's form.

Field order is part of the interface: people unpack them. Elsewhere: a record that was read,
`consumer/fetcher.py`; one that was sent, `producer/future.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from ottla.client.consume.record import OffsetAndMetadata, OffsetAndTimestamp
from ottla.types import TopicPartition

__all__ = [
    "BrokerMetadata",
    "ConsumerGroupMetadata",
    "GroupInformation",
    "MemberInformation",
    "MemberState",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "PartitionMetadata",
    "ProducerRecord",
    "RetryOptions",
    "TopicPartition",
    "TopicPartitionReplica",
]


class TopicPartitionReplica(NamedTuple):
    topic: str
    partition: int
    broker_id: int


@final
class MemberState:
    UNJOINED: Final = "<unjoined>"
    REBALANCING: Final = "<rebalancing>"
    STABLE: Final = "<stable>"


class ConsumerGroupMetadata(NamedTuple):
    """Who a consumer is in its group."""

    group_id: str | None
    generation_id: int = -1
    member_id: str = ""
    group_instance_id: str | None = None
    state: str = MemberState.UNJOINED


class BrokerMetadata(NamedTuple):
    nodeId: int
    host: str
    port: int
    rack: str | None


class PartitionMetadata(NamedTuple):
    topic: str
    partition: int
    leader: int
    leader_epoch: int
    replicas: Sequence[int]
    isr: Sequence[int]
    offline_replicas: Sequence[int]
    error: type[Exception] | None


class MemberInformation(NamedTuple):
    member_id: str
    client_id: str
    client_host: str
    member_metadata: object
    member_assignment: object


class GroupInformation(NamedTuple):
    error_code: int
    group: str
    state: str
    protocol_type: str
    protocol: str
    members: Sequence[MemberInformation]
    authorized_operations: Sequence[str] | None


@final
@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """What `send(topic, record)` takes too: a record, apart from where it goes. `timestamp` in
    milliseconds; None: when it is sent."""

    key: object
    value: object
    timestamp: int | None = None


class RetryOptions(NamedTuple):
    limit: int
    backoff_ms: int
    retry_on_timeouts: bool
