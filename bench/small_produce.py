"""What does a Produce of one 100-byte record cost, one in flight and five?"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from load import cost
from peer import Peer
from question import Answer, Figure, Question, Round, main
from wire import batch_of, make_topic, produce_frame, produced

REQUESTS: Final = 10_000
TOPIC: Final = "small"


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        make_topic(connection, TOPIC)
        request = produce_frame(TOPIC, 0, batch_of([b"x" * 100]))
        begins = produced(TOPIC)

        def once() -> Answer:
            one = cost(process, connection, repeat(request, REQUESTS), in_flight=1, begins=begins)
            five = cost(process, connection, repeat(request, REQUESTS), in_flight=5, begins=begins)
            return {
                "one in flight: CPU per request": one.cpu_us,
                "one in flight: p50": one.took_us(0.5),
                "one in flight: p99": one.took_us(0.99),
                "one in flight: p99.9": one.took_us(0.999),
                "five in flight: CPU per request": five.cpu_us,
                "five in flight: rate": five.per_s,
                "five in flight: p99": five.took_us(0.99),
            }

        yield once


QUESTION: Final = Question(
    name="small_produce",
    title="Small requests: a Produce of one record of 100 bytes",
    how=(
        f"One connection, acks=1, {REQUESTS:,} requests a round with one in flight and as many with "
        "five. CPU is the broker process's, user and system time, per request."
    ),
    figures=(
        Figure(name="one in flight: CPU per request", unit="µs"),
        Figure(name="one in flight: p50", unit="µs"),
        Figure(name="one in flight: p99", unit="µs"),
        Figure(name="one in flight: p99.9", unit="µs"),
        Figure(name="five in flight: CPU per request", unit="µs"),
        Figure(name="five in flight: rate", unit="requests/s", more_is_better=True),
        Figure(name="five in flight: p99", unit="µs"),
    ),
    prepare=prepare,
    warm_up=4,
)

if __name__ == "__main__":
    main(QUESTION)
