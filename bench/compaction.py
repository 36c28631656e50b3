"""How fast is a log compacted, and what does a producer notice of it?"""

import os
import random
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count, cycle, islice
from pathlib import Path
from typing import Final, NamedTuple

from load import drive, percentile
from peer import Peer
from process import BrokerProcess
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import (
    ask,
    batch_of,
    delete_topic,
    make_topic,
    produce_frame,
    produced,
    read_frame,
)

from ottla.record.builder import BatchBuilder
from ottla.wire.api import INCREMENTAL_ALTER_CONFIGS
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

GIB: Final = 1 << 30
LOG_BYTES: Final = {1_000: 10 * GIB, 100: GIB}
"""Of records of a size."""
DISTINCT: Final = 100
"""So many records of a key, on average."""
BATCH_BYTES: Final = 16 * 1024
SEGMENT_BYTES: Final = 64 << 20
BESIDE: Final = "beside"
PACE_SECONDS: Final = 0.002
CHANCE: Final = random.Random(2)
ALONE: Final = 2_000
"""Produces before the compaction."""
TURN: Final = 2_000
REST: Final = 400
"""Produces beside it, and then while it rests, in turns: whatever else the machine does is in both."""
BUSY_TIMES: Final = 1.5
"""A broker that takes so much more CPU than at rest is compacting."""
SETTLED: Final = 100
"""Produces of each turn that do not count: until then the broker goes on as it was told before."""
RESTING: Final = "1000000"
UNLIMITED: Final = "1e308"
"""Bytes a second that compaction may move. Resting, it takes a step in some 130 ms."""
SECONDS_MAX: Final = 1_800
TOPIC_RESOURCE: Final = 2
BROKER_RESOURCE: Final = 4


class Turn(NamedTuple):
    """What each of its Produces took, and the broker's CPU and the time meanwhile."""

    took_ns: list[int]
    cpu_s: float
    wall_s: float

    @property
    def cpu_share(self) -> float:
        return self.cpu_s / self.wall_s


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if shutil.disk_usage(place).free < 3 * max(LOG_BYTES.values()):
        raise Unanswerable("the disk has not three times the room of the log")
    numbers = count()
    with peer.running(place) as process, process.connect() as connection:
        make_topic(connection, BESIDE)

        def once() -> Answer:
            answer: dict[str, float] = {}
            for record_bytes, log_bytes in LOG_BYTES.items():
                topic = f"compacted-{next(numbers)}"
                fill(connection, topic, record_bytes, log_bytes)
                os.sync()  # or the disk is still busy with the log
                names = figures_of(record_bytes)
                found = compacted(process, connection, topic, place / "data")
                answer.update(zip(names, found, strict=True))
                delete_topic(connection, topic)
            return answer

        yield once


def fill(connection: socket.socket, topic: str, record_bytes: int, log_bytes: int) -> None:
    make_topic(connection, topic, segment_bytes=str(SEGMENT_BYTES))
    pool = batches(log_bytes // DISTINCT, record_bytes, random.Random(1))
    frames = [produce_frame(topic, 0, batch) for batch in pool]
    needed = log_bytes * len(frames) // sum(map(len, frames))
    drive(connection, islice(cycle(frames), needed), in_flight=5, begins=produced(topic))


def batches(total_bytes: int, record_bytes: int, chance: random.Random) -> Iterator[bytes]:
    """As many keys as records, drawn at random."""
    value = chance.randbytes(record_bytes - 20)
    keys = max(1, total_bytes // record_bytes)
    per_batch = max(1, BATCH_BYTES // record_bytes)
    now_ms = int(time.time() * 1_000)
    for _ in range(max(1, keys // per_batch)):
        builder = BatchBuilder()
        for _ in range(per_batch):
            builder.append(now_ms, b"%011d" % chance.randrange(keys), value)
        yield bytes(builder.build())


def compacted(
    process: BrokerProcess, connection: socket.socket, topic: str, data: Path
) -> tuple[float, ...]:
    """MB of input per second of CPU, p99 of a Produce without it and beside it in µs, MiB more of memory.

    The log is one that keeps all, until its policy is changed: nothing is compacted before.
    """
    segments = sorted((data / f"{topic}-0").glob("*.log"))
    active = int(segments[-1].stem)
    input_bytes = sum(segment.stat().st_size for segment in segments[:-1])
    beside: list[Turn] = []
    with process.connect() as producer:
        without = [turn_of(process, producer, ALONE)]
        memory_mib = most_mib = process.resident_mib()
        set_configs(
            connection,
            TOPIC_RESOURCE,
            topic,
            {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"},
        )
        deadline_s = time.perf_counter() + SECONDS_MAX
        while clean_until(data / "cleaner-offset-checkpoint", topic) < active:
            set_speed(connection, UNLIMITED)
            beside.append(turn_of(process, producer, TURN))
            set_speed(connection, RESTING)
            without.append(turn_of(process, producer, REST))
            most_mib = max(most_mib, process.resident_mib())
            if time.perf_counter() > deadline_s:
                raise Unanswerable(f"it is not done after {SECONDS_MAX} s")
        set_speed(connection, UNLIMITED)
    idle_share = sum(turn.cpu_s for turn in without) / sum(turn.wall_s for turn in without)
    return (
        input_bytes / sum(turn.cpu_s - idle_share * turn.wall_s for turn in beside) / 1e6,
        p99_us(without),
        p99_us([turn for turn in beside[:-1] if turn.cpu_share > BUSY_TIMES * idle_share]),
        most_mib - memory_mib,
    )


def turn_of(process: BrokerProcess, producer: socket.socket, times: int) -> Turn:
    cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
    took_ns = paced(producer, times)
    return Turn(took_ns[SETTLED:], process.cpu_seconds() - cpu_s, time.perf_counter() - wall_s)


def p99_us(turns: Sequence[Turn]) -> float:
    return percentile(sorted(chain.from_iterable(turn.took_ns for turn in turns)), 0.99) / 1e3


def paced(connection: socket.socket, times: int) -> list[int]:
    """What each of so many Produces of 100 bytes took, to a log that keeps all.

    They are sent at random moments: at even ones they would keep step with the broker's own timers.
    """
    request, begins = produce_frame(BESIDE, 0, batch_of([b"x" * 100])), produced(BESIDE)
    took_ns = []
    due_s = time.perf_counter()
    for _ in range(times):
        due_s += CHANCE.expovariate(1 / PACE_SECONDS)
        time.sleep(max(0.0, due_s - time.perf_counter()))
        at_ns = time.perf_counter_ns()
        connection.sendall(request)
        answer = read_frame(connection)
        took_ns.append(time.perf_counter_ns() - at_ns)
        if not answer.startswith(begins):
            raise ValueError("a Produce was refused")
    return took_ns


def set_speed(connection: socket.socket, bytes_per_s: str) -> None:
    set_configs(
        connection, BROKER_RESOURCE, "", {"log.cleaner.io.max.bytes.per.second": bytes_per_s}
    )


def set_configs(
    connection: socket.socket, resource: int, name: str, values: Mapping[str, str]
) -> None:
    configs = [AlterableConfig(key, 0, value) for key, value in values.items()]
    request = IncrementalAlterConfigsRequest([AlterConfigsResource(resource, name, configs)])
    answer = ask(connection, INCREMENTAL_ALTER_CONFIGS, 1, request)
    (row,) = answer.responses  # type: ignore[attr-defined]
    if row.error_code:
        raise Unanswerable(f"error {row.error_code} {row.error_message}")


def clean_until(checkpoint: Path, topic: str) -> int:
    """Of partition 0, as the broker's own file says; -1: of nothing."""
    if checkpoint.exists():
        for line in checkpoint.read_text().splitlines():
            if line.startswith(f"{topic} 0 "):
                return int(line.split()[2])
    return -1


def figures_of(record_bytes: int) -> tuple[str, ...]:
    return (
        f"{record_bytes:,} B: input per second of CPU",
        f"{record_bytes:,} B: p99 of a Produce without it",
        f"{record_bytes:,} B: p99 of a Produce beside it",
        f"{record_bytes:,} B: memory for it",
    )


def figures() -> Iterator[Figure]:
    for record_bytes in LOG_BYTES:
        rate, without, beside, memory = figures_of(record_bytes)
        yield Figure(name=rate, unit="MB/s", more_is_better=True)
        yield Figure(name=without, unit="µs")
        yield Figure(name=beside, unit="µs")
        yield Figure(name=memory, unit="MiB")


QUESTION: Final = Question(
    name="compaction",
    title="Compaction: its cost, and what a producer notices",
    how=(
        "A log of "
        + ", then one of ".join(
            f"{size / GIB:.0f} GiB of records of {each:,} bytes" for each, size in LOG_BYTES.items()
        )
        + f", {DISTINCT} of each key, in batches of 16 KB and segments of 64 MiB, whose cleanup.policy is then "
        "changed to compact. Another connection sends a Produce of 100 bytes to another topic, 500 a second at random "
        f"moments. After each {TURN:,} of them the compaction rests for {REST} "
        "(log.cleaner.io.max.bytes.per.second): these are the ones without it, and the broker's CPU meanwhile is not "
        "counted. The broker says by its cleaner-offset-checkpoint when it is done."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    needs_files=True,
    rounds=1,
)

if __name__ == "__main__":
    main(QUESTION)
