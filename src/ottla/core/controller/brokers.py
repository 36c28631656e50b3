"""What is written when a broker comes: its registration, and what becomes of its partitions.

On one node nobody sends heartbeats: a broker is alive while its process is, which is the process
that writes here. Whoever else is registered belonged to an earlier life of the directory and is
fenced, so that no client is sent to it.

Source: KIP-631, KIP-858 (directories), KIP-966 (eligible leader replicas). Elsewhere: the choice of
a leader, see `election.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla.core.controller.election import UNCHANGED, elect
from ottla.core.metadata.broker import Endpoint
from ottla.core.metadata.image import METADATA_VERSION, Image, PartitionImage
from ottla.core.metadata.records import (
    DIRECTORIES_SINCE,
    BrokerRegistrationChangeRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
)
from ottla.errors import RemoteProtocolError
from ottla.types import Uuid
from ottla.wire.stored.register_broker_record import BrokerEndpoint, BrokerFeature

METADATA_VERSION_MIN: Final = 7
METADATA_VERSION_MAX: Final = 30
"""4.3-IV0, what Apache Kafka 4.3 finalizes: Ottla's directories shall open there."""

SUPPORTED_FEATURES: Final = ((METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_MAX),)
"""Feature levels this broker can work with: name, lowest, highest."""

_KNOWN_METADATA_VERSION_MAX: Final = 33
"""A log finalized above what is advertised can still be read up to here: the records are known."""

_FENCE: Final = 1
_UNFENCE: Final = -1


@final
class Registration(NamedTuple):
    """What a broker says of itself when it comes. `incarnation_id` is new with every process.

    `lacks_log_dirs`: beside `log_dirs` it has others, which are offline.
    """

    broker_id: int
    incarnation_id: Uuid
    endpoints: tuple[Endpoint, ...]
    rack: str | None
    log_dirs: tuple[Uuid, ...]
    lacks_log_dirs: bool = False


def first_records(bootstrap: Sequence[MetadataRecord]) -> tuple[MetadataRecord, ...]:
    """How an empty log begins: as its directory was formatted, or with our feature levels.

    `group.version`, `transaction.version` and the like are finalized only where the directory was
    formatted so: they switch on in Apache Kafka what Ottla does not have yet.
    """
    if bootstrap:
        return tuple(bootstrap)
    return (FeatureLevelRecord(name=METADATA_VERSION, feature_level=METADATA_VERSION_MAX),)


def check_metadata_version(latest: Image) -> None:
    """RemoteProtocolError when the log is of a Kafka whose records may not be known here."""
    level = latest.metadata_version
    if not METADATA_VERSION_MIN <= level <= _KNOWN_METADATA_VERSION_MAX:
        raise RemoteProtocolError(
            f"the metadata log is at metadata.version {level}; this version of Ottla reads "
            f"{METADATA_VERSION_MIN} to {_KNOWN_METADATA_VERSION_MAX}"
        )


def decide_registration(
    latest: Image, registration: Registration, next_offset: int
) -> tuple[MetadataRecord, ...]:
    """The records that make this broker known and alive, and everybody else fenced.

    `next_offset`, where the first of them will stand, is the broker's epoch: it grows with every
    registration.
    """
    with_directories = latest.metadata_version >= DIRECTORIES_SINCE
    records: list[MetadataRecord] = [
        RegisterBrokerRecord(
            broker_id=registration.broker_id,
            incarnation_id=registration.incarnation_id,
            broker_epoch=next_offset,
            end_points=[
                BrokerEndpoint(point.listener, point.host, point.port, point.security_protocol)
                for point in registration.endpoints
            ],
            features=[BrokerFeature(name, low, high) for name, low, high in SUPPORTED_FEATURES],
            rack=registration.rack,
            fenced=True,
            log_dirs=registration.log_dirs if with_directories else (),
        ),
        BrokerRegistrationChangeRecord(
            broker_id=registration.broker_id, broker_epoch=next_offset, fenced=_UNFENCE
        ),
    ]
    for broker in latest.brokers.values():
        if broker.broker_id != registration.broker_id and not broker.fenced:
            records.append(
                BrokerRegistrationChangeRecord(
                    broker_id=broker.broker_id, broker_epoch=broker.epoch, fenced=_FENCE
                )
            )
    return tuple(records)


def decide_partitions(
    latest: Image, registration: Registration, *, anew: bool
) -> Iterator[PartitionChangeRecord]:
    """What changes at the partitions of a broker that has just come.

    They get a leader, if none is alive, and stand in the directory the broker has. `anew`: those it
    leads already get a new leader epoch, even if nothing else changes.
    """
    broker_id = registration.broker_id
    active = {broker.broker_id for broker in latest.brokers.values() if broker.is_active}
    knows = latest.metadata_version >= DIRECTORIES_SINCE and not registration.lacks_log_dirs
    own = registration.log_dirs if knows else ()
    for topic in latest.topics.values():
        unclean: bool | None = None
        for number, partition in enumerate(topic.partitions):
            if broker_id not in partition.replicas:
                continue
            if unclean is None:
                configs = latest.topic_configs(topic.name)
                unclean = configs.get("unclean.leader.election.enable") == "true"
            change = elect(partition, active, unclean=unclean, anew=anew)
            directories = _directories(partition, broker_id, own)
            if change is None and directories is None:
                continue
            record = (change or UNCHANGED).record(topic.topic_id, number)
            record.directories = directories
            yield record


def decide_places(
    latest: Image, broker_id: int, places: Mapping[tuple[Uuid, int], Uuid]
) -> tuple[PartitionChangeRecord, ...]:
    """The records that say in which directories a broker's partitions are, where they are told wrong.

    `places`: (topic, partition) -> directory. What is not there any more is passed over.
    """
    if latest.metadata_version < DIRECTORIES_SINCE:
        return ()
    records = []
    for (topic_id, number), directory in places.items():
        topic = latest.topic_ids.get(topic_id)
        if topic is None or not topic.has(number):
            continue
        directories = _directories(topic.partitions[number], broker_id, (directory,))
        if directories is not None:
            record = UNCHANGED.record(topic_id, number)
            record.directories = directories
            records.append(record)
    return tuple(records)


def decide_lost_directory(latest: Image, broker_id: int, lost: Uuid) -> tuple[MetadataRecord, ...]:
    """The record that says that one of a broker's directories serves no more; another still does."""
    broker = latest.brokers[broker_id]
    rest = tuple(one for one in broker.log_dirs if one != lost)
    if latest.metadata_version < DIRECTORIES_SINCE or rest == broker.log_dirs or not rest:
        return ()
    return (
        BrokerRegistrationChangeRecord(
            broker_id=broker_id, broker_epoch=broker.epoch, log_dirs=rest
        ),
    )


def decide_unregistration(latest: Image, broker_id: int) -> tuple[MetadataRecord, ...]:
    """The records that forget a broker: it leads nothing and is in sync with nothing any more."""
    broker = latest.brokers[broker_id]
    records: list[MetadataRecord] = []
    active = {one.broker_id for one in latest.brokers.values() if one.is_active} - {broker_id}
    for topic in latest.topics.values():
        for number, partition in enumerate(topic.partitions):
            if broker_id not in (partition.leader, *partition.isr):
                continue
            change = elect(partition, active, unclean=False, anew=False)
            if change is not None:
                records.append(change.record(topic.topic_id, number))
    records.append(UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch))
    return tuple(records)


def _directories(
    partition: PartitionImage, broker_id: int, own: tuple[Uuid, ...]
) -> tuple[Uuid, ...] | None:
    """Where the replicas are, when the log has it wrong: a broker with one directory has no choice.

    It is wrong in a log from before KIP-858, or when the directory got a new id.
    """
    if len(own) != 1 or not partition.directories:
        return None
    told = partition.directories
    right = tuple(
        own[0] if replica == broker_id else directory
        for replica, directory in zip(partition.replicas, told, strict=True)
    )
    return None if right == told else right
