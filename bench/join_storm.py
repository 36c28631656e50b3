"""What do 10,000 consumers cost that come at once?"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from commits import TOPIC, wait_for_coordinator
from peer import Peer
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import answered, frame, make_topic, read_frame

from ottla.errors import RemoteProtocolError
from ottla.wire.api import JOIN_GROUP, SYNC_GROUP
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

GROUPS: Final = 1_000
MEMBERS: Final = 10
PER_ADDRESS: Final = 1_000
"""Connections: as many as Ottla allows one without being told otherwise."""
# Apache Kafka reads it, so it is one: version 0, one topic, no user data.
SUBSCRIPTION: Final = b"\x00\x00" + b"\x00\x00\x00\x01" + b"\x00\x01t" + b"\xff" * 4
# Version 3: a first join is admitted without an id of its own.
JOIN_VERSION: Final = 3
SYNC_VERSION: Final = 3


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < 1.5 * GROUPS * MEMBERS:
        raise Unanswerable(f"a process may have {allowed:,} open files here")
    numbers = count()
    with peer.running(place) as process:
        with process.connect() as connection:
            make_topic(connection, TOPIC)
            for group in range(GROUPS):
                wait_for_coordinator(connection, f"warm-{group}")

        def once() -> Answer:
            with ExitStack() as stack:
                connections = [
                    stack.enter_context(process.connect(f"127.0.0.{2 + number // PER_ADDRESS}"))
                    for number in range(GROUPS * MEMBERS)
                ]
                cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
                join_all(connections, f"round-{next(numbers)}")
                wall_s, cpu_s = time.perf_counter() - wall_s, process.cpu_seconds() - cpu_s
            return {
                "CPU per member": cpu_s / len(connections) * 1e6,
                "from the first join to the last assignment": wall_s,
            }

        yield once


def join_all(connections: list[socket.socket], name: str) -> None:
    """Every connection is a member of one of the groups, and has its assignment."""
    protocols = [JoinGroupRequestProtocol("range", SUBSCRIPTION)]
    for number, connection in enumerate(connections):
        group = f"{name}-{number % GROUPS}"
        request = JoinGroupRequest(group, 30_000, 60_000, "", None, "consumer", protocols)
        connection.sendall(frame(JOIN_GROUP, JOIN_VERSION, request))
    for number, connection in enumerate(connections):
        answer = answered(JOIN_GROUP, JOIN_VERSION, read_frame(connection))
        assert isinstance(answer, JoinGroupResponse)
        if answer.error_code:
            raise Unanswerable(f"a join gets error {answer.error_code}")
        parts = [SyncGroupRequestAssignment(one.member_id, b"y" * 50) for one in answer.members]
        group = f"{name}-{number % GROUPS}"
        sync = SyncGroupRequest(group, answer.generation_id, answer.member_id, assignments=parts)
        connection.sendall(frame(SYNC_GROUP, SYNC_VERSION, sync))
    for connection in connections:
        try:
            given = answered(SYNC_GROUP, SYNC_VERSION, read_frame(connection))
        except RemoteProtocolError:
            raise Unanswerable("a sync gets an answer that no client can read") from None
        assert isinstance(given, SyncGroupResponse)
        if given.error_code or not given.assignment:
            raise Unanswerable(f"a sync gets error {given.error_code}")


QUESTION: Final = Question(
    name="join_storm",
    title=f"{GROUPS * MEMBERS:,} consumers that join {GROUPS:,} new groups at once",
    how=(
        "Each on a connection, a thousand from each of ten addresses: JoinGroup and SyncGroup. The initial "
        "rebalance delay of three seconds, which begins again with every newcomer, is in the time and not "
        "in the CPU."
    ),
    figures=(
        Figure(name="CPU per member", unit="µs"),
        Figure(name="from the first join to the last assignment", unit="s"),
    ),
    prepare=prepare,
    warm_up=1,
    rounds=3,
)

if __name__ == "__main__":
    main(QUESTION)
