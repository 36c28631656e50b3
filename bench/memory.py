"""How much memory does a broker take: idle, after work, per connection, per partition?"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, repeat
from pathlib import Path
from typing import Final

from load import drive, drive_many
from peer import Peer
from process import BrokerProcess
from question import Answer, Figure, Question, Round, main
from wire import (
    CREATE_TOPICS,
    batch_of,
    create_topics,
    fetch_frame,
    fetched,
    make_topic,
    produce_frame,
    produced,
    served,
    wait_until_writable,
)

IDLE_SECONDS: Final = 2
SMALL: Final = 20_000
LARGE: Final = 100
LARGE_RECORDS: Final = 1_000
CONNECTIONS: Final = 1_000
TOPICS: Final = 10
PARTITIONS: Final = 100
TOPIC: Final = "load"


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    numbers = count()

    def once() -> Answer:
        directory = place / str(next(numbers))
        directory.mkdir()
        with peer.running(directory) as process:
            time.sleep(IDLE_SECONDS)
            answer = {"idle": process.resident_mib()}
            loaded(process)
            answer["after work"] = process.resident_mib()
            with ExitStack() as stack:
                before_mib = process.resident_mib()
                connections = [stack.enter_context(process.connect()) for _ in range(CONNECTIONS)]
                small = produce_frame(TOPIC, 0, batch_of([b"x" * 100]))
                drive_many(connections, small, CONNECTIONS, begins=produced(TOPIC))
                more_mib = process.resident_mib() - before_mib
                answer["each of 1,000 connections"] = more_mib * 1024 / CONNECTIONS
            with process.connect() as connection:
                if CREATE_TOPICS in served(connection):
                    before_mib = process.resident_mib()
                    for topic in range(TOPICS):
                        create_topics(connection, [f"many-{topic}"], PARTITIONS)
                        for partition in range(PARTITIONS):
                            wait_until_writable(connection, f"many-{topic}", partition)
                    more_mib = process.resident_mib() - before_mib
                    answer["each of 1,000 partitions"] = more_mib * 1024 / (TOPICS * PARTITIONS)
            return answer

    yield once


def loaded(process: BrokerProcess) -> None:
    """It has done some of everything."""
    with process.connect() as connection:
        offset = make_topic(connection, TOPIC)
        small = produce_frame(TOPIC, 0, batch_of([b"x" * 100]))
        large = produce_frame(TOPIC, 0, batch_of([b"x" * 1_000] * LARGE_RECORDS))
        begins = produced(TOPIC)
        drive(connection, repeat(small, SMALL), in_flight=5, begins=begins)
        drive(connection, repeat(large, LARGE), in_flight=5, begins=begins)
        last = offset + SMALL + (LARGE - 1) * LARGE_RECORDS
        fetch = fetch_frame(TOPIC, last, bytes_max=1 << 20)
        drive(connection, repeat(fetch, LARGE), in_flight=1, begins=fetched(TOPIC))


QUESTION: Final = Question(
    name="memory",
    title="Memory: resident, of the broker process",
    how=(
        f"Idle: {IDLE_SECONDS} s after the first answer. After work: {SMALL:,} Produces of 100 bytes, "
        f"{LARGE} of 1 MB, {LARGE} Fetches of 1 MB. Then what {CONNECTIONS:,} more connections "
        f"add, each used once, and what {TOPICS * PARTITIONS:,} more partitions add, each with one "
        "record; a virtual machine may give memory back meanwhile. The mock cluster's process contains a "
        "Python interpreter."
    ),
    figures=(
        Figure(name="idle", unit="MiB"),
        Figure(name="after work", unit="MiB"),
        Figure(name="each of 1,000 connections", unit="KiB"),
        Figure(name="each of 1,000 partitions", unit="KiB"),
    ),
    prepare=prepare,
    rounds=3,
)

if __name__ == "__main__":
    main(QUESTION)
