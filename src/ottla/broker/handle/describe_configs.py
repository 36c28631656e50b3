"""DescribeConfigs: every setting of a topic, this broker, a group, client metrics, with where it comes from.

Each resource is answered for itself, up to a bound of all. What alike resources have in common is
described once: a client that asks for a thousand topics, most of them without overrides, must not
hold up the others. What a request changed comes from the metadata log, the rest
from what the operator gave and from the defaults.

Source: KIP-133, KIP-226 (synonyms), KIP-412 (loggers), KIP-569 (types, documentation). Elsewhere:
the settings and their sources, see `settings/describe.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

from ottla.broker import loggers
from ottla.core.controller.topic_name import name_problem
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import BROKER_RESOURCE, TOPIC_RESOURCE, Current
from ottla.errors import ErrorCode
from ottla.limits import CONFIG_ROWS_PER_ANSWER_MAX, quoted
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
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from ottla.wire.server import Call

API_KEY: Final = 32
VERSIONS: Final = (0, 4)
GAPS: Final[tuple[str, ...]] = ("The loggers' names are Ottla's, not Apache Kafka's",)

_TOO_MANY: Final = (
    f"one answer describes some {CONFIG_ROWS_PER_ANSWER_MAX:,} settings: use several requests"
)

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
class HandleDescribeConfigs:
    __slots__ = ("current", "layers", "node_id")

    def __init__(self, *, current: Current, node_id: int, layers: BrokerLayers) -> None:
        self.current = current
        self.node_id = node_id
        self.layers = layers

    def __call__(self, now_ms: int, call: Call, request: DescribeConfigsRequest) -> list[Effect]:
        results = []
        rows = _Rows(call.version, request)
        rows_left = CONFIG_ROWS_PER_ANSWER_MAX
        described: dict[tuple[int, str], list[DescribeConfigsResourceResult]] = {}
        for resource in request.resources:
            key = (resource.resource_type, resource.resource_name)
            result = DescribeConfigsResult(
                error_message=None,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            try:
                if rows_left <= 0:
                    raise _Refusal(ErrorCode.POLICY_VIOLATION, _TOO_MANY)
                found = described.get(key)
                if found is None:
                    found = described[key] = self._configs(*key, rows)
                rows_left -= len(found)  # what is not told was looked at all the same
                result.configs = _wanted(found, resource.configuration_keys)
            except _Refusal as refusal:
                result.error_code = refusal.error
                result.error_message = refusal.message
            results.append(result)
        return [Reply(call, DescribeConfigsResponse(results=results))]

    def _configs(self, kind: int, name: str, rows: "_Rows") -> list[DescribeConfigsResourceResult]:
        if kind == _LOGGER_RESOURCE:
            return self._loggers(name)
        if kind == _CLIENT_METRICS_RESOURCE:
            return self._client_metrics(name, rows)
        if kind == TOPIC_RESOURCE:
            return self._topic(name, rows)
        if kind == BROKER_RESOURCE:
            return self._broker(name, rows)
        if kind == _GROUP_RESOURCE:
            return self._group(name, rows)
        raise _Refusal(
            ErrorCode.INVALID_REQUEST,
            f"resource type {kind}; known are {TOPIC_RESOURCE} (topic), {BROKER_RESOURCE} "
            f"(broker), {_LOGGER_RESOURCE} (broker logger), {_CLIENT_METRICS_RESOURCE} (client "
            f"metrics) and {_GROUP_RESOURCE} (group)",
        )

    def _layers(self) -> BrokerLayers:
        """The operator's settings below what requests changed since."""
        configs = self.current.image.configs
        return BrokerLayers(
            static=self.layers.static,
            dynamic=configs.get((BROKER_RESOURCE, str(self.node_id)), {}),
            dynamic_default=configs.get((BROKER_RESOURCE, ""), {}),
        )

    def _topic(self, name: str, rows: "_Rows") -> list[DescribeConfigsResourceResult]:
        problem = name_problem(name)
        if problem is not None:
            raise _Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        if name not in self.current.image.topics:
            raise _Refusal(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {quoted(name)}"
            )
        overrides = self.current.image.configs.get((TOPIC_RESOURCE, name), {})
        return rows.alike(
            TOPIC_RESOURCE, overrides, lambda: describe_topic(overrides, self._layers())
        )

    def _broker(self, name: str, rows: "_Rows") -> list[DescribeConfigsResourceResult]:
        layers = self._layers()
        if not name:
            of_all = layers.dynamic_default
            return rows.of(describe_all_brokers(of_all))
        self._check_own_id(name)
        return rows.alike(BROKER_RESOURCE, {}, lambda: describe_broker(layers))

    def _group(self, name: str, rows: "_Rows") -> list[DescribeConfigsResourceResult]:
        if not name:
            raise _Refusal(ErrorCode.INVALID_REQUEST, "a group's name is empty")
        overrides = self.current.image.configs.get((_GROUP_RESOURCE, name), {})
        return rows.alike(
            _GROUP_RESOURCE, overrides, lambda: describe_group(overrides, self._layers())
        )

    def _loggers(self, name: str) -> list[DescribeConfigsResourceResult]:
        self._check_own_id(name)
        return [
            DescribeConfigsResourceResult(name=logger, value=level, config_source=_LOGGER_SOURCE)
            for logger, level in loggers.levels().items()
        ]

    def _client_metrics(self, name: str, rows: "_Rows") -> list[DescribeConfigsResourceResult]:
        if not name:
            raise _Refusal(ErrorCode.INVALID_REQUEST, "a client metrics subscription has no name")
        overrides = self.current.image.configs.get((_CLIENT_METRICS_RESOURCE, name), {})
        return rows.of(describe_client_metrics(overrides))

    def _check_own_id(self, name: str) -> None:
        if name != str(self.node_id):
            raise _Refusal(
                ErrorCode.INVALID_REQUEST,
                f"broker {quoted(name)} is asked for, and this is broker {self.node_id}: a broker tells "
                "only of itself",
            )


def _wanted(
    rows: list[DescribeConfigsResourceResult], keys: Sequence[str] | None
) -> list[DescribeConfigsResourceResult]:
    """No keys, or none named: all."""
    if not keys:
        return rows
    named = frozenset(keys)
    return [row for row in rows if row.name in named]


@final
class _Rows:
    """The rows of one answer. Resources of one kind with equal overrides share them."""

    __slots__ = ("_made", "_request", "_version")

    def __init__(self, version: int, request: DescribeConfigsRequest) -> None:
        self._version = version
        self._request = request
        self._made: dict[
            tuple[int, frozenset[tuple[str, str]]], list[DescribeConfigsResourceResult]
        ] = {}

    def alike(
        self, kind: int, overrides: Mapping[str, str], describe: Callable[[], list[Described]]
    ) -> list[DescribeConfigsResourceResult]:
        key = (kind, frozenset(overrides.items()))
        rows = self._made.get(key)
        if rows is None:
            rows = self._made[key] = self.of(describe())
        return rows

    def of(self, described: Sequence[Described]) -> list[DescribeConfigsResourceResult]:
        return [_row(self._version, self._request, one) for one in described]


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
