"""`ottla consume`: print the records of a topic, one per line, until told to stop.

Values go to standard output as they are, in UTF-8; what is no UTF-8 is replaced. What else is asked
for stands before the value, in the order and form of Kafka's console consumer. It waits for more
like that one; Ctrl-C, SIGTERM, a reader that went away (`| head`) and the options for it end it, and
the exit code is then 0. How many records were printed is said on stderr.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import add_bootstrap, complain, run_with_client, whole_number
from ottla.limits import INT_MAX, LONG_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Start
    from ottla.client.fetcher import Fetched

_COLUMNS: Final = ("timestamp", "partition", "offset", "headers", "key")
_NULL: Final = b"null"

_EPILOG: Final = """\
It goes on until Ctrl-C, unless --exit, --max-messages or --timeout-ms says when to end.

examples:
  ottla consume greetings --from-beginning
  ottla consume greetings --from-beginning --exit --print key,offset
  ottla consume orders --from-time 2024-05-01T08:00 --max-messages 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("topic", metavar="TOPIC")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from-beginning", action="store_true", help="begin with the oldest record (else new ones)"
    )
    where.add_argument(
        "--offset", type=_offset, metavar="N|earliest|latest", help="begin with this offset"
    )
    where.add_argument(
        "--from-time",
        type=milliseconds,
        metavar="TIME",
        help="begin with the first record since then: 2024-05-01T08:00 (local time, unless it says "
        "+02:00 or Z), or milliseconds since 1970",
    )
    parser.add_argument(
        "--partition",
        dest="partitions",
        action="append",
        type=whole_number(0, INT_MAX),
        metavar="N",
        help="only this one (else all); may be given several times",
    )
    parser.add_argument(
        "--max-messages", type=whole_number(1, LONG_MAX), metavar="N", help="end after so many"
    )
    parser.add_argument(
        "--timeout-ms",
        type=whole_number(1, INT_MAX),
        metavar="N",
        help="end when nothing came for so long",
    )
    parser.add_argument(
        "-e", "--exit", action="store_true", help="end when all there was is printed"
    )
    parser.add_argument(
        "--print",
        dest="columns",
        type=_columns,
        default=(),
        metavar="COLUMN,...",
        help=f"print before the value: {', '.join(sorted(_COLUMNS))}",
    )
    add_bootstrap(parser)


def _offset(text: str) -> "Start":
    from ottla.aio.consumer import Start
    from ottla.client.lookup import EARLIEST, LATEST

    match text:
        case "earliest":
            return Start(timestamp_ms=EARLIEST)
        case "latest":
            return Start(timestamp_ms=LATEST)
    return Start(offset=whole_number(0, LONG_MAX)(text))


def milliseconds(text: str) -> int:
    """A point in time as Kafka counts it. For argparse."""
    if text.isascii() and text.isdigit():
        return whole_number(0, LONG_MAX)(text)
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: 2024-05-01T08:00:00 or milliseconds since 1970 are expected"
        ) from None
    try:
        since_ms = round(moment.timestamp() * 1000)
    except (OverflowError, OSError, ValueError):
        since_ms = -1
    if since_ms < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is before 1970")
    return since_ms


def _columns(text: str) -> tuple[str, ...]:
    asked = [column.strip() for column in text.split(",") if column.strip()]
    for column in asked:
        if column not in _COLUMNS and column != "value":
            raise argparse.ArgumentTypeError(
                f"{column!r} is no column; there are {', '.join(sorted(_COLUMNS))}"
            )
    return tuple(column for column in _COLUMNS if column in asked)


def run(args: argparse.Namespace) -> int:
    from ottla.aio.consumer import Consumer

    output = Output(args.columns, args.max_messages)

    async def work(client: "Client") -> int:
        import asyncio

        _cancel_on_sigterm()
        consumer = Consumer(client, args.topic, on_trouble=_tell_trouble)
        try:
            await consumer.start(_start(args), args.partitions)
            try:
                await consumer.run(output.write, idle_ms_max=args.timeout_ms, until_end=args.exit)
            finally:
                print(f"Processed a total of {output.count} messages", file=sys.stderr)
        except asyncio.CancelledError:
            # Ctrl-C or SIGTERM: the way this command usually ends.
            pass
        return 0

    return run_with_client(args.bootstrap_server, work, topic=args.topic)


def _start(args: argparse.Namespace) -> "Start":
    from ottla.aio.consumer import Start
    from ottla.client.lookup import EARLIEST

    if args.from_beginning:
        return Start(timestamp_ms=EARLIEST)
    if args.from_time is not None:
        return Start(timestamp_ms=args.from_time)
    return args.offset or Start()


def _cancel_on_sigterm() -> None:
    import asyncio
    import signal

    task = asyncio.current_task()
    assert task is not None
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    except (NotImplementedError, RuntimeError):
        # No such signals here, or not the main thread: the process then just ends.
        pass


def _tell_trouble(reason: str) -> None:
    complain(f"{reason}. Trying again.")


@final
class Output:
    """Records as lines on standard output. `count`: how many were written."""

    def __init__(self, columns: Sequence[str], count_max: int | None) -> None:
        self._columns = columns
        self._count_max = count_max
        self.count = 0

    def write(self, fetched: "list[Fetched]") -> bool:
        """Print what may still be printed; True: that was the last."""
        if self._count_max is not None:
            fetched = fetched[: self._count_max - self.count]
        lines = [line(one, self._columns) for one in fetched]
        try:
            sys.stdout.buffer.write(b"".join(lines))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Whoever read has what they wanted. Python flushes once more at its end: to nowhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            return True
        self.count += len(fetched)
        return self.count == self._count_max


def line(fetched: "Fetched", columns: Sequence[str]) -> bytes:
    """A record as Kafka's console consumer prints it, with these columns before the value."""
    record = fetched.record
    parts = []
    for column in columns:
        match column:
            case "timestamp":
                parts.append(_timestamp(record.timestamp_ms, fetched.is_append_time))
            case "partition":
                parts.append(b"Partition:%d" % fetched.partition)
            case "offset":
                parts.append(b"Offset:%d" % record.offset)
            case "headers":
                pairs = [name.encode() + b":" + _text(value) for name, value in record.headers]
                parts.append(b",".join(pairs) or b"NO_HEADERS")
            case "key":
                parts.append(_text(record.key))
    parts.append(_text(record.value))
    return b"\t".join(parts) + b"\n"


def _timestamp(timestamp_ms: int, is_append_time: bool) -> bytes:
    if timestamp_ms < 0:
        return b"NO_TIMESTAMP"
    return (b"LogAppendTime:%d" if is_append_time else b"CreateTime:%d") % timestamp_ms


def _text(data: bytes | None) -> bytes:
    return _NULL if data is None else data.decode(errors="replace").encode()
