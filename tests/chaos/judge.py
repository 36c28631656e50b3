"""What clients were told, what the log holds, and whether the two agree.

A load process (`load.py`) writes down each record that was acknowledged to it. The whole topic is
read back and compared:

- missing: an acknowledged record is not at the offset its producer was told;
- twice: a value stands in the log more than once;
- disorder: a producer's values are not in the order it sent them in their partition.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compat"))

from segments import stored_batches  # noqa: E402

TOPIC: Final = "chaos"
PARTITIONS: Final = 6
PRODUCERS: Final = ("kafka-python", "confluent-kafka")
# After a fault, how long until both producers must have acknowledged something new.
RECOVER_SECONDS_MAX: Final = 60.0
FINISH_SECONDS_MAX: Final = 120.0
READ_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    partition: int
    offset: int
    value: str


@dataclass(slots=True)
class Findings:
    """What one reading of the whole topic showed."""

    records: int = 0
    missing: int = 0
    twice: int = 0
    disorder: int = 0
    first: str = ""

    def note(self, what: str) -> None:
        self.first = self.first or what

    def clean(self) -> bool:
        return not (self.missing or self.twice or self.disorder)


class Producer:
    """A load process and its ledger."""

    def __init__(self, client: str, bootstrap: str, rate: int, work: Path) -> None:
        self.client = client
        self.file = work / f"{client}.acknowledged"
        self.log = work / f"{client}.log"
        words = (client, bootstrap, TOPIC, str(PARTITIONS), str(rate), str(self.file))
        with self.log.open("w") as log:
            self._child = subprocess.Popen(
                [sys.executable, str(HERE / "load.py"), *words], stderr=log, start_new_session=True
            )

    def acknowledged(self) -> list[Acknowledged]:
        """All complete lines of the ledger so far."""
        text = self.file.read_text() if self.file.exists() else ""
        rows = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
        return [Acknowledged(int(p), int(at), value) for p, at, value in rows if p != "end"]

    def finish(self) -> tuple[int, int]:
        """Stop it; how many it sent, and how many of these failed."""
        self._child.terminate()
        try:
            self._child.wait(FINISH_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            return 0, -1
        word, sent, failed = self.file.read_text().splitlines()[-1].split()
        return (int(sent), int(failed)) if word == "end" else (0, -1)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()


def wait_for_progress(producers: list[Producer], known: list[int]) -> bool:
    deadline = time.monotonic() + RECOVER_SECONDS_MAX
    while True:
        if all(len(p.acknowledged()) > n for p, n in zip(producers, known, strict=True)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def create_topic(
    bootstrap: str, configs: dict[str, str] | None = None, *, name: str = TOPIC, partitions: int = 0
) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = NewTopic(name, partitions or PARTITIONS, 1, config=configs or {})
    admin.create_topics([topic])[name].result(30)


def read_topic(bootstrap: str) -> dict[int, list[tuple[int, str]]]:
    """Per partition, offset and value of all records from the start to the end found at first."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "required-but-unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    seen: dict[int, list[tuple[int, str]]] = {partition: [] for partition in range(PARTITIONS)}
    try:
        ends = {p: read_end(consumer, TopicPartition(TOPIC, p)) for p in seen}
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in seen])
        waiting = {partition for partition, end in ends.items() if end > 0}
        deadline = time.monotonic() + READ_SECONDS_MAX
        while waiting and time.monotonic() < deadline:
            for message in consumer.consume(5000, timeout=0.1):
                assert message.error() is None, message.error()
                partition, offset = message.partition(), message.offset()
                seen[partition].append((offset, message.value().decode().rstrip(".")))
                if offset + 1 >= ends[partition]:
                    waiting.discard(partition)
        assert not waiting, f"partitions {waiting} were not readable to their end"
    finally:
        consumer.close()
    return seen


def read_end(consumer: Any, partition: Any) -> int:
    first, end = consumer.get_watermark_offsets(partition, timeout=30)
    assert first == 0, f"the log of {partition} starts at {first}"
    return int(end)


def compare(known: list[Acknowledged], seen: dict[int, list[tuple[int, str]]]) -> Findings:
    found = Findings(records=sum(map(len, seen.values())))
    values: set[str] = set()
    at: dict[tuple[int, int], str] = {}
    for partition, rows in seen.items():
        latest: dict[str, int] = defaultdict(lambda: -1)
        for offset, value in rows:
            at[partition, offset] = value
            if value in values:
                found.twice += 1
                found.note(f"{value} again at {partition}/{offset}")
            values.add(value)
            client, number = value.split(":")
            if int(number) < latest[client]:
                found.disorder += 1
                found.note(f"{value} at {partition}/{offset} after {latest[client]}")
            latest[client] = int(number)
    for one in known:
        if (stands := at.get((one.partition, one.offset))) != one.value:
            found.missing += 1
            found.note(f"{one.partition}/{one.offset} is {stands}, not {one.value}")
    return found


def sequences(data: Path, client: str, seen: dict[int, list[tuple[int, str]]]) -> tuple[int, int]:
    """How many producer ids with their epochs `client` used, and how often a sequence broke."""
    ids: set[tuple[int, int]] = set()
    broken = 0
    for partition, rows in seen.items():
        owner = {offset: value.split(":")[0] for offset, value in rows}
        following: dict[tuple[int, int], int] = defaultdict(int)  # a new id or epoch starts at 0
        for batch in stored_batches(data, TOPIC, partition):
            if owner.get(batch.base_offset) == client:
                who = (batch.producer_id, batch.producer_epoch)
                broken += batch.base_sequence != following[who]
                following[who] = batch.base_sequence + batch.record_count
                ids.add(who)
    return len(ids), broken
