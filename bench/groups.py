"""What does a commit cost the broker, and how long do 1,000 groups of 10 take to form?

Prints µs of CPU per OffsetCommit of one partition (one connection, the least of five rounds) and how
many a second go through, then wall and CPU seconds from the first of 10,000 joins to the last
assignment, over 100 connections and with an initial rebalance delay of one second.
"""

import socket
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))
from process import BrokerProcess, broker
from wire import ask, create_topics, frame, read_frame

from ottla.wire.api import APIS, FIND_COORDINATOR, JOIN_GROUP, OFFSET_COMMIT, SYNC_GROUP
from ottla.wire.message.find_coordinator import FindCoordinatorRequest
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

COMMITS: Final = 10_000
ROUNDS: Final = 5
GROUPS: Final = 1_000
MEMBERS: Final = 10
CONNECTIONS: Final = 100
# Version 3: a first join is admitted without an id of its own.
JOIN_VERSION: Final = 3


def commits(process: BrokerProcess, in_flight: int) -> tuple[float, float]:
    """(µs of CPU each, how many a second by the clock)."""
    part = OffsetCommitRequestPartition(0, 42, committed_metadata="")
    topics = [OffsetCommitRequestTopic("t", partitions=[part])]
    request = frame(OFFSET_COMMIT, 8, OffsetCommitRequest("g", -1, "", topics=topics))
    best_s = float("inf")
    began_s = time.perf_counter()
    with process.connect() as connection:
        for _ in range(ROUNDS):
            before_s = process.cpu_seconds()
            connection.sendall(request * in_flight)
            for _ in range(COMMITS - in_flight):
                read_frame(connection)
                connection.sendall(request)
            for _ in range(in_flight):
                read_frame(connection)
            best_s = min(best_s, process.cpu_seconds() - before_s)
    spent_s = time.perf_counter() - began_s
    return best_s / COMMITS * 1e6, COMMITS * ROUNDS / spent_s


def form(connections: list[socket.socket]) -> None:
    """Every connection carries one member of every tenth group or so, and answers stay in order."""
    places = [(group, place) for group in range(GROUPS) for place in range(MEMBERS)]
    on: dict[int, list[int]] = defaultdict(list)
    for group, place in places:
        number = (group * MEMBERS + place) % CONNECTIONS
        on[number].append(group)
    for number, groups in on.items():
        protocols = [JoinGroupRequestProtocol("range", b"x" * 50)]
        connections[number].sendall(
            b"".join(
                frame(
                    JOIN_GROUP,
                    JOIN_VERSION,
                    JoinGroupRequest(f"g-{group}", 30_000, 60_000, "", None, "bench", protocols),
                )
                for group in groups
            )
        )
    syncs: dict[int, list[bytes]] = {}
    for number, groups in on.items():
        syncs[number] = [sync_of(group, connections[number]) for group in groups]
    for number, requests in syncs.items():
        connections[number].sendall(b"".join(requests))
    for number, requests in syncs.items():
        for _ in requests:
            answer = _decoded(SYNC_GROUP, 3, connections[number])
            assert isinstance(answer, SyncGroupResponse)
            if answer.error_code or not answer.assignment:
                raise SystemExit(f"sync: error {answer.error_code}")


def sync_of(group: int, connection: socket.socket) -> bytes:
    answer = _decoded(JOIN_GROUP, JOIN_VERSION, connection)
    assert isinstance(answer, JoinGroupResponse)
    if answer.error_code:
        raise SystemExit(f"join: error {answer.error_code}")
    parts = [SyncGroupRequestAssignment(one.member_id, b"y" * 50) for one in answer.members]
    request = SyncGroupRequest(
        f"g-{group}", answer.generation_id, answer.member_id, assignments=parts
    )
    return frame(SYNC_GROUP, 3, request)


def _decoded(api_key: int, version: int, connection: socket.socket) -> object:
    data = memoryview(read_frame(connection))
    api = APIS[api_key]
    return api.decode_response_untrusted(data, 4 + api.response_header_version(version), version)


def main() -> None:
    overrides = ("group.initial.rebalance.delay.ms=1000",)
    with tempfile.TemporaryDirectory() as data, broker(Path(data), *overrides) as process:
        with process.connect() as connection:
            create_topics(connection, ["t"], 1)
            ask(connection, FIND_COORDINATOR, 2, FindCoordinatorRequest("g", 0))
        for in_flight in (1, 5, 50):
            cpu_us, each_second = commits(process, in_flight)
            print(
                f"commit of one partition, {in_flight} in flight: {cpu_us:.1f} us CPU, "
                f"{each_second:,.0f} a second"
            )
        connections = [process.connect() for _ in range(CONNECTIONS)]
        cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
        form(connections)
        wall_s, cpu_s = time.perf_counter() - wall_s, process.cpu_seconds() - cpu_s
        print(f"{GROUPS:,} groups of {MEMBERS}: {wall_s:.1f} s wall, {cpu_s:.1f} s CPU")
        print(f"resident afterwards: {process.resident_mib():.1f} MiB")


if __name__ == "__main__":
    main()
