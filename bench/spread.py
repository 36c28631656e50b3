"""What does a request cost that brings batches for several partitions?"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from load import cost
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import (
    CREATE_TOPICS,
    batch_of,
    create_topics,
    produce_answer,
    produce_frame_of,
    served,
    wait_until_writable,
)

TOPIC: Final = "spread"
COUNTS: Final = (1, 3, 12)
REQUESTS: Final = 4_000
IN_FLIGHT: Final = 5


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        if CREATE_TOPICS not in served(connection):
            raise Unanswerable("one can't tell it how many partitions a topic has")
        create_topics(connection, [TOPIC], max(COUNTS))
        for partition in range(max(COUNTS)):
            wait_until_writable(connection, TOPIC, partition)
        batch = batch_of([b"x" * 1_000])

        def once() -> Answer:
            answer: dict[str, float] = {}
            for partitions in COUNTS:
                request = produce_frame_of(TOPIC, dict.fromkeys(range(partitions), batch))
                spent = cost(
                    process,
                    connection,
                    repeat(request, REQUESTS),
                    in_flight=IN_FLIGHT,
                    begins=produce_answer(TOPIC, partitions),
                )
                answer[named(partitions)] = spent.cpu_us / partitions
            return answer

        yield once


def named(partitions: int) -> str:
    return f"{partitions} in a request" if partitions > 1 else "one in a request"


QUESTION: Final = Question(
    name="spread",
    title="Produce of 1 KB to several partitions in one request",
    how=(
        f"{REQUESTS:,} requests a round and row, {IN_FLIGHT} in flight, acks=1. CPU is the broker's per "
        "batch of one record of 1,000 bytes."
    ),
    figures=tuple(Figure(name=named(partitions), unit="µs") for partitions in COUNTS),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
