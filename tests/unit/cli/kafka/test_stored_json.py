"""Stored records as JSON. What is expected was printed by Kafka's own tools."""

import runpy
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from schema.language import Field

from ottla.cli.kafka.java_text import java_json
from ottla.cli.kafka.stored_json import (
    UnknownType,
    coordinator_json_untrusted,
    coordinator_text_untrusted,
    metadata_json_untrusted,
    record_json,
)
from ottla.cli.kafka.stored_layout import LAYOUTS
from ottla.errors import RemoteProtocolError
from ottla.wire.shape import StoredRecord
from ottla.wire.stored.consumer_group_member_metadata import (
    ClassicMemberMetadata,
    ConsumerGroupMemberMetadataValue,
)
from ottla.wire.stored.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription
from ottla.wire.stored.feature_level_record import FeatureLevelRecord
from ottla.wire.stored.framing import encode_key, encode_metadata, encode_versioned
from ottla.wire.stored.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
)
from ottla.wire.stored.kraft_version_record import KRaftVersionRecord
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue
from ottla.wire.stored.topic_record import TopicRecord
from ottla.wire.stored.transaction_log import TransactionLogValue

SCHEMA: Final = Path(__file__).parents[4] / "schema" / "stored"
AREAS: Final = ("clients", "group", "metadata", "share", "transaction")
NEVER_SHOWN: Final = (
    "AbortedTxn",
    "ControlRecordTypeSchema",
    "DefaultPrincipalData",
    "EndTxnMarker",
)
TOPIC_ID: Final = bytes.fromhex("0c74477a6f91145ba1baa10706b25147")


def word(field: Field, low: int, high: int) -> str:
    """A field as the layout tells it."""
    is_struct = field.type[0].isupper()
    text = field.name + (":uuid" if field.type == "uuid" else "")
    if field.since > low or field.until < high:
        text += f"@{field.since}" + ("" if field.until >= high else f"-{field.until}")
    if field.tag is not None:
        if is_struct and not field.many:
            text += "#struct"
        elif field.defaults_to_null:
            text += "#null"
        elif field.many or not field.default or field.default == bytes(16):
            text += "#0"
        else:
            text += f"#{field.default!r}"
    return text + (f">{field.type}" if is_struct else "")


def structs(record: str, name: str, fields: Sequence[Field], low: int, high: int) -> Iterator[str]:
    yield f"{name}: {' '.join(word(field, low, high) for field in fields)}"
    for field in fields:
        if field.fields is not None:
            yield from structs(record, f"{record}.{field.type}", field.fields, low, high)


def test_layouts_are_those_of_the_schema() -> None:
    lines: list[str] = []
    for path in sorted(SCHEMA.glob("*.py")):
        if path.name.split("_")[0] in AREAS:
            for body in runpy.run_path(str(path))["RECORD"].bodies:
                if body.name not in NEVER_SHOWN:
                    low, high = body.version_min, body.version_max
                    for line in structs(body.name, body.name, body.fields, low, high):
                        lines += textwrap.wrap(line, width=96, subsequent_indent="    ")
    assert LAYOUTS.splitlines() == lines


def shown(record: StoredRecord, version: int) -> str:
    return java_json(record_json(record, version))


def test_a_field_is_shown_in_its_versions_only() -> None:
    value = OffsetCommitValue(offset=50, leader_epoch=7, commit_timestamp=9, expire_timestamp=11)
    common = '"metadata":"","commitTimestamp":9'
    assert shown(value, 0) == f'{{"offset":50,{common}}}'
    assert shown(value, 1) == f'{{"offset":50,{common},"expireTimestamp":11}}'
    assert shown(value, 3) == f'{{"offset":50,"leaderEpoch":7,{common}}}'


def test_a_tagged_field_is_left_out_where_it_says_nothing() -> None:
    assert '"topicId"' not in shown(OffsetCommitValue(), 4)
    told = shown(OffsetCommitValue(topic_id=TOPIC_ID), 4)
    assert told.endswith('"topicId":"DHRHem-RFFuhuqEHBrJRRw"}')
    assert "previousProducerId" not in shown(TransactionLogValue(), 1)
    assert '"previousProducerId":0' in shown(TransactionLogValue(previous_producer_id=0), 1)


def test_a_tagged_struct_is_left_out_where_it_is_empty() -> None:
    value = ConsumerGroupMemberMetadataValue(classic_member_metadata=ClassicMemberMetadata())
    assert "classicMemberMetadata" not in shown(value, 0)
    told = shown(
        ConsumerGroupMemberMetadataValue(
            classic_member_metadata=ClassicMemberMetadata(session_timeout_ms=7)
        ),
        0,
    )
    assert told.endswith('"classicMemberMetadata":{"sessionTimeoutMs":7,"supportedProtocols":[]}}')
    assert shown(ConsumerGroupMemberMetadataValue(), 0).endswith('"classicMemberMetadata":null}')


def test_kafkas_own_spelling_counts() -> None:
    assert shown(KRaftVersionRecord(kraft_version=1), 0) == '{"version":0,"kRaftVersion":1}'


def test_a_metadata_record_is_told_with_its_type() -> None:
    data = encode_metadata(FeatureLevelRecord(name="metadata.version", feature_level=30), 0)
    assert java_json(metadata_json_untrusted(data)) == (
        '{"type":"FEATURE_LEVEL_RECORD","version":0,'
        '"data":{"name":"metadata.version","featureLevel":30}}'
    )
    topic = encode_metadata(TopicRecord(name="t", topic_id=TOPIC_ID), 0)
    assert java_json(metadata_json_untrusted(topic)) == (
        '{"type":"TOPIC_RECORD","version":0,"data":{"name":"t","topicId":"DHRHem-RFFuhuqEHBrJRRw"}}'
    )
    for broken in (None, b"", b"\x76", data[:-1]):
        with pytest.raises(RemoteProtocolError):
            metadata_json_untrusted(broken)


def group(protocol_type: str, subscription: bytes, assignment: bytes) -> bytes:
    member = MemberMetadata(
        member_id="m",
        client_id="c",
        client_host="/h",
        rebalance_timeout=1,
        session_timeout=2,
        subscription=subscription,
        assignment=assignment,
    )
    value = GroupMetadataValue(
        protocol_type=protocol_type,
        generation=1,
        protocol="range",
        leader="m",
        current_state_timestamp=3,
        members=[member],
    )
    return encode_versioned(value, 3)


def test_members_of_a_consumer_group_are_explained() -> None:
    subscription = encode_versioned(ConsumerProtocolSubscription(topics=["t"]), 1)
    assignment = encode_versioned(
        ConsumerProtocolAssignment(
            assigned_partitions=[TopicPartition(topic="t", partitions=[0, 1])]
        ),
        0,
    )
    key = encode_key(GroupMetadataKey(group="g"))
    told_key, told = coordinator_text_untrusted(
        "group", key, group("consumer", subscription, assignment)
    )
    assert told_key == '{"type":"2","data":{"group":"g"}}'
    assert told is not None
    assert told.startswith(
        '{"version":"3","data":{"protocolType":"consumer","generation":1,"protocol":"range",'
        '"leader":"m","currentStateTimestamp":3,"members":[{"memberId":"m","groupInstanceId":null,'
    )
    assert '"subscription":{"topics":["t"],"userData":null,"ownedPartitions":[]}' in told
    assert '"assignment":{"assignedPartitions":[{"topic":"t","partitions":[0,1]}]' in told


@pytest.mark.parametrize(("protocol_type", "data"), [("connect", b"\0\1ab"), ("consumer", b"")])
def test_what_only_others_understand_stays_bytes(protocol_type: str, data: bytes) -> None:
    key = encode_key(GroupMetadataKey(group="g"))
    _, told = coordinator_text_untrusted("group", key, group(protocol_type, data, data))
    assert told is not None
    assert ('"assignment":"AAFhYg=="' if data else '"assignment":""') in told


def test_a_deletion_has_no_value_and_a_later_type_is_named() -> None:
    key = encode_key(OffsetCommitKey(group="g", topic="t", partition=1))
    expected = {"group": "g", "topic": "t", "partition": 1}
    assert coordinator_json_untrusted("group", key, None) == (1, expected, None)
    with pytest.raises(UnknownType) as unknown:
        coordinator_json_untrusted("group", b"\x6b\x31", None)
    assert unknown.value.type_id == 27441
