"""`kafka-producer-perf-test`: how fast records are taken and acknowledged.

A record's latency is the time from when it was handed over to when its fate was known. Those of a
partition get their fates in order, so a queue of begin times per partition is all there is to keep.
"""

import argparse
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import (
    Settings,
    producer_options,
    run_data,
    separated,
    settings,
)
from ottla.cli.kafka.flags import FAILED, Flags, Refused, number
from ottla.cli.kafka.send_stats import SendStats
from ottla.cli.kafka.throttle import Throttle
from ottla.errors import LocalProtocolError
from ottla.limits import INT_MAX, LONG_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.produce.batch import RecordBatch

_LETTERS: Final = bytes(ord("A") + byte % 26 for byte in range(256))
"""What stands for each byte of chance."""
_TEXT_BYTES: Final = 1024 * 1024
_STEP: Final = 7919
"""How far the next payload begins from the last one; a prime, so that they seldom meet again."""


def add_flags(flags: Flags) -> None:
    flags.bootstrap(required=False)
    flags.removed("--broker-list", "--bootstrap-server")
    flags.value("--topic", required=True, help="where the records go")
    flags.value(
        "--num-records", required=True, kind=whole_number(1, LONG_MAX), help="how many records"
    )
    flags.value(
        "--throughput", required=True, kind=float, help="at most so many in a second; -1: no limit"
    )
    flags.value("--record-size", kind=whole_number(1, INT_MAX), help="of records, in bytes")
    flags.value("--payload-file", help="take records from this file, at random")
    flags.switch("--payload-monotonic", help="records are 0, 1, 2, ...")
    flags.value(
        "--payload-delimiter", default="\\n", help="what stands between records of the file"
    )
    flags.value(
        "--command-property",
        "--producer-props",
        repeated=True,
        help="key=value for the producer, over what is in the file; several may follow",
    )
    flags.words("more_properties", help="key=value, behind --command-property")
    flags.command_config("--producer.config")
    flags.switch("--print-metrics", help="Java's; there are none here")
    flags.value("--transactional-id", help="there are no transactions yet: refused")
    flags.value("--transaction-duration-ms", kind=number, help="there are none yet: refused")
    flags.value(
        "--warmup-records",
        default="0",
        kind=whole_number(0, LONG_MAX),
        help="tell of what comes after these records by itself",
    )
    flags.value(
        "--reporting-interval",
        default="5000",
        kind=whole_number(1, LONG_MAX),
        help="milliseconds between lines (5000)",
    )


def run(args: argparse.Namespace) -> int:
    try:
        payload = _payload(args)
        entries = _entries(args)
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED
    if args.print_metrics:
        print("--print-metrics: Java's metrics are not there", file=sys.stderr)

    async def work(client: "Client") -> int:
        return await _measure(client, args, entries, payload)

    bootstrap = args.bootstrap_server or entries.get("bootstrap.servers")
    if not bootstrap:
        raise Refused(
            "At least one of --bootstrap-server, --command-property bootstrap.servers=... or "
            "--command-config with bootstrap.servers must be specified."
        )
    return run_data(bootstrap, entries, work, client_id="perf-producer-client")


def _entries(args: argparse.Namespace) -> Settings:
    """The producer's settings. Raises Refused, LocalProtocolError."""
    words = separated([*args.command_property, *args.more_properties])
    entries = settings(args.command_config, words)
    if args.transactional_id is not None or args.transaction_duration_ms is not None:
        entries["transactional.id"] = args.transactional_id or "performance-producer"
    return entries


def _payload(args: argparse.Namespace) -> Callable[[int], bytes]:
    """What record number so and so is. Raises Refused, LocalProtocolError."""
    said = (args.record_size is not None, args.payload_file is not None, args.payload_monotonic)
    if sum(said) != 1:
        raise Refused(
            "Exactly one of --record-size, --payload-file and --payload-monotonic is required"
        )
    if args.payload_monotonic:
        return lambda index: b"%d" % index
    chance = random.Random(0)
    if args.payload_file is not None:
        payloads = _payloads(Path(args.payload_file), args.payload_delimiter)
        return lambda index: chance.choice(payloads)
    size: int = args.record_size
    text = chance.randbytes(max(_TEXT_BYTES, size)).translate(_LETTERS)
    last = len(text) - size + 1
    return lambda index: text[(at := index * _STEP % last) : at + size]


def _payloads(path: Path, delimiter: str) -> list[bytes]:
    print(f"Reading payloads from: {path.absolute()}")
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise LocalProtocolError(f"{path}: {error.strerror}") from None
    payloads = text.split("\n" if delimiter == "\\n" else delimiter)
    while payloads and not payloads[-1]:
        payloads.pop()  # as Java splits
    if not payloads:
        raise LocalProtocolError("File does not exist or empty file provided.")
    print(f"Number of messages read: {len(payloads)}")
    return [payload.encode() for payload in payloads]


async def _measure(
    client: "Client",
    args: argparse.Namespace,
    entries: Settings,
    payload: Callable[[int], bytes],
) -> int:
    from ottla.aio.producer import Producer

    warmup: int = args.warmup_records
    if warmup > 0:
        print(
            f"Warmup first {warmup} records. Steady state results will print after the complete "
            "test summary."
        )
    journey = Journeys(SendStats(_now_ms(), args.reporting_interval))
    producer = Producer(client, producer_options(entries), on_done=journey.ended)
    await producer.start()
    throttle = Throttle(args.throughput, _now_ms())
    topic: str = args.topic
    try:
        for index in range(args.num_records):
            value = payload(index)
            now_ms = _now_ms()
            if index == warmup and warmup > 0:
                journey.become_steady(SendStats(now_ms, args.reporting_interval, is_steady=True))
            delivery = await producer.send(topic, value)
            journey.began(delivery.partition, now_ms, len(value))
            await throttle.wait(index + 1, now_ms)
    finally:
        await producer.close()
        for line in journey.totals(_now_ms()):
            print(line)
    return FAILED if journey.has_failed else 0


@final
class Journeys:
    """Records under way, and what is known of those that arrived."""

    def __init__(self, stats: SendStats) -> None:
        self.has_failed = False
        self._all = stats
        self._steady: SendStats | None = None
        self._under_way: dict[int, deque[tuple[int, int, bool]]] = {}

    def become_steady(self, stats: SendStats) -> None:
        """What begins from now on is counted here too."""
        self._steady = stats
        self._all.is_silent = True

    def began(self, partition: int, now_ms: int, size_bytes: int) -> None:
        queue = self._under_way.get(partition)
        if queue is None:
            queue = self._under_way[partition] = deque()
        queue.append((now_ms, size_bytes, self._steady is not None))

    def ended(self, batch: "RecordBatch") -> None:
        """The oldest records of its partition, as many as it has, have their fate."""
        queue = self._under_way[batch.partition]
        now_ms = _now_ms()
        if batch.error is not None:
            self.has_failed = True
            print(f"{batch.record_count} records: {batch.error}", file=sys.stderr)
            for _ in range(batch.record_count):
                queue.popleft()
            return
        runs: dict[tuple[int, bool], list[int]] = {}
        for _ in range(batch.record_count):
            began_ms, size_bytes, is_steady = queue.popleft()
            run = runs.setdefault((began_ms, is_steady), [0, 0])
            run[0] += 1
            run[1] += size_bytes
        for (began_ms, is_steady), (count, size_bytes) in runs.items():
            lines = self._all.record(now_ms - began_ms, count, size_bytes, now_ms)
            if is_steady and self._steady is not None:
                lines += self._steady.record(now_ms - began_ms, count, size_bytes, now_ms)
            for line in lines:
                print(line, flush=True)

    def totals(self, now_ms: int) -> list[str]:
        lines = [self._all.total_line(now_ms)]
        return lines if self._steady is None else [*lines, self._steady.total_line(now_ms)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
