"""Kafka Connect, MirrorMaker and Kafka Streams, the applications that Apache Kafka comes with.

Connect's workers keep all they know in compacted topics and share connectors by a group whose protocol is
their own. Streams makes the topics it needs, deletes what it has read of them, and finds its state
again in a changelog. They ask more of a broker than other clients, and fail late and in logs, so here
workers and instances are killed, the broker is too, and what counts is what comes out at the end.

MirrorMaker is how one moves between clusters while they are used: from an Apache Kafka, and to one.

Exactly-once and `group.protocol=streams` are not asked: brokers without transactions or that
group protocol refuse them.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import install
from apache import ApacheKafka
from broker import ROOT, STOP_SECONDS_MAX, Process, free_port
from checks import World, Wrong, expect, placed, read_all
from clients import REFERENCE
from records import Record, as_written_by, awkward_records, record
from tools import Row

TABLE: Final = "Apache Kafka's applications"
COLUMN: Final = "works"
OTTLA: Final = str(ROOT / ".venv" / "bin" / "ottla")
RESULT_SECONDS_MAX: Final = 90
POLL_SECONDS: Final = 0.2
WORDS: Final = ("all streams lead to kafka", "hello kafka streams", "join kafka summit")
STREAMS_DEMO: Final = "org.apache.kafka.streams.examples.wordcount.WordCountDemo"
COUNTS: Final = "streams-wordcount-output"
# A member that was killed is missed after so long: the least that brokers take.
SESSION: Final = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
# 409 while a group rebalances, and 500 where that was noticed late.
REBALANCING: Final = (409, 500)
Side = tuple[World, str]
"""A broker, as the reference client sees it, and its address."""


class Applications:
    """The rows, on one broker; each ends what it has started."""

    def __init__(self, jars: Path, world: World, bootstrap: str, work: Path) -> None:
        self._jars = jars
        self._world = world
        self._bootstrap = bootstrap
        self._work = work

    def rows(self) -> list[Row]:
        checks: dict[str, Callable[[], None]] = {
            "Kafka Connect: a worker, from file to file": self.connect_standalone,
            "Kafka Connect: two workers, one is killed": self.connect_distributed,
            "MirrorMaker: from Apache Kafka": self.mirrored_in,
            "MirrorMaker: to Apache Kafka": self.mirrored_out,
            "Kafka Streams: words are counted": self.streams,
            "Kafka Streams: another instance goes on": self.streams_moved,
        }
        return [(name, COLUMN, check) for name, check in checks.items()]

    # ---- Connect

    def connect_standalone(self) -> None:
        """The quickstart's: two connectors, a topic that is made by its first record."""
        source, sink = self._work / "test.txt", self._work / "test.sink.txt"
        source.write_text("foo\nbar\n")
        worker = {"offset.storage.file.filename": str(self._work / "connect.offsets")}
        connectors = [
            self._properties(
                "source",
                {"name": "local-source", **_connector("Source", source, topic="connect-test")},
            ),
            self._properties(
                "sink", {"name": "local-sink", **_connector("Sink", sink, topics="connect-test")}
            ),
        ]
        with self._worker("Standalone", worker, *map(str, connectors)):
            _until(lambda: _lines(sink), ["foo", "bar"])
            with source.open("a") as file:
                file.write("Another line\n")
            _until(lambda: _lines(sink), ["foo", "bar", "Another line"])
        (first, *_) = read_all(self._world.reference, "connect-test", {0: 0}, 3)
        said = json.loads(b64decode(first["value"]))
        if said != {"schema": {"type": "string", "optional": False}, "payload": "foo"}:
            raise Wrong(f"the topic holds {said}")

    def connect_distributed(self) -> None:
        """What one worker was told the other knows, and goes on with when that one is gone, and when the
        broker was; offsets are asked for, and reset."""
        source, sink = self._work / "lines.txt", self._work / "lines.sink.txt"
        source.write_text("one\ntwo\n")
        settings = {
            "group.id": "connect-cluster",
            "scheduled.rebalance.max.delay.ms": "0",
            "worker.unsync.backoff.ms": "1000",
            **SESSION,
        }
        for what in ("offset", "config", "status"):
            settings[f"{what}.storage.topic"] = f"connect-{what}"
            settings[f"{what}.storage.replication.factor"] = "1"
        with (
            self._worker("Distributed", settings) as first,
            self._worker("Distributed", settings) as other,
        ):
            reads = {"topic.creation.default.replication.factor": "-1"}
            reads["topic.creation.default.partitions"] = "2"
            first.ask(
                "PUT",
                "/connectors/src/config",
                {**_connector("Source", source, topic="lines"), **reads},
            )
            other.ask("PUT", "/connectors/snk/config", _connector("Sink", sink, topics="lines"))
            _until(lambda: _lines(sink), ["one", "two"])
            # Both ends have noted it, so nothing is done twice.
            _until(lambda: _committed(other), 2)
            _until(lambda: _positions(other), [source.stat().st_size])
            first.kill()
            with source.open("a") as file:
                file.write("three\n")
            _until(lambda: _lines(sink), ["one", "two", "three"])
            if self._world.restart is not None:
                self._world.restart(True)
            with source.open("a") as file:
                file.write("four\n")
            # Who could not tell how far it was does it again; nothing may be left out.
            everything = {"one", "two", "three", "four"}
            _until(lambda: {*_lines(sink)}, everything)
            _until(lambda: _committed(other) >= len(everything), True)
            other.ask("PUT", "/connectors/snk/stop")
            _until(lambda: other.ask("GET", "/connectors/snk/status")["tasks"], [])
            other.ask("DELETE", "/connectors/snk/offsets")
            if other.ask("GET", "/connectors/snk/offsets") != {"offsets": []}:
                raise Wrong("the offsets are there after their reset")
            sink.write_text("")
            other.ask("PUT", "/connectors/snk/resume")
            _until(lambda: {*_lines(sink)}, everything)

    @contextmanager
    def _worker(self, kind: str, settings: dict[str, str], *connectors: str) -> Iterator[Worker]:
        port = free_port()
        converter = "org.apache.kafka.connect.json.JsonConverter"
        (plugins,) = self._jars.glob("connect-file-*.jar")
        file = self._properties(
            f"worker-{port}",
            {
                "key.converter": converter,
                "value.converter": converter,
                "offset.flush.interval.ms": "1000",
                "plugin.path": str(plugins),
                "plugin.discovery": "service_load",
                "listeners": f"http://127.0.0.1:{port}",
                **settings,
            },
        )
        main_class = f"org.apache.kafka.connect.cli.Connect{kind}"
        worker = Worker(self._start(f"worker-{port}", main_class, str(file), *connectors), port)
        try:
            _until(worker.is_up, True)
            yield worker
        finally:
            worker.kill()

    # ---- MirrorMaker

    def mirrored_in(self) -> None:
        with self._apache("from") as (there, address):
            self._mirror("mirrored-in", (there, address), (self._world, self._bootstrap))

    def mirrored_out(self) -> None:
        with self._apache("to") as (there, address):
            self._mirror("mirrored-out", (self._world, self._bootstrap), (there, address))

    def _mirror(self, topic: str, source: Side, target: Side) -> None:
        """Records, settings, and how far a group is (which it tells no further than it is sure of)."""
        world, address = source
        configs = {"max_message_bytes": "2000000", "retention_ms": "-1"}
        world.create(topic, partitions=2, **configs)
        records = as_written_by(REFERENCE, [*awkward_records(0), *awkward_records(1)])
        world.reference.ask("produce", topic=topic, codec="zstd", records=records)
        group = {"group": f"{topic}-readers", "topic": topic, "strategy": "range", "instance": None}
        world.reference.ask("join", member=topic, **group)
        _until(lambda: len(world.reference.ask("given", member=topic)["records"]), len(records))
        world.reference.ask("leave", member=topic)
        settings = {
            "clusters": "source,target",
            "source.bootstrap.servers": address,
            "target.bootstrap.servers": target[1],
            "source->target.enabled": "true",
            "source->target.topics": topic,
            "source->target.groups": group["group"],
            "target->source.enabled": "false",
            "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
            "replication.factor": "-1",
            "sync.topic.configs.interval.seconds": "2",
            "sync.group.offsets.enabled": "true",
            "sync.group.offsets.interval.seconds": "2",
            "emit.checkpoints.interval.seconds": "2",
        }
        for what in ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic"):
            settings[f"{what}.replication.factor"] = "1"
        for what in ("offset", "config", "status"):
            settings[f"{what}.storage.replication.factor"] = "1"
        file = self._properties(topic, settings)
        mirror = self._start(topic, "org.apache.kafka.connect.mirror.MirrorMaker", str(file))
        try:
            self._arrived(topic, records, group["group"], *target)
        finally:
            mirror.kill()

    def _arrived(
        self, topic: str, records: list[Record], group: str, world: World, address: str
    ) -> None:
        reference = world.reference
        _until(lambda: topic in reference.ask("topics"), True)
        half = len(records) // 2
        for partition in (0, 1):
            _until(
                lambda: reference.ask("watermarks", topic=topic, partition=partition)[1],  # noqa: B023
                half,
            )
        expected = [*placed(records[:half]), *placed(records[half:])]
        expect(expected, read_all(reference, topic, {0: 0, 1: 0}, len(records)), "what arrived")
        configs = {"max.message.bytes": "2000000", "retention.ms": "-1"}
        _until(
            lambda: (
                configs.items() <= _asked("topic", "describe", topic, address)["configs"].items()
            ),
            True,
        )
        for partition in (0, 1):
            _until(lambda: 0 < _read_up_to(group, partition, address) <= half, True)  # noqa: B023

    @contextmanager
    def _apache(self, name: str) -> Iterator[Side]:
        work = self._work / name
        broker = ApacheKafka(install.java(), work / "data", work)
        broker.format_directory()
        broker.start()
        reference = REFERENCE.driver(work / "reference")
        try:
            reference.aim_at(broker.bootstrap)
            yield World(reference, broker.data_dir), broker.bootstrap
        finally:
            reference.close()
            broker.stop()

    # ---- Streams

    def streams(self) -> None:
        """The quickstart's: counts come out, and whoever starts again goes on counting."""
        self._world.create("streams-plaintext-input", partitions=2)
        self._world.create(COUNTS, cleanup_policy="compact")
        counted = {"all": 1, "lead": 1, "to": 1, "hello": 1, "join": 1, "summit": 1}
        with self._instance("first"):
            self._say(*WORDS)
            _until(self._counts, {**counted, "streams": 2, "kafka": 3})
        with self._instance("first"):
            self._say("kafka once more")
            _until(self._counts, {**counted, "streams": 2, "kafka": 4, "once": 1, "more": 1})

    def streams_moved(self) -> None:
        """One of two is killed: the other reads its state out of the changelog. Then the broker is."""
        counts = self._counts()
        with self._instance("first") as first, self._instance("second"):
            self._say("to and fro", "to and fro")
            counts |= {"to": counts.get("to", 0) + 2, "and": 2, "fro": 2}
            _until(self._counts, counts)
            first.kill()
            self._say("all to kafka")
            counts |= {word: counts.get(word, 0) + 1 for word in ("all", "to", "kafka")}
            # What was not committed is counted twice: at least once is what was asked for.
            _until(lambda: _at_least(self._counts(), counts), True)
            if self._world.restart is not None:
                self._world.restart(True)
            counts = self._counts()
            self._say("hello again")
            counts |= {"hello": counts.get("hello", 0) + 1, "again": 1}
            _until(lambda: _at_least(self._counts(), counts), True)

    @contextmanager
    def _instance(self, name: str) -> Iterator[Process]:
        settings = {"state.dir": str(self._work / f"state-{name}"), **SESSION}
        file = self._properties(f"streams-{name}", settings)
        process = self._start(f"streams-{name}", STREAMS_DEMO, str(file))
        try:
            yield process
            if process.is_running():
                process.terminate(STOP_SECONDS_MAX)
        finally:
            process.kill()

    def _say(self, *lines: str) -> None:
        records = [record(line.encode(), partition=at % 2) for at, line in enumerate(lines)]
        topic = "streams-plaintext-input"
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)

    def _counts(self) -> dict[str, int]:
        reference = self._world.reference
        _, end = reference.ask("watermarks", topic=COUNTS, partition=0)
        found = read_all(reference, COUNTS, {0: 0}, end)
        return {
            b64decode(one["key"]).decode(): int.from_bytes(b64decode(one["value"]), "big")
            for one in found
        }

    # ---- how

    def _properties(self, name: str, settings: dict[str, str]) -> Path:
        file = self._work / f"{name}.properties"
        lines = {"bootstrap.servers": self._bootstrap, **settings}.items()
        file.write_text("".join(f"{key}={value}\n" for key, value in lines))
        return file

    def _start(self, name: str, main_class: str, *arguments: str) -> Process:
        java = install.Java(f"{self._jars}/*")
        return Process(java.command(main_class, *arguments), self._work / f"{name}.log")


class Worker:
    """One of Kafka Connect's, and what it says to its REST interface."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self._port = port
        self.kill = process.kill

    def is_up(self) -> bool:
        try:
            self._ask_once("GET", "/connectors", None)
        except OSError:
            if not self._process.is_running():
                raise Wrong(f"a worker ended: {self._process.output()[-300:]}") from None
            return False
        return True

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """A worker refuses while its group rebalances; then it is asked again."""
        deadline = time.monotonic() + RESULT_SECONDS_MAX
        while True:
            try:
                return self._ask_once(method, path, body)
            except OSError as problem:
                refused = isinstance(problem, HTTPError) and problem.code in REBALANCING
                if not refused or time.monotonic() > deadline:
                    raise Wrong(f"{method} {path}: {problem}") from None
            time.sleep(POLL_SECONDS)

    def _ask_once(self, method: str, path: str, body: dict[str, str] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None


def _connector(kind: str, file: Path, **topic: str) -> dict[str, str]:
    """What the connector of this kind ("Source", "Sink") between a file and a topic is told."""
    return {
        "connector.class": f"FileStream{kind}",
        "tasks.max": "1",
        "file": str(file),
        **topic,
    }


def _until(ask: Callable[[], object], expected: object) -> None:
    """Ask until the answer is the expected one."""
    deadline = time.monotonic() + RESULT_SECONDS_MAX
    while (found := ask()) != expected:
        if time.monotonic() > deadline:
            raise Wrong(f"after {RESULT_SECONDS_MAX} s there is {found!r}, not {expected!r}")
        time.sleep(POLL_SECONDS)


def _asked(kind: str, action: str, name: str, address: str) -> Any:
    """What our own tool says of it, at whichever broker."""
    command = [OTTLA, kind, action, name, "--json", "--bootstrap-server", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return items if kind == "group" else items[0]


def _read_up_to(group: str, partition: int, address: str) -> int:
    found = _asked("group", "offsets", group, address)
    return sum(one["current_offset"] or 0 for one in found if one["partition"] == partition)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _committed(worker: Worker) -> int:
    offsets = worker.ask("GET", "/connectors/snk/offsets")["offsets"]
    return sum(int(one["offset"]["kafka_offset"]) for one in offsets)


def _positions(worker: Worker) -> list[int]:
    offsets = worker.ask("GET", "/connectors/src/offsets")["offsets"]
    return [one["offset"]["position"] for one in offsets]


def _at_least(found: dict[str, int], counts: dict[str, int]) -> bool:
    return all(found.get(word, 0) >= count for word, count in counts.items())


def rows(world: World, bootstrap: str, work: Path) -> list[Row]:
    return Applications(install.applications(), world, bootstrap, work).rows()
