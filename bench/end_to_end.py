"""How long after a record is sent does a consumer that waits for it have it?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from load import cost_of
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import (
    ALL,
    batch_of,
    fetch_frame,
    fetched_bytes,
    make_topic,
    produce_frame,
    read_frame,
)

TOPIC: Final = "awaited"
PACED: Final = 1_000
UNPACED: Final = 2_000
PACE_SECONDS: Final = 0.001
WAIT_MS: Final = 500


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as producer, process.connect() as reader:
        offset = make_topic(producer, TOPIC)
        request = produce_frame(TOPIC, 0, batch_of([b"x" * 100]), acks=ALL)

        def sent_and_read(records: int, pace_s: float) -> list[int]:
            nonlocal offset
            took_ns = []
            for _ in range(records):
                fetch = fetch_frame(TOPIC, offset, bytes_max=1 << 20, wait_ms=WAIT_MS)
                reader.sendall(fetch)
                time.sleep(pace_s)
                sent_ns = time.perf_counter_ns()
                producer.sendall(request)
                answer = read_frame(reader)
                took_ns.append(time.perf_counter_ns() - sent_ns)
                if not fetched_bytes(answer):
                    raise Unanswerable("it answers a waiting consumer without the record")
                read_frame(producer)
                offset += 1
            return took_ns

        def once() -> Answer:
            unpaced = cost_of(process, lambda: sent_and_read(UNPACED, 0))
            paced = cost_of(process, lambda: sent_and_read(PACED, PACE_SECONDS))
            return {
                "p50": paced.took_us(0.5),
                "p99": paced.took_us(0.99),
                "p99.9": paced.took_us(0.999),
                "CPU per record": paced.cpu_us,
                "without a pause: p99": unpaced.took_us(0.99),
                "without a pause: CPU per record": unpaced.cpu_us,
            }

        yield once


QUESTION: Final = Question(
    name="end_to_end",
    title="End to end: from a record's Produce to the answer of a Fetch that waits for it",
    how=(
        f"Records of 100 bytes with acks=all, one after the other: {PACED:,} a round whose Fetch was sent "
        f"on another connection a millisecond before, and {UNPACED:,} where the Produce follows it at "
        "once. CPU is the broker's for both requests."
    ),
    figures=(
        Figure(name="p50", unit="µs"),
        Figure(name="p99", unit="µs"),
        Figure(name="p99.9", unit="µs"),
        Figure(name="CPU per record", unit="µs"),
        Figure(name="without a pause: p99", unit="µs"),
        Figure(name="without a pause: CPU per record", unit="µs"),
    ),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
