"""`ottla group`: who reads what, how far behind, and where to go on.

Columns have the names of Kafka's own tool; `--json` prints the same for programs.

Elsewhere: `reset-offsets` in `group_reset.py`; whom to ask and how often, `coordinated.py`; requests
and answers, `client/groups.py`.
"""

import argparse
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli import group_reset
from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, run_with_client
from ottla.cli.coordinated import committed, delete, describe, forget, insisting
from ottla.cli.positions import named, offsets_at, places_of
from ottla.cli.tabular import Cell, tell, tell_items
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, error_name

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Description, Listed, Place

_WRONG_USAGE: Final = 2

_OFFSET_COLUMNS: Final = ("TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")
_READER_COLUMNS: Final = ("CONSUMER-ID", "HOST", "CLIENT-ID")

_EPILOG: Final = """\
examples:
  ottla group list
  ottla group describe shop
  ottla group reset-offsets shop --topic orders --to-earliest --execute
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", aliases=["ls"], help="all groups, with their states")
    for option, text in (("--state", "such as Empty,Stable"), ("--type", "such as classic")):
        listing.add_argument(
            option, type=_words, default=(), metavar="NAME,...", help=f"only these, {text}"
        )
    for name, text in (
        ("describe", "state, and how far each partition is read"),
        ("state", "state, assignor and coordinator"),
        ("members", "who is in it and reads which partitions"),
        ("offsets", "how far each partition is read"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("groups", nargs="*", metavar="GROUP", help="which groups (else all)")
    group_reset.add_arguments(
        actions.add_parser("reset-offsets", help="read on elsewhere (a dry run, unless --execute)")
    )
    deletion = actions.add_parser("delete", help="delete groups without members, and their offsets")
    deletion.add_argument("groups", nargs="+", metavar="GROUP")
    forgetting = actions.add_parser("delete-offsets", help="forget how far topics were read")
    forgetting.add_argument("group", metavar="GROUP")
    forgetting.add_argument(
        "--topic",
        dest="topics",
        action="append",
        required=True,
        type=named,
        metavar="TOPIC[:0,1]",
        help="may be given several times",
    )
    for name, action in actions.choices.items():
        if name == "ls":
            continue  # is `list`
        action.add_argument("--json", action="store_true", help="for programs")
        add_bootstrap(action)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def run(args: argparse.Namespace) -> int:
    if args.action == "reset-offsets":
        problem = group_reset.problem(args)
        if problem is not None:
            complain(problem)
            return _WRONG_USAGE
    return run_with_client(args.bootstrap_server, lambda client: do(client, args))


async def do(client: "Client", args: argparse.Namespace) -> int:
    """What the arguments ask for; the exit code."""
    match args.action:
        case "list" | "ls":
            return await _list(client, args)
        case "describe" | "state" | "members" | "offsets":
            return await _show(client, args)
        case "reset-offsets":
            return await _explaining(args.group, group_reset.reset(client, args))
        case "delete":
            return await _delete_all(client, args)
        case "delete-offsets":
            return await _explaining(args.group, _forget(client, args))
    raise AssertionError("argparse lets no other action through")


async def _explaining(group: str, work: Coroutine[None, None, int]) -> int:
    try:
        return await work
    except ApiError as error:
        complain(explained(error, group))
    except LocalProtocolError as error:
        complain(f"Group '{group}': {error}.")
    return FAILED


def explained(error: ApiError, group: str) -> str:
    """What is wrong with the group, and the way out."""
    match error.code:
        case ErrorCode.GROUP_ID_NOT_FOUND:
            return f"Group '{group}' does not exist. See: ottla group list"
        case ErrorCode.NON_EMPTY_GROUP:
            return f"Group '{group}' still has members: stop them first. See: ottla group members {group}"
        case ErrorCode.INVALID_GROUP_ID:
            return f"'{group}' cannot be the name of a group (INVALID_GROUP_ID)."
        case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            return f"Group '{group}': {error.message} does not exist. See: ottla topic list"
    return f"Group '{group}': {error}."


async def _list(client: "Client", args: argparse.Namespace) -> int:
    rows = await _listed(client, args.state, args.type)
    columns = ("GROUP", "STATE", "TYPE", "PROTOCOL")
    cells = [
        (row.group, row.state, row.group_type or None, row.protocol_type or None) for row in rows
    ]
    tell("groups", columns, cells, as_json=args.json)
    if not rows and not args.json:
        complain("There are no such groups." if args.state or args.type else "There are no groups.")
    return 0


async def _listed(
    client: "Client", states: Sequence[str] = (), types: Sequence[str] = ()
) -> "list[Listed]":
    """Each broker tells the groups that it looks after."""
    from ottla.client.groups import list_request, listed_untrusted
    from ottla.wire.api import LIST_GROUPS
    from ottla.wire.message.list_groups import ListGroupsResponse

    async def of_broker(broker_id: int) -> "list[Listed]":
        response = await client.ask(broker_id, LIST_GROUPS, list_request(states, types))
        assert isinstance(response, ListGroupsResponse)
        return listed_untrusted(response)

    await client.refresh(())
    found: set[Listed] = set()
    for broker_id in sorted(client.cluster.brokers):
        found.update(await insisting(client, lambda: of_broker(broker_id)))  # noqa: B023
    return sorted(found)


async def _show(client: "Client", args: argparse.Namespace) -> int:
    groups = args.groups or [row.group for row in await _listed(client)]
    if not groups and not args.json:
        complain("There are no groups.")
    described: list[Description] = []
    exit_code = 0
    for group in groups:
        try:
            described.append(await describe(client, group))
        except ApiError as error:
            complain(explained(error, group))
            exit_code = FAILED
    if described or args.json:
        match args.action:
            case "state":
                _tell_states(described, as_json=args.json)
            case "members":
                _tell_members(described, as_json=args.json)
            case _:
                await _tell_offsets(client, described, args)
    return exit_code


def _tell_states(described: "Sequence[Description]", *, as_json: bool) -> None:
    columns = ("GROUP", "STATE", "PROTOCOL", "ASSIGNMENT-STRATEGY", "MEMBERS")
    cells = [
        (one.group, one.state, one.protocol_type or None, one.protocol or None, len(one.members))
        for one in described
    ]
    tell("states", columns, cells, as_json=as_json)


def _tell_members(described: "Sequence[Description]", *, as_json: bool) -> None:
    columns = ("GROUP", "CONSUMER-ID", "INSTANCE-ID", "HOST", "CLIENT-ID", "PARTITIONS", "ASSIGNED")
    cells = [
        (
            one.group,
            member.member_id,
            member.instance_id,
            member.host,
            member.client_id,
            None if member.assigned is None else len(member.assigned),
            _assigned(member.assigned or ()),
        )
        for one in described
        for member in one.members
    ]
    tell("members", columns, cells, as_json=as_json)
    if not as_json:
        for one in described:
            if not one.members:
                complain(f"Group '{one.group}' has no members.")


def _assigned(places: "Sequence[Place]") -> str | None:
    """`orders:0,1 payments:0`; None: nothing."""
    from ottla.client.groups import by_topic

    topics = by_topic(places).items()
    return " ".join(f"{topic}:{','.join(map(str, parts))}" for topic, parts in topics) or None


async def _tell_offsets(
    client: "Client", described: "Sequence[Description]", args: argparse.Namespace
) -> None:
    rows = {one.group: await _progress(client, one) for one in described}
    if args.json or args.action == "offsets":
        columns = ("GROUP", *_OFFSET_COLUMNS, *_READER_COLUMNS)
        cells = [(group, *row) for group, found in rows.items() for row in found]
        tell("offsets", columns, cells, as_json=args.json)
        return
    for number, one in enumerate(described):
        if number:
            print()
        print(heading(one))
        columns = (*_OFFSET_COLUMNS, *(_READER_COLUMNS if one.members else ()))
        shown = [row[: len(columns)] for row in rows[one.group]]
        tell("offsets", columns, shown, as_json=False)


def heading(one: "Description") -> str:
    """`Group orders is Stable, 2 members, range.`"""
    count = len(one.members)
    members = "no members" if not count else "1 member" if count == 1 else f"{count} members"
    protocol = f", {one.protocol}" if one.protocol else ""
    foreign = (
        f" (protocol {one.protocol_type})" if one.protocol_type not in ("", "consumer") else ""
    )
    return f"Group {one.group} is {one.state}, {members}{protocol}{foreign}."


async def _progress(client: "Client", one: "Description") -> list[Sequence[Cell]]:
    """A row per partition that is committed or read, by name."""
    from ottla.client.lookup import LATEST

    offsets = await committed(client, one.group)
    readers = one.readers
    places = sorted({*offsets, *readers})
    ends = await offsets_at(client, places, LATEST) if places else {}
    rows: list[Sequence[Cell]] = []
    for place in places:
        at = offsets[place].offset if place in offsets else None
        end, member = ends.get(place), readers.get(place)
        lag = None if at is None or end is None else max(0, end - at)
        who = (member.member_id, member.host, member.client_id) if member else (None, None, None)
        rows.append((*place, at, end, lag, *who))
    return rows


async def _delete_all(client: "Client", args: argparse.Namespace) -> int:
    deleted = []

    async def one(group: str) -> int:
        await delete(client, group)
        deleted.append(group)
        if not args.json:
            print(f"Deleted group {group}.")
        return 0

    codes = [await _explaining(group, one(group)) for group in args.groups]
    if args.json:
        tell_items("deleted", [{"group": group} for group in deleted])
    return max(codes)


async def _forget(client: "Client", args: argparse.Namespace) -> int:
    group = args.group
    forgotten: list[Place] = []
    await describe(client, group)  # a group that is not there says so itself
    places = await places_of(client, args.topics)
    codes = await forget(client, group, places)
    exit_code = 0
    for place in places:
        name = f"{place[0]}-{place[1]}"
        match codes[place]:
            case ErrorCode.NONE:
                forgotten.append(place)
                if not args.json:
                    print(f"Group {group} has no offset for {name} any more.")
                continue
            case ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC:
                reason = f"a member reads it. Stop it first, see: ottla group members {group}"
            case code:
                reason = f"{error_name(code)}."
        complain(f"The offset of group '{group}' for {name} was not deleted: {reason}")
        exit_code = FAILED
    if args.json:
        items = [{"group": group, "topic": topic, "partition": part} for topic, part in forgotten]
        tell_items("deleted_offsets", items)
    return exit_code
