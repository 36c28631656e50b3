"""Offsets of groups: who may commit, what outlives the process, what expires, what is too large."""

import pytest

from ottla.core.group.journal import CommittedOffset, OffsetEntry
from ottla.core.log.recovery import Shutdown
from ottla.core.shard.place import shard_of
from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.record.control import ControlType, transaction_marker
from ottla.record.crc import crc32c
from ottla.wire.message.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ottla.wire.message.describe_groups import DescribedGroup
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopic,
    OffsetFetchResponse,
)
from ottla.wire.stored.consumer_group_metadata import (
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
)
from ottla.wire.stored.framing import encode_key, encode_versioned
from tests.unit.broker.group_house import (
    DELAY_MS,
    SESSION_MS,
    Member,
    commit,
    complete,
    coordinated,
    described,
    fetched,
    make_topic,
    stable,
    subscription,
)
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

ONE_SHARD = "offsets.topic.num.partitions=1"


@pytest.fixture
def node() -> WholeNode:
    return WholeNode(MemoryDisk(NOW_MS), "offsets.topic.num.partitions=5")


def check(node: WholeNode) -> None:
    node.node.groups.check_invariants()


# --- offsets ----------------------------------------------------------------------------------------


def test_a_member_commits_and_the_next_one_resumes(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    member = Member(node)
    stable(node, member)
    assert member.commit(42) == 0
    assert fetched(node.connect()) == 42
    assert fetched(node.connect(), partition=1) == -1
    assert fetched(node.connect(), group="nobody") == -1


def test_who_may_commit(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1, generation=3, member_id="x") == ErrorCode.GROUP_ID_NOT_FOUND
    assert commit(peer, 1, generation=3, member_id="x", version=8) == ErrorCode.ILLEGAL_GENERATION
    assert commit(peer, 1) == 0  # from outside, while nobody is in
    member = Member(node)
    member.join()
    node.pass_time(2 * DELAY_MS)
    member.joined()
    assert member.commit(2) == ErrorCode.REBALANCE_IN_PROGRESS
    member.sync()
    assert member.commit(2) == 0
    assert commit(peer, 3) == ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(peer, 3, generation=1, member_id="x") == ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(peer, 3, generation=0, member_id=member.member_id) == ErrorCode.ILLEGAL_GENERATION
    assert commit(peer, 3, topic="none") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert commit(peer, 3, partition=3) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert fetched(peer) == 2


def test_metadata_is_kept_up_to_its_bound(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1, metadata="x" * 4096) == 0
    assert commit(peer, 2, metadata="x" * 4097) == ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert fetched(peer) == 1


def test_a_commit_keeps_the_session(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    member = Member(node)
    stable(node, member)
    for offset in range(4):
        node.pass_time(SESSION_MS - 1)
        assert member.commit(offset) == 0


def test_offsets_go_with_their_topic(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    make_topic(peer, "u")
    assert commit(peer, 5) == 0
    assert commit(peer, 6, topic="u") == 0
    peer.ask(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1_000), 3, DeleteTopicsResponse)
    make_topic(peer, "t")
    assert fetched(peer) == -1
    assert fetched(peer, topic="u") == 6


# --- what outlives the process ----------------------------------------------------------------------


@pytest.mark.parametrize("shutdown", [Shutdown.CLEAN, Shutdown.KILLED])
def test_members_go_on_after_a_restart(shutdown: Shutdown) -> None:
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk)
    peer = coordinated(node)
    make_topic(peer, "t")
    members = [Member(node), Member(node, instance="i")]
    stable(node, *members)
    assert members[0].commit(7) == 0
    if shutdown is Shutdown.CLEAN:
        node.stop()
    again = WholeNode(disk.copy(), shutdown=shutdown, now_ms=node.now_ms)
    for old in members:
        old.node, old.peer = again, again.connect()
        assert old.heartbeat() == 0
        assert old.sync({}).synced() == old.member_id.encode()
    assert members[0].commit(8) == 0
    assert fetched(again.connect()) == 8
    check(again)


def test_a_member_that_died_with_the_broker_is_expired_after_it(node: WholeNode) -> None:
    coordinated(node)
    stable(node, Member(node))
    again = WholeNode(node.disk.copy(), shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    assert described(again.connect()).group_state == "Stable"
    again.pass_time(SESSION_MS)
    assert described(again.connect()).group_state == "Empty"


def test_what_is_replayed_is_what_was(node: WholeNode) -> None:
    """Whatever happened before, the next process has the same groups, offsets and generations."""
    peer = coordinated(node)
    make_topic(peer, "t")
    stable(node, Member(node, "a"), Member(node, "a", instance="i"))
    Member(node, "a", instance="i").join()
    gone = Member(node, "b")
    stable(node, gone)
    gone.commit(3)
    gone.leave()
    for number in range(20):
        commit(peer, number, partition=number % 3, group=f"simple-{number % 7}")
    again = WholeNode(node.disk.copy(), shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    names = ["a", "b", *(f"simple-{number}" for number in range(7))]

    def seen(one: WholeNode) -> list[object]:
        client = one.connect()
        return [
            (picture(described(client, name)), [fetched(client, "t", p, name) for p in range(3)])
            for name in names
        ]

    assert seen(again) == seen(node)


def picture(group: DescribedGroup) -> object:
    members = [
        (one.member_id, one.group_instance_id, one.member_assignment) for one in group.members
    ]
    return group.group_state, group.protocol_type, group.protocol_data, members


def test_with_flush_ack_no_commit_is_told_before_it_is_on_the_disk() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "ottla.flush=ack")
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1) == 0
    topics = [OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 2)])]
    sent = peer.send(OffsetCommitRequest("g", -1, "", topics=topics), 9)
    assert peer.answer(sent) is None
    reading = node.connect()
    asked = reading.send(OffsetFetchRequest("g", None), 7)
    assert reading.answer(asked) is None  # it would tell what a power cut can still take away
    lost = WholeNode(node.disk.after_power_cut(), shutdown=Shutdown.POWER_LOST)
    assert fetched(lost.connect()) == 1
    node.flush()
    assert peer.answer(sent).topics[0].partitions[0].error_code == 0  # type: ignore[union-attr]
    assert reading.answer(asked).topics[0].partitions[0].committed_offset == 2  # type: ignore[union-attr]


def test_when_the_flush_fails_the_coordinator_is_gone() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "ottla.flush=ack", ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t")
    waiting = Member(node, "h").join()
    topics = [OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 2)])]
    sent = peer.send(OffsetCommitRequest("g", -1, "", topics=topics), 9)
    node.flush("no such luck")
    answer = peer.answer(sent)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR  # type: ignore[union-attr]
    assert waiting.error == ErrorCode.NOT_COORDINATOR
    assert commit(peer, 3) == ErrorCode.NOT_COORDINATOR


def test_when_an_append_fails_the_shard_is_read_again() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1) == 0
    waiting = Member(node, "h").join()
    node.disk.fail_in(1, changes_only=True)
    assert commit(peer, 2) == ErrorCode.NOT_COORDINATOR
    assert waiting.error == ErrorCode.NOT_COORDINATOR
    node.pass_time(1_000)
    assert fetched(peer) == 1
    assert commit(peer, 2) == 0


def test_a_corrupt_log_refuses_its_groups_and_names_the_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "offsets.topic.num.partitions=5")
    peer = coordinated(node)
    make_topic(peer, "t")
    names = [f"group-{number}" for number in range(20)]
    for name in names:
        assert commit(peer, 1, group=name) == 0
    bad = shard_of(names[0], 5)
    path = f"__consumer_offsets-{bad}/00000000000000000000.log"
    data = bytearray(node.disk.files()[path])
    at = data.index(names[0].encode())
    data[at - 1] ^= 0x40  # the length of the name in the key
    disk = node.disk.copy()
    disk.put(path, bytes(with_right_checksums(data)))
    again = WholeNode(disk, shutdown=Shutdown.CLEAN, now_ms=node.now_ms)
    client = again.connect()
    for name in names:
        expected = ErrorCode.NOT_COORDINATOR if shard_of(name, 5) == bad else ErrorCode.NONE
        assert commit(client, 2, group=name) == expected
    (line,) = [one for one in caplog.records if "can't be read" in one.message]
    assert f"__consumer_offsets-{bad}" in line.reason  # type: ignore[attr-defined]
    assert "offset 0" in line.reason  # type: ignore[attr-defined]


def with_right_checksums(data: bytearray) -> bytearray:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "big") + 12
        crc = crc32c(memoryview(data)[at + 21 : at + size])
        data[at + 17 : at + 21] = crc.to_bytes(4, "big")
        at += size
    return data


def test_a_partition_that_comes_unseen_is_taken_up_by_the_first_who_asks(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1) == 0
    for one in list(node.node.groups._shards):
        node.node.groups._close(one, ErrorCode.NOT_COORDINATOR)
    assert commit(peer, 2) == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    node.pass_time(1)
    assert fetched(peer) == 1


def test_a_long_log_is_loaded_in_slices_while_its_groups_wait() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t", partitions=100)
    parts = [OffsetCommitRequestPartition(one, one) for one in range(100)]
    request = OffsetCommitRequest(
        "g", -1, "", topics=[OffsetCommitRequestTopic("t", partitions=parts)]
    )
    for _ in range(60):
        peer.ask(request, 9, OffsetCommitResponse)
    again = WholeNode(node.disk.copy(), shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    client = again.connect()
    assert commit(client, 5) == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    listed = client.ask(ListGroupsRequest(), 5, ListGroupsResponse)
    assert listed.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    member = Member(again)
    assert member.heartbeat() == 0  # believed, as nobody knows better
    assert member.sync().sync_answer().error_code == ErrorCode.REBALANCE_IN_PROGRESS  # type: ignore[union-attr]
    again.pass_time(1)
    assert fetched(client, partition=99) == 99


def test_an_assignment_too_large_to_be_written_is_refused_and_begins_anew(node: WholeNode) -> None:
    coordinated(node)
    leader, follower = Member(node), Member(node)
    for one in (leader, follower):
        one.join()
    node.pass_time(2 * DELAY_MS)
    leader.joined()
    follower.joined()
    follower.sync()
    leader.sync({leader.member_id: b"x" * 1_048_588})
    for one in (leader, follower):
        answer = one.sync_answer()
        assert answer is not None
        assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
        assert one.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS
    leader.join()
    follower.join()
    complete(leader, follower)
    check(node)


def test_a_static_member_whose_metadata_is_too_large_does_not_lose_its_place(
    node: WholeNode,
) -> None:
    coordinated(node)
    static = Member(node, instance="i")
    stable(node, static)
    huge = Member(node, instance="i", metadata=b"x" * 1_048_588).join()
    assert huge.error == ErrorCode.UNKNOWN_SERVER_ERROR
    assert static.heartbeat() == 0
    check(node)


def test_a_commit_too_large_to_be_written_changes_nothing(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t", partitions=400)
    parts = [
        OffsetCommitRequestPartition(one, one, committed_metadata="x" * 4_000) for one in range(400)
    ]
    topics = [OffsetCommitRequestTopic("t", partitions=parts)]
    answer = peer.ask(OffsetCommitRequest("g", -1, "", topics=topics), 9, OffsetCommitResponse)
    errors = {one.error_code for one in answer.topics[0].partitions}
    assert errors == {ErrorCode.INVALID_COMMIT_OFFSET_SIZE}
    assert fetched(peer) == -1
    assert commit(peer, 1) == 0


def test_a_group_too_large_for_a_segment_is_refused_and_takes_no_other_with_it() -> None:
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk, ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t")
    change = AlterConfigsResource(
        2, "__consumer_offsets", [AlterableConfig("internal.segment.bytes", 0, "500")]
    )
    altered = peer.ask(IncrementalAlterConfigsRequest([change]), 1, IncrementalAlterConfigsResponse)
    assert altered.responses[0].error_code == 0
    member = Member(node)
    member.join()
    node.pass_time(DELAY_MS)
    member.joined()
    member.sync({member.member_id: b"x" * 500})
    answer = member.sync_answer()
    assert answer is not None
    assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert commit(peer, 5, group="another") == 0


def test_offsets_in_a_transaction_count_when_its_commit_marker_is_read() -> None:
    """No transaction can be begun here, but a log that Apache Kafka wrote may hold some."""
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk, ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t")
    log = node.node.groups._shards[0].leader.log
    for producer_id, outcome in ((1, ControlType.COMMIT), (2, ControlType.ABORT), (3, None)):
        builder = BatchBuilder()
        entry = OffsetEntry("g", "t", producer_id - 1, CommittedOffset(producer_id, -1, "", NOW_MS))
        builder.append(NOW_MS, *entry.record())
        batches = [
            builder.build(
                base_offset=log.end_offset,
                leader_epoch=0,
                producer_id=producer_id,
                producer_epoch=0,
                base_sequence=0,
                transactional=True,
            )
        ]
        if outcome is not None:
            batches.append(
                transaction_marker(
                    commit=outcome is ControlType.COMMIT,
                    producer_id=producer_id,
                    producer_epoch=0,
                    coordinator_epoch=0,
                    timestamp_ms=NOW_MS,
                    base_offset=log.end_offset + 1,
                    leader_epoch=0,
                )
            )
        for data in batches:
            log.append_batches(bytes(data), now_ms=NOW_MS)
    again = WholeNode(disk.copy(), shutdown=Shutdown.KILLED)
    client = again.connect()
    assert [fetched(client, partition=one) for one in range(3)] == [1, -1, -1]


def test_a_group_of_another_kind_is_not_written_over() -> None:
    """Apache Kafka may have left a group of KIP-848 in the log; its offsets are still served."""
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk, ONE_SHARD)
    peer = coordinated(node)
    make_topic(peer, "t")
    log = node.node.groups._shards[0].leader.log
    builder = BatchBuilder()
    value = encode_versioned(ConsumerGroupMetadataValue(3), 0)
    builder.append(NOW_MS, encode_key(ConsumerGroupMetadataKey("g")), value)
    builder.append(NOW_MS, *OffsetEntry("g", "t", 0, CommittedOffset(7, -1, "", NOW_MS)).record())
    log.append_batches(bytes(builder.build(leader_epoch=0)), now_ms=NOW_MS)
    again = WholeNode(disk.copy(), "offsets.retention.minutes=1", shutdown=Shutdown.KILLED)
    client = again.connect()
    assert fetched(client) == 7
    assert Member(again).join().error == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert commit(client, 8) == ErrorCode.UNKNOWN_MEMBER_ID
    again.pass_time(11 * MINUTE_MS)
    assert fetched(client) == 7


# --- expiry -----------------------------------------------------------------------------------------

MINUTE_MS = 60_000
RETENTION = "offsets.retention.minutes=30"


def test_offsets_of_an_empty_group_expire_from_when_it_became_empty() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), RETENTION)
    peer = coordinated(node)
    make_topic(peer, "t")
    member = Member(node, session_ms=1_800_000)
    stable(node, member)
    assert member.commit(1) == 0
    node.pass_time(25 * MINUTE_MS)
    assert member.heartbeat() == 0
    node.pass_time(25 * MINUTE_MS)
    assert fetched(peer) == 1  # there is a member that reads it
    assert member.leave() == 0
    node.pass_time(29 * MINUTE_MS)
    assert fetched(peer) == 1
    node.pass_time(12 * MINUTE_MS)
    assert fetched(peer) == -1
    assert described(peer).group_state == "Dead"
    again = WholeNode(node.disk.copy(), shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    assert fetched(again.connect()) == -1


def test_a_restart_does_not_prolong_retention() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), RETENTION)
    peer = coordinated(node)
    make_topic(peer, "t")
    member = Member(node)
    stable(node, member)
    assert member.commit(1) == 0
    assert member.leave() == 0
    node.pass_time(22 * MINUTE_MS)
    again = WholeNode(node.disk.copy(), RETENTION, shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    assert fetched(again.connect()) == 1
    again.pass_time(11 * MINUTE_MS)
    assert fetched(again.connect()) == -1


def test_offsets_of_topics_that_a_group_reads_no_more_expire() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), RETENTION)
    peer = coordinated(node)
    make_topic(peer, "t")
    make_topic(peer, "u")
    assert commit(peer, 1, topic="t") == 0
    assert commit(peer, 1, topic="u") == 0
    member = Member(node, session_ms=1_800_000, metadata=subscription("u"))
    stable(node, member)
    for _ in range(2):
        node.pass_time(25 * MINUTE_MS)
        assert member.heartbeat() == 0
    assert (fetched(peer, "t"), fetched(peer, "u")) == (-1, 1)


def test_commits_without_a_group_expire_from_the_commit() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), RETENTION)
    peer = coordinated(node)
    make_topic(peer, "t")
    assert commit(peer, 1, partition=0) == 0
    node.pass_time(20 * MINUTE_MS)
    assert commit(peer, 1, partition=1) == 0
    node.pass_time(20 * MINUTE_MS + 1_000)
    assert (fetched(peer, partition=0), fetched(peer, partition=1)) == (-1, 1)


def test_a_client_may_set_its_own_expiry_in_the_versions_that_had_one(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    topics = [OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 2)])]
    request = OffsetCommitRequest("g", -1, "", None, 5 * MINUTE_MS, topics)
    peer.ask(request, 4, OffsetCommitResponse)
    assert fetched(peer) == 2
    node.pass_time(20 * MINUTE_MS + 1_000)
    assert fetched(peer) == -1


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_expiry_beyond_all_times_is_never(node: WholeNode, version: int) -> None:
    peer = coordinated(node)
    make_topic(peer, "t")
    topics = [OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 2)])]
    request = OffsetCommitRequest("g", -1, "", None, 2**63 - 1, topics)
    answer = peer.ask(request, version, OffsetCommitResponse)
    assert answer.topics[0].partitions[0].error_code == 0
    node.pass_time(20 * MINUTE_MS)
    assert fetched(peer) == 2


@pytest.mark.parametrize("version", range(2))
def test_offsets_of_clients_without_generations_are_kept(node: WholeNode, version: int) -> None:
    """Versions 0 of both APIs once went to ZooKeeper; here all are the coordinator's."""
    peer = coordinated(node)
    make_topic(peer, "t")
    part = OffsetCommitRequestPartition(0, 7, committed_metadata="said")
    request = OffsetCommitRequest("old", topics=[OffsetCommitRequestTopic("t", partitions=[part])])
    assert peer.ask(request, version, OffsetCommitResponse).topics[0].partitions[0].error_code == 0
    for asked in range(4):
        wanted = OffsetFetchRequest("old", [OffsetFetchRequestTopic("t", [0, 1])])
        rows = peer.ask(wanted, asked, OffsetFetchResponse).topics[0].partitions
        assert [(row.committed_offset, row.metadata, row.error_code) for row in rows] == [
            (7, "said", 0),
            (-1, "", 0),
        ]
    # Whoever has committed with version 0 is found by all that came later.
    assert fetched(peer, group="old") == 7
