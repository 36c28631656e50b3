"""kafka-client-metrics: which metrics of which clients a cluster asks for (KIP-714)."""

import argparse
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked
from ottla.cli.kafka.flags import FAILED, Flags, Refused, number, the_action
from ottla.cli.kafka.refusals import said
from ottla.errors import OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_ACTIONS: Final = ("alter", "delete", "describe", "list")
_KEYS: Final = ("interval.ms", "match", "metrics")


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.command_config()
    flags.switch("--alter", help="make or change a subscription")
    flags.switch("--delete", help="delete a subscription")
    flags.switch("--describe", help="tell subscriptions")
    flags.switch("--list", help="list their names")
    flags.value("--name", help="the subscription's")
    flags.switch("--generate-name", help="with --alter: one that nobody has")
    flags.value("--metrics", help="beginnings of names, with commas between; empty: all")
    flags.value("--interval", kind=number, help="how often, in ms")
    flags.value("--match", help="of which clients: key=regex, with commas between")


def run(args: argparse.Namespace) -> int:
    action = the_action(args, _ACTIONS)
    if action == "alter" and bool(args.name) == bool(args.generate_name):
        raise Refused(
            "One of --name or --generate-name must be specified with --alter."
            if not args.name
            else "Option --generate-name must not be specified with --name."
        )
    if action == "delete" and not args.name:
        raise Refused("A client metrics resource name must be specified with --delete.")
    work = {"alter": _alter, "delete": _delete, "describe": _describe, "list": _list}[action]
    try:
        return asked(args, lambda admin: work(admin, args))
    except OttlaError as error:
        print(f"Error while executing client metrics command : {said(error)}")
        return FAILED


async def _alter(admin: "Admin", args: argparse.Namespace) -> int:
    import os

    from ottla.types import uuid_to_text

    name = args.name or uuid_to_text(os.urandom(16))
    values = {"interval.ms": args.interval, "match": args.match, "metrics": args.metrics}
    changes = {key: str(value) for key, value in values.items() if value is not None}
    await _change(admin, name, changes)
    print(f"Altered client metrics config for {name}.")
    return 0


async def _delete(admin: "Admin", args: argparse.Namespace) -> int:
    await _change(admin, args.name, dict.fromkeys(_KEYS))
    print(f"Deleted client metrics config for {args.name}.")
    return 0


async def _change(admin: "Admin", name: str, values: "dict[str, str] | dict[str, None]") -> None:
    """None: back to the default."""
    from ottla.client.configs import (
        Change,
        Kind,
        Operation,
        Resource,
        alter_request,
        check_altered_untrusted,
    )
    from ottla.wire.message.incremental_alter_configs import IncrementalAlterConfigsResponse

    resource = Resource(Kind.CLIENT_METRICS, name)
    changes = [
        Change(key, Operation.DELETE if value is None else Operation.SET, value or "")
        for key, value in values.items()
    ]
    request = alter_request(resource, changes)
    answer = await admin.controller(request, IncrementalAlterConfigsResponse)
    check_altered_untrusted(resource, answer)


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.configs import resources
    from ottla.client.configs import Kind, Resource, describe_request, described_untrusted
    from ottla.wire.message.describe_configs import DescribeConfigsResponse

    there = sorted(await resources(admin, Kind.CLIENT_METRICS))
    if args.name and args.name not in there:
        print(
            f"The client metric resource {args.name} doesn't exist and doesn't have dynamic config."
        )
        return 0
    for name in [args.name] if args.name else there:
        resource = Resource(Kind.CLIENT_METRICS, name)
        answer = await admin.any(describe_request(resource), DescribeConfigsResponse)
        print(f"Client metrics configs for {name} are:")
        for config in described_untrusted(resource, answer):
            print(f"  {config.name}={config.value}")
    return 0


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.configs import resources
    from ottla.client.configs import Kind

    print("\n".join(sorted(await resources(admin, Kind.CLIENT_METRICS))))
    return 0
