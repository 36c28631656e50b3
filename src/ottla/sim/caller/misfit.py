"""Questions to a group coordinator that no proper client asks: strange names, members that nobody knows,
timeouts out of range, protocols that do not fit, metadata that is none.

The group g0 is one that real members are in; "odd" is nobody's but ours.
"""

from typing import Final

from ottla.wire.api import (
    DELETE_GROUPS,
    DESCRIBE_GROUPS,
    HEARTBEAT,
    JOIN_GROUP,
    LEAVE_GROUP,
    LIST_GROUPS,
    OFFSET_COMMIT,
    OFFSET_DELETE,
    OFFSET_FETCH,
    SYNC_GROUP,
    Message,
)
from ottla.wire.message.delete_groups import DeleteGroupsRequest
from ottla.wire.message.describe_groups import DescribeGroupsRequest
from ottla.wire.message.heartbeat import HeartbeatRequest
from ottla.wire.message.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.message.leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.message.list_groups import ListGroupsRequest
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
)
from ottla.wire.message.sync_group import SyncGroupRequest

_SESSION_MS: Final = 300


def _joining(
    group: str,
    *protocols: str,
    member_id: str = "",
    session_ms: int = _SESSION_MS,
    kind: str = "consumer",
    version_has_rebalance: bool = True,
) -> Message:
    rows = [JoinGroupRequestProtocol(name, b"\xff\xff\xff") for name in protocols]
    rebalance_ms = _SESSION_MS if version_has_rebalance else -1
    return JoinGroupRequest(group, session_ms, rebalance_ms, member_id, None, kind, rows)


def _committing(
    group: str,
    topic: str = "t0",
    partition: int = 0,
    *,
    metadata: str | None = None,
    generation: int = -1,
) -> Message:
    part = OffsetCommitRequestPartition(partition, 7, committed_metadata=metadata)
    member_id = "nobody" if generation >= 0 else ""
    topics = [OffsetCommitRequestTopic(topic, partitions=[part])]
    return OffsetCommitRequest(group, generation, member_id, topics=topics)


def _forgetting(group: str, topic: str) -> Message:
    rows = [OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(99)])]
    return OffsetDeleteRequest(group, rows)


REQUESTS: Final[tuple[tuple[int, int, Message], ...]] = (
    (JOIN_GROUP, 5, _joining("", "range")),
    (JOIN_GROUP, 5, _joining("odd", "range", session_ms=1)),
    (JOIN_GROUP, 5, _joining("odd", "range", session_ms=1 << 30)),
    (JOIN_GROUP, 5, _joining("odd")),
    (JOIN_GROUP, 5, _joining("odd", "range")),
    (JOIN_GROUP, 5, _joining("g0", "range", member_id="nobody")),
    (JOIN_GROUP, 5, _joining("nobody", "range", member_id="nobody")),
    (JOIN_GROUP, 5, _joining("g0", "range", kind="connect")),
    (JOIN_GROUP, 5, _joining("g0", "sticky")),
    (JOIN_GROUP, 3, _joining("odd", "range", "sticky")),
    (JOIN_GROUP, 0, _joining("odd", "sticky", version_has_rebalance=False)),
    (JOIN_GROUP, 1, _joining("odder", "sticky", kind="connect")),
    (SYNC_GROUP, 3, SyncGroupRequest("g0", 1, "nobody")),
    (SYNC_GROUP, 5, SyncGroupRequest("", 1, "nobody")),
    (SYNC_GROUP, 3, SyncGroupRequest("nobody", 1, "nobody")),
    (HEARTBEAT, 4, HeartbeatRequest("g0", 1, "nobody")),
    (HEARTBEAT, 4, HeartbeatRequest("g0", 1, "nobody", "i9")),
    (HEARTBEAT, 4, HeartbeatRequest("", 1, "nobody")),
    (HEARTBEAT, 0, HeartbeatRequest("nobody", 1, "nobody")),
    (LEAVE_GROUP, 5, LeaveGroupRequest("g0", members=[MemberIdentity("nobody")])),
    (LEAVE_GROUP, 3, LeaveGroupRequest("g0", members=[MemberIdentity("", "i9")])),
    (LEAVE_GROUP, 3, LeaveGroupRequest("", members=[])),
    (LEAVE_GROUP, 0, LeaveGroupRequest("nobody", "nobody")),
    (OFFSET_COMMIT, 9, _committing("odd", metadata="x" * 5_000)),
    (OFFSET_COMMIT, 9, _committing("odd", "nobody")),
    (OFFSET_COMMIT, 9, _committing("odd", partition=99)),
    (OFFSET_COMMIT, 9, _committing("odd")),
    (OFFSET_COMMIT, 9, _committing("nobody", generation=3)),
    (OFFSET_COMMIT, 7, _committing("nobody", generation=3)),
    (OFFSET_COMMIT, 9, _committing("g0", generation=3)),
    (OFFSET_FETCH, 0, OffsetFetchRequest("odd", [OffsetFetchRequestTopic("t0", [0, 99])])),
    (OFFSET_FETCH, 1, OffsetFetchRequest("nobody", [OffsetFetchRequestTopic("nobody", [0])])),
    (OFFSET_FETCH, 7, OffsetFetchRequest("odd", None)),
    (OFFSET_FETCH, 8, OffsetFetchRequest(groups=[])),
    (
        OFFSET_FETCH,
        9,
        OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup("odd", topics=None), OffsetFetchRequestGroup("g0")]
        ),
    ),
    (OFFSET_FETCH, 7, OffsetFetchRequest("bygone", None)),
    (OFFSET_FETCH, 10, OffsetFetchRequest(groups=[OffsetFetchRequestGroup("odd", topics=None)])),
    (OFFSET_DELETE, 0, _forgetting("", "t0")),
    (OFFSET_DELETE, 0, _forgetting("nobody", "t0")),
    (OFFSET_DELETE, 0, _forgetting("odd", "t0")),
    (OFFSET_DELETE, 0, _forgetting("odder", "nobody")),
    (DELETE_GROUPS, 2, DeleteGroupsRequest(["", "nobody", "odd", "odd"])),
    (DELETE_GROUPS, 2, DeleteGroupsRequest([])),
    (DESCRIBE_GROUPS, 6, DescribeGroupsRequest(["nobody", "", "odd"])),
    (DESCRIBE_GROUPS, 0, DescribeGroupsRequest([])),
    (DESCRIBE_GROUPS, 5, DescribeGroupsRequest(["bygone", "newer"])),
    (LIST_GROUPS, 5, ListGroupsRequest(["Stable", "Nonsense"], ["classic"])),
    (LIST_GROUPS, 5, ListGroupsRequest([], ["consumer"])),
    (LIST_GROUPS, 0, ListGroupsRequest()),
)
"""API key, version, and the request."""
