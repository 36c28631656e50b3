"""kafka-consumer-groups and kafka-groups: their tables, and what a reset is told."""

import argparse
from collections.abc import Iterator

import pytest

from ottla.cli.kafka import run_tool
from ottla.cli.kafka.flags import Refused
from ottla.cli.kafka.group_facts import Committed, Group, Member
from ottla.cli.kafka.group_offsets import csv_lines, instant_ms, planned, scope, wished
from ottla.cli.kafka.group_tables import (
    deleted_lines,
    member_lines,
    notice,
    offset_lines,
    places,
    reset_lines,
    rows,
    state_lines,
)
from ottla.cli.kafka.groups import lines
from ottla.client.reset import Rule
from ottla.errors import LocalProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.list_groups import ListedGroup

P0, P1, P2 = (TopicPartition("t", number) for number in range(3))


def group(*members: Member, state: str = "Stable", epoch: int | None = None) -> Group:
    return Group(
        name="g",
        state=state,
        assignor="range" if members else "",
        members=members,
        coordinator=("h", 9092, 1),
        epoch=epoch,
        target_epoch=epoch,
    )


def member(name: str = "m", *, instance: str = "", epoch: int | None = None) -> Member:
    return Member(
        member_id=name,
        instance_id=instance,
        client_id="c",
        host="/1.2.3.4",
        assigned=(P1, P0),
        epoch=epoch,
        target=(P0,) if epoch is not None else (),
    )


def joined(found: Iterator[str]) -> str:
    return "\n".join(found)


def at(offset: int, epoch: int | None = None) -> Committed:
    return Committed(offset=offset, leader_epoch=epoch)


def test_partitions_are_told_with_their_lag_and_who_reads_them() -> None:
    one = group(member())
    found = rows(one, {P0: at(3, 5), P2: at(4)}, {P0: 10, P1: 2, P2: 4})
    assert joined(offset_lines(one, found, verbose=False)) == (
        "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG            "
        " CONSUMER-ID     HOST            CLIENT-ID\n"
        "g               t               0          3               10              7              "
        " m               /1.2.3.4        c\n"
        "g               t               1          -               2               -              "
        " m               /1.2.3.4        c\n"
        "g               t               2          4               4               0              "
        " -               -               -"
    )
    verbose = joined(offset_lines(one, found, verbose=True))
    assert "PARTITION  LEADER-EPOCH    CURRENT-OFFSET" in verbose
    assert "0          5               3 " in verbose


def test_columns_are_as_wide_as_their_longest_value() -> None:
    one = group(member("x" * 20))
    heading, first = list(offset_lines(one, rows(one, {}, {}), verbose=False))[1:3]
    assert heading.index("HOST") == first.index("/1.2.3.4")


def test_members_are_told() -> None:
    assert joined(member_lines(group(member()), verbose=False)) == (
        "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     \n"
        "g               m               /1.2.3.4        c               2               "
    )
    with_instance = joined(member_lines(group(member(instance="i")), verbose=False))
    assert "CONSUMER-ID     GROUP-INSTANCE-ID HOST" in with_instance
    verbose = list(member_lines(group(member()), verbose=True))
    assert verbose[1].endswith(
        "CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   "
    )
    assert verbose[2].endswith(
        "2               -               t:0,1                -               -                   "
    )
    new = list(member_lines(group(member(epoch=7)), verbose=True))[2]
    assert new.endswith("7               t:0,1                7               t:0                 ")


def test_states_are_told() -> None:
    assert joined(state_lines(group(state="Empty"), verbose=False)) == (
        "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                "
        "#MEMBERS\n"
        "g               h:9092  (1)               -                    Empty                0"
    )
    verbose = list(state_lines(group(member(), epoch=3), verbose=True))[2]
    assert verbose.endswith(
        "range                Stable               3               3                         1"
    )


def test_what_is_said_of_a_group_besides() -> None:
    assert notice(group(state="Empty")) == "\nConsumer group 'g' has no active members."
    for state in ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"):
        assert notice(group(state=state)) == "\nWarning: Consumer group 'g' is rebalancing."
    assert notice(group()) is None


def test_resets_and_deletions_are_told() -> None:
    assert joined(reset_lines({"g": {P1: 5, P0: 0}})) == (
        "\nGROUP           TOPIC           PARTITION  NEW-OFFSET\n"
        "g               t               0          0\n"
        "g               t               1          5"
    )
    assert joined(deleted_lines({P0: "Successful", TopicPartition("u", -1): "Error: x"})) == (
        "\nTOPIC           PARTITION  STATUS         \n"
        "t               0          Successful     \n"
        "u               -          Error: x       "
    )


def test_assignments_are_told_by_topic() -> None:
    assert places([TopicPartition("b", 10), TopicPartition("b", 9), P0]) == "b:9,10;t:0"
    assert places([]) == "-"


def test_a_plan_is_read_with_or_without_its_group() -> None:
    assert planned("t,0,7\nt,1,8\n", ["g"]) == {"g": {P0: 7, P1: 8}}
    assert planned("g,t,0,7\nh,t,1,8", []) == {"g": {P0: 7}, "h": {P1: 8}}
    assert planned('"a,b",0,7', ["g"]) == {"g": {TopicPartition("a,b", 0): 7}}
    for broken in ("t,0", "t,zero,7", "g,t,0,many"):
        with pytest.raises(LocalProtocolError, match="line 1 of the plan"):
            planned(broken, [])


def test_an_export_is_a_plan() -> None:
    offsets = {"g": {P1: 8, P0: 7}}
    assert list(csv_lines(offsets, with_group=False)) == ["t,0,7", "t,1,8"]
    text = "\n".join(csv_lines(offsets, with_group=True))
    assert planned(text, []) == offsets


def test_topics_and_some_of_their_partitions() -> None:
    assert scope(["a", "t:0,1"]) == (["a"], [P0, P1])
    with pytest.raises(Refused, match="Invalid partition 'x' specified in topic arg 't:x''"):
        scope(["t:x"])
    for broken in ("t:", "t:1:2"):
        with pytest.raises(Refused, match="expected topic name and partitions"):
            scope([broken])


def test_times_are_iso_8601() -> None:
    assert instant_ms("1970-01-01T00:00:01.500+00:00") == 1500
    assert instant_ms("1970-01-01T01:00:00Z") == 3_600_000
    for broken in ("2020-01-01", "yesterdayT"):
        with pytest.raises(LocalProtocolError):
            instant_ms(broken)


@pytest.mark.parametrize(
    ("said", "rule", "number"),
    [
        ({"to_offset": 0}, Rule.OFFSET, 0),
        ({"shift_by": -4}, Rule.SHIFT, -4),
        ({"to_datetime": "1970-01-01T00:00:01Z"}, Rule.TIME, 1000),
        ({"to_earliest": True}, Rule.EARLIEST, 0),
        ({"to_latest": True}, Rule.LATEST, 0),
        ({}, Rule.CURRENT, 0),
    ],
)
def test_a_scenario_is_a_rule(said: dict[str, object], rule: Rule, number: int) -> None:
    names = ("to_offset", "shift_by", "to_datetime", "by_duration")
    plain = dict.fromkeys(names) | dict.fromkeys(("to_earliest", "to_latest"), False)
    wish = wished(argparse.Namespace(**(plain | said)))
    assert (wish.rule, wish.number) == (rule, number)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--describe",), "Option [describe] takes one of these options: [all-groups], [group]"),
        (
            ("--describe", "--group", "g", "--members", "--state"),
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        ),
        (
            ("--describe", "--group", "g", "--state", "x"),
            "Option [describe] does not take a value for [state]",
        ),
        (
            ("--reset-offsets", "--group", "g", "--topic", "t", "--dry-run"),
            "Option '[reset-offsets]' requires one of the following scenarios",
        ),
        (
            ("--reset-offsets", "--group", "g", "--to-current", "--dry-run"),
            "One of the reset scopes should be defined: --all-topics, --topic.",
        ),
        (
            ("--reset-offsets", "--group", "g", "--execute", "--dry-run"),
            "Option [reset-offsets] only accepts one of [execute] and [dry-run]",
        ),
        (
            ("--delete-offsets", "--group", "g"),
            "Option [delete-offsets] takes the following options: [topic], [group]",
        ),
        (("--delete", "--list"), "Command must include exactly one action: --list, --describe"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    words: tuple[str, ...], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool("consumer-groups", ["--bootstrap-server", "127.0.0.1:1", *words])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(refusal)


def test_what_a_cluster_refuses_is_told_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool("consumer-groups", ["--bootstrap-server", "127.0.0.1:1", "--list"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("\nError: Executing consumer group command failed due to No broker")


def test_a_regular_expression_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    server = ["--bootstrap-server", "127.0.0.1:1"]
    for text, told in (("a.*", "`a.*` is valid."), ("a[", "`a[` is invalid: ")):
        assert run_tool("consumer-groups", [*server, "--validate-regex", text]) == 0
        assert told in capsys.readouterr().out


def test_groups_of_all_kinds_are_told_by_kafka_groups() -> None:
    found = list(lines([ListedGroup("g", "consumer", "Stable", "classic"), ListedGroup("h" * 25)]))
    assert found[0] == f"{'GROUP':<25} TYPE                 PROTOCOL            "
    assert found[1] == f"{'g':<25} Classic              consumer             "
    assert found[2] == f"{'h' * 25} Unknown                                   "
