"""What `ottla topic` prints and refuses."""

import argparse
import json
from pathlib import Path

import pytest

from ottla.aio.client import Client
from ottla.cli import topic, topic_describe
from ottla.cli.bootstrap import addresses, explained
from ottla.client.metadata import Address
from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from tests.unit.cli.test_config import with_broker
from tests.unit.client.clusters import cluster


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    topic.add_arguments(parser)
    return parser.parse_args(words)


def test_describe_prints_what_kafkas_tool_prints() -> None:
    view = cluster(1, -1).topics["t"]
    lines = list(topic_describe.described(view, [("a", "1"), ("b", "2")], {("t", 0): ([2], [])}))
    summary = "Topic: t\tTopicId: AAECAwQFBgcICQoLDA0ODw\tPartitionCount: 2\tReplicationFactor: 2"
    assert lines == [
        f"{summary}\tConfigs: a=1,b=2",
        "\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1\tElr: 2\tLastKnownElr: ",
        "\tTopic: t\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: -1\tElr: \tLastKnownElr: ",
    ]
    old = list(topic_describe.described(view, [], None))
    assert old[1].endswith("\tElr: N/A\tLastKnownElr: N/A")


def test_counts_and_settings_are_read() -> None:
    args = parsed("create", "t", "--partitions", "3", "--config", "a=b=c", "--config", "d=")
    assert (args.partitions, args.replication_factor) == (3, None)
    assert dict(args.config) == {"a": "b=c", "d": ""}


@pytest.mark.parametrize(
    "words",
    [
        ("create",),
        ("create", "t", "--partitions", "0"),
        ("create", "t", "--partitions", "many"),
        ("create", "t", "--replication-factor", "32768"),
        ("create", "t", "--config", "a"),
        ("list", "--bootstrap-server", "h:0"),
        ("delete",),
        (),
    ],
)
def test_wrong_usage_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parsed(*words)
    assert exit_info.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:9093", [Address("localhost", 9093)]),
        ("localhost", [Address("localhost", 9092)]),
        ("a:1, b:2", [Address("a", 1), Address("b", 2)]),
        ("[::1]:9093", [Address("::1", 9093)]),
        ("[::1]", [Address("::1", 9092)]),
    ],
)
def test_bootstrap_addresses(text: str, expected: list[Address]) -> None:
    assert addresses(text) == expected


@pytest.mark.parametrize(
    "text", ["", ",", ":9092", "h:x", "h:65536", "::1:9092", "http://h:9092", "h:9²"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        addresses(text)


def test_failures_say_what_next() -> None:
    where = [Address("h", 1)]
    unknown = ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "x")
    assert "ottla topic create orders" in explained(unknown, where, "orders")
    assert explained(RemoteProtocolError("h:1 lies"), where, "t") == "h:1 lies."
    assert explained(ApiError(29, "no"), where, "t") == "TOPIC_AUTHORIZATION_FAILED: no."


def test_a_terminal_gets_a_table_for_each_topic() -> None:
    view = cluster(1, -1).topics["t"]
    assert list(topic_describe.shown(view, [("a", "1")], 80)) == [
        "Topic t: 2 partitions, id AAECAwQFBgcICQoLDA0ODw.",
        "  a=1",
        "PARTITION  LEADER  REPLICAS  ISR",
        "        0       1  1,2       1",
        "        1       -  1,2       -1",
    ]


def test_topics_are_listed_described_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        async def say(line: str, *, expect: int = 0) -> str:
            assert await topic.do(client, parsed(*line.split())) == expect
            return "".join(capsys.readouterr())

        assert await say("create a --partitions 2 --config retention.ms=9") == "Created topic a.\n"
        await say("create b")
        assert "already exists" in await say("create a", expect=1)
        assert await say("create a --if-not-exists") == ""
        assert await say("list") == "a\nb\n"
        items = json.loads(await say("ls --json"))["items"]
        assert items == [
            {"name": "a", "partitions": 2, "internal": False},
            {"name": "b", "partitions": 1, "internal": False},
        ]
        told = await say("describe a nix", expect=1)
        assert "Topic 'nix' does not exist. See: ottla topic list" in told
        assert "PartitionCount: 2\tReplicationFactor: 1\tConfigs: retention.ms=9" in told
        assert "\tTopic: a\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: " in told
        assert "does not exist" in await say("describe nix --json", expect=1)
        assert "has 3 partitions" in await say("alter a --partitions 3 --unset retention.ms")
        assert "Nothing to change" in await say("alter a", expect=2)
        assert "was not altered: INVALID_PARTITIONS" in await say(
            "alter a --partitions 1", expect=1
        )
        assert "'nix' does not exist" in await say("alter nix --partitions 2", expect=1)
        told = await say("delete a nix", expect=1)
        assert "Deleted topic a." in told
        assert "Topic 'nix' does not exist. (--if-exists makes that fine.)" in told
        assert await say("delete nix --if-exists") == ""
        assert "cannot be described: INVALID_TOPIC" in await say("describe a/b", expect=1)

    with_broker(tmp_path, scenario)
