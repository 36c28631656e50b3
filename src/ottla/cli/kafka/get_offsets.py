"""kafka-get-offsets: `topic:partition:offset` lines, at the end, the beginning or a time."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked
from ottla.cli.kafka.flags import FAILED, Flags
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.cli.kafka.topic_names import INTERNAL, pattern
from ottla.errors import ApiError, LocalProtocolError, OttlaError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_TIMES: Final = {
    "latest": -1,
    "earliest": -2,
    "max-timestamp": -3,
    "earliest-local": -4,
    "latest-tiered": -5,
    "earliest-pending-upload": -6,
}
_NO_OFFSET: Final = -1
_RULE_PARTS: Final = re.compile(r"([^:]*)(?::(?:(\d+)|(?:(\d+)-(\d+)?)|(?:-(\d+))))?")


def add_flags(flags: Flags) -> None:
    flags.bootstrap("--broker-list")
    flags.command_config()
    flags.value("--topic-partitions", help="topic:1-3 and the like, with commas between")
    flags.value("--topic", help="a regular expression; else all topics")
    flags.value("--partitions", help="their numbers, with commas between; else all")
    flags.value(
        "--time",
        default="latest",
        help="a time stamp in ms, or latest, earliest, max-timestamp, earliest-local, ...",
    )
    flags.switch("--exclude-internal-topics", help="without internal topics")


def run(args: argparse.Namespace) -> int:
    try:
        if args.topic_partitions and (args.topic or args.partitions):
            raise LocalProtocolError(
                "--topic-partitions cannot be used with --topic or --partitions"
            )
        time_ms = moment(args.time)
        is_wanted = (
            by_rules(args.topic_partitions)
            if args.topic_partitions
            else by_names(args.topic, args.partitions)
        )
        return asked(
            args,
            lambda admin: _print(admin, is_wanted, time_ms, not args.exclude_internal_topics),
            client_id="GetOffsetShell",
        )
    except OttlaError as error:
        print(f"Error occurred: {said(error)}", file=sys.stderr)
        return FAILED


def moment(text: str) -> int:
    """A time in ms, or one of the protocol's below zero."""
    try:
        return _TIMES[text] if text in _TIMES else int(text)
    except ValueError:
        raise LocalProtocolError(
            f"Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or "
            "max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or "
            "earliest-pending-upload, or a specified long format timestamp"
        ) from None


Filter = Callable[[TopicPartition], bool]


def by_names(topic: str | None, partitions: str | None) -> Filter:
    topics = pattern(topic or ".*")
    try:
        ids = {int(one) for one in partitions.split(",")} if partitions else set()
    except ValueError:
        raise LocalProtocolError(
            "--partitions expects a comma separated list of numeric partition ids, but received: "
            f"{partitions}"
        ) from None
    return lambda place: (
        topics.fullmatch(place.topic) is not None and (not ids or place.partition in ids)
    )


def by_rules(text: str) -> Filter:
    """`a:1,b:0-3,c,d:5-,:-3`: a partition, or from the first to below the second number."""
    rules = [_rule(one) for one in text.split(",")]
    return lambda place: any(rule(place) for rule in rules)


def _rule(text: str) -> Filter:
    found = _RULE_PARTS.fullmatch(text)
    if found is None:
        raise LocalProtocolError(f"Invalid rule specification: {text}")
    name, one, low, high, below = found.groups()
    topics = pattern(name or ".*")
    if one is not None:
        ids = range(int(one), int(one) + 1)
    else:
        end = high or below
        ids = range(int(low or 0), int(end) if end else sys.maxsize)
    return lambda place: topics.fullmatch(place.topic) is not None and place.partition in ids


async def _print(admin: "Admin", is_wanted: Filter, time_ms: int, with_internal: bool) -> int:
    from ottla.cli.kafka.group_facts import offsets_at

    cluster = await admin.client.refresh(None)
    places = [
        place
        for name in cluster.topics
        if (topic := cluster.topic(name)) is not None and (with_internal or name not in INTERNAL)
        for part in topic.partitions
        if is_wanted(place := TopicPartition(name, part.partition))
    ]
    if not places:
        raise LocalProtocolError("Could not match any topic-partitions with the specified filters")
    found = {}
    try:
        found = await offsets_at(admin, dict.fromkeys(places, time_ms))
    except ApiError:
        # One may be without a leader: each by itself, so that the others are told.
        for place in places:
            try:
                found |= await offsets_at(admin, {place: time_ms})
            except ApiError as error:
                print(
                    f"Skip getting offsets for topic-partition {place.topic}-{place.partition} due "
                    f"to error: {said_with_name(error)}",
                    file=sys.stderr,
                )
    for place in _sorted(found):
        if found[place] != _NO_OFFSET:
            print(f"{place.topic}:{place.partition}:{found[place]}")
    return 0


def _sorted(places: Iterable[TopicPartition]) -> list[TopicPartition]:
    """As Kafka: by `topic-partition` as text, so that 10 is before 2."""
    return sorted(places, key=lambda place: f"{place.topic}-{place.partition}")
