"""Hostile callers, one kind after the other, against a real broker: `python -m tests.fuzz.hostile`.

Each kind has a broker of its own, an honest workload beside it, and somebody who connects anew every
tenth of a second. Printed is one line per kind: what was tried, how far memory rose, how long a
newcomer waited at most, and what the kind is about. Above a bound the line says so and the exit code
is 1. `--quick` does less of each.
"""

import argparse
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from ottla.record.builder import assemble
from ottla.record.compress import CODECS, NONE, compress
from ottla.wire.api import APIS
from ottla.wire.header import encode_request
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.message.metadata import MetadataRequest
from tests.fuzz.arrays import absurd
from tests.fuzz.live import Bystanders, Client, Experience, Live

MIB: Final = 1024 * 1024
WAIT_MS_MAX: Final = 1_000.0
STALLED_RISE_BYTES_MAX: Final = 256 * MIB
RISE_BYTES_MAX: Final = 64 * MIB
UNFINISHED_RISE_BYTES_MAX: Final = 320 * MIB
"""queued.max.request.bytes is 256 MiB by default; the rest is what the connections themselves take."""

BOMB_RISE_BYTES_MAX: Final = 32 * MIB
BOMB_CPU_SECONDS_MAX: Final = 0.05
ABSURD_RISE_BYTES_MAX: Final = 256 * MIB
_PER_HOST: Final = 900
_BOMB_REPEATS: Final = 5
_RECEIVE_BYTES: Final = (
    64 * 1024
)  # what stalled peers hold is not to be the attacker's kernel memory


class Watch:
    """Memory and bystanders while something is tried."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.rise_bytes = 0
        self.experience: Experience

    def __enter__(self) -> "Watch":
        self._bystanders = Bystanders(self._live.port)
        time.sleep(0.5)
        self._live.forget_peak()
        self._before_bytes = self._live.rss_bytes()
        self._before_s = self._live.scheduled_s()
        return self

    def __exit__(self, *error: object) -> None:
        self.rise_bytes = self._live.peak_bytes() - self._before_bytes
        self._slowness = self._live.slowness(self._before_s)
        self.experience = self._bystanders.finish()

    def __str__(self) -> str:
        seen = self.experience
        failure = f" FAILED {seen.failure}" if seen.failure else ""
        # On a machine that others use as well, what the others took is not the broker's doing.
        worst_ms = max(seen.longest_ms, seen.newcomer_ms)
        late = " TOO LONG" if worst_ms > WAIT_MS_MAX * self._slowness else ""
        return f"{seen} (machine shared 1:{self._slowness:.1f}){late}{failure}"


Row = tuple[str, str, int, int]
"""What was tried, what it is about, how far memory rose, how far it may."""


def sized(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def connections(live: Live, count: int, stack: ExitStack) -> list[socket.socket]:
    """From several addresses, because one host is not let have so many."""
    made = []
    for number in range(count):
        source = f"127.0.0.{2 + number // _PER_HOST}"
        one = socket.socket()
        stack.callback(one.close)
        one.settimeout(10)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        one.bind((source, 0))
        one.connect(("127.0.0.1", live.port))
        made.append(one)
    return made


def closed_by_peer(one: socket.socket, seconds: float) -> bool:
    one.settimeout(seconds)
    try:
        while one.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def lengths(live: Live, few: int) -> Iterator[Row]:
    with ExitStack() as stack, Watch(live) as watch:
        announced = connections(live, 2_000 // few, stack)
        for one in announced:
            one.sendall(struct.pack(">i", 100 * MIB) + bytes(8))
        refused = connections(live, 200, stack)
        for one, size in zip(
            refused, (2**31 - 1, -1, -(2**31), 0, 7, 100 * MIB + 1) * 40, strict=False
        ):
            one.sendall(struct.pack(">i", size) + bytes(4))
        closed = sum(closed_by_peer(one, 5) for one in refused)
    yield (
        f"{len(announced):,} announce 100 MiB; 200 an impossible size",
        f"{closed} of 200 closed; {watch}",
        watch.rise_bytes,
        RISE_BYTES_MAX,
    )


def half_sent(live: Live, few: int) -> Iterator[Row]:
    with ExitStack() as stack, Watch(live) as watch:
        peers = connections(live, 8_000 // few, stack)
        part = struct.pack(">i", MIB) + bytes(64 * 1024 - 4)
        sent = 0
        for one in peers:
            one.settimeout(2)
            try:
                one.sendall(part)
                sent += 1
            except OSError:
                pass
        time.sleep(1)
        held = live.descriptors()
    yield (
        f"{len(peers):,} send 64 KiB of a frame of 1 MiB",
        f"{held:,} descriptors held; {watch}",
        watch.rise_bytes,
        UNFINISHED_RISE_BYTES_MAX,
    )


def one_byte_at_a_time(live: Live, few: int) -> Iterator[Row]:
    api = APIS[18]
    request = sized(struct.pack(">hhih", api.key, 0, 7, -1))
    with ExitStack() as stack, Watch(live) as watch:
        peers = connections(live, 500 // few, stack)
        for at in range(len(request)):
            for one in peers:
                one.sendall(request[at : at + 1])
            time.sleep(1 / few)
        answered = 0
        for one in peers:
            one.settimeout(5)
            answered += len(one.recv(4096)) > 10
    yield (
        f"{len(peers)} send a byte every {1 / few:.1f} s",
        f"{answered} answered in the end; {watch}",
        watch.rise_bytes,
        RISE_BYTES_MAX,
    )


def storm(live: Live, few: int) -> Iterator[Row]:
    settled = Client(live.port)
    made = 0
    with Watch(live) as watch:
        ends_s = time.monotonic() + 20 / few
        while time.monotonic() < ends_s:
            for source in range(2, 6):
                one = socket.create_connection(
                    ("127.0.0.1", live.port), 10, (f"127.0.0.{source}", 0)
                )
                if made % 2:
                    one.sendall(sized(struct.pack(">hhih", 18, 0, 7, -1)))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
                made += 1
        settled.topics()  # the established connection is still served
    yield (
        f"{made / (20 / few):,.0f} connections a second for {20 / few:.0f} s",
        f"{watch}",
        watch.rise_bytes,
        RISE_BYTES_MAX,
    )


def stalled(live: Live, few: int) -> Iterator[Row]:
    client = Client(live.port)
    client.create("large", 1)
    payload = _one_record(1_000_000)
    for _ in range(60):
        assert client.produce("large", _batch(payload, NONE)) == 0
    asked = FetchPartition(partition_max_bytes=50 * MIB)
    request = FetchRequest(
        max_wait_ms=0, max_bytes=50 * MIB, topics=[FetchTopic("large", partitions=[asked])]
    )
    api = APIS[1]
    data = b"".join(
        bytes(c)  # type: ignore[call-overload]
        for c in encode_request(api, 12, 1, "stalled", api.encode_request(request, 12))
    )
    with ExitStack() as stack, Watch(live) as watch:
        peers = connections(live, 1_000, stack)
        for one in peers:
            one.sendall(data)
        time.sleep(10 / few)
    yield (
        f"{len(peers):,} stalled consumers ask 50 MiB each",
        f"{watch}",
        watch.rise_bytes,
        STALLED_RISE_BYTES_MAX,
    )


def pipelined(live: Live, few: int) -> Iterator[Row]:
    """Thousands of requests in one go, each of which has a long answer."""
    client = Client(live.port)
    for number in range(200):
        client.create(f"t{number}")
    configs = next(data for what, data in absurd(b"t0", b"1", 1) if "one broker" in what)
    api = APIS[3]
    metadata = b"".join(
        bytes(c)  # type: ignore[call-overload]
        for c in encode_request(api, 9, 1, "", api.encode_request(MetadataRequest(topics=None), 9))
    )
    for what, data in (("DescribeConfigs", sized(configs)), ("Metadata", metadata)):
        with ExitStack() as stack, Watch(live) as watch:
            for one in connections(live, 8 // few, stack):
                one.settimeout(0.5)
                try:
                    one.sendall(data * (8 * MIB // len(data) // few))
                except OSError:
                    pass  # it reads no more, as it should
            time.sleep(5 / few)
        yield (
            f"{8 // few} callers pipeline 8 MiB of {what}, read nothing",
            f"{watch}",
            watch.rise_bytes,
            RISE_BYTES_MAX,
        )


def bombs(live: Live, few: int) -> Iterator[Row]:
    client = Client(live.port)
    client.create("bombed", 1)
    for codec, how in CODECS.items():
        if codec == NONE:
            continue
        for size in (10**6, 10**7, 10**8, 10**9)[: 4 if few == 1 else 3]:
            zeros = compress(codec, bytes(size))
            for name, payload in (("zeros", zeros), ("nested", compress(codec, zeros))):
                batch = _batch(payload, codec)
                live.forget_peak()
                before_bytes, before_s = live.rss_bytes(), live.cpu_s()
                codes = {client.produce("bombed", batch) for _ in range(_BOMB_REPEATS)}
                cpu_s = (live.cpu_s() - before_s) / _BOMB_REPEATS
                rise = live.peak_bytes() - before_bytes
                assert 0 not in codes, (how.name, size, name)
                late = " TOO LONG" if cpu_s > BOMB_CPU_SECONDS_MAX else ""
                yield (
                    f"{how.name} {name}, {size:.0e} from {len(batch):,}",
                    f"{1000 * cpu_s:.0f} ms CPU each{late}",
                    rise,
                    BOMB_RISE_BYTES_MAX + 2 * len(batch),  # the request's own bytes are there too
                )


def arrays(live: Live, few: int) -> Iterator[Row]:
    client = Client(live.port)
    client.create("evil", 1)
    count = 20_000 // few
    for what, data in absurd(b"evil", b"1", count):
        with socket.create_connection(("127.0.0.1", live.port), 60) as one:
            live.forget_peak()
            before_bytes = live.rss_bytes()
            before_s = live.cpu_s()
            one.sendall(sized(data))
            size = struct.unpack(">i", one.recv(4, socket.MSG_WAITALL))[0]
            left = size
            while left:
                left -= len(one.recv(min(left, MIB)))
            took_s = live.cpu_s() - before_s
        late = " TOO LONG" if 1000 * took_s > WAIT_MS_MAX else ""
        yield (
            f"{what} x {count:,} ({len(data) / 1000:,.0f} kB)",
            f"answer of {size / 1000:,.0f} kB for {1000 * took_s:.0f} ms CPU{late}",
            live.peak_bytes() - before_bytes,
            ABSURD_RISE_BYTES_MAX,
        )


def foreigners(live: Live, few: int) -> Iterator[Row]:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    with ExitStack() as stack, Watch(live) as watch:
        right = 0
        for number in range(2_000 // few):
            http = number % 2 == 0
            opening = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" if http else hello
            with socket.create_connection(("127.0.0.1", live.port), 5) as one:
                one.sendall(opening)
                answer = b""
                try:
                    while part := one.recv(4096):
                        answer += part
                except OSError:
                    pass
                right += answer.startswith(b"HTTP/1.1 400") if http else answer[:1] == b"\x15"
        del stack
    yield (
        f"{2_000 // few:,} HTTP and TLS openings",
        f"{right:,} told what this is; {watch}",
        watch.rise_bytes,
        RISE_BYTES_MAX,
    )


def partitions(live: Live, few: int) -> Iterator[Row]:
    """Many partitions in one request: an administrator's, but as yet anybody's to send.

    How long the others wait meanwhile is told and not judged: a partition costs a directory and three
    files, and all of them are made within one step.
    """
    count = 3_000 // few
    with Watch(live) as watch:
        client = Client(live.port)
        started_s = time.monotonic()
        client.create("wide", count)
        took_s = time.monotonic() - started_s
        time.sleep(0.3)
    seen = watch.experience
    yield (
        f"one CreateTopics makes {count:,} partitions",
        f"answered after {took_s:.1f} s; {seen} (told, not judged){' FAILED' * bool(seen.failure)}",
        watch.rise_bytes,
        RISE_BYTES_MAX,
    )


def _one_record(size: int) -> bytes:
    from tests.unit.record.written import raw_record

    return raw_record(0, value=bytes(size))


def _batch(payload: bytes, codec: int) -> bytes:
    now_ms = int(time.time() * 1000)
    return bytes(
        assemble(
            payload,
            attributes=codec,
            last_offset_delta=0,
            base_timestamp=now_ms,
            max_timestamp=now_ms,
            record_count=1,
        )
    )


KINDS: Final[dict[str, Callable[[Live, int], Iterator[Row]]]] = {
    one.__name__: one
    for one in (
        lengths, half_sent, one_byte_at_a_time, storm, stalled, pipelined, bombs, arrays,
        foreigners, partitions,
    )
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Hostile callers against a real broker.")
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 40_000), hard))
    wrong = 0
    for kind in given.kinds or KINDS:
        with Live() as live:
            for tried, about, rise, rise_max in KINDS[kind](live, 4 if given.quick else 1):
                bad = rise > rise_max or "TOO LONG" in about or "FAILED" in about
                wrong += bad
                print(
                    f"{'BAD' if bad else 'ok ':3} {tried:55} RSS +{rise / MIB:6.1f} MiB "
                    f"(of {rise_max / MIB:.0f})  {about}",
                    flush=True,
                )
            live.broker.stop()
            for line in live.trouble()[:5]:
                wrong += 1
                print(f"BAD log: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
