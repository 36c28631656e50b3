"""The immutable picture of the cluster, and how a committed entry of records changes it.

Promises: an `Image` never changes; `apply` makes the next one and says what differs, so that whoever
follows the log touches only what changed. Folding the same records always gives the same image: a
restart is `fold` from the beginning.

What has no meaning here yet (access control, credentials, tokens) is kept record by record
under its identity, so that a snapshot can write it again and a later version of Ottla, or Apache
Kafka on the same directory, misses nothing.

Source: KIP-500, KIP-746. Elsewhere: records <-> bytes, see `records.py`; image -> records, see
`snapshot.py`; a partition and a broker, see `partition.py` and `broker.py`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, assert_never, final

from ottla.core.metadata.broker import BrokerImage, Endpoint, registered, reregistered
from ottla.core.metadata.partition import PartitionImage, TopicImage, changed, made
from ottla.core.metadata.quota import QuotaEntity, entity_of
from ottla.core.metadata.records import (
    AbortTransactionRecord,
    AccessControlEntryRecord,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    EndTransactionRecord,
    Entry,
    FeatureLevelRecord,
    FenceBrokerRecord,
    MetadataRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
    ZkMigrationStateRecord,
)
from ottla.errors import RemoteProtocolError
from ottla.types import Uuid

__all__ = [
    "METADATA_VERSION",
    "BrokerImage",
    "ConfigKey",
    "Current",
    "Delta",
    "Endpoint",
    "Image",
    "PartitionImage",
    "TopicChange",
    "TopicImage",
]

METADATA_VERSION: Final = "metadata.version"

# Resource types of configurations (enums: config_resource_type).
TOPIC_RESOURCE: Final = 2
BROKER_RESOURCE: Final = 4

ConfigKey: TypeAlias = tuple[int, str]
KeptKey: TypeAlias = tuple[int | str | bytes | None, ...]


@final
class TopicChange(NamedTuple):
    """A topic before and after; `partitions`: the numbers of those that are new or differ."""

    before: TopicImage
    after: TopicImage
    partitions: tuple[int, ...]


@final
class Delta(NamedTuple):
    """What differs between two images.

    A topic that was deleted and made again in one entry is in `deleted` and in `created`, with
    different ids. The configurations of a created topic are not told again in `configs_changed`.
    """

    created: tuple[TopicImage, ...] = ()
    deleted: tuple[TopicImage, ...] = ()
    changed: tuple[TopicChange, ...] = ()
    configs_changed: tuple[ConfigKey, ...] = ()
    brokers_changed: tuple[int, ...] = ()
    quotas_changed: bool = False


@final
class Image(NamedTuple):
    """Everything the log says up to `offset` (exclusive), written in epochs up to `epoch`."""

    offset: int = 0
    epoch: int = 0
    timestamp_ms: int = 0
    topics: Mapping[str, TopicImage] = MappingProxyType({})
    topic_ids: Mapping[Uuid, TopicImage] = MappingProxyType({})
    configs: Mapping[ConfigKey, Mapping[str, str]] = MappingProxyType({})
    brokers: Mapping[int, BrokerImage] = MappingProxyType({})
    features: Mapping[str, int] = MappingProxyType({})
    quotas: Mapping[QuotaEntity, Mapping[str, float]] = MappingProxyType({})
    next_producer_id: int = 0
    kept: Mapping[KeptKey, MetadataRecord] = MappingProxyType({})

    @property
    def metadata_version(self) -> int:
        return self.features.get(METADATA_VERSION, 0)

    def topic_configs(self, topic: str) -> Mapping[str, str]:
        return self.configs.get((TOPIC_RESOURCE, topic), {})

    def apply(self, entry: Entry) -> "tuple[Image, Delta]":
        """The image after `entry`, and what it changed."""
        fold = _Fold(self)
        fold.entry(entry)
        return fold.finish()

    def fold(self, entries: Iterable[Entry]) -> "Image":
        """The image after all of `entries`, at the price of one copy."""
        fold = _Fold(self)
        for entry in entries:
            fold.entry(entry)
        image, _ = fold.finish()
        return image

    def check_invariants(self) -> None:
        assert len(self.topics) == len(self.topic_ids)
        for name, topic in self.topics.items():
            assert topic.name == name
            assert self.topic_ids[topic.topic_id] is topic
            for partition in topic.partitions:
                assert len(partition.directories) in (0, len(partition.replicas))
                assert set(partition.isr) <= set(partition.replicas)


@final
class Current:
    """The newest committed image: the one cell that changes, read by whoever answers a client."""

    __slots__ = ("image",)

    def __init__(self, image: Image) -> None:
        self.image = image


@final
class _Fold:
    """An image being changed: mappings are copied once, when first written to."""

    __slots__ = (
        "_before",
        "_brokers",
        "_brokers_changed",
        "_configs",
        "_configs_changed",
        "_entry",
        "_features",
        "_ids",
        "_kept",
        "_next_producer_id",
        "_open",
        "_quotas",
        "_removed",
        "_topics",
        "_touched",
    )

    def __init__(self, before: Image) -> None:
        self._before = before
        self._topics = dict(before.topics)
        self._ids = dict(before.topic_ids)
        self._configs: dict[ConfigKey, Mapping[str, str]] | None = None
        self._brokers: dict[int, BrokerImage] | None = None
        self._features: dict[str, int] | None = None
        self._quotas: dict[QuotaEntity, Mapping[str, float]] | None = None
        self._kept: dict[KeptKey, MetadataRecord] | None = None
        self._next_producer_id = before.next_producer_id
        self._configs_changed: dict[ConfigKey, None] = {}
        self._brokers_changed: dict[int, None] = {}
        self._open: dict[Uuid, dict[int, PartitionImage]] = {}
        self._touched: dict[Uuid, dict[int, None]] = {}
        self._removed: dict[Uuid, TopicImage] = {}
        self._entry: Entry | None = None

    def entry(self, entry: Entry) -> None:
        self._entry = entry
        for record in entry.records:
            self._record(record)

    def _record(self, record: MetadataRecord) -> None:  # one match over all record types
        match record:
            case PartitionRecord():
                self._partition(record)
            case PartitionChangeRecord():
                self._partition_change(record)
            case TopicRecord():
                self._topic(record)
            case ConfigRecord():
                self._config(record)
            case RemoveTopicRecord():
                self._remove_topic(record.topic_id)
            case RegisterBrokerRecord():
                self._put_broker(registered(record))
            case BrokerRegistrationChangeRecord():
                self._put_broker(reregistered(self._broker(record.broker_id), record))
            case FenceBrokerRecord():
                self._put_broker(self._broker(record.id)._replace(fenced=True))
            case UnfenceBrokerRecord():
                self._put_broker(self._broker(record.id)._replace(fenced=False))
            case UnregisterBrokerRecord():
                self._drop_broker(record.broker_id)
            case FeatureLevelRecord():
                self._feature(record)
            case ClientQuotaRecord():
                self._quota(record)
            case ProducerIdsRecord():
                self._next_producer_id = record.next_producer_id
            case ClearElrRecord():
                self._clear_elr(record)
            case (
                NoOpRecord()
                | BeginTransactionRecord()
                | EndTransactionRecord()
                | AbortTransactionRecord()
            ):
                pass  # transactions are settled by whoever reads the log, see `records.py`
            case _:
                self._keep(record)

    # --- topics and partitions -------------------------------------------------------------------

    def _topic(self, record: TopicRecord) -> None:
        topic = TopicImage(record.name, record.topic_id, ())
        old = self._topics.get(record.name)
        if old is not None and old.topic_id != record.topic_id:
            raise self._wrong(f"makes topic {record.name!r}, which is there under another id")
        if old is None and record.topic_id in self._ids:
            raise self._wrong(f"makes topic {record.name!r} under the id of another")
        self._topics[record.name] = topic
        self._ids[record.topic_id] = topic
        self._open[record.topic_id] = {}
        self._touched[record.topic_id] = {}

    def _partitions_of(self, topic_id: Uuid) -> dict[int, PartitionImage]:
        partitions = self._open.get(topic_id)
        if partitions is None:
            topic = self._ids.get(topic_id)
            if topic is None:
                raise self._wrong(f"names topic id {topic_id.hex()}, which no record made")
            partitions = self._open[topic_id] = dict(enumerate(topic.partitions))
            self._touched[topic_id] = {}
        return partitions

    def _partition(self, record: PartitionRecord) -> None:
        self._partitions_of(record.topic_id)[record.partition_id] = made(record)
        self._touched[record.topic_id][record.partition_id] = None

    def _partition_change(self, record: PartitionChangeRecord) -> None:
        partitions = self._partitions_of(record.topic_id)
        old = partitions.get(record.partition_id)
        if old is None:
            raise self._wrong(
                f"changes partition {record.partition_id} of topic id {record.topic_id.hex()}, "
                "which no record made"
            )
        partitions[record.partition_id] = changed(old, record)
        self._touched[record.topic_id][record.partition_id] = None

    def _remove_topic(self, topic_id: Uuid) -> None:
        topic = self._ids.pop(topic_id, None)
        if topic is None:
            raise self._wrong(f"removes topic id {topic_id.hex()}, which no record made")
        del self._topics[topic.name]
        if topic_id in self._before.topic_ids:
            self._removed[topic_id] = self._before.topic_ids[topic_id]
        self._open.pop(topic_id, None)
        self._touched.pop(topic_id, None)
        key = (TOPIC_RESOURCE, topic.name)
        if key in self._config_map():
            del self._own_configs()[key]
        self._configs_changed.pop(key, None)

    def _clear_elr(self, record: ClearElrRecord) -> None:
        """An empty name clears the eligible leader replicas of every topic."""
        names = [record.topic_name] if record.topic_name else list(self._topics)
        for name in names:
            topic = self._topics.get(name)
            if topic is None:
                raise self._wrong(f"names topic {name!r}, which no record made")
            partitions = self._partitions_of(topic.topic_id)
            for number, old in partitions.items():
                if old.elr or old.last_known_elr:
                    partitions[number] = old._replace(elr=(), last_known_elr=())
                    self._touched[topic.topic_id][number] = None

    # --- configurations, brokers, features, the rest ----------------------------------------------

    def _config_map(self) -> Mapping[ConfigKey, Mapping[str, str]]:
        return self._before.configs if self._configs is None else self._configs

    def _own_configs(self) -> dict[ConfigKey, Mapping[str, str]]:
        if self._configs is None:
            self._configs = dict(self._before.configs)
        return self._configs

    def _config(self, record: ConfigRecord) -> None:
        configs = self._own_configs()
        key = (record.resource_type, record.resource_name)
        values = dict(configs.get(key, ()))
        if record.value is None:
            values.pop(record.name, None)
        else:
            values[record.name] = record.value
        if values:
            configs[key] = values
        else:
            configs.pop(key, None)
        self._configs_changed[key] = None

    def _own_brokers(self) -> dict[int, BrokerImage]:
        if self._brokers is None:
            self._brokers = dict(self._before.brokers)
        return self._brokers

    def _broker(self, broker_id: int) -> BrokerImage:
        broker = self._own_brokers().get(broker_id)
        if broker is None:
            raise self._wrong(f"changes broker {broker_id}, which no record registered")
        return broker

    def _put_broker(self, broker: BrokerImage) -> None:
        self._own_brokers()[broker.broker_id] = broker
        self._brokers_changed[broker.broker_id] = None

    def _drop_broker(self, broker_id: int) -> None:
        self._own_brokers().pop(broker_id, None)
        self._brokers_changed[broker_id] = None

    def _feature(self, record: FeatureLevelRecord) -> None:
        if self._features is None:
            self._features = dict(self._before.features)
        if record.feature_level == 0:
            self._features.pop(record.name, None)
        else:
            self._features[record.name] = record.feature_level

    def _quota(self, record: ClientQuotaRecord) -> None:
        if self._quotas is None:
            self._quotas = dict(self._before.quotas)
        entity = entity_of(record.entity)
        values = dict(self._quotas.get(entity, ()))
        if record.remove:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            self._quotas[entity] = values
        else:
            self._quotas.pop(entity, None)

    def _keep(
        self,
        record: (
            AccessControlEntryRecord
            | RemoveAccessControlEntryRecord
            | UserScramCredentialRecord
            | RemoveUserScramCredentialRecord
            | DelegationTokenRecord
            | RemoveDelegationTokenRecord
            | RegisterControllerRecord
            | UnregisterControllerRecord
            | ZkMigrationStateRecord
        ),
    ) -> None:
        if self._kept is None:
            self._kept = dict(self._before.kept)
        key, gone = _identity(record)
        if gone:
            self._kept.pop(key, None)
        else:
            self._kept[key] = record

    def _wrong(self, what: str) -> RemoteProtocolError:
        at = "" if self._entry is None else f" at offsets below {self._entry.end_offset}"
        return RemoteProtocolError(f"the metadata log{at} {what}")

    # --- the result -------------------------------------------------------------------------------

    def finish(self) -> tuple[Image, Delta]:
        before = self._before
        for topic_id, partitions in self._open.items():
            topic = self._ids[topic_id]
            if len(partitions) and max(partitions) != len(partitions) - 1:
                raise self._wrong(
                    f"gives topic {topic.name!r} partitions with gaps in their numbers"
                )
            whole = tuple(partitions[number] for number in range(len(partitions)))
            grown = TopicImage(topic.name, topic_id, whole)
            self._topics[topic.name] = grown
            self._ids[topic_id] = grown
        entry = self._entry
        untouched = not self._open and not self._removed
        image = Image(
            offset=before.offset if entry is None else entry.end_offset,
            epoch=before.epoch if entry is None else entry.epoch,
            timestamp_ms=before.timestamp_ms if entry is None else entry.timestamp_ms,
            topics=before.topics if untouched else self._topics,
            topic_ids=before.topic_ids if untouched else self._ids,
            configs=self._config_map(),
            brokers=before.brokers if self._brokers is None else self._brokers,
            features=before.features if self._features is None else self._features,
            quotas=before.quotas if self._quotas is None else self._quotas,
            next_producer_id=self._next_producer_id,
            kept=before.kept if self._kept is None else self._kept,
        )
        return image, self._delta(image)

    def _delta(self, image: Image) -> Delta:
        before = self._before.topic_ids
        after = image.topic_ids
        created, changed = [], []
        for topic_id, touched in self._touched.items():
            topic = after[topic_id]
            old = before.get(topic_id)
            if old is None:
                created.append(topic)
            elif touched:
                changed.append(TopicChange(old, topic, tuple(sorted(touched))))
        fresh = {(TOPIC_RESOURCE, topic.name) for topic in created}
        return Delta(
            created=tuple(created),
            deleted=tuple(self._removed.values()),
            changed=tuple(changed),
            configs_changed=tuple(key for key in self._configs_changed if key not in fresh),
            brokers_changed=tuple(self._brokers_changed),
            quotas_changed=self._quotas is not None,
        )


def _identity(
    record: (
        AccessControlEntryRecord
        | RemoveAccessControlEntryRecord
        | UserScramCredentialRecord
        | RemoveUserScramCredentialRecord
        | DelegationTokenRecord
        | RemoveDelegationTokenRecord
        | RegisterControllerRecord
        | UnregisterControllerRecord
        | ZkMigrationStateRecord
    ),
) -> tuple[KeptKey, bool]:
    """What the record is about, and whether it takes that away."""
    match record:
        case AccessControlEntryRecord():
            return ("acl", record.id), False
        case RemoveAccessControlEntryRecord():
            return ("acl", record.id), True
        case UserScramCredentialRecord():
            return ("scram", record.name, record.mechanism), False
        case RemoveUserScramCredentialRecord():
            return ("scram", record.name, record.mechanism), True
        case DelegationTokenRecord() | RemoveDelegationTokenRecord():
            return ("token", record.token_id), isinstance(record, RemoveDelegationTokenRecord)
        case RegisterControllerRecord() | UnregisterControllerRecord():
            gone = isinstance(record, UnregisterControllerRecord)
            return ("controller", record.controller_id), gone
        case ZkMigrationStateRecord():
            return ("zk",), False
        case _:
            assert_never(record)
