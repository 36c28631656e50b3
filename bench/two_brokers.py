"""Do two brokers on two cores serve twice as many small requests as one on one?"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from load import drive
from peer import Peer
from process import CORES, BrokerProcess, connect
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import batch_of, make_topic, produce_frame, produced

TOPIC: Final = "small"
REQUESTS: Final = 20_000
IN_FLIGHT: Final = 5
LOAD_SECONDS_MAX: Final = 120


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if len(CORES) < 2:
        raise Unanswerable("the machine has one core")
    with ExitStack() as stack:
        brokers = []
        for core in CORES[:2]:
            (own := place / str(core)).mkdir()
            process = stack.enter_context(peer.running(own))
            process.move_to(core)
            with process.connect() as connection:
                make_topic(connection, TOPIC)
            brokers.append(process)

        def once() -> Answer:
            one = rate(brokers[:1])
            two = rate(brokers)
            return {"one: rate": one, "two: rate": two, "two, against one": two / one}

        yield once


def rate(brokers: Sequence[BrokerProcess]) -> float:
    """Requests a second of all of them, each with a load on its own core, all at the same time."""
    loads = [
        subprocess.Popen(
            [sys.executable, __file__, "--load", str(broker.port), str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for broker, core in zip(brokers, CORES, strict=False)
    ]
    for load in loads:
        assert load.stdout is not None
        load.stdout.readline()
    # They are connected and wait for a line: now all at once.
    for load in loads:
        assert load.stdin is not None
        load.stdin.write("\n")
        load.stdin.flush()
    return sum(float(load.communicate(timeout=LOAD_SECONDS_MAX)[0]) for load in loads)


def load(port: int, core: int) -> None:
    """Prints a line when it is ready, waits for one, and prints its requests a second."""
    os.sched_setaffinity(0, {core})
    request, begins = produce_frame(TOPIC, 0, batch_of([b"x" * 100])), produced(TOPIC)
    with connect(port) as connection:
        print("ready", flush=True)
        sys.stdin.readline()
        began_s = time.perf_counter()
        drive(connection, repeat(request, REQUESTS), in_flight=IN_FLIGHT, begins=begins)
        print(REQUESTS / (time.perf_counter() - began_s))


QUESTION: Final = Question(
    name="two_brokers",
    title="Two brokers on two cores",
    how=(
        f"Two processes with their own data, a core for each, and on that core its load too: {REQUESTS:,} "
        f"Produces of 100 bytes, {IN_FLIGHT} in flight; first one alone, then both at once."
    ),
    figures=(
        Figure(name="one: rate", unit="requests/s", more_is_better=True),
        Figure(name="two: rate", unit="requests/s", more_is_better=True),
        Figure(name="two, against one", unit="times", more_is_better=True),
    ),
    prepare=prepare,
    warm_up=1,
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(*map(int, sys.argv[2:]))
    else:
        main(QUESTION)
