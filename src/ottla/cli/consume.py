"""`ottla consume`: print the records of a topic, one per line, until told to stop.

Values go to standard output as they are, in UTF-8; what is no UTF-8 is replaced. What else is asked
for stands before the value, in the order and form of Kafka's console consumer. It waits for more
like that one; Ctrl-C, SIGTERM, a reader that went away (`| head`) and the options for it end it, and
the exit code is then 0. How many records were printed is said on stderr; so is, if that is a terminal and the
records go elsewhere, how far it has come.

With `--group` it is a member of that group: it shares the partitions with the others, goes on where the
group was, and commits what it printed.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, final

from ottla.cli.bootstrap import add_bootstrap, complain, run_with_client, whole_number
from ottla.cli.terminal import Progress
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError
from ottla.limits import INT_MAX, LONG_MAX
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.consume.record import ConsumedRecord

_UNKNOWN_MS_MAX: Final = 1_000
"""A topic created a moment ago may not have reached every broker."""
_POLL_MS: Final = 500
_TOLD_AFTER_MS: Final = 300
"""A broker that is away for so long is worth a word."""
_ADVERTISED_MS_MAX: Final = 2_000
_TROUBLE_MS_MAX: Final = 30_000
_USAGE: Final = 2

_COLUMNS: Final = ("timestamp", "partition", "offset", "headers", "key")
_NULL: Final = b"null"

_EPILOG: Final = """\
It goes on until Ctrl-C, unless --exit, --max-messages or --timeout-ms says when
to end.

examples:
  ottla consume greetings --from-beginning
  ottla consume greetings --from-beginning --exit --print key,offset
  ottla consume orders --from-time 2024-05-01T08:00 --max-messages 10
  ottla consume orders --group billing --from-beginning
"""


class Start(NamedTuple):
    """Where to begin: at `offset`, or where `timestamp_ms` (or EARLIEST, LATEST) says."""

    offset: int | None = None
    timestamp_ms: int = -1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s TOPIC [OPTION ...]"
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
        "-g",
        "--group",
        metavar="GROUP",
        help="as a member of this group: go on where it was, and commit what is printed",
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


def _offset(text: str) -> Start:
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
    if args.group is not None and (args.partitions or args.offset or args.from_time is not None):
        complain("--group goes on where the group was: without --partition, --offset, --from-time")
        return _USAGE
    progress = None if sys.stdout.isatty() else Progress(args.max_messages, "records")
    output = Output(args.columns, args.max_messages, sys.stdout.buffer, progress)

    async def work(client: "Client") -> int:
        _cancel_on_sigterm()
        return await print_records(client, output, args)

    return run_with_client(args.bootstrap_server, work, topic=args.topic)


async def print_records(client: "Client", output: "Output", args: argparse.Namespace) -> int:
    """What was asked for is printed; the exit code."""
    import asyncio

    from ottla.aio.consumer import Consumer

    try:
        async with Consumer(client, _options(args)) as consumer:
            if args.group is not None:
                await _partition_count(client, args.topic)
                consumer.subscribe([args.topic])
            else:
                await _begin(client, consumer, args)
            try:
                await _print_all(consumer, output, args)
            except Unwritable:
                await consumer.close(auto_commit=False)  # what came last was not printed
                raise
            finally:
                output.wipe()
                print(f"Processed a total of {output.count} messages", file=sys.stderr)
    except asyncio.CancelledError:
        # Ctrl-C or SIGTERM: the way this command usually ends.
        pass
    return 0


def _options(args: argparse.Namespace) -> "ConsumerOptions":
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.lookup import LATEST

    start = _start(args)
    reset = "latest" if start.timestamp_ms == LATEST else "earliest"
    return ConsumerOptions(
        group_id=args.group,
        offset_reset="none" if start.offset is not None else reset,
        allow_auto_create=False,
    )


def _start(args: argparse.Namespace) -> Start:
    from ottla.client.lookup import EARLIEST

    if args.from_beginning:
        return Start(timestamp_ms=EARLIEST)
    if args.from_time is not None:
        return Start(timestamp_ms=args.from_time)
    start: Start | None = args.offset
    return start or Start()


async def _partition_count(client: "Client", topic: str) -> int:
    """Raises ApiError if there is no such topic."""
    view = await client.wait_for_topic(topic, create_missing=False, unknown_ms_max=_UNKNOWN_MS_MAX)
    return len(view.partitions)


async def _begin(client: "Client", consumer: "Consumer", args: argparse.Namespace) -> None:
    """The partitions are assigned, and positions are where they shall begin."""
    topic: str = args.topic
    count = await _partition_count(client, topic)
    numbers: list[int] = args.partitions or list(range(count))
    for partition in numbers:
        if partition >= count:
            raise LocalProtocolError(
                f"topic '{topic}' has {count} partitions, 0 to {count - 1}; there is no "
                f"partition {partition}"
            )
    places = [TopicPartition(topic, partition) for partition in numbers]
    start = _start(args)
    if start.offset is not None:
        consumer.assign(places)
        for place in places:
            consumer.seek(place, start.offset)
    elif start.timestamp_ms >= 0:
        found = await consumer.offsets_for_times(dict.fromkeys(places, start.timestamp_ms))
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place, at in found.items():
            consumer.seek(place, ends[place] if at is None else at.offset)
    else:
        consumer.assign(places)


async def _print_all(consumer: "Consumer", output: "Output", args: argparse.Namespace) -> None:
    """Until it is enough, or an end is reached."""
    import asyncio

    from ottla.client.consume.trouble import OutOfRange

    loop = asyncio.get_running_loop()
    patience = Patience(lambda: loop.time() * 1000)
    idle_since = loop.time()
    ends: dict[TopicPartition, int] | None = None
    while True:
        left_ms = _POLL_MS
        if args.timeout_ms is not None:
            gone_ms = (loop.time() - idle_since) * 1000
            if gone_ms >= args.timeout_ms:
                return
            left_ms = min(left_ms, max(1, round(args.timeout_ms - gone_ms)))
        if args.exit and ends is None and consumer.assignment():
            ends = await consumer.end_offsets(consumer.assignment())
            output.expects(await _distance(consumer, ends))
        try:
            if ends is not None and await _is_at(consumer, ends):
                return
            found = await consumer.poll(left_ms, output.left)
        except OutOfRange as error:
            raise await _explained(consumer, error.offsets) from None
        if found:
            idle_since = loop.time()
            patience.restore()
            if any(output.write(records) for records in found.values()):
                return
        elif consumer.trouble is not None:
            output.wipe()
            patience.lose(consumer.trouble)
        else:
            patience.restore()


async def _distance(consumer: "Consumer", ends: "dict[TopicPartition, int]") -> int:
    """Offsets from here to there: so many records, or less where some were compacted away."""
    return sum([max(0, end - await consumer.position(place)) for place, end in ends.items()])


async def _is_at(consumer: "Consumer", ends: "dict[TopicPartition, int]") -> bool:
    """Everything there was is printed; partitions that went to another member are its business."""
    for place, end in ends.items():
        if place not in consumer.assignment():
            continue
        position = await consumer.position(place)
        # Beyond the end from the beginning: the broker has something to say about that.
        if position < end or (position > end and consumer.highwater(place) is None):
            return False
    return True


async def _explained(consumer: "Consumer", offsets: "Mapping[TopicPartition, int]") -> ApiError:
    place, offset = next(iter(offsets.items()))
    first = await consumer.beginning_offsets([place])
    end = await consumer.end_offsets([place])
    return ApiError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        f"partition {place} has offsets from {first[place]} to below {end[place]}; {offset} was "
        "asked for. Ask for one of them, for earliest, or for latest",
    )


@final
class Unwritable(OttlaError):
    """The disk is full, or what else the system says. Nothing of the last records counts as printed."""


@final
class Patience:
    """With brokers that are away: says so once, and gives up where waiting does not help."""

    def __init__(self, now_ms: "Callable[[], float]") -> None:
        self._now_ms = now_ms
        self._since_ms: float | None = None
        self._has_told = False

    def lose(self, trouble: OttlaError) -> None:
        """Raises the trouble if it has lasted too long."""
        from ottla.aio.client import AdvertisedUnreachable

        now_ms = self._now_ms()
        if self._since_ms is None:
            self._since_ms = now_ms
            return
        gone_ms = now_ms - self._since_ms
        is_hopeless = isinstance(trouble, AdvertisedUnreachable) and gone_ms >= _ADVERTISED_MS_MAX
        if is_hopeless or gone_ms >= _TROUBLE_MS_MAX:
            raise trouble
        if not self._has_told and gone_ms >= _TOLD_AFTER_MS:
            self._has_told = True
            complain(f"{trouble}. Trying again.")

    def restore(self) -> None:
        self._since_ms = None
        self._has_told = False


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


@final
class Output:
    """Records as lines in `file`, standard output. `count`: how many were written."""

    def __init__(
        self,
        columns: Sequence[str],
        count_max: int | None,
        file: "BinaryIO",
        progress: Progress | None = None,
    ) -> None:
        self._file = file
        self._columns = columns
        self._count_max = count_max
        self._progress = progress
        self.count = 0

    def expects(self, count: int) -> None:
        """There are so many records at most, if all are wanted."""
        if self._progress is not None:
            self._progress.total = count if self._count_max is None else min(count, self._count_max)

    def wipe(self) -> None:
        """Something else may be printed on the terminal."""
        if self._progress is not None:
            self._progress.wipe()

    @property
    def left(self) -> int | None:
        """How many may still be printed; None: as many as come."""
        return None if self._count_max is None else self._count_max - self.count

    def write(self, records: "Sequence[ConsumedRecord]") -> bool:
        """Print what may still be printed; True: that was the last."""
        if self._count_max is not None:
            records = records[: self._count_max - self.count]
        lines = [line(one, self._columns) for one in records]
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
        except BrokenPipeError:
            # Whoever read has what they wanted.
            _to_nowhere()
            return True
        except OSError as error:
            _to_nowhere()
            raise Unwritable(f"Standard output cannot be written: {error.strerror}") from None
        self.count += len(records)
        if self._progress is not None:
            self._progress.at(self.count)
        return self.count == self._count_max


def _to_nowhere() -> None:
    """Python flushes standard output once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def line(record: "ConsumedRecord", columns: Sequence[str]) -> bytes:
    """A record as Kafka's console consumer prints it, with these columns before the value."""
    parts = []
    for column in columns:
        match column:
            case "timestamp":
                parts.append(_timestamp(record.timestamp, record.timestamp_type))
            case "partition":
                parts.append(b"Partition:%d" % record.partition)
            case "offset":
                parts.append(b"Offset:%d" % record.offset)
            case "headers":
                pairs = [name.encode() + b":" + _text(value) for name, value in record.headers]
                parts.append(b",".join(pairs) or b"NO_HEADERS")
            case "key":
                parts.append(_text(record.key))
    parts.append(_text(record.value))
    return b"\t".join(parts) + b"\n"


def _timestamp(timestamp_ms: int, timestamp_type: int) -> bytes:
    if timestamp_ms < 0:
        return b"NO_TIMESTAMP"
    return (b"LogAppendTime:%d" if timestamp_type == 1 else b"CreateTime:%d") % timestamp_ms


def _text(data: bytes | None) -> bytes:
    return _NULL if data is None else data.decode(errors="replace").encode()
