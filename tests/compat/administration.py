"""Apache Kafka's tools that look after a node: configurations, log directories, leaders, replicas, features.

They share one broker with everything else that is checked, so each takes back what it changed for
more than its own topic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from checks import World, Wrong
from driver import Refused
from records import record

CONFIGS: Final = "kafka.admin.ConfigCommand"
TOOLS: Final = "org.apache.kafka.tools."
REASSIGN: Final = TOOLS + "reassign.ReassignPartitionsCommand"

Check = Callable[[], str | None]


class Run(Protocol):
    """Runs a tool; `Wrong` when it ends badly or its output lacks the pattern `says`."""

    def __call__(
        self,
        main_class: str,
        *arguments: str,
        says: str = "",
        server: tuple[str, ...] | None = None,
    ) -> str: ...


class Administration:
    """The checks; `server` is how a tool is told the broker's address."""

    def __init__(self, run: Run, world: World, scratch: Path, server: tuple[str, str]) -> None:
        self._run = run
        self._world = world
        self._scratch = scratch
        self._server = server

    def checks(self) -> tuple[Check, ...]:
        return (
            self.kafka_configs_topics,
            self.kafka_configs_brokers,
            self.kafka_configs_loggers,
            self.kafka_configs_groups,
            self.kafka_client_metrics,
            self.kafka_log_dirs,
            self.kafka_leader_election,
            self.kafka_reassign_partitions,
            self.kafka_metadata_quorum,
            self.kafka_features,
            self.kafka_cluster_unregister,
        )

    def kafka_configs_topics(self) -> None:
        topic = "tool-configs-topics"
        self._world.create(topic)
        entity = ("--topic", topic)
        self._alter(*entity, "--add-config", "retention.ms=5000,cleanup.policy=[compact,delete]")
        self._run(
            CONFIGS,
            *("--describe", *entity),
            says=r"(?s)cleanup\.policy=compact,delete .*retention\.ms=5000 sensitive=false "
            r"synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=5000",
        )
        self._alter(*entity, "--delete-config", "retention.ms")
        printed = self._run(CONFIGS, "--describe", *entity, says=r"cleanup\.policy=compact,delete")
        if "retention.ms" in printed:
            raise Wrong(f"retention.ms was removed and is told: {printed}")
        self._refused(r"retention\.ms", *entity, "--add-config", "retention.ms=soon")
        self._refused("Unknown topic config name: no.such", *entity, "--add-config", "no.such=1")
        self._alter(*entity, "--add-config", "max.message.bytes=1000")
        records = [record(bytes(5_000))]
        try:
            self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        except Refused as refusal:
            if "SIZE" not in str(refusal).upper() and "LARGE" not in str(refusal).upper():
                raise
        else:
            raise Wrong("a record larger than the new max.message.bytes was taken")

    def kafka_configs_brokers(self) -> None:
        everyone = ("--broker-defaults",)
        self._alter(*everyone, "--add-config", "log.retention.ms=7000000")
        self._run(
            CONFIGS,
            *("--describe", *everyone),
            says=r"log\.retention\.ms=7000000 sensitive=false synonyms="
            r"\{DYNAMIC_DEFAULT_BROKER_CONFIG:log\.retention\.ms=7000000\}",
        )
        self._alter(*everyone, "--delete-config", "log.retention.ms")
        one = ("--broker", "1")
        self._alter(*one, "--add-config", "log.cleaner.backoff.ms=16000")
        self._run(CONFIGS, "--describe", *one, says=r"log\.cleaner\.backoff\.ms=16000")
        self._alter(*one, "--delete-config", "log.cleaner.backoff.ms")
        self._refused("Cannot update these configs dynamically", *one, "--add-config", "log.dir=/x")

    def kafka_configs_loggers(self) -> None:
        entity = ("--entity-type", "broker-loggers", "--entity-name", "1")
        self._alter(*entity, "--add-config", "root=ERROR")
        self._run(CONFIGS, "--describe", *entity, says=r"(?m)^  root=ERROR ")
        self._alter(*entity, "--add-config", "root=INFO")

    def kafka_configs_groups(self) -> str | None:
        entity = ("--entity-type", "groups", "--entity-name", "tool-configs-group")
        self._alter(*entity, "--add-config", "consumer.session.timeout.ms=50000")
        self._refused("consumer", *entity, "--add-config", "consumer.session.timeout.ms=5")
        note = None
        try:
            self._run(CONFIGS, "--describe", *entity, says=r"consumer\.session\.timeout\.ms=50000")
        except Wrong as refusal:
            if "does not support LIST_GROUPS" not in str(refusal):
                raise
            note = "altered; its --describe asks for all groups"
        self._alter(*entity, "--delete-config", "consumer.session.timeout.ms")
        return note

    def kafka_client_metrics(self) -> None:
        tool, name = TOOLS + "ClientMetricsCommand", "tool-client-metrics"
        self._run(tool, "--alter", "--name", name, "--interval", "5000", "--metrics", "a.,b.")
        self._run(tool, "--list", says=rf"(?m)^{name}$")
        self._run(
            tool, "--describe", "--name", name, says=r"(?s)interval\.ms=5000.*metrics=a\.,b\."
        )
        self._run(tool, "--delete", "--name", name)

    def kafka_log_dirs(self) -> None:
        topic = "tool-log-dirs"
        self._world.create(topic, partitions=2)
        records = [record(b"x" * 100) for _ in range(10)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        printed = self._run(TOOLS + "LogDirsCommand", "--describe", "--topic-list", topic)
        found = next(line for line in printed.splitlines() if line.startswith("{"))
        (directory,) = json.loads(found)["brokers"][0]["logDirs"]
        sizes = {row["partition"]: row["size"] for row in directory["partitions"]}
        if not (sizes[f"{topic}-0"] > 1_000 and sizes[f"{topic}-1"] == 0):
            raise Wrong(f"sizes {sizes} after 1,000 bytes for partition 0")
        data_dir = self._world.data_dir
        if data_dir is not None and directory["logDir"] != str(data_dir):
            raise Wrong(f"the directory is told as {directory['logDir']}, it is {data_dir}")

    def kafka_leader_election(self) -> None:
        tool, topic = TOOLS + "LeaderElectionCommand", "tool-leader-election"
        self._world.create(topic)
        self._run(tool, "--election-type", "preferred", "--all-topic-partitions")
        one = ("--topic", topic, "--partition", "0")
        for kind in ("preferred", "unclean"):
            says = "Valid replica already elected"
            self._run(tool, "--election-type", kind, *one, says=says)

    def kafka_reassign_partitions(self) -> None:
        topic = "tool-reassign"
        self._world.create(topic)
        topics = self._file("topics.json", {"version": 1, "topics": [{"topic": topic}]})
        self._run(
            REASSIGN,
            *("--generate", "--topics-to-move-json-file", topics, "--broker-list", "1"),
            says=rf'"topic":"{topic}","partition":0,"replicas":\[1\]',
        )
        where = {"topic": topic, "partition": 0, "replicas": [1]}
        plan = (
            "--reassignment-json-file",
            self._file("plan.json", {"version": 1, "partitions": [where]}),
        )
        self._run(REASSIGN, "--execute", *plan, says="Successfully started partition reassignment")
        self._run(
            REASSIGN, "--verify", *plan, says=rf"Reassignment of partition {topic}-0 is comple"
        )
        self._run(REASSIGN, "--list", says="No partition reassignments found")
        self._run(REASSIGN, "--cancel", *plan, says="None of the specified partition reassignments")

    def kafka_metadata_quorum(self) -> None:
        tool = TOOLS + "MetadataQuorumCommand"
        status = (*self._server, "describe", "--status")
        self._run(
            tool,
            *status,
            says=r"(?s)LeaderId: +1\n.*MaxFollowerLag: +0\n.*CurrentVoters: +\[\{\"id\": 1",
            server=(),
        )
        replication = (*self._server, "describe", "--replication")
        self._run(tool, *replication, says=r"(?m)^1\s.*\s0\s.*Leader", server=())

    def kafka_features(self) -> str:
        tool = TOOLS + "FeatureCommand"
        self._run(
            tool,
            *(*self._server, "describe"),
            says=r"Feature: metadata\.version\s.*FinalizedVersionLevel: 4\.3-IV0",
            server=(),
        )
        level = ("--feature", "metadata.version=30")
        self._run(
            tool,
            *(*self._server, "upgrade", *level),
            says=r"metadata\.version was upgraded to 30",
            server=(),
        )
        try:
            lower = ("downgrade", "--feature", "metadata.version=21")
            self._run(tool, *self._server, *lower, server=())
        except Wrong as refusal:
            if "might delete metadata" not in str(refusal):
                raise
        else:
            raise Wrong("metadata.version was lowered to one whose records are others")
        return (
            "metadata.version; a whole release's features need all that Kafka switches on by them"
        )

    def kafka_cluster_unregister(self) -> None:
        tool = TOOLS + "ClusterTool"
        try:
            self._run(tool, "unregister", "--id", "77")
        except Wrong as refusal:
            if "Broker ID 77 is not currently registered" not in str(refusal):
                raise
        else:
            raise Wrong("a broker that never was is unregistered")

    def _alter(self, *arguments: str) -> None:
        self._run(CONFIGS, "--alter", *arguments, says="Completed updating")

    def _refused(self, why: str, *arguments: str) -> None:
        try:
            self._run(CONFIGS, "--alter", *arguments)
        except Wrong as refusal:
            if why.replace("\\", "") not in str(refusal):
                raise
        else:
            raise Wrong(f"{' '.join(arguments)}: was not refused")

    def _file(self, name: str, content: object) -> str:
        path = self._scratch / name
        path.write_text(json.dumps(content))
        return str(path)
