"""Stored records as JSON, member for member as Kafka's tools print them.

A field that a record's version does not have is left out, and so is a tagged one with its default.
Bytes are base64; what a member of a classic group of consumers says is shown as what it means.

Elsewhere: the order of fields, `stored_layout.py`; reading records, `wire/stored`.
"""

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ottla.cli.kafka.java_text import Json, java_json
from ottla.cli.kafka.stored_layout import LAYOUTS
from ottla.errors import RemoteProtocolError
from ottla.types import ZERO_UUID
from ottla.wire.shape import StoredRecord, Struct
from ottla.wire.stored.framing import (
    Coordinator,
    decode_key_untrusted,
    decode_metadata_untrusted,
    decode_value_untrusted,
    version_untrusted,
)

_GROUP_METADATA: Final = 2
_VERSION_MAX: Final = 32_767
_OF_THEIR_OWN: Final = {
    "kraft_version": "kRaftVersion",
    "kraft_version_feature": "kRaftVersionFeature",
}


class Shown(NamedTuple):
    """One field. `left_out`: the text of a tagged field's default, None: it is always there."""

    name: str
    json_name: str
    since: int
    until: int
    is_uuid: bool
    left_out: str | None
    struct: str


class UnknownType(Exception):
    """A coordinator's key of a type nobody here knows."""

    def __init__(self, type_id: int) -> None:
        super().__init__(f"type {type_id}")
        self.type_id = type_id


def record_json(record: StoredRecord, version: int) -> dict[str, Json]:
    """The record as it is in `version`."""
    name = type(record).__name__
    return _struct_json(record, name, name, version)


def metadata_json_untrusted(value: bytes | None) -> dict[str, Json]:
    """{"type", "version", "data"} of a record in the metadata log."""
    record, version = decode_metadata_untrusted(value or b"")
    name = "".join(f"_{c}" if c.isupper() else c.upper() for c in type(record).__name__)
    return {"type": name[1:], "version": version, "data": record_json(record, version)}


def coordinator_json_untrusted(
    area: Coordinator, key: bytes, value: bytes | None
) -> tuple[int, Json, tuple[int, Json] | None]:
    """(type, key, (version, value)) of a coordinator's record. UnknownType: of a later Kafka's."""
    type_id = version_untrusted(key)
    read = decode_key_untrusted(area, key)
    if read is None:
        raise UnknownType(type_id)
    key_json = record_json(read, 0)
    if value is None:
        return type_id, key_json, None
    record, version = decode_value_untrusted(area, type_id, value)
    return type_id, key_json, (version, record_json(record, version))


def coordinator_text_untrusted(
    area: Coordinator, key: bytes, value: bytes | None
) -> tuple[str, str | None]:
    """Key and value as the log's reader prints them; the value is None for a deletion."""
    type_id, key_json, versioned = coordinator_json_untrusted(area, key, value)
    shown = java_json({"type": str(type_id), "data": key_json})
    if versioned is None:
        return shown, None
    version, data = versioned
    if area == "group" and type_id == _GROUP_METADATA and isinstance(data, dict):
        _explain_members(data)
    return shown, java_json({"version": str(version), "data": data})


def _explain_members(group: dict[str, Json]) -> None:
    """Subscriptions and assignments become what they mean, where they are those of consumers."""
    from ottla.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment
    from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription

    members = group.get("members")
    if group.get("protocolType") != "consumer" or not isinstance(members, list):
        return
    for member in members:
        _explain(member, "subscription", ConsumerProtocolSubscription.decode_untrusted)
        _explain(member, "assignment", ConsumerProtocolAssignment.decode_untrusted)


def _explain(
    member: dict[str, Json], name: str, decode: Callable[[bytes, int, int], StoredRecord]
) -> None:
    data = b64decode(str(member[name]))
    try:
        version = version_untrusted(data)
        member[name] = record_json(decode(data, version, 2), version)
    except RemoteProtocolError:
        pass  # somebody else's protocol: the bytes are all there is to show


def _struct_json(struct: Struct, layout: str, record: str, version: int) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for field in _layouts()[layout]:
        if not field.since <= version <= field.until:
            continue
        value = getattr(struct, field.name)
        if field.left_out is not None and _is_default(value, field.left_out):
            continue
        inner = f"{record}.{field.struct}"
        if isinstance(value, Struct):
            shown[field.json_name] = _struct_json(value, inner, record, version)
        elif isinstance(value, (list, tuple)):
            shown[field.json_name] = [
                _struct_json(one, inner, record, version)
                if isinstance(one, Struct)
                else _scalar(one, is_uuid=field.is_uuid)
                for one in value
            ]
        else:
            shown[field.json_name] = _scalar(value, is_uuid=field.is_uuid)
    return shown


def _is_default(value: object, default: str) -> bool:
    if default == "null":
        return value is None
    if default == "struct":
        return isinstance(value, Struct) and value == type(value)()
    if default == "0":
        return not value or value == ZERO_UUID
    return value == int(default)


def _scalar(value: object, *, is_uuid: bool) -> Json:
    if isinstance(value, (bytes, memoryview)):
        if is_uuid:
            return urlsafe_b64encode(value).decode().rstrip("=")
        return b64encode(value).decode()
    assert value is None or isinstance(value, (str, int, float)), value
    return value


@lru_cache(maxsize=1)
def _layouts() -> dict[str, Sequence[Shown]]:
    layouts: dict[str, Sequence[Shown]] = {}
    for line in LAYOUTS.replace("\n    ", " ").splitlines():
        name, _, fields = line.partition(":")
        layouts[name] = [_field(word) for word in fields.split()]
    return layouts


def _field(word: str) -> Shown:
    """`transaction_id:uuid@1-3#null>Struct`, of which all but the name may be missing."""
    word, _, struct = word.partition(">")
    word, tagged, default = word.partition("#")
    word, limited, versions = word.partition("@")
    name, _, kind = word.partition(":")
    since, ranged, until = versions.partition("-")
    first, *others = name.split("_")
    return Shown(
        name,
        _OF_THEIR_OWN.get(name) or first + "".join(other.capitalize() for other in others),
        int(since) if limited else 0,
        int(until) if ranged else _VERSION_MAX,
        kind == "uuid",
        default if tagged else None,
        struct,
    )
