"""confluent-kafka, that is librdkafka (`contract.py`).

Its consumer insists on a `group.id`, also where partitions are assigned and nothing is committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
)
from contract import (
    CONSUME_SECONDS_MAX,
    HEARTBEAT_MS,
    MEMBERS,
    SESSION_MS,
    Member,
    Refused,
    Request,
    client_options,
    given,
    headers_of,
    leave,
    serve,
    to_bytes,
    to_text,
)

TIMEOUT_SECONDS = 20
TOLD = client_options()
# ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS; librdkafka's own: nothing to commit,
# and an assignment that was lost.
TAKEN_AWAY = (22, 25, 27, -168, -142)


def admin(bootstrap: str) -> Any:
    return AdminClient({"bootstrap.servers": bootstrap})


def settle(call: Callable[[Any], dict[Any, Any]], bootstrap: str) -> Any:
    """The one result of an admin call; the client must outlive it."""
    client = admin(bootstrap)
    (future,) = call(client).values()
    try:
        return future.result(TIMEOUT_SECONDS)
    except KafkaException as error:
        raise refused(error.args[0]) from error


def create(bootstrap: str, request: Request) -> None:
    topic = NewTopic(request["topic"], request["partitions"], 1, config=request["configs"])
    settle(lambda client: client.create_topics([topic]), bootstrap)


def topics(bootstrap: str, request: Request) -> list[str]:
    return sorted(admin(bootstrap).list_topics(timeout=TIMEOUT_SECONDS).topics)


def partitions(bootstrap: str, request: Request) -> list[int]:
    found = admin(bootstrap).list_topics(request["topic"], timeout=TIMEOUT_SECONDS)
    return sorted(found.topics[request["topic"]].partitions)


def delete(bootstrap: str, request: Request) -> None:
    settle(lambda client: client.delete_topics([request["topic"]]), bootstrap)


def alter(bootstrap: str, request: Request) -> None:
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in request["configs"].items()
    ]
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, request["topic"], incremental_configs=changes
    )
    settle(lambda client: client.incremental_alter_configs([resource]), bootstrap)


def produce(bootstrap: str, request: Request) -> list[Request]:
    options = {
        "bootstrap.servers": bootstrap,
        "compression.type": request["codec"],
        "linger.ms": 5,
        "queue.buffering.max.kbytes": 100_000,
        **TOLD,
    }
    if "idempotent" in request:
        options["enable.idempotence"] = request["idempotent"]
    if "batch_bytes" in request:
        options["batch.size"] = request["batch_bytes"]
    if "request_bytes" in request:
        options["message.max.bytes"] = request["request_bytes"]
    producer = Producer(options)
    done: list[Request | None] = [None] * len(request["records"])
    errors: list[Any] = []

    def reported(index: int) -> Any:
        def report(error: Any, message: Any) -> None:
            if error is not None:
                errors.append(error)
            else:
                done[index] = {"partition": message.partition(), "offset": message.offset()}

        return report

    for index, record in enumerate(request["records"]):
        options = {} if record["timestamp"] is None else {"timestamp": record["timestamp"]}
        producer.produce(
            request["topic"],
            value=to_bytes(record["value"]),
            key=to_bytes(record["key"]),
            headers=headers_of(record),
            partition=record["partition"],
            on_delivery=reported(index),
            **options,
        )
        producer.poll(0)
    left = producer.flush(TIMEOUT_SECONDS)
    if errors:
        raise refused(errors[0])
    assert not left, f"{left} messages not delivered"
    return [one for one in done if one is not None]


def consumer(bootstrap: str) -> Any:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "required-but-unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            **TOLD,
        }
    )


def consume(bootstrap: str, request: Request) -> list[Request]:
    client = consumer(bootstrap)
    try:
        client.assign(
            [
                TopicPartition(request["topic"], int(number), offset)
                for number, offset in request["starts"].items()
            ]
        )
        records: list[Request] = []
        deadline = time.monotonic() + CONSUME_SECONDS_MAX
        while len(records) < request["count"] and time.monotonic() < deadline:
            for message in client.consume(500, timeout=0.2):
                if message.error():
                    raise refused(message.error())
                records.append(seen(message))
        return records
    finally:
        client.close()


def seen(message: Any) -> Request:
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": to_text(message.key()),
        "value": to_text(message.value()),
        "headers": [[name, to_text(value)] for name, value in message.headers() or []],
    }


def join(bootstrap: str, request: Request) -> None:
    options = {
        "bootstrap.servers": bootstrap,
        "group.id": request["group"],
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": HEARTBEAT_MS,
        "partition.assignment.strategy": request["strategy"],
        **TOLD,
    }
    if request["instance"] is not None:
        options["group.instance.id"] = request["instance"]
    client = Consumer(options)

    def take() -> list[tuple[int, int]]:
        messages = client.consume(500, timeout=0.1)
        for message in messages:
            if message.error():
                raise refused(message.error())
        member.pending += [(one.partition(), one.offset()) for one in messages]
        if not member.pending:
            return []
        try:
            client.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() in TAKEN_AWAY:
                return []
            raise
        return member.committed()

    member = Member(take, client.close)

    def assigned(_: Any, partitions: list[Any]) -> None:
        member.partitions += [one.partition for one in partitions]
        member.rebalances += 1

    def revoked(_: Any, partitions: list[Any]) -> None:
        member.lose({one.partition for one in partitions})

    client.subscribe([request["topic"]], on_assign=assigned, on_revoke=revoked)
    MEMBERS[request["member"]] = member
    member.start()


def times(bootstrap: str, request: Request) -> list[Request | None]:
    client = consumer(bootstrap)
    try:
        found: list[Request | None] = []
        for timestamp in request["timestamps"]:
            wanted = TopicPartition(request["topic"], request["partition"], timestamp)
            (answer,) = client.offsets_for_times([wanted], timeout=TIMEOUT_SECONDS)
            # librdkafka says "end of the partition" (-1) where nothing is that late.
            found.append({"offset": answer.offset} if answer.offset >= 0 else None)
        return found
    finally:
        client.close()


def watermarks(bootstrap: str, request: Request) -> list[int]:
    client = consumer(bootstrap)
    try:
        partition = TopicPartition(request["topic"], request["partition"])
        return list(client.get_watermark_offsets(partition, timeout=TIMEOUT_SECONDS))
    finally:
        client.close()


def delete_records(bootstrap: str, request: Request) -> int:
    before = TopicPartition(request["topic"], request["partition"], request["before"])
    return int(settle(lambda client: client.delete_records([before]), bootstrap).low_watermark)


def refused(error: Any) -> Exception:
    """The broker's refusal (codes above zero), or librdkafka's own error."""
    return Refused(error.code(), str(error)) if error.code() > 0 else RuntimeError(str(error))


serve(
    {
        "create": create,
        "topics": topics,
        "partitions": partitions,
        "delete": delete,
        "alter": alter,
        "produce": produce,
        "consume": consume,
        "times": times,
        "watermarks": watermarks,
        "delete_records": delete_records,
        "join": join,
        "given": given,
        "leave": leave,
    }
)
