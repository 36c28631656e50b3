"""`ottla produce`: one record per line of standard input.

What is there is sent at once: a line typed goes out when it is typed, a file goes out in batches of
about a megabyte. A line is a record without its line end; `\\r\\n` counts as one. The command ends at
the end of the input, when every record is acknowledged; if one is not, it says so and exits with 1.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, run_with_client, whole_number
from ottla.client.reach import AdvertisedUnreachable
from ottla.errors import LocalProtocolError
from ottla.limits import FRAME_BYTES_MAX, INT_MAX
from ottla.record.record import Headers

if TYPE_CHECKING:
    import asyncio

    from ottla.aio.client import Client
    from ottla.aio.producer import Producer
    from ottla.client.produce.batch import RecordBatch

_CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ACKS_ALL: Final = -1
_ACKS: Final = {"all": ACKS_ALL, "-1": ACKS_ALL, "0": 0, "1": 1}
_READ_BYTES: Final = 256 * 1024
_SHOWN_CHARACTERS: Final = 60
_PROMPT: Final = "> "
_BATCH_BYTES: Final = 256 * 1024
_CREATION_MS_MAX: Final = 5_000
"""How long a broker that creates topics by itself may take for one."""
_DELIVER_MS_MAX: Final = 30_000
_UNREACHABLE_ATTEMPTS_MAX: Final = 3
_REASONS_MAX: Final = 20

_EPILOG: Final = """\
examples:
  echo "hello, world" | ottla produce greetings
  ottla produce orders --key-separator : < orders.txt
  ottla produce greetings                  (type lines; Ctrl-D ends)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument(
        "--key-separator",
        type=_separator,
        metavar="SEP",
        help="what stands between key and value in every line; \\t is a tab",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="KEY=VALUE",
        help="a header of every record; may be given several times",
    )
    parser.add_argument(
        "--compression", choices=_CODECS, default="none", help="of the batches (none)"
    )
    parser.add_argument(
        "--acks",
        choices=_ACKS,
        default="all",
        help="who must have a record: all in-sync replicas, the leader (1), nobody (0)",
    )
    parser.add_argument(
        "--partition",
        type=whole_number(0, INT_MAX),
        metavar="N",
        help="where every record goes (else by its key; without a key, spread)",
    )
    add_bootstrap(parser)


def _separator(text: str) -> bytes:
    separator = os.fsencode(text.replace("\\t", "\t"))
    if not separator:
        raise argparse.ArgumentTypeError("an empty separator separates nothing")
    return separator


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    try:
        name.encode()
    except UnicodeEncodeError:
        equals = ""
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: KEY=VALUE is expected")
    return name, os.fsencode(value)


def run(args: argparse.Namespace) -> int:
    from ottla.aio.producer import Producer
    from ottla.client.produce.options import ProducerOptions

    if sys.stdin is None:
        complain("Standard input is closed: there are no lines to send.")
        return FAILED

    async def work(client: "Client") -> int:
        failed: list[RecordBatch] = []
        options = ProducerOptions(
            acks=_ACKS[args.acks],
            enable_idempotence=_ACKS[args.acks] == ACKS_ALL,
            codec=_CODECS[args.compression],
            batch_size=_BATCH_BYTES,
            delivery_timeout_ms=_DELIVER_MS_MAX,
            max_request_size=FRAME_BYTES_MAX,
            unreachable_attempts_max=_UNREACHABLE_ATTEMPTS_MAX,
        )

        def keep(batch: "RecordBatch") -> None:
            if batch.error is not None:
                failed.append(batch)

        async with Producer(client, options, on_done=keep) as producer:
            topic = await producer.topic(args.topic, timeout_ms=_CREATION_MS_MAX)
            count = len(topic.partitions)
            if args.partition is not None and args.partition >= count:
                raise LocalProtocolError(
                    f"topic '{args.topic}' has {count} partitions, 0 to {count - 1}; there is no "
                    f"partition {args.partition}"
                )
            lines = Sending(producer, args.topic, args.partition, tuple(args.header), failed)
            return await lines.send_all(Source(sys.stdin.fileno()), args.key_separator)

    return run_with_client(args.bootstrap_server, work, topic=args.topic)


@final
class Sending:
    """Lines on their way to one topic. `failed`: batches that were not acknowledged, as they come."""

    def __init__(
        self,
        producer: "Producer",
        topic: str,
        partition: int | None,
        headers: Headers,
        failed: "list[RecordBatch]",
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._headers = headers
        self._failed = failed
        self._failed_count = 0
        self._told: set[str] = set()

    async def send_all(self, source: "Source", separator: bytes | None) -> int:
        """Every line of `source` is acknowledged, or has been complained of; the exit code."""
        lines = Lines()
        refused: str | None = None
        at_end = False
        while not at_end and refused is None:
            data = await source.read()
            at_end = not data
            try:
                for line in lines.end() if at_end else lines.feed(data):
                    key, value = split(line, separator, lines.number)
                    await self._producer.send(
                        self._topic, value, key, self._headers, self._partition
                    )
            except UnusableLine as error:
                refused = str(error)
            await self._producer.flush()
            self._tell_failures()
        if refused is not None:
            complain(f"{refused} Nothing from this line on was sent.")
        if self._failed_count:
            records = (
                "1 record was"
                if self._failed_count == 1
                else f"{self._failed_count:,} records were"
            )
            complain(f"In all, {records} not acknowledged.")
        return FAILED if refused is not None or self._failed_count else 0

    def _tell_failures(self) -> None:
        """Each reason once, however many batches it hits."""
        for batch in self._failed:
            self._failed_count += batch.record_count
            reason = str(batch.error)
            if reason not in self._told and len(self._told) < _REASONS_MAX:
                self._told.add(reason)
                complain(f"Records for partition {batch.partition} not acknowledged: {reason}")
            if isinstance(batch.error, AdvertisedUnreachable):
                raise batch.error
        self._failed.clear()


class UnusableLine(Exception):
    """A line that is no record. The message says which, and why."""


@final
class Lines:
    """Bytes in pieces -> lines without their ends. `number` counts the lines handed out."""

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self.number = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that end in `data`. To be used up before the next call."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            yield self._line(data[start:end])
            start = end + 1
        self._hold(data[start:])

    def end(self) -> Iterator[bytes]:
        """A last line that has no end."""
        if self._held_bytes:
            yield self._line(b"")

    def _line(self, last: bytes) -> bytes:
        self._hold(last)
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        self.number += 1
        return line.removesuffix(b"\r")

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._held_bytes += len(piece)
        if self._held_bytes > self._bytes_max:
            raise UnusableLine(
                f"Line {self.number + 1} has more than {self._bytes_max:,} bytes, "
                "more than any broker takes."
            )


def split(line: bytes, separator: bytes | None, number: int) -> tuple[bytes | None, bytes]:
    """(key, value) of a line. Raises UnusableLine if it has no separator where one is expected."""
    if separator is None:
        return None, line
    key, found, value = line.partition(separator)
    if not found:
        shown = line.decode(errors="replace")[:_SHOWN_CHARACTERS]
        raise UnusableLine(
            f"Line {number} has no key separator {separator.decode(errors='replace')!r}: {shown!r}."
        )
    return key, value


@final
class Source:
    """Standard input, whatever it is. Terminals and pipes are waited for; files are just read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._prompts = os.isatty(descriptor)
        self._is_watchable = True

    async def read(self) -> bytes:
        """What is there, at least one byte; empty: the end."""
        if self._prompts:
            print(_PROMPT, end="", file=sys.stderr, flush=True)
        if self._is_watchable:
            await self._wait_readable()
        return os.read(self._descriptor, _READ_BYTES)

    async def _wait_readable(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        try:
            loop.add_reader(self._descriptor, _resolve, readable)
        except (PermissionError, NotImplementedError):
            # A file, which is always readable; or a system whose loop cannot watch.
            self._is_watchable = False
            return
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
