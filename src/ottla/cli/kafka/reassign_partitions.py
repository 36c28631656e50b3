"""kafka-reassign-partitions: replicas moved between brokers and log directories.

Everything is told on stdout, failures too; the exit code is then 1. What is decided and said:
`reassignment.py`.
"""

import argparse
import random
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused, is_said, number, require, the_action
from ottla.cli.kafka.plans import Wanted, read_file, reassignment_untrusted, topics_untrusted
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.cli.kafka.reassignment import Directories, Ongoing, Replica

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "generate": ("topics-to-move-json-file", "broker-list"),
    "execute": ("reassignment-json-file",),
    "verify": ("reassignment-json-file",),
    "cancel": ("reassignment-json-file",),
    "list": (),
}
_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "generate": ("disable-rack-aware",),
    "execute": (
        "additional",
        "throttle",
        "replica-alter-log-dirs-throttle",
        "timeout",
        "disallow-replication-factor-change",
    ),
    "verify": ("preserve-throttles",),
    "cancel": ("preserve-throttles", "timeout"),
    "list": (),
}
_NO_THROTTLE: Final = -1
_TIMEOUT_MS: Final = 10_000
_EXISTING: Final = (
    "Cannot execute because there is an existing partition assignment.  Use --additional to override "
    "this and create a new partition assignment in addition to the existing one. The --additional "
    "flag can also be used to change the throttle by resubmitting the current reassignment."
)
_VERIFY: Final = (
    "Warning: You must run --verify periodically, until the reassignment completes, to ensure the "
    "throttle is removed."
)


class _Told(OttlaError):
    """Said as it is, without `Error: ` before it."""


def add_flags(flags: Flags) -> None:
    flags.bootstrap("--bootstrap-controller")
    flags.zookeeper()
    flags.command_config()
    flags.switch("--generate", help="propose a plan for topics and brokers")
    flags.switch("--execute", help="start a plan")
    flags.switch("--verify", help="tell how far a plan is, and end its throttles")
    flags.switch("--cancel", help="stop a plan")
    flags.switch("--list", help="list what is being moved")
    flags.value("--reassignment-json-file", help="the plan")
    flags.value("--topics-to-move-json-file", help="with --generate: the topics")
    flags.value("--broker-list", help="with --generate: the brokers, with commas between")
    flags.switch("--disable-rack-aware", help="with --generate: racks do not count")
    flags.switch("--additional", help="with --execute: beside what is being moved already")
    flags.value("--throttle", kind=number, help="bytes per second between brokers")
    flags.value(
        "--replica-alter-log-dirs-throttle", kind=number, help="bytes per second in a broker"
    )
    flags.value("--timeout", kind=number, help="how long to wait for moves to begin, in ms")
    flags.switch("--preserve-throttles", help="leave throttles as they are")
    flags.switch("--disallow-replication-factor-change", help="as many replicas as before")


def run(args: argparse.Namespace) -> int:
    action = the_action(args, list(_NEEDED))
    require(args, *_NEEDED[action])
    known = {name for names in (*_NEEDED.values(), *_ALLOWED.values()) for name in names}
    for other in sorted(known.difference(_NEEDED[action], _ALLOWED[action])):
        if is_said(args, other):
            raise Refused(f'Option "[{other}]" can\'t be used with action "[{action}]"')
    work = {
        "generate": _generate,
        "execute": _execute,
        "verify": _verify,
        "cancel": _cancel,
        "list": _list,
    }[action]
    try:
        return asked(args, lambda admin: work(admin, args), client_id="reassign-partitions-tool")
    except _Told as error:
        print(error)
    except OttlaError as error:
        print(f"Error: {said_with_name(error)}")
    return FAILED


def _plan(args: argparse.Namespace) -> list[Wanted]:
    return reassignment_untrusted(read_file(args.reassignment_json_file))


# ---- what there is


async def _ongoing(admin: "Admin") -> "dict[TopicPartition, Ongoing]":
    from ottla.cli.kafka.reassignment import Ongoing
    from ottla.wire.message.list_partition_reassignments import (
        ListPartitionReassignmentsRequest,
        ListPartitionReassignmentsResponse,
    )

    answer = await admin.controller(
        ListPartitionReassignmentsRequest(), ListPartitionReassignmentsResponse
    )
    check(answer.error_code, answer.error_message)
    return {
        TopicPartition(topic.name, part.partition_index): Ongoing(
            part.replicas, part.adding_replicas, part.removing_replicas
        )
        for topic in answer.topics
        for part in topic.partitions
    }


async def _current(
    admin: "Admin", topics: Iterable[str], *, required: bool = True
) -> dict[TopicPartition, tuple[int, ...]]:
    """Every partition of these topics. Raises ApiError for a topic that does not exist."""
    wanted = sorted(set(topics))
    cluster = await admin.client.refresh(wanted)
    found = {}
    for name in wanted:
        topic = cluster.topic(name)
        if topic is None:
            if required:
                raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Topic {name} not found.")
            continue
        for part in topic.partitions:
            found[TopicPartition(name, part.partition)] = part.replicas
    return found


async def _directories(admin: "Admin", brokers: Iterable[int]) -> "dict[Replica, Directories]":
    from ottla.cli.kafka.reassignment import Directories, Replica
    from ottla.wire.message.describe_log_dirs import (
        DescribeLogDirsRequest,
        DescribeLogDirsResponse,
    )

    there = admin.client.cluster.brokers.keys() & set(brokers)
    if not there:
        return {}
    request = DescribeLogDirsRequest(topics=None)
    found: dict[Replica, Directories] = {}
    for broker, answer in (await admin.each(request, DescribeLogDirsResponse, there)).items():
        for result in answer.results:
            for topic in result.topics:
                for part in topic.partitions:
                    place = TopicPartition(topic.name, part.partition_index)
                    replica = Replica(broker, place)
                    now, future = found.get(replica, Directories(None, None))
                    found[replica] = (
                        Directories(now, result.log_dir)
                        if part.is_future_key
                        else Directories(result.log_dir, future)
                    )
    return found


def _now(where: "Mapping[Replica, Directories]") -> "dict[Replica, str]":
    return {replica: one.now for replica, one in where.items() if one.now is not None}


# ---- the actions


async def _generate(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.reassignment import as_json, propose

    try:
        brokers = [int(part) for part in args.broker_list.split(",")]
    except ValueError:
        raise LocalProtocolError(f"--broker-list {args.broker_list}: 1,2,3 is expected") from None
    twice = sorted({one for one in brokers if brokers.count(one) > 1})
    if twice:
        raise LocalProtocolError(f"Broker list contains duplicate entries: {twice}")
    topics = topics_untrusted(read_file(args.topics_to_move_json_file))
    current = await _current(admin, topics)
    cluster = await admin.client.refresh(())
    racks = {
        one: None if args.disable_rack_aware else cluster.racks.get(one)
        for one in brokers
        if one in cluster.brokers
    }
    if any(racks.values()) and not all(racks.values()):
        raise LocalProtocolError(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make "
            "replica assignment without rack information."
        )
    where = await _directories(admin, {broker for ids in current.values() for broker in ids})
    proposed = propose(current, racks, random.randrange(max(1, len(racks))))
    print(f"Current partition replica assignment\n{as_json(current, _now(where))}\n")
    print(f"Proposed partition reassignment configuration\n{as_json(proposed, {})}")
    return 0


async def _execute(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.reassignment import (
        as_json,
        check_plan,
        moves,
        names,
        plural,
        throttles,
    )

    wanted = _plan(args)
    check_plan(wanted)
    ongoing = await _ongoing(admin)
    if ongoing and not args.additional:
        raise _Told(_EXISTING)
    plan = {one.place: one.replicas for one in wanted}
    there = await admin.brokers()
    for broker in (broker for ids in plan.values() for broker in ids):
        if broker not in there:
            raise LocalProtocolError(f"Unknown broker id {broker}")
    of_topics = await _current(admin, (place.topic for place in plan))
    missing = [place for place in plan if place not in of_topics]
    if missing:
        raise ApiError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition: {names(missing)}"
        )
    current = {place: of_topics[place] for place in plan}
    where = await _directories(admin, {broker for ids in current.values() for broker in ids})
    print(f"Current partition replica assignment\n\n{as_json(current, _now(where))}\n")
    print("Save this to use as the --reassignment-json-file option during rollback")
    rate = _NO_THROTTLE if args.throttle is None else args.throttle
    rate_inside = args.replica_alter_log_dirs_throttle
    if rate >= 0 or rate_inside is not None:
        print(_VERIFY)
    if rate >= 0:
        of_topic, movers = throttles(plan, current, ongoing)
        for topic, values in of_topic.items():
            await _set(admin, "topics", topic, values)
        for broker in movers:
            await _set(admin, "brokers", str(broker), dict.fromkeys(_BETWEEN, str(rate)))
        print(f"The inter-broker throttle limit was set to {rate} B/s")
    targets = moves(wanted)
    if rate_inside is not None and rate_inside >= 0:
        for broker in sorted({replica.broker for replica in targets}):
            await _set(admin, "brokers", str(broker), {_INSIDE: str(rate_inside)})
        print(f"The replica-alter-dir throttle limit was set to {rate_inside} B/s")
    allow = not args.disallow_replication_factor_change
    errors = await _alter(admin, plan, allow_factor_change=allow)
    if errors:
        lines = [f"{names([place])}: {said(error)}" for place, error in sorted(errors.items())]
        raise _Told("\n".join(["Error reassigning partition(s):", *lines]))
    print(f"Successfully started partition reassignment{plural(len(plan))} for {names([*plan])}")
    await _move(admin, targets, _timeout_ms(args))
    return 0


_BETWEEN: Final = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
_INSIDE: Final = "replica.alter.log.dirs.io.max.bytes.per.second"


def _timeout_ms(args: argparse.Namespace) -> int:
    found: int = _TIMEOUT_MS if args.timeout is None else args.timeout
    return found


async def _verify(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.reassignment import is_moving, move_lines, moves, status_lines

    wanted = _plan(args)
    ongoing = await _ongoing(admin)
    current = await _current(admin, (one.place.topic for one in wanted), required=False)
    print("\n".join(status_lines(wanted, current, ongoing)))
    targets = moves(wanted)
    where = await _directories(admin, {replica.broker for replica in targets})
    print("\n".join(move_lines(targets, where)))
    if not ongoing and not is_moving(targets, where) and not args.preserve_throttles:
        await _clear_throttles(admin, wanted)
    return 0


async def _cancel(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.reassignment import moves, names, plural

    wanted = _plan(args)
    ongoing = await _ongoing(admin)
    stopping = [one.place for one in wanted if one.place in ongoing]
    if stopping:
        errors = await _alter(admin, dict.fromkeys(stopping))
        if errors:
            lines = [f"{names([one])}: {said(error)}" for one, error in sorted(errors.items())]
            heading = f"Error cancelling partition reassignment{plural(len(errors))} for:"
            raise _Told("\n".join([heading, *lines]))
        print(
            f"Successfully cancelled partition reassignment{plural(len(stopping))} for: "
            f"{names(stopping)}"
        )
    else:
        print("None of the specified partition reassignments are active.")
    await admin.client.refresh(())
    where = await _directories(admin, {replica.broker for replica in moves(wanted)})
    back = {
        replica: one.now
        for replica in moves(wanted)
        if (one := where.get(replica)) is not None and one.future and one.now
    }
    if back:
        await _move(admin, back, _timeout_ms(args))
    else:
        print("None of the specified partition moves are active.", end="")
    if not args.preserve_throttles:
        await _clear_throttles(admin, wanted)
    return 0


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.cli.kafka.reassignment import list_lines

    print("\n".join(list_lines(await _ongoing(admin))))
    return 0


# ---- what is changed


async def _alter(
    admin: "Admin",
    plan: "Mapping[TopicPartition, tuple[int, ...]] | Mapping[TopicPartition, None]",
    *,
    allow_factor_change: bool = True,
) -> dict[TopicPartition, ApiError]:
    """What was refused. None: what is being moved goes back."""
    from ottla.wire.message.alter_partition_reassignments import (
        AlterPartitionReassignmentsRequest,
        AlterPartitionReassignmentsResponse,
        ReassignablePartition,
        ReassignableTopic,
    )

    topics: dict[str, list[ReassignablePartition]] = {}
    for place, replicas in plan.items():
        one = ReassignablePartition(place.partition, replicas)
        topics.setdefault(place.topic, []).append(one)
    request = AlterPartitionReassignmentsRequest(
        allow_replication_factor_change=allow_factor_change,
        topics=[ReassignableTopic(topic, parts) for topic, parts in topics.items()],
    )
    answer = await admin.controller(request, AlterPartitionReassignmentsResponse)
    check(answer.error_code, answer.error_message)
    return {
        TopicPartition(topic.name, part.partition_index): ApiError(
            part.error_code, part.error_message
        )
        for topic in answer.responses
        for part in topic.partitions
        if part.error_code != ErrorCode.NONE
    }


async def _move(admin: "Admin", targets: "Mapping[Replica, str]", timeout_ms: int) -> None:
    """Replicas are on their way to their directories; one that is just being made is waited for."""
    from ottla.cli.kafka.reassignment import name, plural

    deadline = time.monotonic() + timeout_ms / 1000
    pending = dict(targets)
    while pending:
        for replica in await _started(admin, pending):
            print(
                f"Successfully started moving log directory to {pending.pop(replica)} for replica "
                f"{name(replica.place)} with broker {replica.broker} "
            )
        if pending and time.monotonic() >= deadline:
            raise _Told(
                f"Timed out before log directory move{plural(len(pending))} could be started for: "
                + ",".join(map(str, sorted(pending)))
            )
        if pending:
            await admin.client.pause(1)


async def _started(admin: "Admin", pending: "Mapping[Replica, str]") -> "list[Replica]":
    from ottla.cli.kafka.reassignment import Replica
    from ottla.wire.message.alter_replica_log_dirs import (
        AlterReplicaLogDir,
        AlterReplicaLogDirsRequest,
        AlterReplicaLogDirsResponse,
        AlterReplicaLogDirTopic,
    )

    started = []
    for broker in sorted({replica.broker for replica in pending}):
        paths: dict[str, dict[str, list[int]]] = {}
        for replica, path in pending.items():
            if replica.broker == broker:
                parts = paths.setdefault(path, {}).setdefault(replica.place.topic, [])
                parts.append(replica.place.partition)
        request = AlterReplicaLogDirsRequest(
            [
                AlterReplicaLogDir(
                    path, [AlterReplicaLogDirTopic(topic, ids) for topic, ids in topics.items()]
                )
                for path, topics in paths.items()
            ]
        )
        answer = await admin.broker(broker, request, AlterReplicaLogDirsResponse)
        for topic in answer.results:
            for part in topic.partitions:
                place = TopicPartition(topic.topic_name, part.partition_index)
                if part.error_code == ErrorCode.REPLICA_NOT_AVAILABLE:
                    continue
                if part.error_code != ErrorCode.NONE:
                    replica = Replica(broker, place)
                    raise LocalProtocolError(
                        f"Failed to alter dir for {replica}: {said(ApiError(part.error_code))}"
                    )
                started.append(Replica(broker, place))
    return sorted(started)


async def _clear_throttles(admin: "Admin", wanted: Iterable[Wanted]) -> None:
    from ottla.cli.kafka.reassignment import (
        BROKER_THROTTLES,
        FOLLOWER_THROTTLED,
        LEADER_THROTTLED,
        plural,
    )

    plan = list(wanted)
    brokers = sorted({*await admin.brokers(), *(one for w in plan for one in w.replicas)})
    listed = ",".join(map(str, brokers))
    print(f"Clearing broker-level throttles on broker{plural(len(brokers))} {listed}")
    for broker in brokers:
        await _set(admin, "brokers", str(broker), dict.fromkeys(BROKER_THROTTLES))
    topics = sorted({one.place.topic for one in plan})
    print(f"Clearing topic-level throttles on topic{plural(len(topics))} {','.join(topics)}")
    for topic in topics:
        throttled = dict.fromkeys((LEADER_THROTTLED, FOLLOWER_THROTTLED))
        await _set(admin, "topics", topic, throttled)


async def _set(
    admin: "Admin", kind: str, name: str, values: "Mapping[str, str] | Mapping[str, None]"
) -> None:
    """None: back to the default."""
    from ottla.cli.kafka.configs import change_resource
    from ottla.cli.kafka.entities import Entity
    from ottla.client.configs import Change, Operation

    changes = [
        Change(key, Operation.DELETE if value is None else Operation.SET, value)
        for key, value in values.items()
    ]
    await change_resource(admin, Entity(kind, name), changes)
