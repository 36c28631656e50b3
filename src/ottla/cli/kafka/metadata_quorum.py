"""kafka-metadata-quorum: the controllers' log, and how far each of them has followed it."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.aligned import lines
from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused
from ottla.cli.kafka.refusals import said_with_name
from ottla.errors import OttlaError
from ottla.types import ZERO_UUID, uuid_to_text

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.describe_quorum import (
        DescribeQuorumResponse,
        DescribeQuorumResponsePartitionData,
        ReplicaState,
    )

_COLUMNS: Final = (
    "NodeId",
    "DirectoryId",
    "LogEndOffset",
    "Lag",
    "LastFetchTimestamp",
    "LastCaughtUpTimestamp",
    "Status",
)
_LOG: Final = "__cluster_metadata"


def add_flags(flags: Flags) -> None:
    flags.words("command", help="describe")
    flags.bootstrap("--bootstrap-controller")
    flags.command_config()
    flags.switch("--status", help="the whole, in short")
    flags.switch("--replication", help="each node")
    flags.switch("--human-readable", help="with --replication: how long ago")


def run(args: argparse.Namespace) -> int:
    command = args.command[0] if args.command else ""
    if command != "describe":
        raise Refused(f"invalid choice: '{command}' (choose from describe)")
    if args.status and args.replication:
        raise Refused(
            "Only one of --status or --replication should be specified with describe sub-command"
        )
    if not args.status and not args.replication:
        raise Refused(
            "One of --status or --replication must be specified with describe sub-command"
        )
    if args.human_readable and not args.replication:
        raise Refused("The option --human-readable is only supported along with --replication")
    try:
        return asked(args, lambda admin: _describe(admin, args))
    except OttlaError as error:
        print(said_with_name(error), file=sys.stderr)
        return FAILED


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.describe_quorum import (
        DescribeQuorumRequest,
        DescribeQuorumRequestPartitionData,
        DescribeQuorumRequestTopicData,
        DescribeQuorumResponse,
    )

    topic = DescribeQuorumRequestTopicData(_LOG, [DescribeQuorumRequestPartitionData(0)])
    answer = await admin.any(DescribeQuorumRequest([topic]), DescribeQuorumResponse)
    check(answer.error_code, answer.error_message)
    quorum = answer.topics[0].partitions[0]
    check(quorum.error_code, quorum.error_message)
    if args.status:
        cluster = await admin.client.refresh(())
        print(status(cluster.cluster_id or "null", quorum, endpoints(answer)))
    else:
        now_ms = int(time.time() * 1000) if args.human_readable else None
        for line in lines(_COLUMNS, rows(quorum, now_ms)):
            print(line)
    return 0


def endpoints(answer: "DescribeQuorumResponse") -> dict[int, list[str]]:
    """By node: `CONTROLLER://host:9093`."""
    return {
        node.node_id: [f"{one.name}://{one.host}:{one.port}" for one in node.listeners]
        for node in answer.nodes
    }


def status(
    cluster_id: str,
    quorum: "DescribeQuorumResponsePartitionData",
    listeners: Mapping[int, Sequence[str]],
) -> str:
    leader = next(one for one in quorum.current_voters if one.replica_id == quorum.leader_id)
    last = min(quorum.current_voters, key=lambda one: one.log_end_offset)
    lag_ms = 0
    if last is not leader:
        known = min(leader.last_caught_up_timestamp, last.last_caught_up_timestamp) >= 0
        lag_ms = leader.last_caught_up_timestamp - last.last_caught_up_timestamp if known else -1
    rows = {
        "ClusterId": cluster_id,
        "LeaderId": quorum.leader_id,
        "LeaderEpoch": quorum.leader_epoch,
        "HighWatermark": quorum.high_watermark,
        "MaxFollowerLag": leader.log_end_offset - last.log_end_offset,
        "MaxFollowerLagTimeMs": lag_ms,
        "CurrentVoters": _nodes(quorum.current_voters, listeners),
        "CurrentObservers": _nodes(quorum.observers, listeners),
    }
    return "\n".join(f"{name + ':':<24}{value}" for name, value in rows.items())


def _nodes(replicas: "Sequence[ReplicaState]", listeners: Mapping[int, Sequence[str]]) -> str:
    found = []
    for one in replicas:
        members = [f'"id": {one.replica_id}']
        if one.replica_directory_id != ZERO_UUID:
            members.append(f'"directoryId": "{uuid_to_text(one.replica_directory_id)}"')
        if listeners.get(one.replica_id):
            quoted = ", ".join(f'"{text}"' for text in listeners[one.replica_id])
            members.append(f'"endpoints": [{quoted}]')
        found.append(f"{{{', '.join(members)}}}")
    return f"[{', '.join(found)}]"


def rows(
    quorum: "DescribeQuorumResponsePartitionData", now_ms: int | None
) -> list[tuple[str, ...]]:
    """The leader, its followers, the observers. `now_ms` None: times as they are."""
    voters = quorum.current_voters
    leader = next(one for one in voters if one.replica_id == quorum.leader_id)

    def moment(time_ms: int) -> str:
        return str(time_ms) if time_ms < 0 or now_ms is None else f"{now_ms - time_ms} ms ago"

    def row(one: "ReplicaState", role: str) -> tuple[str, ...]:
        return (
            str(one.replica_id),
            uuid_to_text(one.replica_directory_id),
            str(one.log_end_offset),
            str(leader.log_end_offset - one.log_end_offset),
            moment(one.last_fetch_timestamp),
            moment(one.last_caught_up_timestamp),
            role,
        )

    return [
        row(leader, "Leader"),
        *(row(one, "Follower") for one in voters if one is not leader),
        *(row(one, "Observer") for one in quorum.observers),
    ]
