"""DescribeConfigs: every public setting, where its value is from, and the synonyms in Kafka's order."""

from ottla.settings.definition import Source, Type
from ottla.settings.describe import (
    BrokerLayers,
    Described,
    DescribedSynonym,
    describe_broker,
    describe_group,
    describe_topic,
)
from ottla.settings.parse import Resolved


def static(**given: str) -> BrokerLayers:
    return BrokerLayers({n.replace("_", "."): Resolved(t) for n, t in given.items()})


def named(described: list[Described], name: str) -> Described:
    (found,) = [each for each in described if each.name == name]
    return found


def test_every_public_setting_is_described_once_and_in_order() -> None:
    of_broker = [each.name for each in describe_broker(static())]
    # Kafka's 352 public names, less 3 that exist only when set by a request, and Ottla's own 3.
    assert len(of_broker) == 352 - 3 + 3
    assert of_broker == sorted(set(of_broker))
    of_topic = [each.name for each in describe_topic({}, static())]
    assert len(of_topic) == 36
    assert of_topic == sorted(set(of_topic))
    assert len(describe_group({}, static())) == 21


def test_a_default_is_its_own_only_synonym() -> None:
    described = named(describe_broker(static()), "num.partitions")
    assert described.value == "1"
    assert described.source is Source.DEFAULT
    assert described.read_only
    assert described.type is Type.INT
    assert described.synonyms == (DescribedSynonym("num.partitions", "1", Source.DEFAULT),)
    assert "Partitions of a topic" in described.documentation


def test_our_own_default_is_described_where_it_differs() -> None:
    described = named(describe_broker(static()), "offsets.topic.replication.factor")
    assert (described.value, described.source) == ("1", Source.DEFAULT)


def test_what_was_given_comes_before_the_default() -> None:
    described = named(describe_broker(static(log_retention_hours="48")), "log.retention.hours")
    assert described.synonyms == (
        DescribedSynonym("log.retention.hours", "48", Source.STATIC_BROKER),
        DescribedSynonym("log.retention.hours", "168", Source.DEFAULT),
    )
    assert (described.value, described.source) == ("48", Source.STATIC_BROKER)


def test_layers_stand_in_the_order_of_their_precedence() -> None:
    layers = BrokerLayers(
        static={"log.roll.ms": Resolved("3"), "log.roll.hours": Resolved("4")},
        dynamic={"log.roll.ms": "1"},
        dynamic_default={"log.roll.ms": "2"},
    )
    described = named(describe_broker(layers), "log.roll.ms")
    assert described.value == "1"
    assert [(s.name, s.value, int(s.source)) for s in described.synonyms] == [
        ("log.roll.ms", "1", 2),
        ("log.roll.ms", "2", 3),
        ("log.roll.ms", "3", 4),
        ("log.roll.hours", "4", 4),
        ("log.roll.hours", "168", 5),
    ]
    assert not described.read_only


def test_a_coarser_units_value_is_no_synonym_of_the_finer_setting() -> None:
    described = named(describe_topic({}, static(log_retention_hours="48")), "retention.ms")
    assert (described.value, described.source) == ("172800000", Source.DEFAULT)
    assert described.synonyms == ()


def test_a_topics_override_comes_before_the_brokers_names() -> None:
    layers = static(log_segment_bytes="2000000")
    described = named(describe_topic({"segment.bytes": " 3000000"}, layers), "segment.bytes")
    assert described.value == "3000000"
    assert described.source is Source.DYNAMIC_TOPIC
    assert described.synonyms == (
        DescribedSynonym("segment.bytes", "3000000", Source.DYNAMIC_TOPIC),
        DescribedSynonym("log.segment.bytes", "2000000", Source.STATIC_BROKER),
        DescribedSynonym("log.segment.bytes", "1073741824", Source.DEFAULT),
    )
    inherited = named(describe_topic({}, layers), "segment.bytes")
    assert (inherited.value, inherited.source) == ("2000000", Source.STATIC_BROKER)


def test_secrets_are_hidden_in_values_and_synonyms() -> None:
    given = {
        "ssl.key.password": Resolved("hunter2"),
        "listener.name.x.ssl.key.password": Resolved("hunter2"),
        "some.plugins.name": Resolved("hunter2"),
    }
    described = describe_broker(BrokerLayers(given))
    assert "hunter2" not in repr(described)
    for name in given:
        assert named(described, name).sensitive
    assert named(described, "listener.name.x.ssl.key.password").type is Type.PASSWORD
    assert named(described, "some.plugins.name").type is Type.UNKNOWN


def test_a_listeners_own_value_comes_before_the_common_one() -> None:
    given = {
        "listener.name.x.ssl.client.auth": Resolved("required"),
        "ssl.client.auth": Resolved("requested"),
    }
    described = describe_broker(BrokerLayers(given))
    own = named(described, "listener.name.x.ssl.client.auth")
    assert own.value == "required"
    assert [(s.name, s.value) for s in own.synonyms] == [
        ("listener.name.x.ssl.client.auth", "required"),
        ("ssl.client.auth", "requested"),
        ("ssl.client.auth", "none"),
    ]


def test_a_group_shows_the_brokers_value_until_it_overrides() -> None:
    layers = static(group_consumer_session_timeout_ms="50000")
    name = "consumer.session.timeout.ms"
    inherited = named(describe_group({}, layers), name)
    assert (inherited.value, inherited.source) == ("50000", Source.STATIC_BROKER)
    assert [(s.name, s.value, int(s.source)) for s in inherited.synonyms] == [
        ("group.consumer.session.timeout.ms", "50000", 4),
        ("group.consumer.session.timeout.ms", "45000", 5),
    ]
    overridden = named(describe_group({name: "51000"}, layers), name)
    assert (overridden.value, overridden.source) == ("51000", Source.DYNAMIC_GROUP)


def test_a_groups_setting_that_no_broker_has_keeps_its_default_as_a_synonym() -> None:
    name = "share.auto.offset.reset"
    overridden = named(describe_group({name: "earliest"}, static()), name)
    assert [(s.name, s.value, int(s.source)) for s in overridden.synonyms] == [
        (name, "earliest", 8),
        (name, "latest", 5),
    ]
