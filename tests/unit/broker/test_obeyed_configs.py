"""Configurations that requests changed are obeyed by the next request, and by the next process."""

from collections.abc import Sequence

import pytest

from ottla.core.controller.answer import Nobody
from ottla.core.effect import Effect, Reconfigure
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.records import ConfigRecord
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.record.compress import GZIP
from ottla.settings.broker import BrokerSettings
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

TOPIC, BROKER = 2, 4


class Watched(WholeNode):
    """Remembers what the shell was told to go by."""

    def __init__(self, disk: MemoryDisk, **how: Shutdown) -> None:
        self.told: list[BrokerSettings] = []
        super().__init__(disk, "node.id=1", **how)

    def perform(self, effects: Sequence[Effect]) -> None:
        self.told += [one.settings for one in effects if isinstance(one, Reconfigure)]
        super().perform(list(effects))


def alter(node: WholeNode, kind: int, name: str, **settings: str | None) -> None:
    configs = [
        AlterableConfig(key.replace("_", "."), 1 if text is None else 0, text)
        for key, text in settings.items()
    ]
    request = IncrementalAlterConfigsRequest([AlterConfigsResource(kind, name, configs)])
    (row,) = node.connect().ask(request, 1, IncrementalAlterConfigsResponse).responses
    assert (row.error_code, row.error_message) == (0, None)


def produced(node: WholeNode, *, size_bytes: int = 10, timestamp_ms: int = NOW_MS) -> int:
    builder = BatchBuilder()
    builder.append(timestamp_ms, None, bytes(size_bytes))
    parts = [PartitionProduceData(0, bytes(builder.build()))]
    request = ProduceRequest(None, -1, 1_000, [TopicProduceData(name="t", partition_data=parts)])
    answer = node.connect().ask(request, 9, ProduceResponse)
    return answer.responses[0].partition_responses[0].error_code


def leader(node: WholeNode) -> Leader:
    found = node.node.replicas.leader("t", 0)
    assert isinstance(found, Leader)
    return found


@pytest.fixture
def node() -> Watched:
    node = Watched(MemoryDisk())
    topics = [CreatableTopic("t", 1, 1)]
    node.connect().ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    return node


def test_a_topics_largest_message(node: Watched) -> None:
    assert produced(node, size_bytes=2_000) == 0
    alter(node, TOPIC, "t", max_message_bytes="1000")
    assert produced(node, size_bytes=2_000) == ErrorCode.MESSAGE_TOO_LARGE
    alter(node, TOPIC, "t", max_message_bytes=None)
    assert produced(node, size_bytes=2_000) == 0


def test_a_topics_timestamps(node: Watched) -> None:
    assert produced(node, timestamp_ms=NOW_MS - 60_000) == 0
    alter(node, TOPIC, "t", message_timestamp_before_max_ms="1000")
    assert produced(node, timestamp_ms=NOW_MS - 60_000) == ErrorCode.INVALID_TIMESTAMP
    alter(node, TOPIC, "t", message_timestamp_type="LogAppendTime")
    assert produced(node, timestamp_ms=NOW_MS - 60_000) == 0


@pytest.mark.parametrize("name", ["", "1"])
def test_a_brokers_settings_are_every_topics_that_has_none_of_its_own(
    node: Watched, name: str
) -> None:
    alter(node, BROKER, name, message_max_bytes="1000", log_retention_ms="5000")
    assert produced(node, size_bytes=2_000) == ErrorCode.MESSAGE_TOO_LARGE
    assert leader(node).log.settings.retention_ms == 5000
    alter(node, TOPIC, "t", max_message_bytes="5000")
    assert produced(node, size_bytes=2_000) == 0
    assert leader(node).log.settings.retention_ms == 5000
    alter(node, BROKER, name, log_retention_ms=None)
    assert leader(node).log.settings.retention_ms == 604_800_000


def test_a_broker_that_waits_for_the_disk_from_now_on(node: Watched) -> None:
    alter(node, BROKER, "", log_flush_interval_messages="1")
    builder = BatchBuilder()
    builder.append(NOW_MS, None, b"v")
    parts = [PartitionProduceData(0, bytes(builder.build()))]
    request = ProduceRequest(None, -1, 1_000, [TopicProduceData(name="t", partition_data=parts)])
    peer = node.connect()
    asked = peer.send(request, 9)
    assert peer.answer(asked) is None
    node.flush()
    assert peer.answer(asked) is not None


def test_the_shell_is_told_what_it_goes_by(node: Watched) -> None:
    alter(node, BROKER, "1", max_connections="7")
    assert [one.connections.connections_max for one in node.told] == [7]
    alter(node, BROKER, "1", num_io_threads="9")  # accepted without a meaning
    alter(node, TOPIC, "t", retention_ms="5")
    assert len(node.told) == 1


@pytest.mark.parametrize("how", [Shutdown.CLEAN, Shutdown.POWER_LOST])
def test_the_next_process_obeys_them_too(node: Watched, how: Shutdown) -> None:
    alter(node, BROKER, "", message_max_bytes="1000", max_connections="7")
    alter(node, TOPIC, "t", retention_ms="5000")
    if how is Shutdown.CLEAN:
        node.stop()
        disk = node.disk
    else:
        disk = node.disk.after_power_cut()
    again = Watched(disk, shutdown=how)
    assert [one.connections.connections_max for one in again.told] == [7]
    assert produced(again, size_bytes=2_000) == ErrorCode.MESSAGE_TOO_LARGE
    assert leader(again).log.settings.retention_ms == 5000


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("log.retention.ms", "soon"),
        ("log.roll.ms", "0"),
        ("num.partitions", "7"),
        ("listeners", "PLAINTEXT://:1"),
        ("no.such.setting", "1"),
    ],
)
def test_what_nothing_here_can_obey_is_passed_over(key: str, text: str, node: Watched) -> None:
    """As a metadata log may hold it that another program wrote."""

    record = ConfigRecord(BROKER, "1", key, text)
    node.perform(node.node.controller.submit(NOW_MS, (record,), Nobody()))
    node.flush()
    assert produced(node) == 0
    node.stop()
    again = Watched(node.disk)
    assert again.told == []
    assert produced(again) == 0


@pytest.mark.parametrize(("codec", "limit"), [("producer", "200"), ("uncompressed", "1500")])
def test_a_retry_is_known_though_the_limit_was_lowered_since(
    node: Watched, codec: str, limit: str
) -> None:
    """Else its producer divides it, and what it sent stands in the log twice."""

    def sent(sequence: int) -> tuple[int, int]:
        builder = BatchBuilder()
        for _ in range(10):
            builder.append(NOW_MS, None, bytes(range(200)))
        batch = builder.build(codec=GZIP, producer_id=7, producer_epoch=0, base_sequence=sequence)
        part = PartitionProduceData(0, bytes(batch))
        request = ProduceRequest(
            None, -1, 1_000, [TopicProduceData(name="t", partition_data=[part])]
        )
        row = node.connect().ask(request, 9, ProduceResponse).responses[0].partition_responses[0]
        return row.error_code, row.base_offset

    assert sent(0) == (ErrorCode.NONE, 0)
    alter(node, TOPIC, "t", max_message_bytes=limit, compression_type=codec)
    assert sent(0) == (ErrorCode.NONE, 0)
    assert sent(10) == (ErrorCode.MESSAGE_TOO_LARGE, -1)
    assert leader(node).log.end_offset == 10
