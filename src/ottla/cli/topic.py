"""`ottla topic`: create, list, describe, alter and delete topics.

What it prints is what Kafka's own tool prints, tabs included, because scripts read it.

Elsewhere: `offsets` and `trim` in `topic_records.py`; settings with where they come from, and all there is to do with them, see `config.py`.
"""

import argparse
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli import topic_records
from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, run_with_client, whole_number
from ottla.cli.config import change_configs, key_value
from ottla.cli.tabular import Item, tell, tell_items
from ottla.client.configs import Change, Kind, Operation, Resource
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError, error_name
from ottla.types import NO_LEADER, uuid_to_text

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.metadata import TopicView

_TIMEOUT_MS: Final = 30_000
_ATTEMPTS_MAX: Final = 10
_PAGES_MAX: Final = 10_000
_PARTITIONS_MAX: Final = 2**31 - 1
_REPLICAS_MAX: Final = 2**15 - 1

_WRONG_USAGE: Final = 2
_UNKNOWN: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

Eligible = Mapping[tuple[str, int], tuple[Sequence[int], Sequence[int]]]
"""By topic and partition: the replicas eligible to lead, and those last known to be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
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

    offsets = actions.add_parser("offsets", help="print the first and the end offset of partitions")
    trim = actions.add_parser("trim", help="delete the oldest records")
    topic_records.add_arguments(offsets, trim)

    alter = actions.add_parser("alter", help="add partitions, change settings")
    _add_alter_arguments(alter)

    delete = actions.add_parser("delete", help="delete topics and all their records")
    delete.add_argument("names", nargs="+", metavar="NAME")
    delete.add_argument("--if-exists", action="store_true", help="a topic that is gone is fine")

    for action in (create, listing, describe, offsets, trim, alter, delete):
        add_bootstrap(action)
    for action in (listing, describe, offsets):
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
    async def work(client: "Client") -> int:
        match args.action:
            case "create":
                return await _create(client, args)
            case "list" | "ls":
                return await _list(client, as_json=args.json)
            case "describe":
                return await _describe(client, list(args.names), as_json=args.json)
            case "offsets":
                return await topic_records.offsets(client, args)
            case "trim":
                return await topic_records.trim(client, args)
            case "alter":
                return await _alter(client, args)
            case "delete":
                return await _delete(client, list(args.names), if_exists=args.if_exists)
        raise AssertionError("argparse lets no other action through")

    return run_with_client(args.bootstrap_server, work)


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
            complain(f"Topic '{topic.name}' was not created: {error}")
        return FAILED
    print(f"Created topic {topic.name}.")
    return 0


async def _alter(client: "Client", args: argparse.Namespace) -> int:
    """Settings first: a refused one leaves the topic as it was."""
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
            print(f"Completed updating config for topic {name}.")
        if args.partitions is not None:
            await _grow(client, name, args.partitions)
            print(f"Topic {name} has {args.partitions} partitions.")
    except ApiError as error:
        if error.code == _UNKNOWN:
            complain(f"Topic '{name}' does not exist. See: ottla topic list")
        else:
            complain(f"Topic '{name}' was not altered: {error}")
        return FAILED
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


async def _delete(client: "Client", names: list[str], *, if_exists: bool) -> int:
    """Delete one after the other, so that each name gets its own answer."""
    from ottla.client.admin import check_deleted_untrusted, delete_request
    from ottla.wire.api import DELETE_TOPICS
    from ottla.wire.message.delete_topics import DeleteTopicsResponse

    exit_code = 0
    for name in names:

        async def attempt(name: str = name) -> None:
            request = delete_request(name, _TIMEOUT_MS)
            response = await client.ask_controller(DELETE_TOPICS, request)
            assert isinstance(response, DeleteTopicsResponse)
            check_deleted_untrusted(name, response)

        try:
            await _with_retries(client, attempt)
        except ApiError as error:
            if error.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                if if_exists:
                    continue
                complain(f"Topic '{name}' does not exist. (--if-exists makes that fine.)")
            else:
                complain(f"Topic '{name}' was not deleted: {error}")
            exit_code = FAILED
        else:
            print(f"Deleted topic {name}.")
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


async def _describe(client: "Client", names: list[str], *, as_json: bool) -> int:
    cluster = await client.refresh(names or None)
    exit_code = 0
    present = []
    for name in names or sorted(cluster.topics):
        code = cluster.topics[name].error_code if name in cluster.topics else _UNKNOWN
        if code == ErrorCode.NONE:
            present.append(name)
        elif code == _UNKNOWN:
            complain(f"Topic '{name}' does not exist. See: ottla topic list")
            exit_code = FAILED
        else:
            complain(f"Topic '{name}' cannot be described: {error_name(code)}.")
            exit_code = FAILED
    if not present:
        return exit_code
    configs = await _overrides(client, present)
    if as_json:
        tell_items(
            "topics", [item(cluster.topics[name], configs.get(name, ())) for name in present]
        )
        return exit_code
    eligible = await _eligible(client, present)
    for name in present:
        for line in described(cluster.topics[name], configs.get(name, ()), eligible):
            print(line)
    return exit_code


def item(topic: "TopicView", configs: Sequence[tuple[str, str]]) -> Item:
    """A topic for programs."""
    return {
        "name": topic.name,
        "id": uuid_to_text(topic.topic_id),
        "internal": topic.is_internal,
        "configs": dict(configs),
        "partitions": [
            {
                "partition": part.partition,
                "leader": None if part.leader_id == NO_LEADER else part.leader_id,
                "leader_epoch": part.leader_epoch,
                "replicas": list(part.replicas),
                "isr": list(part.isr),
            }
            for part in topic.partitions
        ],
    }


async def _overrides(
    client: "Client", names: Sequence[str]
) -> Mapping[str, Sequence[tuple[str, str]]]:
    from ottla.client.admin import configs_request, overrides_untrusted
    from ottla.wire.api import DESCRIBE_CONFIGS
    from ottla.wire.message.describe_configs import DescribeConfigsResponse

    response = await client.ask_any(DESCRIBE_CONFIGS, configs_request(names))
    assert isinstance(response, DescribeConfigsResponse)
    return overrides_untrusted(response)


async def _eligible(client: "Client", names: Sequence[str]) -> Eligible | None:
    """By topic and partition; None: the broker is too old to tell (before KIP-966)."""
    from ottla.wire.api import DESCRIBE_TOPIC_PARTITIONS
    from ottla.wire.message.describe_topic_partitions import (
        Cursor,
        DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsResponse,
        TopicRequest,
    )

    if not await client.speaks(DESCRIBE_TOPIC_PARTITIONS):
        return None
    found: dict[tuple[str, int], tuple[Sequence[int], Sequence[int]]] = {}
    request = DescribeTopicPartitionsRequest(topics=[TopicRequest(name) for name in sorted(names)])
    for _ in range(_PAGES_MAX):
        response = await client.ask_any(DESCRIBE_TOPIC_PARTITIONS, request)
        assert isinstance(response, DescribeTopicPartitionsResponse)
        for topic in response.topics:
            for part in topic.partitions:
                at = (topic.name or "", part.partition_index)
                found[at] = (part.eligible_leader_replicas or (), part.last_known_elr or ())
        if response.next_cursor is None:
            return found
        cursor = Cursor(response.next_cursor.topic_name, response.next_cursor.partition_index)
        request = DescribeTopicPartitionsRequest(topics=request.topics, cursor=cursor)
    raise RemoteProtocolError(f"the broker describes topics on more than {_PAGES_MAX:,} pages")


def described(
    topic: "TopicView", configs: Sequence[tuple[str, str]], eligible: Eligible | None
) -> Iterator[str]:
    """The lines Kafka's tool prints for a topic."""
    replication_factor = len(topic.partitions[0].replicas) if topic.partitions else 0
    settings = ",".join(f"{name}={value}" for name, value in configs)
    yield (
        f"Topic: {topic.name}\tTopicId: {uuid_to_text(topic.topic_id)}\t"
        f"PartitionCount: {len(topic.partitions)}\tReplicationFactor: {replication_factor}\t"
        f"Configs: {settings}"
    )
    for part in topic.partitions:
        if eligible is None:
            elr = last_known = "N/A"
        else:
            elr, last_known = map(_ids, eligible.get((topic.name, part.partition), ((), ())))
        leader = "none" if part.leader_id == NO_LEADER else part.leader_id
        yield (
            f"\tTopic: {topic.name}\tPartition: {part.partition}\tLeader: {leader}\t"
            f"Replicas: {_ids(part.replicas)}\tIsr: {_ids(part.isr)}\t"
            f"Elr: {elr}\tLastKnownElr: {last_known}"
        )


def _ids(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))
