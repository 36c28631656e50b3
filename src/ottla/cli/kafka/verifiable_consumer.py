"""`kafka-verifiable-consumer`: reads a topic as a member of a group and tells in JSON what happens.

Rebalances, what each poll brought, what was committed; with --verbose every record. Unlike Kafka's, it
takes no more records than --max-messages says, so that none is counted or committed beyond.
"""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import Settings, consumer_options, run_data, settings
from ottla.cli.kafka.events import event
from ottla.cli.kafka.flags import FAILED, Flags
from ottla.cli.kafka.java_text import Json
from ottla.cli.kafka.refusals import said
from ottla.errors import LocalProtocolError, OttlaError
from ottla.limits import INT_MAX
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.record import ConsumedRecord

_RANGE: Final = "org.apache.kafka.clients.consumer.RangeAssignor"
_POLL_MS: Final = 1_000
_POLL_RECORDS: Final = 500


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.removed("--broker-list", "--bootstrap-server")
    flags.value("--topic", required=True, help="the topic to read")
    flags.value("--group-id", required=True, help="the consumer group")
    flags.value("--group-instance-id", help="who this member stays, however often it joins")
    flags.value("--group-protocol", default="classic", help="classic, which is the only one here")
    flags.value("--group-remote-assignor", help="of another protocol: passed over")
    flags.value(
        "--max-messages",
        default="-1",
        kind=whole_number(-1, INT_MAX),
        help="end after so many; -1: never",
    )
    flags.value("--session-timeout", kind=whole_number(1, INT_MAX), help="of the member, in ms")
    flags.switch("--verbose", help="tell every record")
    flags.switch("--enable-autocommit", help="commit now and then, not after each poll")
    flags.value("--reset-policy", default="earliest", help="earliest (default), latest or none")
    flags.value("--assignment-strategy", default=_RANGE, help=f"the assignor ({_RANGE})")
    flags.command_config("--consumer.config")


def run(args: argparse.Namespace) -> int:
    try:
        entries = _entries(args)
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED

    async def work(client: "Client") -> int:
        from ottla.aio.consumer import Consumer

        return await Reading(Consumer(client, consumer_options(entries)), args).read_all()

    return run_data(args.bootstrap_server, entries, work, client_id=f"consumer-{args.group_id}-1")


def _entries(args: argparse.Namespace) -> Settings:
    entries = settings(args.command_config) | {
        "group.id": args.group_id,
        "group.protocol": args.group_protocol,
        "partition.assignment.strategy": args.assignment_strategy,
        "enable.auto.commit": "true" if args.enable_autocommit else "false",
        "auto.offset.reset": args.reset_policy,
    }
    if args.group_instance_id is not None:
        entries["group.instance.id"] = args.group_instance_id
    if args.session_timeout is not None:
        entries["session.timeout.ms"] = str(args.session_timeout)
    return entries


@final
class Reading:
    """The records of one run, and the listener of its rebalances."""

    def __init__(self, consumer: "Consumer", args: argparse.Namespace) -> None:
        self._consumer = consumer
        self._topic: str = args.topic
        self._count_max: int | None = None if args.max_messages < 0 else args.max_messages
        self._is_verbose: bool = args.verbose
        self._commits: bool = not args.enable_autocommit
        self._count = 0

    async def read_all(self) -> int:
        """Everything is read and told; 0."""
        import asyncio

        was_told_to = False
        event("startup_complete")
        try:
            await self._consumer.start()
            self._consumer.subscribe([self._topic], listener=self)
            while self._count_max is None or self._count < self._count_max:
                found = await self._consumer.poll(_POLL_MS, self._most())
                if found:
                    await self._received(found)
        except asyncio.CancelledError:
            was_told_to = True
            event("shutdown_requested")
            raise
        finally:
            await self._consumer.close()
            event("shutdown_complete")
            if not was_told_to:
                event("shutdown_requested")
        return 0

    def _most(self) -> int:
        if self._count_max is None:
            return _POLL_RECORDS
        return min(_POLL_RECORDS, self._count_max - self._count)

    async def _received(self, found: "Mapping[TopicPartition, Sequence[ConsumedRecord]]") -> None:
        summaries: list[Json] = []
        offsets: dict[TopicPartition, int] = {}
        for place, records in found.items():
            self._count += len(records)
            offsets[place] = records[-1].offset + 1
            if self._is_verbose:
                for record in records:
                    _tell_record(record)
            summaries.append(
                _place(place)
                | {
                    "count": len(records),
                    "minOffset": records[0].offset,
                    "maxOffset": records[-1].offset,
                }
            )
        event("records_consumed", count=sum(map(len, found.values())), partitions=summaries)
        if self._commits:
            await self._commit(offsets)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        told: list[Json] = [_place(place) | {"offset": at} for place, at in offsets.items()]
        try:
            await self._consumer.commit(offsets)
        except OttlaError as error:
            event("offsets_committed", offsets=told, error=said(error), success=False)
        else:
            event("offsets_committed", offsets=told, success=True)

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        event("partitions_assigned", partitions=[_place(place) for place in sorted(partitions)])

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        event("partitions_revoked", partitions=[_place(place) for place in sorted(partitions)])

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        await self.revoked(partitions)


def _place(place: TopicPartition) -> dict[str, Json]:
    return {"topic": place.topic, "partition": place.partition}


def _tell_record(record: "ConsumedRecord") -> None:
    event(
        "record_data",
        key=None if record.key is None else record.key.decode(errors="replace"),
        value=None if record.value is None else record.value.decode(errors="replace"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
