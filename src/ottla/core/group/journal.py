"""What is written to `__consumer_offsets`, in Kafka's records.

Written are the versions that Kafka 4 writes: offsets in version 3 (1 where the client set an expiry of
its own), groups in version 3; read are all of them. Records of the other kinds of groups (KIP-848,
KIP-932, KIP-1071) are not understood here: it is only noted that such a group is there.

A key without a value takes away what the key named.
"""

from typing import Final, NamedTuple, final

from ottla.core.shard.decision import Entry
from ottla.errors import RemoteProtocolError
from ottla.types import NO_EPOCH, NO_TIMESTAMP
from ottla.wire.stored.consumer_group_metadata import ConsumerGroupMetadataKey
from ottla.wire.stored.framing import (
    decode_key_untrusted,
    decode_value_untrusted,
    encode_key,
    encode_versioned,
)
from ottla.wire.stored.group_metadata import GroupMetadataKey, GroupMetadataValue
from ottla.wire.stored.legacy_offset_commit import LegacyOffsetCommitKey, LegacyOffsetCommitValue
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue
from ottla.wire.stored.share_group_metadata import ShareGroupMetadataKey
from ottla.wire.stored.streams_group_metadata import StreamsGroupMetadataKey

_GROUP_VERSION: Final = 3
_OFFSET_VERSION: Final = 3
_OFFSET_WITH_EXPIRY_VERSION: Final = 1


class CommittedOffset(NamedTuple):
    """Where a group is in a partition. `expire_ms` -1: as the broker's retention says."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_ms: int
    expire_ms: int = NO_TIMESTAMP


@final
class OffsetEntry:
    """A commit; `committed` None: forgotten."""

    __slots__ = ("committed", "group_id", "partition", "topic")

    def __init__(
        self, group_id: str, topic: str, partition: int, committed: CommittedOffset | None
    ) -> None:
        self.group_id = group_id
        self.topic = topic
        self.partition = partition
        self.committed = committed

    def record(self) -> tuple[bytes, bytes | None]:
        key = encode_key(OffsetCommitKey(self.group_id, self.topic, self.partition))
        one = self.committed
        if one is None:
            return key, None
        value = OffsetCommitValue(
            offset=one.offset,
            leader_epoch=one.leader_epoch,
            metadata=one.metadata,
            commit_timestamp=one.commit_ms,
            expire_timestamp=one.expire_ms,
        )
        expires = one.expire_ms != NO_TIMESTAMP
        version = _OFFSET_WITH_EXPIRY_VERSION if expires else _OFFSET_VERSION
        return key, encode_versioned(value, version)


@final
class GroupEntry:
    """A generation of a classic group; `value` None: the group is gone."""

    __slots__ = ("group_id", "value")

    def __init__(self, group_id: str, value: GroupMetadataValue | None) -> None:
        self.group_id = group_id
        self.value = value

    def record(self) -> tuple[bytes, bytes | None]:
        key = encode_key(GroupMetadataKey(self.group_id))
        if self.value is None:
            return key, None
        return key, encode_versioned(self.value, _GROUP_VERSION)


@final
class ForeignEntry:
    """A group of a kind that is not served here is there, or gone. Read, never written."""

    __slots__ = ("group_id", "is_there")

    def __init__(self, group_id: str, *, is_there: bool) -> None:
        self.group_id = group_id
        self.is_there = is_there

    def record(self) -> tuple[bytes, bytes | None]:
        raise AssertionError("groups of other kinds are not written here")


def decode_untrusted(key: bytes | None, value: bytes | None) -> Entry | None:
    """The entry of a record; None: of a type that means nothing here."""
    if key is None:
        raise RemoteProtocolError("a record without a key")
    decoded = decode_key_untrusted("group", key)
    match decoded:
        case OffsetCommitKey() | LegacyOffsetCommitKey():
            committed = None if value is None else _offset_untrusted(decoded.TYPE_ID, value)
            return OffsetEntry(decoded.group, decoded.topic, decoded.partition, committed)
        case GroupMetadataKey():
            if value is None:
                return GroupEntry(decoded.group, None)
            group, _ = decode_value_untrusted("group", decoded.TYPE_ID, value)
            assert isinstance(group, GroupMetadataValue)
            return GroupEntry(decoded.group, group)
        case ConsumerGroupMetadataKey() | ShareGroupMetadataKey() | StreamsGroupMetadataKey():
            return ForeignEntry(decoded.group_id, is_there=value is not None)
        case _:
            return None


def _offset_untrusted(type_id: int, data: bytes) -> CommittedOffset:
    value, _ = decode_value_untrusted("group", type_id, data)
    if isinstance(value, LegacyOffsetCommitValue):
        return CommittedOffset(value.offset, NO_EPOCH, value.metadata, value.commit_timestamp)
    assert isinstance(value, OffsetCommitValue)
    return CommittedOffset(
        offset=value.offset,
        leader_epoch=value.leader_epoch,
        metadata=value.metadata,
        commit_ms=value.commit_timestamp,
        expire_ms=value.expire_timestamp,
    )
