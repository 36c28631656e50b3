"""Records become what Kafka's console consumer prints of them."""

from struct import pack

import pytest

from ottla.cli.kafka.flags import Refused
from ottla.cli.kafka.formatters import Unformattable, deserializer, formatter
from ottla.client.consume.record import LOG_APPEND_TIME, ConsumedRecord, Headers
from ottla.wire.stored.framing import encode_key, encode_versioned
from ottla.wire.stored.group_metadata import GroupMetadataKey
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue
from ottla.wire.stored.transaction_log import TransactionLogKey

DEFAULT = "org.apache.kafka.tools.consumer.DefaultMessageFormatter"
PACKAGE = "org.apache.kafka.common.serialization."


def record(
    key: bytes | None = b"k",
    value: bytes | None = b"v",
    headers: Headers = (),
    timestamp_type: int = 0,
) -> ConsumedRecord:
    return ConsumedRecord("t", 2, 3, 5, 123, timestamp_type, key, value, headers, None, -1, -1, -1)


def shown(one: ConsumedRecord, *settings: str, by: str = DEFAULT) -> bytes:
    return formatter(by, dict(word.split("=", 1) for word in settings)).line(one)


def test_columns_stand_in_kafkas_order() -> None:
    names = ("value", "key", "headers", "epoch", "delivery", "offset", "partition", "timestamp")
    settings = [f"print.{name}=true" for name in names]
    headers = (("h1", b"v1"), ("h2", None))
    assert shown(record(headers=headers), *settings) == (
        b"CreateTime:123\tPartition:2\tOffset:5\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\t"
        b"h1:v1,h2:null\tk\tv\n"
    )
    assert shown(record(None, None), *settings).endswith(b"\tNO_HEADERS\tnull\tnull\n")
    stamped = record(timestamp_type=LOG_APPEND_TIME)
    assert shown(stamped, "print.timestamp=TRUE ") == b"LogAppendTime:123\tv\n"


def test_without_settings_it_is_the_value_as_it_is() -> None:
    assert shown(record(value=b"\xff\0")) == b"\xff\0\n"
    assert shown(record(value=None)) == b"null\n"


def test_what_is_not_asked_for_leaves_no_separator() -> None:
    assert shown(record(), "print.key=true", "print.value=false") == b"k\n"
    assert shown(record(), "print.value=false") == b""


def test_separators_and_null_have_other_words() -> None:
    settings = ("key.separator=::", "line.separator=|", "headers.separator=;", "null.literal=-")
    both = record(None, b"v", (("a", b"1"), ("b", None)))
    assert shown(both, "print.key=true", "print.headers=true", *settings) == b"a:1;b:-::-::v|"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("StringDeserializer", b"\xffa", "\N{REPLACEMENT CHARACTER}a".encode()),
        ("IntegerDeserializer", pack(">i", -7), b"-7"),
        ("LongDeserializer", pack(">q", 1 << 40), b"1099511627776"),
        ("ShortDeserializer", b"k1", b"27441"),
        ("DoubleDeserializer", pack(">d", 1e10), b"1.0E10"),
        ("FloatDeserializer", pack(">f", 0.1), b"0.1"),
        ("FloatDeserializer", pack(">f", 16777216), b"1.6777216E7"),
        ("BooleanDeserializer", b"\1", b"true"),
        (
            "UUIDDeserializer",
            b"0C74477A-6F91-145B-A1BA-A10706B25147",
            b"0c74477a-6f91-145b-a1ba-a10706b25147",
        ),
        ("BytesDeserializer", "ü\\~".encode(), b"\\xC3\\xBC\\x5C~"),
        ("ByteArrayDeserializer", b"\0", b"\0"),
    ],
)
def test_a_deserializer_shows_what_java_would(name: str, data: bytes, expected: bytes) -> None:
    assert deserializer(PACKAGE + name)(data) == expected
    assert shown(record(value=data), f"value.deserializer={PACKAGE}{name}") == expected + b"\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("IntegerDeserializer", b"123"),
        ("DoubleDeserializer", b"1"),
        ("FloatDeserializer", b""),
        ("BooleanDeserializer", b"\2"),
        ("UUIDDeserializer", b"no"),
        ("VoidDeserializer", b"v"),
    ],
)
def test_what_it_cannot_read_is_said(name: str, data: bytes) -> None:
    with pytest.raises(Unformattable):
        deserializer(PACKAGE + name)(data)


def test_classes_that_are_not_there_are_named() -> None:
    with pytest.raises(Refused, match=r"com\.example\.Nope: this formatter is not there"):
        formatter("com.example.Nope", {})
    with pytest.raises(Refused, match=r"com\.example\.Nope: this deserializer is not there"):
        shown(record(), "key.deserializer=com.example.Nope")


@pytest.mark.parametrize(
    "name",
    [
        "org.apache.kafka.tools.consumer.OffsetsMessageFormatter",
        "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
    ],
)
def test_committed_offsets_are_json_and_all_else_is_passed_over(name: str) -> None:
    key = encode_key(OffsetCommitKey(group="g", topic="t", partition=0))
    value = encode_versioned(OffsetCommitValue(offset=50, commit_timestamp=9), 3)
    assert shown(record(key, value), by=name) == (
        b'{"key":{"type":1,"data":{"group":"g","topic":"t","partition":0}},"value":{"version":3,'
        b'"data":{"offset":50,"leaderEpoch":-1,"metadata":"","commitTimestamp":9}}}'
    )
    assert shown(record(key, None), by=name).endswith(b'"partition":0}},"value":null}')
    group = encode_key(GroupMetadataKey(group="g"))
    for other in (record(group, None), record(b"\x7f\0", b""), record(None, b"")):
        assert shown(other, by=name) == b""
    with pytest.raises(Unformattable):
        shown(record(key[:-1], value), by=name)


def test_each_coordinators_topic_has_its_formatter() -> None:
    group = encode_key(GroupMetadataKey(group="g"))
    assert shown(record(group, None), by="GroupMetadataMessageFormatter") == (
        b'{"key":{"type":2,"data":{"group":"g"}},"value":null}'
    )
    transaction = encode_key(TransactionLogKey(transactional_id="x"))
    assert shown(record(transaction, None), by="TransactionLogMessageFormatter") == (
        b'{"key":{"type":0,"data":{"transactionalId":"x"}},"value":null}'
    )
    assert shown(record(), by="NoOpMessageFormatter") == b""
    assert shown(record(), by="LoggingMessageFormatter") == b"v\n"
