"""What Kafka's tools say of groups: asked of their coordinators, the newer way first.

A group of the new protocol (KIP-848) is described by ConsumerGroupDescribe, a classic one by
DescribeGroups: which it is shows in the answer, or in the broker's not knowing the newer question.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import check
from ottla.errors import ApiError, ErrorCode
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.consumer_group_describe import Assignment
    from ottla.wire.message.list_groups import ListedGroup

UNKNOWN: Final = "Unknown"
_CONSUMER: Final = "consumer"
_NOT_NEW: Final = (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION)
_NOTHING: Final = -1
_UNTYPED: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Epochs and the target are of the new protocol; `is_upgraded` None: the broker does not tell."""

    member_id: str
    instance_id: str
    client_id: str
    host: str
    assigned: tuple[TopicPartition, ...]
    epoch: int | None = None
    target: tuple[TopicPartition, ...] = ()
    is_upgraded: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`coordinator`: where it is, and its id."""

    name: str
    state: str
    assignor: str
    members: tuple[Member, ...]
    coordinator: tuple[str, int, int]
    epoch: int | None = None
    target_epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    offset: int
    leader_epoch: int | None


async def listed(
    admin: "Admin", states: Sequence[str] = (), types: Sequence[str] = ()
) -> "list[ListedGroup]":
    """All groups of all brokers that are in these states and of these types, by name; empty: any."""
    from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse

    request = ListGroupsRequest(list(states), list(types))
    found = {}
    for answer in (await admin.each(request, ListGroupsResponse)).values():
        check(answer.error_code)
        for one in answer.groups:
            found[one.group_id] = one
    return [found[name] for name in sorted(found)]


async def consumer_groups(
    admin: "Admin", states: Sequence[str] = (), types: Sequence[str] = ()
) -> "list[ListedGroup]":
    """Those that consumers are in, or that only hold offsets."""
    return [
        one
        for one in await listed(admin, states, types)
        if one.protocol_type in ("", _CONSUMER) and one.group_type not in ("share", "streams")
    ]


async def described(admin: "Admin", names: Iterable[str]) -> dict[str, Group]:
    """In the order of their names. Raises ApiError for the first that is not there."""
    wanted = sorted(set(names))
    found = await asyncio.gather(*(_described(admin, name) for name in wanted))
    return dict(zip(wanted, found, strict=True))


async def _described(admin: "Admin", name: str) -> Group:
    from ottla.wire.message.consumer_group_describe import (
        ConsumerGroupDescribeRequest,
        ConsumerGroupDescribeResponse,
    )

    try:
        request = ConsumerGroupDescribeRequest([name])
        answer = await admin.coordinated(name, request, ConsumerGroupDescribeResponse)
        (group,) = answer.groups
        check(group.error_code, group.error_message)
    except ApiError as error:
        if error.code in _NOT_NEW:
            return await _described_classic(admin, name)
        raise
    return Group(
        name=name,
        state=group.group_state,
        assignor=group.assignor_name,
        coordinator=await _coordinator(admin, name),
        epoch=group.group_epoch,
        target_epoch=group.assignment_epoch,
        members=tuple(
            Member(
                member_id=one.member_id,
                instance_id=one.instance_id or "",
                client_id=one.client_id,
                host=one.client_host,
                assigned=_places(one.assignment),
                epoch=one.member_epoch,
                target=_places(one.target_assignment),
                is_upgraded=None if one.member_type == _UNTYPED else bool(one.member_type),
            )
            for one in group.members
        ),
    )


async def _described_classic(admin: "Admin", name: str) -> Group:
    from ottla.client.groups import assigned_untrusted
    from ottla.wire.message.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse

    request = DescribeGroupsRequest([name])
    answer = await admin.coordinated(name, request, DescribeGroupsResponse)
    (group,) = answer.groups
    check(group.error_code, group.error_message)
    members = []
    for one in group.members:
        is_ours = group.protocol_type == _CONSUMER
        places = assigned_untrusted(one.member_assignment) if is_ours else ()
        members.append(
            Member(
                member_id=one.member_id,
                instance_id=one.group_instance_id or "",
                client_id=one.client_id,
                host=one.client_host,
                assigned=tuple(TopicPartition(*place) for place in places),
            )
        )
    return Group(
        name=name,
        state=group.group_state,
        assignor=group.protocol_data,
        members=tuple(members),
        coordinator=await _coordinator(admin, name),
    )


async def _coordinator(admin: "Admin", name: str) -> tuple[str, int, int]:
    broker_id = await admin.coordinator(name)
    cluster = admin.client.cluster
    if broker_id not in cluster.brokers:
        cluster = await admin.client.refresh(())
    host, port = cluster.brokers[broker_id]
    return host, port, broker_id


def _places(assignment: "Assignment") -> tuple[TopicPartition, ...]:
    return tuple(
        TopicPartition(topic.topic_name, partition)
        for topic in assignment.topic_partitions
        for partition in topic.partitions
    )


async def committed(admin: "Admin", name: str) -> dict[TopicPartition, Committed]:
    """All offsets of a group."""
    from ottla.client.groups import ONE_GROUP_MAX, committed_request, committed_untrusted
    from ottla.wire.message.offset_fetch import OffsetFetchResponse

    answer = await admin.coordinated(
        name, committed_request(name), OffsetFetchResponse, version_max=ONE_GROUP_MAX
    )
    return {
        TopicPartition(*place): Committed(
            offset=one.offset,
            leader_epoch=None if one.leader_epoch == _NOTHING else one.leader_epoch,
        )
        for place, one in committed_untrusted(answer).items()
    }


async def offsets_at(
    admin: "Admin", times: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """By partition, the offset at a time (or EARLIEST, LATEST); -1: after the last record.

    Raises ApiError where there is no such partition.
    """
    from ottla.wire.message.list_offsets import (
        ListOffsetsPartition,
        ListOffsetsRequest,
        ListOffsetsResponse,
        ListOffsetsTopic,
    )

    def make(parts: Mapping[str, list[int]]) -> ListOffsetsRequest:
        topics = [
            ListOffsetsTopic(
                topic,
                [
                    ListOffsetsPartition(one, timestamp=times[TopicPartition(topic, one)])
                    for one in ids
                ],
            )
            for topic, ids in parts.items()
        ]
        return ListOffsetsRequest(replica_id=-1, topics=topics)

    found = {}
    for answer in await admin.led(times, make, ListOffsetsResponse):
        for topic in answer.topics:
            for part in topic.partitions:
                check(part.error_code)
                found[TopicPartition(topic.name, part.partition_index)] = part.offset
    return found


async def partitions_of(admin: "Admin", topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of these topics. Raises ApiError for a topic that does not exist."""
    wanted = list(dict.fromkeys(topics))
    if not wanted:
        return []
    cluster = await admin.client.refresh(wanted)
    found = []
    for name in wanted:
        topic = cluster.topics.get(name)
        if topic is None or topic.error_code != ErrorCode.NONE:
            raise ApiError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if topic is None else topic.error_code
            )
        found += [TopicPartition(name, part.partition) for part in topic.partitions]
    return found
