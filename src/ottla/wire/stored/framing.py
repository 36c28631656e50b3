"""What stands around a record's body in the log it is kept in.

metadata, remote log:  uvarint frame version 1, uvarint type, uvarint version, body; the key is null
coordinators:          key = int16 type + body (version 0); value = int16 version + body, or null
with a version only:   int16 version + body (transaction markers, consumer protocol, aborted list)

Snapshot header and footer, leader changes and voters are their bodies alone, in version 0.

A type or version nobody here knows is a RemoteProtocolError: to go on without it would be to serve
state that is wrong. Coordinators alone may skip unknown key types, which is why those come as None.
"""

import struct
from typing import Final, Literal, TypeAlias

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.wire.primitive import read_uvarint, uvarint
from ottla.wire.shape import StoredRecord
from ottla.wire.stored.catalog import (
    ReadKey,
    ReadValue,
    group_record,
    metadata_record,
    share_record,
    transaction_record,
)

Coordinator: TypeAlias = Literal["group", "transaction", "share"]
METADATA_FRAME_VERSION: Final = 1
_INT16: Final = struct.Struct(">h")


def encode_metadata(record: StoredRecord, version: int) -> bytes:
    """The value of a record in the metadata log."""
    if record.TYPE_ID < 0:
        raise LocalProtocolError(f"{type(record).__name__} has no type number")
    body = record.encode(version)
    return uvarint(METADATA_FRAME_VERSION) + uvarint(record.TYPE_ID) + uvarint(version) + body


def decode_metadata_untrusted(data: bytes | memoryview) -> tuple[StoredRecord, int]:
    """(record, version) of a value in the metadata log."""
    view = memoryview(data)
    try:
        frame_version, at = read_uvarint(view, 0)
        type_id, at = read_uvarint(view, at)
        version, at = read_uvarint(view, at)
    except IndexError:
        raise RemoteProtocolError(f"metadata record of {len(view)} bytes ends too early") from None
    if frame_version != METADATA_FRAME_VERSION:
        raise RemoteProtocolError(
            f"metadata record with frame version {frame_version}; known is {METADATA_FRAME_VERSION}"
        )
    read = metadata_record(type_id)
    if read is None:
        raise RemoteProtocolError(f"metadata record of type {type_id}, which is not known")
    return read(view, version, at), version


def encode_key(record: StoredRecord) -> bytes:
    """The key of a coordinator's record."""
    return _INT16.pack(record.TYPE_ID) + record.encode(0)


def encode_versioned(record: StoredRecord, version: int) -> bytes:
    """A version and the body: the value of a coordinator's record, among others."""
    return _INT16.pack(version) + record.encode(version)


def decode_key_untrusted(area: Coordinator, data: bytes | memoryview) -> StoredRecord | None:
    """The key of a coordinator's record; None for a type that is not known."""
    view = memoryview(data)
    found = _coordinator(area, _int16_untrusted(view, f"{area} key"))
    return None if found is None else found[0](view, 0, 2)


def decode_value_untrusted(
    area: Coordinator, type_id: int, data: bytes | memoryview
) -> tuple[StoredRecord, int]:
    """(record, version) of the value that belongs to a key of type `type_id`."""
    view = memoryview(data)
    version = _int16_untrusted(view, f"{area} value")
    found = _coordinator(area, type_id)
    if found is None:
        raise RemoteProtocolError(f"{area} record of type {type_id}, which is not known")
    return found[1](view, version, 2), version


def version_untrusted(data: bytes | memoryview) -> int:
    """The version that stands before a body; the body is at byte 2."""
    return _int16_untrusted(memoryview(data), "record")


def _coordinator(area: Coordinator, type_id: int) -> tuple[ReadKey, ReadValue] | None:
    if area == "group":
        return group_record(type_id)
    return transaction_record(type_id) if area == "transaction" else share_record(type_id)


def _int16_untrusted(view: memoryview, what: str) -> int:
    if len(view) < 2:
        raise RemoteProtocolError(f"{what} of {len(view)} bytes; it begins with a number of two")
    number: int = _INT16.unpack_from(view, 0)[0]
    return number
