"""Kafka's administrative tools against our broker: what they print, and what they leave behind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from ottla import Broker
from ottla.cli.kafka import run_tool

SECONDS_MAX = 20


class Tool(Protocol):
    """Runs a tool and returns what it prints on stdout; `code`: with which exit code it must end."""

    def __call__(self, name: str, *words: str, code: int = 0) -> str: ...


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with Broker(port=0, settings={"offsets.topic.num.partitions": 1}) as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def tool(bootstrap: str, capsys: pytest.CaptureFixture[str]) -> Tool:
    def run(name: str, *words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run_tool(name, [*words, "--bootstrap-server", bootstrap]) == code
        return capsys.readouterr().out

    return run


def test_a_topic_lives(tool: Tool) -> None:
    topic = ("--topic", "life")
    options = ("--partitions", "2", "--config", "retention.ms=5000")
    assert tool("topics", "--create", *topic, *options) == "Created topic life.\n"
    again = tool("topics", "--create", *topic, code=1)
    assert again.startswith("Error while executing topic command : ")
    assert "'life' already exists" in again
    assert tool("topics", "--create", *topic, "--if-not-exists") == ""
    assert tool("topics", "--list", "--topic", "li.*") == "life\n"
    assert tool("topics", "--alter", *topic, "--partitions", "3") == ""
    described = tool("topics", "--describe", *topic)
    assert "\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: retention.ms=5000\n" in described
    assert described.count("\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n") == 3
    assert tool("topics", "--delete", *topic) == ""
    gone = tool("topics", "--describe", *topic, code=1)
    assert gone == (
        "Error while executing topic command : Topic 'life' does not exist as expected\n"
    )


def test_partitions_beyond_one_answer_are_described(tool: Tool) -> None:
    for name in ("wide-a", "wide-b"):
        tool("topics", "--create", "--topic", name, "--partitions", "3")
    words = ("--topic", "wide-.*", "--partition-size-limit-per-response", "2")
    described = tool("topics", "--describe", *words)
    assert described.count("\n\tTopic: wide-a") == described.count("\n\tTopic: wide-b") == 3


def test_a_group_is_moved_told_and_deleted(tool: Tool) -> None:
    tool("topics", "--create", "--topic", "read", "--partitions", "2")
    named = ("--group", "readers")
    reset = ("--reset-offsets", *named, "--topic", "read")
    assert tool("consumer-groups", *reset, "--to-earliest", "--execute").splitlines() == [
        "",
        "GROUP           TOPIC           PARTITION  NEW-OFFSET",
        "readers         read            0          0",
        "readers         read            1          0",
    ]
    assert tool("consumer-groups", *reset, "--to-offset", "9", "--export", "--dry-run") == (
        "read,0,0\nread,1,0\n\n"
    )
    assert tool("consumer-groups", "--list").splitlines() == ["readers"]
    assert tool("groups", "--list").splitlines()[1].split() == ["readers", "Classic"]
    described = tool("consumer-groups", "--describe", *named).splitlines()
    assert [line.split() for line in described[2:]] == [
        ["readers", "read", number, "0", "0", "0", "-", "-", "-"] for number in ("0", "1")
    ]
    assert "Empty" in tool("consumer-groups", "--describe", *named, "--state")
    deleted = tool("consumer-groups", "--delete-offsets", *named, "--topic", "read:0")
    assert deleted.startswith("Request succeeded for deleting offsets from group readers.\n")
    assert tool("consumer-groups", "--delete", *named) == (
        "Deletion of requested consumer groups ('readers') was successful.\n"
    )
    assert "GroupIdNotFoundException" in tool("consumer-groups", "--describe", *named)


def test_configurations_are_changed_and_told(tool: Tool) -> None:
    tool("topics", "--create", "--topic", "configured")
    topic = ("--topic", "configured")
    add = ("--add-config", "retention.ms=7000,cleanup.policy=[compact,delete]")
    done = "Completed updating config for topic configured.\n"
    assert tool("configs", "--alter", *topic, *add) == done
    told = tool("configs", "--describe", *topic)
    assert told.startswith("Dynamic configs for topic configured are:\n")
    assert (
        "  retention.ms=7000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=7000}\n"
        in told
    )
    assert "  cleanup.policy=compact,delete sensitive=false" in told
    assert tool("configs", "--alter", *topic, "--delete-config", "retention.ms") == done
    assert "retention.ms" not in tool("configs", "--describe", *topic)
    everything = tool("configs", "--describe", "--all", *topic)
    assert "  segment.bytes=1073741824 sensitive=false" in everything
    assert tool("configs", "--alter", *topic, "--add-config", "no.such=1", code=1) == ""


def test_quotas_are_changed_and_told(tool: Tool) -> None:
    user = ("--user", "u", "--client-defaults")
    tool("configs", "--alter", *user, "--add-config", "producer_byte_rate=1e7")
    assert tool("configs", "--describe", *user) == (
        "Quota configs for user-principal 'u', the default client-id are producer_byte_rate=1.0E7\n"
    )
    tool("configs", "--alter", *user, "--delete-config", "producer_byte_rate")
    assert tool("configs", "--describe", *user) == ""


def test_offsets_and_records(tool: Tool, tmp_path: Path) -> None:
    tool("topics", "--create", "--topic", "kept", "--partitions", "11")
    offsets = tool("get-offsets", "--topic", "kept", "--partitions", "10,2").splitlines()
    assert offsets == ["kept:10:0", "kept:2:0"]
    assert tool("get-offsets", "--topic", "none", code=1) == ""
    plan = tmp_path / "plan.json"
    plan.write_text('{"partitions":[{"topic":"kept","partition":1,"offset":0}],"version":1}')
    assert tool("delete-records", "--offset-json-file", str(plan)).splitlines()[2:] == [
        "partition: kept-1\tlow_watermark: 0"
    ]


def test_a_broker_tells_itself(tool: Tool, bootstrap: str) -> None:
    versions = tool("broker-api-versions")
    assert versions.startswith(
        f"{bootstrap} (id: 1 rack: null isFenced: false) -> (\n\tProduce(0):"
    )
    assert versions.endswith("\n)\n")
    assert tool("cluster", "cluster-id").startswith("Cluster ID: ")
    assert "unfenced" in tool("cluster", "list-endpoints")
    assert "FinalizedVersionLevel: 4.3-IV0" in tool("features", "describe")
    assert "\nLeaderId:               1\n" in tool("metadata-quorum", "describe", "--status")
    assert "Leader\t" in tool("metadata-quorum", "describe", "--replication")
    told = tool("log-dirs", "--describe").splitlines()
    assert told[1] == "Received log directory information from brokers 1"
    assert json.loads(told[2])["brokers"][0]["broker"] == 1


def test_leaders_and_replicas(tool: Tool, tmp_path: Path) -> None:
    tool("topics", "--create", "--topic", "moved")
    one = ("--topic", "moved", "--partition", "0")
    assert tool("leader-election", "--election-type", "preferred", *one) == (
        "Valid replica already elected for partitions moved-0\n"
    )
    topics = tmp_path / "topics.json"
    topics.write_text('{"version":1,"topics":[{"topic":"moved"}]}')
    words = ("--generate", "--topics-to-move-json-file", str(topics), "--broker-list", "1")
    proposed = tool("reassign-partitions", *words).splitlines()[-1]
    plan = tmp_path / "plan.json"
    plan.write_text(proposed)
    file = ("--reassignment-json-file", str(plan))
    started = tool("reassign-partitions", "--execute", *file, "--throttle", "1000")
    assert started.endswith("Successfully started partition reassignment for moved-0\n")
    assert "leader.replication.throttled.replicas=0:1" in tool(
        "topics", "--describe", "--topic", "moved"
    )
    verified = tool("reassign-partitions", "--verify", *file)
    assert "Reassignment of partition moved-0 is completed.\n" in verified
    assert "throttled" not in tool("topics", "--describe", "--topic", "moved")
    assert tool("reassign-partitions", "--list") == "No partition reassignments found.\n"
