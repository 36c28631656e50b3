"""The metadata log of a single node: Apache Kafka's `__cluster_metadata-0`, written as its sole voter.

Promises: a start is a new leader epoch, remembered in `quorum-state` before anything is written in
it; an entry is one batch, so a crash leaves it whole or away; it counts as committed when it is on
the disk, whatever the flush policy of the topics is. Apache Kafka can go on where this stops, and
the other way round: the control batches of its quorum are read, kept and written as it does.

What was replayed comes from the newest readable snapshot and the log behind it. A snapshot that
cannot be read is passed over, with a warning, while the log still has what it covers.

Source: KIP-595, KIP-630, KIP-853, KIP-858. Elsewhere: what the records mean, see `image.py`; who
decides what to write, see `controller/`; files and their recovery, see `core/log`.
"""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final, final

from ottla.core.effect import Effect, WriteWhole
from ottla.core.log.checkpoint import format_partition_metadata
from ottla.core.log.log import Log
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import Image
from ottla.core.metadata.quorum import FILE_NAME, QuorumState, quorum_state_untrusted
from ottla.core.metadata.records import (
    Entry,
    EntryReader,
    MetadataRecord,
    controls_untrusted,
    encode_entry,
)
from ottla.core.metadata.snapshot import (
    BOOTSTRAP_FILE,
    Snapshot,
    SnapshotId,
    snapshot_bytes,
    snapshot_id,
    snapshot_untrusted,
)
from ottla.core.port import Disk
from ottla.errors import RemoteProtocolError
from ottla.record.builder import BatchBuilder
from ottla.record.control import ControlType
from ottla.settings.broker import BrokerSettings
from ottla.settings.topic import TopicSettings, topic_settings
from ottla.types import METADATA_TOPIC_ID, ZERO_UUID, Uuid
from ottla.wire.stored.kraft_version_record import KRaftVersionRecord
from ottla.wire.stored.leader_change_message import LeaderChangeMessage, Voter
from ottla.wire.stored.voters_record import VotersRecord

DIRECTORY: Final = "__cluster_metadata-0"

SNAPSHOTS_KEPT: Final = 2
"""The newest, and one to fall back on should the newest turn out unreadable."""

_log = logging.getLogger(__name__)
_CONTROL_KEY: Final = Struct(">hh")
_KEPT_CONTROLS: Final = (ControlType.KRAFT_VERSION, ControlType.KRAFT_VOTERS)


def metadata_log_settings(broker: BrokerSettings) -> TopicSettings:
    """The log keeps everything: what may go is for a snapshot to say, never for age or size."""
    return topic_settings(
        {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "segment.bytes": str(broker.metadata_log.segment_bytes),
            "segment.ms": str(broker.metadata_log.segment_ms),
            "segment.jitter.ms": "0",
            "message.timestamp.type": "CreateTime",
        },
        broker,
    )


@final
class LocalMetadataLog:
    """Open, `replay`, `claim`, then append. The node hands back what was flushed (`committed`)."""

    __slots__ = (
        "_bytes_since_snapshot",
        "_controls",
        "_disk",
        "_epoch",
        "_log",
        "_node_id",
        "_pending",
        "_quorum",
        "_reader",
        "_replayed",
        "_snapshot",
        "_snapshot_id",
    )

    def __init__(
        self,
        disk: Disk,
        log: Log,
        node_id: int,
        quorum: QuorumState | None,
        snapshot: tuple[SnapshotId, Snapshot] | None,
    ) -> None:
        self._disk = disk
        self._log = log
        self._node_id = node_id
        self._quorum = quorum
        self._snapshot_id = None if snapshot is None else snapshot[0]
        self._snapshot = None if snapshot is None else snapshot[1]
        self._controls: dict[ControlType, bytes] = {}
        self._reader = EntryReader()
        self._replayed = False
        self._pending: deque[Entry] = deque()
        self._bytes_since_snapshot = 0
        self._epoch = max(
            -1 if quorum is None else quorum.leader_epoch,
            log.last_epoch,
            0 if self._snapshot_id is None else self._snapshot_id.epoch,
        )

    @classmethod
    def open(
        cls,
        disk: Disk,
        *,
        settings: TopicSettings,
        node_id: int,
        now_ms: int,
        shutdown: Shutdown,
    ) -> "LocalMetadataLog":
        """The log as the last process left it. RemoteProtocolError when it cannot be understood."""
        names = disk.names(DIRECTORY)
        snapshot = _newest_readable(disk, names)
        quorum = _quorum_state(disk)
        # Nothing but a snapshot shortens this log, and it says so in its name: neither start nor
        # recovery point is checkpointed, as in Apache Kafka.
        log = Log.open(
            disk,
            DIRECTORY,
            settings=settings,
            now_ms=now_ms,
            shutdown=shutdown,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
        )
        if "partition.metadata" not in names:
            whole = format_partition_metadata(METADATA_TOPIC_ID)
            disk.write_whole(f"{DIRECTORY}/partition.metadata", whole)
        covered = 0 if snapshot is None else snapshot[0].end_offset
        if log.start_offset > covered:
            raise RemoteProtocolError(
                f"{DIRECTORY} begins at offset {log.start_offset:,} and no readable snapshot "
                f"reaches there: topics and settings below that offset are lost. Restore a "
                "*.checkpoint file from a backup"
            )
        if log.end_offset < covered:
            raise RemoteProtocolError(
                f"{DIRECTORY} ends at offset {log.end_offset:,}, before its snapshot, which covers "
                f"{covered:,}: the log's files are incomplete. Restore them from a backup"
            )
        _forget_old_snapshots(disk, names)
        return cls(disk, log, node_id, quorum, snapshot)

    @property
    def end_offset(self) -> int:
        return self._log.end_offset

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def voter_directory_id(self) -> Uuid:
        """The directory id by which the quorum's records know this voter; zeros before KIP-853."""
        value = self._controls.get(ControlType.KRAFT_VOTERS)
        if value is None or self._kraft_version() == 0:
            return ZERO_UUID
        voters = VotersRecord.decode_untrusted(value, 0).voters
        known = [one.voter_directory_id for one in voters if one.voter_id == self._node_id]
        return known[0] if known else ZERO_UUID

    @property
    def size_bytes(self) -> int:
        return self._log.size_bytes

    @property
    def bytes_since_snapshot(self) -> int:
        return self._bytes_since_snapshot

    @property
    def open_transaction_since(self) -> int | None:
        """Where a transaction begins that the last writer did not end; its records do not count."""
        return self._reader.open_since

    def replay(self) -> Iterator[Entry]:
        """Everything that was committed, oldest first. Once, before `claim`."""
        assert not self._replayed
        start = 0
        if self._snapshot is not None and self._snapshot_id is not None:
            start = self._snapshot_id.end_offset
            self._controls.update(self._snapshot.controls)
            if self._snapshot.entry.records:
                yield self._snapshot.entry
            self._snapshot = None
        for batch in self._log.batches(start, self._log.end_offset):
            self._bytes_since_snapshot += batch.size_bytes
            if not batch.is_control:
                yield from self._reader.feed_untrusted(batch)
                continue
            for control_type, value in controls_untrusted(batch):
                if control_type in _KEPT_CONTROLS:
                    self._controls[control_type] = value
        self._replayed = True

    def bootstrap(self) -> tuple[MetadataRecord, ...]:
        """What `kafka-storage format` asked a new cluster to begin with; empty when it was not run.

        A file that cannot be read is refused: it may ask for a metadata.version nobody here knows.
        """
        data = self._disk.read_whole(BOOTSTRAP_FILE)
        if data is None:
            return ()
        try:
            return snapshot_untrusted(data, SnapshotId(0, 0)).entry.records
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{BOOTSTRAP_FILE}: {error}") from None

    def claim(self, now_ms: int) -> list[Effect]:
        """This node leads from here on, in an epoch nobody had before."""
        assert self._replayed
        self._epoch += 1
        controls: Mapping[ControlType, bytes] = {}
        if self._log.end_offset == 0:
            controls = self._controls  # a snapshot of `format --standalone` knows them, the log not
        state = QuorumState(
            leader_id=self._node_id,
            leader_epoch=self._epoch,
            data_version=1 if self._kraft_version() > 0 else 0,
        )
        self._disk.write_whole(f"{DIRECTORY}/{FILE_NAME}", state.text())
        batch = _leader_change(self._node_id, self._epoch, controls, self._log.end_offset, now_ms)
        self._log.append_batches(bytes(batch), now_ms=now_ms)
        return self._flush()

    def append(
        self, records: tuple[MetadataRecord, ...], *, now_ms: int, metadata_version: int
    ) -> tuple[Entry, list[Effect]]:
        """Write one entry behind the others; OSError: it is not there, and nothing else changed."""
        entry = Entry(
            base_offset=self._log.end_offset,
            end_offset=self._log.end_offset + len(records),
            epoch=self._epoch,
            timestamp_ms=now_ms,
            records=records,
        )
        batch = bytes(encode_entry(entry, metadata_version))
        self._log.append_batches(batch, now_ms=now_ms)
        self._bytes_since_snapshot += len(batch)
        self._pending.append(entry)
        return entry, self._flush()

    def committed(self, end_offset: int) -> list[Entry]:
        """Everything below `end_offset` is on the disk: the entries that this commits."""
        self._log.flushed(end_offset)
        entries: list[Entry] = []
        while self._pending and self._pending[0].end_offset <= end_offset:
            entries.append(self._pending.popleft())
        return entries

    def snapshot(self, image: Image) -> list[Effect]:
        """Write `image` as a snapshot, so that a later start need not read what it covers."""
        identity = SnapshotId(image.offset, image.epoch)
        self._snapshot_id = identity
        self._bytes_since_snapshot = 0
        data = snapshot_bytes(image, tuple(self._controls.items()))
        return [WriteWhole(f"{DIRECTORY}/{identity.file_name}", data)]

    def close(self, now_ms: int) -> None:
        """Close the files; the node has flushed what it wants to keep."""
        self._log.close(now_ms)

    def check_invariants(self) -> None:
        assert all(entry.end_offset <= self._log.end_offset for entry in self._pending)
        assert self._log.last_epoch <= self._epoch
        self._log.check_invariants()

    def _flush(self) -> list[Effect]:
        flush = self._log.flush_request()
        return [] if flush is None else [flush]

    def _kraft_version(self) -> int:
        value = self._controls.get(ControlType.KRAFT_VERSION)
        return 0 if value is None else KRaftVersionRecord.decode_untrusted(value, 0).kraft_version


def _quorum_state(disk: Disk) -> QuorumState | None:
    """None: it is not there, or torn. No epoch is lost with it: what was written in one is in the
    log, and an only voter told nobody of another."""
    path = f"{DIRECTORY}/{FILE_NAME}"
    data = disk.read_whole(path)
    if data is None:
        return None
    state = quorum_state_untrusted(data)
    if state is None:
        _log.warning(
            "half-written, as a power cut leaves it; the log tells the epoch", extra={"file": path}
        )
    return state


def _newest_readable(disk: Disk, names: list[str]) -> tuple[SnapshotId, Snapshot] | None:
    found = sorted(filter(None, map(snapshot_id, names)), reverse=True)
    for identity in found:
        path = f"{DIRECTORY}/{identity.file_name}"
        try:
            return identity, snapshot_untrusted(disk.read_whole(path) or b"", identity)
        except RemoteProtocolError as error:
            _log.warning(
                "a metadata snapshot cannot be read; an older one is tried",
                extra={"file": path, "reason": str(error)},
            )
    return None


def _forget_old_snapshots(disk: Disk, names: list[str]) -> None:
    found = sorted(filter(None, map(snapshot_id, names)), reverse=True)
    for identity in found[SNAPSHOTS_KEPT:]:
        disk.remove(f"{DIRECTORY}/{identity.file_name}")


def _leader_change(
    node_id: int,
    epoch: int,
    controls: Mapping[ControlType, bytes],
    base_offset: int,
    now_ms: int,
) -> bytearray:
    """The control batch that begins an epoch, as Apache Kafka's leader writes it."""
    voter = Voter(voter_id=node_id)
    message = LeaderChangeMessage(leader_id=node_id, voters=[voter], granting_voters=[voter])
    builder = BatchBuilder()
    builder.append(now_ms, _CONTROL_KEY.pack(0, ControlType.LEADER_CHANGE), message.encode(0))
    for control_type, value in controls.items():
        builder.append(now_ms, _CONTROL_KEY.pack(0, control_type), value)
    return builder.build(base_offset=base_offset, leader_epoch=epoch, control=True)
