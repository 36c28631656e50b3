"""aiokafka (`contract.py`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaError
from contract import (
    CONSUME_SECONDS_MAX,
    HEARTBEAT_MS,
    MEMBERS,
    SESSION_MS,
    Cannot,
    Member,
    Operation,
    Refused,
    Request,
    given,
    headers_of,
    leave,
    serve,
    to_bytes,
    to_text,
)


def blocking(operation: Callable[[str, Request], Awaitable[Any]]) -> Operation:
    async def run(bootstrap: str, request: Request) -> Any:
        try:
            return await operation(bootstrap, request)
        except KafkaError as error:
            code = getattr(error, "errno", -1)
            if code > 0:
                raise Refused(code, repr(error)) from error
            raise

    return lambda bootstrap, request: asyncio.run(run(bootstrap, request))


def check(response: Any, field: str) -> None:
    """Raise the error code of the one topic in an admin response; aiokafka leaves that to us."""
    for topic, code, *rest in getattr(response, field):
        if code:
            raise Refused(code, f"{topic}: {rest}")


async def create(bootstrap: str, request: Request) -> None:
    async with admin(bootstrap) as client:
        topic = NewTopic(
            request["topic"], request["partitions"], 1, topic_configs=request["configs"]
        )
        check(await client.create_topics([topic]), "topic_errors")


async def topics(bootstrap: str, request: Request) -> list[str]:
    async with admin(bootstrap) as client:
        return sorted(await client.list_topics())


async def partitions(bootstrap: str, request: Request) -> list[int]:
    async with admin(bootstrap) as client:
        (described,) = await client.describe_topics([request["topic"]])
        return sorted(part["partition"] for part in described["partitions"])


async def delete(bootstrap: str, request: Request) -> None:
    async with admin(bootstrap) as client:
        check(await client.delete_topics([request["topic"]]), "topic_error_codes")


async def alter(bootstrap: str, request: Request) -> None:
    async with admin(bootstrap) as client:
        resource = ConfigResource(ConfigResourceType.TOPIC, request["topic"], request["configs"])
        for answer in await client.alter_configs([resource]):
            for code, message, *_ in answer.resources:
                if code:
                    raise Refused(code, str(message))


async def produce(bootstrap: str, request: Request) -> list[Request]:
    options: Request = {"bootstrap_servers": bootstrap, "acks": "all", "linger_ms": 5}
    if request["codec"] != "none":
        options["compression_type"] = request["codec"]
    if "idempotent" in request:
        options["enable_idempotence"] = request["idempotent"]
    if "batch_bytes" in request:
        options["max_batch_size"] = request["batch_bytes"]
    if "request_bytes" in request:
        options["max_request_size"] = request["request_bytes"]
    async with AIOKafkaProducer(**options) as producer:
        sent = [
            await producer.send(
                request["topic"],
                value=to_bytes(record["value"]),
                key=to_bytes(record["key"]),
                headers=headers_of(record),
                partition=record["partition"],
                timestamp_ms=record["timestamp"],
            )
            for record in request["records"]
        ]
        done = [await future for future in sent]
    return [{"partition": one.partition, "offset": one.offset} for one in done]


def consumer(bootstrap: str) -> Any:
    return AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def consume(bootstrap: str, request: Request) -> list[Request]:
    async with consumer(bootstrap) as client:
        starts = {
            TopicPartition(request["topic"], int(number)): offset
            for number, offset in request["starts"].items()
        }
        client.assign(list(starts))
        for partition, offset in starts.items():
            client.seek(partition, offset)
        records: list[Request] = []
        deadline = time.monotonic() + CONSUME_SECONDS_MAX
        while len(records) < request["count"] and time.monotonic() < deadline:
            for batch in (await client.getmany(timeout_ms=200)).values():
                records += [seen(record) for record in batch]
        return records


def seen(record: Any) -> Request:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": to_text(record.key),
        "value": to_text(record.value),
        "headers": [[name, to_text(value)] for name, value in record.headers],
    }


class Listener(ConsumerRebalanceListener):
    """Keeps a member's partitions as they are assigned and revoked."""

    member: Member

    def on_partitions_revoked(self, revoked: Any) -> None:
        self.member.lose({one.partition for one in revoked})

    def on_partitions_assigned(self, assigned: Any) -> None:
        self.member.partitions = sorted(one.partition for one in assigned)
        self.member.rebalances += 1


def join(bootstrap: str, request: Request) -> None:
    """Every member has an event loop of its own, in its thread."""
    if request["strategy"] == "cooperative-sticky":
        raise Cannot("no cooperative-sticky")
    loop = asyncio.new_event_loop()
    clients: list[Any] = []

    async def start() -> None:
        client = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=request["group"],
            group_instance_id=request["instance"],
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )
        client.subscribe([request["topic"]], listener=listener)
        clients.append(client)
        await client.start()

    async def take_some() -> list[tuple[int, int]]:
        batches = await clients[0].getmany(timeout_ms=100)
        if not batches:
            return []
        try:
            # Partitions may go while this waits; what it was told is committed then is so.
            await clients[0].commit()
        except CommitFailedError:
            return []  # taken away meanwhile: another member reads it
        return [(one.partition, one.offset) for batch in batches.values() for one in batch]

    def take() -> list[tuple[int, int]]:
        if not clients:
            loop.run_until_complete(start())
        return loop.run_until_complete(take_some())

    def close() -> None:
        if clients:
            loop.run_until_complete(clients[0].stop())
        loop.close()

    listener = Listener()
    listener.member = member = Member(take, close)
    MEMBERS[request["member"]] = member
    member.start()


async def times(bootstrap: str, request: Request) -> list[Request | None]:
    partition = TopicPartition(request["topic"], request["partition"])
    async with consumer(bootstrap) as client:
        found: list[Request | None] = []
        for timestamp in request["timestamps"]:
            answer = (await client.offsets_for_times({partition: timestamp}))[partition]
            found.append(answer and {"offset": answer.offset, "timestamp": answer.timestamp})
        return found


async def watermarks(bootstrap: str, request: Request) -> list[int]:
    partition = TopicPartition(request["topic"], request["partition"])
    async with consumer(bootstrap) as client:
        first = (await client.beginning_offsets([partition]))[partition]
        return [first, (await client.end_offsets([partition]))[partition]]


async def delete_records(bootstrap: str, request: Request) -> int:
    partition = TopicPartition(request["topic"], request["partition"])
    async with admin(bootstrap) as client:
        answer = await client.delete_records({partition: RecordsToDelete(request["before"])})
        return int(answer[partition])


serve(
    {
        "create": blocking(create),
        "topics": blocking(topics),
        "partitions": blocking(partitions),
        "delete": blocking(delete),
        "alter": blocking(alter),
        "produce": blocking(produce),
        "consume": blocking(consume),
        "times": blocking(times),
        "watermarks": blocking(watermarks),
        "delete_records": blocking(delete_records),
        "join": join,
        "given": given,
        "leave": leave,
    }
)
