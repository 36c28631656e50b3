"""`ottla config` for quotas: of a user, a client id, both together, or an IP address.

In a pipe it prints what Kafka's own tool prints, because scripts read it.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, complain, run_with_client
from ottla.cli.tabular import Item, tell, tell_items
from ottla.cli.terminal import width
from ottla.client.quotas import CLIENT_ID, IP, USER, Entity
from ottla.errors import ApiError

if TYPE_CHECKING:
    from ottla.aio.client import Client

_WRONG_USAGE: Final = 2
_NOUNS: Final = {USER: "user-principal", CLIENT_ID: "client-id", IP: "ip"}


def add_options(action: argparse.ArgumentParser) -> None:
    """The options that make a command one about quotas."""
    of = action.add_argument_group("or, for quotas (a user and a client id may go together)")
    for option, defaults, metavar in (
        ("--user", "--user-defaults", "NAME"),
        ("--client-id", "--client-defaults", "NAME"),
        ("--ip", "--ip-defaults", "ADDRESS"),
    ):
        one = of.add_mutually_exclusive_group()
        one.add_argument(option, type=_name, metavar=metavar)
        one.add_argument(defaults, action="store_true", help="what holds where no other is set")


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("a name is expected; all others have --...-defaults")
    return text


def entity_of(args: argparse.Namespace) -> Entity:
    """Whose quotas the command is about; empty: it is not about quotas."""
    entity: dict[str, str | None] = {}
    for kind, name, is_default in (
        (USER, args.user, args.user_defaults),
        (CLIENT_ID, args.client_id, args.client_defaults),
        (IP, args.ip, args.ip_defaults),
    ):
        if name is not None or is_default:
            entity[kind] = name
    return entity


def run(args: argparse.Namespace, entity: Entity) -> int:
    if args.action == "describe":
        return run_with_client(
            args.bootstrap_server, lambda client: describe(client, entity, as_json=args.json)
        )
    if args.append or args.subtract:
        complain("A quota is a number: give --set or --unset.")
        return _WRONG_USAGE
    changes: dict[str, float | None] = dict.fromkeys(args.unset)
    for key, text in args.set:
        try:
            changes[key] = float(text)
        except ValueError:
            complain(f"{key}={text}: a number is expected.")
            return _WRONG_USAGE
    if not changes:
        complain("Nothing to change: give --set or --unset.")
        return _WRONG_USAGE
    return run_with_client(
        args.bootstrap_server,
        lambda client: alter(client, entity, changes, dry_run=args.dry_run, as_json=args.json),
    )


async def describe(client: "Client", entity: Entity, *, as_json: bool = False) -> int:
    from ottla.client.quotas import describe_request, described_untrusted
    from ottla.wire.api import DESCRIBE_CLIENT_QUOTAS
    from ottla.wire.message.describe_client_quotas import DescribeClientQuotasResponse

    response = await client.ask_any(DESCRIBE_CLIENT_QUOTAS, describe_request(entity))
    assert isinstance(response, DescribeClientQuotasResponse)
    found = described_untrusted(entity, response)
    if as_json:
        items = [{"of": dict(entity), "key": key, "value": value} for key, value in found.items()]
        tell_items("quotas", items)
    elif width(sys.stdout) is not None:
        if not found:
            print(f"Nothing is set for {_told(entity)}.")
        tell(
            "quotas", ("KEY", "VALUE"), [(k, f"{v:.15g}") for k, v in found.items()], as_json=False
        )
    elif found:
        values = ", ".join(f"{key}={value}" for key, value in found.items())
        print(f"Quota configs for {_told(entity)} are {values}")
    return 0


async def alter(
    client: "Client",
    entity: Entity,
    changes: Mapping[str, float | None],
    *,
    dry_run: bool,
    as_json: bool = False,
) -> int:
    from ottla.client.quotas import alter_request, check_altered_untrusted
    from ottla.wire.api import ALTER_CLIENT_QUOTAS
    from ottla.wire.message.alter_client_quotas import AlterClientQuotasResponse

    request = alter_request(entity, changes, validate_only=dry_run)
    response = await client.ask_controller(ALTER_CLIENT_QUOTAS, request)
    assert isinstance(response, AlterClientQuotasResponse)
    try:
        check_altered_untrusted(entity, response)
    except ApiError as error:
        complain(f"The quotas of {_told(entity)} were not changed: {error}")
        return FAILED
    if as_json:
        of_what: Item = {"of": dict(entity), "dry_run": dry_run}
        tell_items("altered", [{**of_what, "key": k, "value": v} for k, v in changes.items()])
    elif dry_run:
        print(f"The quotas of {_told(entity)} may be changed so.")
    else:
        print(f"Completed updating config for {_told(entity)}.")
    return 0


def _told(entity: Entity) -> str:
    return ", ".join(
        f"the default {_NOUNS[kind]}" if name is None else f"{_NOUNS[kind]} '{name}'"
        for kind, name in entity.items()
    )
