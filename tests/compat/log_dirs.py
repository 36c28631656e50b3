"""Several log directories: Apache Kafka writes them, the broker under test takes over, and back.

Between the two, Apache Kafka's tools ask what is where, and move a partition to another directory
while a producer goes on writing to it.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from apache import ApacheKafka
from broker import Broker
from checks import Wrong, read_all
from clients import CLIENTS
from driver import Driver
from install import Java
from records import Record, record

TOPIC: Final = "fx-log-dirs"
PARTITIONS: Final = 4
RECORDS: Final = 200
MOVE_SECONDS_MAX: Final = 30
TOOL_SECONDS_MAX: Final = 60
REASSIGN: Final = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
LOG_DIRS: Final = "org.apache.kafka.tools.LogDirsCommand"


class Directories:
    """Two directories and what was written to the topic in them."""

    def __init__(self, java_tools: Java, make: Any, work: Path) -> None:
        """`make`: a broker of the kind under test, see `run.py`."""
        self._java = java_tools
        self._make = make
        self._work = work
        self._paths = [work / "first", work / "second"]
        self._settings = {"log.dirs": ",".join(map(str, self._paths)), "node.id": "1"}
        self._client: Driver = next(one for one in CLIENTS if one.name == "java").driver(work)
        self._written: list[Record] = []

    def exchange(self) -> str:
        apache = self._apache("apache")
        apache.format_directory()
        self._with(apache, self._fill)
        self._with(self._make(self._paths[0], self._work / "ours", self._settings), self._move)
        self._with(self._apache("apache-again"), self._same)
        return f"{len(self._written)} records, one partition moved, and back again"

    def _apache(self, name: str) -> ApacheKafka:
        return ApacheKafka(self._java, self._paths[0], self._work / name, overrides=self._settings)

    def _with(self, broker: Broker, act: Any) -> None:
        broker.start()
        try:
            self._client.aim_at(broker.bootstrap)
            act(broker)
        finally:
            self._client.close()
            broker.stop()

    def _fill(self, broker: Broker) -> None:
        self._client.ask("create", topic=TOPIC, partitions=PARTITIONS, configs={})
        self._produce()

    def _produce(self) -> None:
        first = len(self._written)
        records = [
            record(f"value {number}".encode() * 10, partition=number % PARTITIONS)
            for number in range(first, first + RECORDS)
        ]
        self._client.ask("produce", topic=TOPIC, codec="none", records=records)
        self._written += records

    def _move(self, broker: Broker) -> None:
        self._same(broker)
        before = self._where(broker)
        counts = sorted(len(partitions) for partitions in before.values())
        if counts != [PARTITIONS // 2] * 2:
            raise Wrong(f"the partitions are told to be in {before}")
        source, target = sorted(before, key=lambda path: f"{TOPIC}-0" not in before[path])
        plan = self._work / "move.json"
        where = {"topic": TOPIC, "partition": 0, "replicas": [1], "log_dirs": [target]}
        plan.write_text(json.dumps({"version": 1, "partitions": [where]}))
        options = ("--reassignment-json-file", str(plan))
        said = self._run(broker, REASSIGN, "--execute", *options)
        if "Successfully started moving log director" not in said:
            raise Wrong(f"kafka-reassign-partitions: {said.strip()[-300:]}")
        deadline = time.monotonic() + MOVE_SECONDS_MAX
        while "completed successfully" not in (
            said := self._run(broker, REASSIGN, "--verify", *options)
        ):
            self._produce()
            if time.monotonic() > deadline:
                raise Wrong(f"the partition has not moved: {said.strip()[-300:]}")
        self._produce()
        after = self._where(broker)
        if after[target] != before[target] | {f"{TOPIC}-0"}:
            raise Wrong(f"after the move the partitions are in {after}")
        if not (Path(target) / f"{TOPIC}-0").is_dir() or (Path(source) / f"{TOPIC}-0").exists():
            raise Wrong("the directories on disk are not what was told")
        self._same(broker)

    def _where(self, broker: Broker) -> dict[str, set[str]]:
        """Directory -> the topic's partitions, as kafka-log-dirs prints it."""
        printed = self._run(broker, LOG_DIRS, "--describe", "--topic-list", TOPIC)
        found = next(line for line in printed.splitlines() if line.startswith("{"))
        rows = json.loads(found)["brokers"][0]["logDirs"]
        if any(row["error"] for row in rows):
            raise Wrong(f"kafka-log-dirs tells errors: {rows}")
        return {row["logDir"]: {one["partition"] for one in row["partitions"]} for row in rows}

    def _same(self, broker: Broker) -> None:
        ends = dict.fromkeys(range(PARTITIONS), 0)
        got = read_all(self._client, TOPIC, ends, len(self._written))
        want = sorted(self._written, key=lambda one: int(one["partition"]))
        if [one["value"] for one in got] != [one["value"] for one in want]:
            raise Wrong(f"not the records that were written, by {type(broker).__name__}")

    def _run(self, broker: Broker, main_class: str, *arguments: str) -> str:
        done = subprocess.run(
            self._java.command(main_class, "--bootstrap-server", broker.bootstrap, *arguments),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise Wrong(f"{main_class.rpartition('.')[2]}: {(done.stdout + done.stderr)[-400:]}")
        return done.stdout
