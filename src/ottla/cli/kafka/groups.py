"""kafka-groups: groups of all kinds listed, with their types and protocols."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked
from ottla.cli.kafka.flags import FAILED, Flags, Refused, refuse_together, the_action
from ottla.cli.kafka.refusals import said
from ottla.errors import OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.list_groups import ListedGroup

_TYPES: Final = ("classic", "consumer", "share", "streams")
_KINDS: Final = ("consumer", "share", "streams")
_WIDTH: Final = 20


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.command_config()
    flags.switch("--list", help="list the groups")
    flags.value("--group-type", help="only of this type: " + ", ".join(_TYPES))
    flags.value("--protocol", help="only of this protocol")
    flags.switch("--consumer", help="only consumers' groups, of either protocol")
    flags.switch("--share", help="only share groups")
    flags.switch("--streams", help="only streams groups")


def run(args: argparse.Namespace) -> int:
    the_action(args, ("list",))
    for kind in _KINDS:
        refuse_together(args, kind, ("group-type", "protocol", *_KINDS))
    if args.group_type is not None and args.group_type.lower() not in _TYPES:
        raise Refused("--group-type must be a valid group type.")
    try:
        return asked(args, lambda admin: _list(admin, args))
    except OttlaError as error:
        print(f"Error while executing groups command : {said(error)}")
        return FAILED


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.group_facts import listed

    for line in lines([one for one in await listed(admin) if _is_wanted(one, args)]):
        print(line)
    return 0


def _is_wanted(group: "ListedGroup", args: argparse.Namespace) -> bool:
    kind = group.group_type.lower()
    if args.consumer:
        return kind == "consumer" or (
            kind in ("classic", "") and group.protocol_type in ("consumer", "")
        )
    if args.share or args.streams:
        return kind == ("share" if args.share else "streams")
    return (args.group_type is None or kind == args.group_type.lower()) and (
        args.protocol is None or group.protocol_type == args.protocol
    )


def lines(groups: "Sequence[ListedGroup]") -> Iterator[str]:
    width = max((len(group.group_id) for group in groups), default=0)
    yield _row(("GROUP", "TYPE", "PROTOCOL"), width)
    for group in groups:
        kind = group.group_type.capitalize() or "Unknown"
        yield _row((group.group_id, kind, group.protocol_type), width) + " "


def _row(cells: Iterable[str], width: int) -> str:
    first, *rest = cells
    return " ".join([first.ljust(max(width, _WIDTH)), *(cell.ljust(_WIDTH) for cell in rest)])
