"""Records of `__consumer_offsets` are written as Kafka 4 writes them, and read in all their forms."""

import pytest

from ottla.core.group.journal import (
    CommittedOffset,
    ForeignEntry,
    GroupEntry,
    OffsetEntry,
    decode_untrusted,
)
from ottla.errors import RemoteProtocolError
from ottla.types import ZERO_UUID
from ottla.wire.stored.consumer_group_metadata import (
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
)
from ottla.wire.stored.framing import encode_key, encode_versioned
from ottla.wire.stored.group_metadata import GroupMetadataKey, GroupMetadataValue, MemberMetadata
from ottla.wire.stored.legacy_offset_commit import LegacyOffsetCommitKey, LegacyOffsetCommitValue
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue


def offset_back(key: bytes, value: bytes | None) -> CommittedOffset | None:
    entry = decode_untrusted(key, value)
    assert isinstance(entry, OffsetEntry)
    assert (entry.group_id, entry.topic, entry.partition) == ("g", "t", 3)
    return entry.committed


@pytest.mark.parametrize(
    ("committed", "version"),
    [(CommittedOffset(7, 2, "note", 1000), 3), (CommittedOffset(7, -1, "", 1000, 2000), 1)],
)
def test_an_offset_is_read_as_it_was_written(committed: CommittedOffset, version: int) -> None:
    key, value = OffsetEntry("g", "t", 3, committed).record()
    assert key == b"\0\x01\0\x01g\0\x01t\0\0\0\x03"
    assert value is not None
    assert value[:2] == version.to_bytes(2, "big")
    assert offset_back(key, value) == committed


def test_a_tombstone_has_no_value() -> None:
    key, value = OffsetEntry("g", "t", 3, None).record()
    assert value is None
    assert offset_back(key, None) is None


@pytest.mark.parametrize("version", range(5))
def test_every_version_of_an_offset_is_read(version: int) -> None:
    stored = OffsetCommitValue(offset=9, metadata="m", commit_timestamp=5, topic_id=ZERO_UUID)
    key = encode_key(OffsetCommitKey("g", "t", 3))
    assert offset_back(key, encode_versioned(stored, version)) == CommittedOffset(9, -1, "m", 5)


def test_the_oldest_form_of_an_offset_is_read() -> None:
    key = encode_key(LegacyOffsetCommitKey("g", "t", 3))
    value = encode_versioned(LegacyOffsetCommitValue(9, "m", 5), 0)
    assert offset_back(key, value) == CommittedOffset(9, -1, "m", 5)


@pytest.mark.parametrize("version", range(5))
def test_every_version_of_a_group_is_read(version: int) -> None:
    members = [MemberMetadata(member_id="m", subscription=b"s", assignment=b"a")]
    stored = GroupMetadataValue("consumer", 4, "range", "m", members=members)
    entry = decode_untrusted(encode_key(GroupMetadataKey("g")), encode_versioned(stored, version))
    assert isinstance(entry, GroupEntry)
    assert entry.value is not None
    assert (entry.value.generation, entry.value.leader) == (4, "m")
    assert [one.assignment for one in entry.value.members] == [b"a"]


def test_a_group_is_written_in_the_version_of_kafka_4() -> None:
    key, value = GroupEntry("g", GroupMetadataValue(protocol=None, leader=None)).record()
    assert key == b"\0\x02\0\x01g"
    assert value is not None
    assert value[:2] == b"\0\x03"


def test_other_kinds_of_groups_are_noted_and_the_rest_is_passed_over() -> None:
    key = encode_key(ConsumerGroupMetadataKey("g"))
    there = decode_untrusted(key, encode_versioned(ConsumerGroupMetadataValue(3), 0))
    assert isinstance(there, ForeignEntry)
    assert (there.group_id, there.is_there) == ("g", True)
    gone = decode_untrusted(key, None)
    assert isinstance(gone, ForeignEntry)
    assert not gone.is_there
    assert decode_untrusted(b"\x7f\x00whatever", b"x") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b""),
        (b"\0", b""),
        (b"\0\x01\0\x01g", b""),
        (b"\0\x02\0\x01g", b"\0\x09"),
        (b"\0\x02\0\x01g", b"\0\x03\0"),
        (b"\0\x01\0\x01g\0\x01t\0\0\0\x03", b"\0\x03\0\0"),
    ],
)
def test_what_is_broken_is_refused(key: bytes | None, value: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_untrusted(key, value)
