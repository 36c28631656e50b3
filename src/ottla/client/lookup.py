"""Where to begin: a time, or one of Kafka's special timestamps -> an offset per partition.

Asks each leader once (ListOffsets); what came back with a retriable error is asked again by whoever
asks. A time after the last record means the end.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ottla.client.metadata import ClusterView
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

LATEST: Final = -1
EARLIEST: Final = -2
NO_OFFSET: Final = -1
"""The answer to a time after the last record."""

_CONSUMER: Final = -1


class Lookup(NamedTuple):
    """One request to one leader."""

    broker_id: int
    request: ListOffsetsRequest
    partitions: tuple[int, ...]


class TimesAsk(NamedTuple):
    """As `Lookup`, of several topics, each partition with a time of its own."""

    broker_id: int
    request: ListOffsetsRequest
    places: tuple[TopicPartition, ...]


class At(NamedTuple):
    """The answer for one partition; the rest counts where `error_code` is NONE."""

    error_code: int
    offset: int
    timestamp: int
    leader_epoch: int


class Found(NamedTuple):
    """The answer for one partition; `offset` counts where `error_code` is NONE."""

    error_code: int
    offset: int


def lookups(
    cluster: ClusterView, topic: str, partitions: Iterable[int], timestamp_ms: int
) -> list[Lookup]:
    """A request per leader. Partitions without one are left out: ask again with new metadata."""
    by_broker: dict[int, list[ListOffsetsPartition]] = {}
    for partition in partitions:
        leader = cluster.leader_of(topic, partition)
        if leader is not None:
            asked = ListOffsetsPartition(partition_index=partition, timestamp=timestamp_ms)
            by_broker.setdefault(leader, []).append(asked)
    return [
        Lookup(
            broker_id,
            ListOffsetsRequest(
                replica_id=_CONSUMER, topics=[ListOffsetsTopic(name=topic, partitions=asked)]
            ),
            tuple(part.partition_index for part in asked),
        )
        for broker_id, asked in by_broker.items()
    ]


def found_untrusted(lookup: Lookup, response: ListOffsetsResponse) -> Mapping[int, Found]:
    """By partition. Raises RemoteProtocolError for an answer that leaves one out."""
    answers = {
        part.partition_index: Found(part.error_code, part.offset)
        for topic in response.topics
        for part in topic.partitions
    }
    for partition in lookup.partitions:
        found = answers.get(partition)
        if found is None:
            raise RemoteProtocolError(f"the answer to ListOffsets leaves out partition {partition}")
        if found.error_code == ErrorCode.NONE and found.offset < NO_OFFSET:
            raise RemoteProtocolError(f"ListOffsets says offset {found.offset} for {partition}")
    return {partition: answers[partition] for partition in lookup.partitions}


def times_asks(
    cluster: ClusterView, times_ms: Mapping[TopicPartition, int], isolation_level: int
) -> list[TimesAsk]:
    """A request per leader. Partitions without one are left out: ask again with new metadata."""
    by_broker: dict[int, list[TopicPartition]] = {}
    for place in times_ms:
        leader = cluster.leader_of(*place)
        if leader is not None:
            by_broker.setdefault(leader, []).append(place)
    found = []
    for broker_id, places in by_broker.items():
        topics: dict[str, list[ListOffsetsPartition]] = {}
        for place in places:
            topics.setdefault(place.topic, []).append(
                ListOffsetsPartition(
                    partition_index=place.partition,
                    current_leader_epoch=cluster.leader_epoch_of(*place),
                    timestamp=times_ms[place],
                )
            )
        request = ListOffsetsRequest(
            replica_id=_CONSUMER,
            isolation_level=isolation_level,
            topics=[ListOffsetsTopic(name=name, partitions=p) for name, p in topics.items()],
        )
        found.append(TimesAsk(broker_id, request, tuple(places)))
    return found


def times_untrusted(ask: TimesAsk, response: ListOffsetsResponse) -> dict[TopicPartition, At]:
    """By partition. Raises RemoteProtocolError for an answer that leaves one out."""
    answers = {
        TopicPartition(topic.name, part.partition_index): At(
            part.error_code, part.offset, part.timestamp, part.leader_epoch
        )
        for topic in response.topics
        for part in topic.partitions
    }
    for place in ask.places:
        if place not in answers:
            raise RemoteProtocolError(f"the answer to ListOffsets leaves out {place}")
    return {place: answers[place] for place in ask.places}
