"""The cluster as its brokers describe it: who leads which partition, and at which address.

A `ClusterView` is a picture, replaced and never changed. What it promises: partitions of a topic are
0, 1, 2, … without gaps, names and ports are usable, and whatever keeps a topic from being used is
an error code of the protocol, so that callers decide by `RETRIABLE` whether to ask again.

Brokers learn of changes at different times, so a picture that comes later may be older. `updated` puts
them together: a partition's leader epoch never goes back while its topic's id stays the same (KIP-320).
`with_leaders` takes in what a Produce or Fetch answer says of a leader that moved (KIP-951).

Source: Metadata (KIP-516 for topic ids). Elsewhere: when to ask, `aio/cluster.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.types import NO_EPOCH, NO_LEADER, ZERO_UUID, Uuid
from ottla.wire.message.metadata import MetadataResponse, MetadataResponseTopic

_PORT_MAX: Final = 65_535
_NO_SUCH_TOPIC: Final = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)


class Address(NamedTuple):
    """Where a broker is reached, by its own word (`advertised.listeners`) or by the user's."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def told_address(host: str, port: int) -> Address | None:
    """What an answer says, if it can be one."""
    return Address(host, port) if host and 0 < port <= _PORT_MAX else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionView:
    """One partition. `leader_id` -1: nobody leads it now. `leader_epoch` -1: the broker is too old to
    tell it, or to be relied on."""

    partition: int
    leader_id: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """One topic. With an `error_code` other than NONE it has no partitions that count; those it had
    may still be there, for their epochs."""

    name: str
    topic_id: Uuid
    error_code: int
    is_internal: bool
    partitions: tuple[PartitionView, ...]

    @property
    def led(self) -> list[int]:
        """The partitions that have a leader."""
        return [part.partition for part in self.partitions if part.leader_id != NO_LEADER]


class LeaderHint(NamedTuple):
    """What an answer said of a partition that it refused: who leads it, since when."""

    topic: str
    partition: int
    leader_id: int
    leader_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """What brokers have said. `racks`: of the brokers that have one."""

    cluster_id: str | None
    controller_id: int
    brokers: Mapping[int, Address]
    topics: Mapping[str, TopicView]
    racks: Mapping[int, str] = field(default_factory=dict)

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

    def leader_epoch_of(self, name: str, partition: int) -> int:
        """The epoch to name in requests; -1: unknown, and then none is checked."""
        topic = self.topic(name)
        if topic is None or not 0 <= partition < len(topic.partitions):
            return NO_EPOCH
        return topic.partitions[partition].leader_epoch

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


def updated(known: ClusterView, said: ClusterView, *, is_whole: bool) -> ClusterView:
    """`known` with what a later answer said. `is_whole`: topics it does not name do not exist."""
    topics = {} if is_whole else dict(known.topics)
    for name, topic in said.topics.items():
        before = known.topics.get(name)
        topics[name] = topic if before is None else _later(before, topic)
    for name, topic in topics.items():
        if any(part.leader_id not in said.brokers for part in topic.partitions):
            topics[name] = _led_by(topic, said.brokers)
    return replace(said, topics=topics)


def with_leaders(
    known: ClusterView, hints: Iterable[LeaderHint], addresses: Mapping[int, Address]
) -> ClusterView:
    """`known` with the leaders of `hints` that are newer and whose address is known, or told."""
    topics = dict(known.topics)
    brokers = dict(known.brokers)
    changed = False
    for name, partition, leader_id, leader_epoch in hints:
        topic = topics.get(name)
        if topic is None or not 0 <= partition < len(topic.partitions):
            continue
        before = topic.partitions[partition]
        if leader_epoch <= before.leader_epoch:
            continue
        if leader_id in addresses:
            brokers[leader_id] = addresses[leader_id]
        elif leader_id not in brokers:
            continue
        parts = list(topic.partitions)
        parts[partition] = replace(before, leader_id=leader_id, leader_epoch=leader_epoch)
        topics[name] = replace(topic, partitions=tuple(parts))
        changed = True
    return replace(known, brokers=brokers, topics=topics) if changed else known


def _later(before: TopicView, said: TopicView) -> TopicView:
    """The topic as `said`, but for partitions of which newer was known."""
    if said.error_code in _NO_SUCH_TOPIC:
        # One of that name may come, and begins its epochs anew; before Kafka 2.8 without an id.
        return said
    if said.error_code != ErrorCode.NONE and not said.partitions:
        return replace(said, partitions=before.partitions)
    was_another = ZERO_UUID not in (before.topic_id, said.topic_id) and (
        before.topic_id != said.topic_id
    )
    if was_another:
        return said
    partitions = tuple(
        old if part.leader_epoch != NO_EPOCH and part.leader_epoch < old.leader_epoch else part
        for part, old in zip(said.partitions, before.partitions, strict=False)
    )
    return replace(said, partitions=partitions + said.partitions[len(partitions) :])


def _led_by(topic: TopicView, brokers: Mapping[int, Address]) -> TopicView:
    """Without the leaders that are gone."""
    parts = tuple(
        part if part.leader_id in brokers else replace(part, leader_id=NO_LEADER)
        for part in topic.partitions
    )
    return replace(topic, partitions=parts)


def cluster_untrusted(response: MetadataResponse, *, has_epochs: bool = True) -> ClusterView:
    """The picture that a Metadata response draws. Raises RemoteProtocolError if it makes no sense.

    `has_epochs`: its leader epochs may be relied on, as from Metadata 9 (KAFKA-9212).
    """
    brokers = {}
    for broker in response.brokers:
        address = told_address(broker.host, broker.port)
        if address is None:
            raise RemoteProtocolError(
                f"broker {broker.node_id} is said to be at {broker.host!r}, port {broker.port}; "
                f"a host name and a port from 1 to {_PORT_MAX} are expected"
            )
        brokers[broker.node_id] = address
    topics = {}
    for answered in response.topics:
        topic = _topic_untrusted(answered, brokers, has_epochs)
        topics[topic.name] = topic
    return ClusterView(
        cluster_id=response.cluster_id,
        controller_id=response.controller_id,
        brokers=brokers,
        topics=topics,
        racks={b.node_id: b.rack for b in response.brokers if b.rack is not None},
    )


def _topic_untrusted(
    answered: MetadataResponseTopic, brokers: Mapping[int, Address], has_epochs: bool
) -> TopicView:
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
                leader_epoch=part.leader_epoch if has_epochs else NO_EPOCH,
                replicas=tuple(part.replica_nodes),
                isr=tuple(part.isr_nodes),
                offline=tuple(part.offline_replicas),
            )
        )
    return TopicView(
        name=answered.name or "",
        topic_id=answered.topic_id or ZERO_UUID,
        error_code=answered.error_code,
        is_internal=answered.is_internal,
        partitions=tuple(partitions),
    )
