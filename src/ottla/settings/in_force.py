"""A broker's settings as they are now: what the operator gave, and above it what requests changed.

Requests only change what was checked first (`alter.py`), but a metadata log may come from another
version, or from Apache Kafka. What it holds and nothing here can obey is described as it stands and
passed over with a WARNING: a broker must not fail to start because of a value that it once accepted.

Source: KIP-226. Elsewhere: who keeps the changes, see `core/metadata`; who obeys, see
`core/replica/table.py` and `aio/server.py`.
"""

import logging
from collections.abc import Mapping
from typing import Final, final

from ottla.settings import topic
from ottla.settings.broker import SETTINGS, BrokerSettings, base_name, broker_settings
from ottla.settings.definition import (
    PER_BROKER,
    READ_ONLY,
    ConfigurationError,
    Setting,
)
from ottla.settings.describe import BrokerLayers
from ottla.settings.parse import Resolved, value_of

_log: Final = logging.getLogger(__name__)


@final
class InForce:
    """The one cell of a node's settings; `follow` alone changes it."""

    __slots__ = ("layers", "settings")

    def __init__(self, static: Mapping[str, Resolved], settings: BrokerSettings) -> None:
        self.layers = BrokerLayers(static)
        self.settings = settings

    def follow(self, dynamic: Mapping[str, str], dynamic_default: Mapping[str, str]) -> bool:
        """Take over what requests have set for this broker and for all; True: something differs."""
        layers = BrokerLayers(self.layers.static, dynamic, dynamic_default)
        if layers == self.layers:
            return False
        self.layers = layers
        try:
            settings = settings_of(layers)
        except ConfigurationError as error:
            _log.error("settings that were changed by requests are not obeyed: %s", error)
            return False
        if settings == self.settings:
            return False
        self.settings = settings
        return True


def settings_of(layers: BrokerLayers) -> BrokerSettings:
    """The settings these layers give. ConfigurationError: they do not fit together."""
    obeyed = BrokerLayers(layers.static, _obeyed(layers.dynamic), _obeyed(layers.dynamic_default))
    settings = broker_settings(obeyed.given())
    for setting in topic.SETTINGS.values():
        text = settings.topic_defaults.get(setting.name)
        if text is None:
            continue
        try:
            value_of(setting, text)
        except ConfigurationError as error:
            names = " or ".join(synonym.name for synonym in setting.synonyms)
            raise ConfigurationError(f"{names}, as a topic's {error}") from None
    return settings


def setting_of(name: str) -> Setting | None:
    """The setting that a broker's name stands for, with or without the prefix of a listener."""
    return SETTINGS.get(base_name(name))


def changes_at_a_start_only(setting: Setting) -> bool:
    """Apache Kafka changes it at runtime, and Ottla reads it when it starts: its listeners."""
    return setting.update_mode == PER_BROKER and setting.honored


def _obeyed(layer: Mapping[str, str]) -> Mapping[str, str]:
    obeyed: dict[str, str] = {}
    for name, text in layer.items():
        setting = SETTINGS.get(name)
        if setting is None or not setting.honored:
            continue
        why = ""
        if setting.update_mode == READ_ONLY or changes_at_a_start_only(setting):
            why = "it is read at the start only"
        else:
            try:
                value_of(setting, text)
            except ConfigurationError as error:
                why = str(error)
        if why:
            _log.warning("a setting changed by a request is passed over: %s: %s", name, why)
        else:
            obeyed[name] = text
    return obeyed
