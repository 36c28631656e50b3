"""Members of groups, as clients of a whole node: what tests of groups say instead of requests."""

from collections.abc import Sequence

from ottla.errors import ErrorCode
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription
from tests.unit.broker.whole_node import Peer, WholeNode

GROUP = "g"
DELAY_MS = 3_000
SESSION_MS = 10_000
REBALANCE_MS = 60_000


def subscription(*topics: str) -> bytes:
    return b"\0\1" + ConsumerProtocolSubscription(topics=topics).encode(1)


def coordinated(node: WholeNode, group: str = GROUP) -> Peer:
    """A client that has asked for the coordinator, so that there is one."""
    peer = node.connect()
    answer = peer.ask(FindCoordinatorRequest(group), 3, FindCoordinatorResponse)
    assert answer.error_code == 0
    return peer


def make_topic(peer: Peer, name: str, partitions: int = 3) -> None:
    topics = [CreatableTopic(name, partitions, 1)]
    answer = peer.ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    assert answer.topics[0].error_code == 0


class Member:
    """A member with a connection of its own."""

    def __init__(
        self,
        node: WholeNode,
        group: str = GROUP,
        *,
        instance: str | None = None,
        protocols: Sequence[str] = ("range",),
        metadata: bytes | None = None,
        kind: str = "consumer",
        session_ms: int = SESSION_MS,
        rebalance_ms: int = REBALANCE_MS,
        version: int = 9,
    ) -> None:
        self.node = node
        self.peer = node.connect()
        self.group = group
        self.instance = instance
        self.protocols = list(protocols)
        self.metadata = subscription("t") if metadata is None else metadata
        self.kind = kind
        self.session_ms = session_ms
        self.rebalance_ms = rebalance_ms
        self.version = version
        self.member_id = ""
        self.generation = -1
        self.leads = False
        self.members: list[str] = []
        self._joining = 0
        self._syncing = 0

    def request(self) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=self.session_ms,
            rebalance_timeout_ms=self.rebalance_ms if self.version >= 1 else -1,
            member_id=self.member_id,
            group_instance_id=self.instance if self.version >= 5 else None,
            protocol_type=self.kind,
            protocols=[JoinGroupRequestProtocol(name, self.metadata) for name in self.protocols],
        )

    def join(self) -> "Member":
        """Send a join, with the id that the coordinator wants where it wants one first."""
        self._joining = self.peer.send(self.request(), self.version)
        self.node.flush()
        answer = self.answer()
        if answer is not None and answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
            self._joining = self.peer.send(self.request(), self.version)
            self.node.flush()
        return self

    def answer(self) -> JoinGroupResponse | None:
        answer = self.peer.answer(self._joining)
        assert answer is None or isinstance(answer, JoinGroupResponse)
        return answer

    @property
    def error(self) -> int | None:
        """What the last join was answered; None: it is parked."""
        answer = self.answer()
        return None if answer is None else answer.error_code

    def joined(self) -> JoinGroupResponse:
        answer = self.answer()
        assert answer is not None
        assert answer.error_code == 0
        self.member_id, self.generation = answer.member_id, answer.generation_id
        self.leads = answer.leader == answer.member_id
        self.members = [one.member_id for one in answer.members]
        return answer

    def sync(self, assignments: dict[str, bytes] | None = None) -> "Member":
        """Send a sync; the leader's gives everybody its own member id, if nothing else is said."""
        if assignments is None:
            assignments = {one: one.encode() for one in self.members} if self.leads else {}
        request = SyncGroupRequest(
            self.group,
            self.generation,
            self.member_id,
            self.instance,
            self.kind,
            self.protocols[0],
            [SyncGroupRequestAssignment(one, data) for one, data in assignments.items()],
        )
        self._syncing = self.peer.send(request, 5)
        self.node.flush()
        return self

    def sync_answer(self) -> SyncGroupResponse | None:
        answer = self.peer.answer(self._syncing)
        assert answer is None or isinstance(answer, SyncGroupResponse)
        return answer

    def synced(self) -> bytes:
        answer = self.sync_answer()
        assert answer is not None
        assert answer.error_code == 0
        return answer.assignment

    def heartbeat(self) -> int:
        request = HeartbeatRequest(self.group, self.generation, self.member_id, self.instance)
        return self.peer.ask(request, 4, HeartbeatResponse).error_code

    def leave(self) -> int:
        members = [MemberIdentity(self.member_id, self.instance, "done")]
        answer = self.peer.ask(LeaveGroupRequest(self.group, "", members), 5, LeaveGroupResponse)
        assert answer.error_code == 0
        return answer.members[0].error_code

    def commit(self, offset: int, topic: str = "t", partition: int = 0) -> int:
        return commit(
            self.peer,
            offset,
            topic,
            partition,
            group=self.group,
            generation=self.generation,
            member_id=self.member_id,
            instance=self.instance,
        )


def commit(
    peer: Peer,
    offset: int,
    topic: str = "t",
    partition: int = 0,
    *,
    group: str = GROUP,
    generation: int = -1,
    member_id: str = "",
    instance: str | None = None,
    metadata: str | None = "",
    version: int = 9,
) -> int:
    part = OffsetCommitRequestPartition(
        partition_index=partition, committed_offset=offset, committed_metadata=metadata
    )
    topics = [OffsetCommitRequestTopic(topic, partitions=[part])]
    request = OffsetCommitRequest(group, generation, member_id, instance, -1, topics)
    answer = peer.ask(request, version, OffsetCommitResponse)
    return answer.topics[0].partitions[0].error_code


def fetched(peer: Peer, topic: str = "t", partition: int = 0, group: str = GROUP) -> int:
    topics = [OffsetFetchRequestTopics(topic, partition_indexes=[partition])]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group, topics=topics)])
    answer = peer.ask(request, 8, OffsetFetchResponse)
    assert answer.groups[0].error_code == 0
    return answer.groups[0].topics[0].partitions[0].committed_offset


def described(peer: Peer, group: str = GROUP) -> DescribedGroup:
    return peer.ask(DescribeGroupsRequest([group]), 5, DescribeGroupsResponse).groups[0]


def stable(node: WholeNode, *members: Member) -> None:
    """All of them join, one of them assigns, and all know their part."""
    for member in members:
        member.join()
    node.pass_time(2 * DELAY_MS)
    complete(*members)


def complete(*members: Member) -> None:
    """Their joins are answered; they sync."""
    for member in members:
        member.joined()
    assert sum(one.leads for one in members) == 1
    for member in members:
        member.sync()
    assert [one.synced() for one in members] == [one.member_id.encode() for one in members]
