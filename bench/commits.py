"""What does the commit of an offset cost the broker?"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

from load import cost
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import answered, ask, frame, make_topic, read_frame

from ottla.wire.api import FIND_COORDINATOR, OFFSET_COMMIT
from ottla.wire.message.find_coordinator import FindCoordinatorRequest
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)

TOPIC: Final = "t"
COMMITS: Final = 5_000
COMMIT_VERSION: Final = 7
COMMITTED: Final = (
    b"\x00\x00\x00\x01" + bytes(4) + b"\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01" + bytes(6)
)
"""How an answer begins, up to its error code, that says so."""
COORDINATOR_SECONDS_MAX: Final = 30


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    with peer.running(place) as process, process.connect() as connection:
        make_topic(connection, TOPIC)
        wait_for_coordinator(connection, "g")
        request = commit_frame("g")

        def once() -> Answer:
            one, five = (
                cost(
                    process, connection, repeat(request, COMMITS), in_flight=ahead, begins=COMMITTED
                )
                for ahead in (1, 5)
            )
            return {
                "one in flight: CPU": one.cpu_us,
                "one in flight: p50": one.took_us(0.5),
                "one in flight: p99": one.took_us(0.99),
                "five in flight: CPU": five.cpu_us,
                "five in flight: rate": five.per_s,
            }

        yield once


def commit_frame(group: str) -> bytes:
    part = OffsetCommitRequestPartition(0, 42, committed_metadata="")
    topics = [OffsetCommitRequestTopic(TOPIC, partitions=[part])]
    return frame(OFFSET_COMMIT, COMMIT_VERSION, OffsetCommitRequest(group, -1, "", topics=topics))


def wait_for_coordinator(connection: socket.socket, group: str) -> None:
    """The group's partition of the coordinator's topic is there: a commit is taken."""
    ask(connection, FIND_COORDINATOR, 2, FindCoordinatorRequest(group, 0))
    deadline = time.monotonic() + COORDINATOR_SECONDS_MAX
    while True:
        connection.sendall(commit_frame(group))
        answer = answered(OFFSET_COMMIT, COMMIT_VERSION, read_frame(connection))
        assert isinstance(answer, OffsetCommitResponse)
        code = answer.topics[0].partitions[0].error_code
        if not code:
            return
        if time.monotonic() > deadline:
            raise Unanswerable(f"a commit without a member gets error {code}")
        time.sleep(0.02)


QUESTION: Final = Question(
    name="commits",
    title="OffsetCommit of one partition",
    how=(
        f"{COMMITS:,} on one connection with one in flight, and as many with five, for a group without "
        "members. CPU is the broker's per request."
    ),
    figures=(
        Figure(name="one in flight: CPU", unit="µs"),
        Figure(name="one in flight: p50", unit="µs"),
        Figure(name="one in flight: p99", unit="µs"),
        Figure(name="five in flight: CPU", unit="µs"),
        Figure(name="five in flight: rate", unit="requests/s", more_is_better=True),
    ),
    prepare=prepare,
    warm_up=3,
)

if __name__ == "__main__":
    main(QUESTION)
