"""DescribeConfigs: every setting of a topic, this broker, a group, client metrics, with where it comes from.

Each resource is answered for itself. What a request changed comes from the metadata log, the rest
from what the operator gave and from the defaults.

Source: KIP-133, KIP-226 (synonyms), KIP-412 (loggers), KIP-569 (types, documentation). Elsewhere:
the settings and their sources, see `settings/describe.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from ottla.broker import loggers
from ottla.core.controller.topic_name import name_problem
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import BROKER_RESOURCE, TOPIC_RESOURCE, Current
from ottla.errors import ErrorCode
from ottla.settings.definition import Source
from ottla.settings.describe import (
    BrokerLayers,
    Described,
    describe_all_brokers,
    describe_broker,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from ottla.wire.server import Call

API_KEY: Final = 32
VERSIONS: Final = (0, 4)
GAPS: Final[tuple[str, ...]] = ("The loggers' names are Ottla's, not Apache Kafka's",)

_LOGGER_RESOURCE: Final = 8
_CLIENT_METRICS_RESOURCE: Final = 16
_GROUP_RESOURCE: Final = 32

_LOGGER_SOURCE: Final = 6
_TELLS_SOURCE_SINCE: Final = 1


@final
class _Refusal(Exception):
    """A resource that cannot be described."""

    def __init__(self, error: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HandleDescribeConfigs:
    current: Current
    node_id: int
    layers: BrokerLayers

    def __call__(self, now_ms: int, call: Call, request: DescribeConfigsRequest) -> list[Effect]:
        results = []
        for resource in request.resources:
            result = DescribeConfigsResult(
                error_message=None,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            try:
                result.configs = self._configs(call.version, request, resource)
            except _Refusal as refusal:
                result.error_code = refusal.error
                result.error_message = refusal.message
            results.append(result)
        return [Reply(call, DescribeConfigsResponse(results=results))]

    def _configs(
        self, version: int, request: DescribeConfigsRequest, resource: DescribeConfigsResource
    ) -> list[DescribeConfigsResourceResult]:
        kind, name = resource.resource_type, resource.resource_name
        if kind == _LOGGER_RESOURCE:
            return _wanted(self._loggers(name), resource.configuration_keys)
        if kind == _CLIENT_METRICS_RESOURCE:
            described = self._client_metrics(name)
        elif kind == TOPIC_RESOURCE:
            described = self._topic(name)
        elif kind == BROKER_RESOURCE:
            described = self._broker(name)
        elif kind == _GROUP_RESOURCE:
            described = self._group(name)
        else:
            raise _Refusal(
                ErrorCode.INVALID_REQUEST,
                f"resource type {kind}; known are {TOPIC_RESOURCE} (topic), {BROKER_RESOURCE} "
                f"(broker), {_LOGGER_RESOURCE} (broker logger), {_CLIENT_METRICS_RESOURCE} (client "
                f"metrics) and {_GROUP_RESOURCE} (group)",
            )
        rows = [_row(version, request, one) for one in described]
        return _wanted(rows, resource.configuration_keys)

    def _layers(self) -> BrokerLayers:
        """The operator's settings below what requests changed since."""
        configs = self.current.image.configs
        return BrokerLayers(
            static=self.layers.static,
            dynamic=configs.get((BROKER_RESOURCE, str(self.node_id)), {}),
            dynamic_default=configs.get((BROKER_RESOURCE, ""), {}),
        )

    def _topic(self, name: str) -> list[Described]:
        problem = name_problem(name)
        if problem is not None:
            raise _Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        if name not in self.current.image.topics:
            raise _Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name!r}")
        overrides = self.current.image.configs.get((TOPIC_RESOURCE, name), {})
        return describe_topic(overrides, self._layers())

    def _broker(self, name: str) -> list[Described]:
        layers = self._layers()
        if not name:
            return describe_all_brokers(layers.dynamic_default)
        self._check_own_id(name)
        return describe_broker(layers)

    def _group(self, name: str) -> list[Described]:
        if not name:
            raise _Refusal(ErrorCode.INVALID_REQUEST, "a group's name is empty")
        overrides = self.current.image.configs.get((_GROUP_RESOURCE, name), {})
        return describe_group(overrides, self._layers())

    def _loggers(self, name: str) -> list[DescribeConfigsResourceResult]:
        self._check_own_id(name)
        return [
            DescribeConfigsResourceResult(name=logger, value=level, config_source=_LOGGER_SOURCE)
            for logger, level in loggers.levels().items()
        ]

    def _client_metrics(self, name: str) -> list[Described]:
        if not name:
            raise _Refusal(ErrorCode.INVALID_REQUEST, "a client metrics subscription has no name")
        return describe_client_metrics(
            self.current.image.configs.get((_CLIENT_METRICS_RESOURCE, name), {})
        )

    def _check_own_id(self, name: str) -> None:
        if name != str(self.node_id):
            raise _Refusal(
                ErrorCode.INVALID_REQUEST,
                f"broker {name!r} is asked for, and this is broker {self.node_id}: a broker tells "
                "only of itself",
            )


def _wanted(
    rows: list[DescribeConfigsResourceResult], keys: Sequence[str] | None
) -> list[DescribeConfigsResourceResult]:
    """No keys, or none named: all."""
    return [row for row in rows if row.name in keys] if keys else rows


def _row(
    version: int, request: DescribeConfigsRequest, one: Described
) -> DescribeConfigsResourceResult:
    row = DescribeConfigsResourceResult(
        name=one.name,
        value=None if one.sensitive else one.value,
        read_only=one.read_only,
        config_source=one.source,
        is_sensitive=one.sensitive,
        config_type=one.type,
        documentation=one.documentation if request.include_documentation else None,
    )
    if version < _TELLS_SOURCE_SINCE:
        row.is_default = one.source is Source.DEFAULT
    elif request.include_synonyms:
        row.synonyms = [DescribeConfigsSynonym(*synonym) for synonym in one.synonyms]
    return row
