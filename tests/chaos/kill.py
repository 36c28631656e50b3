"""`kill -9` under load, restart, again and again: nothing acknowledged is lost, nothing comes twice.

    tests/chaos/kill.py [--against ottla|apache] [--rounds 10] [--rate 2000] [--seed N]

Two idempotent producers with acks=all, kafka-python and confluent-kafka (`load.py`), keep sending to
one topic for the whole run and write down what was acknowledged. The broker is killed at a random
moment and started again on the same directory and port. After each restart, and at the end, the
whole topic is read and compared:

- missing: an acknowledged record is not at the offset its producer was told;
- twice: a value stands in the log more than once;
- disorder: a producer's values are not in the order it sent them in their partition;
- gaps: at the end, a value is missing that its producer didn't report as failed;
- sequences: a producer id's batches in the files don't follow one another without gap or repeat.

Any of them, and any value reported as failed, makes the exit code 1. A killed process keeps its page
cache, so this says nothing about a machine that loses power.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compat"))

from apache import ApacheKafka  # noqa: E402
from broker import Ottla  # noqa: E402
from install import java  # noqa: E402
from segments import stored_batches  # noqa: E402

TOPIC: Final = "chaos"
PARTITIONS: Final = 6
PRODUCERS: Final = ("kafka-python", "confluent-kafka")
LOAD_SECONDS: Final = (1.5, 3.5)  # how long a broker lives, at least and at most
# After a restart, how long until both producers must have acknowledged something new.
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


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 under load")
    parser.add_argument("--against", choices=("ottla", "apache"), default="ottla")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=2000, help="records a second and producer")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"{options.against}, seed {options.seed}, working in {work}", file=sys.stderr)
    broker = make_broker(options.against, work)
    broker.start()
    create_topic(broker.bootstrap)
    producers = [Producer(name, broker.bootstrap, options.rate, work) for name in PRODUCERS]
    try:
        good = run(broker, producers, options.rounds, random.Random(options.seed), work / "data")
    finally:
        for producer in producers:
            producer.kill()
        broker.stop()
    if good:
        shutil.rmtree(work)
    else:
        print(f"seed {options.seed}; the files are in {work}")
    return 0 if good else 1


def make_broker(kind: str, work: Path) -> Ottla | ApacheKafka:
    if kind == "ottla":
        return Ottla(work / "data", work)
    apache = ApacheKafka(java(), work / "data", work)
    apache.format_directory()
    return apache


def run(
    broker: Ottla | ApacheKafka,
    producers: list[Producer],
    rounds: int,
    chance: random.Random,
    data: Path,
) -> bool:
    print("round  lived s  back s  acknowledged  in the log  missing  twice  disorder")
    good = True
    wait_for_progress(producers, [0] * len(producers))
    for number in range(1, rounds + 1):
        lives = chance.uniform(*LOAD_SECONDS)
        time.sleep(lives)
        broker.kill()
        known = [producer.acknowledged() for producer in producers]
        killed = time.monotonic()
        broker.start()
        back = time.monotonic() - killed
        seen = read_topic(broker.bootstrap)
        found = compare(list(itertools.chain(*known)), seen)
        show(f"{number:5}", f"{lives:7.1f}  {back:6.2f}", sum(map(len, known)), found)
        good = good and found.clean()
        # All producers must come back by themselves before the next blow.
        if not wait_for_progress(producers, [len(one) for one in known]):
            print(f"       no producer progress within {RECOVER_SECONDS_MAX} s")
            good = False
    ends = [producer.finish() for producer in producers]
    known = [producer.acknowledged() for producer in producers]
    seen = read_topic(broker.bootstrap)
    found = compare(list(itertools.chain(*known)), seen)
    show("  end", " " * 15, sum(map(len, known)), found)
    values = {value for rows in seen.values() for _, value in rows}
    for producer, (sent, failed) in zip(producers, ends, strict=True):
        gaps = sum(f"{producer.client}:{number}" not in values for number in range(sent))
        ids, broken = sequences(data, producer.client, seen)
        print(
            f"{producer.client}: sent {sent}, reported failed {failed}, gaps {gaps}, "
            f"{ids} producer ids and epochs, {broken} breaks in their sequences"
        )
        good = good and sent > 0 and not (failed or gaps or broken)
    return good and found.clean()


def show(label: str, timing: str, acknowledged: int, found: Findings) -> None:
    print(
        f"{label}  {timing}  {acknowledged:12}  {found.records:10}  "
        f"{found.missing:7}  {found.twice:5}  {found.disorder:8}  {found.first}",
        flush=True,
    )


def wait_for_progress(producers: list[Producer], known: list[int]) -> bool:
    deadline = time.monotonic() + RECOVER_SECONDS_MAX
    while True:
        if all(len(p.acknowledged()) > n for p, n in zip(producers, known, strict=True)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def create_topic(bootstrap: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)


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


if __name__ == "__main__":
    sys.exit(main())
