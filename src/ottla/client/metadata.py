"""The cluster as its brokers describe it: who leads which partition, and at which address.

A `ClusterView` is a picture, replaced and never changed. What it promises: partitions of a topic are
0, 1, 2, … without gaps, names and ports are usable, and whatever keeps a topic from being used is
an error code of the protocol, so that callers decide by `RETRIABLE` whether to ask again.

Source: Metadata (KIP-516 for topic ids). Elsewhere: when to ask, `aio/client.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.types import NO_LEADER, ZERO_UUID, Uuid
from ottla.wire.message.metadata import MetadataResponse, MetadataResponseTopic

_PORT_MAX: Final = 65_535


class Address(NamedTuple):
    """Where a broker is reached, by its own word (`advertised.listeners`) or by the user's."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionView:
    """One partition. `leader_id` -1: nobody leads it now."""

    partition: int
    leader_id: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """One topic. With an `error_code` other than NONE it has no partitions that count."""

    name: str
    topic_id: Uuid
    error_code: int
    is_internal: bool
    partitions: tuple[PartitionView, ...]

    @property
    def led(self) -> list[int]:
        """The partitions that have a leader."""
        return [part.partition for part in self.partitions if part.leader_id != NO_LEADER]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """What one Metadata response said."""

    cluster_id: str | None
    controller_id: int
    brokers: Mapping[int, Address]
    topics: Mapping[str, TopicView]

    def topic(self, name: str) -> TopicView | None:
        """The topic, if its partitions are known."""
        topic = self.topics.get(name)
        return topic if topic is not None and topic.error_code == ErrorCode.NONE else None

    def leader_of(self, name: str, partition: int) -> int | None:
        """The broker to ask about a partition, one of `brokers`; None: nobody now."""
        topic = self.topic(name)
        if topic is None or not 0 <= partition < len(topic.partitions):
            return None
        leader_id = topic.partitions[partition].leader_id
        return None if leader_id == NO_LEADER else leader_id

    def obstacle(self, name: str) -> int:
        """Why the topic cannot be used as a whole; NONE: every partition has a leader."""
        topic = self.topics.get(name)
        if topic is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if topic.error_code != ErrorCode.NONE:
            return topic.error_code
        if not topic.partitions or len(topic.led) < len(topic.partitions):
            return ErrorCode.LEADER_NOT_AVAILABLE
        return ErrorCode.NONE


NOTHING_KNOWN: Final = ClusterView(cluster_id=None, controller_id=-1, brokers={}, topics={})


def cluster_untrusted(response: MetadataResponse) -> ClusterView:
    """The picture that a Metadata response draws. Raises RemoteProtocolError if it makes no sense."""
    brokers = {}
    for broker in response.brokers:
        if not 0 < broker.port <= _PORT_MAX or not broker.host:
            raise RemoteProtocolError(
                f"broker {broker.node_id} is said to be at {broker.host!r}, port {broker.port}; "
                f"a host name and a port from 1 to {_PORT_MAX} are expected"
            )
        brokers[broker.node_id] = Address(broker.host, broker.port)
    topics = {}
    for answered in response.topics:
        topic = _topic_untrusted(answered, brokers)
        topics[topic.name] = topic
    return ClusterView(
        cluster_id=response.cluster_id,
        controller_id=response.controller_id,
        brokers=brokers,
        topics=topics,
    )


def _topic_untrusted(answered: MetadataResponseTopic, brokers: Mapping[int, Address]) -> TopicView:
    partitions: list[PartitionView] = []
    for part in sorted(answered.partitions, key=lambda part: part.partition_index):
        if part.partition_index != len(partitions):
            raise RemoteProtocolError(
                f"topic {answered.name!r} has partition {part.partition_index} where "
                f"{len(partitions)} is expected"
            )
        partitions.append(
            PartitionView(
                partition=part.partition_index,
                # A leader whose address is unknown is of no more use than none.
                leader_id=part.leader_id if part.leader_id in brokers else NO_LEADER,
                leader_epoch=part.leader_epoch,
                replicas=tuple(part.replica_nodes),
                isr=tuple(part.isr_nodes),
            )
        )
    return TopicView(
        name=answered.name or "",
        topic_id=answered.topic_id or ZERO_UUID,
        error_code=answered.error_code,
        is_internal=answered.is_internal,
        partitions=tuple(partitions),
    )
