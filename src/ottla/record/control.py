"""Control batches: the markers that end transactions (KIP-98), and what a metadata log says.

A control batch holds one record, which consumers never see. Its key tells the type; the value's
layout depends on the type. The two transaction markers are read and written here, because the log
itself needs them; the values of the KRaft types are messages of the wire, handed out as bytes.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted

CONTROL_BYTES_MAX: Final = 1 << 20
"""The largest control record is a list of voters."""

_KEY: Final = Struct(">hh")
_MARKER: Final = Struct(">hi")
_KEY_VERSION: Final = 0
_MARKER_VERSION: Final = 0


class ControlType(IntEnum):
    """What a control record says; UNKNOWN is every number a later Kafka may add."""

    UNKNOWN = -1
    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


_KNOWN: Final = frozenset(int(known) for known in ControlType)


class ControlRecord(NamedTuple):
    """The one record of a control batch."""

    control_type: ControlType
    offset: int
    timestamp_ms: int
    value: bytes


def control_untrusted(batch: Batch) -> ControlRecord:
    """The control record of a whole control batch."""
    if not batch.is_control:
        raise RemoteProtocolError(f"the batch at offset {batch.base_offset} is no control batch")
    records = records_untrusted(batch, limit=CONTROL_BYTES_MAX)
    if len(records) != 1:
        raise RemoteProtocolError(f"a control batch of {len(records)} records; 1 is expected")
    (record,) = records
    return ControlRecord(
        control_type=control_type_untrusted(record.key),
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        value=record.value or b"",
    )


def control_type_untrusted(key: bytes | None) -> ControlType:
    """The type in a control record's key. Versions above 0 are read as 0, as Kafka reads them."""
    if key is None or len(key) < _KEY.size:
        raise RemoteProtocolError(f"a control record's key has {_KEY.size} bytes, not {key!r}")
    version, number = _KEY.unpack_from(key)
    if version < 0:
        raise RemoteProtocolError(f"control record key of version {version}")
    return ControlType(number) if number in _KNOWN else ControlType.UNKNOWN


def coordinator_epoch_untrusted(value: bytes) -> int:
    """Whose coordinator wrote this transaction marker: the epoch in its value."""
    if len(value) < _MARKER.size:
        raise RemoteProtocolError(f"a transaction marker has {_MARKER.size} bytes, not {value!r}")
    version, epoch = _MARKER.unpack_from(value)
    if version < 0:
        raise RemoteProtocolError(f"transaction marker of version {version}")
    return int(epoch)


def transaction_marker(
    *,
    commit: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = -1,
) -> bytearray:
    """The batch that ends a producer's transaction on one partition."""
    builder = BatchBuilder()
    outcome = ControlType.COMMIT if commit else ControlType.ABORT
    builder.append(
        timestamp_ms,
        _KEY.pack(_KEY_VERSION, outcome),
        _MARKER.pack(_MARKER_VERSION, coordinator_epoch),
    )
    return builder.build(
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
    )


def control_batch(
    control_type: ControlType,
    value: bytes,
    *,
    timestamp_ms: int,
    base_offset: int,
    leader_epoch: int,
) -> bytearray:
    """A control batch of the metadata log; `value` is the encoded message of that type."""
    builder = BatchBuilder()
    builder.append(timestamp_ms, _KEY.pack(_KEY_VERSION, control_type), value)
    return builder.build(base_offset=base_offset, leader_epoch=leader_epoch, control=True)
