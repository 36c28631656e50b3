"""Bytes that Kafka 3.9 and 4.4 wrote: we read them as the same values and write the same bytes."""

import pytest

from ottla.wire.api import APIS
from tests.unit.wire.building import bodies, from_json, golden, stored_bodies

MESSAGES = list(golden("messages"))
RECORDS = list(golden("records"))


def joined(chunks: list) -> bytes:
    return b"".join(bytes(chunk) for chunk in chunks)


@pytest.mark.parametrize("key", sorted(APIS))
def test_messages_are_kafkas_bytes(key: int) -> None:
    api = APIS[key]
    seen = 0
    for name, version, kind, fields, text in MESSAGES:
        if bodies()[name][0].key != key:
            continue
        seen += 1
        expected = bytes.fromhex(text)
        message = from_json(bodies()[name][0], name, fields)
        if name.endswith("Request"):
            written = api.encode_request(message, version)
            read = api.decode_request_untrusted(memoryview(expected), 0, version)
        else:
            written = api.encode_response(message, version)
            read = api.decode_response_untrusted(memoryview(expected), 0, version)
        where = f"{name} version {version}, {kind}"
        assert joined(written).hex() == text, where
        assert read == message, where
    # One full and one minimal vector of the request and of the response in every version.
    assert seen == 4 * (api.max_version - api.min_version + 1)


@pytest.mark.parametrize("area", sorted({line[0] for line in RECORDS}))
def test_stored_records_are_kafkas_bytes(area: str) -> None:
    for _, name, version, kind, fields, text, _ in [line for line in RECORDS if line[0] == area]:
        record = from_json(stored_bodies()[name][0], name, fields)
        where = f"{name} version {version}, {kind}"
        assert record.encode(version).hex() == text, where
        assert type(record).decode_untrusted(bytes.fromhex(text), version) == record, where
