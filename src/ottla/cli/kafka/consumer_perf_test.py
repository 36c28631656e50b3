"""`kafka-consumer-perf-test`: how fast records come, as a line of numbers with commas between.

Whole batches are polled and their keys and values counted; no record is made. The time that rebalances
took is told by itself, and taken off for the last three columns.
"""

import argparse
import random
import re
import sys
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import Settings, consumer_options, run_data, settings
from ottla.cli.kafka.flags import FAILED, Flags, Refused, require
from ottla.cli.kafka.java_text import java_rounded
from ottla.errors import LocalProtocolError
from ottla.limits import INT_MAX, LONG_MAX
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.batch import ConsumedBatch

_GROUP_NUMBER_END: Final = 100_000
_POLL_MS: Final = 100
_MEBIBYTE: Final = 1024 * 1024
_COLUMNS: Final = (
    "data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, "
    "fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)
_DATE: Final = "yyyy-MM-dd HH:mm:ss:SSS"
_DATE_PART: Final = re.compile(r"'([^']*)'|([a-zA-Z])\2*|.", re.DOTALL)
_DATE_PARTS: Final[dict[str, Callable[[datetime], int]]] = {
    "y": lambda at: at.year,
    "M": lambda at: at.month,
    "d": lambda at: at.day,
    "H": lambda at: at.hour,
    "m": lambda at: at.minute,
    "s": lambda at: at.second,
    "S": lambda at: at.microsecond // 1000,
}


def add_flags(flags: Flags) -> None:
    flags.bootstrap(required=False)
    flags.removed("--broker-list", "--bootstrap-server")
    flags.zookeeper()
    flags.value("--topic", help="the topic to read")
    flags.value("--include", help="a regular expression: read topics like that")
    flags.value(
        "--num-records", "--messages", kind=whole_number(0, LONG_MAX), help="how many records"
    )
    flags.value("--group", help="the consumer group (one of its own)")
    flags.value(
        "--fetch-size",
        default="1048576",
        kind=whole_number(1, INT_MAX),
        help="bytes of one partition in an answer (1048576)",
    )
    flags.switch("--from-latest", help="begin with new records where nothing is committed")
    flags.value(
        "--socket-buffer-size",
        default="2097152",
        kind=whole_number(-1, INT_MAX),
        help="the socket's buffer (2097152)",
    )
    flags.value(
        "--timeout",
        default="10000",
        kind=whole_number(0, LONG_MAX),
        help="end when no record came for so many milliseconds (10000)",
    )
    flags.value(
        "--reporting-interval",
        default="5000",
        kind=whole_number(1, LONG_MAX),
        help="milliseconds between lines (5000)",
    )
    flags.switch("--show-detailed-stats", help="a line for every interval, none for all of it")
    flags.switch("--hide-header", help="no line with the columns' names")
    flags.value("--date-format", default=_DATE, help=f"how times are written ({_DATE})")
    flags.switch("--print-metrics", help="Java's; there are none here")
    flags.value(
        "--command-property", repeated=True, help="key=value for the consumer, over the file's"
    )
    flags.command_config("--consumer.config")


def run(args: argparse.Namespace) -> int:
    if (args.topic is None) == (args.include is None):
        raise Refused("Exactly one of the following arguments is required: [topic], [include]")
    require(args, "bootstrap-server", "num-records")
    try:
        entries = _entries(args)
        date(args.date_format, 0)
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED
    if args.print_metrics:
        print("--print-metrics: Java's metrics are not there", file=sys.stderr)

    async def work(client: "Client") -> int:
        return await _measure(client, args, entries)

    return run_data(args.bootstrap_server, entries, work, client_id="perf-consumer-client")


def _entries(args: argparse.Namespace) -> Settings:
    return settings(args.command_config, args.command_property) | {
        "group.id": args.group or f"perf-consumer-{random.randrange(_GROUP_NUMBER_END)}",
        "receive.buffer.bytes": str(args.socket_buffer_size),
        "max.partition.fetch.bytes": str(args.fetch_size),
        "auto.offset.reset": "latest" if args.from_latest else "earliest",
        "check.crcs": "false",
    }


async def _measure(client: "Client", args: argparse.Namespace, entries: Settings) -> int:
    from ottla.aio.consumer import Consumer

    is_detailed: bool = args.show_detailed_stats
    if not args.hide_header:
        times = "time, threadId" if is_detailed else "start.time, end.time"
        print(f"{times}, {_COLUMNS}", flush=True)
    started_ms = _now_ms()
    rebalances = Rebalances(started_ms)
    async with Consumer(client, consumer_options(entries)) as consumer:
        if args.topic is not None:
            consumer.subscribe([args.topic], listener=rebalances)
        else:
            consumer.subscribe(pattern=rf"(?:{args.include})\Z", listener=rebalances)
        count, size_bytes = await _consume(consumer, args, rebalances)
        ended_ms = _now_ms()
    if count < args.num_records:
        print(
            "WARNING: Exiting before consuming the expected number of records: timeout "
            f"({args.timeout} ms) exceeded. You can use the --timeout option to increase the timeout."
        )
    if not is_detailed:
        times = f"{date(args.date_format, started_ms)}, {date(args.date_format, ended_ms)}"
        elapsed_ms = ended_ms - started_ms
        fetching_ms = elapsed_ms - rebalances.total_ms
        print(
            f"{times}, {_amounts(size_bytes, count, size_bytes, count, elapsed_ms)}, "
            f"{rebalances.total_ms}, {fetching_ms}, {_rates(size_bytes, count, fetching_ms)}"
        )
    return 0


async def _consume(
    consumer: "Consumer", args: argparse.Namespace, rebalances: "Rebalances"
) -> tuple[int, int]:
    """Records and bytes that came, until there were enough or none for too long."""
    count = size_bytes = told_count = told_bytes = 0
    now_ms = told_ms = consumed_ms = _now_ms()
    while count < args.num_records and now_ms - consumed_ms <= args.timeout:
        batches = await consumer.poll_batches(_POLL_MS)
        now_ms = _now_ms()
        if not batches:
            continue
        consumed_ms = now_ms
        for batch in batches:
            count += len(batch)
            size_bytes += _size(batch)
        if now_ms - told_ms >= args.reporting_interval:
            if args.show_detailed_stats:
                new_bytes, new = size_bytes - told_bytes, count - told_count
                round_ms = rebalances.round_ms
                fetching_ms = now_ms - told_ms - round_ms
                print(
                    f"{date(args.date_format, now_ms)}, 0, "
                    f"{_amounts(size_bytes, count, new_bytes, new, now_ms - told_ms)}, "
                    f"{round_ms}, {fetching_ms}, "
                    + (
                        _rates(new_bytes, new, fetching_ms) if fetching_ms > 0 else "0.0000, 0.0000"
                    ),
                    flush=True,
                )
            rebalances.round_ms = 0
            told_ms, told_count, told_bytes = now_ms, count, size_bytes
    return count, size_bytes


@final
class Rebalances:
    """How long they took, in all and since `round_ms` was last set to 0."""

    def __init__(self, started_ms: int) -> None:
        self.total_ms = self.round_ms = 0
        self._began_ms = started_ms

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self._began_ms = _now_ms()

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        took_ms = _now_ms() - self._began_ms
        self.total_ms += took_ms
        self.round_ms += took_ms

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        await self.revoked(partitions)


def date(pattern: str, at_ms: int) -> str:
    """A local time by a pattern of Java's SimpleDateFormat, as far as it is digits.

    `date("HH:mm", …)` is "08:05". Raises LocalProtocolError for a letter that means something else.
    """
    at = datetime.fromtimestamp(at_ms / 1000)
    shown = ""
    for part in _DATE_PART.finditer(pattern):
        text = part[0]
        if part[1] is not None:
            shown += part[1] or "'"
        elif part[2] is None:
            shown += text
        elif part[2] not in _DATE_PARTS:
            raise LocalProtocolError(
                f"date-format {pattern!r}: {text!r} is not there; {', '.join(_DATE_PARTS)} are"
            )
        elif text == "yy":
            shown += f"{at.year % 100:02}"
        else:
            shown += f"{_DATE_PARTS[part[2]](at):0{len(text)}}"
    return shown


def _amounts(total_bytes: int, total: int, new_bytes: int, new: int, elapsed_ms: int) -> str:
    rates = _rates(new_bytes, new, elapsed_ms).split(", ")
    return f"{java_rounded(total_bytes / _MEBIBYTE, 4)}, {rates[0]}, {total}, {rates[1]}"


def _rates(size_bytes: int, count: int, elapsed_ms: int) -> str:
    """Mebibytes and records in a second; in no time at all, endless, as Java divides."""
    if elapsed_ms == 0:
        return ", ".join("Infinity" if amount else "NaN" for amount in (size_bytes, count))
    seconds = elapsed_ms / 1000
    return (
        f"{java_rounded(size_bytes / _MEBIBYTE / seconds, 4)}, {java_rounded(count / seconds, 4)}"
    )


def _size(batch: "ConsumedBatch") -> int:
    return sum(
        len(one) for column in (batch.keys, batch.values) for one in column if one is not None
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
