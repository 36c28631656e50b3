"""Snapshots of the metadata log: an image as records, in a file that replaces the log's prefix.

`<end offset>-<epoch>.checkpoint` is a sequence of batches that begins with a header and ends with a
footer; between them stands every fact of the image, once. A snapshot without its footer was never
finished and is not read. `bootstrap.checkpoint` has the same form and holds the feature levels that
`kafka-storage format` was asked for.

Source: KIP-630. Elsewhere: which snapshot is taken and when one is written, see `local.py`.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.metadata.image import BrokerImage, Image, PartitionImage
from ottla.core.metadata.records import (
    DIRECTORIES_SINCE,
    ClientQuotaRecord,
    ConfigRecord,
    Entry,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
    controls_untrusted,
    framed,
    records_of_untrusted,
    version_of,
)
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch, batches_untrusted, crc_is_right
from ottla.record.builder import BatchBuilder
from ottla.record.control import ControlType, control_batch
from ottla.types import Uuid
from ottla.wire.stored.client_quota_record import EntityData
from ottla.wire.stored.register_broker_record import BrokerEndpoint, BrokerFeature
from ottla.wire.stored.snapshot_footer_record import SnapshotFooterRecord
from ottla.wire.stored.snapshot_header_record import SnapshotHeaderRecord

BOOTSTRAP_FILE: Final = "bootstrap.checkpoint"
SUFFIX: Final = ".checkpoint"

_NAME: Final = re.compile(r"(\d{20})-(\d{10})\.checkpoint")
_BATCH_BYTES: Final = 256 * 1024
"""A snapshot's batches are closed at this size, so that a reader never holds much at once."""


@final
class SnapshotId(NamedTuple):
    """What a snapshot covers: the log below `end_offset`, whose last record is of `epoch`."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.end_offset:020d}-{self.epoch:010d}{SUFFIX}"


def snapshot_id(file_name: str) -> SnapshotId | None:
    """What a file's name says; None when it is no snapshot (or one not finished)."""
    found = _NAME.fullmatch(file_name)
    return None if found is None else SnapshotId(int(found[1]), int(found[2]))


@final
class Snapshot(NamedTuple):
    """A snapshot's facts. `controls`: KRaft version and voters, if it says any, as raw values."""

    entry: Entry
    controls: tuple[tuple[ControlType, bytes], ...]


def snapshot_untrusted(data: bytes, identity: SnapshotId) -> Snapshot:
    """What a snapshot file holds. RemoteProtocolError naming what makes it unreadable."""
    records: list[MetadataRecord] = []
    controls: list[tuple[ControlType, bytes]] = []
    timestamp_ms = 0
    begun = finished = False
    for batch in _whole_batches_untrusted(data):
        if finished:
            raise RemoteProtocolError(f"batches follow the footer at offset {batch.base_offset}")
        if not batch.is_control:
            records += (record for _, record in records_of_untrusted(batch))
            continue
        for control_type, value in controls_untrusted(batch):
            if control_type is ControlType.SNAPSHOT_HEADER:
                header = SnapshotHeaderRecord.decode_untrusted(value, 0)
                timestamp_ms = header.last_contained_log_timestamp
                begun = True
            elif control_type is ControlType.SNAPSHOT_FOOTER:
                finished = True
            else:
                controls.append((control_type, value))
    if not (begun and finished):
        raise RemoteProtocolError("the file does not go from a header to a footer")
    entry = Entry(
        base_offset=0,
        end_offset=identity.end_offset,
        epoch=identity.epoch,
        timestamp_ms=timestamp_ms,
        records=tuple(records),
    )
    return Snapshot(entry=entry, controls=tuple(controls))


def _whole_batches_untrusted(data: bytes) -> Iterator[Batch]:
    end = 0
    for batch in batches_untrusted(data):
        if not crc_is_right(batch):
            raise RemoteProtocolError(f"the batch at byte {end:,} has a wrong checksum")
        end += batch.size_bytes
        yield batch
    if end != len(data):
        raise RemoteProtocolError(f"{len(data) - end:,} bytes at byte {end:,} are no whole batch")


def snapshot_bytes(image: Image, controls: tuple[tuple[ControlType, bytes], ...]) -> bytes:
    """The file that brings `image` back."""
    offset = 0
    chunks: list[bytearray] = []

    def control(control_type: ControlType, value: bytes) -> None:
        nonlocal offset
        batch = control_batch(
            control_type,
            value,
            timestamp_ms=image.timestamp_ms,
            base_offset=offset,
            leader_epoch=image.epoch,
        )
        chunks.append(batch)
        offset += 1

    header = SnapshotHeaderRecord(last_contained_log_timestamp=image.timestamp_ms)
    control(ControlType.SNAPSHOT_HEADER, header.encode(0))
    for control_type, value in controls:
        control(control_type, value)
    builder = BatchBuilder()
    for record in records_of(image):
        value = framed(record, version_of(record, image.metadata_version))
        builder.append(image.timestamp_ms, None, value)
        if builder.size_bytes > _BATCH_BYTES:
            chunks.append(builder.build(base_offset=offset, leader_epoch=image.epoch))
            offset += builder.record_count
            builder = BatchBuilder()
    if builder.record_count:
        chunks.append(builder.build(base_offset=offset, leader_epoch=image.epoch))
        offset += builder.record_count
    control(ControlType.SNAPSHOT_FOOTER, SnapshotFooterRecord().encode(0))
    return b"".join(chunks)


def records_of(image: Image) -> Iterator[MetadataRecord]:
    """Every fact of the image, in Apache Kafka's order: what is referred to comes first."""
    for name, level in sorted(image.features.items(), key=lambda one: one[0] != "metadata.version"):
        yield FeatureLevelRecord(name=name, feature_level=level)
    for broker in image.brokers.values():
        yield _register(broker, image.metadata_version)
    with_directories = image.metadata_version >= DIRECTORIES_SINCE
    for topic in image.topics.values():
        yield TopicRecord(name=topic.name, topic_id=topic.topic_id)
        for number, partition in enumerate(topic.partitions):
            yield partition_record(topic.topic_id, number, partition, with_directories)
    for (resource_type, resource), values in image.configs.items():
        if probe.MUTANTS and probe.mutant("M62-snapshot-without-settings"):
            break
        for name, value in values.items():
            yield ConfigRecord(
                resource_type=resource_type, resource_name=resource, name=name, value=value
            )
    for entity, quotas in image.quotas.items():
        if probe.MUTANTS and probe.mutant("M62-snapshot-without-quotas"):
            break
        for key, rate in quotas.items():
            parts = [EntityData(entity_type, name) for entity_type, name in entity]
            yield ClientQuotaRecord(entity=parts, key=key, value=rate)
    keeps_ids = not (probe.MUTANTS and probe.mutant("M62-snapshot-without-ids"))
    if image.next_producer_id > 0 and keeps_ids:
        yield ProducerIdsRecord(
            broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id
        )
    yield from image.kept.values()


def partition_record(
    topic_id: Uuid, number: int, partition: PartitionImage, with_directories: bool
) -> PartitionRecord:
    """The record that makes `partition` as it is."""
    return PartitionRecord(
        partition_id=number,
        topic_id=topic_id,
        replicas=partition.replicas,
        isr=partition.isr,
        removing_replicas=partition.removing,
        adding_replicas=partition.adding,
        leader=partition.leader,
        leader_recovery_state=1 if partition.recovering else 0,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=partition.directories if with_directories else (),
        eligible_leader_replicas=partition.elr or None,
        last_known_elr=partition.last_known_elr or None,
    )


def _register(broker: BrokerImage, metadata_version: int) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=broker.broker_id,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            BrokerEndpoint(point.listener, point.host, point.port, point.security_protocol)
            for point in broker.endpoints
        ],
        features=[BrokerFeature(name, low, high) for name, low, high in broker.features],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=broker.log_dirs if metadata_version >= DIRECTORIES_SINCE else (),
        cordoned_log_dirs=broker.cordoned_log_dirs,
    )
