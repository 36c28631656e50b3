"""What does reading cost the broker, from the page cache, in answers of 11 KB to 1 MB?"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Final, NamedTuple

from load import Cost, cost, drive
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import (
    batch_of,
    fetch_frame,
    fetched,
    fetched_bytes,
    make_topic,
    produce_frame,
    produced,
    read_frame,
)

TOPIC: Final = "hot"
RECORDS: Final = 11
BATCHES: Final = 5_580
BATCH: Final = batch_of([b"x" * 1_000] * RECORDS)


class Size(NamedTuple):
    """Of an answer."""

    name: str
    batches: int
    passes: int
    """Over the whole log in a round."""

    @property
    def bytes(self) -> int:
        return self.batches * len(BATCH)

    def figures(self, spent: Cost) -> Answer:
        return {
            f"{self.name}: CPU": spent.cpu_s_per_gb(self.bytes),
            f"{self.name}: rate": spent.mb_per_s(self.bytes),
            f"{self.name}: p99": spent.took_us(0.99),
        }


SIZES: Final = (Size("11 KB", 1, 1), Size("64 KB", 6, 3), Size("1 MB", 93, 6))
REST_S: Final = 11
"""Longer than Ottla takes what was tested for sound."""
RESTED: Final = Size(f"1 MB, {REST_S} s later", 93, 1)


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        frames = fill(connection, TOPIC)
        for size in SIZES:
            for one in (frames[size][0], frames[size][-1]):
                connection.sendall(one)
                if (got := fetched_bytes(read_frame(connection))) != size.bytes:
                    raise Unanswerable(
                        f"of {BATCHES * len(BATCH) / 1e6:.0f} MB written, and asked for "
                        f"{size.name}, it returned {got:,} bytes"
                    )

        def once() -> Answer:
            answer: dict[str, float] = {}
            for size in (*SIZES, RESTED):
                if size is RESTED:
                    time.sleep(REST_S)
                requests = chain.from_iterable(repeat(frames[size], size.passes))
                spent = cost(process, connection, requests, in_flight=1, begins=fetched(TOPIC))
                answer.update(size.figures(spent))
            return answer

        yield once


def fill(connection: socket.socket, topic: str) -> dict[Size, list[bytes]]:
    """Write a log; the requests that read it once, in answers of each size."""
    begin = make_topic(connection, topic)
    request = produce_frame(topic, 0, BATCH)
    drive(connection, repeat(request, BATCHES), in_flight=5, begins=produced(topic))
    return {
        size: [
            fetch_frame(topic, begin + at * RECORDS, bytes_max=size.bytes)
            for at in range(0, BATCHES - size.batches + 1, size.batches)
        ]
        for size in (*SIZES, RESTED)
    }


def figures() -> Iterator[Figure]:
    for size in (*SIZES, RESTED):
        yield Figure(name=f"{size.name}: CPU", unit="s/GB")
        yield Figure(name=f"{size.name}: rate", unit="MB/s", more_is_better=True)
        yield Figure(name=f"{size.name}: p99", unit="µs")


QUESTION: Final = Question(
    name="fetch",
    title="Fetch from the page cache",
    how=(
        f"One partition of {BATCHES * len(BATCH) / 1e6:.0f} MB in batches of 11 KB, read in order by one "
        "connection with one request in flight, in answers of one batch, six and 93. CPU is the "
        "broker's per GB of records. Ottla tests checksums, but not of what it wrote or tested in the "
        f"ten seconds before; {REST_S} s later it tests all of them."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
