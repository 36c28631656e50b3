"""How many acknowledgments a second, each of which means "on the disk": of one producer, and of 64?"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from load import cost_of, drive_many
from peer import Peer
from question import Answer, Figure, Question, Round, main
from wire import batch_of, make_topic, produce_frame, produced

TOPIC: Final = "flushed"
PRODUCERS: Final = 64
ALONE: Final = 100
TOGETHER: Final = 1_280


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with ExitStack() as stack:
        process = stack.enter_context(peer.running(place))
        connections = [stack.enter_context(process.connect()) for _ in range(PRODUCERS)]
        make_topic(connections[0], TOPIC, flush_messages="1")
        request, begins = produce_frame(TOPIC, 0, batch_of([b"x" * 100])), produced(TOPIC)

        def once() -> Answer:
            alone = cost_of(
                process, lambda: drive_many(connections[:1], request, ALONE, begins=begins)
            )
            together = cost_of(
                process, lambda: drive_many(connections, request, TOGETHER, begins=begins)
            )
            return {
                "one producer: rate": alone.per_s,
                f"{PRODUCERS} producers: rate": together.per_s,
                f"{PRODUCERS} producers, against one": together.per_s / alone.per_s,
                f"{PRODUCERS} producers: p99": together.took_us(0.99) / 1e3,
            }

        yield once


QUESTION: Final = Question(
    name="group_commit",
    title="An fsync before every acknowledgment",
    how=(
        f"flush.messages=1, one record of 100 bytes a request; one connection, then {PRODUCERS} of "
        "them, one request in flight on each."
    ),
    figures=(
        Figure(name="one producer: rate", unit="requests/s", more_is_better=True),
        Figure(name=f"{PRODUCERS} producers: rate", unit="requests/s", more_is_better=True),
        Figure(name=f"{PRODUCERS} producers, against one", unit="times", more_is_better=True),
        Figure(name=f"{PRODUCERS} producers: p99", unit="ms"),
    ),
    prepare=prepare,
    needs_files=True,
    warm_up=2,
)

if __name__ == "__main__":
    main(QUESTION)
