"""Questions about consumer groups and their offsets, as requests, and what the answers mean.

Every question about one group goes to its coordinator, which FindCoordinator names; only the list
is asked of all brokers. A member's assignment is read as the "consumer" protocol writes it; members of
other protocols (Connect's) have none that anybody here could read. What is refused for a whole group
is an `ApiError`; what is refused for one partition stands beside it, as a code.

Source: KIP-496 (OffsetDelete), KIP-518 and KIP-848 (filters of the list), KIP-1043 (a group that is
not there). Elsewhere: which offsets a reset leads to, `reset.py`; how often to ask, `cli/coordinated.py`.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.message.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from ottla.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment

ONE_KEY_MAX: Final = 3
"""The last FindCoordinator version with one key instead of a list."""
ONE_GROUP_MAX: Final = 7
"""The last OffsetFetch version with one group instead of a list."""
NAMED_TOPIC_MAX: Final = 9
"""The last OffsetCommit version that names topics: in 10 they have ids."""
STATES_WITHOUT_MEMBERS: Final = ("Empty", "Dead")

_GROUP: Final = 0
_CONSUMER: Final = "consumer"
_DEAD: Final = "Dead"
_NO_GENERATION: Final = -1
_NOTHING_COMMITTED: Final = -1
_VERSION: Final = struct.Struct(">h")
_VERSION_MAX: Final = ConsumerProtocolAssignment.VERSION_MAX

Place: TypeAlias = tuple[str, int]
"""A topic and one of its partitions."""


class Listed(NamedTuple):
    group: str
    state: str
    group_type: str
    protocol_type: str


class Member(NamedTuple):
    """`assigned` None: its protocol is not the consumers'."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    assigned: tuple[Place, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A group as its coordinator tells it; `protocol`: the assignor, for consumers."""

    group: str
    state: str
    protocol_type: str
    protocol: str
    members: tuple[Member, ...]

    @property
    def readers(self) -> dict[Place, Member]:
        """Who reads which partition."""
        return {place: member for member in self.members for place in member.assigned or ()}


class Committed(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str


def list_request(states: Sequence[str], types: Sequence[str]) -> ListGroupsRequest:
    """Empty: any."""
    return ListGroupsRequest(states_filter=list(states), types_filter=list(types))


def listed_untrusted(response: ListGroupsResponse) -> list[Listed]:
    _check(response.error_code, None)
    return [
        Listed(one.group_id, one.group_state, one.group_type, one.protocol_type)
        for one in response.groups
    ]


def coordinator_request(group: str) -> FindCoordinatorRequest:
    """To be sent with a version up to ONE_KEY_MAX."""
    return FindCoordinatorRequest(key=group, key_type=_GROUP)


def coordinator_untrusted(response: FindCoordinatorResponse) -> int:
    """The broker that answers for the group."""
    _check(response.error_code, response.error_message)
    return response.node_id


def describe_request(group: str) -> DescribeGroupsRequest:
    return DescribeGroupsRequest(groups=[group])


def described_untrusted(group: str, response: DescribeGroupsResponse) -> Description:
    """Raises ApiError with GROUP_ID_NOT_FOUND if there is none of that name."""
    for one in response.groups:
        if one.group_id == group:
            _check(one.error_code, one.error_message)
            if one.group_state == _DEAD:
                raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND, f"group {group!r}")
            return _description_untrusted(one)
    raise RemoteProtocolError(f"the answer to DescribeGroups says nothing of group {group!r}")


def _description_untrusted(one: DescribedGroup) -> Description:
    members = tuple(
        Member(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            assigned_untrusted(member.member_assignment)
            if one.protocol_type == _CONSUMER
            else None,
        )
        for member in sorted(one.members, key=lambda member: (member.client_id, member.member_id))
    )
    return Description(
        group=one.group_id,
        state=one.group_state,
        protocol_type=one.protocol_type,
        protocol=one.protocol_data,
        members=members,
    )


def assigned_untrusted(assignment: bytes) -> tuple[Place, ...]:
    """The partitions in a consumer's assignment; before the first one it is empty."""
    if not assignment:
        return ()
    try:
        (version,) = _VERSION.unpack_from(assignment)
    except struct.error as error:
        raise RemoteProtocolError(f"an assignment of {len(assignment)} bytes: {error}") from None
    if version < 0:
        raise RemoteProtocolError(f"an assignment of version {version}")
    # Later versions only add fields at the end.
    body = bytes(assignment[_VERSION.size :])
    decoded = ConsumerProtocolAssignment.decode_untrusted(body, min(version, _VERSION_MAX))
    return tuple(
        sorted((one.topic, part) for one in decoded.assigned_partitions for part in one.partitions)
    )


def committed_request(group: str) -> OffsetFetchRequest:
    """All there are. To be sent with a version up to ONE_GROUP_MAX."""
    return OffsetFetchRequest(group_id=group, topics=None)


def committed_untrusted(response: OffsetFetchResponse) -> dict[Place, Committed]:
    _check(response.error_code, None)
    found: dict[Place, Committed] = {}
    for topic in response.topics:
        for part in topic.partitions:
            _check(part.error_code, f"partition {topic.name}-{part.partition_index}")
            if part.committed_offset != _NOTHING_COMMITTED:
                found[topic.name, part.partition_index] = Committed(
                    part.committed_offset, part.committed_leader_epoch, part.metadata or ""
                )
    return found


def commit_request(group: str, offsets: Mapping[Place, int]) -> OffsetCommitRequest:
    """By nobody in the group, which only a group without members accepts."""
    topics = [
        OffsetCommitRequestTopic(
            name=topic,
            partitions=[
                OffsetCommitRequestPartition(partition, offsets[topic, partition])
                for partition in partitions
            ],
        )
        for topic, partitions in by_topic(offsets).items()
    ]
    return OffsetCommitRequest(group, _NO_GENERATION, "", topics=topics)


def committing_untrusted(
    offsets: Iterable[Place], response: OffsetCommitResponse
) -> dict[Place, int]:
    """By partition, an error code or NONE."""
    answered = {
        (topic.name, part.partition_index): part.error_code
        for topic in response.topics
        for part in topic.partitions
    }
    return _complete(offsets, answered, "OffsetCommit")


def forget_request(group: str, places: Iterable[Place]) -> OffsetDeleteRequest:
    """Delete offsets, not the group."""
    topics = [
        OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(one) for one in partitions])
        for topic, partitions in by_topic(places).items()
    ]
    return OffsetDeleteRequest(group, topics)


def forgotten_untrusted(
    places: Iterable[Place], response: OffsetDeleteResponse
) -> dict[Place, int]:
    """By partition, an error code or NONE."""
    _check(response.error_code, None)
    answered = {
        (topic.name, part.partition_index): part.error_code
        for topic in response.topics
        for part in topic.partitions
    }
    return _complete(places, answered, "OffsetDelete")


def delete_request(group: str) -> DeleteGroupsRequest:
    return DeleteGroupsRequest([group])


def check_deleted_untrusted(group: str, response: DeleteGroupsResponse) -> None:
    """Raises ApiError if the group is still there."""
    for one in response.results:
        if one.group_id == group:
            return _check(one.error_code, one.error_message)
    raise RemoteProtocolError(f"the answer to DeleteGroups says nothing of group {group!r}")


def by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(places):
        found.setdefault(topic, []).append(partition)
    return found


def _complete(
    asked: Iterable[Place], answered: dict[Place, int], question: str
) -> dict[Place, int]:
    for place in asked:
        if place not in answered:
            raise RemoteProtocolError(f"the answer to {question} leaves out {place[0]}-{place[1]}")
    return answered


def _check(code: int, message: str | None) -> None:
    if code != ErrorCode.NONE:
        raise ApiError(code, message or None)
