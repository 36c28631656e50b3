"""kafka-transactions: transactions listed and described, and who writes to a partition.

Elsewhere, and not here yet: `abort`, `find-hanging`, `forceTerminateTransaction`.
"""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.aligned import lines
from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused, number, require
from ottla.cli.kafka.refusals import said
from ottla.errors import OttlaError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ottla.aio.admin import Admin
    from ottla.wire.message.describe_producers import DescribeProducersRequest

_COMMANDS: Final = ("list", "describe", "describe-producers")
_LISTED: Final = ("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
_DESCRIBED: Final = (
    "CoordinatorId",
    "TransactionalId",
    "ProducerId",
    "ProducerEpoch",
    "TransactionState",
    "TransactionTimeoutMs",
    "CurrentTransactionStartTimeMs",
    "TransactionDurationMs",
    "TopicPartitions",
)
_PRODUCERS: Final = (
    "ProducerId",
    "ProducerEpoch",
    "LatestCoordinatorEpoch",
    "LastSequence",
    "LastTimestamp",
    "CurrentTransactionStartOffset",
)
_TRANSACTION: Final = 1


def add_flags(flags: Flags) -> None:
    flags.words("command", help=" | ".join(_COMMANDS))
    flags.bootstrap()
    flags.command_config()
    flags.value("--transactional-id", "--transactionalId", help="describe: the transaction's")
    flags.value("--topic", help="describe-producers: the topic")
    flags.value("--partition", kind=number, help="describe-producers: the partition")
    flags.value("--broker-id", kind=number, help="describe-producers: ask this one")
    flags.value(
        "--duration-filter", kind=number, default="-1", help="list: those open for so many ms"
    )
    flags.value("--transactional-id-pattern", help="list: those whose id matches")


def run(args: argparse.Namespace) -> int:
    command = args.command[0] if args.command else ""
    if command not in _COMMANDS:
        raise Refused(f"invalid choice: '{command}' (choose from {', '.join(_COMMANDS)})")
    if command == "describe":
        require(args, "transactional-id")
        work, what = (
            _describe,
            (f"Failed to describe transaction state of transactional-id `{args.transactional_id}`"),
        )
    elif command == "list":
        work, what = _list, "Failed to list transactions"
    else:
        require(args, "topic", "partition")
        work, what = (
            _describe_producers,
            (f"Failed to describe producers for partition {args.topic}-{args.partition}"),
        )
    try:
        return asked(args, lambda admin: work(admin, args))
    except OttlaError as error:
        print(f"{what}: {said(error)}", file=sys.stderr)
        return FAILED


async def _list(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.list_transactions import (
        ListTransactionsRequest,
        ListTransactionsResponse,
    )

    request = ListTransactionsRequest(
        duration_filter=args.duration_filter,
        transactional_id_pattern=args.transactional_id_pattern,
    )
    rows = []
    for broker, answer in (await admin.each(request, ListTransactionsResponse)).items():
        check(answer.error_code)
        for one in answer.transaction_states:
            row = (one.transactional_id, str(broker), str(one.producer_id), one.transaction_state)
            rows.append(row)
    for line in lines(_LISTED, rows):
        print(line)
    return 0


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.describe_transactions import (
        DescribeTransactionsRequest,
        DescribeTransactionsResponse,
    )

    name = args.transactional_id
    answer = await admin.coordinated(
        name, DescribeTransactionsRequest([name]), DescribeTransactionsResponse, kind=_TRANSACTION
    )
    coordinator = await admin.coordinator(name, _TRANSACTION)
    (one,) = answer.transaction_states
    check(one.error_code)
    started_ms = one.transaction_start_time_ms
    took = "None" if started_ms < 0 else str(int(time.time() * 1000) - started_ms)
    places = [f"{topic.topic}-{part}" for topic in one.topics for part in topic.partitions]
    row = (
        str(coordinator),
        name,
        str(one.producer_id),
        str(one.producer_epoch),
        one.transaction_state,
        str(one.transaction_timeout_ms),
        "None" if started_ms < 0 else str(started_ms),
        took,
        ",".join(places),
    )
    for line in lines(_DESCRIBED, [row]):
        print(line)
    return 0


async def _describe_producers(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.describe_producers import (
        DescribeProducersRequest,
        DescribeProducersResponse,
        TopicRequest,
    )

    def make(parts: "Mapping[str, list[int]]") -> "DescribeProducersRequest":
        return DescribeProducersRequest([TopicRequest(topic, ids) for topic, ids in parts.items()])

    place = TopicPartition(args.topic, args.partition)
    if args.broker_id is None:
        (answer,) = await admin.led([place], make, DescribeProducersResponse)
    else:
        request = make({place.topic: [place.partition]})
        answer = await admin.broker(args.broker_id, request, DescribeProducersResponse)
    part = answer.topics[0].partitions[0]
    check(part.error_code, part.error_message)
    rows = [
        (
            str(one.producer_id),
            str(one.producer_epoch),
            str(one.coordinator_epoch),
            str(one.last_sequence),
            str(one.last_timestamp),
            str(one.current_txn_start_offset) if one.current_txn_start_offset >= 0 else "None",
        )
        for one in part.active_producers
    ]
    for line in lines(_PRODUCERS, rows):
        print(line)
    return 0
