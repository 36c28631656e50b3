"""How long after a kill -9 does a broker with 1 GB in 1,000 partitions serve again?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from load import drive
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import batch_of, create_topics, produce_answer, produce_frame, wait_until_writable

TOPICS: Final = 10
PARTITIONS: Final = 100
BATCH_RECORDS: Final = 1_000


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if peer.title in ("librdkafka's mock", "kfake"):
        raise Unanswerable("it keeps its records in memory")
    process = peer.start(place)
    try:
        batch = batch_of([b"x" * 1_000] * BATCH_RECORDS)
        with process.connect() as connection:
            for topic in range(TOPICS):
                name = f"kept-{topic}"
                create_topics(connection, [name], PARTITIONS)
                for partition in range(PARTITIONS):
                    wait_until_writable(connection, name, partition)
                    request = produce_frame(name, partition, batch)
                    drive(connection, [request], in_flight=1, begins=produce_answer(name, 1))

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
                "until the first answer": answered_s,
                "until every topic takes records": answered_s + writable_s,
                "CPU until then": process.cpu_seconds(),
            }

        yield once
    finally:
        process.kill()


QUESTION: Final = Question(
    name="restart",
    title="Restart after kill -9, with 1 GB in 1,000 partitions",
    how=(
        f"{TOPICS} topics of {PARTITIONS} partitions, 1 MB in each, in the page cache. From the start of "
        "the process until a partition of every topic has acknowledged a record."
    ),
    figures=(
        Figure(name="until the first answer", unit="s"),
        Figure(name="until every topic takes records", unit="s"),
        Figure(name="CPU until then", unit="s"),
    ),
    prepare=prepare,
    warm_up=1,
    rounds=3,
)

if __name__ == "__main__":
    main(QUESTION)
