"""Metadata: which brokers there are, which topics, and who leads each partition.

A topic that is not there and may be created is created: the call waits until the topic is committed
and its partitions can be used, and is answered then with what it asked for. Apache Kafka answers
LEADER_NOT_AVAILABLE first and lets the client ask again; clients take either.

Source: KIP-204 (who may auto-create), KIP-430 (authorized operations), KIP-516 (topic ids). Elsewhere:
addresses, see `core/metadata/reach.py`; how a topic is made, see `core/controller/topics.py`.
"""

from collections.abc import Mapping
from typing import Final, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.internal_topics import auto_created
from ottla.core.controller.topic_name import name_problem
from ottla.core.controller.topics import Refused, TopicDefaults, TopicMaker
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current, Image, PartitionImage, TopicImage
from ottla.core.metadata.reach import (
    CLUSTER_OPERATIONS,
    NOT_ASKED,
    TOPIC_OPERATIONS,
    Reach,
    offline_replicas,
)
from ottla.core.port import Entropy
from ottla.core.quota.quotas import Quotas
from ottla.errors import ErrorCode
from ottla.settings.broker import BrokerSettings
from ottla.types import NO_LEADER, ZERO_UUID, Uuid
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.server import Call

API_KEY: Final = 3
VERSIONS: Final = (0, 13)
GAPS: Final[tuple[str, ...]] = ()

_EMPTY_IS_ALL_UNTIL: Final = 0
_HIDES_DEAD_REPLICAS_UNTIL: Final = 0
_LISTENER_NOT_FOUND_SINCE: Final = 6
_CLUSTER_OPERATIONS_IN: Final = (8, 10)
_TOPIC_OPERATIONS_SINCE: Final = 8
_TOPIC_IDS_SINCE: Final = 12  # on the wire since 10, but without a meaning there
_WHOLE_ERROR_SINCE: Final = 13


@final
class HandleMetadata:
    __slots__ = ("cluster_id", "controller", "current", "entropy", "quotas", "reach", "settings")

    def __init__(
        self,
        *,
        current: Current,
        controller: Controller,
        cluster_id: str,
        reach: Reach,
        settings: BrokerSettings,
        entropy: Entropy,
        quotas: Quotas,
    ) -> None:
        self.current = current
        self.controller = controller
        self.cluster_id = cluster_id
        self.reach = reach
        self.settings = settings
        self.entropy = entropy
        self.quotas = quotas

    def __call__(self, now_ms: int, call: Call, request: MetadataRequest) -> list[Effect]:
        if not _is_well_formed(call.version, request):
            return [Reply(call, _malformed(call.version, request))]
        missing = self._missing(call.version, request)
        if not missing or not request.allow_auto_topic_creation:
            return [Reply(call, self.response(self.current.image, call, request, {}))]
        if not self.settings.topics.auto_create:
            return [Reply(call, self.response(self.current.image, call, request, {}))]
        latest = self.controller.latest
        defaults = TopicDefaults(
            partitions=self.settings.topics.partitions,
            replication_factor=self.settings.topics.replication_factor,
        )
        quota = self.quotas.mutations(now_ms, call, strict=False)
        maker = TopicMaker(latest, defaults, self.entropy, quota)
        errors: dict[str, ErrorCode] = {}
        for name in missing:
            if name in latest.topics:
                continue  # on its way already: this call waits for it too
            made = maker.make(auto_created(name, self.settings))
            if isinstance(made, Refused):
                errors[name] = made.error
        answer = _Answer(self, call, request, errors, quota.throttle_ms)
        return self.controller.submit(now_ms, tuple(maker.records), answer)

    def _missing(self, version: int, request: MetadataRequest) -> list[str]:
        """The names asked for that are no topics yet, each once."""
        if request.topics is None or _by_id(request):
            return []
        names = dict.fromkeys(topic.name for topic in request.topics if topic.name is not None)
        return [name for name in names if name not in self.current.image.topics]

    def response(
        self,
        image: Image,
        call: Call,
        request: MetadataRequest,
        errors: Mapping[str, ErrorCode],
    ) -> MetadataResponse:
        """What `image` says, as a client of this connection is told. `errors`: of topics that could
        not be created."""
        version = call.version
        operations = NOT_ASKED
        if version >= _TOPIC_OPERATIONS_SINCE and request.include_topic_authorized_operations:
            operations = TOPIC_OPERATIONS
        cluster_operations = NOT_ASKED
        low, high = _CLUSTER_OPERATIONS_IN
        if low <= version <= high and request.include_cluster_authorized_operations:
            cluster_operations = CLUSTER_OPERATIONS
        nodes = self.reach.nodes(image, call.origin)
        return MetadataResponse(
            brokers=[
                MetadataResponseBroker(node.broker_id, node.host, node.port, node.rack)
                for node in nodes
            ],
            cluster_id=self.cluster_id,
            controller_id=nodes[0].broker_id if nodes else -1,
            topics=[
                _topic(topic, image, call, operations)
                if isinstance(topic, TopicImage)
                else _no_topic(topic, errors, operations)
                for topic in _asked(image, version, request)
            ],
            cluster_authorized_operations=cluster_operations,
        )


@final
class _Answer:
    """A Metadata call that waits for topics it caused to be created."""

    __slots__ = ("_call", "_errors", "_handle", "_request", "_throttle_ms")

    def __init__(
        self,
        handle: HandleMetadata,
        call: Call,
        request: MetadataRequest,
        errors: dict[str, ErrorCode],
        throttle_ms: int,
    ) -> None:
        self._handle = handle
        self._call = call
        self._request = request
        self._errors = errors
        self._throttle_ms = throttle_ms

    def committed(self, image: Image) -> list[Effect]:
        response = self._handle.response(image, self._call, self._request, self._errors)
        response.throttle_time_ms = self._throttle_ms
        return [Reply(self._call, response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        image = self._handle.current.image
        topics = self._request.topics or ()
        errors = {topic.name: error for topic in topics if topic.name is not None}
        response = self._handle.response(image, self._call, self._request, errors | self._errors)
        return [Reply(self._call, response)]


def _by_id(request: MetadataRequest) -> bool:
    """Where one topic is asked for by its id, all are, as in Apache Kafka."""
    return any(topic.topic_id != ZERO_UUID for topic in request.topics or ())


def _is_well_formed(version: int, request: MetadataRequest) -> bool:
    if version >= _TOPIC_IDS_SINCE or request.topics is None:
        return True
    return not any(topic.name is None or topic.topic_id != ZERO_UUID for topic in request.topics)


def _malformed(version: int, request: MetadataRequest) -> MetadataResponse:
    return MetadataResponse(
        topics=[
            MetadataResponseTopic(
                error_code=ErrorCode.INVALID_REQUEST,
                name=topic.name or "",
                topic_id=topic.topic_id,
            )
            for topic in request.topics or ()
        ],
        error_code=ErrorCode.INVALID_REQUEST if version >= _WHOLE_ERROR_SINCE else ErrorCode.NONE,
    )


def _asked(image: Image, version: int, request: MetadataRequest) -> list[TopicImage | str | Uuid]:
    """The topics to tell of; a name or an id where there is no such topic."""
    if request.topics is None or (not request.topics and version <= _EMPTY_IS_ALL_UNTIL):
        return list(image.topics.values())
    asked: list[TopicImage | str | Uuid] = []
    if _by_id(request):
        ids = dict.fromkeys(topic.topic_id for topic in request.topics)
        ids.pop(ZERO_UUID, None)
        asked += [image.topic_ids.get(topic_id, topic_id) for topic_id in ids]
    else:
        names = dict.fromkeys(topic.name for topic in request.topics if topic.name is not None)
        asked += [image.topics.get(name, name) for name in names]
    return asked


def _topic(topic: TopicImage, image: Image, call: Call, operations: int) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[
            _partition(number, partition, image, call)
            for number, partition in enumerate(topic.partitions)
        ],
        topic_authorized_operations=operations,
    )


def _no_topic(
    asked: str | Uuid, errors: Mapping[str, ErrorCode], operations: int
) -> MetadataResponseTopic:
    if isinstance(asked, bytes):
        return MetadataResponseTopic(
            error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=asked
        )
    error = errors.get(asked)
    if error is None:
        error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if name_problem(asked) is not None:
            error = ErrorCode.INVALID_TOPIC_EXCEPTION
    return MetadataResponseTopic(
        error_code=error, name=asked, topic_authorized_operations=operations
    )


def _partition(
    number: int, partition: PartitionImage, image: Image, call: Call
) -> MetadataResponsePartition:
    listener = call.origin.listener
    offline = offline_replicas(image, partition, listener)
    replicas, isr = partition.replicas, partition.isr
    if call.version <= _HIDES_DEAD_REPLICAS_UNTIL and offline:
        replicas = tuple(one for one in replicas if one not in offline)
        isr = tuple(one for one in isr if one not in offline)
    leader = partition.leader
    error = ErrorCode.NONE
    broker = image.brokers.get(leader)
    if broker is None:
        leader, error = NO_LEADER, ErrorCode.LEADER_NOT_AVAILABLE
    elif broker.endpoint(listener) is None:
        leader, error = NO_LEADER, ErrorCode.LEADER_NOT_AVAILABLE
        if call.version >= _LISTENER_NOT_FOUND_SINCE:
            error = ErrorCode.LISTENER_NOT_FOUND
    elif len(replicas) < len(partition.replicas) or len(isr) < len(partition.isr):
        error = ErrorCode.REPLICA_NOT_AVAILABLE
    return MetadataResponsePartition(
        error_code=error,
        partition_index=number,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=offline,
    )
