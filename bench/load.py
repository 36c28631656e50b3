"""The raw load: prepared frames over sockets, so many in flight, each answer timed.

Who answers otherwise than expected ends the measurement: every answer must begin with the bytes up to
its error code that a success begins with.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from process import BrokerProcess
from wire import read_frame

BUFFER_BYTES: Final = 4 << 20
ANSWER_BYTES_MAX: Final = 64 * 1024
WAIT_SECONDS_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many requests took. `took_ns` is in order: each from its first byte sent to its answer."""

    wall_s: float
    cpu_s: float
    took_ns: list[int]

    @property
    def cpu_us(self) -> float:
        """The broker's, per request."""
        return self.cpu_s / len(self.took_ns) * 1e6

    @property
    def per_s(self) -> float:
        return len(self.took_ns) / self.wall_s

    def took_us(self, share: float) -> float:
        """Within which time that share of the requests was answered."""
        return percentile(self.took_ns, share) / 1e3

    def cpu_s_per_gb(self, request_bytes: int) -> float:
        """Where each request moves so many bytes of records."""
        return self.cpu_s / (len(self.took_ns) * request_bytes) * 1e9

    def mb_per_s(self, request_bytes: int) -> float:
        return len(self.took_ns) * request_bytes / self.wall_s / 1e6


def percentile(in_order: Sequence[int], share: float) -> int:
    return in_order[min(len(in_order) - 1, int(len(in_order) * share))]


def cost_of(process: BrokerProcess, work: Callable[[], list[int]]) -> Cost:
    """`work` says what each of its requests took, in ns."""
    cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
    took_ns = work()
    wall_s = time.perf_counter() - wall_s
    cpu_s = process.cpu_seconds() - cpu_s
    return Cost(wall_s=wall_s, cpu_s=cpu_s, took_ns=sorted(took_ns))


def cost(
    process: BrokerProcess,
    connection: socket.socket,
    frames: Iterable[bytes],
    *,
    in_flight: int,
    begins: bytes,
) -> Cost:
    return cost_of(process, lambda: drive(connection, frames, in_flight=in_flight, begins=begins))


def drive(
    connection: socket.socket, frames: Iterable[bytes], *, in_flight: int, begins: bytes
) -> list[int]:
    """Send all frames, `in_flight` ahead of the answers; what each took, in ns."""
    now_ns = time.perf_counter_ns
    buffer = bytearray(BUFFER_BYTES)
    view = memoryview(buffer)
    coming = iter(frames)
    sent_ns: deque[int] = deque()
    took_ns: list[int] = []
    for request in islice(coming, in_flight):
        sent_ns.append(now_ns())
        connection.sendall(request)
    begin = end = 0
    while sent_ns:
        got = connection.recv_into(view[end:])
        if not got:
            raise ConnectionResetError("the broker closed the connection")
        end += got
        while end - begin >= 4:
            first = begin + 4
            after = first + int.from_bytes(view[begin:first])
            if after > end:
                break
            _check(buffer.startswith(begins, first, after), view[begin:after])
            took_ns.append(now_ns() - sent_ns.popleft())
            begin = after
            for request in islice(coming, 1):
                sent_ns.append(now_ns())
                connection.sendall(request)
        if begin == end:
            begin = end = 0
        elif begin > BUFFER_BYTES // 2:
            buffer[: end - begin] = buffer[begin:end]
            begin, end = 0, end - begin
    return took_ns


def drive_many(
    connections: Sequence[socket.socket],
    request: bytes,
    count: int,
    *,
    begins: bytes,
    at_once: int | None = None,
) -> list[int]:
    """Send `request` so often, over all connections in turn; what each took, in ns.

    On each connection one is in flight, on so many of them at once, or on all. For answers that arrive
    whole, as small ones do.
    """
    now_ns = time.perf_counter_ns
    of = {connection.fileno(): connection for connection in connections}
    idle = deque(of)
    sent_ns: dict[int, int] = {}
    took_ns: list[int] = []
    with select.epoll() as poll:
        for number in of:
            poll.register(number, select.EPOLLIN)
        for _ in range(min(at_once or len(of), count)):
            number = idle.popleft()
            sent_ns[number] = now_ns()
            of[number].sendall(request)
        left = count - len(sent_ns)
        while sent_ns:
            ready = poll.poll(WAIT_SECONDS_MAX)
            if not ready:
                raise TimeoutError("the broker does not answer")
            for number, _ in ready:
                answer = of[number].recv(ANSWER_BYTES_MAX)
                whole = len(answer) >= 4 and len(answer) == 4 + int.from_bytes(answer[:4])
                _check(whole and answer.startswith(begins, 4), answer)
                took_ns.append(now_ns() - sent_ns.pop(number))
                idle.append(number)
                if left:
                    left -= 1
                    following = idle.popleft()
                    sent_ns[following] = now_ns()
                    of[following].sendall(request)
    return took_ns


def everybody(connections: Sequence[socket.socket]) -> list[bytes]:
    """The next answer of each connection, once the last is there."""
    answers = []
    of = {connection.fileno(): connection for connection in connections}
    with select.epoll() as poll:
        for number in of:
            poll.register(number, select.EPOLLIN)
        while len(answers) < len(of):
            ready = poll.poll(WAIT_SECONDS_MAX)
            if not ready:
                raise TimeoutError("the broker does not answer")
            for number, _ in ready:
                answers.append(read_frame(of[number]))
    return answers


def _check(expected: bool, answer: bytes | memoryview) -> None:
    if not expected:
        raise ValueError(f"an unexpected answer: {bytes(answer[:80]).hex(' ')}")
