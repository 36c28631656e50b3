"""What does reading cost the broker when nothing of it is in the page cache?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fetch import BATCH, BATCHES, SIZES, figures, fill
from load import cost
from peer import Peer
from question import Answer, Question, Round, Unanswerable, main
from wire import fetched

TOPIC: Final = "cold"
FROM_DISK_MIN: Final = 0.9
"""Of what was read: less, and the page cache had it."""


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        frames = fill(connection, TOPIC)
        segments = sorted(place.glob(f"data/{TOPIC}-0/*"))
        assert segments, "the data is elsewhere"

        def once() -> Answer:
            answer: dict[str, float] = {}
            for size in SIZES:
                drop(segments)
                disk_bytes = process.disk_bytes()
                spent = cost(process, connection, frames[size], in_flight=1, begins=fetched(TOPIC))
                disk_bytes = process.disk_bytes() - disk_bytes
                if disk_bytes < FROM_DISK_MIN * size.bytes * len(frames[size]):
                    raise Unanswerable(f"only {disk_bytes / 1e6:.0f} MB came from the disk")
                answer.update(size.figures(spent))
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


QUESTION: Final = Question(
    name="fetch_cold",
    title="Fetch from the disk",
    how=(
        f"The same partition of {BATCHES * len(BATCH) / 1e6:.0f} MB, read in order once in answers of each "
        "size, after its files were synced and dropped from the page cache (posix_fadvise); the kernel "
        "says that the broker's process read it all from the disk. CPU is the broker's per GB of records, "
        "asking the disk included."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    needs_files=True,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
