"""How long does a broker need, on an empty directory, until it answers?"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if peer.title == "librdkafka's mock":
        raise Unanswerable("it is a part of its client's process")
    numbers = count()

    def once() -> Answer:
        directory = place / str(next(numbers))
        directory.mkdir()
        with peer.running(directory) as process:
            return {
                "until the first answer": process.start_seconds * 1e3,
                "CPU until then": process.cpu_seconds() * 1e3,
            }

    yield once


QUESTION: Final = Question(
    name="start",
    title="Start: from the start of the process to the first answered request",
    how=(
        "On an empty directory, which Apache Kafka's storage tool has formatted before (that is not "
        "counted). The request is ApiVersions, tried every 2 ms."
    ),
    figures=(
        Figure(name="until the first answer", unit="ms"),
        Figure(name="CPU until then", unit="ms"),
    ),
    prepare=prepare,
    warm_up=1,
)

if __name__ == "__main__":
    main(QUESTION)
