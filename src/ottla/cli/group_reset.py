"""`ottla group reset-offsets`: where a group without members shall go on reading.

As in Kafka's tool, it is only told what would be, unless `--execute` says that it shall be. `--export`
tells it as lines `topic,partition,offset`, which `--from-file` takes, here and in Kafka's tool.
Elsewhere: the rules, `client/reset.py`; the lines, `kafka/group_offsets.py`.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, complain, whole_number
from ottla.cli.coordinated import commit, committed, describe
from ottla.cli.offsets import since_ms
from ottla.cli.positions import Named, named, offsets_at, places_of
from ottla.cli.tabular import tell
from ottla.client.reset import Known, Move, Rule, Wish, duration_ms, moves
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, error_name
from ottla.limits import LONG_MAX
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_EPILOG: Final = """\
examples:
  ottla group reset-offsets shop --topic orders --to-earliest
  ottla group reset-offsets shop --topic orders:0,2 --shift-by -100 --execute
  ottla group reset-offsets shop --all-topics --by-duration PT2H --execute
  ottla group reset-offsets shop --all-topics --to-current --export > before.csv
  ottla group reset-offsets shop --from-file before.csv --execute
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s GROUP --topic TOPIC WHERE [OPTION ...]"
    parser.epilog = _EPILOG
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument(
        "--topic",
        dest="topics",
        action="append",
        default=[],
        type=named,
        metavar="TOPIC[:0,1]",
        help="which partitions; may be given several times",
    )
    parser.add_argument(
        "--all-topics", action="store_true", help="every partition the group has an offset for"
    )
    where = parser.add_argument_group("WHERE is one of")
    to = where.add_mutually_exclusive_group(required=True)
    to.add_argument("--to-earliest", action="store_true", help="to the first record there is")
    to.add_argument("--to-latest", action="store_true", help="past the last one")
    to.add_argument(
        "--to-current", action="store_true", help="where it is (else past the last one)"
    )
    to.add_argument("--to-offset", type=whole_number(0, LONG_MAX), metavar="N")
    to.add_argument(
        "--shift-by", type=whole_number(-LONG_MAX, LONG_MAX), metavar="N", help="back if negative"
    )
    to.add_argument(
        "--to-datetime",
        type=since_ms,
        metavar="TIME",
        help="to the first record since then: 2024-05-01T08:00 (local time, unless it says +02:00 "
        "or Z), or milliseconds since 1970",
    )
    to.add_argument(
        "--by-duration", type=_duration, metavar="PT1H30M", help="to the first record so long ago"
    )
    to.add_argument(
        "--from-file",
        metavar="FILE",
        help="to what its lines say: topic,partition,offset, as --export writes them; - is stdin",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only tell (this is so anyway)")
    what.add_argument("--execute", action="store_true", help="do it")
    what.add_argument(
        "--export", action="store_true", help="only tell, as lines topic,partition,offset"
    )


def _duration(text: str) -> int:
    try:
        return duration_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def problem(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments taken together."""
    if args.export and args.json:
        return "--export and --json exclude each other."
    if args.from_file is not None:
        named_too = args.topics or args.all_topics
        return "--from-file says itself which partitions." if named_too else None
    if args.topics and args.all_topics:
        return "--topic and --all-topics exclude each other."
    if not args.topics and not args.all_topics:
        return "Which partitions? Give --topic TOPIC[:0,1] or --all-topics."
    return None


def wish_of(args: argparse.Namespace, now_ms: int) -> Wish:
    for rule, number in (
        (Rule.OFFSET, args.to_offset),
        (Rule.SHIFT, args.shift_by),
        (Rule.TIME, args.to_datetime),
        (Rule.TIME, None if args.by_duration is None else now_ms - args.by_duration),
    ):
        if number is not None:
            return Wish(rule=rule, number=number)
    if args.to_earliest:
        return Wish(rule=Rule.EARLIEST)
    return Wish(rule=Rule.LATEST if args.to_latest else Rule.CURRENT)


async def reset(client: "Client", args: argparse.Namespace) -> int:
    """The exit code. Raises ApiError, LocalProtocolError."""
    from ottla.client.groups import STATES_WITHOUT_MEMBERS

    group = args.group
    plan = None if args.from_file is None else _plan(args.from_file, group)
    try:
        state = (await describe(client, group)).state
    except ApiError as error:
        if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
            raise
        state = "Dead"  # it comes into being with its first offset
    if state not in STATES_WITHOUT_MEMBERS:
        raise ApiError(ErrorCode.NON_EMPTY_GROUP)
    if plan is None:
        wish = wish_of(args, time.time_ns() // 1_000_000)
        planned = moves(wish, await _known(client, args, wish))
    else:
        planned = await _planned(client, args, plan)
    if not planned:
        complain(f"Group '{group}' has no offsets to reset. Name partitions: --topic TOPIC[:0,1]")
        return FAILED
    codes: Mapping[Place, int] = {}
    if args.execute:
        new = {place: move.new for place, move in planned.items()}
        codes = await commit(client, group, new)
    refused = {place: code for place, code in codes.items() if code != ErrorCode.NONE}
    for (topic, partition), move in planned.items():
        if move.clamped is not None:
            end = "before the first record" if move.clamped < move.new else "beyond the end"
            complain(f"{topic}-{partition}: offset {move.clamped} is {end}; it becomes {move.new}.")
    if args.export:
        _export(group, planned)
        return 0
    columns = ("GROUP", "TOPIC", "PARTITION", "OLD-OFFSET", "NEW-OFFSET")
    rows = [
        (group, *place, move.old, move.new)
        for place, move in planned.items()
        if place not in refused
    ]
    tell("reset", columns, rows, as_json=args.json)
    for (topic, partition), code in refused.items():
        complain(f"{topic}-{partition} was not reset: {error_name(code)}.")
    if not args.execute:
        complain("Nothing is changed yet: --execute does it.")
    return FAILED if refused else 0


def _plan(path: str, group: str) -> "dict[Place, int]":
    """What a file says of a group. Raises LocalProtocolError."""
    from ottla.cli.kafka.group_offsets import planned

    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
    except UnicodeDecodeError:
        raise LocalProtocolError(f"{path} is not a text file") from None
    except OSError as error:
        raise LocalProtocolError(f"{path} cannot be read: {error.strerror}") from None
    found = planned(text, [group])
    if group not in found:
        others = f", but of {', '.join(sorted(found))}" if found else ""
        raise LocalProtocolError(f"{path} says nothing of it{others}")
    return {(place.topic, place.partition): offset for place, offset in found[group].items()}


async def _planned(
    client: "Client", args: argparse.Namespace, plan: "Mapping[Place, int]"
) -> "dict[Place, Move]":
    scope = [Named(topic, (partition,)) for topic, partition in plan]
    known = await _known(client, args, Wish(rule=Rule.OFFSET), scope)
    return {
        place: moves(Wish(rule=Rule.OFFSET, number=plan[place]), {place: one})[place]
        for place, one in sorted(known.items())
    }


def _export(group: str, planned: "Mapping[Place, Move]") -> None:
    from ottla.cli.kafka.group_offsets import csv_lines

    offsets = {TopicPartition(*place): move.new for place, move in planned.items()}
    for line in csv_lines({group: offsets}, with_group=False):
        print(line)


async def _known(
    client: "Client", args: argparse.Namespace, wish: Wish, scope: Sequence[Named] = ()
) -> "dict[Place, Known]":
    """What there is to know of the partitions in scope. Those of deleted topics are not in it."""
    from ottla.client.lookup import EARLIEST, LATEST

    offsets = await committed(client, args.group)
    wanted = scope or args.topics
    places = sorted(offsets) if args.all_topics else await places_of(client, wanted)
    firsts = await offsets_at(client, places, EARLIEST)
    ends = await offsets_at(client, places, LATEST)
    at_time: Mapping[Place, int | None] = {}
    if wish.rule is Rule.TIME:
        at_time = await offsets_at(client, places, max(0, wish.number))
    return {
        place: Known(
            first=firsts.get(place) or 0,
            end=ends.get(place) or 0,
            committed=offsets[place].offset if place in offsets else None,
            at_time=at_time.get(place),
        )
        for place in places
        if place in firsts and place in ends
    }
