"""What do batches of 1 KB to 1 MB cost the broker, and how fast do they come in?"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path
from typing import Final, NamedTuple

from load import cost
from peer import Peer
from question import Answer, Figure, Question, Round, main
from wire import ALL, batch_of, delete_topic, make_topic, produce_frame, produced

RECORD: Final = b"x" * 1_000
IN_FLIGHT: Final = 5
ACKS: Final = {"acks=1": 1, "acks=all": ALL}


class Size(NamedTuple):
    name: str
    records: int
    requests: int


SIZES: Final = (
    Size("1 KB", 1, 10_000),
    Size("11 KB", 11, 3_000),
    Size("100 KB", 100, 400),
    Size("1 MB", 1_000, 50),
)


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    numbers = count()

    def once() -> Answer:
        answer: dict[str, float] = {}
        for size in SIZES:
            batch = batch_of([RECORD] * size.records)
            for name, acks in ACKS.items():
                # A new topic each time: brokers that keep all in memory would only grow.
                topic = f"batches-{next(numbers)}"
                make_topic(connection, topic)
                spent = cost(
                    process,
                    connection,
                    repeat(produce_frame(topic, 0, batch, acks=acks), size.requests),
                    in_flight=IN_FLIGHT,
                    begins=produced(topic),
                )
                delete_topic(connection, topic)
                answer[f"{size.name}, {name}: CPU"] = spent.cpu_s_per_gb(len(batch))
                answer[f"{size.name}, {name}: rate"] = spent.mb_per_s(len(batch))
        return answer

    with peer.running(place) as process, process.connect() as connection:
        yield once


def figures() -> Iterator[Figure]:
    for size in SIZES:
        for acks in ACKS:
            yield Figure(name=f"{size.name}, {acks}: CPU", unit="s/GB")
            yield Figure(name=f"{size.name}, {acks}: rate", unit="MB/s", more_is_better=True)


QUESTION: Final = Question(
    name="batches",
    title="Produce of larger batches",
    how=(
        "Uncompressed records of 1,000 bytes, one connection, five requests in flight, a new topic with "
        f"one partition each time; a round is {', '.join(f'{s.requests:,} of {s.name}' for s in SIZES)}, "
        "once per kind of acknowledgment. CPU is the broker's per GB of records."
    ),
    figures=tuple(figures()),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
