"""kafka-consumer-groups: groups listed, described, deleted; their offsets reset and deleted.

As in Kafka, what a cluster refuses is told on stdout after `Error: ` and the exit code is 0; what was
said wrong is told on stderr with the usage, and the exit code is 1.
"""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import Flags, Refused, is_said, number, refuse_together, the_action
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.errors import ApiError, ErrorCode, OttlaError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_ACTIONS: Final = (
    "list",
    "describe",
    "delete",
    "reset-offsets",
    "delete-offsets",
    "validate-regex",
)
_SCENARIOS: Final = (
    "by-duration",
    "to-datetime",
    "from-file",
    "shift-by",
    "to-offset",
    "to-earliest",
    "to-current",
    "to-latest",
)
_STATES: Final = (
    "Stable",
    "Reconciling",
    "CompletingRebalance",
    "Dead",
    "Empty",
    "Assigning",
    "PreparingRebalance",
)
_TYPES: Final = ("Consumer", "Classic")
_DRY_RUN: Final = (
    "WARN: No action will be performed as the --execute option is missing. In version 5.0, this "
    "command will require either --dry-run or --execute to be specified. You should add the --dry-run "
    "option explicitly if you are scripting this command and want to keep the current default "
    "behavior without prompting."
)


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.zookeeper()
    flags.command_config()
    flags.switch("--list", help="list all consumer groups")
    flags.switch("--describe", help="tell a group's partitions, members or state")
    flags.switch("--delete", help="delete groups without members")
    flags.switch("--reset-offsets", help="say where a group without members goes on reading")
    flags.switch("--delete-offsets", help="delete a group's offsets of topics")
    flags.value("--validate-regex", help="tell whether a regular expression is one")
    flags.value("--group", repeated=True, help="the group; may be repeated")
    flags.switch("--all-groups", help="all groups")
    flags.value("--topic", repeated=True, help="a topic, or topic:0,1 for some of its partitions")
    flags.switch("--all-topics", help="all topics of which the group has offsets")
    flags.switch("--members", help="with --describe: tell the members")
    flags.switch("--offsets", help="with --describe: tell partitions and lag, as without it")
    flags.optional_value("--state", bare="", help="with --describe: the state; with --list: which")
    flags.optional_value("--type", bare="", help="with --list: types, and which")
    flags.switch("--verbose", help="with --describe: tell more")
    flags.switch("--dry-run", help="with --reset-offsets: only show")
    flags.switch("--execute", help="with --reset-offsets: do it")
    flags.switch("--export", help="with --reset-offsets: show as CSV")
    flags.value("--to-offset", kind=number, help="to this offset")
    flags.value("--from-file", help="to the offsets of a CSV file")
    flags.value("--to-datetime", help="to the first record at or after YYYY-MM-DDTHH:mm:SS.sss")
    flags.value("--by-duration", help="to the first record of the last PnDTnHnMnS")
    flags.switch("--to-earliest", help="to the first record")
    flags.switch("--to-latest", help="to the end")
    flags.switch("--to-current", help="to where it is; to the end if it is nowhere")
    flags.value("--shift-by", kind=number, help="by so many, back if negative")
    flags.value("--timeout", kind=number, default="30000", help="how long to try, in ms")


def run(args: argparse.Namespace) -> int:
    action = the_action(args, _ACTIONS)
    _refuse_misfits(args, action)
    if action == "validate-regex":
        return _validate(args.validate_regex)
    work = {
        "list": _list,
        "describe": _describe,
        "delete": _delete,
        "reset-offsets": _reset,
        "delete-offsets": _delete_offsets,
    }[action]
    try:
        return asked(args, lambda admin: work(admin, args), api_ms_max=args.timeout)
    except OttlaError as error:
        # Which of the two Kafka prints depends on where it failed; scripts look for the words.
        text = said_with_name(error) if action == "describe" else said(error)
        _print_error(f"Executing consumer group command failed due to {text}")
        return 0


def _refuse_misfits(args: argparse.Namespace, action: str) -> None:
    if action in ("describe", "delete", "reset-offsets") and not (args.group or args.all_groups):
        raise Refused(f"Option [{action}] takes one of these options: [all-groups], [group]")
    if action == "describe":
        if sum(is_said(args, name) for name in ("members", "offsets", "state")) > 1:
            raise Refused(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]"
            )
        if args.state:
            raise Refused("Option [describe] does not take a value for [state]")
    if action == "delete" and args.topic:
        raise Refused(
            "The consumer does not support topic-specific offset deletion from a consumer group."
        )
    if action == "delete-offsets" and not (args.group and args.topic):
        raise Refused("Option [delete-offsets] takes the following options: [topic], [group]")
    if action == "reset-offsets":
        if args.dry_run and args.execute:
            raise Refused("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
        if not args.dry_run and not args.execute:
            print(_DRY_RUN, file=sys.stderr)
        for scenario in _SCENARIOS:
            refuse_together(args, scenario, _SCENARIOS)
        if not any(is_said(args, name) for name in _SCENARIOS):
            names = ", ".join(f"[{name}]" for name in _SCENARIOS)
            raise Refused(
                f"Option '[reset-offsets]' requires one of the following scenarios: [{names}]"
            )
        if not (args.topic or args.all_topics or args.from_file):
            raise Refused("One of the reset scopes should be defined: --all-topics, --topic.")
    refuse_together(args, "group", ("all-groups", "list"))
    if action != "describe":
        refuse_together(args, "topic", ("list",))


def _print_error(text: str) -> None:
    print(f"\nError: {text}")


def _validate(text: str) -> int:
    import re

    try:
        re.compile(text)
    except re.error as error:
        print(f"The regular expression `{text}` is invalid: {error}.")
    else:
        print(f"The regular expression `{text}` is valid.")
    return 0


def _among(text: str, known: Iterable[str], what: str) -> list[str]:
    """The names in `text`, spelled as they are known. Raises Refused for another."""
    spelled = {name.lower(): name for name in known}
    names = [part.strip().lower() for part in text.split(",")] if text else []
    if any(name not in spelled for name in names):
        valid = ", ".join(spelled.values())
        raise Refused(f"Invalid {what} list '{text}'. Valid {what.removesuffix('s')}s are: {valid}")
    return [spelled[name] for name in names]


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.group_facts import consumer_groups

    states = _among(args.state or "", _STATES, "state")
    types = _among(args.type or "", _TYPES, "types")
    groups = await consumer_groups(admin, states, types)
    if args.state is None and args.type is None:
        for group in groups:
            print(group.group_id)
        return 0
    width = max((len(group.group_id) for group in groups), default=15)
    columns = [f"{'GROUP':<{max(width, 15) + 10}}"]
    columns += [f"{'TYPE':<20}"] if args.type is not None else []
    columns += [f"{'STATE':<20}"] if args.state is not None else []
    print(" ".join(columns))
    for group in groups:
        columns = [f"{group.group_id:<{max(width, 15) + 10}}"]
        kind = group.group_type.capitalize() or "Unknown"
        columns += [f"{kind:<20}"] if args.type is not None else []
        columns += [f"{group.group_state or 'Unknown':<20}"] if args.state is not None else []
        print(" ".join(columns))
    return 0


async def _names(admin: "Admin", args: argparse.Namespace) -> list[str]:
    from ottla.cli.kafka.group_facts import consumer_groups

    if args.all_groups:
        return [group.group_id for group in await consumer_groups(admin)]
    return list(dict.fromkeys(args.group))


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.group_facts import Committed, committed, described, offsets_at
    from ottla.cli.kafka.group_tables import (
        member_lines,
        notice,
        offset_lines,
        rows,
        state_lines,
    )
    from ottla.client.lookup import LATEST

    groups = await described(admin, await _names(admin, args))
    for group in groups.values():
        known: dict[TopicPartition, Committed] = {}
        ends: dict[TopicPartition, int] = {}
        by_partition = not args.members and args.state is None
        if by_partition:
            known = await committed(admin, group.name)
            read = {place for member in group.members for place in member.assigned}
            ends = await offsets_at(admin, dict.fromkeys([*known, *read], LATEST))
        if group.state == "Dead":
            _print_error(f"Consumer group '{group.name}' does not exist.")
            continue
        said_before = notice(group)
        if said_before is not None:
            print(said_before, file=sys.stderr)
        if by_partition:
            found = rows(group, known, ends)
            lines = offset_lines(group, found, verbose=args.verbose) if found else iter(())
        elif args.members:
            lines = member_lines(group, verbose=args.verbose)
        else:
            lines = state_lines(group, verbose=args.verbose)
        for line in lines:
            print(line)
    return 0


async def _delete(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse

    deleted, failed = [], {}
    for name in await _names(admin, args):
        try:
            request = DeleteGroupsRequest([name])
            answer = await admin.coordinated(name, request, DeleteGroupsResponse)
            for one in answer.results:
                check(one.error_code)  # Kafka's tool says nothing more
            deleted.append(f"'{name}'")
        except ApiError as error:
            failed[name] = said_with_name(error)
    if not failed:
        print(f"Deletion of requested consumer groups ({', '.join(deleted)}) was successful.")
        return 0
    _print_error("Deletion of some consumer groups failed:")
    for name, reason in failed.items():
        print(f"* Group '{name}' could not be deleted due to: {reason}")
    if deleted:
        print(f"\nThese consumer groups were deleted successfully: {', '.join(deleted)}")
    return 0


async def _reset(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.group_offsets import csv_lines, reset
    from ottla.cli.kafka.group_tables import reset_lines

    offsets = await reset(admin, args, await _names(admin, args))
    if args.export:
        for line in csv_lines(offsets, with_group=len(args.group) != 1):
            print(line)
        print()
        return 0
    for line in reset_lines(offsets):
        print(line)
    return 0


async def _delete_offsets(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.group_offsets import forget
    from ottla.cli.kafka.group_tables import deleted_lines

    (group, *_) = args.group
    code, results = await forget(admin, group, args.topic)
    match code:
        case ErrorCode.NONE:
            print(f"Request succeeded for deleting offsets from group {group}.")
        case (
            ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
            | ErrorCode.TOPIC_AUTHORIZATION_FAILED
            | ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        ):
            _print_error("Encountered some partition-level error, see the follow-up details.")
        case _:
            _print_error(said(ApiError(code)))
    for line in deleted_lines(results):
        print(line)
    return 0
