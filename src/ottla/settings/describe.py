"""What DescribeConfigs says of a topic, a broker or a group: values, their sources, their synonyms.

Kafka's order of synonyms is kept, with its surprise: entries before the first one that has the
asked-for name are dropped. So `log.retention.hours` in a file decides a topic's retention.ms, and
yet retention.ms is described without synonyms, as a default.

Source: KIP-133 (sources), KIP-226 (synonyms), KIP-569 (types and documentation). Names without a
definition are described as Kafka does: their type is unknown, so their value may be a secret.
Elsewhere: which of these a client asked for, and whether it may; that is the handler's.
"""

from collections.abc import Mapping
from itertools import dropwhile
from types import MappingProxyType
from typing import Final, NamedTuple

from ottla.settings import broker, topic
from ottla.settings.definition import READ_ONLY, Setting, Source, Synonym, Type
from ottla.settings.documentation import documentation_of
from ottla.settings.parse import Resolved, Values, text_of, value_of
from ottla.settings.table import client_metrics, group

GROUP_SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in group.SETTINGS}

CLIENT_METRICS_SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting for setting in client_metrics.SETTINGS
}

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class DescribedSynonym(NamedTuple):
    name: str
    value: str | None
    source: Source


class Described(NamedTuple):
    """One setting. `value` None: it has none, or it is a secret (`sensitive` tells which)."""

    name: str
    value: str | None
    source: Source
    read_only: bool
    sensitive: bool
    type: Type
    synonyms: tuple[DescribedSynonym, ...]
    documentation: str


class BrokerLayers(NamedTuple):
    """A broker's settings by who set them: `static` at its start, the others by requests since."""

    static: Mapping[str, Resolved]
    dynamic: Mapping[str, str] = _NOTHING
    dynamic_default: Mapping[str, str] = _NOTHING

    def given(self) -> Mapping[str, Resolved]:
        """What is in force of all that was given: what `broker.broker_settings` wants."""
        given = dict(self.static)
        for source, layer in (
            (Source.DYNAMIC_DEFAULT_BROKER, self.dynamic_default),
            (Source.DYNAMIC_BROKER, self.dynamic),
        ):
            for name, text in layer.items():
                given[name] = Resolved(text, source, "set by a request")
        return given


def describe_broker(layers: BrokerLayers) -> list[Described]:
    """Every public setting of the broker, and what was given besides, sorted by name."""
    given = layers.given()
    names = {
        setting.name
        for setting in broker.SETTINGS.values()
        if not setting.internal and not setting.dynamic_only
    }
    return [_described_of_broker(name, layers, given) for name in sorted(names | set(given))]


def describe_all_brokers(dynamic_default: Mapping[str, str]) -> list[Described]:
    """What requests have set for all brokers, sorted by name, and nothing of what is below it."""
    layers = BrokerLayers({}, dynamic_default=dynamic_default)
    given = layers.given()
    described = [_described_of_broker(name, layers, given) for name in sorted(dynamic_default)]
    return [
        one._replace(
            synonyms=tuple(
                synonym
                for synonym in one.synonyms
                if synonym.source is Source.DYNAMIC_DEFAULT_BROKER
            ),
        )
        for one in described
    ]


def describe_topic(overrides: Mapping[str, str], layers: BrokerLayers) -> list[Described]:
    """Every public setting of a topic with these overrides, sorted by name."""
    defaults = broker.topic_defaults_of(_values(layers.given()))
    described = []
    for setting in topic.SETTINGS.values():
        if setting.internal and setting.name not in overrides:
            continue
        value = _canonical(setting, overrides.get(setting.name, defaults.get(setting.name)))
        synonyms = _broker_synonyms(setting.synonyms, layers)
        if setting.name in overrides:
            own = DescribedSynonym(setting.name, value, Source.DYNAMIC_TOPIC)
            synonyms = (own, *synonyms)
        described.append(
            _described(setting, value, synonyms, documentation_of(setting.name), read_only=False)
        )
    return sorted(described, key=_by_name)


def describe_group(overrides: Mapping[str, str], layers: BrokerLayers) -> list[Described]:
    """Every public setting of a group with these overrides, sorted by name."""
    values = _values(layers.given())
    described = []
    for setting in GROUP_SETTINGS.values():
        if setting.internal and setting.name not in overrides:
            continue
        text = setting.default
        for synonym in setting.synonyms:
            given = values.text_or_none(synonym.name)
            # One assignor of the broker's list: the first is the group's default.
            text = given if given is None or setting.type is Type.LIST else given.split(",")[0]
        value = _canonical(setting, overrides.get(setting.name, text))
        synonyms = _broker_synonyms(setting.synonyms, layers)
        if not setting.synonyms and setting.default is not None:
            synonyms = (DescribedSynonym(setting.name, setting.default, Source.DEFAULT),)
        if setting.name in overrides:
            synonyms = (DescribedSynonym(setting.name, value, Source.DYNAMIC_GROUP), *synonyms)
        described.append(_described(setting, value, synonyms, "", read_only=False))
    return sorted(described, key=_by_name)


def describe_client_metrics(values: Mapping[str, str]) -> list[Described]:
    """Every setting of a client metrics subscription, sorted by name."""
    described = []
    for setting in CLIENT_METRICS_SETTINGS.values():
        value = _canonical(setting, values.get(setting.name, setting.default))
        synonyms: tuple[DescribedSynonym, ...] = ()
        if setting.name in values:
            synonyms = (DescribedSynonym(setting.name, value, Source.DYNAMIC_CLIENT_METRICS),)
        described.append(_described(setting, value, synonyms, "", read_only=False))
    return described


def _described_of_broker(
    name: str, layers: BrokerLayers, given: Mapping[str, Resolved]
) -> Described:
    setting = broker.SETTINGS.get(broker.base_name(name))
    if setting is None:
        return _described_unknown(name, layers)
    if name == setting.name:
        text = _values(given).text_or_none(name)
        synonyms = _broker_synonyms(setting.synonyms or (Synonym(name),), layers, name)
    else:
        text = given[name].text
        synonyms = _broker_synonyms((Synonym(name), Synonym(setting.name)), layers, name)
    value = None if setting.sensitive else _canonical(setting, text)
    read_only = setting.update_mode == READ_ONLY
    return _described(
        setting, value, synonyms, documentation_of(setting.name), read_only=read_only, name=name
    )


def _described_unknown(name: str, layers: BrokerLayers) -> Described:
    synonyms = tuple(DescribedSynonym(name, None, source) for source in _sources(name, layers))
    return Described(
        name=name,
        value=None,
        source=synonyms[0].source,
        read_only=True,
        sensitive=True,
        type=Type.UNKNOWN,
        synonyms=synonyms,
        documentation="",
    )


def _described(
    setting: Setting,
    value: str | None,
    synonyms: tuple[DescribedSynonym, ...],
    documentation: str,
    *,
    read_only: bool,
    name: str | None = None,
) -> Described:
    return Described(
        name=name or setting.name,
        value=value,
        source=synonyms[0].source if synonyms else Source.DEFAULT,
        read_only=read_only,
        sensitive=setting.sensitive,
        type=setting.type,
        synonyms=synonyms,
        documentation=documentation,
    )


def _broker_synonyms(
    names: tuple[Synonym, ...], layers: BrokerLayers, asked: str | None = None
) -> tuple[DescribedSynonym, ...]:
    """Layer by layer, in each layer name by name; from the first that is called `asked` on."""
    found: list[DescribedSynonym] = []
    for source in (
        Source.DYNAMIC_BROKER,
        Source.DYNAMIC_DEFAULT_BROKER,
        Source.STATIC_BROKER,
        Source.DEFAULT,
    ):
        for synonym in names:
            text = _text_in(source, synonym.name, layers)
            if text is not None:
                setting = broker.KNOWN[broker.base_name(synonym.name)]
                shown = None if setting.sensitive else text
                found.append(DescribedSynonym(synonym.name, shown, source))
    first = asked or (names[0].name if names else "")
    return tuple(dropwhile(lambda synonym: synonym.name != first, found))


def _text_in(source: Source, name: str, layers: BrokerLayers) -> str | None:
    match source:
        case Source.DYNAMIC_BROKER:
            return layers.dynamic.get(name)
        case Source.DYNAMIC_DEFAULT_BROKER:
            return layers.dynamic_default.get(name)
        case Source.STATIC_BROKER:
            return layers.static[name].text if name in layers.static else None
        case _:
            setting = broker.SETTINGS.get(name)
            return broker.OWN_DEFAULTS.get(name, setting.default) if setting else None


def _sources(name: str, layers: BrokerLayers) -> list[Source]:
    ordered = (Source.DYNAMIC_BROKER, Source.DYNAMIC_DEFAULT_BROKER, Source.STATIC_BROKER)
    return [source for source in ordered if _text_in(source, name, layers) is not None]


def _values(given: Mapping[str, Resolved]) -> Values:
    return Values(broker.KNOWN, given, broker.OWN_DEFAULTS)


def _canonical(setting: Setting, text: str | None) -> str | None:
    return None if text is None else text_of(value_of(setting, text))


def _by_name(described: Described) -> str:
    return described.name
