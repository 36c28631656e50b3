"""Configurations changed by requests: of topics, of brokers, of groups, of client metrics.

A resource is changed whole or not at all: every operation of it is worked out on what it has now,
the result is checked as a whole, and only then are its records written. One refused resource takes
nothing from the others.

Source: KIP-133, KIP-226, KIP-339. Elsewhere: what a value may be, see `settings/alter.py`; who obeys
what was changed, see `core/replica/table.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.controller.topic_name import name_problem
from ottla.core.controller.topics import Refused
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import ConfigRecord, MetadataRecord
from ottla.errors import ErrorCode
from ottla.limits import (
    CONFIG_BYTES_PER_REQUEST_MAX,
    CONFIG_RECORDS_PER_REQUEST_MAX,
    STRING_BYTES_MAX,
)
from ottla.settings.alter import (
    BROKER,
    CLIENT_METRICS,
    GROUP,
    TOPIC,
    Operation,
    Problem,
    changed_list,
    check_broker,
    check_client_metrics,
    check_group,
    default_of,
    list_setting,
)
from ottla.settings.describe import BrokerLayers
from ottla.settings.in_force import InForce
from ottla.settings.topic import check_topic_overrides

_ELR_FEATURE: Final = "eligible.leader.replicas.version"
_MIN_ISR: Final = "min.insync.replicas"


@final
class Change(NamedTuple):
    """One operation on one key. `value` None: nothing was given, as DELETE wants it."""

    name: str
    operation: int
    value: str | None


@final
class ConfigChanger:
    """Takes the resources of one request one after the other; what they take is in `records`."""

    __slots__ = ("_bytes", "_image", "_in_force", "_node_id", "records")

    def __init__(self, image: Image, in_force: InForce, node_id: int) -> None:
        self._image = image
        self._in_force = in_force
        self._node_id = node_id
        self._bytes = 0
        self.records: list[MetadataRecord] = []

    def alter(self, kind: int, name: str, changes: Sequence[Change]) -> Refused | None:
        """Decide on one resource by operations; None: it is changed."""
        refused = _check_form(changes) or self._check_resource(kind, name)
        if refused is not None:
            return refused
        before = self._image.configs.get((kind, name), {})
        after = dict(before)
        for change in changes:
            wrong = _apply(kind, change, after)
            if wrong is not None:
                return wrong
        refused = self._check_elr(kind, name, {change.name: change for change in changes})
        if refused is not None:
            return refused
        return self._write(kind, name, before, after, [change.name for change in changes])

    def replace(self, kind: int, name: str, changes: Sequence[Change]) -> Refused | None:
        """Decide on one resource as a whole: what is not named goes. None: it is changed."""
        refused = _check_form(changes) or self._check_resource(kind, name)
        if refused is not None:
            return refused
        before = self._image.configs.get((kind, name), {})
        after = {change.name: change.value or "" for change in changes}
        return self._write(kind, name, before, after, list(after))

    def _check_resource(self, kind: int, name: str) -> Refused | None:
        """Whether there may be such a resource at all."""
        text = ""
        if kind == BROKER:
            text = _broker_name_problem(name, self._node_id)
        elif kind == TOPIC:
            if not name:
                text = "Default topic resources are not allowed."
            elif (problem := name_problem(name)) is not None:
                return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        elif kind == GROUP:
            text = "" if name else "Default group resources are not allowed."
        elif kind == CLIENT_METRICS:
            text = "" if name else "Subscription name can't be empty"
        else:
            text = f"Unknown resource type {kind}"
        return Refused(ErrorCode.INVALID_REQUEST, text) if text else None

    def _check_elr(self, kind: int, name: str, changes: Mapping[str, Change]) -> Refused | None:
        """With eligible leader replicas, all partitions must be under one min.insync.replicas."""
        change = changes.get(_MIN_ISR)
        if kind != BROKER or change is None or not self._image.features.get(_ELR_FEATURE):
            return None
        if name:
            text = f"Broker-level {_MIN_ISR} cannot be altered while ELR is enabled."
        elif change.operation == Operation.DELETE:
            text = f"Cluster-level {_MIN_ISR} cannot be removed while ELR is enabled."
        else:
            return None
        return Refused(ErrorCode.INVALID_CONFIG, text)

    def _write(
        self,
        kind: int,
        name: str,
        before: Mapping[str, str],
        after: Mapping[str, str],
        named: Sequence[str],
    ) -> Refused | None:
        problem = self._check_values(kind, name, after)
        if problem is not None:
            if probe.MUTANTS and named and probe.mutant("C12-settings-half-altered"):
                half = ConfigRecord(
                    resource_type=kind,
                    resource_name=name,
                    name=named[0],
                    value=after.get(named[0]),
                )
                self.records.append(half)
            return Refused(problem.error, problem.message)
        if kind == TOPIC and name not in self._image.topics:
            return Refused(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist."
            )
        gone = [key for key in before if key not in after and key not in named]
        records = [
            ConfigRecord(resource_type=kind, resource_name=name, name=key, value=after.get(key))
            for key in (*named, *gone)
            if before.get(key) != after.get(key)
        ]
        if len(self.records) + len(records) > CONFIG_RECORDS_PER_REQUEST_MAX:
            return Refused(
                ErrorCode.POLICY_VIOLATION,
                f"one request may change {CONFIG_RECORDS_PER_REQUEST_MAX:,} settings: use several",
            )
        self._bytes += sum(len(one.name) + len(one.value or "") for one in records)
        if self._bytes > CONFIG_BYTES_PER_REQUEST_MAX:
            return Refused(
                ErrorCode.POLICY_VIOLATION,
                f"one request may change {CONFIG_BYTES_PER_REQUEST_MAX:,} bytes of settings: use "
                "several",
            )
        self.records += records
        return None

    def _check_values(self, kind: int, name: str, after: Mapping[str, str]) -> Problem | None:
        if kind == TOPIC:
            defaults = self._in_force.settings.topic_defaults
            wrong = check_topic_overrides(after, defaults)
            return None if wrong is None else Problem(ErrorCode.INVALID_CONFIG, wrong)
        if kind == GROUP:
            return check_group(after, self._layers())
        if kind == CLIENT_METRICS:
            return check_client_metrics(after)
        return check_broker(after, self._layers(), for_all=not name)

    def _layers(self) -> BrokerLayers:
        """The broker's settings as decisions see them: with what is not yet committed."""
        configs = self._image.configs
        return BrokerLayers(
            static=self._in_force.layers.static,
            dynamic=configs.get((BROKER, str(self._node_id)), {}),
            dynamic_default=configs.get((BROKER, ""), {}),
        )


def _broker_name_problem(name: str, node_id: int) -> str:
    if not name or name == str(node_id):
        return ""
    if not (name.removeprefix("-").isascii() and name.removeprefix("-").isdigit()):
        return f"Node id must be an integer, but it is: {name}"
    return f"Unexpected broker id, expected {node_id}, but received {name}"


def _check_form(changes: Sequence[Change]) -> Refused | None:
    """Whether the operations themselves can be understood."""
    text = ""
    nulls = [
        change.name
        for change in changes
        if change.value is None and change.operation != Operation.DELETE
    ]
    unknown = [change for change in changes if change.operation not in list(Operation)]
    times = Counter(change.name for change in changes)
    if len(times) < len(changes):
        twice = next(key for key, count in times.items() if count > 1)
        text = f"Error due to duplicate config keys: {twice} stands {times[twice]} times"
    elif nulls:
        text = f"Null value not supported for : {', '.join(nulls)}"
    elif unknown:
        text = f"Unknown operations type {unknown[0].operation} for {unknown[0].name}"
    return Refused(ErrorCode.INVALID_REQUEST, text) if text else None


def _apply(kind: int, change: Change, values: dict[str, str]) -> Refused | None:
    operation = Operation(change.operation)
    if operation is Operation.DELETE:
        values.pop(change.name, None)
        return None
    assert change.value is not None
    if operation is Operation.SET:
        values[change.name] = change.value
        return None
    setting = list_setting(kind, change.name)
    if setting is None:
        return Refused(
            ErrorCode.INVALID_CONFIG,
            f"Can't {operation.name} to key {change.name} because its type is not LIST.",
        )
    old = values.get(change.name, default_of(setting))
    changed = changed_list(old, operation, change.value)
    if len(changed.encode()) > STRING_BYTES_MAX:
        return Refused(
            ErrorCode.INVALID_CONFIG,
            f"{change.name} would have {len(changed.encode()):,} bytes; a value has at most "
            f"{STRING_BYTES_MAX:,}",
        )
    values[change.name] = changed
    return None
