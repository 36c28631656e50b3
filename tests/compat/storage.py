"""The files on disk, in both directions: Apache Kafka's tools and broker on ours, ours on theirs.

A directory is filled through a broker by the Java client with what the formats can hold: every
codec, several segments, the broker's own time stamps, a compacted topic with holes, a log that
starts late, idempotent producers. What is served then, by topic, partition and record with time
look-ups, is its picture. The picture must be the same whoever serves the directory next.

- dump: Apache Kafka's dump tool reads all segments, indexes, producer snapshots and the metadata log
  of a directory the broker under test wrote, and has no complaint.
- opens Apache's: the broker under test starts where a stopped Apache Kafka left off, serves the same
  picture, appends without using a producer id again, and Apache Kafka then goes on from there.
- Apache opens it: Apache Kafka starts on the directory of the broker under test.

- two directories: the same there and back, and a move between them; see `log_dirs.py`.

Against Apache Kafka itself all of it holds, which shows that the harness asks nothing more than it.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from apache import ApacheKafka
from broker import Broker
from checks import World, Wrong, expect, placed
from clients import CLIENTS
from driver import Driver
from groups import Group
from install import Java, java
from log_dirs import Directories
from records import FIRST_MS, Record, awkward_records, record
from segments import CODECS, stored_batches

TABLE: Final = "files"
ROW: Final = "data directory"
MakeBroker = Callable[[Path, Path, Mapping[str, str]], Broker]
Row = tuple[str, str, Callable[[], str | None]]

TOOL_SECONDS_MAX: Final = 120
FILES_AT_ONCE_MAX: Final = 500  # one argument of a command holds 128 KiB
COMPACTION_SECONDS_MAX: Final = 40
# The least Apache Kafka 4 accepts; three times that makes several segments.
SEGMENT_BYTES: Final = 1_048_576
EAGER: Final[Mapping[str, str]] = {"log.cleaner.backoff.ms": "500"}
COMPLAINTS: Final = re.compile(
    r"(?i)mismatch|out of order|isvalid: false|exception|corrupt|missing"
    r"|could not|unable to|malformed"
)
PARTITIONS: Final[Mapping[str, int]] = {
    "fx-codecs": len(CODECS),
    "fx-segments": 1,
    "fx-append-time": 1,
    "fx-compacted": 1,
    "fx-late-start": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What one partition serves."""

    first: int
    end: int
    records: list[Record]
    offsets_by_time: list[Any]


class Exchange:
    """Directories on their way from one broker to the other."""

    def __init__(self, java_tools: Java, make: MakeBroker, seen: Path | None, work: Path) -> None:
        """`seen`: a directory the broker under test wrote already, dumped as well if it exists."""
        self._java = java_tools
        self._make = make
        self._seen = seen
        self._work = work
        self._client: Driver = next(one for one in CLIENTS if one.name == "java").driver(work)
        self._ours: dict[tuple[str, int], Picture] | None = None

    def dump(self) -> str:
        directory, _ = self._written_by_ours()
        dumped = [self._dump(directory)]
        seen = [] if self._seen is None else self._seen.glob("*/*.log")
        if any(file.parent.name != "__cluster_metadata-0" for file in seen):
            assert self._seen is not None
            dumped.append(self._dump(self._seen))
        return f"{sum(dumped)} files"

    def opens_apaches(self) -> str:
        directory = self._work / "by-apache"
        apache = ApacheKafka(
            self._java,
            directory,
            self._work / "apache",
            overrides=EAGER,
        )
        apache.format_directory()
        with Running(apache, self._client):
            self._write()
            self._wait_for_compaction(directory)
            theirs = self._picture(directory)
        producer_ids = _producer_ids(directory)
        ours = self._make(directory, self._work / "takes-over", {"node.id": "1"})
        with Running(ours, self._client):
            self._same(theirs, self._picture(directory), "served from Apache Kafka's directory")
            self._append(directory, theirs, producer_ids)
            appended = self._picture(directory)
        apache = ApacheKafka(self._java, directory, self._work / "apache-again")
        with Running(apache, self._client):
            self._same(appended, self._picture(directory), "served by Apache Kafka afterwards")
        return f"{sum(len(part.records) for part in theirs.values())} records, and back again"

    def apache_opens(self) -> str:
        directory, ours = self._written_by_ours()
        apache = ApacheKafka(
            self._java, directory, self._work / "apache-on-ours", node_id=_node_id(directory)
        )
        with Running(apache, self._client):
            self._same(ours, self._picture(directory), "served by Apache Kafka")
            self._append(directory, ours, _producer_ids(directory))
        return f"{sum(len(part.records) for part in ours.values())} records"

    def group_offsets(self) -> str:
        """One group reads on under ours, Apache Kafka and ours again, and nothing comes twice."""
        directory = self._work / "groups"
        small = {"offsets.topic.num.partitions": "5", "group.initial.rebalance.delay.ms": "300"}
        with Running(self._make(directory, self._work / "groups-ours", small), self._client):
            group = Group("fx-groups", [self._client], World(self._client, None))
            self._read_on(group)
        logs = sorted(directory.glob("__consumer_offsets-*/*.log"))
        decoded = self._dumped(logs, "--offsets-decoder")
        for said in (
            r'"group":"fx-groups","topic":"fx-groups","partition":5\b.*"offset":10\b',
            r'"group":"fx-groups"\}.*"protocolType":"consumer","generation":1\b.*"memberId":',
        ):
            if not re.search(said, decoded):
                raise Wrong(f"--offsets-decoder did not print {said}")
        node = _node_id(directory)
        apache = ApacheKafka(
            self._java, directory, self._work / "groups-apache", node_id=node, overrides=small
        )
        with Running(apache, self._client):
            self._read_on(group)
        again = {**small, "node.id": str(node)}
        with Running(self._make(directory, self._work / "groups-again", again), self._client):
            self._read_on(group)
        return "ours, Apache Kafka, ours"

    def _read_on(self, group: Group) -> None:
        group.write(60)
        group.join("member")
        group.everything_once()
        group.leave("member")

    def _written_by_ours(self) -> tuple[Path, dict[tuple[str, int], Picture]]:
        directory = self._work / "by-ours"
        if self._ours is None:
            broker = self._make(directory, self._work / "ours", EAGER)
            with Running(broker, self._client):
                self._write()
                self._wait_for_compaction(directory)
                self._ours = self._picture(directory)
        return directory, self._ours

    def _write(self) -> None:
        self._create("fx-codecs", retention_ms="-1")
        self._create("fx-segments", segment_bytes=str(SEGMENT_BYTES))
        self._create("fx-append-time", message_timestamp_type="LogAppendTime")
        self._create(
            "fx-compacted",
            cleanup_policy="compact",
            segment_ms="200",
            min_cleanable_dirty_ratio="0.01",
        )
        self._create("fx-late-start")
        for partition, codec in enumerate(CODECS):
            self._produce("fx-codecs", awkward_records(partition), codec)
        for part in range(6):
            blocks = [record(bytes([part, n]) * 25_000, key=b"%d" % n) for n in range(10)]
            self._produce("fx-segments", blocks)
        stamped = [record(b"stamped %d" % n, timestamp=FIRST_MS + n) for n in range(30)]
        self._produce("fx-append-time", stamped[:10], "gzip")
        self._produce("fx-append-time", stamped[10:], "none")
        for turn in range(10):
            keys = [record(b"%d" % turn, key=b"key %d" % n) for n in range(10) if turn < 9 or n % 3]
            self._produce("fx-compacted", keys, "zstd")
        self._produce("fx-compacted", [record(None, key=b"key 3"), record(None, key=b"key 6")])
        time.sleep(0.4)  # beyond segment.ms: the next record starts a new segment
        self._produce("fx-compacted", [record(b"last", key=b"last")])
        self._produce("fx-late-start", [record(b"value %d" % n) for n in range(100)])
        self._client.ask("delete_records", topic="fx-late-start", partition=0, before=40)

    def _append(
        self, directory: Path, before: dict[tuple[str, int], Picture], used: set[int]
    ) -> None:
        """Write on where another broker stopped; nothing of the other's may be used again."""
        marker = [record(b"appended", key=b"k", timestamp=FIRST_MS)]
        for topic in ("fx-segments", "fx-append-time", "fx-late-start"):
            self._produce(topic, marker)
            end = before[topic, 0].end
            starts = {"0": end}
            (seen,) = self._client.ask("consume", topic=topic, starts=starts, count=1)
            stamped = topic == "fx-append-time"
            want = placed([{**marker[0], "timestamp": None if stamped else FIRST_MS}], end)
            expect(want, [seen], f"appended to {topic}")
            if stamped and seen["timestamp"] == FIRST_MS:
                raise Wrong(f"{topic} forgot its LogAppendTime")
            batch = stored_batches(directory, topic, 0)[-1]
            if batch.producer_id in used:
                raise Wrong(f"producer id {batch.producer_id} was given out twice")

    def _picture(self, directory: Path) -> dict[tuple[str, int], Picture]:
        return {
            (topic, partition): self._partition(directory, topic, partition)
            for topic, partitions in PARTITIONS.items()
            for partition in range(partitions)
        }

    def _partition(self, directory: Path, topic: str, partition: int) -> Picture:
        first, end = self._client.ask("watermarks", topic=topic, partition=partition)
        stored = sum(batch.record_count for batch in stored_batches(directory, topic, partition))
        count = stored if topic == "fx-compacted" else end - first
        records = self._client.ask(
            "consume", topic=topic, starts={str(partition): first}, count=count
        )
        if len(records) != count:
            raise Wrong(f"{topic}-{partition}: {len(records)} of {count} records served")
        stamps = [one["timestamp"] for one in records]
        moments = sorted({min(stamps) - 1, *stamps[:: max(1, len(stamps) // 8)], max(stamps) + 1})
        found = self._client.ask("times", topic=topic, partition=partition, timestamps=moments)
        return Picture(first=first, end=end, records=records, offsets_by_time=found)

    def _same(
        self,
        before: dict[tuple[str, int], Picture],
        after: dict[tuple[str, int], Picture],
        who: str,
    ) -> None:
        for (topic, partition), want in before.items():
            got = after[topic, partition]
            where = f"{topic}-{partition} {who}"
            if (got.first, got.end) != (want.first, want.end):
                raise Wrong(f"{where}: {got.first}–{got.end}, not {want.first}–{want.end}")
            expect(want.records, got.records, where)
            if got.offsets_by_time != want.offsets_by_time:
                raise Wrong(f"{where}: {got.offsets_by_time} by time, not {want.offsets_by_time}")

    def _wait_for_compaction(self, directory: Path) -> None:
        deadline = time.monotonic() + COMPACTION_SECONDS_MAX
        while sum(one.record_count for one in stored_batches(directory, "fx-compacted", 0)) > 20:
            if time.monotonic() > deadline:
                raise Wrong("the topic was not compacted in time")
            time.sleep(0.5)

    def _create(self, topic: str, **configs: str) -> None:
        options = {name.replace("_", "."): value for name, value in configs.items()}
        self._client.ask("create", topic=topic, partitions=PARTITIONS[topic], configs=options)

    def _produce(self, topic: str, records: list[Record], codec: str = "none") -> None:
        self._client.ask("produce", topic=topic, codec=codec, records=records, idempotent=True)

    def _dump(self, directory: Path) -> int:
        """The number of files that Apache Kafka's dump tool read without complaint."""
        files = [
            file
            for file in sorted(directory.glob("*/*"))
            if file.suffix in (".log", ".index", ".timeindex", ".snapshot")
            and not file.parent.name.endswith("-delete")
        ]
        metadata = [file for file in files if file.parent.name == "__cluster_metadata-0"]
        metadata += sorted(directory.glob("**/*.checkpoint"))
        data = [file for file in files if file.parent.name != "__cluster_metadata-0"]
        indexes = [file for file in data if file.suffix.endswith("index")]
        printed = self._dumped(data, "--deep-iteration", "--print-data-log")
        batches = sum(
            len(stored_batches(file.parent.parent, *_topic_and_partition(file.parent.name)))
            for file in {file.parent: file for file in data}.values()
        )
        if (found := len(re.findall(r"(?m)^baseOffset: ", printed))) != batches or not batches:
            raise Wrong(f"the tool found {found} batches of {batches}")
        self._dumped(indexes, "--index-sanity-check")
        self._dumped(indexes, "--verify-index-only")
        decoded = self._dumped(metadata, "--cluster-metadata-decoder")
        if '"type":"TOPIC_RECORD"' not in decoded:
            raise Wrong("the tool found no topic in the metadata log")
        return len(data) + len(metadata)

    def _dumped(self, files: list[Path], *options: str) -> str:
        """What the tool prints on these files; raises Wrong with its first complaint."""
        parts = [
            files[at : at + FILES_AT_ONCE_MAX] for at in range(0, len(files), FILES_AT_ONCE_MAX)
        ]
        return "".join(self._dumped_at_once(part, *options) for part in parts)

    def _dumped_at_once(self, files: list[Path], *options: str) -> str:
        listed = ",".join(str(file) for file in files)
        done = subprocess.run(
            self._java.command(
                "org.apache.kafka.tools.DumpLogSegments", *options, "--files", listed
            ),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise Wrong(f"{options[0]}: exit code {done.returncode}: {done.stderr.strip()[-400:]}")
        said = complaint(done.stdout + done.stderr)
        if said is not None:
            raise Wrong(f"{options[0]}: {said}")
        return done.stdout


def complaint(printed: str) -> str | None:
    """The first thing the dump tool found wrong, with the file's name."""
    where = ""
    for line in printed.splitlines():
        if line.startswith(("Dumping ", "Non-consecutive offsets in ")):
            where = "/".join(line.rsplit("/", 2)[-2:])
        followed = re.match(r"\s+(-?\d+) is followed by (\d+)", line)
        if followed is not None:
            # Compaction leaves holes. And the tool takes every segment's first offset for a hole,
            # "-1 is followed by 20", unless it is 0.
            first = followed[1] == "-1" and where.endswith(f"{int(followed[2]):020}.log")
            if not first and not where.startswith("fx-compacted"):
                return f"{where}: offset {line.strip()}"
        elif not line.startswith("Non-consecutive"):
            # What users wrote, keys and values, may say anything.
            said = line.split(" payload: ")[0].split(" key: ")[0]
            if found := COMPLAINTS.search(said):
                return f"{where}: {found[0]}: {said[:160]}"
    return None


class Running:
    """The broker runs and the client talks to it, until the block ends."""

    def __init__(self, broker: Broker, client: Driver) -> None:
        self._broker = broker
        self._client = client

    def __enter__(self) -> None:
        self._broker.start()
        self._client.aim_at(self._broker.bootstrap)

    def __exit__(self, *raised: object) -> None:
        self._client.close()
        self._broker.stop()


def _producer_ids(directory: Path) -> set[int]:
    return {
        batch.producer_id
        for topic, partitions in PARTITIONS.items()
        for partition in range(partitions)
        for batch in stored_batches(directory, topic, partition)
    } - {-1}


def _node_id(directory: Path) -> int:
    found = re.search(r"(?m)^node\.id=(\d+)$", (directory / "meta.properties").read_text())
    if found is None:
        raise Wrong("no node.id in meta.properties")
    return int(found[1])


def _topic_and_partition(name: str) -> tuple[str, int]:
    topic, _, partition = name.rpartition("-")
    return topic, int(partition)


def rows(make: MakeBroker, seen: Path | None, work: Path) -> list[Row]:
    """The table's rows; raises CannotInstall where there is no Java."""
    exchange = Exchange(java(), make, seen, work / "files")
    directories = Directories(java(), make, work / "dirs")
    return [
        (ROW, "dump", exchange.dump),
        (ROW, "opens Apache's", exchange.opens_apaches),
        (ROW, "Apache opens it", exchange.apache_opens),
        (ROW, "group offsets", exchange.group_offsets),
        (ROW, "two directories", directories.exchange),
    ]
