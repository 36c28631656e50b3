"""kafka-topics: what is refused, and how topics are described."""

from collections.abc import Sequence

import pytest

from ottla.cli.kafka import run_tool
from ottla.cli.kafka.java_order import string_hash
from ottla.cli.kafka.topic_names import chosen
from ottla.cli.kafka.topic_text import Changing, Configs, Described, Part, Wish, lines
from ottla.types import TopicPartition, Uuid
from ottla.wire.message.describe_configs import DescribeConfigsResourceResult

ID: Uuid = bytes(range(16))


def topic(*parts: Part) -> Described:
    return Described("t", ID, list(parts))


def part(
    partition: int = 0, leader: int = 1, replicas: Sequence[int] = (1, 2), isr: Sequence[int] = (1,)
) -> Part:
    return Part(partition, leader, replicas, isr, (), ())


def told(one: Described, configs: Configs = Configs(), wish: Wish = Wish()) -> list[str]:
    return list(lines(one, configs, {}, wish))


def test_a_topic_and_its_partitions_are_told_with_tabs() -> None:
    configs = Configs([("retention.ms", "1000"), ("cleanup.policy", "compact,delete")], 1)
    assert told(topic(part(1, leader=-1), part(0, isr=(1, 2))), configs) == [
        (
            "Topic: t\tTopicId: AAECAwQFBgcICQoLDA0ODw\tPartitionCount: 2\tReplicationFactor: 2\t"
            "Configs: retention.ms=1000,cleanup.policy=compact,delete"
        ),
        "\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: \tLastKnownElr: ",
        "\tTopic: t\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: 1\tElr: \tLastKnownElr: ",
    ]


def test_an_old_broker_knows_no_ids_and_no_elr() -> None:
    old = Described("t", bytes(16), [Part(0, 1, (1,), (1,), None, None)])
    assert told(old) == [
        "Topic: t\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: ",
        "\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: N/A\tLastKnownElr: N/A",
    ]


def test_replicas_being_added_do_not_count_as_replicas() -> None:
    moving = topic(part(replicas=(1, 2, 3), isr=(1, 2)))
    changing: Changing = {TopicPartition("t", 0): ([3], [1])}
    summary, line = lines(moving, Configs(), changing, Wish())
    assert "\tReplicationFactor: 2\t" in summary
    assert "\tAdding Replicas: 3\tRemoving Replicas: 1\tElr: " in line
    under = Wish(only=frozenset({"under-replicated-partitions"}))
    assert list(lines(moving, Configs(), changing, under)) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("under-replicated-partitions", [0, 1]),
        ("under-min-isr-partitions", [1, 2]),
        ("at-min-isr-partitions", [0]),
        ("unavailable-partitions", [1, 2]),
    ],
)
def test_filters_choose_partitions(name: str, expected: list[int]) -> None:
    one = topic(part(0, isr=(1,)), part(1, leader=-1, isr=()), part(2, leader=9, isr=(8, 9)))
    three = topic(*one.parts[:2], part(2, leader=9, isr=(8, 9)))
    configs = Configs((), 1)
    if name == "under-min-isr-partitions":  # of leaders that are there, the third has too few
        three = topic(part(0, isr=(1,)), part(1, leader=-1), part(2, leader=9, isr=()))
    wish = Wish(only=frozenset({name}), live=frozenset({1}))
    found = [
        int(line.split("Partition: ")[1].split("\t")[0]) for line in told(three, configs, wish)
    ]
    assert found == expected


def test_overrides_are_told_without_partitions() -> None:
    wish = Wish(with_overrides=True)
    assert told(topic(part()), Configs(), wish) == []
    assert len(told(topic(part()), Configs([("a", "b")]), wish)) == 1


def test_configs_are_what_is_no_default() -> None:
    entries = [
        DescribeConfigsResourceResult("a", "1", config_source=1),
        DescribeConfigsResourceResult("b", "2", config_source=5),
        DescribeConfigsResourceResult("old", "3", is_default=True),
        DescribeConfigsResourceResult("secret", None, config_source=2),
        DescribeConfigsResourceResult("min.insync.replicas", "2", config_source=4),
    ]
    found = Configs.of(entries)
    assert sorted(found.overrides) == [("a", "1"), ("min.insync.replicas", "2"), ("secret", "null")]
    assert found.min_isr == 2


def test_configs_are_in_the_order_of_javas_hash_map() -> None:
    names = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"]
    others = [f"config.{number}" for number in range(33)]
    assert (string_hash("retention.ms"), string_hash("")) == (2_955_746_934, 0)
    assert string_hash("\N{GRINNING FACE}") == 0x1B0D63
    for given in ([*names, *others], [*others, *reversed(names)]):
        entries = [DescribeConfigsResourceResult(name, "", config_source=1) for name in given]
        found = [name for name, _ in Configs.of(entries).overrides if name in names]
        assert found == names


def test_a_name_is_a_regular_expression_for_the_whole_name() -> None:
    names = ["b", "a.b", "a", "__consumer_offsets"]
    assert chosen(names, "a", without_internal=False) == ["a"]
    assert chosen(names, "a.*", without_internal=False) == ["a", "a.b"]
    assert chosen(names, "'a, b'", without_internal=False) == ["a", "b"]
    assert chosen(names, None, without_internal=True) == ["a", "a.b", "b"]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--create",), 'Missing required argument "[topic]"'),
        (("--alter", "--topic", "t"), 'Missing required argument "[partitions]"'),
        (
            ("--alter", "--topic", "t", "--config", "a=b"),
            'Option combination "[[config], [bootstrap-server]]" can\'t be used with option "[alter]"',
        ),
        (
            ("--list", "--partitions", "3"),
            'Option "[partitions]" can\'t be used with option "[list]"',
        ),
        (
            ("--create", "--topic", "t", "--replica-assignment", "1", "--partitions", "1"),
            'Option "[replica-assignment]" can\'t be used with option "[partitions]"',
        ),
        (("--describe", "--if-exists"), "--topic or --topic-id is required to describe a topic"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    words: tuple[str, ...], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool("topics", ["--bootstrap-server", "127.0.0.1:1", *words])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(refusal)


def test_a_cluster_that_is_not_there_is_told_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool("topics", ["--bootstrap-server", "127.0.0.1:1", "--list"]) == 1
    told_of = capsys.readouterr().out
    assert told_of.startswith(
        "Error while executing topic command : No broker answers at 127.0.0.1:1"
    )
