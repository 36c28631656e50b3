"""The capabilities: what is done with each client, and what must come out.

Each check is a function of one client and the world around it. It returns a note, or nothing, when
all is well, raises `Wrong` when the broker or its files say something else than Apache Kafka would,
and lets the driver's `Cannot` through where the client has no such feature. A check writes to topics
of its own, so that the checks are independent of one another but for `reads_all`, which reads
everything the codec checks wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clients import Client
from driver import Cannot, Driver, Refused
from records import FIRST_MS, Record, as_written_by, awkward_records, difference, record
from segments import CODECS, StoredBatch, stored_batches

OFFSET_OUT_OF_RANGE: Final = 1
UNKNOWN_TOPIC_OR_PARTITION: Final = 3
MESSAGE_TOO_LARGE: Final = 10
INVALID_CONFIG: Final = 40
TOPIC_ALREADY_EXISTS: Final = 36

VISIBLE_SECONDS_MAX: Final = 10.0
LIMIT_BYTES: Final = 100_000
# A batch of one record without key and headers: 61 bytes of batch header, 3 of the record's length,
# then 1 attributes, 1 timestamp delta, 1 offset delta, 1 absent key, 3 value length, 1 header count.
AROUND_ONE_VALUE_BYTES: Final = 61 + 3 + 8


class Wrong(Exception):
    """Not what Apache Kafka would do; the text says what happened instead."""


@dataclass(frozen=True, slots=True)
class Written:
    """A partition and what a writer put into it, in order."""

    topic: str
    partition: int
    records: list[Record]


@dataclass(slots=True)
class World:
    """What checks share: the reference client, the broker's files, and what was written so far.

    `writer`: another reference client, for whoever writes beside a check. `restart(kill)`: the
    broker goes, by SIGTERM or by SIGKILL, and comes back on the same port; None: it isn't ours.
    `invalid_config`: what the broker calls a value that is none.
    """

    reference: Driver
    data_dir: Path | None
    writer: Driver | None = None
    restart: Callable[[bool], None] | None = None
    invalid_config: int = INVALID_CONFIG
    written: list[Written] = field(default_factory=list)

    def stored(self, topic: str, partition: int) -> list[StoredBatch]:
        """The batches on disk; empty when the broker's files are out of sight."""
        if self.data_dir is None:
            return []
        return stored_batches(self.data_dir, topic, partition)

    def create(self, topic: str, partitions: int = 1, **configs: str) -> None:
        options = {name.replace("_", "."): value for name, value in configs.items()}
        self.reference.ask("create", topic=topic, partitions=partitions, configs=options)
        self.wait_for_topic(self.reference, topic, there=True)

    def wait_for_topic(self, driver: Driver, topic: str, *, there: bool) -> None:
        """Admin clients may see a change of the metadata a moment late."""
        deadline = time.monotonic() + VISIBLE_SECONDS_MAX
        while (topic in driver.ask("topics")) != there:
            if time.monotonic() > deadline:
                raise Wrong(f"topic {topic} is {'not' if there else 'still'} listed")
            time.sleep(0.1)

    def reader_for(self, driver: Driver) -> tuple[Driver, str | None]:
        """The client itself where it reads assigned partitions, or the reference and why."""
        try:
            driver.ask("consume", topic="none", starts={}, count=0)
        except Cannot as cannot:
            return self.reference, f"read by {self.reference.name}: own consumer {cannot}"
        except Exception:  # noqa: BLE001 - whatever else it says to an empty wish, it can read
            return driver, None
        return driver, None


Check = Callable[[Client, Driver, World], str | None]


@contextmanager
def refusal(code: int, what: str) -> Iterator[None]:
    """The block must be refused with `code`."""
    try:
        yield
    except Refused as refused:
        if refused.code != code:
            raise Wrong(f"{what}: {refused}, not error {code}") from None
        return
    raise Wrong(f"{what}: accepted, should be error {code}")


def read_all(driver: Driver, topic: str, starts: dict[int, int], count: int) -> list[Record]:
    """`count` records by partition, in the order each partition gave them."""
    seen: list[Record] = driver.ask(
        "consume", topic=topic, starts={str(part): at for part, at in starts.items()}, count=count
    )
    return sorted(seen, key=lambda one: int(one["partition"]))  # stable: order within is kept


def expect(expected: list[Record], seen: list[Record], who: str) -> None:
    wrong = difference(expected, seen)
    if wrong is not None:
        raise Wrong(f"{who}: {wrong}")


def placed(records: list[Record], at: int = 0) -> list[Record]:
    """The same records with the offsets they must have in their partition, from `at`."""
    return [{**one, "offset": at + number} for number, one in enumerate(records)]


def topics(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"topics-{client.name}"
    configs = {"retention.ms": "123456789", "cleanup.policy": "delete"}
    note = None
    try:
        driver.ask("create", topic=topic, partitions=3, configs=configs)
    except Cannot:
        note = "lists and describes only"
        world.create(topic, partitions=3)
    world.wait_for_topic(driver, topic, there=True)
    if driver.ask("partitions", topic=topic) != [0, 1, 2]:
        raise Wrong(f"described partitions {driver.ask('partitions', topic=topic)}")
    if note is not None:
        return note
    # KafkaJS takes "already exists" for an answer and tells its caller `false`.
    if client.name != "kafkajs":
        with refusal(TOPIC_ALREADY_EXISTS, "creating it again"):
            driver.ask("create", topic=topic, partitions=3, configs={})
    driver.ask("delete", topic=topic)
    world.wait_for_topic(driver, topic, there=False)
    return None


def codec(name: str) -> Check:
    """The check for one codec: written and read byte for byte, stored as the client sent it."""
    partition = CODECS.index(name)

    def check(client: Client, driver: Driver, world: World) -> str | None:
        topic = f"codecs-{client.name}"
        if topic not in world.reference.ask("topics"):
            world.create(topic, partitions=len(CODECS), retention_ms="-1")
        records = as_written_by(client, awkward_records(partition))
        reports = driver.ask("produce", topic=topic, codec=name, records=records)
        if [report["offset"] for report in reports] != list(range(len(records))):
            raise Wrong(f"reported offsets {[report['offset'] for report in reports]}")
        expected = placed(records)
        world.written.append(Written(topic, partition, expected))
        reader, note = world.reader_for(driver)
        expect(expected, read_all(reader, topic, {partition: 0}, len(records)), reader.name)
        stored = {batch.codec for batch in world.stored(topic, partition)}
        # A client may leave a batch uncompressed that would only grow.
        if world.data_dir is not None and (name not in stored or stored - {name, "none"}):
            raise Wrong(f"stored as {sorted(stored)}")
        return note

    return check


def reads_all(client: Client, driver: Driver, world: World) -> str | None:
    if not world.written:
        raise Wrong("nothing was written")
    topics: dict[str, list[Written]] = {written.topic: [] for written in world.written}
    for written in world.written:
        topics[written.topic].append(written)
    for topic, parts in topics.items():
        parts.sort(key=lambda part: part.partition)
        expected = [one for part in parts for one in part.records]
        seen = read_all(driver, topic, {part.partition: 0 for part in parts}, len(expected))
        expect(expected, seen, f"what {topic.removeprefix('codecs-')} wrote")
    return f"{len(world.written)} partitions by {len(topics)} writers"


def order(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"order-{client.name}"
    world.create(topic, partitions=3)
    # kcat starts a process wherever the partition changes, so runs of one partition are longer.
    run = 100 if client.text_only else 1
    records = [
        record(f"{number:06}".encode() * 5, partition=number // run % 3) for number in range(600)
    ]
    driver.ask("produce", topic=topic, codec="none", records=records, batch_bytes=1500)
    reader, note = world.reader_for(driver)
    by_partition = [placed([one for one in records if one["partition"] == p]) for p in range(3)]
    seen = read_all(reader, topic, {0: 0, 1: 0, 2: 0}, len(records))
    expect([one for part in by_partition for one in part], seen, reader.name)
    if world.data_dir is not None and len(world.stored(topic, 0)) < 2:
        raise Wrong("one batch only: nothing was shown about order")
    return note


def times(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"times-{client.name}"
    world.create(topic, retention_ms="-1")
    stamps = [FIRST_MS + number * 1000 for number in range(60)]
    stamps[20] = FIRST_MS + 25_500  # one producer's clock is ahead
    records = [record(b"x" * 50, timestamp=stamp) for stamp in stamps]
    for codec_name, part in (("gzip", records[:30]), ("none", records[30:])):
        world.reference.ask("produce", topic=topic, codec=codec_name, records=part)
    # The first record whose time stamp is at or after the one asked for (KIP-79).
    wanted = {
        FIRST_MS - 5: 0,
        FIRST_MS: 0,
        FIRST_MS + 1: 1,
        FIRST_MS + 21_000: 20,
        FIRST_MS + 25_500: 20,
        FIRST_MS + 25_501: 26,
        FIRST_MS + 30_000: 30,
        FIRST_MS + 58_001: 59,
        FIRST_MS + 59_000: 59,
        FIRST_MS + 59_001: None,
    }
    answers = driver.ask("times", topic=topic, partition=0, timestamps=list(wanted))
    for (stamp, offset), answer in zip(wanted.items(), answers, strict=True):
        found = None if answer is None else answer["offset"]
        if found != offset:
            raise Wrong(f"offset {found} for first + {stamp - FIRST_MS} ms, not {offset}")
        if answer is not None and offset is not None:
            if answer.get("timestamp", stamps[offset]) != stamps[offset]:
                raise Wrong(f"time stamp {answer['timestamp']} at {offset}, not {stamps[offset]}")
    if driver.ask("watermarks", topic=topic, partition=0) != [0, len(records)]:
        raise Wrong(f"first and end {driver.ask('watermarks', topic=topic, partition=0)}")
    return None


def idempotent(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"idempotent-{client.name}"
    world.create(topic)
    records = [record(f"{number:06}".encode() * 5, key=b"k") for number in range(300)]
    driver.ask(
        "produce", topic=topic, codec="none", records=records, idempotent=True, batch_bytes=1500
    )
    reader, note = world.reader_for(driver)
    expect(placed(records), read_all(reader, topic, {0: 0}, len(records)), reader.name)
    next_sequence = 0
    for batch in world.stored(topic, 0):
        if batch.producer_id < 0:
            raise Wrong(f"the batch at {batch.base_offset} has no producer id")
        if batch.base_sequence != next_sequence:
            raise Wrong(f"sequence {batch.base_sequence} at {batch.base_offset}")
        next_sequence += batch.record_count
    if world.data_dir is not None and next_sequence != len(records):
        raise Wrong(f"{next_sequence} records stored")
    return note


def delete_records(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"delete-records-{client.name}"
    world.create(topic)
    records = [record(f"value {number}".encode()) for number in range(100)]
    world.reference.ask("produce", topic=topic, codec="none", records=records[:70])
    world.reference.ask("produce", topic=topic, codec="none", records=records[70:])
    # 40 lies inside the first batch: the batch stays, its first 40 records are not to be seen.
    if (low := driver.ask("delete_records", topic=topic, partition=0, before=40)) != 40:
        raise Wrong(f"low watermark {low}, not 40")
    if (marks := driver.ask("watermarks", topic=topic, partition=0)) != [40, 100]:
        raise Wrong(f"first and end {marks}, not [40, 100]")
    reader, note = world.reader_for(driver)
    expect(placed(records[40:], 40), read_all(reader, topic, {0: 40}, 60), reader.name)
    with refusal(OFFSET_OUT_OF_RANGE, "deleting beyond the end"):
        driver.ask("delete_records", topic=topic, partition=0, before=101)
    return note


def size_limit(client: Client, driver: Driver, world: World) -> str | None:
    topic = f"limit-{client.name}"
    world.create(topic, max_message_bytes=str(LIMIT_BYTES))
    fits = record(b"x" * (LIMIT_BYTES - AROUND_ONE_VALUE_BYTES))
    too_large = record(b"y" * (LIMIT_BYTES - AROUND_ONE_VALUE_BYTES + 1))
    request_bytes = 10 * LIMIT_BYTES
    driver.ask("produce", topic=topic, codec="none", records=[fits], request_bytes=request_bytes)
    with refusal(MESSAGE_TOO_LARGE, f"a batch of {LIMIT_BYTES + 1} bytes"):
        driver.ask(
            "produce", topic=topic, codec="none", records=[too_large], request_bytes=request_bytes
        )
    marks = world.reference.ask("watermarks", topic=topic, partition=0)
    if marks != [0, 1]:
        raise Wrong(f"first and end {marks}, not [0, 1]")
    sizes = [batch.size_bytes for batch in world.stored(topic, 0)]
    if world.data_dir is not None and sizes != [LIMIT_BYTES]:
        raise Wrong(f"stored batches of {sizes} bytes: the limit was not met exactly")
    return None


def alter(client: Client, driver: Driver, world: World) -> str | None:
    if client.name == "java":
        raise Cannot("its own tools are checked below")
    topic = f"alter-{client.name}"
    world.create(topic)
    large = record(b"z" * LIMIT_BYTES)
    world.reference.ask("produce", topic=topic, codec="none", records=[large])
    driver.ask("alter", topic=topic, configs={"max.message.bytes": str(LIMIT_BYTES)})
    # What the client was told is done holds for the very next request.
    with refusal(MESSAGE_TOO_LARGE, f"more than {LIMIT_BYTES} bytes"):
        world.reference.ask("produce", topic=topic, codec="none", records=[large])
    with refusal(world.invalid_config, "a time that is no number"):
        driver.ask("alter", topic=topic, configs={"retention.ms": "soon"})
    return None


CAPABILITIES: Final[dict[str, Check]] = {
    "topics": topics,
    **{name: codec(name) for name in CODECS},
    "reads all": reads_all,
    "order": order,
    "times": times,
    "idempotent": idempotent,
    "delete recs": delete_records,
    "size limit": size_limit,
    "alter": alter,
}
