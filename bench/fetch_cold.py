"""What does reading cost the broker when nothing of it is in the page cache?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from fetch import BATCHES, RECORDS, SIZES
from load import cost, drive
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import batch_of, fetch_frame, fetched, make_topic, produce_frame, produced

TOPIC: Final = "cold"
FROM_DISK_MIN: Final = 0.9
"""Of what was read: less, and the page cache had it."""


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if peer.title in ("librdkafka's mock", "kfake"):
        raise Unanswerable("it keeps its records in memory")
    with peer.running(place) as process, process.connect() as connection:
        begin = make_topic(connection, TOPIC)
        batch = batch_of([b"x" * 1_000] * RECORDS)
        request = produce_frame(TOPIC, 0, batch)
        drive(connection, repeat(request, BATCHES), in_flight=5, begins=produced(TOPIC))
        segments = sorted(place.glob(f"data/{TOPIC}-0/*"))
        assert segments, "the data is elsewhere"

        def once() -> Answer:
            answer: dict[str, float] = {}
            for size in SIZES:
                bytes_each = size.batches * len(batch)
                offsets = range(0, BATCHES - size.batches + 1, size.batches)
                frames = [
                    fetch_frame(TOPIC, begin + at * RECORDS, bytes_max=bytes_each) for at in offsets
                ]
                drop(segments)
                disk_bytes = process.disk_bytes()
                spent = cost(process, connection, frames, in_flight=1, begins=fetched(TOPIC))
                disk_bytes = process.disk_bytes() - disk_bytes
                if disk_bytes < FROM_DISK_MIN * bytes_each * len(frames):
                    raise Unanswerable(f"only {disk_bytes / 1e6:.0f} MB came from the disk")
                answer[f"{size.name}: CPU"] = spent.cpu_s_per_gb(bytes_each)
                answer[f"{size.name}: rate"] = spent.mb_per_s(bytes_each)
                answer[f"{size.name}: p99"] = spent.took_us(0.99)
            return answer

        yield once


def drop(files: list[Path]) -> None:
    """The page cache has nothing of them."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # a page that is still to be written stays
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def figures() -> Iterator[Figure]:
    for size in SIZES:
        yield Figure(name=f"{size.name}: CPU", unit="s/GB")
        yield Figure(name=f"{size.name}: rate", unit="MB/s", more_is_better=True)
        yield Figure(name=f"{size.name}: p99", unit="µs")


QUESTION: Final = Question(
    name="fetch_cold",
    title="Fetch from the disk",
    how=(
        f"The same partition of {BATCHES * RECORDS / 1e3:.0f} MB, read in order once in answers of each "
        "size, after its files were synced and dropped from the page cache (posix_fadvise); the kernel "
        "says that the broker's process read it all from the disk. CPU is the broker's per GB of records, "
        "asking the disk included."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
