"""Configurations of topics, brokers, groups: described, changed, reset."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from ottla.kafka.admin.answer import Answer
from ottla.kafka.admin.asking import Asking, raise_if
from ottla.kafka.admin.topics import config_text
from ottla.kafka.translation import coded
from ottla.wire.api import INCREMENTAL_ALTER_CONFIGS, LIST_CONFIG_RESOURCES
from ottla.wire.message import alter_configs as whole
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.message.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ottla.wire.shape import Message

Values: TypeAlias = Mapping[str, object] | Sequence[str] | None


class ConfigResourceType(IntEnum):
    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigType(IntEnum):
    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class ConfigSourceType(IntEnum):
    """Where a value comes from."""

    UNKNOWN = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6
    DYNAMIC_CLIENT_METRICS_CONFIG = 7
    DYNAMIC_GROUP_CONFIG = 8

    def is_modified(self) -> bool:
        """Did somebody set it, anywhere?"""
        return self not in (ConfigSourceType.UNKNOWN, ConfigSourceType.DEFAULT_CONFIG)

    @property
    def is_dynamic(self) -> bool:
        return self.name.startswith("DYNAMIC")


class ConfigFilterType(IntEnum):
    """Which configurations are of interest."""

    ALL = 0
    DYNAMIC = 1
    MODIFIED = 2
    DEFAULT = 3
    STATIC = 4

    def should_skip(self, source: ConfigSourceType) -> bool:
        match self:
            case ConfigFilterType.ALL:
                return False
            case ConfigFilterType.DYNAMIC:
                return not source.is_dynamic
            case ConfigFilterType.MODIFIED:
                return not source.is_modified()
            case ConfigFilterType.DEFAULT:
                return source is not ConfigSourceType.DEFAULT_CONFIG
            case ConfigFilterType.STATIC:
                return source is not ConfigSourceType.STATIC_BROKER_CONFIG


class AlterConfigOp(IntEnum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConfigResource:
    """A topic, a broker, a group, … `configs`: names to ask for, or `{name: value}` to change, where a
    value may be `(AlterConfigOp, value)`."""

    __slots__ = ("configs", "name", "resource_type")

    def __init__(
        self, resource_type: ConfigResourceType | int | str, name: object, configs: Values = None
    ) -> None:
        self.resource_type = (
            ConfigResourceType[resource_type.upper()]
            if isinstance(resource_type, str)
            else ConfigResourceType(resource_type)
        )
        self.name = str(name)
        self.configs = configs

    def __repr__(self) -> str:
        return f"ConfigResource({self.resource_type.name}, {self.name!r}, {self.configs})"

    @property
    def kind(self) -> str:
        """As answers call it."""
        return self.resource_type.name.lower()

    @property
    def broker_id(self) -> int | None:
        """The only broker that can answer; None: any can."""
        own = (ConfigResourceType.BROKER, ConfigResourceType.BROKER_LOGGER)
        return int(self.name) if self.resource_type in own and self.name else None


class ConfigCalls(Asking):
    def describe_configs(
        self,
        config_resources: Iterable[ConfigResource],
        include_synonyms: bool = False,
        config_filter: ConfigFilterType | int | str = "modified",
    ) -> Answer:
        """`{kind: {name: {configuration: {value, config_source, …}}}}`. A resource that a broker
        refuses to describe has its error instead of configurations."""
        wanted = _filter(config_filter)
        found = Answer()
        for broker_id, resources in _by_broker(config_resources).items():
            asked = [
                DescribeConfigsResource(
                    one.resource_type, one.name, None if not one.configs else list(one.configs)
                )
                for one in resources
            ]
            request = DescribeConfigsRequest(asked, include_synonyms)
            if broker_id is None:
                response = self._any(request, DescribeConfigsResponse)
            else:
                response = self._broker(broker_id, request, DescribeConfigsResponse)
            for row in response.results:
                kind = ConfigResourceType(row.resource_type).name.lower()
                rows = found.setdefault(kind, Answer())
                assert isinstance(rows, Answer)
                rows[row.resource_name] = _described(row, wanted)
        return found

    def alter_configs(
        self,
        config_resources: Iterable[ConfigResource],
        validate_only: bool = False,
        raise_on_unknown: bool = True,
        incremental: bool | None = None,
    ) -> Answer:
        """`{kind: {name: "OK" or the refusal}}`. Only what is named changes, unless `incremental` is
        off: then everything else goes back to its default. Raises ValueError for unknown names."""
        resources = list(config_resources)
        if raise_on_unknown:
            self._refuse_unknown(resources)
        if incremental is None:
            incremental = self._speaks(INCREMENTAL_ALTER_CONFIGS)
        return self._alter(resources, validate_only, incremental)

    def reset_configs(
        self,
        config_resources: Iterable[ConfigResource],
        validate_only: bool = False,
        raise_on_unknown: bool = True,
        incremental: bool | None = None,
    ) -> Answer:
        """The configurations that are named have their defaults again."""
        resources = [
            ConfigResource(
                one.resource_type,
                one.name,
                dict.fromkeys(one.configs or (), (AlterConfigOp.DELETE, None)),
            )
            for one in config_resources
        ]
        return self.alter_configs(resources, validate_only, raise_on_unknown, incremental)

    def list_config_resources(
        self, resource_types: Iterable[ConfigResourceType | int | str] | None = None
    ) -> dict[str, list[str]]:
        """The names of what may have configurations, by kind; None: of every kind."""
        kinds = [
            ConfigResourceType[one.upper()] if isinstance(one, str) else ConfigResourceType(one)
            for one in resource_types or ()
        ]
        assert LIST_CONFIG_RESOURCES == ListConfigResourcesRequest.API_KEY
        request = ListConfigResourcesRequest([int(kind) for kind in kinds])
        response = self._any(request, ListConfigResourcesResponse)
        raise_if(response.error_code)
        found: dict[str, list[str]] = {}
        for one in response.config_resources:
            kind = ConfigResourceType(one.resource_type).name.lower()
            found.setdefault(kind, []).append(one.resource_name)
        return {kind: sorted(names) for kind, names in sorted(found.items())}

    def _refuse_unknown(self, resources: Sequence[ConfigResource]) -> None:
        bare = [ConfigResource(one.resource_type, one.name) for one in resources]
        known = self.describe_configs(bare, config_filter=ConfigFilterType.ALL)
        for one in resources:
            rows = known[one.kind]
            assert isinstance(rows, Answer)
            names = rows[one.name]
            if not isinstance(names, Answer):
                continue  # what the broker will not describe, it will not change either
            unknown = sorted(set(one.configs or ()) - set(names))
            if unknown:
                raise ValueError(f"{one.kind} {one.name!r} has no configuration {unknown}")

    def _alter(
        self, resources: Sequence[ConfigResource], validate_only: bool, incremental: bool
    ) -> Answer:
        found = Answer()
        for broker_id, some in _by_broker(resources).items():
            request: Message = (
                _changes(some, validate_only) if incremental else _whole(some, validate_only)
            )
            kind: type[IncrementalAlterConfigsResponse | whole.AlterConfigsResponse] = (
                IncrementalAlterConfigsResponse if incremental else whole.AlterConfigsResponse
            )
            if broker_id is None:
                response = self._controller(request, kind)
            else:
                response = self._broker(broker_id, request, kind)
            for row in response.responses:
                rows = found.setdefault(
                    ConfigResourceType(row.resource_type).name.lower(), Answer()
                )
                assert isinstance(rows, Answer)
                rows[row.resource_name] = (
                    str(coded(row.error_code, row.error_message)) if row.error_code else "OK"
                )
        return found


def _filter(given: ConfigFilterType | int | str) -> ConfigFilterType:
    return ConfigFilterType[given.upper()] if isinstance(given, str) else ConfigFilterType(given)


def _by_broker(resources: Iterable[ConfigResource]) -> dict[int | None, list[ConfigResource]]:
    found: dict[int | None, list[ConfigResource]] = {}
    for one in resources:
        found.setdefault(one.broker_id, []).append(one)
    return found


def _described(row: DescribeConfigsResult, wanted: ConfigFilterType) -> object:
    if row.error_code:
        return str(coded(row.error_code, row.error_message))
    return Answer(
        {one.name: _config(one) for one in row.configs if not wanted.should_skip(_source(one))}
    )


def _source(one: DescribeConfigsResourceResult) -> ConfigSourceType:
    if one.config_source >= 0:
        return ConfigSourceType(one.config_source)
    return ConfigSourceType.DEFAULT_CONFIG if one.is_default else ConfigSourceType.UNKNOWN


def _config(one: DescribeConfigsResourceResult) -> Answer:
    return Answer(
        value=one.value,
        read_only=one.read_only,
        config_source=_source(one).name,
        is_sensitive=one.is_sensitive,
        synonyms=[
            Answer(name=also.name, value=also.value, source=ConfigSourceType(also.source).name)
            for also in one.synonyms
        ],
        config_type=ConfigType(one.config_type).name,
        documentation=one.documentation or None,
    )


def _pairs(resource: ConfigResource) -> list[tuple[str, AlterConfigOp, str | None]]:
    if not isinstance(resource.configs, Mapping):
        raise TypeError(f"{resource}: configs to change are a dict of names and values")
    found = []
    for name, value in resource.configs.items():
        if isinstance(value, tuple) and len(value) == 2:
            operation, text = value
            if isinstance(operation, str):
                operation = AlterConfigOp[operation.upper()]
            found.append((name, AlterConfigOp(operation), config_text(text)))
        else:
            found.append((name, AlterConfigOp.SET, config_text(value)))
    return found


def _changes(
    resources: Iterable[ConfigResource], validate_only: bool
) -> IncrementalAlterConfigsRequest:
    return IncrementalAlterConfigsRequest(
        [
            AlterConfigsResource(
                one.resource_type,
                one.name,
                [AlterableConfig(name, operation, text) for name, operation, text in _pairs(one)],
            )
            for one in resources
        ],
        validate_only,
    )


def _whole(resources: Iterable[ConfigResource], validate_only: bool) -> whole.AlterConfigsRequest:
    """Everything that shall be set; what is left out goes back to its default."""
    return whole.AlterConfigsRequest(
        [
            whole.AlterConfigsResource(
                one.resource_type,
                one.name,
                [
                    whole.AlterableConfig(name, text)
                    for name, operation, text in _pairs(one)
                    if operation is not AlterConfigOp.DELETE
                ],
            )
            for one in resources
        ],
        validate_only,
    )
