"""Clients before Kafka 0.11, and newer ones told to speak like them: message sets in both directions.

Kafka 4 cut these off. Each writes with every codec it has, and what it wrote is read by itself and by a
new client; each reads what a new client wrote; three of them make a group. What they lose is what
their formats cannot say: headers, and with magic 0 the timestamps.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import groups
import install
from broker import Broker
from checks import World, Wrong, expect, placed, read_all
from clients import DRIVERS, PYTHON_CODECS, REFERENCE
from driver import Driver
from install import CannotInstall
from records import Record, awkward_records
from segments import CODECS

TABLE: Final = "old clients"
OLD_CODECS: Final = ("none", "gzip", "snappy", "lz4")
NEW: Final = "old-reads-new"
Row = tuple[str, str, Callable[[], str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldClient:
    """`timestamps`: it speaks magic 1, which has them."""

    name: str
    command: Callable[[], list[str]]
    working_directory: Path = DRIVERS
    codecs: tuple[str, ...] = OLD_CODECS
    timestamps: bool = True
    groups: bool = True
    nulls: bool = True


def _kafka_python(release: str, speaks: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        interpreter = install.python_environment(
            f"kafka-python-{release}", f"kafka-python=={release}", *PYTHON_CODECS[:2], "xxhash"
        )
        program = str(DRIVERS / "drive_kafka_python.py")
        return [str(interpreter), program, "BOOTSTRAP", f"api_version={speaks}"]

    return command


def _confluent(speaks: str) -> list[str]:
    interpreter = install.python_environment("confluent-kafka", "confluent-kafka>=2.12,<3")
    options = ("api.version.request=false", f"broker.version.fallback={speaks}")
    return [str(interpreter), str(DRIVERS / "drive_confluent.py"), "BOOTSTRAP", *options]


def _pykafka() -> list[str]:
    interpreter = install.python_environment("pykafka", "pykafka==2.8.0", "python-snappy")
    return [str(interpreter), str(DRIVERS / "drive_pykafka.py"), "BOOTSTRAP"]


def _kafka_node() -> list[str]:
    install.node_project("node-old", "kafka-node@4")
    return ["node", str(DRIVERS / "drive_kafka_node.js"), "BOOTSTRAP"]


def _sarama(speaks: str) -> list[str]:
    return [str(install.sarama()), "BOOTSTRAP", f"version={speaks}"]


def _java(release: str) -> Callable[[], list[str]]:
    return lambda: install.old_java(release).command("DriveOld", "BOOTSTRAP")


CLIENTS: Final = (
    *(
        OldClient(
            name=f"kafka-python {release} as {speaks}",
            command=_kafka_python(release, speaks),
            timestamps=speaks.startswith("0.10"),
            groups=not speaks.startswith("0.8"),
        )
        for release, speaks in (
            ("1.4.7", "0.8.2"),
            ("1.4.7", "0.9"),
            ("1.4.7", "0.10"),
            ("2.0.2", "0.9"),
            ("2.0.2", "0.10"),
            ("2.0.2", "0.10.1"),
        )
    ),
    *(
        OldClient(
            name=f"librdkafka as {speaks}",
            command=functools.partial(_confluent, speaks),
            timestamps=speaks.startswith("0.10"),
        )
        for speaks in ("0.9.0", "0.10.0")
    ),
    OldClient(name="java 0.9.0.1", command=_java("0.9.0.1"), timestamps=False),
    OldClient(name="java 0.10.2.2", command=_java("0.10.2.2")),
    OldClient(name="java 0.11.0.3", command=_java("0.11.0.3")),
    *(
        OldClient(
            name=f"sarama as {speaks}",
            command=functools.partial(_sarama, speaks),
            codecs=codecs,
            timestamps=speaks.startswith("0.10"),
            groups=False,  # its groups need 0.10.2, and speak no older messages then
            nulls=False,
        )
        for speaks, codecs in (("0.9.0.1", ("none", "gzip", "snappy")), ("0.10.0.0", OLD_CODECS))
    ),
    OldClient(
        name="pykafka 2.8",
        command=_pykafka,
        codecs=("none", "gzip", "snappy"),
        timestamps=False,
        groups=False,
    ),
    OldClient(
        name="kafka-node 4",
        command=_kafka_node,
        working_directory=install.CACHE / "node-old",
        codecs=("none", "gzip"),  # snappy needs a compiler
        timestamps=False,  # it has one for all messages of a request, and shows none
        groups=False,
        nulls=False,
    ),
)


def rows(broker: Broker, work: Path) -> list[Row]:
    """The checks, by client; a client that cannot be installed is one red row."""
    reference = REFERENCE.driver(work / "old-reference")
    reference.aim_at(broker.bootstrap)
    world = World(reference, broker.data_dir)
    for_new = Written(world)
    found: list[Row] = []
    for client in CLIENTS:
        started = Started(client, broker, work)
        for codec in OLD_CODECS:
            if codec in client.codecs:
                check = functools.partial(_writes, client, started, world, codec)
                found.append((client.name, codec, check))
        found.append(
            (client.name, "reads new", functools.partial(_reads, client, started, for_new))
        )
        if client.groups:
            check = functools.partial(_group, client, started, world)
            found.append((client.name, "group of 3", check))
    return found


class Started:
    """A client's driver, made when it is first needed."""

    def __init__(self, client: OldClient, broker: Broker, work: Path) -> None:
        self._client = client
        self._broker = broker
        self._log = work / "clients" / f"{client.name.replace(' ', '-')}.log"
        self._driver: Driver | None = None
        self._missing: CannotInstall | None = None

    def driver(self) -> Driver:
        if self._missing is not None:
            raise self._missing
        if self._driver is None:
            client = self._client
            try:
                command = client.command()
            except CannotInstall as missing:
                self._missing = missing
                raise
            self._driver = Driver(client.name, command, client.working_directory, self._log)
            self._driver.aim_at(self._broker.bootstrap)
        return self._driver


class Written:
    """What a new client wrote with every codec that old ones know, once for all."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: dict[str, list[Record]] = {}

    def by_codec(self, codecs: tuple[str, ...]) -> dict[str, list[Record]]:
        if not self._records:
            self._world.create(NEW, partitions=len(CODECS), retention_ms="-1")
            for codec in OLD_CODECS:
                partition = CODECS.index(codec)
                records = [
                    one
                    for one in awkward_records(partition)
                    if all(value is not None for _, value in one["headers"])
                ]
                self._world.reference.ask("produce", topic=NEW, codec=codec, records=records)
                self._records[codec] = placed(records)
        return {codec: self._records[codec] for codec in codecs}


def _topic(client: OldClient) -> str:
    return "old-" + client.name.replace(" ", "-")


def _writes(client: OldClient, started: Started, world: World, codec: str) -> str | None:
    topic, driver, partition = _topic(client), started.driver(), CODECS.index(codec)
    if topic not in world.reference.ask("topics"):
        world.create(topic, partitions=len(CODECS), retention_ms="-1")
    records = [_as_said(client, one) for one in awkward_records(partition)]
    if not client.nulls:
        records = [one for one in records if one["key"] and one["value"]]
    reports = driver.ask("produce", topic=topic, codec=codec, records=records)
    if [report["offset"] for report in reports] != list(range(len(records))):
        raise Wrong(f"reported offsets {[report['offset'] for report in reports]}")
    for reader in (world.reference, driver):
        seen = read_all(reader, topic, {partition: 0}, len(records))
        expect(placed(records), [_as_said(client, one) for one in seen], reader.name)
    stored = {batch.codec for batch in world.stored(topic, partition)}
    if world.data_dir is not None and (codec not in stored or stored - {codec, "none"}):
        raise Wrong(f"stored as {sorted(stored)}")
    return None


def _reads(client: OldClient, started: Started, written: Written) -> str | None:
    for codec, records in written.by_codec(client.codecs).items():
        partition = CODECS.index(codec)
        for start in (0, len(records) // 2):  # the second is inside a batch
            seen = read_all(started.driver(), NEW, {partition: start}, len(records) - start)
            expected = [_as_read(client, one) for one in records[start:]]
            expect(expected, [_as_read(client, one) for one in seen], f"{codec} from {start}")
    return None


def _group(client: OldClient, started: Started, world: World) -> str | None:
    groups.three(f"{_topic(client)}-group", [started.driver()], world)
    return None


def _as_said(client: OldClient, one: Record) -> Record:
    """What the client's format can hold of a record."""
    return {**one, "headers": [], "timestamp": one["timestamp"] if client.timestamps else None}


def _as_read(client: OldClient, one: Record) -> dict[str, Any]:
    said = _as_said(client, one)
    if not client.nulls:  # it makes no difference between empty and absent
        said = {**said, "key": said["key"] or "", "value": said["value"] or ""}
    return said


if __name__ == "__main__":
    sys.exit("run.py --only old")
