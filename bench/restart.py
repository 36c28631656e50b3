"""How long after a kill -9 does a broker with 10 GiB in 1,000 partitions serve again?"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from load import drive
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import batch_of, create_topics, produce_answer, produce_frame, wait_until_writable

TOPICS: Final = 10
PARTITIONS: Final = 100
BATCH_RECORDS: Final = 1_000
BATCHES: Final = 11
"""In each partition, of a little more than a megabyte."""
GIB: Final = 1 << 30


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    batch = batch_of([b"x" * 1_000] * BATCH_RECORDS)
    needed_bytes = TOPICS * PARTITIONS * BATCHES * len(batch)
    assert needed_bytes >= 10 * GIB
    if shutil.disk_usage(place).free < 2 * needed_bytes:
        raise Unanswerable(f"the disk has no {2 * needed_bytes / GIB:.0f} GiB to spare")
    process = peer.start(place)
    try:
        with process.connect() as connection:
            for topic in range(TOPICS):
                name = f"kept-{topic}"
                create_topics(connection, [name], PARTITIONS)
                for partition in range(PARTITIONS):
                    wait_until_writable(connection, name, partition)
                    requests = repeat(produce_frame(name, partition, batch), BATCHES)
                    drive(connection, requests, in_flight=2, begins=produce_answer(name, 1))

        def once() -> Answer:
            nonlocal process
            process.kill()
            process = peer.start(place)
            answered_s = process.start_seconds
            began_s = time.perf_counter()
            with process.connect() as connection:
                for topic in range(TOPICS):
                    wait_until_writable(connection, f"kept-{topic}", PARTITIONS - 1)
            writable_s = time.perf_counter() - began_s
            return {
                "10 GiB: until the first answer": answered_s,
                "10 GiB: until every topic takes records": answered_s + writable_s,
                "10 GiB: CPU until then": process.cpu_seconds(),
            }

        yield once
    finally:
        process.kill()


QUESTION: Final = Question(
    name="restart",
    title="Restart after kill -9, with 10 GiB in 1,000 partitions",
    how=(
        f"{TOPICS} topics of {PARTITIONS} partitions, {BATCHES} batches of 1 MB in each, which the page cache "
        "has as far as it can. From the start of the process until a partition of every topic has "
        "acknowledged a record."
    ),
    figures=(
        Figure(name="10 GiB: until the first answer", unit="s"),
        Figure(name="10 GiB: until every topic takes records", unit="s"),
        Figure(name="10 GiB: CPU until then", unit="s"),
    ),
    prepare=prepare,
    needs_files=True,
    warm_up=1,
    rounds=3,
)

if __name__ == "__main__":
    main(QUESTION)
