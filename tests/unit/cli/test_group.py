"""What `ottla group` prints, changes and refuses: against a real broker on loopback."""

import argparse
import json
from pathlib import Path

import pytest

from ottla.aio.client import Client
from ottla.cli import group
from ottla.cli.group import explained
from ottla.cli.positions import Named, named
from ottla.client.reset import Rule, Wish
from ottla.errors import ApiError, ErrorCode
from ottla.wire.api import JOIN_GROUP, SYNC_GROUP
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.stored.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription
from tests.unit.cli.saying import sayer
from tests.unit.cli.test_config import parsed, with_broker


async def write(client: Client, name: str, count: int) -> None:
    from ottla.aio.producer import Producer

    async with Producer(client) as producer:
        sent = [
            await producer.send(name, b"x", partition=0, timestamp_ms=1_000 * (number + 1))
            for number in range(count)
        ]
        await producer.flush()
        assert [one.result().offset for one in sent] == list(range(count))


async def join(client: Client, name: str, reads: str) -> None:
    """One member that has partition 0 of a topic, and says no more."""
    subscription = b"\0\0" + ConsumerProtocolSubscription([reads]).encode(0)
    protocols = [JoinGroupRequestProtocol("range", subscription)]
    # Up to version 3 a first join is admitted without an id of its own.
    joined = await client.ask_coordinator(
        name,
        JOIN_GROUP,
        JoinGroupRequest(name, 30_000, 60_000, "", None, "consumer", protocols),
        version_max=3,
    )
    assert isinstance(joined, JoinGroupResponse)
    assert joined.error_code == 0
    parts = ConsumerProtocolAssignment([TopicPartition(reads, [0])]).encode(0)
    given = [SyncGroupRequestAssignment(joined.member_id, b"\0\0" + parts)]
    request = SyncGroupRequest(name, joined.generation_id, joined.member_id, assignments=given)
    synced = await client.ask_coordinator(name, SYNC_GROUP, request, version_max=3)
    assert isinstance(synced, SyncGroupResponse)
    assert synced.error_code == 0


def test_offsets_are_reset_told_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        assert "There are no groups" in await say("group list")
        assert "There are no groups" in await say("group describe")
        await say("topic create t --partitions 2 --config retention.ms=-1")
        await write(client, "t", 10)
        reset = "group reset-offsets g --topic t"
        assert "--execute does it" in await say(f"{reset} --to-latest")
        assert "There are no groups" in await say("group list")
        told = await say(f"{reset} --to-latest --execute")
        assert told.splitlines() == [
            "GROUP  TOPIC  PARTITION  OLD-OFFSET  NEW-OFFSET",
            "g      t              0  -                   10",
            "g      t              1  -                    0",
        ]
        assert (await say("group list")).splitlines()[1:] == ["g      Empty  classic  -"]
        assert "There are no such groups" in await say("group list --state Stable")
        told = await say("group reset-offsets g --topic t:0 --shift-by -3 --execute")
        assert told.splitlines()[1:] == ["g      t              0          10           7"]
        told = await say("group describe g")
        assert told.splitlines() == [
            "Group g is Empty, no members.",
            "TOPIC  PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG",
            "t              0               7              10    3",
            "t              1               0               0    0",
        ]
        for how, new in (
            ("--to-datetime 4500", 4),
            ("--to-datetime 10001", 10),
            ("--by-duration PT1S", 10),
            ("--to-current", 7),
            ("--to-earliest", 0),
            ("--to-offset 3", 3),
        ):
            told = await say(f"group reset-offsets g --topic t:0 {how} --json")
            assert json.loads(told[: told.index("ottla:")])["items"][0]["new_offset"] == new, how
        assert "offset 30 is beyond the end; it becomes 10" in await say(
            "group reset-offsets g --topic t:0 --to-offset 30"
        )
        told = await say("group reset-offsets g --all-topics --to-earliest --json")
        assert [
            item["partition"] for item in json.loads(told[: told.index("ottla:")])["items"]
        ] == [
            0,
            1,
        ]
        await say("topic trim t:0 --before 5")
        told = await say("group reset-offsets g --topic t:0 --to-offset 3")
        assert "offset 3 is before the first record; it becomes 5" in told
        assert "Group g has no offset for t-1 any more" in await say(
            "group delete-offsets g --topic t:1"
        )
        assert "t              1" not in await say("group offsets g")
        assert (await say("group delete g")) == "Deleted group g.\n"
        assert "does not exist" in await say("group delete g", expect=1)

    with_broker(tmp_path, scenario)


def test_a_group_with_members_is_shown_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create t")
        await join(client, "g", "t")
        assert (await say("group state g")).splitlines() == [
            "GROUP  STATE   PROTOCOL  ASSIGNMENT-STRATEGY  MEMBERS",
            "g      Stable  consumer  range                      1",
        ]
        members = json.loads(await say("group members --json"))["items"]
        assert len(members) == 1
        assert members[0]["consumer_id"].startswith("ottla-")
        assert (members[0]["client_id"], members[0]["assigned"]) == ("ottla", "t:0")
        told = (await say("group describe g")).splitlines()
        assert told[0] == "Group g is Stable, 1 member, range."
        assert told[2].split()[:5] == ["t", "0", "-", "0", "-"]
        assert "still has members" in await say("group delete g", expect=1)
        assert "still has members" in await say(
            "group reset-offsets g --topic t --to-earliest --execute", expect=1
        )
        assert "a member reads it" in await say("group delete-offsets g --topic t", expect=1)
        told = await say("group describe g absent", expect=1)
        assert "Group 'absent' does not exist. See: ottla group list" in told
        assert "Group g is Stable" in told

    with_broker(tmp_path, scenario)


def test_what_cannot_be_found_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create t")
        for line, words in (
            ("group reset-offsets g --topic absent --to-latest", "'absent' does not exist"),
            ("group reset-offsets g --topic t:3 --to-latest", "there is no partition 3"),
            ("group reset-offsets g --topic t --shift-by 1", "no committed offset to shift from"),
            ("group reset-offsets g --all-topics --to-latest", "no offsets to reset"),
            ("group delete-offsets g --topic t", "Group 'g' does not exist"),
            ("group members g", "Group 'g' does not exist"),
            ("topic offsets Absent", "Topic 'Absent' does not exist"),
            ("topic trim t:9 --all", "there is no partition 9"),
            ("topic trim t --before 7", "has no offset 7"),
        ):
            assert words in await say(line, expect=1), line

    with_broker(tmp_path, scenario)


def test_records_are_counted_and_trimmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create t --partitions 2 --config retention.ms=-1")
        await write(client, "t", 10)
        assert await say("topic trim t:0 --before 4") == "t-0 begins with offset 4.\n"
        assert (await say("topic offsets t")).splitlines()[1:] == [
            "t              0      4   10",
            "t              1      0    0",
        ]
        await say("topic trim t --all")
        found = json.loads(await say("topic offsets t:0 --json"))["items"]
        assert found == [{"topic": "t", "partition": 0, "first": 10, "end": 10}]

    with_broker(tmp_path, scenario)


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (("--to-earliest",), Wish(rule=Rule.EARLIEST)),
        (("--to-latest",), Wish(rule=Rule.LATEST)),
        (("--to-current",), Wish(rule=Rule.CURRENT)),
        (("--to-offset", "0"), Wish(rule=Rule.OFFSET, number=0)),
        (("--shift-by", "-4"), Wish(rule=Rule.SHIFT, number=-4)),
        (("--to-datetime", "1000"), Wish(rule=Rule.TIME, number=1000)),
        (("--by-duration", "PT2S"), Wish(rule=Rule.TIME, number=3_000)),
    ],
)
def test_wishes(words: tuple[str, ...], wish: Wish) -> None:
    args = parsed(group, "reset-offsets", "g", "--topic", "t", *words)
    assert group.group_reset.wish_of(args, 5_000) == wish
    assert group.group_reset.problem(args) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "describe --bootstrap-server :1",
        "delete",
        "delete-offsets g",
        "reset-offsets g --topic t",
        "reset-offsets g --topic t --to-latest --to-earliest",
        "reset-offsets g --topic t: --to-latest",
        "reset-offsets g --topic t:0, --to-latest",
        "reset-offsets g --topic t --to-latest --execute --dry-run",
        "reset-offsets g --topic t --to-offset -1",
        "reset-offsets g --topic t --by-duration 2h",
    ],
)
def test_wrong_usage_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parsed(group, *line.split())
    assert exit_info.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("scope", ["", "--topic t --all-topics"])
def test_a_reset_needs_one_scope(scope: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"reset-offsets g --to-latest {scope}"
    assert group.run(parsed(group, *line.split())) == 2
    assert "--topic" in capsys.readouterr().err


def test_partitions_are_named() -> None:
    assert named("t") == Named("t", None)
    assert named("a.b_c:2,0,2") == Named("a.b_c", (2, 0))
    for text in ("", ":0", "t:x", "t:0:1", "t:2147483648", "t:-1"):
        with pytest.raises(argparse.ArgumentTypeError):
            named(text)


def test_errors_say_the_way_out() -> None:
    assert "ottla group list" in explained(ApiError(ErrorCode.GROUP_ID_NOT_FOUND), "g")
    assert "stop them first" in explained(ApiError(ErrorCode.NON_EMPTY_GROUP), "g")
    assert "INVALID_GROUP_ID" in explained(ApiError(ErrorCode.INVALID_GROUP_ID), "g")
    assert explained(ApiError(15, "x"), "g") == "Group 'g': COORDINATOR_NOT_AVAILABLE: x."


def test_offsets_go_into_a_file_and_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create t --partitions 2 --config retention.ms=-1")
        await write(client, "t", 10)
        await say("group reset-offsets g --topic t --to-latest --execute")
        told = await say("group reset-offsets g --all-topics --to-current --export")
        assert told == "t,0,10\nt,1,0\n"
        file = tmp_path / "offsets.csv"
        file.write_text("t,0,4\nt,1,9\n")
        told = await say(f"group reset-offsets g --from-file {file} --execute")
        assert "t-1: offset 9 is beyond the end; it becomes 0." in told
        assert (await say("group offsets g")).splitlines()[1].split()[3:5] == ["4", "10"]
        file.write_text("other,t,0,7\ng,t,0,8\n")
        told = await say(f"group reset-offsets g --from-file {file} --export")
        assert told == "t,0,8\n"
        for text, said in (
            ("t;0;4", "line 1 of the plan"),
            ("t,zero,4", "line 1 of the plan"),
            ("", "says nothing of it"),
            ("other,t,0,7", "says nothing of it, but of other"),
            ("t,5,1", "there is no partition 5"),
            ("absent,0,1", "'absent' does not exist"),
        ):
            file.write_text(text)
            told = await say(f"group reset-offsets g --from-file {file}", expect=1)
            assert said in told, text
        file.write_bytes(b"\xff\xfe")
        assert "is not a text file" in await say(
            f"group reset-offsets g --from-file {file}", expect=1
        )
        assert "cannot be read" in await say(
            "group reset-offsets g --from-file /does/not/exist", expect=1
        )

    with_broker(tmp_path, scenario)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--topic t --from-file x", "says itself which partitions"),
        ("--all-topics --from-file x", "says itself which partitions"),
        ("--topic t --to-latest --export --json", "exclude each other"),
        ("--to-latest", "Which partitions?"),
    ],
)
def test_what_excludes_each_other_is_refused(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert group.run(parsed(group, "reset-offsets", "g", *line.split())) == 2
    assert said in capsys.readouterr().err
