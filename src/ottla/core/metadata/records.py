"""Metadata records <-> bytes: what stands in a batch of the metadata log, and what an entry is.

A record's value is a frame version, the record's type and version, then its body; the key is null.
Which version a record is written in follows from the finalized `metadata.version`, so that every
program that may read the log can. One `Entry` is what one append made: it is applied whole or not at
all, because it is one batch. `EntryReader` makes entries of batches; of a metadata transaction
(KIP-868), which Apache Kafka's controller may have left in a log, one entry when it ends, and none
when it was aborted.

Source: KIP-631, KIP-868. Elsewhere: the bodies' codecs are generated, see `wire/stored`; what records
mean, see `image.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, final

from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.builder import BatchBuilder
from ottla.record.control import CONTROL_BYTES_MAX, ControlType, control_type_untrusted
from ottla.record.record import Record, records_untrusted
from ottla.wire.primitive import read_uvarint, uvarint
from ottla.wire.stored.abort_transaction_record import AbortTransactionRecord
from ottla.wire.stored.access_control_entry_record import AccessControlEntryRecord
from ottla.wire.stored.begin_transaction_record import BeginTransactionRecord
from ottla.wire.stored.broker_registration_change_record import BrokerRegistrationChangeRecord
from ottla.wire.stored.clear_elr_record import ClearElrRecord
from ottla.wire.stored.client_quota_record import ClientQuotaRecord
from ottla.wire.stored.config_record import ConfigRecord
from ottla.wire.stored.delegation_token_record import DelegationTokenRecord
from ottla.wire.stored.end_transaction_record import EndTransactionRecord
from ottla.wire.stored.feature_level_record import FeatureLevelRecord
from ottla.wire.stored.fence_broker_record import FenceBrokerRecord
from ottla.wire.stored.no_op_record import NoOpRecord
from ottla.wire.stored.partition_change_record import PartitionChangeRecord
from ottla.wire.stored.partition_record import PartitionRecord
from ottla.wire.stored.producer_ids_record import ProducerIdsRecord
from ottla.wire.stored.register_broker_record import RegisterBrokerRecord
from ottla.wire.stored.register_controller_record import RegisterControllerRecord
from ottla.wire.stored.remove_access_control_entry_record import RemoveAccessControlEntryRecord
from ottla.wire.stored.remove_delegation_token_record import RemoveDelegationTokenRecord
from ottla.wire.stored.remove_topic_record import RemoveTopicRecord
from ottla.wire.stored.remove_user_scram_credential_record import RemoveUserScramCredentialRecord
from ottla.wire.stored.topic_record import TopicRecord
from ottla.wire.stored.unfence_broker_record import UnfenceBrokerRecord
from ottla.wire.stored.unregister_broker_record import UnregisterBrokerRecord
from ottla.wire.stored.unregister_controller_record import UnregisterControllerRecord
from ottla.wire.stored.user_scram_credential_record import UserScramCredentialRecord
from ottla.wire.stored.zk_migration_state_record import ZkMigrationStateRecord

__all__ = [
    "AbortTransactionRecord",
    "AccessControlEntryRecord",
    "BeginTransactionRecord",
    "BrokerRegistrationChangeRecord",
    "ClearElrRecord",
    "ClientQuotaRecord",
    "ConfigRecord",
    "DelegationTokenRecord",
    "EndTransactionRecord",
    "Entry",
    "EntryReader",
    "FeatureLevelRecord",
    "FenceBrokerRecord",
    "MetadataRecord",
    "NoOpRecord",
    "PartitionChangeRecord",
    "PartitionRecord",
    "ProducerIdsRecord",
    "RegisterBrokerRecord",
    "RegisterControllerRecord",
    "RemoveAccessControlEntryRecord",
    "RemoveDelegationTokenRecord",
    "RemoveTopicRecord",
    "RemoveUserScramCredentialRecord",
    "TopicRecord",
    "UnfenceBrokerRecord",
    "UnregisterBrokerRecord",
    "UnregisterControllerRecord",
    "UserScramCredentialRecord",
    "ZkMigrationStateRecord",
    "encode_entry",
    "record_untrusted",
    "records_of_untrusted",
    "version_of",
]

MetadataRecord: TypeAlias = (
    AbortTransactionRecord
    | AccessControlEntryRecord
    | BeginTransactionRecord
    | BrokerRegistrationChangeRecord
    | ClearElrRecord
    | ClientQuotaRecord
    | ConfigRecord
    | DelegationTokenRecord
    | EndTransactionRecord
    | FeatureLevelRecord
    | FenceBrokerRecord
    | NoOpRecord
    | PartitionChangeRecord
    | PartitionRecord
    | ProducerIdsRecord
    | RegisterBrokerRecord
    | RegisterControllerRecord
    | RemoveAccessControlEntryRecord
    | RemoveDelegationTokenRecord
    | RemoveTopicRecord
    | RemoveUserScramCredentialRecord
    | TopicRecord
    | UnfenceBrokerRecord
    | UnregisterBrokerRecord
    | UnregisterControllerRecord
    | UserScramCredentialRecord
    | ZkMigrationStateRecord
)

ENTRY_BYTES_MAX: Final = 64 * 1024 * 1024
"""One entry decompressed. Apache Kafka's controller writes batches of at most 8 MiB."""

_FRAME_VERSION: Final = 1

_READ: Final[Mapping[int, Callable[[bytes | memoryview, int, int], MetadataRecord]]] = {
    AbortTransactionRecord.TYPE_ID: AbortTransactionRecord.decode_untrusted,
    AccessControlEntryRecord.TYPE_ID: AccessControlEntryRecord.decode_untrusted,
    BeginTransactionRecord.TYPE_ID: BeginTransactionRecord.decode_untrusted,
    BrokerRegistrationChangeRecord.TYPE_ID: BrokerRegistrationChangeRecord.decode_untrusted,
    ClearElrRecord.TYPE_ID: ClearElrRecord.decode_untrusted,
    ClientQuotaRecord.TYPE_ID: ClientQuotaRecord.decode_untrusted,
    ConfigRecord.TYPE_ID: ConfigRecord.decode_untrusted,
    DelegationTokenRecord.TYPE_ID: DelegationTokenRecord.decode_untrusted,
    EndTransactionRecord.TYPE_ID: EndTransactionRecord.decode_untrusted,
    FeatureLevelRecord.TYPE_ID: FeatureLevelRecord.decode_untrusted,
    FenceBrokerRecord.TYPE_ID: FenceBrokerRecord.decode_untrusted,
    NoOpRecord.TYPE_ID: NoOpRecord.decode_untrusted,
    PartitionChangeRecord.TYPE_ID: PartitionChangeRecord.decode_untrusted,
    PartitionRecord.TYPE_ID: PartitionRecord.decode_untrusted,
    ProducerIdsRecord.TYPE_ID: ProducerIdsRecord.decode_untrusted,
    RegisterBrokerRecord.TYPE_ID: RegisterBrokerRecord.decode_untrusted,
    RegisterControllerRecord.TYPE_ID: RegisterControllerRecord.decode_untrusted,
    RemoveAccessControlEntryRecord.TYPE_ID: RemoveAccessControlEntryRecord.decode_untrusted,
    RemoveDelegationTokenRecord.TYPE_ID: RemoveDelegationTokenRecord.decode_untrusted,
    RemoveTopicRecord.TYPE_ID: RemoveTopicRecord.decode_untrusted,
    RemoveUserScramCredentialRecord.TYPE_ID: RemoveUserScramCredentialRecord.decode_untrusted,
    TopicRecord.TYPE_ID: TopicRecord.decode_untrusted,
    UnfenceBrokerRecord.TYPE_ID: UnfenceBrokerRecord.decode_untrusted,
    UnregisterBrokerRecord.TYPE_ID: UnregisterBrokerRecord.decode_untrusted,
    UnregisterControllerRecord.TYPE_ID: UnregisterControllerRecord.decode_untrusted,
    UserScramCredentialRecord.TYPE_ID: UserScramCredentialRecord.decode_untrusted,
    ZkMigrationStateRecord.TYPE_ID: ZkMigrationStateRecord.decode_untrusted,
}

# Which version a record is written in: the first row whose metadata.version is reached.
_VERSIONS: Final[Mapping[type[MetadataRecord], tuple[tuple[int, int], ...]]] = {
    RegisterBrokerRecord: ((30, 4), (17, 3), (8, 2), (7, 1)),
    BrokerRegistrationChangeRecord: ((30, 3), (17, 2), (7, 1)),
    PartitionRecord: ((23, 2), (17, 1)),
    PartitionChangeRecord: ((23, 2), (17, 1)),
}

DIRECTORIES_SINCE: Final = 17
"""The metadata.version from which partitions name the directory of each replica (KIP-858)."""


@final
class Entry(NamedTuple):
    """What one append made, or one snapshot holds; `end_offset` is exclusive."""

    base_offset: int
    end_offset: int
    epoch: int
    timestamp_ms: int
    records: tuple[MetadataRecord, ...]


def version_of(record: MetadataRecord, metadata_version: int) -> int:
    """The version in which a record is written while `metadata_version` is finalized."""
    for since, version in _VERSIONS.get(type(record), ()):
        if metadata_version >= since:
            return version
    return 0


def encode_entry(entry: Entry, metadata_version: int) -> bytearray:
    """The one batch that holds `entry`."""
    builder = BatchBuilder()
    for record in entry.records:
        version = version_of(record, metadata_version)
        builder.append(entry.timestamp_ms, None, framed(record, version))
    return builder.build(base_offset=entry.base_offset, leader_epoch=entry.epoch)


def framed(record: MetadataRecord, version: int) -> bytes:
    """A record's value: frame version, type, version, body."""
    head = uvarint(_FRAME_VERSION) + uvarint(record.TYPE_ID) + uvarint(version)
    return head + record.encode(version)


def record_untrusted(value: bytes | None) -> MetadataRecord:
    """The record in a value. RemoteProtocolError for types and versions nobody here knows."""
    if value is None:
        raise RemoteProtocolError("a metadata record without a value")
    view = memoryview(value)
    try:
        frame, at = read_uvarint(view, 0)
        type_id, at = read_uvarint(view, at)
        version, at = read_uvarint(view, at)
    except IndexError:
        raise RemoteProtocolError(f"a metadata record of {len(value)} bytes is cut") from None
    if frame != _FRAME_VERSION:
        raise RemoteProtocolError(f"metadata record in frame version {frame}; known is 1")
    read = _READ.get(type_id)
    if read is None:
        raise RemoteProtocolError(f"metadata record of type {type_id}, which nobody here knows")
    return read(view, version, at)


def records_of_untrusted(batch: Batch) -> Iterator[tuple[Record, MetadataRecord]]:
    """The records of a batch, raw and decoded."""
    for raw in records_untrusted(batch, limit=ENTRY_BYTES_MAX):
        try:
            yield raw, record_untrusted(raw.value)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"offset {raw.offset}: {error}") from None


def controls_untrusted(batch: Batch) -> Iterator[tuple[ControlType, bytes]]:
    """What a control batch says. In the metadata log, Apache Kafka puts several records into one."""
    for raw in records_untrusted(batch, limit=CONTROL_BYTES_MAX):
        yield control_type_untrusted(raw.key), raw.value or b""


@final
class EntryReader:
    """Batches in, entries out. A transaction that never ended is still open after the last batch."""

    __slots__ = ("_open", "_open_offset")

    def __init__(self) -> None:
        self._open: list[MetadataRecord] | None = None
        self._open_offset = 0

    @property
    def open_since(self) -> int | None:
        """The offset at which a transaction that has not ended began."""
        return None if self._open is None else self._open_offset

    def feed_untrusted(self, batch: Batch) -> Iterator[Entry]:
        """The entries that end in `batch`: mostly one, which is all of it."""
        plain: list[MetadataRecord] = []
        base_offset = batch.base_offset
        for raw, record in records_of_untrusted(batch):
            if isinstance(record, BeginTransactionRecord):
                if self._open is not None:
                    raise _nested(raw.offset, self._open_offset)
                if plain:
                    yield _entry(batch, base_offset, raw.offset, plain)
                    plain = []
                self._open, self._open_offset = [], raw.offset
            elif isinstance(record, (EndTransactionRecord, AbortTransactionRecord)):
                if self._open is None:
                    raise RemoteProtocolError(
                        f"offset {raw.offset} ends a transaction; none is open"
                    )
                if isinstance(record, EndTransactionRecord):
                    yield _entry(batch, self._open_offset, raw.offset + 1, self._open)
                self._open = None
                base_offset = raw.offset + 1
            elif self._open is not None:
                self._open.append(record)
            else:
                plain.append(record)
        if plain:
            yield _entry(batch, base_offset, batch.next_offset, plain)


def _entry(batch: Batch, base: int, end: int, records: Sequence[MetadataRecord]) -> Entry:
    return Entry(
        base_offset=base,
        end_offset=end,
        epoch=batch.partition_leader_epoch,
        timestamp_ms=batch.max_timestamp,
        records=tuple(records),
    )


def _nested(offset: int, begun: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"offset {offset} begins a transaction; the one begun at offset {begun} has not ended"
    )
