"""`ottla topic copy` and `watch`, `ottla offsets`: against a real broker on loopback."""

import asyncio
import json
from pathlib import Path

import pytest

from ottla.aio.client import Client
from ottla.aio.consumer import Consumer
from ottla.aio.producer import Producer
from ottla.cli import config, topic
from ottla.cli.setting_names import correction
from ottla.cli.topic_watch import fitting, per_second
from ottla.client.configs import Kind
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.record import ConsumedRecord
from ottla.errors import ApiError, ErrorCode
from ottla.types import TopicPartition
from tests.unit.cli.saying import sayer
from tests.unit.cli.test_config import parsed, with_broker

COUNT = 30


async def write(client: Client, name: str) -> None:
    """Keys, headers, times, and values that are missing."""
    async with Producer(client) as producer:
        for number in range(COUNT):
            await producer.send(
                name,
                None if number % 7 == 0 else b"v%d" % number,
                b"k%d" % number,
                (("h", b"%d" % number), ("none", None)),
                number % 3,
                1_000 + number,
            )


async def read(client: Client, name: str, partitions: int) -> list[ConsumedRecord]:
    places = [TopicPartition(name, number) for number in range(partitions)]
    found: list[ConsumedRecord] = []
    async with Consumer(client, ConsumerOptions(offset_reset="earliest")) as consumer:
        consumer.assign(places)
        while len(found) < COUNT:
            for records in (await consumer.poll(1_000)).values():
                found.extend(records)
    return sorted(found, key=lambda one: one.timestamp)


def told_apart(records: list[ConsumedRecord], *, with_partition: bool) -> list[object]:
    return [
        (r.partition if with_partition else None, r.key, r.value, tuple(r.headers), r.timestamp)
        for r in records
    ]


def test_a_copy_has_all_but_the_offsets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create a --partitions 3 --config retention.ms=-1")
        await write(client, "a")
        told = await say("topic copy a b")
        assert "'b' did not exist; it was made like 'a'" in told
        assert "Copied 30 records of a to b." in told
        before = await read(client, "a", 3)
        assert told_apart(await read(client, "b", 3), with_partition=True) == told_apart(
            before, with_partition=True
        )
        assert json.loads(await say("topic describe b --json"))["items"][0]["configs"] == {
            "retention.ms": "-1"
        }
        # A second copy comes behind the first.
        (item,) = json.loads(await say("topic copy a b --json"))["items"]
        assert item == {"from": "a", "to": "b", "records": 30, "partitions": 3}
        ends = json.loads(await say("offsets b --json"))["items"]
        assert sum(one["end"] for one in ends) == 2 * COUNT

        await say("topic create few --partitions 2 --config retention.ms=-1")
        assert "--by-key" in await say("topic copy a few", expect=1)
        await say("topic copy a few --by-key")
        assert told_apart(await read(client, "few", 2), with_partition=False) == told_apart(
            before, with_partition=False
        )

        assert "onto itself" in await say("topic copy a a", expect=2)
        at = client.options.bootstrap[0]
        assert "is the same cluster" in await say(f"topic copy a a --to {at}", expect=2)
        assert "Copied 30 records" in await say(f"topic copy a c --to {at}")
        assert "'nix' does not exist" in await say("topic copy nix b", expect=1)

        await say("topic trim a --all")
        assert "Copied 0 records" in await say("topic copy a b")

    with_broker(tmp_path, scenario)


def test_a_copy_that_is_not_complete_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create a --config retention.ms=-1")
        async with Producer(client) as producer:
            await producer.send("a", b"x" * 1_000, partition=0)
        await say("topic create small --config max.message.bytes=100")
        told = await say("topic copy a small", expect=1)
        assert "Copied 0 records" in told
        assert "The copy is not complete: " in told

    with_broker(tmp_path, scenario)


def test_offsets_of_all_some_and_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        assert "There are no topics" in await say("offsets")
        await say("topic create a --partitions 3 --config retention.ms=-1")
        await say("topic create b")
        await write(client, "a")
        assert (await say("offsets")).splitlines() == [
            "TOPIC  PARTITION  FIRST  END",
            "a              0      0   10",
            "a              1      0   10",
            "a              2      0   10",
            "b              0      0    0",
        ]
        assert (await say("offsets a:1,0 --at 1015")).splitlines() == [
            "TOPIC  PARTITION  FIRST  END  AT-TIME",
            "a              1      0   10        5",
            "a              0      0   10        5",
        ]
        assert await say("topic offsets a:1") == await say("offsets a:1")
        assert "'nix' does not exist" in await say("offsets nix", expect=1)
        assert "no partition 3" in await say("offsets a:3", expect=1)

    with_broker(tmp_path, scenario)


def test_what_comes_in_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        await say("topic create a --partitions 3 --config retention.ms=-1")
        await write(client, "a")
        told = await say("topic watch a:0 --count 2 --interval-ms 100 --json")
        first, second = map(json.loads, told.splitlines())
        assert first["kind"] == "watch"
        assert first["items"][0]["per_second"] is None
        assert second["items"] == [
            {"topic": "a", "partition": 0, "leader": 1, "first": 0, "end": 10, "per_second": 0}
        ]
        told = await say("topic watch a:0 --count 1")
        assert told.splitlines()[0].split() == [
            "TOPIC", "PARTITION", "LEADER", "FIRST", "END", "PER-SECOND",
        ]  # fmt: skip
        assert "\x1b" not in told
        assert "does not exist" in await say("topic watch nix", expect=1)
        watching = asyncio.create_task(topic.do(client, parsed(topic, "watch", "a")))
        while not capsys.readouterr().out:
            await asyncio.sleep(0.01)
        watching.cancel()
        assert await watching == 0

    with_broker(tmp_path, scenario)


def test_a_rate_needs_two_looks() -> None:
    place = ("t", 0)
    assert per_second({}, {place: 5}, 1.0) == {}
    assert per_second({place: 5}, {place: 25}, 2.0) == {place: 10}
    assert per_second({place: 5}, {place: 3}, 2.0) == {place: 0}
    assert per_second({place: None}, {place: 3}, 2.0) == {}


def test_a_screen_holds_no_more_than_it_has_room_for() -> None:
    lines = [f"line {number}" for number in range(10)]
    assert fitting(lines, 80, 24) == lines
    shown = fitting(lines, 40, 5)
    assert shown == ["line 0", "line 1", "line 2", "... and 7 more; name topics to see them"]
    assert all(len(line) < 7 for line in fitting(lines, 7, 24))


def test_changes_are_told_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)

        async def items(line: str) -> object:
            told = json.loads(await say(f"{line} --json"))
            assert told["version"] == 1
            return told["items"]

        assert await items("topic create a") == [{"name": "a"}]
        assert await items("topic alter a --partitions 2 --config retention.ms=9") == [
            {"name": "a", "partitions": 2, "configs": ["retention.ms"]}
        ]
        assert await items("topic trim a:0 --all") == [{"topic": "a", "partition": 0, "first": 0}]
        args = parsed(config, "describe", "--topic", "a", "--json")
        await config._describe(client, config.resource_of(args), everything=False, as_json=True)
        (item,) = json.loads(capsys.readouterr().out)["items"]
        assert (item["key"], item["value"], item["sensitive"]) == ("retention.ms", "9", False)
        assert await items("topic delete a") == [{"name": "a"}]

    with_broker(tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "wrong", "near"),
    [
        (Kind.TOPIC, "retenton.ms", "retention.ms"),
        (Kind.BROKER, "log.retenton.ms", "log.retention.ms"),
        (Kind.GROUP, "consumer.sesion.timeout.ms", "consumer.session.timeout.ms"),
        (Kind.CLIENT_METRICS, "interval.m", "interval.ms"),
    ],
)
def test_a_setting_that_is_not_there_has_a_nearest_one(kind: Kind, wrong: str, near: str) -> None:
    error = ApiError(ErrorCode.INVALID_CONFIG, f"Unknown config name: {wrong}")
    assert correction(error, kind, [wrong]) == f"There is no {wrong}. Did you mean {near}?"


def test_a_setting_that_is_there_or_like_none_is_not_corrected() -> None:
    def said(name: str, code: int = ErrorCode.INVALID_CONFIG) -> str | None:
        return correction(ApiError(code, f"{name}: no"), Kind.TOPIC, [name])

    assert said("retention.ms") is None
    assert said("zz.top") is None
    assert said("retenton.ms", ErrorCode.TOPIC_AUTHORIZATION_FAILED) is None
    assert correction(ApiError(ErrorCode.INVALID_CONFIG, "no"), Kind.TOPIC, ["retenton.ms"]) is None


def test_a_wrong_name_of_a_setting_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        say = sayer(client, capsys)
        near = "There is no retenton.ms. Did you mean retention.ms?"
        assert near in await say("topic create a --config retenton.ms=1", expect=2)
        await say("topic create a")
        assert near in await say("topic alter a --config retenton.ms=1", expect=2)
        args = parsed(config, "alter", "--topic", "a", "--set", "retenton.ms=1")
        changes = config.changes_of(args)
        code = await config._alter(client, config.resource_of(args), changes, dry_run=False)
        assert (code, near in capsys.readouterr().err) == (2, True)

    with_broker(tmp_path, scenario)
