"""What stands around a stored record's body, as Kafka 4.4 wrote it."""

import pytest

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.wire.stored.end_txn_marker import EndTxnMarker
from ottla.wire.stored.framing import (
    decode_key_untrusted,
    decode_metadata_untrusted,
    decode_value_untrusted,
    encode_key,
    encode_metadata,
    encode_versioned,
    version_untrusted,
)
from ottla.wire.stored.no_op_record import NoOpRecord
from tests.unit.wire.building import from_json, golden, stored_bodies

RECORDS = [line for line in golden("records") if line[6]]


def test_metadata_records_are_kafkas_bytes() -> None:
    seen = 0
    for area, name, version, _, fields, _, framed in RECORDS:
        if area != "metadata":
            continue
        record = from_json(stored_bodies()[name][0], name, fields)
        assert encode_metadata(record, version).hex() == framed
        assert decode_metadata_untrusted(bytes.fromhex(framed)) == (record, version)
        seen += 1
    assert seen > 70


@pytest.mark.parametrize("area", ["group", "transaction", "share"])
def test_coordinator_records_are_kafkas_bytes(area: str) -> None:
    seen = 0
    for long_area, name, version, _, fields, _, framed in RECORDS:
        if long_area != f"{area}-coordinator":
            continue
        schema, _ = stored_bodies()[name]
        record = from_json(schema, name, fields)
        data = bytes.fromhex(framed)
        if name.endswith("Key"):
            assert encode_key(record) == data
            assert decode_key_untrusted(area, data) == record
        else:
            assert encode_versioned(record, version) == data
            assert decode_value_untrusted(area, schema.type_id, data) == (record, version)
        seen += 1
    assert seen >= 6


def test_an_unknown_coordinator_type_is_told_apart() -> None:
    # Kafka skips keys of a newer release; what to do with them is the reader's decision.
    assert decode_key_untrusted("group", b"\x7f\x00") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends too early"),
        ("0102", "ends too early"),
        ("020200", "frame version 2"),
        ("01ff0100", "type 255"),
        ("010209", "TopicRecord version 9; known are 0 to 0"),
        ("0102ffffffff0f", "TopicRecord version 4294967295"),
    ],
)
def test_broken_metadata_records_are_refused(text: str, said: str) -> None:
    with pytest.raises(RemoteProtocolError, match=said):
        decode_metadata_untrusted(bytes.fromhex(text))


def test_a_transaction_marker() -> None:
    data = encode_versioned(EndTxnMarker(coordinator_epoch=7), 0)
    assert data.hex() == "000000000007"
    assert version_untrusted(data) == 0
    assert EndTxnMarker.decode_untrusted(data, 0, 2).coordinator_epoch == 7
    with pytest.raises(RemoteProtocolError, match="begins with a number of two"):
        version_untrusted(b"\0")


def test_only_numbered_records_go_to_the_metadata_log() -> None:
    assert encode_metadata(NoOpRecord(), 0).hex() == "01140000"
    with pytest.raises(LocalProtocolError, match="EndTxnMarker has no type number"):
        encode_metadata(EndTxnMarker(), 0)
