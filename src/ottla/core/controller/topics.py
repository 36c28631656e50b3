"""Topics: made, grown, deleted. What is asked, what is refused and why, and the records it takes.

Each `decide_*` looks at the image and answers one row per topic asked for, in the order asked; a
refused row names the object, the value, the limit and the way out, and takes nothing from the other
rows. Nothing here changes state: the controller writes the records.

Source: KIP-4, KIP-195, KIP-464 (defaults), KIP-516 (ids), KIP-525 (created topics in full).
Elsewhere: names, see `topic_name.py`; configurations, see `settings/topic.py`; which broker gets
what, see `placement.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, final

from ottla.core.controller.placement import place
from ottla.core.controller.topic_name import alike, name_problem
from ottla.core.metadata.image import TOPIC_RESOURCE, Image, PartitionImage
from ottla.core.metadata.partition import (
    INTERNAL_TOPICS,
    MIGRATING_DIRECTORY,
    UNASSIGNED_DIRECTORY,
)
from ottla.core.metadata.records import (
    DIRECTORIES_SINCE,
    ConfigRecord,
    MetadataRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from ottla.core.metadata.snapshot import partition_record
from ottla.core.port import Entropy
from ottla.core.quota.mutation import EXCEEDED, UNMETERED, MutationQuota
from ottla.errors import ErrorCode
from ottla.limits import PARTITIONS_PER_BROKER_MAX, PARTITIONS_PER_REQUEST_MAX, quoted
from ottla.settings.topic import check_topic_overrides
from ottla.types import METADATA_TOPIC, Uuid

DEFAULT: Final = -1
"""In a count: as the broker's settings say."""

_REPLICATION_FACTOR_MAX: Final = 0x7FFF

Replicas: TypeAlias = tuple[int, ...]


@final
class NewTopic(NamedTuple):
    """A topic to be made: by counts, or with `assignments` of (partition, its replicas)."""

    name: str
    configs: Mapping[str, str | None]
    partitions: int = DEFAULT
    replication_factor: int = DEFAULT
    assignments: tuple[tuple[int, Replicas], ...] = ()


@final
class Growth(NamedTuple):
    """A topic to get `total` partitions in all. `assignments` None: placed by the controller."""

    name: str
    total: int
    assignments: tuple[Replicas, ...] | None


@final
class TopicDefaults(NamedTuple):
    partitions: int
    replication_factor: int


@final
class Refused(NamedTuple):
    """No, and why."""

    error: ErrorCode
    message: str


@final
class Created(NamedTuple):
    name: str
    topic_id: Uuid
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


@final
class TopicMaker:
    """Takes the topics of one request one after the other, each seeing the ones before it."""

    __slots__ = (
        "_brokers",
        "_defaults",
        "_entropy",
        "_held",
        "_image",
        "_in_dirs",
        "_names",
        "_quota",
        "_room",
        "records",
    )

    def __init__(
        self,
        image: Image,
        defaults: TopicDefaults,
        entropy: Entropy,
        quota: MutationQuota = UNMETERED,
    ) -> None:
        self._image = image
        self._defaults = defaults
        self._entropy = entropy
        self._brokers = sorted(
            broker.broker_id for broker in image.brokers.values() if broker.is_active
        )
        self._names: dict[str, str] = {}  # what it has in common with those alike -> a topic's
        self._in_dirs: dict[int, dict[Uuid, int]] = {}  # partitions, where a broker has a choice
        self._quota = quota
        self._held = sum(len(topic.partitions) for topic in image.topics.values())
        self._room = PARTITIONS_PER_REQUEST_MAX
        self.records: list[MetadataRecord] = []

    def make(self, topic: NewTopic) -> Created | Refused:
        """Decide on one topic; what it takes is in `records` then."""
        problem = self._check_name(topic.name)
        if problem is not None:
            return problem
        wrong = check_topic_overrides(topic.configs)
        if wrong is not None:
            return Refused(ErrorCode.INVALID_CONFIG, wrong)
        placed = self._assigned(topic) if topic.assignments else self._placed(topic)
        if isinstance(placed, Refused):
            return placed
        full = self._check_room(len(placed), 1 + len(topic.configs))
        if full is not None:
            return full
        if not self._quota.take(len(placed)):
            return Refused(*EXCEEDED)
        return self._write(topic, placed)

    def grow(self, growth: Growth) -> Refused | None:
        """Decide on more partitions for one topic; None: it gets them."""
        topic = self._image.topics.get(growth.name)
        if topic is None:
            return _unknown(growth.name)
        if growth.name in INTERNAL_TOPICS:
            return Refused(
                ErrorCode.INVALID_REQUEST,
                f"topic {quoted(growth.name)} cannot grow: which partition keeps a group's offsets "
                "depends on their number, so those committed before would not be found",
            )
        have = len(topic.partitions)
        if growth.total <= have:
            return Refused(
                ErrorCode.INVALID_PARTITIONS,
                f"topic {quoted(growth.name)} has {have:,} partition(s) and {growth.total:,} are asked "
                f"for: partitions are only ever added, so ask for more than {have:,}",
            )
        more = growth.total - have
        full = self._check_room(more)
        if full is not None:
            return full
        replicas = topic.replication_factor
        if growth.assignments is None:
            if replicas > len(self._brokers):
                return self._too_few_brokers(replicas)
            placed = place(self._brokers, partitions=more, replicas=replicas, shift=have)
        elif len(growth.assignments) != more:
            return Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"topic {quoted(growth.name)} grows by {more:,} partition(s), but "
                f"{len(growth.assignments):,} assignment(s) are given: give one for each",
            )
        else:
            placed = list(growth.assignments)
            for number, one in enumerate(placed, have):
                wrong = self._check_replicas(number, one, replicas)
                if wrong is not None:
                    return wrong
        if not self._quota.take(more):
            return Refused(*EXCEEDED)
        self._room -= more
        self._held += more
        self.records += self._partitions(topic.topic_id, placed, have)
        return None

    # --- what may be refused ----------------------------------------------------------------------

    def _check_name(self, name: str) -> Refused | None:
        if name == METADATA_TOPIC:
            return Refused(
                ErrorCode.INVALID_REQUEST,
                f"{quoted(name)} is the cluster's own log and cannot be created",
            )
        problem = name_problem(name)
        if problem is not None:
            return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        if not self._names:
            self._names = {alike(topic): topic for topic in self._image.topics}
        other = self._names.get(alike(name))
        if name == other or name in self._image.topics:
            return Refused(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic {quoted(name)} already exists.")
        if other is not None:
            return Refused(
                ErrorCode.INVALID_TOPIC_EXCEPTION,
                f"topic name {quoted(name)} collides with topic {other!r}: names must differ in more "
                "than '.' and '_'",
            )
        return None

    def _check_room(self, partitions: int, beside: int = 0) -> Refused | None:
        """`beside`: records that the topic takes beside one for each partition."""
        if partitions + beside > self._room:
            return Refused(
                ErrorCode.POLICY_VIOLATION,
                f"{partitions:,} partition(s) take {partitions + beside:,} metadata records; in this "
                f"request there is room for {self._room:,} more, of {PARTITIONS_PER_REQUEST_MAX:,} in "
                "one: use several",
            )
        if self._held + partitions > PARTITIONS_PER_BROKER_MAX:
            return Refused(
                ErrorCode.INVALID_PARTITIONS,
                f"{partitions:,} partitions beside the {self._held:,} there are exceed the limit of "
                f"{PARTITIONS_PER_BROKER_MAX:,} in this cluster",
            )
        return None

    def _too_few_brokers(self, replication_factor: int) -> Refused:
        return Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"replication factor {replication_factor} needs as many brokers; alive are "
            f"{len(self._brokers)}. Ask for {len(self._brokers)} or less, or for -1, the default",
        )

    def _placed(self, topic: NewTopic) -> list[Replicas] | Refused:
        replicas = topic.replication_factor
        if replicas == 0 or replicas < DEFAULT:
            return Refused(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"replication factor {replicas}; 1 or more is expected, or -1, the default",
            )
        partitions = topic.partitions
        if partitions == 0 or partitions < DEFAULT:
            return Refused(
                ErrorCode.INVALID_PARTITIONS,
                f"{partitions} partitions; 1 or more are expected, or -1, the default",
            )
        if partitions == DEFAULT:
            partitions = self._defaults.partitions
        if replicas == DEFAULT:
            replicas = self._defaults.replication_factor
        if replicas > len(self._brokers):
            return self._too_few_brokers(replicas)
        full = self._check_room(partitions)  # before a list of that length is made
        if full is not None:
            return full
        shift = self._entropy.below(len(self._brokers))
        return place(self._brokers, partitions=partitions, replicas=replicas, shift=shift)

    def _assigned(self, topic: NewTopic) -> list[Replicas] | Refused:
        if topic.replication_factor != DEFAULT or topic.partitions != DEFAULT:
            return Refused(
                ErrorCode.INVALID_REQUEST,
                f"topic {quoted(topic.name)} is given replicas partition by partition and counts besides "
                f"({topic.partitions} partitions, replication factor {topic.replication_factor}): "
                "with assignments, both counts must be -1",
            )
        chosen: dict[int, Replicas] = {}
        replication_factor = len(topic.assignments[0][1])
        for partition, replicas in topic.assignments:
            if partition in chosen:
                return Refused(
                    ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"partition {partition} is assigned twice"
                )
            wrong = self._check_replicas(partition, replicas, replication_factor)
            if wrong is not None:
                return wrong
            chosen[partition] = replicas
        missing = [number for number in range(len(chosen)) if number not in chosen]
        if missing:
            return Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"{len(chosen)} partitions are assigned, but not partition {missing[0]}: their "
                "numbers must be 0, 1, 2 and so on",
            )
        return [chosen[number] for number in range(len(chosen))]

    def _check_replicas(self, partition: int, replicas: Replicas, expected: int) -> Refused | None:
        text = ""
        if not replicas:
            text = "has no replicas; name at least one broker"
        elif len(set(replicas)) != len(replicas):
            text = f"has a broker twice in {list(replicas)}"
        elif len(replicas) != expected or len(replicas) > _REPLICATION_FACTOR_MAX:
            text = f"has {len(replicas)} replica(s); the topic's other partitions have {expected}"
        else:
            strangers = [one for one in replicas if one not in self._image.brokers]
            if strangers:
                known = sorted(self._image.brokers)
                text = (
                    f"is assigned to broker {strangers[0]}, which is not registered; known: {known}"
                )
            elif not any(one in self._brokers for one in replicas):
                text = f"is assigned to {list(replicas)}, none of which is alive"
        if not text:
            return None
        return Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"partition {partition} {text}")

    # --- what is written --------------------------------------------------------------------------

    def _write(self, topic: NewTopic, placed: Sequence[Replicas]) -> Created:
        topic_id = self._entropy.uuid()
        configs = {name: value for name, value in topic.configs.items() if value is not None}
        self.records.append(TopicRecord(name=topic.name, topic_id=topic_id))
        self.records += [
            ConfigRecord(
                resource_type=TOPIC_RESOURCE, resource_name=topic.name, name=name, value=value
            )
            for name, value in configs.items()
        ]
        self.records += self._partitions(topic_id, placed, 0)
        self._names[alike(topic.name)] = topic.name
        self._room -= 1 + len(configs) + len(placed)
        self._held += len(placed)
        return Created(
            name=topic.name,
            topic_id=topic_id,
            partitions=len(placed),
            replication_factor=len(placed[0]),
            configs=configs,
        )

    def _partitions(
        self, topic_id: Uuid, placed: Iterable[Replicas], first: int
    ) -> list[MetadataRecord]:
        with_directories = self._image.metadata_version >= DIRECTORIES_SINCE
        records: list[MetadataRecord] = []
        for number, replicas in enumerate(placed, first):
            isr = tuple(one for one in replicas if one in self._brokers)
            partition = PartitionImage(
                replicas=replicas,
                isr=isr,
                leader=isr[0],
                leader_epoch=0,
                partition_epoch=0,
                directories=tuple(map(self._directory, replicas)),
            )
            records.append(partition_record(topic_id, number, partition, with_directories))
        return records

    def _directory(self, broker_id: int) -> Uuid:
        """Of several directories the one with the fewest partitions, as every Kafka broker chooses.

        A broker that is not alive chooses when it comes.
        """
        log_dirs = self._image.brokers[broker_id].log_dirs
        if not log_dirs:
            return MIGRATING_DIRECTORY
        if len(log_dirs) == 1:
            return log_dirs[0]
        if broker_id not in self._brokers:
            return UNASSIGNED_DIRECTORY
        counts = self._in_dirs.get(broker_id)
        if counts is None:
            counts = self._in_dirs[broker_id] = _partitions_in(self._image, broker_id, log_dirs)
        chosen = min(log_dirs, key=counts.__getitem__)
        counts[chosen] += 1
        return chosen


def _partitions_in(image: Image, broker_id: int, log_dirs: Sequence[Uuid]) -> dict[Uuid, int]:
    counts = dict.fromkeys(log_dirs, 0)
    for topic in image.topics.values():
        for partition in topic.partitions:
            directory = partition.directory_of(broker_id)
            if directory in counts:
                counts[directory] += 1
    return counts


def decide_delete(image: Image, topic_ids: Sequence[Uuid]) -> tuple[MetadataRecord, ...]:
    """The records that remove these topics, which must be there. Their settings go with them."""
    assert all(topic_id in image.topic_ids for topic_id in topic_ids)
    return tuple(RemoveTopicRecord(topic_id=topic_id) for topic_id in topic_ids)


def _unknown(name: str) -> Refused:
    return Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {quoted(name)}")
