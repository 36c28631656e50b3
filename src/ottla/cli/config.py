"""`ottla config`: describe and alter the settings of topics, brokers, groups and client metrics,
and the quotas of clients (`quota.py`).

In a terminal a table; into a pipe what Kafka's own tool prints, because scripts read it. All changes of one command
are made together or not at all.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli import quota
from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, key_value, run_with_client
from ottla.cli.setting_names import correction
from ottla.cli.tabular import Item, table, tell_items
from ottla.cli.terminal import width
from ottla.client.configs import SOURCES, Change, Config, Kind, Operation, Resource
from ottla.errors import ApiError

if TYPE_CHECKING:
    from ottla.aio.client import Client

_WRONG_USAGE: Final = 2
_HIDDEN: Final = "(hidden)"

# How Kafka's tool calls a resource.
_NOUNS: Final = {
    Kind.TOPIC: "topic",
    Kind.BROKER: "broker",
    Kind.BROKER_LOGGER: "broker-logger",
    Kind.CLIENT_METRICS: "client-metric",
    Kind.GROUP: "group",
}


_EPILOG: Final = """\
examples:
  ottla config describe --topic orders
  ottla config alter --topic orders --set retention.ms=3600000
  ottla config alter --user alice --set producer_byte_rate=1000000
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    usage = "%(prog)s WHOSE [OPTION ...]"
    describe = actions.add_parser(
        "describe", help="print what was set, and where it comes from", usage=usage
    )
    describe.add_argument("--all", action="store_true", help="print defaults too")
    alter = actions.add_parser("alter", help="change settings, effective at once", usage=usage)
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
        of = action.add_argument_group("WHOSE is one of").add_mutually_exclusive_group()
        of.add_argument("--topic", metavar="NAME")
        of.add_argument("--broker", metavar="ID", type=_broker_id)
        of.add_argument("--all-brokers", action="store_true", help="what holds for every broker")
        of.add_argument("--broker-logger", metavar="ID", type=_broker_id)
        of.add_argument("--group", metavar="NAME")
        of.add_argument("--client-metrics", metavar="NAME")
        quota.add_options(action)
        action.add_argument("--json", action="store_true", help="for programs")
        add_bootstrap(action)


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
            lambda client: _describe(client, resource, everything=args.all, as_json=args.json),
            topic=resource.name,
        )
    changes = changes_of(args)
    if not changes:
        complain("Nothing to change: give --set, --unset, --append or --subtract.")
        return _WRONG_USAGE
    return run_with_client(
        args.bootstrap_server,
        lambda client: _alter(client, resource, changes, dry_run=args.dry_run, as_json=args.json),
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


async def _describe(
    client: "Client", resource: Resource, *, everything: bool, as_json: bool = False
) -> int:
    configs = await fetch_configs(client, resource)
    if as_json:
        wanted = [one for one in configs if everything or one.source == resource.source]
        tell_items("configs", [item(resource, one) for one in wanted])
        return 0
    columns = width(sys.stdout)
    lines = (
        described(resource, configs, everything=everything)
        if columns is None
        else shown(resource, configs, columns, everything=everything)
    )
    for line in lines:
        print(line)
    return 0


def item(resource: Resource, config: Config) -> Item:
    """A setting for programs."""
    return {
        "of": _NOUNS[resource.kind],
        "name": resource.name or None,
        "key": config.name,
        "value": config.value,
        "source": SOURCES.get(config.source, str(config.source)),
        "sensitive": config.is_sensitive,
    }


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
    client: "Client",
    resource: Resource,
    changes: Sequence[Change],
    *,
    dry_run: bool,
    as_json: bool = False,
) -> int:
    noun = _NOUNS[resource.kind]
    of = f"{noun} {resource.name}" if resource.name else "all brokers"
    try:
        await change_configs(client, resource, changes, dry_run=dry_run)
    except ApiError as error:
        near = correction(error, resource.kind, [change.name for change in changes])
        complain(f"The configuration of {of} was not changed: {near or error}")
        return FAILED if near is None else _WRONG_USAGE
    if as_json:
        of_what: Item = {"of": noun, "name": resource.name or None, "dry_run": dry_run}
        tell_items("altered", [{**of_what, "key": one.name, "value": one.value} for one in changes])
    elif dry_run:
        print(f"The configuration of {of} may be changed so.")
    elif resource.name:
        print(f"Completed updating config for {of}.")
    else:
        print("Completed updating default config for brokers in the cluster.")
    return 0


def shown(
    resource: Resource, configs: Sequence[Config], columns: int, *, everything: bool
) -> Iterator[str]:
    """The lines for a terminal."""
    of = f"{_NOUNS[resource.kind]} {resource.name}" if resource.name else "all brokers"
    rows = [
        (one.name, _HIDDEN if one.is_sensitive else _shown(one.value), SOURCES.get(one.source))
        for one in configs
        if everything or one.source == resource.source
    ]
    if not rows:
        yield f"Nothing is set for {of}. (--all shows the defaults.)"
        return
    yield from table(("KEY", "VALUE", "FROM"), rows, columns)


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
