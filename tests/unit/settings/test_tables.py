"""The tables say what Kafka's definitions say; the numbers and the samples are Kafka 4.4's."""

import pytest

from ottla.limits import INT_MAX, LONG_MAX
from ottla.settings import broker, topic
from ottla.settings.definition import Setting, Source, Synonym, Type
from ottla.settings.describe import GROUP_SETTINGS
from ottla.settings.documentation import NO_MEANING, NOT_YET, documentation_of
from ottla.settings.parse import Resolved, Values, value_of
from ottla.settings.table import group, own, removed
from ottla.settings.topic import topic_settings

KAFKA_BROKER = {name: s for name, s in broker.SETTINGS.items() if not name.startswith("ottla.")}


@pytest.mark.parametrize(
    ("settings", "count", "public"),
    [(KAFKA_BROKER, 381, 352), (topic.SETTINGS, 38, 36), (GROUP_SETTINGS, 27, 21)],
    ids=["broker", "topic", "group"],
)
def test_every_setting_of_kafka_stands_in_a_table(
    settings: dict[str, Setting], count: int, public: int
) -> None:
    assert len(settings) == count
    assert len([s for s in settings.values() if not s.internal]) == public


def test_every_removed_setting_is_still_known() -> None:
    assert len(removed.SETTINGS) == 46
    assert len(removed.TOPIC_SETTINGS) == 2
    assert not {s.name for s in removed.SETTINGS} & set(broker.SETTINGS)


def test_update_modes_are_counted_as_in_kafka() -> None:
    modes = [s.update_mode for s in KAFKA_BROKER.values()]
    assert (modes.count("read-only"), modes.count("per-broker"), modes.count("cluster-wide")) == (
        272,
        37,
        72,
    )


@pytest.mark.parametrize(
    ("name", "type_", "default"),
    [
        ("num.partitions", Type.INT, "1"),
        ("log.segment.bytes", Type.INT, "1073741824"),
        ("log.retention.hours", Type.INT, "168"),
        ("log.retention.ms", Type.LONG, None),
        ("log.flush.interval.messages", Type.LONG, str(LONG_MAX)),
        ("message.max.bytes", Type.INT, "1048588"),
        ("max.connections", Type.INT, str(INT_MAX)),
        ("offsets.topic.replication.factor", Type.SHORT, "3"),
        ("listeners", Type.LIST, "PLAINTEXT://:9092"),
        ("log.cleaner.io.max.bytes.per.second", Type.DOUBLE, "1.7976931348623157E308"),
        ("group.coordinator.rebalance.protocols", Type.LIST, "classic,consumer,streams"),
        ("ssl.key.password", Type.PASSWORD, None),
        ("client.quota.callback.class", Type.CLASS, None),
        ("unclean.leader.election.enable", Type.BOOLEAN, "false"),
    ],
)
def test_defaults_are_kafkas(name: str, type_: Type, default: str | None) -> None:
    assert (broker.SETTINGS[name].type, broker.SETTINGS[name].default) == (type_, default)


@pytest.mark.parametrize(
    ("name", "synonyms"),
    [
        (
            "retention.ms",
            (
                Synonym("log.retention.ms"),
                Synonym("log.retention.minutes", 60_000),
                Synonym("log.retention.hours", 3_600_000),
            ),
        ),
        ("segment.ms", (Synonym("log.roll.ms"), Synonym("log.roll.hours", 3_600_000))),
        (
            "flush.ms",
            (Synonym("log.flush.interval.ms"), Synonym("log.flush.scheduler.interval.ms")),
        ),
        ("max.message.bytes", (Synonym("message.max.bytes"),)),
        ("delete.retention.ms", (Synonym("log.cleaner.delete.retention.ms"),)),
        ("remote.storage.enable", ()),
    ],
)
def test_topic_synonyms_are_kafkas(name: str, synonyms: tuple[Synonym, ...]) -> None:
    assert topic.SETTINGS[name].synonyms == synonyms


def test_synonyms_name_settings_of_the_broker() -> None:
    for setting in (*topic.SETTINGS.values(), *group.SETTINGS):
        for synonym in setting.synonyms:
            assert synonym.name in broker.KNOWN


def test_every_default_is_a_value_of_its_own_setting() -> None:
    tables = (*broker.KNOWN.values(), *topic.SETTINGS.values(), *GROUP_SETTINGS.values())
    for setting in tables:
        default = broker.OWN_DEFAULTS.get(setting.name, setting.default)
        if default is not None:
            value_of(setting, default)


def test_own_defaults_are_of_known_settings_and_differ_from_kafkas() -> None:
    for name, text in broker.OWN_DEFAULTS.items():
        assert broker.SETTINGS[name].default != text


def test_what_is_honored_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    original = Values.text_or_none

    def recording(values: Values, name: str) -> str | None:
        read.add(name)
        return original(values, name)

    monkeypatch.setattr(Values, "text_or_none", recording)
    for given in (
        {"zookeeper.connect": "z:2181", "ottla.metadata.store": "local"},
        {"inter.broker.listener.name": "PLAINTEXT", "listeners": "PLAINTEXT://:1"},
    ):
        settings = broker.broker_settings({n: Resolved(t) for n, t in given.items()})
    of_broker, read = read, set()
    topic_settings({}, settings)
    honored = {s.name for s in broker.KNOWN.values() if s.honored}
    accepted_for_topics = {
        synonym.name for s in topic.SETTINGS.values() if not s.honored for synonym in s.synonyms
    }
    assert of_broker - accepted_for_topics == honored
    assert read - {"internal.segment.bytes"} == {
        s.name for s in topic.SETTINGS.values() if s.honored
    }


def test_what_is_honored_is_explained() -> None:
    for setting in (*broker.KNOWN.values(), *topic.SETTINGS.values()):
        assert (documentation_of(setting.name) != NO_MEANING) == setting.honored, setting.name


def test_what_is_only_a_promise_says_so() -> None:
    for name in NOT_YET:
        assert name in broker.KNOWN or name in topic.SETTINGS, name
        assert documentation_of(name).endswith(" Not in this version."), name


def test_own_settings_are_few() -> None:
    assert [s.name for s in own.SETTINGS] == ["ottla.flush", "ottla.http", "ottla.metadata.store"]


def test_codes_are_those_of_the_protocol() -> None:
    assert [t.value for t in Type] == list(range(10))
    assert Source.DYNAMIC_TOPIC == 1
    assert Source.STATIC_BROKER == 4
    assert Source.DEFAULT == 5
