"""`kafka-console-producer`: each line of standard input is a record.

At a terminal each line is asked for with `>`. Records gather for a second (--timeout) unless --sync sends
each by itself. Ctrl-D and Ctrl-C end it when all is delivered. Unlike Kafka's, the exit code is 1 when a
record was not delivered; which, is said on stderr.
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import (
    Settings,
    producer_options,
    run_data,
    settings,
)
from ottla.cli.kafka.flags import FAILED, Flags, Refused
from ottla.cli.kafka.line_reader import LineReader
from ottla.cli.kafka.properties import read_properties
from ottla.cli.produce import Lines, UnusableLine
from ottla.errors import LocalProtocolError, OttlaError
from ottla.limits import INT_MAX, LONG_MAX

if TYPE_CHECKING:
    import asyncio

    from ottla.aio.client import Client
    from ottla.aio.producer import Producer
    from ottla.client.produce.batch import RecordBatch

_READER: Final = "org.apache.kafka.tools.LineMessageReader"
_READ_BYTES: Final = 256 * 1024
_INPUT: Final = 0
_NUMBERS: Final = {
    "timeout": ("linger.ms", "1000", "gather records for so many milliseconds"),
    "message-send-max-retries": ("retries", "3", "send a record again so many times"),
    "retry-backoff-ms": ("retry.backoff.ms", "100", "pause before sending again"),
    "request-timeout-ms": ("request.timeout.ms", "1500", "how long an answer may take"),
    "metadata-expiry-ms": ("metadata.max.age.ms", "300000", "how old the cluster's picture gets"),
    "max-block-ms": ("max.block.ms", "60000", "wait for room and for the topic so long"),
    "max-memory-bytes": ("buffer.memory", "33554432", "memory for records on their way"),
    "socket-buffer-size": ("send.buffer.bytes", "102400", "the socket's buffer"),
    "batch-size": ("batch.size", "16384", "bytes of records for one partition sent as one"),
    "max-partition-memory-bytes": ("batch.size", "16384", "as --batch-size, which it was once"),
}


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.removed("--broker-list", "--bootstrap-server")
    flags.value("--topic", required=True, help="where the records go")
    flags.switch("--sync", help="wait for each record before the next is sent")
    flags.optional_value(
        "--compression-codec", bare="gzip", help="none (default), gzip, snappy, lz4 or zstd"
    )
    flags.value("--request-required-acks", help="who must have a record: -1 (default), 1 or 0")
    for name, (_, usual, what) in _NUMBERS.items():
        high = LONG_MAX if name.endswith(("-ms", "memory-bytes")) else INT_MAX
        flags.value(f"--{name}", kind=whole_number(-1, high), help=f"{what} ({usual})")
    flags.value("--line-reader", default=_READER, help=f"{_READER}, which is the only one here")
    flags.value(
        "--reader-property",
        "--property",
        repeated=True,
        help="key=value for the reader of lines: parse.key, parse.headers, ignore.error=true|false, "
        "key.separator, headers.delimiter, headers.separator, headers.key.separator, null.marker",
    )
    flags.value("--reader-config", help="a properties file for the reader of lines")
    flags.value(
        "--command-property",
        "--producer-property",
        repeated=True,
        help="key=value for the producer, over what is in the file",
    )
    flags.command_config("--producer.config")


def run(args: argparse.Namespace) -> int:
    if args.line_reader.rpartition(".")[2] != "LineMessageReader":
        raise Refused(f"{args.line_reader}: this reader is not there; {_READER} is")
    try:
        entries = _entries(args)
        of_reader = {} if args.reader_config is None else read_properties(args.reader_config)
        reader = LineReader(of_reader | settings(None, args.reader_property))
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED

    async def work(client: "Client") -> int:
        return await _produce(client, entries, args.topic, reader, is_sync=args.sync)

    return run_data(args.bootstrap_server, entries, work, client_id="console-producer")


def _entries(args: argparse.Namespace) -> Settings:
    entries = settings(args.command_config, args.command_property)
    entries["compression.type"] = args.compression_codec or "none"
    if args.request_required_acks is not None:
        entries["acks"] = args.request_required_acks
    if args.sync and args.timeout is None:
        entries.setdefault("linger.ms", "0")  # nobody else's record can come meanwhile
    for flag, (name, usual, _) in _NUMBERS.items():
        said = getattr(args, flag.replace("-", "_"))
        if said is not None:
            entries[name] = str(said)
        else:
            entries.setdefault(name, usual)
    return entries


async def _produce(
    client: "Client", entries: Settings, topic: str, reader: LineReader, *, is_sync: bool
) -> int:
    from ottla.aio.producer import Producer

    failed: list[RecordBatch] = []

    def look(batch: "RecordBatch") -> None:
        if batch.error is not None:
            failed.append(batch)
            print(
                f"Error when sending {batch.record_count} records to topic {batch.topic}, partition "
                f"{batch.partition}: {batch.error}",
                file=sys.stderr,
            )

    producer = Producer(client, producer_options(entries), on_done=look)
    await producer.start()
    try:
        await _send_all(producer, topic, reader, is_sync=is_sync)
    except (LocalProtocolError, UnusableLine) as error:
        print(error, file=sys.stderr)
        return FAILED
    except OttlaError as error:
        if not failed:  # else it was told
            print(error, file=sys.stderr)
        return FAILED
    finally:
        await producer.close()
    return FAILED if failed else 0


async def _send_all(producer: "Producer", topic: str, reader: LineReader, *, is_sync: bool) -> None:
    """Every line is taken; with `is_sync`, delivered."""
    lines = Lines()
    prompt = Prompt()
    prompt.show()
    while True:
        data = await _read()
        for line in lines.feed(data) if data else lines.end():
            record = reader.read(line)
            delivery = await producer.send(topic, record.value, record.key, record.headers)
            if is_sync:
                await delivery
            prompt.show()
        if not data:
            return


@final
class Prompt:
    """Asks for a line where somebody sits in front of it."""

    def __init__(self) -> None:
        self._is_wanted = os.isatty(_INPUT) and sys.stdout.isatty()

    def show(self) -> None:
        if self._is_wanted:
            print(">", end="", flush=True)


async def _read() -> bytes:
    """What stands on standard input, at least one byte; empty: its end."""
    import asyncio

    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(_INPUT, _resolve, readable)
    except (PermissionError, NotImplementedError):
        # A file, which is always readable; or a system whose loop cannot watch.
        return os.read(_INPUT, _READ_BYTES)
    try:
        await readable
    finally:
        loop.remove_reader(_INPUT)
    return os.read(_INPUT, _READ_BYTES)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
