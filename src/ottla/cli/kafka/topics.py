"""kafka-topics: topics listed, created, described, grown and deleted.

Failures are said on stdout, as scripts expect them: `Error while executing topic command : ...`. How a
description looks: `topic_text.py`.
"""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import (
    FAILED,
    Flags,
    Refused,
    is_said,
    number,
    refuse_together,
    the_action,
)
from ottla.cli.kafka.refusals import said
from ottla.cli.kafka.topic_names import chosen
from ottla.errors import ErrorCode, LocalProtocolError, OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.cli.kafka.topic_text import Changing, Configs, Described

_ACTIONS: Final = ("list", "describe", "create", "alter", "delete")
_FILTERS: Final = (
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
)
_TO_CONFIGS: Final = " (To alter topic configurations, the kafka-configs tool can be used.)"
_TOPIC: Final = 2
_REPLICATION_MAX: Final = 32_767
_PARTITIONS_PER_ANSWER: Final = "2000"
_TIMEOUT_MS: Final = 30_000
_DELETE_WITH_STRUCTS: Final = 6
"""From this version on DeleteTopics has structs, before it names."""


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.zookeeper()
    flags.command_config()
    flags.switch("--list", help="list all topics")
    flags.switch("--create", help="create a topic")
    flags.switch("--delete", help="delete topics")
    flags.switch("--alter", help="give topics more partitions")
    flags.switch("--describe", help="tell topics and their partitions")
    flags.value("--topic", help="a name; except with --create, a regular expression")
    flags.value("--topic-id", help="the id of the topic to describe")
    flags.value("--config", repeated=True, help="name=value of the topic that is created")
    flags.value("--delete-config", repeated=True, help="does nothing any more")
    flags.value("--partitions", kind=number, help="how many; else the broker's default")
    flags.value("--replication-factor", kind=number, help="how many replicas of each partition")
    flags.value(
        "--replica-assignment", help="broker ids: `:` between replicas, `,` between partitions"
    )
    for name in _FILTERS:
        flags.switch(f"--{name}", help="describe only such partitions")
    flags.switch("--topics-with-overrides", help="describe only topics with configurations")
    flags.switch("--if-exists", help="with --alter, --delete, --describe: only if it exists")
    flags.switch("--if-not-exists", help="with --create: only if it does not exist")
    flags.switch("--exclude-internal", help="with --list, --describe: without internal topics")
    flags.value(
        "--partition-size-limit-per-response",
        default=_PARTITIONS_PER_ANSWER,
        kind=number,
        help="how many partitions are described in one answer",
    )


def run(args: argparse.Namespace) -> int:
    action = the_action(args, _ACTIONS)
    if args.delete_config:
        from sys import stderr

        print("delete-config has no effect any more", file=stderr)
    _refuse_misfits(args, action)
    work = {
        "list": _list,
        "describe": _describe,
        "create": _create,
        "alter": _alter,
        "delete": _delete,
    }[action]
    try:
        return asked(args, lambda admin: work(admin, args))
    except OttlaError as error:
        print(f"Error while executing topic command : {said(error)}")
        return FAILED


def _refuse_misfits(args: argparse.Namespace, action: str) -> None:
    if action not in ("list", "describe") and not is_said(args, "topic"):
        raise Refused('Missing required argument "[topic]"')
    if action == "alter":
        if args.config:
            raise Refused(
                'Option combination "[[config], [bootstrap-server]]" can\'t be used with option '
                f'"[alter]"{_TO_CONFIGS}'
            )
        if args.partitions is None:
            raise Refused('Missing required argument "[partitions]"')
    if action == "describe" and args.if_exists and not (args.topic or args.topic_id):
        raise Refused("--topic or --topic-id is required to describe a topic")
    for name, actions in (
        ("config", ("create", "alter")),
        ("partitions", ("create", "alter")),
        ("replication-factor", ("create",)),
        ("replica-assignment", ("create", "alter")),
        *((one, ("describe",)) for one in (*_FILTERS, "topics-with-overrides")),
        ("if-exists", ("alter", "delete", "describe")),
        ("if-not-exists", ("create",)),
        ("exclude-internal", ("list", "describe")),
    ):
        refuse_together(args, name, [one for one in _ACTIONS if one not in actions])
    if action == "create":
        refuse_together(args, "replica-assignment", ("partitions", "replication-factor"))
    for name in _FILTERS:
        refuse_together(args, name, ("topics-with-overrides",))


async def _names(admin: "Admin") -> list[str]:
    cluster = await admin.client.refresh(None)
    return [name for name, topic in cluster.topics.items() if topic.error_code == ErrorCode.NONE]


async def _chosen(admin: "Admin", args: argparse.Namespace) -> list[str]:
    """Those that `--topic` means. Raises LocalProtocolError if there are none, but should be."""
    found = chosen(await _names(admin), args.topic, without_internal=args.exclude_internal)
    if not found and args.topic and not args.if_exists:
        raise LocalProtocolError(f"Topic '{args.topic}' does not exist as expected")
    return found


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    names = chosen(await _names(admin), args.topic, without_internal=args.exclude_internal)
    print("\n".join(names))
    return 0


async def _create(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.create_topics import (
        CreatableReplicaAssignment,
        CreatableTopic,
        CreatableTopicConfig,
        CreateTopicsRequest,
        CreateTopicsResponse,
    )

    assigned = _assignment(args.replica_assignment)
    configs = [CreatableTopicConfig(*pair) for pair in _configs(args.config)]
    if "." in args.topic or "_" in args.topic:
        print(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore "
            "('_') could collide. To avoid issues it is best to use either, but not both."
        )
    factor, partitions = args.replication_factor, args.partitions
    if factor is not None and not 1 <= factor <= _REPLICATION_MAX:
        raise _Misfit(f"The replication factor must be between 1 and {_REPLICATION_MAX} inclusive")
    if partitions is not None and partitions < 1:
        raise _Misfit("The partitions must be greater than 0")
    topic = CreatableTopic(
        name=args.topic,
        num_partitions=-1 if partitions is None else partitions,
        replication_factor=-1 if factor is None else factor,
        assignments=[CreatableReplicaAssignment(*one) for one in enumerate(assigned)],
        configs=configs,
    )
    request = CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)
    for result in (await admin.controller(request, CreateTopicsResponse)).topics:
        if result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS and args.if_not_exists:
            continue
        check(result.error_code, result.error_message)
        print(f"Created topic {args.topic}.")
    return 0


async def _alter(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.create_partitions import (
        CreatePartitionsAssignment,
        CreatePartitionsRequest,
        CreatePartitionsResponse,
        CreatePartitionsTopic,
    )

    assigned = _assignment(args.replica_assignment)
    names = await _chosen(admin, args)
    topics = []
    for name in names:
        known = admin.client.cluster.topics[name]
        places = [CreatePartitionsAssignment(ids) for ids in assigned[len(known.partitions) :]]
        topics.append(CreatePartitionsTopic(name, args.partitions, places if assigned else None))
    if topics:
        request = CreatePartitionsRequest(topics=topics, timeout_ms=_TIMEOUT_MS)
        for result in (await admin.controller(request, CreatePartitionsResponse)).results:
            check(result.error_code, result.error_message)
    return 0


async def _delete(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.delete_topics import (
        DeleteTopicsRequest,
        DeleteTopicsResponse,
        DeleteTopicState,
    )

    names = await _chosen(admin, args)
    if names:
        version = await admin.client.version_for(
            admin.client.cluster.controller_id, DeleteTopicsRequest.API_KEY
        )
        request = DeleteTopicsRequest(timeout_ms=_TIMEOUT_MS)
        if version >= _DELETE_WITH_STRUCTS:
            request.topics = [DeleteTopicState(name=name) for name in names]
        else:
            request.topic_names = names
        for result in (await admin.controller(request, DeleteTopicsResponse)).responses:
            check(result.error_code, result.error_message)
    return 0


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.topic_text import Wish, lines

    names = await _to_describe(admin, args)
    if not names:
        return 0
    described = await _described(admin, names, args.partition_size_limit_per_response)
    configs = await _configured(admin, names)
    wish = Wish(
        only=frozenset(name for name in _FILTERS if is_said(args, name)),
        with_overrides=args.topics_with_overrides,
        live=frozenset(admin.client.cluster.brokers),
    )
    changing = await _changing(admin, described)
    for topic in described:
        for line in lines(topic, configs[topic.name], changing, wish):
            print(line)
    return 0


async def _to_describe(admin: "Admin", args: argparse.Namespace) -> list[str]:
    from ottla.types import ZERO_UUID, uuid_from_text

    topic_id = ZERO_UUID
    if args.topic_id is not None:
        try:
            topic_id = uuid_from_text(args.topic_id)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from None
    if topic_id == ZERO_UUID:
        return await _chosen(admin, args)
    cluster = await admin.client.refresh(None)
    found = [name for name, topic in cluster.topics.items() if topic.topic_id == topic_id]
    if not found and not args.if_exists:
        raise LocalProtocolError(f"TopicId '{args.topic_id}' does not exist as expected")
    return found


async def _described(admin: "Admin", names: Sequence[str], limit: int) -> "list[Described]":
    """In the order of `names`. A broker that knows no ELR is asked for its metadata."""
    from ottla.cli.kafka.topic_text import Described, Part
    from ottla.wire.api import DESCRIBE_TOPIC_PARTITIONS
    from ottla.wire.message.describe_topic_partitions import (
        DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsResponse,
        TopicRequest,
    )

    if not await admin.client.speaks(DESCRIBE_TOPIC_PARTITIONS):
        cluster = admin.client.cluster
        return [
            Described(
                name,
                cluster.topics[name].topic_id,
                [
                    Part(one.partition, one.leader_id, one.replicas, one.isr, None, None)
                    for one in cluster.topics[name].partitions
                ],
            )
            for name in names
        ]
    found = {name: Described(name, b"", []) for name in names}
    request = DescribeTopicPartitionsRequest([TopicRequest(one) for one in sorted(names)], limit)
    while True:
        answer = await admin.any(request, DescribeTopicPartitionsResponse)
        for topic in answer.topics:
            check(topic.error_code)
            name = topic.name or ""
            parts = [
                Part(
                    one.partition_index,
                    one.leader_id,
                    one.replica_nodes,
                    one.isr_nodes,
                    one.eligible_leader_replicas or (),
                    one.last_known_elr or (),
                )
                for one in topic.partitions
            ]
            before = found[name].parts
            found[name] = Described(name, topic.topic_id, [*before, *parts])
        if answer.next_cursor is None:
            return [found[name] for name in names]
        request.topics = [
            one for one in request.topics if one.name >= answer.next_cursor.topic_name
        ]
        request.cursor = answer.next_cursor


async def _configured(admin: "Admin", names: Iterable[str]) -> "dict[str, Configs]":
    """By topic, what is not a default; and how many replicas must be in sync."""
    from ottla.cli.kafka.topic_text import Configs
    from ottla.wire.message.describe_configs import (
        DescribeConfigsRequest,
        DescribeConfigsResource,
        DescribeConfigsResponse,
    )

    resources = [DescribeConfigsResource(_TOPIC, name, None) for name in names]
    answer = await admin.any(DescribeConfigsRequest(resources), DescribeConfigsResponse)
    found = {}
    for result in answer.results:
        check(result.error_code, result.error_message)
        found[result.resource_name] = Configs.of(result.configs)
    return found


async def _changing(admin: "Admin", topics: "Iterable[Described]") -> "Changing":
    """Which partitions are being reassigned; none where the broker does not tell."""
    from ottla.errors import ApiError
    from ottla.types import TopicPartition
    from ottla.wire.message.list_partition_reassignments import (
        ListPartitionReassignmentsRequest,
        ListPartitionReassignmentsResponse,
        ListPartitionReassignmentsTopics,
    )

    asked_for = [
        ListPartitionReassignmentsTopics(one.name, [part.partition for part in one.parts])
        for one in topics
    ]
    try:
        answer = await admin.controller(
            ListPartitionReassignmentsRequest(topics=asked_for), ListPartitionReassignmentsResponse
        )
        check(answer.error_code, answer.error_message)
    except ApiError as error:
        refused = (ErrorCode.UNSUPPORTED_VERSION, ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        if error.code not in refused:
            raise
        return {}
    return {
        TopicPartition(topic.name, part.partition_index): (
            part.adding_replicas,
            part.removing_replicas,
        )
        for topic in answer.topics
        for part in topic.partitions
    }


def _assignment(text: str | None) -> list[list[int]]:
    """`1:2,2:3`: partition 0 on 1 and 2, partition 1 on 2 and 3."""
    found: list[list[int]] = []
    for one in (text or "").split(",") if text else ():
        try:
            ids = [int(part) for part in one.split(":")]
        except ValueError:
            raise _Misfit(f'For input string: "{one}"') from None
        twice = sorted({str(broker) for broker in ids if ids.count(broker) > 1})
        if twice:
            raise _Misfit(
                "Partition replica lists may not contain duplicate entries: " + ",".join(twice)
            )
        if found and len(ids) != len(found[0]):
            raise _Misfit(f"Partition {len(found)} has different replication factor: {ids}")
        found.append(ids)
    return found


def _configs(texts: Iterable[str]) -> list[tuple[str, str]]:
    """`name=value`; the last of one name counts."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value.strip() or "=" in value:
            raise _Misfit(
                "requirement failed: Invalid topic config: all configs to be added must be in the "
                'format "key=val".'
            )
        found[name.strip()] = value.strip()
    return list(found.items())


_Misfit = LocalProtocolError
