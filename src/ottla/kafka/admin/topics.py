"""Topics: created, listed, described, waited for, deleted."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ottla.errors import ErrorCode
from ottla.kafka.admin.answer import Answer, answer
from ottla.kafka.admin.asking import Asking, operations, raise_if
from ottla.kafka.errors import (
    IncompatibleBrokerVersion,
    KafkaTimeoutError,
    UnknownTopicOrPartitionError,
)
from ottla.wire.message.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse

_SOURCES = {
    -1: "UNKNOWN",
    0: "UNKNOWN",
    1: "DYNAMIC_TOPIC_CONFIG",
    2: "DYNAMIC_BROKER_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
    6: "DYNAMIC_BROKER_LOGGER_CONFIG",
    7: "DYNAMIC_CLIENT_METRICS_CONFIG",
    8: "DYNAMIC_GROUP_CONFIG",
}


class NewTopic:
    """A topic to create; -1: as many as the broker's settings say."""

    __slots__ = (
        "name",
        "num_partitions",
        "replica_assignments",
        "replication_factor",
        "topic_configs",
    )

    def __init__(
        self,
        name: str,
        num_partitions: int = -1,
        replication_factor: int = -1,
        replica_assignments: Mapping[int, Sequence[int]] | None = None,
        topic_configs: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self.num_partitions = num_partitions
        self.replication_factor = replication_factor
        self.replica_assignments = replica_assignments or {}
        self.topic_configs = topic_configs or {}

    def __repr__(self) -> str:
        return f"NewTopic({self.name!r}, {self.num_partitions}, {self.replication_factor})"


Wanted: TypeAlias = Iterable[NewTopic | str] | Mapping[str, Mapping[str, object] | None]


class TopicCalls(Asking):
    def list_topics(self) -> list[str]:
        """The names of all topics, internal ones too."""
        found = self._any(MetadataRequest(topics=None), MetadataResponse)
        return [topic.name or "" for topic in found.topics if topic.error_code == ErrorCode.NONE]

    def describe_topics(self, topics: Iterable[str] | None = None) -> list[Answer]:
        """Each topic with its partitions; one that does not exist has an error code."""
        asked = None
        if topics is not None:
            names = [topics] if isinstance(topics, str) else list(topics)
            asked = [MetadataRequestTopic(name=name) for name in names]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
        found = self._any(request, MetadataResponse)
        rows = []
        for topic in found.topics:
            row = answer(topic)
            row["authorized_operations"] = operations(topic.topic_authorized_operations)
            rows.append(row)
        return rows

    def create_topics(
        self,
        new_topics: Wanted,
        timeout_ms: int | None = None,
        validate_only: bool = False,
        raise_errors: bool = True,
        wait_for_metadata: bool = False,
    ) -> Answer:
        """`new_topics`: NewTopics, names, or `{name: {"num_partitions": 3, …}}`.

        Raises the first refusal (TopicAlreadyExistsError, …), unless `raise_errors` is off.
        """
        wanted = [_creatable(one) for one in _new_topics(new_topics)]
        request = CreateTopicsRequest(
            topics=wanted, timeout_ms=timeout_ms or self._timeout_ms, validate_only=validate_only
        )
        response = self._controller(request, CreateTopicsResponse)
        if raise_errors:
            for topic in response.topics:
                raise_if(topic.error_code, topic.error_message or f"topic {topic.name!r}")
        if wait_for_metadata and not validate_only:
            self.wait_for_topics([topic.name for topic in wanted])
        return Answer(topics=[_created(topic) for topic in response.topics])

    def wait_for_topics(self, topic_names: Iterable[str], timeout_ms: int = 10_000) -> None:
        """Every one of them is there, with leaders. Raises KafkaTimeoutError."""
        names = [topic_names] if isinstance(topic_names, str) else list(topic_names)
        deadline = time.monotonic() + timeout_ms / 1000
        session = self._open()
        for name in names:
            left_ms = max(1, int((deadline - time.monotonic()) * 1000))
            try:
                session.run(
                    session.client.wait_for_topic(
                        name, create_missing=False, unknown_ms_max=left_ms
                    ),
                    left_ms / 1000,
                )
            except (UnknownTopicOrPartitionError, KafkaTimeoutError) as error:
                raise KafkaTimeoutError(
                    f"topic {name!r} is not there after {timeout_ms:,} ms"
                ) from error

    def delete_topics(
        self,
        topics: Iterable[str],
        timeout_ms: int | None = None,
        raise_errors: bool = True,
    ) -> Answer:
        """Raises the first refusal, unless `raise_errors` is off."""
        names = [topics] if isinstance(topics, str) else list(topics)
        wait_ms = timeout_ms or self._timeout_ms
        request = DeleteTopicsRequest([DeleteTopicState(name=name) for name in names], (), wait_ms)
        try:
            response = self._controller(request, DeleteTopicsResponse)
        except IncompatibleBrokerVersion:  # before Kafka 2.8 topics are plain names
            request = DeleteTopicsRequest((), names, wait_ms)
            response = self._controller(request, DeleteTopicsResponse)
        if raise_errors:
            for topic in response.responses:
                raise_if(topic.error_code, topic.error_message or f"topic {topic.name!r}")
        return Answer(topics=[answer(topic) for topic in response.responses])


def _new_topics(given: Wanted) -> list[NewTopic]:
    if isinstance(given, str):
        return [NewTopic(given)]
    if not isinstance(given, Mapping):
        return [one if isinstance(one, NewTopic) else NewTopic(one) for one in given]
    found = []
    for name, wishes in given.items():
        topic = NewTopic(name)
        for wish, value in (wishes or {}).items():
            slot = _SPELLINGS.get(wish)
            if slot is None:
                raise TypeError(
                    f"topic {name!r}: there is no {wish!r}; there are {', '.join(_SPELLINGS)}"
                )
            setattr(topic, slot, value)
        found.append(topic)
    return found


_SPELLINGS = {
    "num_partitions": "num_partitions",
    "replication_factor": "replication_factor",
    "replica_assignments": "replica_assignments",
    "assignments": "replica_assignments",
    "topic_configs": "topic_configs",
    "configs": "topic_configs",
}


def _creatable(topic: NewTopic) -> CreatableTopic:
    assigned = topic.replica_assignments or {}
    return CreatableTopic(
        name=topic.name,
        num_partitions=-1 if assigned else topic.num_partitions,
        replication_factor=-1 if assigned else topic.replication_factor,
        assignments=[
            CreatableReplicaAssignment(partition, list(brokers))
            for partition, brokers in assigned.items()
        ],
        configs=[
            CreatableTopicConfig(name, config_text(value))
            for name, value in (topic.topic_configs or {}).items()
        ],
    )


def config_text(value: object) -> str | None:
    """A configuration's value as a broker reads it: programs give numbers and booleans too."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _created(topic: CreatableTopicResult) -> Answer:
    row = answer(topic)
    row["configs"] = {
        config.name: Answer(
            value=config.value,
            read_only=config.read_only,
            config_source=_SOURCES.get(config.config_source, "UNKNOWN"),
            is_sensitive=config.is_sensitive,
        )
        for config in topic.configs or ()
    }
    return row
