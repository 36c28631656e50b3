"""Served bytes to what a client sees in them: whole batches, their records, and whether their
checksums are right. Equal bytes are decoded once in a world."""

from collections.abc import Sequence
from typing import Final, final

from ottla.errors import RemoteProtocolError
from ottla.record.batch import HEADER_BYTES, crc_is_right, header_untrusted
from ottla.record.record import records_untrusted
from ottla.sim.history import ReadBatch, Record

_BYTES_MAX: Final = 64 * 1024 * 1024


@final
class Reader:
    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, ReadBatch] = {}

    def batches(self, served: bytes) -> tuple[tuple[ReadBatch, ...], bool]:
        """(the whole batches, whether something else followed them)."""
        at = 0
        found = []
        while at + HEADER_BYTES <= len(served):
            end = at + 12 + int.from_bytes(served[at + 8 : at + 12], "big", signed=True)
            if not at + HEADER_BYTES <= end <= len(served):
                break
            data = served[at:end]
            batch = self._known.get(data)
            if batch is None:
                batch = self._known[data] = _decoded(data)
            found.append(batch)
            at = end
        return tuple(found), at < len(served)


def _decoded(data: bytes) -> ReadBatch:
    try:
        batch = header_untrusted(data)
        batch.data = memoryview(data)
        is_right = crc_is_right(batch)
    except RemoteProtocolError:
        return _unreadable(data)
    records: tuple[Record, ...] = ()
    if is_right and not batch.is_control:
        try:
            records = tuple(
                Record(
                    one.offset,
                    one.timestamp_ms,
                    identity(one.value, one.headers),
                    one.key or b"",
                    is_tombstone=one.value is None,
                )
                for one in records_untrusted(batch, limit=_BYTES_MAX)
            )
        except RemoteProtocolError:
            is_right = False
    return ReadBatch(
        data,
        base_offset=batch.base_offset,
        last_offset=batch.last_offset,
        leader_epoch=batch.partition_leader_epoch,
        max_timestamp_ms=batch.max_timestamp,
        producer_id=batch.producer_id,
        producer_epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
        is_log_append_time=batch.is_log_append_time,
        crc_is_right=is_right,
        records=records,
    )


def identity(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """What nobody else has sent: the value, or a tombstone's header."""
    if value is None and headers:
        return headers[0][1] or b""
    return value or b""


def _unreadable(data: bytes) -> ReadBatch:
    base_offset = int.from_bytes(data[:8], "big", signed=True)
    return ReadBatch(
        data,
        base_offset=base_offset,
        last_offset=base_offset,
        leader_epoch=-1,
        max_timestamp_ms=-1,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        is_log_append_time=False,
        crc_is_right=False,
        records=(),
    )
