"""kafka-cluster: a cluster's id, its brokers, and brokers unregistered."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused, number, require
from ottla.cli.kafka.refusals import said_with_name
from ottla.errors import ApiError, ErrorCode, OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.describe_cluster import DescribeClusterBroker

_COMMANDS: Final = ("cluster-id", "unregister", "list-endpoints", "api-versions")


def add_flags(flags: Flags) -> None:
    flags.words("command", help=" | ".join(_COMMANDS))
    flags.bootstrap("-b", "--bootstrap-controller", "-C")
    flags.command_config("-c", "--config")
    flags.value("--id", "-i", kind=number, help="unregister: the broker's")
    flags.switch("--include-fenced-brokers", help="list-endpoints: those too")


def run(args: argparse.Namespace) -> int:
    command = args.command[0] if args.command else ""
    if command not in _COMMANDS:
        raise Refused(f"invalid choice: '{command}' (choose from {', '.join(_COMMANDS)})")
    if command == "unregister":
        require(args, "id")
    if command == "api-versions":
        from ottla.cli.kafka import broker_api_versions

        return broker_api_versions.run(args)
    work = {"cluster-id": _tell_id, "unregister": _unregister, "list-endpoints": _list}[command]
    try:
        return asked(args, lambda admin: work(admin, args))
    except OttlaError as error:
        print(said_with_name(error), file=sys.stderr)
        return FAILED


async def _tell_id(admin: "Admin", args: argparse.Namespace) -> int:
    cluster = await admin.client.refresh(())
    if cluster.cluster_id is None:
        print("No cluster ID found. The Kafka version is probably too old.")
    else:
        print(f"Cluster ID: {cluster.cluster_id}")
    return 0


async def _unregister(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.unregister_broker import (
        UnregisterBrokerRequest,
        UnregisterBrokerResponse,
    )

    try:
        answer = await admin.controller(UnregisterBrokerRequest(args.id), UnregisterBrokerResponse)
        check(answer.error_code, answer.error_message)
    except ApiError as error:
        if error.code != ErrorCode.UNSUPPORTED_VERSION:
            raise
        print("The target cluster does not support the broker unregistration API.")
        return 0
    print(f"Broker {args.id} is no longer registered.")
    return 0


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.describe_cluster import (
        DescribeClusterBroker,
        DescribeClusterRequest,
        DescribeClusterResponse,
    )

    request = DescribeClusterRequest(include_fenced_brokers=args.include_fenced_brokers)
    brokers: Sequence[DescribeClusterBroker]
    try:
        answer = await admin.any(request, DescribeClusterResponse)
        check(answer.error_code, answer.error_message)
        brokers = answer.brokers
    except ApiError as error:
        if error.code != ErrorCode.UNSUPPORTED_VERSION:
            raise
        cluster = await admin.client.refresh(())
        brokers = [
            DescribeClusterBroker(one, address.host, address.port, cluster.racks.get(one))
            for one, address in cluster.brokers.items()
        ]
    for line in lines(brokers):
        print(line)
    return 0


def lines(brokers: "Sequence[DescribeClusterBroker]") -> Iterator[str]:
    hosts = max((len(one.host) for one in brokers), default=0)
    racks = max((len(one.rack or "null") for one in brokers), default=0)

    def row(*cells: str) -> str:
        widths = (10, max(hosts, _HOST), 10, max(racks, _RACK), 10, 15)
        return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))

    yield row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
    for one in sorted(brokers, key=lambda one: one.broker_id):
        state = "fenced" if one.is_fenced else "unfenced"
        yield row(str(one.broker_id), one.host, str(one.port), one.rack or "null", state, "broker")


_HOST: Final = 9
_RACK: Final = 10
