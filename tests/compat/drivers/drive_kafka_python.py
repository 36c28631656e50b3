"""kafka-python, 1.4 to 3.x alike (`contract.py`). The option api_version=0.10 makes it speak so old."""

from __future__ import annotations

import re
import time
from typing import Any

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
    client_options,
    given,
    headers_of,
    leave,
    serve,
    to_bytes,
    to_text,
)
from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    TopicPartition,
)
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError

SEND_SECONDS_MAX = 30
SPEAKS: Request = {}
if "api_version" in client_options():
    SPEAKS["api_version"] = tuple(int(part) for part in client_options()["api_version"].split("."))


def admin(bootstrap: str) -> Any:
    return KafkaAdminClient(bootstrap_servers=bootstrap)


def create(bootstrap: str, request: Request) -> None:
    client = admin(bootstrap)
    topic = NewTopic(
        name=request["topic"],
        num_partitions=request["partitions"],
        replication_factor=1,
        topic_configs=request["configs"],
    )
    try:
        client.create_topics([topic])
    finally:
        client.close()


def topics(bootstrap: str, request: Request) -> list[str]:
    client = admin(bootstrap)
    try:
        return sorted(client.list_topics())
    finally:
        client.close()


def partitions(bootstrap: str, request: Request) -> list[int]:
    client = admin(bootstrap)
    try:
        (described,) = client.describe_topics([request["topic"]])
    finally:
        client.close()
    # 2.x says "partition", 3.x says "partition_index".
    return sorted(
        part["partition_index"] if "partition_index" in part else part["partition"]
        for part in described["partitions"]
    )


def delete(bootstrap: str, request: Request) -> None:
    client = admin(bootstrap)
    try:
        client.delete_topics([request["topic"]])
    finally:
        client.close()


def alter(bootstrap: str, request: Request) -> None:
    client = admin(bootstrap)
    resource = ConfigResource(ConfigResourceType.TOPIC, request["topic"], request["configs"])
    try:
        answer = client.alter_configs([resource])
    finally:
        client.close()
    # 2.x leaves the error codes to us, 3.x tells {"topic": {name: "OK" or "[Error 40] …"}}.
    if isinstance(answer, dict):
        told_of_it = answer["topic"][request["topic"]]
        found = re.match(r"\[Error (\d+)\]", told_of_it)
        if found:
            raise Refused(int(found[1]), told_of_it)
        assert told_of_it == "OK", told_of_it
        return
    for code, message, *_ in answer.resources:
        if code:
            raise Refused(code, str(message))


def produce(bootstrap: str, request: Request) -> list[Request]:
    options: Request = {"bootstrap_servers": bootstrap, "acks": "all", "linger_ms": 5, **SPEAKS}
    if request["codec"] != "none":
        options["compression_type"] = request["codec"]
    if "idempotent" in request:
        options["enable_idempotence"] = request["idempotent"]
    if "batch_bytes" in request:
        options["batch_size"] = request["batch_bytes"]
    if "request_bytes" in request:
        options["max_request_size"] = request["request_bytes"]
    producer = KafkaProducer(**options)
    try:
        sent = [
            producer.send(
                request["topic"],
                value=to_bytes(record["value"]),
                key=to_bytes(record["key"]),
                headers=headers_of(record),
                partition=record["partition"],
                timestamp_ms=record["timestamp"],
            )
            for record in request["records"]
        ]
        producer.flush()
        done = [future.get(timeout=SEND_SECONDS_MAX) for future in sent]
    finally:
        producer.close()
    return [{"partition": one.partition, "offset": one.offset} for one in done]


def consumer(bootstrap: str) -> Any:
    return KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, **SPEAKS
    )


def consume(bootstrap: str, request: Request) -> list[Request]:
    client = consumer(bootstrap)
    try:
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
            for batch in client.poll(timeout_ms=200).values():
                records += [seen(record) for record in batch]
        return records
    finally:
        client.close()


def seen(record: Any) -> Request:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": to_text(record.key),
        "value": to_text(record.value),
        "headers": [[name, to_text(value)] for name, value in record.headers],
    }


def times(bootstrap: str, request: Request) -> list[Request | None]:
    client = consumer(bootstrap)
    partition = TopicPartition(request["topic"], request["partition"])
    try:
        found = []
        for timestamp in request["timestamps"]:
            answer = client.offsets_for_times({partition: timestamp})[partition]
            found.append(answer and {"offset": answer.offset, "timestamp": answer.timestamp})
        return found
    finally:
        client.close()


def watermarks(bootstrap: str, request: Request) -> list[int]:
    client = consumer(bootstrap)
    partition = TopicPartition(request["topic"], request["partition"])
    try:
        first = client.beginning_offsets([partition])[partition]
        return [first, client.end_offsets([partition])[partition]]
    finally:
        client.close()


def delete_records(bootstrap: str, request: Request) -> int:
    client = admin(bootstrap)
    partition = TopicPartition(request["topic"], request["partition"])
    try:
        answer = client.delete_records({partition: request["before"]})
    finally:
        client.close()
    # 2.x answers {partition: low watermark}, 3.x {partition: the response's own struct}.
    found = answer[partition]
    return int(found if isinstance(found, int) else found["low_watermark"])


class Listener(ConsumerRebalanceListener):
    """Keeps a member's partitions as they are assigned and revoked."""

    member: Member

    def on_partitions_revoked(self, revoked: Any) -> None:
        self.member.lose({one.partition for one in revoked})

    def on_partitions_assigned(self, assigned: Any) -> None:
        new = {one.partition for one in assigned}
        self.member.partitions = sorted({*self.member.partitions, *new})
        self.member.rebalances += 1


def join(bootstrap: str, request: Request) -> None:
    options: Request = dict(SPEAKS)
    if request["strategy"] == "cooperative-sticky":
        try:
            from kafka.coordinator.assignors.cooperative_sticky import (
                CooperativeStickyAssignor,
            )
        except ImportError:
            raise Cannot("no cooperative-sticky") from None
        options["partition_assignment_strategy"] = [CooperativeStickyAssignor]
    if request["instance"] is not None:
        options["group_instance_id"] = request["instance"]
        if "group_instance_id" not in KafkaConsumer.DEFAULT_CONFIG:
            raise Cannot("no static members")
    client = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=request["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        **options,
    )

    def take() -> list[tuple[int, int]]:
        batches = client.poll(timeout_ms=100)
        member.pending += [(one.partition, one.offset) for some in batches.values() for one in some]
        if not member.pending:
            return []
        try:
            client.commit()
        except (CommitFailedError, RebalanceInProgressError):
            return []
        return member.committed()

    listener = Listener()
    listener.member = member = Member(take, client.close)
    client.subscribe([request["topic"]], listener=listener)
    MEMBERS[request["member"]] = member
    member.start()


def told(operation: Operation) -> Operation:
    """The operation, with the broker's error codes told from errors that arose in the client."""

    def run(bootstrap: str, request: Request) -> Any:
        try:
            return operation(bootstrap, request)
        except KafkaError as error:
            code = getattr(error, "errno", -1)
            if code > 0:
                raise Refused(code, repr(error)) from error
            raise

    return run


serve(
    {
        "create": told(create),
        "topics": told(topics),
        "partitions": told(partitions),
        "delete": told(delete),
        "alter": told(alter),
        "produce": told(produce),
        "consume": told(consume),
        "times": told(times),
        "watermarks": told(watermarks),
        "delete_records": told(delete_records),
        "join": told(join),
        "given": given,
        "leave": leave,
    }
)
