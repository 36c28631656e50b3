"""CreateTopics: one row per topic, in the order asked, whatever becomes of the others.

The answer leaves when the topics are committed and their partitions can be used.

Source: KIP-4, KIP-464 (defaults), KIP-525 (the answer tells the configuration), KIP-516 (ids),
KIP-599 (quotas).
Elsewhere: what is refused and why, see `core/controller/topics.py`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import Created, NewTopic, Refused, TopicDefaults, TopicMaker
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.core.port import Entropy
from ottla.core.quota.quotas import Quotas
from ottla.errors import ErrorCode
from ottla.limits import CONFIG_ROWS_PER_ANSWER_MAX, bounded, quoted
from ottla.settings.describe import BrokerLayers, describe_topic
from ottla.settings.in_force import InForce
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 19
VERSIONS: Final = (0, 7)
GAPS: Final[tuple[str, ...]] = (
    "TimeoutMs is not looked at: on one node, a topic is created when the answer can be given at all",
)

_TELLS_CONFIGS_SINCE: Final = 5

_KNOWS_QUOTAS_SINCE: Final = 6


@final
class HandleCreateTopics:
    __slots__ = ("controller", "defaults", "entropy", "in_force", "quotas")

    def __init__(
        self,
        *,
        controller: Controller,
        defaults: TopicDefaults,
        in_force: InForce,
        entropy: Entropy,
        quotas: Quotas,
    ) -> None:
        self.controller = controller
        self.defaults = defaults
        self.in_force = in_force
        self.entropy = entropy
        self.quotas = quotas

    def __call__(self, now_ms: int, call: Call, request: CreateTopicsRequest) -> list[Effect]:
        strict = call.version >= _KNOWS_QUOTAS_SINCE
        quota = self.quotas.mutations(now_ms, call, strict=strict)
        maker = TopicMaker(self.controller.latest, self.defaults, self.entropy, quota)
        times = Counter(topic.name for topic in request.topics)
        rows: dict[str, CreatableTopicResult] = {}
        described = _Described(self.in_force.layers)
        for topic in request.topics:
            if times[topic.name] > 1:
                refusal = Refused(
                    ErrorCode.INVALID_REQUEST,
                    f"topic {quoted(topic.name)} stands {times[topic.name]} times in this request",
                )
                rows[topic.name] = _refused_row(topic.name, refusal.error, refusal.message)
                continue
            made = maker.make(_asked(topic))
            if isinstance(made, Refused):
                rows[topic.name] = _refused_row(topic.name, made.error, made.message)
            else:
                rows[topic.name] = _created_row(made, call.version, described)
        response = CreateTopicsResponse(topics=list(rows.values()))
        response.throttle_time_ms = quota.throttle_ms
        records = () if request.validate_only else tuple(maker.records)
        return self.controller.submit(now_ms, records, _Answer(call, response))


@final
class _Described:
    """The settings that one answer tells of new topics: those with equal overrides share them."""

    __slots__ = ("_layers", "_made", "_rows_left")

    def __init__(self, layers: BrokerLayers) -> None:
        self._layers = layers
        self._made: dict[frozenset[tuple[str, str]], list[CreatableTopicConfigs]] = {}
        self._rows_left = CONFIG_ROWS_PER_ANSWER_MAX

    def of(self, overrides: Mapping[str, str]) -> list[CreatableTopicConfigs] | None:
        """None: the answer is full."""
        if self._rows_left <= 0:
            return None
        key = frozenset(overrides.items())
        rows = self._made.get(key)
        if rows is None:
            rows = [
                CreatableTopicConfigs(
                    name=one.name,
                    value=one.value,
                    read_only=one.read_only,
                    config_source=one.source,
                    is_sensitive=one.sensitive,
                )
                for one in describe_topic(overrides, self._layers)
            ]
            self._made[key] = rows
        self._rows_left -= len(rows)
        return rows


def _created_row(made: Created, version: int, described: _Described) -> CreatableTopicResult:
    row = CreatableTopicResult(name=made.name, topic_id=made.topic_id, error_message=None)
    if version >= _TELLS_CONFIGS_SINCE:
        row.num_partitions = made.partitions
        row.replication_factor = made.replication_factor
        row.configs = described.of(made.configs)
        if row.configs is None:
            # The topic is made all the same; clients then ask DescribeConfigs.
            row.topic_config_error_code = ErrorCode.POLICY_VIOLATION
    return row


@final
class _Answer:
    __slots__ = ("_call", "_response")

    def __init__(self, call: Call, response: CreateTopicsResponse) -> None:
        self._call = call
        self._response = response

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        rows = [
            row if row.error_code else _refused_row(row.name, error, message)
            for row in self._response.topics
        ]
        throttle_ms = self._response.throttle_time_ms
        return [Reply(self._call, CreateTopicsResponse(throttle_ms, rows))]


def _asked(topic: CreatableTopic) -> NewTopic:
    return NewTopic(
        name=topic.name,
        partitions=topic.num_partitions,
        replication_factor=topic.replication_factor,
        assignments=tuple(
            (one.partition_index, tuple(one.broker_ids)) for one in topic.assignments
        ),
        configs={config.name: config.value for config in topic.configs},
    )


def _refused_row(name: str, error: ErrorCode, message: str) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=error, error_message=bounded(message))
