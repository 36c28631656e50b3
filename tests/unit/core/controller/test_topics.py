"""Topics: every refusal names its object, value and limit, and costs the other rows nothing."""

from collections.abc import Mapping

import pytest

from ottla.core.controller.topic_name import name_problem
from ottla.core.controller.topics import (
    Created,
    Growth,
    NewTopic,
    Refused,
    Replicas,
    TopicDefaults,
    TopicMaker,
)
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import (
    ConfigRecord,
    Entry,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from ottla.errors import ErrorCode
from tests.unit.core.controller.one_node import SeededEntropy

DIR = b"D" * 16


def cluster(*records: MetadataRecord, brokers: int = 3, metadata_version: int = 30) -> Image:
    registered = [
        RegisterBrokerRecord(
            broker_id=number, incarnation_id=DIR, broker_epoch=1, fenced=False, log_dirs=[DIR]
        )
        for number in range(1, brokers + 1)
    ]
    fenced = RegisterBrokerRecord(broker_id=9, incarnation_id=DIR, broker_epoch=1, fenced=True)
    level = FeatureLevelRecord("metadata.version", metadata_version)
    all_records = (level, *registered, fenced, *records)
    entry = Entry(base_offset=0, end_offset=9, epoch=1, timestamp_ms=1, records=all_records)
    return Image().fold([entry])


def there(name: str, partitions: int = 2, replicas: int = 1) -> list[MetadataRecord]:
    topic_id = name.encode().ljust(16, b".")
    return [
        TopicRecord(name=name, topic_id=topic_id),
        *(
            PartitionRecord(
                partition_id=number,
                topic_id=topic_id,
                replicas=range(1, replicas + 1),
                isr=range(1, replicas + 1),
                leader=1,
                leader_epoch=0,
                partition_epoch=0,
            )
            for number in range(partitions)
        ),
    ]


def maker(image: Image | None = None) -> TopicMaker:
    defaults = TopicDefaults(partitions=4, replication_factor=2)
    return TopicMaker(image or cluster(*there("old.topic")), defaults, SeededEntropy())


def new(
    name: str = "t",
    partitions: int = -1,
    replication_factor: int = -1,
    assignments: tuple[tuple[int, Replicas], ...] = (),
    configs: Mapping[str, str | None] | None = None,
) -> NewTopic:
    return NewTopic(
        name=name,
        partitions=partitions,
        replication_factor=replication_factor,
        assignments=assignments,
        configs=configs or {},
    )


E = ErrorCode
REFUSED = [
    (new(""), E.INVALID_TOPIC_EXCEPTION, "empty"),
    (new("."), E.INVALID_TOPIC_EXCEPTION, "'.'"),
    (new(".."), E.INVALID_TOPIC_EXCEPTION, "'..'"),
    (new("a b"), E.INVALID_TOPIC_EXCEPTION, "'a b'"),
    (new("ü"), E.INVALID_TOPIC_EXCEPTION, "ASCII"),
    (new("a\n"), E.INVALID_TOPIC_EXCEPTION, "ASCII"),
    (new("x" * 250), E.INVALID_TOPIC_EXCEPTION, "249"),
    (new("old_topic"), E.INVALID_TOPIC_EXCEPTION, "'old.topic'"),
    (new("__cluster_metadata"), E.INVALID_REQUEST, "own log"),
    (new("old.topic"), E.TOPIC_ALREADY_EXISTS, "'old.topic'"),
    (new(partitions=0), E.INVALID_PARTITIONS, "0 partitions"),
    (new(partitions=-2), E.INVALID_PARTITIONS, "-2 partitions"),
    (new(partitions=10_001), E.POLICY_VIOLATION, "10,000"),
    (new(partitions=2**31 - 1), E.POLICY_VIOLATION, "2,147,483,647"),
    (new(replication_factor=0), E.INVALID_REPLICATION_FACTOR, "factor 0"),
    (new(replication_factor=-5), E.INVALID_REPLICATION_FACTOR, "factor -5"),
    (new(replication_factor=4), E.INVALID_REPLICATION_FACTOR, "alive are 3"),
    (new(replication_factor=32767), E.INVALID_REPLICATION_FACTOR, "32767"),
    (new(configs={"no.such": "1"}), E.INVALID_CONFIG, "no.such"),
    (new(configs={"retention.ms": "soon"}), E.INVALID_CONFIG, "soon"),
    (new(configs={"retention.ms": "-2"}), E.INVALID_CONFIG, "-2"),
    (new(configs={"cleanup.policy": None}), E.INVALID_CONFIG, "cleanup.policy"),
    (new(partitions=1, assignments=((0, (1,)),)), E.INVALID_REQUEST, "-1"),
    (new(replication_factor=1, assignments=((0, (1,)),)), E.INVALID_REQUEST, "-1"),
    (new(assignments=((0, (1,)), (0, (2,)))), E.INVALID_REPLICA_ASSIGNMENT, "twice"),
    (new(assignments=((0, (1,)), (2, (2,)))), E.INVALID_REPLICA_ASSIGNMENT, "partition 1"),
    (new(assignments=((1, (1,)),)), E.INVALID_REPLICA_ASSIGNMENT, "partition 0"),
    (new(assignments=((-1, (1,)),)), E.INVALID_REPLICA_ASSIGNMENT, "partition 0"),
    (new(assignments=((0, ()),)), E.INVALID_REPLICA_ASSIGNMENT, "no replicas"),
    (new(assignments=((0, (1, 1)),)), E.INVALID_REPLICA_ASSIGNMENT, "twice"),
    (new(assignments=((0, (7,)),)), E.INVALID_REPLICA_ASSIGNMENT, "broker 7"),
    (new(assignments=((0, (9,)),)), E.INVALID_REPLICA_ASSIGNMENT, "none of which is alive"),
    (new(assignments=((0, (1,)), (1, (1, 2)))), E.INVALID_REPLICA_ASSIGNMENT, "2 replica"),
]


@pytest.mark.parametrize(("topic", "error", "named"), REFUSED)
def test_what_is_refused_is_named_and_takes_nothing(
    topic: NewTopic, error: ErrorCode, named: str
) -> None:
    one = maker()
    refused = one.make(topic)
    assert isinstance(refused, Refused)
    assert refused.error is error
    assert named in refused.message
    assert one.records == []
    assert isinstance(one.make(new("fine")), Created)


def test_defaults_are_the_brokers() -> None:
    made = maker().make(new())
    assert isinstance(made, Created)
    assert (made.partitions, made.replication_factor) == (4, 2)


def test_the_records_stand_in_kafkas_order_and_say_all() -> None:
    one = maker()
    made = one.make(new(partitions=2, replication_factor=1, configs={"retention.ms": "5"}))
    assert isinstance(made, Created)
    topic, config, *partitions = one.records
    assert topic == TopicRecord(name="t", topic_id=made.topic_id)
    assert config == ConfigRecord(
        resource_type=2, resource_name="t", name="retention.ms", value="5"
    )
    for number, record in enumerate(partitions):
        assert isinstance(record, PartitionRecord)
        assert record.partition_id == number
        assert list(record.isr) == list(record.replicas)
        assert record.leader == record.replicas[0]
        assert (record.leader_epoch, record.partition_epoch) == (0, 0)
        assert list(record.directories) == [DIR]


def test_before_kip_858_no_directories_are_written() -> None:
    one = maker(cluster(metadata_version=15))
    one.make(new(partitions=1))
    record = one.records[1]
    assert isinstance(record, PartitionRecord)
    assert list(record.directories) == []


def test_leaders_and_replicas_spread_over_the_brokers() -> None:
    one = maker()
    one.make(new(partitions=6, replication_factor=2))
    partitions = [record for record in one.records if isinstance(record, PartitionRecord)]
    leaders = [record.leader for record in partitions]
    assert sorted(leaders) == [1, 1, 2, 2, 3, 3]
    assert all(len(set(record.replicas)) == 2 for record in partitions)


def test_assignments_are_kept_and_the_dead_are_not_in_sync() -> None:
    one = maker()
    made = one.make(new(assignments=((1, (2, 1)), (0, (9, 3)))))
    assert isinstance(made, Created)
    assert (made.partitions, made.replication_factor) == (2, 2)
    first, second = one.records[1:]
    assert isinstance(first, PartitionRecord)
    assert isinstance(second, PartitionRecord)
    assert (first.partition_id, list(first.isr), first.leader) == (0, [3], 3)
    assert (second.partition_id, list(second.isr), second.leader) == (1, [2, 1], 2)


def test_topics_of_one_request_see_each_other() -> None:
    one = maker()
    assert isinstance(one.make(new("a.b")), Created)
    again = one.make(new("a.b"))
    assert isinstance(again, Refused)
    assert again.error is E.TOPIC_ALREADY_EXISTS
    similar = one.make(new("a_b"))
    assert isinstance(similar, Refused)
    assert "'a.b'" in similar.message


def test_one_request_writes_at_most_ten_thousand_records() -> None:
    one = maker()
    assert isinstance(one.make(new("a", 5_999, 1)), Created)
    refused = one.make(new("b", 4_000, 1))  # and one of the topic's own
    assert isinstance(refused, Refused)
    assert refused.error is E.POLICY_VIOLATION
    assert "4,001 metadata records" in refused.message
    assert isinstance(one.make(new("c", 3_999, 1)), Created)
    assert len(one.records) == 10_000


def test_an_internal_topic_does_not_grow() -> None:
    one = maker(cluster(*there("__consumer_offsets", 50)))
    refused = one.grow(Growth(name="__consumer_offsets", total=60, assignments=None))
    assert refused is not None
    assert refused.error is E.INVALID_REQUEST
    assert one.records == []


def test_new_partitions_go_to_the_directory_with_the_fewest() -> None:
    first, second, third = (bytes([16 + number]) * 16 for number in range(3))
    image = cluster(*there("old", 1), brokers=1)
    broker = image.brokers[1]._replace(log_dirs=(first, second, third))
    held = image.topics["old"].partitions[0]
    image = image.fold(
        [
            Entry(
                base_offset=9,
                end_offset=10,
                epoch=1,
                timestamp_ms=1,
                records=(
                    PartitionChangeRecord(
                        partition_id=0,
                        topic_id=image.topics["old"].topic_id,
                        directories=(first,) * len(held.replicas),
                    ),
                ),
            )
        ]
    )
    one = maker(image._replace(brokers={1: broker}))
    assert isinstance(one.make(new("a", 3, 1)), Created)
    assert isinstance(one.make(new("b", 2, 1)), Created)
    chosen = [one.directories for one in one.records if isinstance(one, PartitionRecord)]
    assert chosen == [(second,), (third,), (first,), (second,), (third,)]


GROWTHS = [
    (Growth(name="no", total=3, assignments=None), E.UNKNOWN_TOPIC_OR_PARTITION, "'no'"),
    (Growth(name="t", total=2, assignments=None), E.INVALID_PARTITIONS, "has 2"),
    (Growth(name="t", total=1, assignments=None), E.INVALID_PARTITIONS, "more than 2"),
    (Growth(name="t", total=0, assignments=None), E.INVALID_PARTITIONS, "0"),
    (Growth(name="t", total=-1, assignments=None), E.INVALID_PARTITIONS, "-1"),
    (Growth(name="t", total=20_000, assignments=None), E.POLICY_VIOLATION, "10,000"),
    (Growth(name="t", total=4, assignments=((1,),)), E.INVALID_REPLICA_ASSIGNMENT, "1 assign"),
    (Growth(name="t", total=3, assignments=((1, 2),)), E.INVALID_REPLICA_ASSIGNMENT, "have 1"),
    (Growth(name="t", total=3, assignments=((7,),)), E.INVALID_REPLICA_ASSIGNMENT, "broker 7"),
    (Growth(name="t", total=3, assignments=((),)), E.INVALID_REPLICA_ASSIGNMENT, "no replicas"),
    (Growth(name="wide", total=3, assignments=None), E.INVALID_REPLICATION_FACTOR, "alive are 3"),
]


@pytest.mark.parametrize(("growth", "error", "named"), GROWTHS)
def test_growth_that_is_refused_is_named(growth: Growth, error: ErrorCode, named: str) -> None:
    one = maker(cluster(*there("t"), *there("wide", replicas=4)))
    refused = one.grow(growth)
    assert refused is not None
    assert refused.error is error
    assert named in refused.message
    assert one.records == []


def test_a_topic_grows_behind_what_it_has() -> None:
    one = maker(cluster(*there("t")))
    assert one.grow(Growth(name="t", total=4, assignments=((2,), (3,)))) is None
    assert [
        (record.partition_id, list(record.replicas))
        for record in one.records
        if isinstance(record, PartitionRecord)
    ] == [(2, [2]), (3, [3])]
    one = maker(cluster(*there("t")))
    assert one.grow(Growth(name="t", total=5, assignments=None)) is None
    assert len(one.records) == 3


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 249, "...", "__consumer_offsets"])
def test_good_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "topics", "other"),
    [
        ("a.b", ["a_b"], "a_b"),
        ("a.b", ["a.c", "a-b", "ab"], None),
        ("a.b_c", ["x", "y", "z", "w", "v", "a_b.c"], "a_b.c"),
        ("ab", ["a.b"], None),
        ("." * 20, ["_" * 20], "_" * 20),
    ],
)
def test_collisions(name: str, topics: list[str], other: str | None) -> None:
    in_image = maker(cluster(*(record for topic in topics for record in there(topic))))
    in_request = maker()
    for topic in topics:
        assert isinstance(in_request.make(new(topic)), Created)
    for one in (in_image, in_request):
        made = one.make(new(name))
        if other is None:
            assert isinstance(made, Created)
        else:
            assert isinstance(made, Refused)
            assert made.error is ErrorCode.INVALID_TOPIC_EXCEPTION
            assert f"collides with topic {other!r}" in made.message
