"""`kafka-console-consumer`: records on stdout, in Kafka's formats, until told to stop.

As Kafka's: a member of a group, of one made up for the occasion where none is named (which then commits
nothing); or, with --partition, a reader of that partition alone. How many records were processed is said
on stderr at the end. What was not written is not committed.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import Settings, consumer_options, run_data, settings
from ottla.cli.kafka.flags import FAILED, Flags, Refused, require
from ottla.cli.kafka.formatters import Formatter, Unformattable, formatter
from ottla.cli.kafka.properties import read_properties
from ottla.errors import LocalProtocolError, OttlaError
from ottla.limits import INT_MAX, LONG_MAX
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.record import ConsumedRecord

_DEFAULT_FORMATTER: Final = "org.apache.kafka.tools.consumer.DefaultMessageFormatter"
_GROUP_NUMBER_END: Final = 100_000
_POLL_MS: Final = 1_000


def add_flags(flags: Flags) -> None:
    flags.bootstrap(required=False)
    flags.zookeeper()
    flags.value("--topic", help="the topic to read")
    flags.value("--include", "--whitelist", help="a regular expression: read topics like that")
    flags.value("--partition", kind=whole_number(0, INT_MAX), help="read this partition alone")
    flags.value("--offset", help="begin with this one: earliest, latest (default) or a number")
    flags.switch("--from-beginning", help="begin with the oldest record where nothing is committed")
    flags.value("--max-messages", kind=whole_number(-1, INT_MAX), help="end after so many")
    flags.value(
        "--timeout-ms", kind=whole_number(-1, LONG_MAX), help="end when nothing came for so long"
    )
    flags.value("--group", help="the consumer group")
    flags.value("--isolation-level", help="read_uncommitted (default) or read_committed")
    flags.switch("--skip-message-on-error", help="pass over what cannot be formatted")
    flags.value("--formatter", default=_DEFAULT_FORMATTER, help="the formatter's class")
    flags.value(
        "--formatter-property",
        "--property",
        repeated=True,
        help="key=value for the formatter: print.timestamp|key|offset|epoch|partition|headers|"
        "value=true|false, key.separator, line.separator, headers.separator, null.literal, "
        "key.deserializer, value.deserializer, headers.deserializer",
    )
    flags.value("--formatter-config", help="a properties file for the formatter")
    flags.value("--key-deserializer", help="the class that reads keys")
    flags.value("--value-deserializer", help="the class that reads values")
    flags.switch("--enable-systest-events", help="say when it has shut down")
    flags.value(
        "--command-property",
        "--consumer-property",
        repeated=True,
        help="key=value for the consumer, over what is in the file",
    )
    flags.command_config("--consumer.config")


def run(args: argparse.Namespace) -> int:
    _check(args)
    try:
        entries = _entries(args)
        how = formatter(args.formatter, _formatter_settings(args))
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED
    output = Output(how, args.max_messages, skips=args.skip_message_on_error)

    async def work(client: "Client") -> int:
        from ottla.aio.consumer import Consumer

        consumer = Consumer(client, consumer_options(entries))
        try:
            async with consumer:
                _begin(consumer, args)
                return await _read(consumer, output, args.timeout_ms)
        finally:
            print(f"Processed a total of {output.count} messages", file=sys.stderr)

    code = run_data(args.bootstrap_server, entries, work, client_id="console-consumer")
    if args.enable_systest_events:
        print("shutdown_complete")
    return code


def _check(args: argparse.Namespace) -> None:
    if (args.topic is None) == (args.include is None):
        raise Refused("Exactly one of the following arguments is required: [topic], [include]")
    if args.partition is not None:
        if args.topic is None:
            raise Refused("The topic is required when partition is specified.")
        if args.from_beginning and args.offset is not None:
            raise Refused("Options from-beginning and offset cannot be specified together.")
    elif args.offset is not None:
        raise Refused("The partition is required when offset is specified.")
    if args.offset is not None and args.offset.lower() not in ("earliest", "latest"):
        if not (args.offset.isascii() and args.offset.isdigit() and int(args.offset) <= LONG_MAX):
            raise Refused(
                f"The provided offset value '{args.offset}' is incorrect. Valid values are "
                "'earliest', 'latest', or a non-negative long."
            )
    require(args, "bootstrap-server")


def _entries(args: argparse.Namespace) -> Settings:
    """The consumer's settings. Raises Refused, LocalProtocolError."""
    entries = settings(args.command_config, args.command_property)
    groups = {args.group, entries.get("group.id")} - {None}
    if len(groups) > 1:
        named = ", ".join(f"'{group}'" for group in sorted(groups))
        raise Refused(
            "The group ids provided in different places (directly using '--group', via "
            "'--command-property', or via '--command-config') do not match. Detected group ids: "
            f"{named}"
        )
    if groups and args.partition is not None:
        raise Refused("Options group and partition cannot be specified together.")
    reset = entries.setdefault("auto.offset.reset", "earliest" if args.from_beginning else "latest")
    if args.from_beginning and reset != "earliest":
        raise LocalProtocolError(
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset="
            f"{reset}', please remove one option"
        )
    if args.isolation_level is not None:
        entries["isolation.level"] = args.isolation_level
    if groups:
        entries["group.id"] = groups.pop()
    elif args.partition is None:
        entries["group.id"] = f"console-consumer-{random.randrange(_GROUP_NUMBER_END)}"
        entries.setdefault("enable.auto.commit", "false")
    return entries


def _formatter_settings(args: argparse.Namespace) -> Settings:
    found: Settings = {}
    if args.formatter_config is not None:
        found = read_properties(args.formatter_config)
    for name in ("key", "value"):
        class_name = getattr(args, f"{name}_deserializer")
        if class_name:
            found[f"{name}.deserializer"] = class_name
    return found | settings(None, args.formatter_property)


def _begin(consumer: "Consumer", args: argparse.Namespace) -> None:
    """Subscribed, or assigned and sought."""
    if args.partition is None:
        if args.topic is not None:
            consumer.subscribe([args.topic])
        else:
            consumer.subscribe(pattern=rf"(?:{args.include})\Z")
        return
    place = TopicPartition(args.topic, args.partition)
    text = args.offset or ("earliest" if args.from_beginning else "latest")
    consumer.assign([place])
    if text.lower() == "earliest":
        consumer.seek_to_beginning([place])
    elif text.lower() == "latest":
        consumer.seek_to_end([place])
    else:
        consumer.seek(place, int(text))


async def _read(consumer: "Consumer", output: "Output", timeout_ms: int | None) -> int:
    """Until `output` has enough, or nothing came for so long."""
    wait_ms = _POLL_MS if timeout_ms is None or timeout_ms < 0 else timeout_ms
    told: str | None = None
    while not output.is_done:
        found = await consumer.poll(wait_ms, output.most)
        for records in found.values():
            if (code := output.write(records)) is not None:
                return code
        if not found:
            if wait_ms == timeout_ms:
                break
            trouble = None if consumer.trouble is None else str(consumer.trouble)
            if trouble is not None and trouble != told:
                print(f"{trouble}. Trying again.", file=sys.stderr)
            told = trouble
    return 0


@final
class Output:
    """Records on standard output. `count`: how many were processed."""

    def __init__(self, how: Formatter, count_max: int | None, *, skips: bool) -> None:
        self._how = how
        self._count_max = None if count_max is None or count_max < 0 else count_max
        self._skips = skips
        self.count = 0

    @property
    def is_done(self) -> bool:
        return self._count_max is not None and self.count >= self._count_max

    @property
    def most(self) -> int | None:
        """How many records may come next; None: as many as there are."""
        return None if self._count_max is None else min(self._count_max - self.count, 500)

    def write(self, records: "Sequence[ConsumedRecord]") -> int | None:
        """Write them all; an exit code: that was the last, for somebody gave up."""
        lines: list[bytes] = []
        refused: OttlaError | None = None
        for record in records:
            self.count += 1
            try:
                lines.append(self._how.line(record))
            except Unformattable as error:
                if not self._skips:
                    refused = error
                    break
                print(f"Error processing message, skipping this message: {error}", file=sys.stderr)
        try:
            sys.stdout.buffer.write(b"".join(lines))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            print("Unable to write to standard out, closing consumer.", file=sys.stderr)
            # Python flushes once more at its end: to nowhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            return 0
        if refused is not None:
            print(f"Unknown error when running consumer: {refused}", file=sys.stderr)
            return FAILED
        return None
