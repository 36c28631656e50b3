"""Segments and metadata snapshots as text: a line per batch, a line per record.

Message sets of magic 0 and 1 are read as well as batches. Where a batch cannot be read the file's
reading ends: nothing after it can be trusted to begin where it should.
"""

import mmap
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final, final

from ottla.cli.kafka.java_text import java_json
from ottla.cli.kafka.stored_json import (
    UnknownType,
    coordinator_text_untrusted,
    metadata_json_untrusted,
    record_json,
)
from ottla.errors import RemoteProtocolError
from ottla.limits import INT_MAX
from ottla.record.batch import SEQUENCE_MAX, Batch
from ottla.record.compress import CODECS
from ottla.record.control import ControlType, control_type_untrusted, coordinator_epoch_untrusted
from ottla.record.crc import crc32c
from ottla.record.legacy import (
    LegacyEntry,
    any_batches_untrusted,
    any_records_untrusted,
    contents_untrusted,
    entry_crc_is_right,
)
from ottla.record.record import Record
from ottla.wire.shape import StoredRecord
from ottla.wire.stored.framing import Coordinator

RECORDS_BYTES_MAX: Final = 256 * 1024 * 1024
"""What one batch may decompress to."""

_BOOTSTRAP: Final = "bootstrap.checkpoint"
_SNAPSHOT_NAME: Final = re.compile(r"(\d{20})-(\d{10})(?:\.checkpoint)")
_CRC_FROM: Final = 21
_INT: Final = Struct(">i")
_LONG: Final = Struct(">q")

Show = Callable[[bytes], str]


class Undecodable(RemoteProtocolError):
    """A record that a decoder for the whole log makes nothing of."""


@final
@dataclass(frozen=True, slots=True)
class Parse:
    """How keys and values are shown. `area`: the log whose records they are."""

    key: Show
    value: Show
    area: str | None = None

    def __call__(self, record: Record) -> tuple[str | None, str | None]:
        match self.area:
            case None:
                return (
                    None if record.key is None else self.key(record.key),
                    None if record.value is None else self.value(record.value),
                )
            case "cluster_metadata":
                return None, _metadata(record)
            case "offsets":
                return _coordinator("group", record)
            case "transaction_log":
                return _coordinator("transaction", record)
        return _coordinator("share", record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What was asked for."""

    parse: Parse
    prints_contents: bool
    is_deep: bool
    skips_metadata: bool
    bytes_max: int


@final
class Gaps:
    """Where a record did not follow the one before it, by file."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[int, int]]] = {}

    def note(self, path: Path, last: int, offset: int) -> None:
        self.found.setdefault(str(path.absolute()), []).append((last, offset))


def parse_with(area: str) -> Parse:
    return Parse(_string, _string, area)


def decoded(class_name: str) -> Show | None:
    """What Kafka's decoder of that name does; None: it is not known."""
    match class_name.rpartition(".")[2]:
        case "StringDecoder":
            return _string
        case "IntegerDecoder":
            return _integer
        case "LongDecoder":
            return _long
        case "DefaultDecoder":
            return repr
    return None


def opened(path: Path, bytes_max: int = INT_MAX) -> memoryview:
    """The file's bytes, as far as asked for, without reading them."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return memoryview(b"")
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return memoryview(whole)[:bytes_max]


def base_offset_of(path: Path) -> int:
    """The offset a file is named by. Raises RemoteProtocolError for another name."""
    stem = path.name.partition(".")[0]
    if not (stem.isascii() and stem.isdigit()):
        raise RemoteProtocolError(f"{path}: a name that begins with an offset is expected")
    return int(stem)


def timestamp_type(batch: Batch | LegacyEntry) -> str:
    if batch.magic == 0:
        return "NoTimestampType"
    return "LogAppendTime" if batch.is_log_append_time else "CreateTime"


def dump_records(path: Path, dump: Dump, gaps: "Gaps") -> None:
    """All batches of the file. Raises OSError, and RemoteProtocolError where it cannot be read on."""
    print(_title(path))
    data = opened(path, dump.bytes_max)
    write = sys.stdout.write
    position = 0
    last = -1
    batches = any_batches_untrusted(data)
    for batch in batches:
        write(_batch_line(batch, position))
        position += batch.size_bytes
        if dump.is_deep:
            for record, legacy in _records_untrusted(batch):
                if last != -1 and record.offset != last + 1:
                    gaps.note(path, last, record.offset)
                last = record.offset
                _write_record(batch, record, legacy, dump)
    left = len(data) - position
    if left > 0 and dump.bytes_max == INT_MAX:
        print(f"Found {left} invalid bytes at the end of {path.name}")


def _title(path: Path) -> str:
    if path.suffix == ".log":
        return f"Log starting offset: {base_offset_of(path)}"
    if path.name == _BOOTSTRAP:
        return "KRaft bootstrap snapshot"
    named = _SNAPSHOT_NAME.fullmatch(path.name)
    if named is None:
        raise RemoteProtocolError(f"{path}: a snapshot is named OFFSET-EPOCH.checkpoint")
    return f"Snapshot end offset: {int(named[1])}, epoch: {int(named[2])}"


def _batch_line(batch: Batch | LegacyEntry, position: int) -> str:
    if isinstance(batch, Batch):
        horizon = batch.delete_horizon_ms
        shown = "OptionalLong.empty" if horizon is None else f"OptionalLong[{horizon}]"
        begin = (
            f"baseOffset: {batch.base_offset} lastOffset: {batch.last_offset}"
            f" count: {batch.record_count} baseSequence: {batch.base_sequence}"
            f" lastSequence: {batch.last_sequence} producerId: {batch.producer_id}"
            f" producerEpoch: {batch.producer_epoch}"
            f" partitionLeaderEpoch: {batch.partition_leader_epoch}"
            f" isTransactional: {_bool(batch.is_transactional)}"
            f" isControl: {_bool(batch.is_control)} deleteHorizonMs: {shown}"
        )
        max_timestamp = batch.max_timestamp
        assert batch.data is not None
        is_valid = crc32c(batch.data[_CRC_FROM:]) == batch.crc
    else:
        begin = f"offset: {batch.last_offset}"
        max_timestamp = batch.timestamp_ms
        is_valid = entry_crc_is_right(batch)
    codec = CODECS.get(batch.codec)
    return (
        f"{begin} position: {position} {timestamp_type(batch)}: {max_timestamp}"
        f" size: {batch.size_bytes} magic: {batch.magic}"
        f" compresscodec: {batch.codec if codec is None else codec.name} crc: {batch.crc}"
        f" isvalid: {_bool(is_valid)}\n"
    )


def _records_untrusted(
    batch: Batch | LegacyEntry,
) -> Iterator[tuple[Record, LegacyEntry | None]]:
    """The records, each with the message it is in where the format is one of the older two."""
    records = any_records_untrusted(batch, limit=RECORDS_BYTES_MAX)
    if isinstance(batch, Batch):
        for record in records:
            yield record, None
    elif batch.codec == 0:
        yield records[0], batch
    else:
        yield from zip(records, contents_untrusted(batch, limit=RECORDS_BYTES_MAX), strict=True)


def _write_record(
    batch: Batch | LegacyEntry, record: Record, legacy: LegacyEntry | None, dump: Dump
) -> None:
    write = sys.stdout.write
    is_control = isinstance(batch, Batch) and batch.is_control
    prefix = "| "
    if not dump.skips_metadata:
        prefix = " "
        write(
            f"| offset: {record.offset} {timestamp_type(batch)}: {record.timestamp_ms}"
            f" keySize: {_size(record.key)} valueSize: {_size(record.value)}"
        )
        if isinstance(batch, Batch):
            names = ",".join(name for name, _ in record.headers)
            write(f" sequence: {_sequence(batch, record)} headerKeys: [{names}]")
        if legacy is not None:
            write(f" isValid: {_bool(entry_crc_is_right(legacy))} crc: {legacy.crc}")
        if is_control:
            write(_control_untrusted(record))
    if dump.prints_contents and not is_control:
        key, value = dump.parse(record)
        if key is not None:
            write(f"{prefix}key: {key}")
            prefix = " "
        if value is not None:
            write(f"{prefix}payload: {value}")
    write("\n")


def _sequence(batch: Batch, record: Record) -> int:
    if batch.base_sequence < 0:
        return -1
    return (batch.base_sequence + record.offset - batch.base_offset) & SEQUENCE_MAX


def _control_untrusted(record: Record) -> str:
    kind = control_type_untrusted(record.key)
    value = record.value or b""
    match kind:
        case ControlType.ABORT | ControlType.COMMIT:
            return (
                f" endTxnMarker: {kind.name} coordinatorEpoch: {coordinator_epoch_untrusted(value)}"
            )
        case ControlType.LEADER_CHANGE:
            from ottla.wire.stored.leader_change_message import LeaderChangeMessage

            change = LeaderChangeMessage.decode_untrusted(value, 0)
            return f" LeaderChange: {_shown(change, change.version)}"
        case ControlType.SNAPSHOT_HEADER:
            from ottla.wire.stored.snapshot_header_record import SnapshotHeaderRecord

            header = SnapshotHeaderRecord.decode_untrusted(value, 0)
            return f" SnapshotHeader {_shown(header, header.version)}"
        case ControlType.SNAPSHOT_FOOTER:
            from ottla.wire.stored.snapshot_footer_record import SnapshotFooterRecord

            footer = SnapshotFooterRecord.decode_untrusted(value, 0)
            return f" SnapshotFooter {_shown(footer, footer.version)}"
        case ControlType.KRAFT_VERSION:
            from ottla.wire.stored.kraft_version_record import KRaftVersionRecord

            version = KRaftVersionRecord.decode_untrusted(value, 0)
            return f" KRaftVersion {_shown(version, version.version)}"
        case ControlType.KRAFT_VOTERS:
            from ottla.wire.stored.voters_record import VotersRecord

            voters = VotersRecord.decode_untrusted(value, 0)
            return f" KRaftVoters {_shown(voters, voters.version)}"
    number = int.from_bytes((record.key or b"")[2:4], "big", signed=True)
    return f" controlType: {kind.name}({number})"


def _metadata(record: Record) -> str:
    try:
        return java_json(metadata_json_untrusted(record.value))
    except RemoteProtocolError as error:
        return f"Error at {record.offset}, skipping. {error}"


def _coordinator(area: Coordinator, record: Record) -> tuple[str, str | None]:
    if record.key is None:
        raise Undecodable(
            f"Failed to decode message at offset {record.offset} using the specified decoder "
            "(message had a missing key)"
        )
    try:
        key, value = coordinator_text_untrusted(area, record.key, record.value)
    except UnknownType as unknown:
        return f"Unknown record type {unknown.type_id} at offset {record.offset}, skipping.", None
    except RemoteProtocolError as error:
        return f"Error at offset {record.offset}, skipping. {error}", None
    return key, "<DELETE>" if value is None else value


def _shown(record: StoredRecord, version: int) -> str:
    return java_json(record_json(record, version))


def _string(data: bytes) -> str:
    return data.decode(errors="replace")


def _integer(data: bytes) -> str:
    return _number(_INT, data)


def _long(data: bytes) -> str:
    return _number(_LONG, data)


def _number(layout: Struct, data: bytes) -> str:
    """Of the first bytes; Kafka's decoders too mind no more of them."""
    if len(data) < layout.size:
        raise Undecodable(f"a number of {layout.size} bytes is expected, not {data!r}")
    return str(layout.unpack_from(data)[0])


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _bool(value: bool) -> str:
    return "true" if value else "false"
