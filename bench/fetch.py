"""What does reading cost the broker, from the page cache, in answers of 11 KB to 1 MB?"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Final, NamedTuple

from load import cost, drive
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


class Size(NamedTuple):
    name: str
    batches: int
    passes: int
    """Over the whole log in a round."""


SIZES: Final = (Size("11 KB", 1, 1), Size("64 KB", 6, 3), Size("1 MB", 93, 6))


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        begin = make_topic(connection, TOPIC)
        batch = batch_of([b"x" * 1_000] * RECORDS)
        request = produce_frame(TOPIC, 0, batch)
        drive(connection, repeat(request, BATCHES), in_flight=5, begins=produced(TOPIC))
        frames = {}
        for size in SIZES:
            frames[size] = [
                fetch_frame(TOPIC, begin + at * RECORDS, bytes_max=size.batches * len(batch))
                for at in range(0, BATCHES - size.batches + 1, size.batches)
            ]
            for one in (frames[size][0], frames[size][-1]):
                connection.sendall(one)
                if (got := fetched_bytes(read_frame(connection))) != size.batches * len(batch):
                    raise Unanswerable(
                        f"of {BATCHES * len(batch) / 1e6:.0f} MB written, and asked for "
                        f"{size.name}, it returned {got:,} bytes"
                    )

        def once() -> Answer:
            answer: dict[str, float] = {}
            for size in SIZES:
                requests = chain.from_iterable(repeat(frames[size], size.passes))
                spent = cost(process, connection, requests, in_flight=1, begins=fetched(TOPIC))
                useful_bytes = size.batches * len(batch)
                answer[f"{size.name}: CPU"] = spent.cpu_s_per_gb(useful_bytes)
                answer[f"{size.name}: rate"] = spent.mb_per_s(useful_bytes)
                answer[f"{size.name}: p99"] = spent.took_us(0.99)
            return answer

        yield once


def figures() -> Iterator[Figure]:
    for size in SIZES:
        yield Figure(name=f"{size.name}: CPU", unit="s/GB")
        yield Figure(name=f"{size.name}: rate", unit="MB/s", more_is_better=True)
        yield Figure(name=f"{size.name}: p99", unit="µs")


QUESTION: Final = Question(
    name="fetch",
    title="Fetch from the page cache",
    how=(
        f"One partition of {BATCHES * RECORDS / 1e3:.0f} MB in batches of 11 KB, read in order by one "
        "connection with one request in flight, in answers of one batch, six and 93. CPU is the "
        "broker's per GB of records."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
