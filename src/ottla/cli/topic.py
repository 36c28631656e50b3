"""`ottla topic`: create, list, describe, alter, delete topics, and what else is done to whole topics.

Elsewhere: `topic_describe.py`, `topic_records.py` (trim), `topic_copy.py`, `topic_watch.py`, `offsets.py`;
settings with where they come from, and all there is to do with them, see `config.py`.
"""

import argparse
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final

from ottla.cli import offsets, topic_copy, topic_records, topic_watch
from ottla.cli.bootstrap import (
    FAILED,
    add_bootstrap,
    complain,
    key_value,
    run_with_client,
    whole_number,
)
from ottla.cli.tabular import tell, tell_items
from ottla.errors import ApiError, ErrorCode, LocalProtocolError

if TYPE_CHECKING:
    from ottla.aio.client import Client

_TIMEOUT_MS: Final = 30_000
_ATTEMPTS_MAX: Final = 10
_PARTITIONS_MAX: Final = 2**31 - 1
_REPLICAS_MAX: Final = 2**15 - 1

_WRONG_USAGE: Final = 2
_UNKNOWN: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

_EPILOG: Final = """\
examples:
  ottla topic create orders --partitions 3
  ottla topic describe orders
  ottla topic alter orders --config retention.ms=3600000
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    create = actions.add_parser("create", help="make a topic")
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "--partitions",
        type=whole_number(1, _PARTITIONS_MAX),
        metavar="N",
        help="how many (else the broker's num.partitions)",
    )
    create.add_argument(
        "--replication-factor",
        type=whole_number(1, _REPLICAS_MAX),
        metavar="N",
        help="copies of each partition (else the broker's default.replication.factor)",
    )
    create.add_argument(
        "--config",
        action="append",
        default=[],
        type=key_value,
        metavar="KEY=VALUE",
        help="a topic setting, such as retention.ms=60000; may be given several times",
    )
    create.add_argument(
        "--if-not-exists", action="store_true", help="a topic that is there already is fine"
    )

    listing = actions.add_parser("list", aliases=["ls"], help="print the names of all topics")

    describe = actions.add_parser("describe", help="print partitions, leaders and settings")
    describe.add_argument("names", nargs="*", metavar="NAME", help="which topics (else all)")

    where = actions.add_parser(
        "offsets", help="print where the records of partitions begin and end"
    )
    offsets.add_options(where)
    trim = actions.add_parser("trim", help="delete the oldest records")
    topic_records.add_arguments(trim)
    copy = actions.add_parser("copy", help="copy all records of a topic to another one")
    topic_copy.add_arguments(copy)
    watch = actions.add_parser("watch", help="look at what comes in, until Ctrl-C")
    topic_watch.add_arguments(watch)

    alter = actions.add_parser("alter", help="add partitions, change settings")
    _add_alter_arguments(alter)

    delete = actions.add_parser("delete", help="delete topics and all their records")
    delete.add_argument("names", nargs="+", metavar="NAME")
    delete.add_argument("--if-exists", action="store_true", help="a topic that is gone is fine")

    for action in (create, listing, describe, where, trim, copy, watch, alter, delete):
        add_bootstrap(action)
    for action in (create, listing, describe, where, trim, alter, delete):
        action.add_argument("--json", action="store_true", help="for programs")


def _add_alter_arguments(alter: argparse.ArgumentParser) -> None:
    alter.add_argument("name", metavar="NAME")
    alter.add_argument(
        "--partitions",
        type=whole_number(1, _PARTITIONS_MAX),
        metavar="N",
        help="how many there shall be in all; never fewer than there are",
    )
    alter.add_argument(
        "--config",
        action="append",
        default=[],
        type=key_value,
        metavar="KEY=VALUE",
        help="a topic setting, effective at once; may be given several times",
    )
    alter.add_argument(
        "--unset",
        action="append",
        default=[],
        metavar="KEY",
        help="take a topic setting back; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    name = getattr(args, "name", None) or getattr(args, "target", None) or "NAME"
    return run_with_client(args.bootstrap_server, lambda client: do(client, args), topic=name)


async def do(client: "Client", args: argparse.Namespace) -> int:
    """What the arguments ask for; the exit code."""
    match args.action:
        case "create":
            return await _create(client, args)
        case "list" | "ls":
            return await _list(client, as_json=args.json)
        case "describe":
            from ottla.cli.topic_describe import describe

            return await describe(client, list(args.names), as_json=args.json)
        case "offsets":
            return await offsets.show(client, args)
        case "trim":
            return await topic_records.trim(client, args)
        case "copy":
            return await topic_copy.copy(client, args)
        case "watch":
            return await topic_watch.watch(client, args)
        case "alter":
            return await _alter(client, args)
        case "delete":
            return await _delete(client, args)
    raise AssertionError("argparse lets no other action through")


async def _create(client: "Client", args: argparse.Namespace) -> int:
    from ottla.client.admin import BROKER_DEFAULT, NewTopic, check_created_untrusted, create_request
    from ottla.wire.api import CREATE_TOPICS
    from ottla.wire.message.create_topics import CreateTopicsResponse

    topic = NewTopic(
        name=args.name,
        partition_count=args.partitions or BROKER_DEFAULT,
        replication_factor=args.replication_factor or BROKER_DEFAULT,
        configs=dict(args.config),
    )

    async def attempt() -> None:
        response = await client.ask_controller(CREATE_TOPICS, create_request(topic, _TIMEOUT_MS))
        assert isinstance(response, CreateTopicsResponse)
        check_created_untrusted(topic.name, response)

    try:
        await _with_retries(client, attempt)
    except LocalProtocolError as error:
        complain(f"Topic '{topic.name}' was not created: {error}.")
        return FAILED
    except ApiError as error:
        if error.code == ErrorCode.TOPIC_ALREADY_EXISTS:
            if args.if_not_exists:
                return 0
            complain(f"Topic '{topic.name}' already exists. (--if-not-exists makes that fine.)")
        else:
            from ottla.cli.setting_names import correction
            from ottla.client.configs import Kind

            near = correction(error, Kind.TOPIC, topic.configs)
            complain(f"Topic '{topic.name}' was not created: {near or error}")
            return FAILED if near is None else _WRONG_USAGE
        return FAILED
    if args.json:
        tell_items("created", [{"name": topic.name}])
    else:
        print(f"Created topic {topic.name}.")
    return 0


async def _alter(client: "Client", args: argparse.Namespace) -> int:
    """Settings first: a refused one leaves the topic as it was."""
    from ottla.cli.config import change_configs
    from ottla.client.configs import Change, Kind, Operation, Resource

    changes = [
        *(Change(name, Operation.SET, value) for name, value in args.config),
        *(Change(name, Operation.DELETE, None) for name in args.unset),
    ]
    if not changes and args.partitions is None:
        complain("Nothing to change: give --partitions, --config or --unset.")
        return _WRONG_USAGE
    name = args.name
    try:
        if changes:
            await change_configs(client, Resource(Kind.TOPIC, name), changes)
            if not args.json:
                print(f"Completed updating config for topic {name}.")
        if args.partitions is not None:
            await _grow(client, name, args.partitions)
            if not args.json:
                print(f"Topic {name} has {args.partitions} partitions.")
    except ApiError as error:
        if error.code == _UNKNOWN:
            complain(f"Topic '{name}' does not exist. See: ottla topic list")
        else:
            from ottla.cli.setting_names import correction

            near = correction(error, Kind.TOPIC, [change.name for change in changes])
            complain(f"Topic '{name}' was not altered: {near or error}")
            return FAILED if near is None else _WRONG_USAGE
        return FAILED
    if args.json:
        changed = [change.name for change in changes]
        tell_items("altered", [{"name": name, "partitions": args.partitions, "configs": changed}])
    return 0


async def _grow(client: "Client", name: str, partition_count: int) -> None:
    from ottla.client.admin import check_grown_untrusted, grow_request
    from ottla.wire.api import CREATE_PARTITIONS
    from ottla.wire.message.create_partitions import CreatePartitionsResponse

    request = grow_request(name, partition_count, _TIMEOUT_MS)
    response = await client.ask_controller(CREATE_PARTITIONS, request)
    assert isinstance(response, CreatePartitionsResponse)
    check_grown_untrusted(name, response)


async def _list(client: "Client", *, as_json: bool) -> int:
    topics = sorted((await client.refresh(None)).topics.items())
    if as_json:
        cells = [(name, len(one.partitions), one.is_internal) for name, one in topics]
        tell("topics", ("NAME", "PARTITIONS", "INTERNAL"), cells, as_json=True)
        return 0
    for name, _ in topics:
        print(name)
    return 0


async def _delete(client: "Client", args: argparse.Namespace) -> int:
    """Delete one after the other, so that each name gets its own answer."""
    from ottla.client.admin import DELETE_BY_NAME_MAX, check_deleted_untrusted, delete_request
    from ottla.wire.api import DELETE_TOPICS
    from ottla.wire.message.delete_topics import DeleteTopicsResponse

    exit_code = 0
    deleted = []
    for name in args.names:

        async def attempt(name: str = name) -> None:
            request = delete_request(name, _TIMEOUT_MS)
            response = await client.ask_controller(
                DELETE_TOPICS, request, version_max=DELETE_BY_NAME_MAX
            )
            assert isinstance(response, DeleteTopicsResponse)
            check_deleted_untrusted(name, response)

        try:
            await _with_retries(client, attempt)
        except ApiError as error:
            if error.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                if args.if_exists:
                    continue
                complain(f"Topic '{name}' does not exist. (--if-exists makes that fine.)")
            else:
                complain(f"Topic '{name}' was not deleted: {error}")
            exit_code = FAILED
        else:
            deleted.append(name)
            if not args.json:
                print(f"Deleted topic {name}.")
    if args.json:
        tell_items("deleted", [{"name": name} for name in deleted])
    return exit_code


async def _with_retries(
    client: "Client", attempt: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Whatever may pass is tried again, but a topic that is unknown is simply not there."""
    for failures in range(1, _ATTEMPTS_MAX):
        try:
            return await attempt()
        except ApiError as error:
            if not error.retriable or error.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise
            await client.pause(failures)
    return await attempt()
