"""Apache Kafka's own command-line tools, run as a user would run them, judged by what they print.

Each check starts the tool's main class on Apache Kafka's jars, lets it do its work on a topic of its
own, and compares its output or what the reference client then sees.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from administration import Administration
from broker import Broker
from checks import World, Wrong, expect, placed, read_all
from clients import REFERENCE
from install import Java, java
from quotas import Quotas
from records import record

TABLE: Final = "Apache Kafka's tools"
COLUMN: Final = "works"
TOOL_SECONDS_MAX: Final = 60
Row = tuple[str, str, Callable[[], str | None]]


class Tools:
    """The tools aimed at one broker."""

    def __init__(self, java_tools: Java, broker: Broker, world: World, scratch: Path) -> None:
        self._java = java_tools
        self._scratch = scratch
        self._server = ("--bootstrap-server", broker.bootstrap)
        self._world = world

    def kafka_topics(self) -> None:
        tool, topic = "org.apache.kafka.tools.TopicCommand", "tool-topics"
        self.run(
            tool,
            *("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1"),
            *("--config", "retention.ms=3600000"),
            says=f"Created topic {topic}",
        )
        self.run(tool, "--list", says=rf"(?m)^{topic}$")
        self.run(
            tool,
            *("--describe", "--topic", topic),
            says=r"PartitionCount: 2\s+ReplicationFactor: 1\s+Configs: .*retention.ms=3600000"
            r"(?s:.*)Partition: 1\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+",
        )
        self.run(tool, "--alter", "--topic", topic, "--partitions", "4")
        self.run(tool, "--describe", "--topic", topic, says="PartitionCount: 4")
        self.run(tool, "--delete", "--topic", topic)
        self._world.wait_for_topic(self._world.reference, topic, there=False)

    def kafka_console_producer(self) -> None:
        topic = "tool-console-producer"
        self._world.create(topic)
        self.run(
            "org.apache.kafka.tools.ConsoleProducer",
            *("--topic", topic, "--compression-codec", "lz4"),
            *("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"),
            typed="h:1\tone\tfirst\nh:2\ttwo\tsecond\n",
        )
        expected = placed(
            [
                record(b"first", key=b"one", headers=(("h", b"1"),)),
                record(b"second", key=b"two", headers=(("h", b"2"),)),
            ]
        )
        expect(expected, read_all(self._world.reference, topic, {0: 0}, 2), "reading it back")

    def kafka_console_consumer(self) -> None:
        topic = "tool-console-consumer"
        self._world.create(topic)
        records = [record(f"value {n}".encode(), key=f"k{n}".encode()) for n in range(10)]
        self._world.reference.ask("produce", topic=topic, codec="zstd", records=records)
        self.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *("--topic", topic, "--partition", "0", "--offset", "4", "--max-messages", "6"),
            *("--formatter-property", "print.key=true"),
            *("--formatter-property", "print.offset=true"),
            says="(?m)^"
            + "\n".join(f"Offset:{n}\tk{n}\tvalue {n}" for n in range(4, 10))
            + r"\n(?s:.*)Processed a total of 6 messages",
        )
        # A whole topic, by a group that goes on where it stopped.
        whole = ("--topic", topic, "--group", "tool-console", "--from-beginning")
        for values in (range(4), range(4, 10)):
            self.run(
                "org.apache.kafka.tools.consumer.ConsoleConsumer",
                *(*whole, "--max-messages", str(len(values))),
                says="(?m)^" + "\n".join(f"value {n}" for n in values) + "$",
            )

    def kafka_producer_perf_test(self) -> None:
        topic = "tool-producer-perf"
        self._world.create(topic)
        self.run(
            "org.apache.kafka.tools.ProducerPerformance",
            *("--topic", topic, "--num-records", "20000", "--record-size", "200"),
            *("--throughput", "-1"),
            says=r"(?m)^20000 records sent, .*99.9th",
            server=("--command-property", "bootstrap.servers=" + self._server[1]),
        )
        marks = self._world.reference.ask("watermarks", topic=topic, partition=0)
        if marks != [0, 20000]:
            raise Wrong(f"first and end {marks} after 20000 records")

    def kafka_consumer_perf_test(self) -> None:
        topic = "tool-consumer-perf"
        self._world.create(topic)
        records = [record(b"x" * 100) for _ in range(5000)]
        self._world.reference.ask("produce", topic=topic, codec="lz4", records=records)
        self.run(
            "org.apache.kafka.tools.ConsumerPerformance",
            *("--topic", topic, "--num-records", "5000", "--group", "tool-perf"),
            says=r"(?m)^\d{4}-.*, 5000, ",
        )

    def kafka_e2e_latency(self) -> None:
        self.run(
            "org.apache.kafka.tools.EndToEndLatency",
            *("--topic", "tool-e2e", "--num-records", "50", "--producer-acks", "all"),
            *("--record-size", "100"),
            says=r"Avg latency: [\d.]+ ms(?s:.*)Percentiles: 50th = \d+, 99th = \d+, 99\.9th = \d+",
        )

    def kafka_streams_application_reset(self) -> None:
        """Its group is the application's; its input is read from the beginning again."""
        topic, application = "tool-streams-reset", "tool-streams"
        self._world.create(topic)
        records = [record(b"x") for _ in range(5)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        self.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *("--topic", topic, "--group", application, "--from-beginning", "--max-messages", "5"),
        )
        self.run(
            "org.apache.kafka.tools.StreamsResetter",
            *("--application-id", application, "--input-topics", topic),
            says=rf"Topic: {topic} Partition: 0 Offset: 0",
        )
        self.run(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *("--describe", "--group", application),
            says=rf"{topic}\s+0\s+0\s+5\s+5",
        )

    def kafka_consumer_groups(self) -> None:
        tool, topic, group = (
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            "tool-groups",
            "tool-group",
        )
        self._world.create(topic)
        records = [record(b"x") for _ in range(10)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        self.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *("--topic", topic, "--group", group, "--from-beginning", "--max-messages", "10"),
            says="Processed a total of 10 messages",
        )
        named = ("--group", group)
        self.run(tool, "--list", says=rf"(?m)^{group}$")
        self.run(tool, "--list", "--state", says=rf"(?m)^{group}\s.*Empty")
        self.run(tool, "--describe", *named, says=rf"{topic}\s+0\s+10\s+10\s+0")
        self.run(tool, "--describe", *named, "--state", says=rf"{group}\s.*Empty\s+0")
        self.run(tool, "--describe", *named, "--members", says="has no active members")
        self._reset_offsets(tool, group, topic)
        reset = ("--reset-offsets", *named, "--topic", topic, "--to-offset", "3", "--execute")
        self.run(tool, *reset, says=rf"{group}\s+{topic}\s+0\s+3")
        self.run(tool, "--describe", *named, says=rf"{topic}\s+0\s+3\s+10\s+7")
        self.run(
            tool,
            *("--delete-offsets", *named, "--topic", topic),
            says=rf"(?i){topic}\s+0\s+Successful",
        )
        self.run(
            tool, "--delete", *named, says=r"(?i)deletion of requested consumer groups.*success"
        )

    def _reset_offsets(self, tool: str, group: str, topic: str) -> None:
        """Every way to say where, told only; the group is at 10 of 10."""
        reset = ("--reset-offsets", "--group", group, "--topic", topic, "--dry-run")
        for where, offset in (
            (("--to-earliest",), 0),
            (("--to-latest",), 10),
            (("--to-current",), 10),
            (("--shift-by", "-4"), 6),
            (("--by-duration", "PT1H"), 0),
            (("--to-datetime", "2020-01-01T00:00:00.000"), 0),
        ):
            self.run(tool, *reset, *where, says=rf"{group}\s+{topic}\s+0\s+{offset}\b")

    def kafka_groups(self) -> None:
        tool, topic = "org.apache.kafka.tools.GroupsCommand", "tool-list-groups"
        self._world.create(topic)
        self._world.reference.ask(
            "join", member=topic, group=topic, topic=topic, strategy="range", instance=None
        )
        try:
            self.run(tool, "--list", says=rf"(?m)^{topic}\s+Classic\s+consumer")
        finally:
            self._world.reference.ask("leave", member=topic)

    def kafka_verifiable_consumer(self) -> None:
        topic = "tool-verifiable-consumer"
        self._world.create(topic)
        records = [record(b"x") for _ in range(500)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        self.run(
            "org.apache.kafka.tools.VerifiableConsumer",
            *("--topic", topic, "--group-id", topic, "--max-messages", "500"),
            *("--reset-policy", "earliest"),
            says=r'"name":"records_consumed"(?s:.*)"name":"offsets_committed"(?s:.*)"success":true'
            r'(?s:.*)"name":"shutdown_complete"',
        )
        self.run(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *("--describe", "--group", topic),
            says=rf"{topic}\s+0\s+500\s+500\s+0",
        )

    def kafka_verifiable_producer(self) -> None:
        topic = "tool-verifiable"
        self._world.create(topic)
        self.run(
            "org.apache.kafka.tools.VerifiableProducer",
            *("--topic", topic, "--max-messages", "500", "--acks", "-1"),
            says=r'"acked":500',
        )

    def kafka_get_offsets(self) -> None:
        topic = "tool-get-offsets"
        self._world.create(topic, partitions=2, retention_ms="-1")
        stamps = (1_000, 3_000, 2_000)
        records = [record(b"x", timestamp=stamp) for stamp in stamps]
        self._world.reference.ask("produce", topic=topic, codec="gzip", records=records)
        # earliest, latest, the record with the greatest time stamp, and the first at or after 2,500.
        for moment, offset in (("earliest", 0), ("latest", 3), ("max-timestamp", 1), ("2500", 1)):
            self.run(
                "org.apache.kafka.tools.GetOffsetShell",
                *("--topic-partitions", f"{topic}:0", "--time", moment),
                says=rf"(?m)^{topic}:0:{offset}$",
            )

    def kafka_delete_records(self) -> None:
        topic = "tool-delete-records"
        self._world.create(topic)
        records = [record(b"x") for _ in range(10)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        wish = (
            f'{{"version": 1, "partitions": [{{"topic": "{topic}", "partition": 0, "offset": 7}}]}}'
        )
        file = self._scratch / "delete-records.json"
        file.write_text(wish)
        self.run(
            "org.apache.kafka.tools.DeleteRecordsCommand",
            *("--offset-json-file", str(file)),
            says=rf"partition: {topic}-0\s+low_watermark: 7",
        )

    def kafka_configs(self) -> None:
        topic, tool = "tool-configs", "kafka.admin.ConfigCommand"
        self._world.create(topic, max_message_bytes="123456")
        entity = ("--entity-type", "topics", "--entity-name", topic)
        self.run(tool, "--describe", *entity, says=r"max\.message\.bytes=123456")
        # All keys, with where each value comes from.
        self.run(
            tool,
            *("--describe", "--all", *entity),
            says=r"cleanup\.policy=delete sensitive=false synonyms=\{"
            r"(?s:.*)max\.message\.bytes=123456 sensitive=false "
            r"synonyms=\{DYNAMIC_TOPIC_CONFIG:max\.message\.bytes=123456"
            r"(?s:.*)segment\.bytes=1073741824 sensitive=false synonyms=\{",
        )

    def kafka_broker_api_versions(self) -> str | None:
        printed = self.run(
            "org.apache.kafka.tools.BrokerApiVersionsCommand", says=r"Produce\(0\): .*usable: "
        )
        unusable = re.findall(r"(\w+)\(\d+\): [^\n]*UNSUPPORTED", printed)
        return f"not served: {', '.join(unusable)}" if unusable else None

    def kafka_cluster(self) -> None:
        self.run(
            "org.apache.kafka.tools.ClusterTool",
            "cluster-id",
            says=r"(?m)^Cluster ID: [\w-]{22}$",
        )

    def rows(self) -> list[Row]:
        checks = (
            self.kafka_topics,
            self.kafka_console_producer,
            self.kafka_console_consumer,
            self.kafka_producer_perf_test,
            self.kafka_consumer_perf_test,
            self.kafka_e2e_latency,
            self.kafka_streams_application_reset,
            self.kafka_consumer_groups,
            self.kafka_groups,
            self.kafka_verifiable_producer,
            self.kafka_verifiable_consumer,
            self.kafka_get_offsets,
            self.kafka_delete_records,
            self.kafka_configs,
            self.kafka_broker_api_versions,
            self.kafka_cluster,
            *Administration(self.run, self._world, self._scratch, self._server).checks(),
            *Quotas(self.run, self._world, self._server).checks(),
        )
        return [(check.__name__.replace("_", "-"), COLUMN, check) for check in checks]

    def run(
        self,
        main_class: str,
        *arguments: str,
        says: str = "",
        typed: str = "",
        server: tuple[str, ...] | None = None,
    ) -> str:
        """What the tool prints. It must end well and its output must contain the pattern `says`."""
        where = self._server if server is None else server
        # A subcommand, where a tool has them, comes before all options.
        options_at = 0 if arguments[:1] == () or arguments[0].startswith("--") else 1
        words = (*arguments[:options_at], *where, *arguments[options_at:])
        try:
            done = subprocess.run(
                self._java.command(main_class, *words),
                input=typed,
                capture_output=True,
                text=True,
                timeout=TOOL_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(arguments)}: no end after {TOOL_SECONDS_MAX} s") from None
        printed = done.stdout + done.stderr
        if done.returncode != 0:
            raise Wrong(f"{' '.join(arguments)}: exit code {done.returncode}: {_last(printed)}")
        if not re.search(says, printed):
            raise Wrong(f"{' '.join(arguments)}: printed {_last(printed)}")
        return printed


def _last(printed: str) -> str:
    lines = [line for line in printed.strip().splitlines() if not line.startswith("\tat ")]
    return " / ".join(lines[-3:])[:600] or "nothing"


def rows(broker: Broker, work: Path) -> list[Row]:
    """The table's rows; raises CannotInstall where there is no Java."""
    reference = REFERENCE.driver(work / "reference")
    reference.aim_at(broker.bootstrap)
    return Tools(java(), broker, World(reference, broker.data_dir), work).rows()
