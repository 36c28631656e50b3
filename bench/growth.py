"""Does a small request cost more with 1,000 connections, or with 5,000 partitions?"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Final

from load import cost, cost_of, drive_many
from peer import Peer
from question import Answer, Figure, Question, Round, main
from wire import (
    CREATE_TOPICS,
    batch_of,
    create_topics,
    make_topic,
    produce_answer,
    produce_frame,
    produced,
    served,
    wait_until_writable,
)

NARROW: Final = "narrow"
WIDE: Final = "wide"
PARTITIONS: Final = 5_000
CONNECTIONS: Final = 1_000
IN_FLIGHT: Final = 5
REQUESTS: Final = 10_000


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with ExitStack() as stack:
        process = stack.enter_context(peer.running(place))
        first, *more = [stack.enter_context(process.connect()) for _ in range(CONNECTIONS)]
        make_topic(first, NARROW)
        batch = batch_of([b"x" * 100])
        request, begins = produce_frame(NARROW, 0, batch), produced(NARROW)
        over_all: list[bytes] = []
        if CREATE_TOPICS in served(first):
            create_topics(first, [WIDE], PARTITIONS)
            for partition in range(PARTITIONS):
                wait_until_writable(first, WIDE, partition)
            over_all = [produce_frame(WIDE, partition, batch) for partition in range(PARTITIONS)]

        def once() -> Answer:
            one = cost(
                process, first, repeat(request, REQUESTS), in_flight=IN_FLIGHT, begins=begins
            )
            several = cost_of(
                process,
                lambda: drive_many(
                    [first, *more[: IN_FLIGHT - 1]], request, REQUESTS, begins=begins
                ),
            )
            many = cost_of(
                process,
                lambda: drive_many(
                    [first, *more], request, REQUESTS, begins=begins, at_once=IN_FLIGHT
                ),
            )
            answer = {
                "one connection, one partition": one.cpu_us,
                f"in turn over {IN_FLIGHT} connections": several.cpu_us,
                f"in turn over {CONNECTIONS:,} connections": many.cpu_us,
            }
            if over_all:
                wide = cost(
                    process,
                    first,
                    islice(cycle(over_all), REQUESTS),
                    in_flight=IN_FLIGHT,
                    # Which partition, and the error code behind it, are not looked at.
                    begins=produce_answer(WIDE, 1),
                )
                answer[f"in turn over {PARTITIONS:,} partitions"] = wide.cpu_us
            return answer

        yield once


QUESTION: Final = Question(
    name="growth",
    title="Growth: a small request among many connections and partitions",
    how=(
        f"CPU of the broker per Produce of 100 bytes, acks=1, {IN_FLIGHT} in flight: on one connection; "
        f"one on each of {IN_FLIGHT} connections; the same, moving on over {CONNECTIONS:,} that are open; "
        f"on one connection, moving on over {PARTITIONS:,} partitions of one topic. All brokers have all "
        f"the connections and partitions all the time; {REQUESTS:,} requests each."
    ),
    figures=(
        Figure(name="one connection, one partition", unit="µs"),
        Figure(name=f"in turn over {IN_FLIGHT} connections", unit="µs"),
        Figure(name=f"in turn over {CONNECTIONS:,} connections", unit="µs"),
        Figure(name=f"in turn over {PARTITIONS:,} partitions", unit="µs"),
    ),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
