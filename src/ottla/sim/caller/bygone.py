"""A metadata log as the controller of an old Apache Kafka may leave it: transactions, one of which may
never have ended, brokers that are gone, a topic they led, and facts that a node keeps without acting
on them.

The node takes it over: every partition of the topic can be led by it. Nobody writes to that topic; what is promised of others is
promised of it as well.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from ottla.core.log.checkpoint import PARTITION_METADATA, format_partition_metadata
from ottla.core.metadata.local import DIRECTORY
from ottla.core.metadata.partition import OFFSETS_TOPIC
from ottla.core.metadata.records import (
    DIRECTORIES_SINCE,
    AbortTransactionRecord,
    AccessControlEntryRecord,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    MetadataRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
    ZkMigrationStateRecord,
    framed,
    version_of,
)
from ottla.record.builder import BatchBuilder
from ottla.record.control import transaction_marker
from ottla.sim.plan import EPOCH_MS
from ottla.sim.platter import Folder, Inode
from ottla.wire.stored.client_quota_record import EntityData
from ottla.wire.stored.consumer_group_metadata import ConsumerGroupMetadataKey
from ottla.wire.stored.framing import encode_key, encode_versioned
from ottla.wire.stored.group_metadata import GroupMetadataKey, GroupMetadataValue
from ottla.wire.stored.legacy_offset_commit import LegacyOffsetCommitKey, LegacyOffsetCommitValue
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

TOPIC: Final = "past"
GROUP: Final = "bygone"
GONE: Final = 7
"""A broker that was alive when the directory was formatted, and never comes."""

QUOTAS: Final = {"producer_byte_rate": 1_000.0, "request_percentage": 20.0}
"""Of the user `ann`."""

_SHARE: Final = 0.25
_NODE: Final = 1  # what a broker is called that is given no number
_FENCED: Final = 8
_FORGOTTEN: Final = 9
_ELR_SINCE: Final = 23
_TOPIC_RESOURCE: Final = 2
_TOPIC_ID: Final = b"\x51" * 16
_OFFSETS_ID: Final = b"\x54" * 16
_DIRECTORY: Final = b"\x52" * 16
_OF_NODE: Final = bytes(15) + b"\x09"
_CHANGE_FENCED: Final = 1


def leave_metadata(seed: int, root: Folder, offsets_root: Folder, now_ms: int) -> None:
    """In some worlds, put such a log there, and one of offsets where partitions may be; both are on
    the platter."""
    chance = Random(f"{seed}/bygone")
    if chance.random() > _SHARE:
        return
    folder = Folder()
    inode = Inode(now_ms)
    inode.data += b"".join(_batches(chance))
    inode.durable += inode.data
    folder.put("00000000000000000000.log", inode)
    folder.sync()
    root.put(DIRECTORY, folder)
    if chance.random() < 0.8:
        folder = Folder()
        files = {
            "00000000000000000000.log": b"".join(_offsets()),
            PARTITION_METADATA: format_partition_metadata(_OFFSETS_ID),
        }
        for name, data in files.items():
            inode = Inode(now_ms)
            inode.data += data
            inode.durable += data
            folder.put(name, inode)
        folder.sync()
        offsets_root.put(f"{OFFSETS_TOPIC}-0", folder)
        offsets_root.sync()
    root.sync()


def _batches(chance: Random) -> Iterator[bytearray]:
    level = chance.choice((7, 11, 16, 17, 22, 23, 25, 30, 30))
    entries: list[list[MetadataRecord]] = [
        [FeatureLevelRecord(name="metadata.version", feature_level=level)]
    ]
    entries += [[BeginTransactionRecord(name="bootstrap"), *_brokers(level)]]
    entries += [[*_topics(chance, level)], [EndTransactionRecord(), *_quotas()]]
    if chance.random() < 0.6:
        entries += [[*_kept()]]
    spoiled = TopicRecord(name="never", topic_id=b"\x53" * 16)
    if chance.random() < 0.5:
        reason = AbortTransactionRecord(reason="a new controller")
        entries += [[NoOpRecord(), BeginTransactionRecord(), spoiled], [reason]]
    if chance.random() < 0.5:
        entries += [[BeginTransactionRecord(name="never ends"), spoiled]]
    offset = 0
    for records in entries:
        builder = BatchBuilder()
        for record in records:
            builder.append(EPOCH_MS, None, framed(record, version_of(record, level)))
        yield builder.build(base_offset=offset, leader_epoch=1)
        offset += builder.record_count


def _brokers(level: int) -> Iterator[MetadataRecord]:
    directories = (_DIRECTORY,) if level >= DIRECTORIES_SINCE else ()
    for number in (GONE, _FENCED, _FORGOTTEN):
        yield RegisterBrokerRecord(
            broker_id=number,
            incarnation_id=bytes([number]) * 16,
            broker_epoch=number,
            rack=None,
            fenced=number == _FENCED,
            log_dirs=directories,
        )
    yield UnfenceBrokerRecord(id=_FENCED, epoch=_FENCED)
    yield FenceBrokerRecord(id=_FENCED, epoch=_FENCED)
    yield BrokerRegistrationChangeRecord(
        broker_id=_FORGOTTEN, broker_epoch=_FORGOTTEN, fenced=_CHANGE_FENCED
    )
    yield UnregisterBrokerRecord(broker_id=_FORGOTTEN, broker_epoch=_FORGOTTEN)


def _topics(chance: Random, level: int) -> Iterator[MetadataRecord]:
    if level >= _ELR_SINCE and chance.random() < 0.5:
        yield FeatureLevelRecord(name="eligible.leader.replicas.version", feature_level=1)
    gone_id = bytes(reversed(_TOPIC_ID[:15])) + b"\x01"
    yield TopicRecord(name="past-and-gone", topic_id=gone_id)
    yield _partition(gone_id, 0, level, replicas=(GONE,), isr=(GONE,), leader=GONE)
    if chance.random() < 0.6:
        yield TopicRecord(name=OFFSETS_TOPIC, topic_id=_OFFSETS_ID)
        yield _partition(_OFFSETS_ID, 0, level, replicas=(_NODE,), isr=(_NODE,), leader=_NODE)
    yield TopicRecord(name=TOPIC, topic_id=_TOPIC_ID)
    rows = [
        _partition(_TOPIC_ID, 0, level, replicas=(GONE, _NODE), isr=(GONE, _NODE), leader=GONE),
        _partition(_TOPIC_ID, 1, level, replicas=(_NODE, GONE), isr=(_NODE,), leader=_NODE),
        _partition(_TOPIC_ID, 2, level, replicas=(_NODE, GONE), isr=(_NODE,), leader=_NODE),
        _partition(_TOPIC_ID, 3, level, replicas=(_NODE, GONE), isr=(_NODE, GONE), leader=GONE),
        _partition(_TOPIC_ID, 4, level, replicas=(GONE, _NODE), isr=(GONE,), leader=GONE),
    ]
    rows[1].removing_replicas = (GONE,)
    rows[2].adding_replicas = (GONE,)
    if level >= _ELR_SINCE:
        for elr, last_known in (((_NODE,), ()), ((), (_NODE,)), ((GONE,), ())):
            number = len(rows)
            row = _partition(_TOPIC_ID, number, level, replicas=(GONE, _NODE), isr=(), leader=-1)
            row.eligible_leader_replicas = elr
            row.last_known_elr = last_known
            rows.append(row)
    yield from rows
    yield PartitionChangeRecord(partition_id=2, topic_id=_TOPIC_ID, isr=(_NODE, GONE))
    yield ConfigRecord(
        resource_type=_TOPIC_RESOURCE,
        resource_name=TOPIC,
        name="unclean.leader.election.enable",
        value="true",
    )
    yield ConfigRecord(
        resource_type=_TOPIC_RESOURCE,
        resource_name="past-and-gone",
        name="retention.ms",
        value="1000",
    )
    yield RemoveTopicRecord(topic_id=gone_id)
    if level >= _ELR_SINCE and chance.random() < 0.3:
        yield ClearElrRecord(topic_name=chance.choice(("", TOPIC)))


def _partition(
    topic_id: bytes,
    number: int,
    level: int,
    *,
    replicas: tuple[int, ...],
    isr: tuple[int, ...],
    leader: int,
) -> PartitionRecord:
    directories = tuple(_OF_NODE if one == _NODE else _DIRECTORY for one in replicas)
    return PartitionRecord(
        partition_id=number,
        topic_id=topic_id,
        replicas=replicas,
        isr=isr,
        leader=leader,
        leader_epoch=3,
        partition_epoch=5,
        directories=directories if level >= DIRECTORIES_SINCE else (),
    )


def _quotas() -> Iterator[MetadataRecord]:
    """Of people who are not here."""
    yield ProducerIdsRecord(broker_id=GONE, broker_epoch=1, next_producer_id=5_000)
    user, client = EntityData("user", "ann"), EntityData("client-id", None)
    for key, value in QUOTAS.items():
        yield ClientQuotaRecord([user], key, value)
    yield ClientQuotaRecord([user, client], "consumer_byte_rate", 2_000.0)
    yield ClientQuotaRecord([user, client], "consumer_byte_rate", 0.0, remove=True)


def _kept() -> Iterator[MetadataRecord]:
    for number in (1, 2):
        yield AccessControlEntryRecord(
            id=bytes([number]) * 16,
            resource_type=2,
            resource_name="t0",
            pattern_type=3,
            principal="User:ann",
            host="*",
            operation=3,
            permission_type=3,
        )
        yield UserScramCredentialRecord("ann", number, b"salt", b"stored", b"server", 4_096)
        yield DelegationTokenRecord("User:ann", "User:ann", [], 1, 2, 3, f"token-{number}")
        yield RegisterControllerRecord(controller_id=3_000 + number)
    yield RemoveAccessControlEntryRecord(id=bytes([2]) * 16)
    yield RemoveUserScramCredentialRecord("ann", 2)
    yield RemoveDelegationTokenRecord("token-2")
    yield UnregisterControllerRecord(controller_id=3_002)
    yield ZkMigrationStateRecord(zk_migration_state=1)
    yield NoOpRecord()


def _offsets() -> Iterator[bytearray]:
    """A coordinator's log: versions of long ago, groups of other kinds, commits in transactions."""
    commit = OffsetCommitValue(offset=5, metadata="", commit_timestamp=EPOCH_MS)
    expiring = OffsetCommitValue(
        offset=6, metadata="m", commit_timestamp=EPOCH_MS, expire_timestamp=EPOCH_MS + 60_000
    )
    legacy = LegacyOffsetCommitValue(offset=4, metadata="", commit_timestamp=EPOCH_MS)
    group = GroupMetadataValue(protocol_type="consumer", generation=3)
    plain = (
        (encode_key(OffsetCommitKey(GROUP, TOPIC, 0)), encode_versioned(commit, 3)),
        (encode_key(OffsetCommitKey(GROUP, TOPIC, 1)), encode_versioned(expiring, 1)),
        (encode_key(LegacyOffsetCommitKey(GROUP, TOPIC, 2)), encode_versioned(legacy, 0)),
        (encode_key(OffsetCommitKey(GROUP, TOPIC, 3)), encode_versioned(commit, 3)),
        (encode_key(OffsetCommitKey(GROUP, TOPIC, 3)), None),
        (encode_key(GroupMetadataKey(GROUP)), encode_versioned(group, 3)),
        (encode_key(GroupMetadataKey("dead")), encode_versioned(group, 0)),
        (encode_key(GroupMetadataKey("dead")), None),
        (encode_key(ConsumerGroupMetadataKey("newer")), b"\0\0\0\0\0\0\0"),
        (encode_key(ConsumerGroupMetadataKey("newer")), None),
        (b"\x7f\x7f", b"of no kind that anybody knows"),
    )
    yield _rows(0, plain)
    offset = len(plain)
    for producer_id, commits in ((70, True), (71, False), (72, True)):
        key = encode_key(OffsetCommitKey(GROUP, TOPIC, 4 if commits else 5))
        yield _rows(offset, ((key, encode_versioned(commit, 3)),), producer_id)
        if producer_id != 72:  # whose coordinator was gone before it said how it ended
            yield transaction_marker(
                commit=commits,
                producer_id=producer_id,
                producer_epoch=0,
                coordinator_epoch=0,
                timestamp_ms=EPOCH_MS,
                base_offset=offset + 1,
                leader_epoch=3,
            )
        offset += 2


def _rows(
    base_offset: int, rows: tuple[tuple[bytes, bytes | None], ...], producer_id: int = -1
) -> bytearray:
    builder = BatchBuilder()
    for key, value in rows:
        builder.append(EPOCH_MS, key, value)
    in_transaction = producer_id >= 0
    return builder.build(
        base_offset=base_offset,
        leader_epoch=3,
        producer_id=producer_id,
        producer_epoch=0 if in_transaction else -1,
        base_sequence=0 if in_transaction else -1,
        transactional=in_transaction,
    )
