"""How long until 200 consumers that wait have a record, and what does it cost?"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from load import cost_of, everybody
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import batch_of, fetch_frame, fetched_bytes, make_topic, produce_frame, read_frame

TOPIC: Final = "watched"
CONSUMERS: Final = 200
RECORDS: Final = 50
WAIT_MS: Final = 10_000
PARKED_SECONDS: Final = 0.02


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with ExitStack() as stack:
        process = stack.enter_context(peer.running(place))
        producer = stack.enter_context(process.connect())
        readers = [stack.enter_context(process.connect()) for _ in range(CONSUMERS)]
        offset = make_topic(producer, TOPIC)
        request = produce_frame(TOPIC, 0, batch_of([b"x" * 100]))

        def seen_by_all() -> list[int]:
            nonlocal offset
            took_ns = []
            for _ in range(RECORDS):
                fetch = fetch_frame(TOPIC, offset, bytes_max=1 << 20, wait_ms=WAIT_MS)
                for reader in readers:
                    reader.sendall(fetch)
                time.sleep(PARKED_SECONDS)
                sent_ns = time.perf_counter_ns()
                producer.sendall(request)
                answers = everybody(readers)
                took_ns.append(time.perf_counter_ns() - sent_ns)
                if not all(fetched_bytes(answer) for answer in answers):
                    raise Unanswerable("it answers a waiting consumer without the record")
                read_frame(producer)
                offset += 1
            return took_ns

        def once() -> Answer:
            spent = cost_of(process, seen_by_all)
            return {
                "the last one has it: p50": spent.took_us(0.5) / 1e3,
                "the last one has it: p90": spent.took_us(0.9) / 1e3,
                "CPU per consumer and record": spent.cpu_us / CONSUMERS,
            }

        yield once


QUESTION: Final = Question(
    name="fan_out",
    title=f"Fan-out: one record to {CONSUMERS} consumers that wait for it",
    how=(
        f"{RECORDS} records of 100 bytes a round; a connection per consumer, whose Fetch has been there "
        "for 20 ms. CPU includes taking that Fetch."
    ),
    figures=(
        Figure(name="the last one has it: p50", unit="ms"),
        Figure(name="the last one has it: p90", unit="ms"),
        Figure(name="CPU per consumer and record", unit="µs"),
    ),
    prepare=prepare,
    warm_up=2,
)

if __name__ == "__main__":
    main(QUESTION)
