"""Changing settings by request: what an operation makes of a value, and what may not be set.

Every check looks at the whole of what a resource would have afterwards, so that two values that do
not fit together are refused whichever of them came last. A message names key, value and what is
expected; the error code is the one Apache Kafka gives, which for a broker is INVALID_REQUEST where
for a topic it is INVALID_CONFIG (KAFKA-13609).

Source: KIP-339 (operations), KIP-226 (brokers), KIP-714 (client metrics), KIP-848 and KIP-1240
(groups). Elsewhere: a topic's checks, see `topic.py`; who may be changed, see
`core/controller/configs.py`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.errors import ErrorCode
from ottla.settings import topic
from ottla.settings.broker import OWN_DEFAULTS, SETTINGS, base_name
from ottla.settings.definition import (
    PER_BROKER,
    READ_ONLY,
    ConfigurationError,
    Setting,
    Type,
)
from ottla.settings.describe import CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, BrokerLayers
from ottla.settings.in_force import changes_at_a_start_only, setting_of, settings_of
from ottla.settings.parse import value_of

# Resource types of configurations (enums: config_resource_type).
TOPIC: Final = 2
BROKER: Final = 4
BROKER_LOGGER: Final = 8
CLIENT_METRICS: Final = 16
GROUP: Final = 32

_LISTENER_PREFIX: Final = "listener.name."
# Of what may have a listener's prefix, these hold for all brokers at once.
_CLUSTER_LEVEL_OF_LISTENERS: Final = frozenset(
    {"max.connections", "max.connection.creation.rate", "num.network.threads"}
)
_POSITIVE: Final = ("max.connections", "max.connection.creation.rate")

_BY_KIND: Final[Mapping[int, Mapping[str, Setting]]] = {
    TOPIC: topic.SETTINGS,
    BROKER: SETTINGS,
    GROUP: GROUP_SETTINGS,
}

_INTERVAL_MS_MIN: Final = 100
_INTERVAL_MS_MAX: Final = 3_600_000
_MATCH_NAMES: Final = frozenset(
    {
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    }
)


class Operation(IntEnum):
    """What IncrementalAlterConfigs may ask for."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Problem(NamedTuple):
    error: ErrorCode
    message: str


def changed_list(old: str, operation: Operation, text: str) -> str:
    """A list after APPEND or SUBTRACT: `a,b` and `b,c` append to `a,b,c`."""
    parts = [part for part in old.split(",") if part]
    if operation is Operation.APPEND:
        return ",".join(dict.fromkeys([*parts, *text.split(",")]))
    gone = Counter(text.split(","))
    kept = []
    for part in parts:
        if gone[part]:
            gone[part] -= 1
        else:
            kept.append(part)
    return ",".join(kept)


def list_setting(kind: int, name: str) -> Setting | None:
    """The setting of a topic, a broker or a group that APPEND and SUBTRACT may change."""
    setting = _BY_KIND.get(kind, {}).get(name)
    return setting if setting is not None and setting.type is Type.LIST else None


def default_of(setting: Setting) -> str:
    """What a list begins with that nobody has set: the definition's default, as in Kafka."""
    return OWN_DEFAULTS.get(setting.name, setting.default) or ""


def check_broker(
    overrides: Mapping[str, str], layers: BrokerLayers, *, for_all: bool
) -> Problem | None:
    """None when a broker (`for_all`: every broker) may have these settings by request.

    Names nobody knows are accepted, as in Kafka, where they may be a plug-in's.
    """
    problem = _check_changeable(overrides, for_all=for_all)
    if problem is not None:
        return problem
    for name, text in overrides.items():
        setting = setting_of(name)
        if setting is None:
            continue
        try:
            value = value_of(setting, text)
        except ConfigurationError as error:
            return Problem(ErrorCode.INVALID_REQUEST, str(error))
        if setting.name in _POSITIVE and isinstance(value, int) and value <= 0:
            return Problem(
                ErrorCode.INVALID_REQUEST, f"{name}={text}: a number from 1 on is expected"
            )
    changed = layers._replace(dynamic_default=overrides) if for_all else None
    try:
        settings_of(changed or layers._replace(dynamic=overrides))
    except ConfigurationError as error:
        return Problem(ErrorCode.INVALID_REQUEST, str(error))
    return None


def _check_changeable(overrides: Mapping[str, str], *, for_all: bool) -> Problem | None:
    fixed, listeners, unprefixed, of_one = [], [], [], []
    for name in overrides:
        setting = setting_of(name)
        prefixed = name.startswith(_LISTENER_PREFIX)
        base = base_name(name) if setting is not None else ""
        if setting is not None and not prefixed:
            if setting.update_mode == READ_ONLY:
                fixed.append(name)
            elif changes_at_a_start_only(setting):
                listeners.append(name)
            elif setting.update_mode == PER_BROKER and name.startswith("ssl."):
                unprefixed.append(name)
        alone = setting is not None and setting.update_mode == PER_BROKER
        if alone or (prefixed and base not in _CLUSTER_LEVEL_OF_LISTENERS):
            of_one.append(name)
    text = ""
    if fixed:
        text = (
            f"Cannot update these configs dynamically: {_names(fixed)}; set them where the broker "
            "is started, and start it again"
        )
    elif unprefixed:
        text = (
            "These security configs can be dynamically updated only per-listener using the "
            f"listener prefix: {_names(unprefixed)}"
        )
    elif for_all and of_one:
        text = (
            "Cannot update these configs at default cluster level, broker id must be specified: "
            f"{_names(of_one)}"
        )
    elif listeners:
        text = (
            f"Cannot update these configs dynamically: {_names(listeners)}; listeners are opened "
            "when the broker starts"
        )
    return Problem(ErrorCode.INVALID_REQUEST, text) if text else None


def _names(names: list[str]) -> str:
    return f"[{', '.join(sorted(names))}]"


def check_group(overrides: Mapping[str, str], layers: BrokerLayers) -> Problem | None:
    """None when a group may have these settings; the broker's bounds hold for all groups."""
    given = layers.given()
    numbers: dict[str, int] = {}
    for name, text in overrides.items():
        setting = GROUP_SETTINGS.get(name)
        if setting is None:
            return Problem(ErrorCode.INVALID_CONFIG, f"Unknown group config name: {name}")
        try:
            value = value_of(setting, text)
        except ConfigurationError as error:
            return Problem(ErrorCode.INVALID_CONFIG, str(error))
        if isinstance(value, int) and not isinstance(value, bool):
            numbers[name] = value
            for edge in ("min", "max"):
                bound = _group_bound(name, edge)
                if bound is None:
                    continue
                limit_text = given[bound.name].text if bound.name in given else default_of(bound)
                limit = value_of(bound, limit_text)
                assert isinstance(limit, int)
                if value < limit if edge == "min" else value > limit:
                    word = "at least" if edge == "min" else "at most"
                    return Problem(
                        ErrorCode.INVALID_CONFIG,
                        f"{name}={value}: {word} {limit:,}, the broker's {bound.name}, is expected",
                    )
    return _check_heartbeats(numbers)


def _group_bound(name: str, edge: str) -> Setting | None:
    """`consumer.session.timeout.ms` -> `group.consumer.min.session.timeout.ms`."""
    kind, _, rest = name.partition(".")
    return SETTINGS.get(f"group.{kind}.{edge}.{rest.removeprefix('num.')}")


def _check_heartbeats(numbers: Mapping[str, int]) -> Problem | None:
    for kind in ("consumer", "share", "streams"):
        session = numbers.get(f"{kind}.session.timeout.ms")
        heartbeat = numbers.get(f"{kind}.heartbeat.interval.ms")
        if session is not None and heartbeat is not None and session <= heartbeat:
            return Problem(
                ErrorCode.INVALID_CONFIG,
                f"{kind}.session.timeout.ms={session}: more than {kind}.heartbeat.interval.ms="
                f"{heartbeat} is expected",
            )
    return None


def check_client_metrics(values: Mapping[str, str]) -> Problem | None:
    """None when a client metrics subscription may have these settings."""
    for name, text in values.items():
        setting = CLIENT_METRICS_SETTINGS.get(name)
        if setting is None:
            return Problem(
                ErrorCode.INVALID_REQUEST, f"Unknown client metrics configuration: {name}"
            )
        try:
            value = value_of(setting, text)
        except ConfigurationError as error:
            return Problem(ErrorCode.INVALID_CONFIG, str(error))
        if isinstance(value, int) and not _INTERVAL_MS_MIN <= value <= _INTERVAL_MS_MAX:
            return Problem(
                ErrorCode.INVALID_REQUEST,
                f"{name}={value}: a number from {_INTERVAL_MS_MIN} to {_INTERVAL_MS_MAX} (one hour) "
                "is expected",
            )
        if name == "match" and isinstance(value, tuple):
            for pattern in value:
                if not _is_match(pattern):
                    return Problem(
                        ErrorCode.INVALID_CONFIG,
                        f"Illegal client matching pattern: {pattern} (NAME=REGEX is expected, NAME "
                        f"one of {', '.join(sorted(_MATCH_NAMES))})",
                    )
    return None


def _is_match(pattern: str) -> bool:
    name, equals, expression = pattern.partition("=")
    if not equals or "=" in expression or name.strip() not in _MATCH_NAMES:
        return False
    try:
        re.compile(expression.strip())
    except (re.error, OverflowError, RecursionError):
        return False
    return True
