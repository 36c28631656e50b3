"""Every message and stored record in every version: what is written is read back the same."""

from random import Random

import pytest

from ottla.wire.api import APIS
from tests.unit.wire.building import api_schemas, bodies, drawn, from_json, stored_bodies
from tests.unit.wire.test_golden import joined


@pytest.mark.parametrize("key", sorted(APIS))
def test_messages_survive_the_round_trip(key: int) -> None:
    api, schema = APIS[key], api_schemas()[key]
    random = Random(key)
    for version in range(api.min_version, api.max_version + 1):
        for _ in range(4):
            request = drawn(schema, schema.request.name, version, random)
            data = memoryview(joined(api.encode_request(request, version)))
            assert api.decode_request_untrusted(data, 0, version) == request
            response = drawn(schema, schema.response.name, version, random)
            data = memoryview(joined(api.encode_response(response, version)))
            assert api.decode_response_untrusted(data, 0, version) == response


@pytest.mark.parametrize("name", sorted(stored_bodies()))
def test_stored_records_survive_the_round_trip(name: str) -> None:
    schema, body = stored_bodies()[name]
    random = Random(name)
    for version in range(body.version_min, body.version_max + 1):
        for _ in range(4):
            record = drawn(schema, name, version, random)
            assert type(record).decode_untrusted(record.encode(version), version) == record


def test_a_difference_in_any_field_is_a_difference() -> None:
    # The round trips above prove nothing if unequal messages compared equal.
    for name, (schema, _) in bodies().items():
        default = from_json(schema, name, {})
        for field in type(default).__slots__:
            other = from_json(schema, name, {})
            setattr(other, field, object())
            assert other != default, (name, field)
