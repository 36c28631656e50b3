"""`ottla config`: describe and alter the settings of topics, brokers, groups and client metrics,
and the quotas of clients (`quota.py`).

What it prints is what Kafka's own tool prints, because scripts read it. All changes of one command
are made together or not at all.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli import quota
from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, run_with_client
from ottla.client.configs import SOURCES, Change, Config, Kind, Operation, Resource
from ottla.errors import ApiError

if TYPE_CHECKING:
    from ottla.aio.client import Client

_WRONG_USAGE: Final = 2

# How Kafka's tool calls a resource.
_NOUNS: Final = {
    Kind.TOPIC: "topic",
    Kind.BROKER: "broker",
    Kind.BROKER_LOGGER: "broker-logger",
    Kind.CLIENT_METRICS: "client-metric",
    Kind.GROUP: "group",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    describe = actions.add_parser("describe", help="print what was set, and where it comes from")
    describe.add_argument("--all", action="store_true", help="print defaults too")
    alter = actions.add_parser("alter", help="change settings, effective at once")
    for option, metavar, text in (
        ("--set", "KEY=VALUE", "give it this value"),
        ("--unset", "KEY", "take back what was set"),
        ("--append", "KEY=VALUE", "add to a list"),
        ("--subtract", "KEY=VALUE", "take out of a list"),
    ):
        alter.add_argument(
            option,
            action="append",
            default=[],
            type=_key if option == "--unset" else key_value,
            metavar=metavar,
            help=f"{text}; may be given several times",
        )
    alter.add_argument("--dry-run", action="store_true", help="check, and change nothing")
    for action in (describe, alter):
        of = action.add_mutually_exclusive_group()
        of.add_argument("--topic", metavar="NAME")
        of.add_argument("--broker", metavar="ID", type=_broker_id)
        of.add_argument("--all-brokers", action="store_true", help="what holds for every broker")
        of.add_argument("--broker-logger", metavar="ID", type=_broker_id)
        of.add_argument("--group", metavar="NAME")
        of.add_argument("--client-metrics", metavar="NAME")
        quota.add_options(action)
        add_bootstrap(action)


def key_value(text: str) -> tuple[str, str]:
    """`retention.ms=60000`, for argparse."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: KEY=VALUE is expected")
    return name.strip(), value


def _key(text: str) -> str:
    if not text.strip() or "=" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: a KEY without a value is expected")
    return text.strip()


def _broker_id(text: str) -> str:
    if not (text.isascii() and text.isdigit() and int(text[:11]) < 2**31):
        raise argparse.ArgumentTypeError(f"{text!r} is no broker's id")
    return str(int(text))


def run(args: argparse.Namespace) -> int:
    entity = quota.entity_of(args)
    if bool(entity) == _is_of_resource(args):
        complain(
            "Give one of --topic, --broker, --all-brokers, --broker-logger, --group, --client-metrics, "
            "or whose quotas: --user, --client-id, --ip and their defaults."
        )
        return _WRONG_USAGE
    if entity:
        return quota.run(args, entity)
    resource = resource_of(args)
    if args.action == "describe":
        return run_with_client(
            args.bootstrap_server,
            lambda client: _describe(client, resource, everything=args.all),
            topic=resource.name,
        )
    changes = changes_of(args)
    if not changes:
        complain("Nothing to change: give --set, --unset, --append or --subtract.")
        return _WRONG_USAGE
    return run_with_client(
        args.bootstrap_server,
        lambda client: _alter(client, resource, changes, dry_run=args.dry_run),
        topic=resource.name,
    )


def _is_of_resource(args: argparse.Namespace) -> bool:
    named = (args.topic, args.broker, args.broker_logger, args.group, args.client_metrics)
    return args.all_brokers or any(name is not None for name in named)


def resource_of(args: argparse.Namespace) -> Resource:
    for kind, name in (
        (Kind.TOPIC, args.topic),
        (Kind.BROKER, args.broker),
        (Kind.BROKER_LOGGER, args.broker_logger),
        (Kind.GROUP, args.group),
        (Kind.CLIENT_METRICS, args.client_metrics),
    ):
        if name is not None:
            return Resource(kind, name)
    return Resource(Kind.BROKER, "")


def changes_of(args: argparse.Namespace) -> list[Change]:
    return [
        *(Change(name, Operation.SET, value) for name, value in args.set),
        *(Change(name, Operation.DELETE, None) for name in args.unset),
        *(Change(name, Operation.APPEND, value) for name, value in args.append),
        *(Change(name, Operation.SUBTRACT, value) for name, value in args.subtract),
    ]


async def _describe(client: "Client", resource: Resource, *, everything: bool) -> int:
    configs = await fetch_configs(client, resource)
    for line in described(resource, configs, everything=everything):
        print(line)
    return 0


async def fetch_configs(client: "Client", resource: Resource) -> list[Config]:
    from ottla.client.configs import describe_request, described_untrusted
    from ottla.wire.api import DESCRIBE_CONFIGS
    from ottla.wire.message.describe_configs import DescribeConfigsResponse

    request = describe_request(resource)
    if _is_of_one_broker(resource):
        await client.refresh(())
        response = await client.ask(int(resource.name), DESCRIBE_CONFIGS, request)
    else:
        response = await client.ask_any(DESCRIBE_CONFIGS, request)
    assert isinstance(response, DescribeConfigsResponse)
    return described_untrusted(resource, response)


async def change_configs(
    client: "Client", resource: Resource, changes: Sequence[Change], *, dry_run: bool = False
) -> None:
    """Raises ApiError if nothing was changed."""
    from ottla.client.configs import alter_request, check_altered_untrusted
    from ottla.wire.api import INCREMENTAL_ALTER_CONFIGS
    from ottla.wire.message.incremental_alter_configs import IncrementalAlterConfigsResponse

    request = alter_request(resource, changes, validate_only=dry_run)
    if _is_of_one_broker(resource):
        await client.refresh(())
        response = await client.ask(int(resource.name), INCREMENTAL_ALTER_CONFIGS, request)
    else:
        response = await client.ask_controller(INCREMENTAL_ALTER_CONFIGS, request)
    assert isinstance(response, IncrementalAlterConfigsResponse)
    check_altered_untrusted(resource, response)


def _is_of_one_broker(resource: Resource) -> bool:
    return resource.kind in (Kind.BROKER, Kind.BROKER_LOGGER) and bool(resource.name)


async def _alter(
    client: "Client", resource: Resource, changes: Sequence[Change], *, dry_run: bool
) -> int:
    noun = _NOUNS[resource.kind]
    of = f"{noun} {resource.name}" if resource.name else "all brokers"
    try:
        await change_configs(client, resource, changes, dry_run=dry_run)
    except ApiError as error:
        complain(f"The configuration of {of} was not changed: {error}")
        return FAILED
    if dry_run:
        print(f"The configuration of {of} may be changed so.")
    elif resource.name:
        print(f"Completed updating config for {of}.")
    else:
        print("Completed updating default config for brokers in the cluster.")
    return 0


def described(resource: Resource, configs: Sequence[Config], *, everything: bool) -> Iterator[str]:
    """The lines Kafka's tool prints for a resource."""
    which = "All" if everything else "Dynamic"
    if resource.name:
        yield f"{which} configs for {_NOUNS[resource.kind]} {resource.name} are:"
    else:
        yield "Default configs for brokers in the cluster are:"
    for config in configs:
        if everything or config.source == resource.source:
            synonyms = ", ".join(
                f"{SOURCES.get(source, source)}:{name}={_shown(value)}"
                for name, value, source in config.synonyms
            )
            sensitive = "true" if config.is_sensitive else "false"
            yield f"  {config.name}={_shown(config.value)} sensitive={sensitive} synonyms={{{synonyms}}}"


def _shown(value: str | None) -> str:
    return "null" if value is None else value
