"""kafka-consumer-groups, offsets: to what they are reset, and which are deleted.

Offsets outside a partition's records become its first or its end. Times are ISO 8601; without a zone
they are this machine's. Which rule leads where: `client/reset.py`.
"""

import argparse
import csv
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.flags import Refused
from ottla.cli.kafka.group_facts import committed, described, offsets_at, partitions_of
from ottla.cli.kafka.refusals import said_with_name
from ottla.client.lookup import EARLIEST, LATEST, NO_OFFSET
from ottla.client.reset import Known, Rule, Wish, duration_ms, moves
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_INACTIVE: Final = ("Empty", "Dead")


async def reset(
    admin: "Admin", args: argparse.Namespace, groups: Sequence[str]
) -> dict[str, dict[TopicPartition, int]]:
    """By group, where it now goes on; with `--execute` it does. A group with members is left alone,
    and told on stdout."""
    found: dict[str, dict[TopicPartition, int]] = {}
    for name in groups:
        try:
            state = (await described(admin, [name]))[name].state
        except ApiError as error:
            if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
                raise
            state = "Dead"  # a group begins with its first offset
        if state not in _INACTIVE:
            print(
                f"\nError: Assignments can only be reset if the group '{name}' is inactive, but the "
                f"current state is {state}."
            )
            found[name] = {}
            continue
        found[name] = await _wanted(admin, args, name)
        if args.execute and found[name]:
            await _commit(admin, name, found[name])
    return found


async def _wanted(
    admin: "Admin", args: argparse.Namespace, group: str
) -> dict[TopicPartition, int]:
    if args.from_file is not None:
        plan = planned(_read(args.from_file), args.group)
        if group not in plan:
            print(f"\nError: No reset plan for group {group} found")
            return {}
        return await _within(admin, plan[group])
    old = await committed(admin, group)
    places = list(old) if args.all_topics else await _places(admin, args.topic)
    if args.shift_by is not None:
        for place in places:
            if place not in old:
                raise Refused(
                    f"Cannot shift offset for partition {place.topic}-{place.partition} since there "
                    "is no current committed offset"
                )
    wish = wished(args)
    first = await offsets_at(admin, dict.fromkeys(places, EARLIEST))
    ends = await offsets_at(admin, dict.fromkeys(places, LATEST))
    at_time: dict[TopicPartition, int] = {}
    if wish.rule is Rule.TIME:
        at_time = await offsets_at(admin, dict.fromkeys(places, wish.number))
        for place in sorted(places):
            if at_time[place] == NO_OFFSET:
                print(
                    f"\nWarn: Partition {place.partition} from topic {place.topic} is empty. Falling "
                    "back to latest known offset."
                )
    known = {}
    for place in places:
        found = at_time.get(place, NO_OFFSET)
        known[place[0], place[1]] = Known(
            first[place],
            ends[place],
            old[place].offset if place in old else None,
            None if found == NO_OFFSET else found,
        )
    return {TopicPartition(*place): move.new for place, move in moves(wish, known).items()}


def wished(args: argparse.Namespace) -> Wish:
    """Raises LocalProtocolError for a time that is none."""
    if args.to_offset is not None:
        return Wish(rule=Rule.OFFSET, number=args.to_offset)
    if args.shift_by is not None:
        return Wish(rule=Rule.SHIFT, number=args.shift_by)
    if args.to_datetime is not None:
        return Wish(rule=Rule.TIME, number=instant_ms(args.to_datetime))
    if args.by_duration is not None:
        try:
            back_ms = duration_ms(args.by_duration)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from None
        return Wish(rule=Rule.TIME, number=int(time.time() * 1000) - back_ms)
    if args.to_earliest:
        return Wish(rule=Rule.EARLIEST)
    return Wish(rule=Rule.LATEST if args.to_latest else Rule.CURRENT)


def instant_ms(text: str) -> int:
    """`2020-01-01T00:00:00.000`, with a zone or in this machine's."""
    if "T" not in text:
        raise LocalProtocolError(
            "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according "
            "to ISO8601 format"
        )
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise LocalProtocolError(
            f"{text!r} is no time: 2020-01-31T12:00:00.000 is expected"
        ) from None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalProtocolError(f"Unable to read file {path}: {error}") from None


def planned(text: str, groups: Sequence[str]) -> dict[str, dict[TopicPartition, int]]:
    """`topic,partition,offset` for one group, or with the group before it, by group."""
    found: dict[str, dict[TopicPartition, int]] = {}
    for line, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row:
            continue
        cells = [*groups, *row] if len(row) == 3 and len(groups) == 1 else row
        try:
            group, topic, partition, offset = cells
            place = TopicPartition(topic, int(partition))
            found.setdefault(group, {})[place] = int(offset)
        except ValueError:
            raise LocalProtocolError(
                f"line {line} of the plan is {','.join(row)!r}: [group,]topic,partition,offset"
            ) from None
    return found


def csv_lines(
    offsets: Mapping[str, Mapping[TopicPartition, int]], *, with_group: bool
) -> Iterator[str]:
    for group, of_group in sorted(offsets.items()):
        for place, offset in sorted(of_group.items()):
            start = f"{group}," if with_group else ""
            yield f"{start}{place.topic},{place.partition},{offset}"


async def _within(
    admin: "Admin", wanted: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    first = await offsets_at(admin, dict.fromkeys(wanted, EARLIEST))
    ends = await offsets_at(admin, dict.fromkeys(wanted, LATEST))
    return {place: min(max(one, first[place]), ends[place]) for place, one in wanted.items()}


async def _places(admin: "Admin", topics: Iterable[str]) -> list[TopicPartition]:
    whole, named = scope(topics)
    return list(dict.fromkeys([*named, *await partitions_of(admin, whole)]))


def scope(topics: Iterable[str]) -> tuple[list[str], list[TopicPartition]]:
    """Topics named whole, and partitions named by `topic:0,1`. Raises Refused."""
    whole, named = [], []
    for text in topics:
        topic, colon, ids = text.partition(":")
        if not colon:
            whole.append(topic)
            continue
        if not ids or ":" in ids:
            raise Refused(f"Invalid topic arg '{text}', expected topic name and partitions")
        for one in ids.split(","):
            try:
                named.append(TopicPartition(topic, int(one)))
            except ValueError:
                raise Refused(
                    f"Invalid partition '{one}' specified in topic arg '{text}''"
                ) from None
    return whole, named


async def _commit(admin: "Admin", group: str, offsets: Mapping[TopicPartition, int]) -> None:
    from ottla.client.groups import NAMED_TOPIC_MAX, commit_request, committing_untrusted
    from ottla.wire.message.offset_commit import OffsetCommitResponse

    plain = {(place.topic, place.partition): offset for place, offset in offsets.items()}
    request = commit_request(group, plain)
    answer = await admin.coordinated(
        group, request, OffsetCommitResponse, version_max=NAMED_TOPIC_MAX
    )
    for code in committing_untrusted(plain, answer).values():
        if code != ErrorCode.NONE:
            raise ApiError(code)


async def forget(
    admin: "Admin", group: str, topics: Iterable[str]
) -> tuple[int, dict[TopicPartition, str]]:
    """Offsets deleted: the first error code there was, and what is said of each partition."""
    from ottla.client.groups import forget_request
    from ottla.wire.message.offset_delete import OffsetDeleteResponse

    whole, places = scope(topics)
    results: dict[TopicPartition, str] = {}
    for topic in whole:
        try:
            places += await partitions_of(admin, [topic])
        except ApiError as error:
            results[TopicPartition(topic, -1)] = f"Error: {said_with_name(error)}"
    places = list(dict.fromkeys(places))
    request = forget_request(group, [(place.topic, place.partition) for place in places])
    answer = await admin.coordinated(group, request, OffsetDeleteResponse)
    codes = {
        TopicPartition(topic.name, part.partition_index): part.error_code
        for topic in answer.topics
        for part in topic.partitions
    }
    first_code = answer.error_code
    for place in places:
        code = answer.error_code or codes.get(place, ErrorCode.NONE)
        first_code = first_code or code
        is_done = code == ErrorCode.NONE
        results[place] = "Successful" if is_done else f"Error: {said_with_name(ApiError(code))}"
    return first_code, results
