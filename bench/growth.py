"""Does a request cost more where there are more partitions, connections, groups, or more in a log?"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Final

from commits import COMMITTED, commit_frame, wait_for_coordinator
from commits import TOPIC as COMMITTED_TOPIC
from lines import BATCH, CONNECTIONS, GROUPS, LINES, LOG, MANY, PARTITIONS, SIZES
from load import cost, cost_of, drive, drive_many
from peer import Peer
from process import BrokerProcess
from question import Figure, Question, Round, Unanswerable, main
from wire import (
    CREATE_TOPICS,
    batch_of,
    create_topics,
    fetch_frame,
    fetched,
    make_topic,
    produce_answer,
    produce_frame,
    produced,
    served,
    wait_until_writable,
)

TOPIC: Final = "grown"
IN_FLIGHT: Final = (1, 5)
REQUESTS: Final = 5_000
LOG_REQUESTS: Final = 2_000
BATCH_REQUESTS_MAX: Final = 2_000
MOVED_BYTES: Final = 50_000_000
"""A round of a batch size moves so much, or BATCH_REQUESTS_MAX of them."""
RECORD: Final = b"x" * 100
RECORD_BYTES_MAX: Final = 1_000
FILLED_RECORDS: Final = 11
SEGMENT_BYTES: Final = 64 << 20

Measure = Callable[[], Iterator[tuple[str, float]]]


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with ExitStack() as stack:

        def started(name: str) -> BrokerProcess:
            (own := place / name).mkdir()
            return stack.enter_context(peer.running(own))

        measures = [broker_of(size, started(str(size)), stack) for size in SIZES]
        measures.append(broker_of_logs(started("logs"), stack))
        yield lambda: {name: cpu_us for measure in measures for name, cpu_us in measure()}


def broker_of(size: int, process: BrokerProcess, stack: ExitStack) -> Measure:
    """So many partitions, connections and groups, as far as a line has such a point; all are used in turn."""
    count = min(size, MANY[-1])
    first, *_ = connections = [stack.enter_context(process.connect()) for _ in range(count)]
    if CREATE_TOPICS not in served(first):
        raise Unanswerable("one can't tell it how many partitions a topic has")
    create_topics(first, [TOPIC], size)
    batch = batch_of([RECORD])
    for partition in range(size):
        wait_until_writable(first, TOPIC, partition)
    # Which partition, and the error code behind it, are not looked at.
    over_all = cycle([produce_frame(TOPIC, partition, batch) for partition in range(size)])
    to_one, one_begins = produce_frame(TOPIC, 0, batch), produced(TOPIC)
    make_topic(first, COMMITTED_TOPIC)
    for group in range(count):
        wait_for_coordinator(first, f"g-{group}")
    commits = cycle([commit_frame(f"g-{group}") for group in range(count)])

    def over_connections(ahead: int) -> list[int]:
        if count == 1:
            return drive(first, repeat(to_one, REQUESTS), in_flight=ahead, begins=one_begins)
        return drive_many(connections, to_one, REQUESTS, begins=one_begins, at_once=ahead)

    def measure() -> Iterator[tuple[str, float]]:
        for at, ahead in enumerate(IN_FLIGHT):
            produces = islice(over_all, REQUESTS)
            spent = cost(process, first, produces, in_flight=ahead, begins=produce_answer(TOPIC, 1))
            yield PARTITIONS[at].figure(size), spent.cpu_us
            if size not in MANY:
                continue
            spent = cost_of(process, lambda ahead=ahead: over_connections(ahead))
            yield CONNECTIONS[at].figure(size), spent.cpu_us
            some = islice(commits, REQUESTS)
            spent = cost(process, first, some, in_flight=ahead, begins=COMMITTED)
            yield GROUPS[at].figure(size), spent.cpu_us

    return measure


def broker_of_logs(process: BrokerProcess, stack: ExitStack) -> Measure:
    """One partition for each size of a log, and one for each size of a batch."""
    connection = stack.enter_context(process.connect())
    chance = random.Random(1)
    small, filled = batch_of([RECORD]), batch_of([b"x" * RECORD_BYTES_MAX] * FILLED_RECORDS)
    produce_line, fetch_line = LOG
    reads = {}
    for size in produce_line.points:
        topic = f"log-{size}"
        begin = make_topic(connection, topic, segment_bytes=str(SEGMENT_BYTES))
        count = size // len(filled)
        fill = repeat(produce_frame(topic, 0, filled), count)
        drive(connection, fill, in_flight=5, begins=produced(topic))
        anywhere = (begin + chance.randrange(count) * FILLED_RECORDS for _ in range(LOG_REQUESTS))
        reads[size] = [fetch_frame(topic, at, bytes_max=len(filled)) for at in anywhere]
    batches = {}
    for size in BATCH[0].points:
        topic = f"batch-{size}"
        begin = make_topic(connection, topic)
        record = b"x" * min(size, RECORD_BYTES_MAX)
        batch = batch_of([record] * (size // len(record)))
        request = produce_frame(topic, 0, batch)
        drive(connection, [request], in_flight=1, begins=produced(topic))
        times = min(BATCH_REQUESTS_MAX, MOVED_BYTES // size)
        batches[size] = topic, request, fetch_frame(topic, begin, bytes_max=len(batch)), times

    def measure() -> Iterator[tuple[str, float]]:
        for size, fetches in reads.items():
            topic = f"log-{size}"
            produces = repeat(produce_frame(topic, 0, small), LOG_REQUESTS)
            spent = cost(process, connection, produces, in_flight=1, begins=produced(topic))
            yield produce_line.figure(size), spent.cpu_us
            spent = cost(process, connection, fetches, in_flight=1, begins=fetched(topic))
            yield fetch_line.figure(size), spent.cpu_us
        for size, (topic, request, fetch, times) in batches.items():
            some = repeat(request, times)
            spent = cost(process, connection, some, in_flight=1, begins=produced(topic))
            yield BATCH[0].figure(size), spent.cpu_us
            some = repeat(fetch, times)
            spent = cost(process, connection, some, in_flight=1, begins=fetched(topic))
            yield BATCH[1].figure(size), spent.cpu_us

    return measure


QUESTION: Final = Question(
    name="growth",
    title="Growth: a request among many partitions, connections and groups, in long logs and large batches",
    how=(
        f"CPU of the broker per request. A broker of each size ({', '.join(f'{size:,}' for size in SIZES)}) has "
        f"so many partitions, and as many open connections and groups with an offset, up to {MANY[-1]:,}; "
        f"{REQUESTS:,} requests a round and row use all of them in turn: Produces of 100 bytes with acks=1 "
        "to all partitions on one connection, then to one partition on all connections (five in flight: "
        "on five of them at a time; with one connection all five on it), then OffsetCommits of one "
        "partition for all groups. One more broker has the long logs, of batches of 11 KB in segments of "
        "64 MiB, and the topics with larger batches, of records of up to 1,000 bytes, one request in flight."
    ),
    figures=tuple(
        Figure(name=line.figure(point), unit="µs") for line in LINES for point in line.points
    ),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
