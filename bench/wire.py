"""A bare blocking connection that speaks just enough Kafka to put load on a broker.

It costs the measuring side little and hides nothing: bytes prepared once, answers read by length.
Topics are named in versions that every broker of these benchmarks serves.
"""

import socket
import struct
import time
from collections.abc import Iterable, Mapping
from typing import Final

from ottla.errors import RemoteProtocolError
from ottla.record.builder import BatchBuilder
from ottla.record.compress import NONE
from ottla.wire.api import (
    API_VERSIONS,
    APIS,
    CREATE_TOPICS,
    DELETE_TOPICS,
    FETCH,
    METADATA,
    PRODUCE,
    Message,
)
from ottla.wire.header import encode_request
from ottla.wire.message.api_versions import ApiVersionsRequest
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from ottla.wire.message.delete_topics import DeleteTopicsRequest
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.message.produce import PartitionProduceData, ProduceRequest, TopicProduceData

PRODUCE_VERSION: Final = 9
FETCH_VERSION: Final = 12
WRITABLE_SECONDS_MAX: Final = 600
ALL: Final = -1


class Refused(Exception):
    """A broker did not do what it was asked; the text says what."""


def frame(api_key: int, version: int, message: Message) -> bytes:
    api = APIS[api_key]
    chunks = encode_request(api, version, 1, "bench", api.encode_request(message, version))
    return b"".join(bytes(chunk) for chunk in chunks)  # type: ignore[call-overload]


def produce_frame(topic: str, partition: int, batch: bytes, *, acks: int = 1) -> bytes:
    return produce_frame_of(topic, {partition: batch}, acks=acks)


def produce_frame_of(topic: str, batches: Mapping[int, bytes], *, acks: int = 1) -> bytes:
    """One request with a batch per partition."""
    partitions = [PartitionProduceData(partition, batch) for partition, batch in batches.items()]
    topics = [TopicProduceData(name=topic, partition_data=partitions)]
    return frame(PRODUCE, PRODUCE_VERSION, ProduceRequest(None, acks, 30_000, topics))


def fetched_bytes(answer: bytes) -> int:
    """How many bytes of records an answer to `fetch_frame` has; 0 after an error."""
    decoded = answered(FETCH, FETCH_VERSION, answer)
    (row,) = decoded.responses[0].partitions  # type: ignore[attr-defined]
    return 0 if row.error_code else len(row.records or b"")


def fetch_frame(topic: str, offset: int, *, bytes_max: int, wait_ms: int = 0) -> bytes:
    """What of partition 0 is there, at most so many bytes; without any, wait for the first."""
    partitions = [FetchPartition(0, fetch_offset=offset, partition_max_bytes=bytes_max)]
    request = FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=1,
        max_bytes=bytes_max,
        topics=[FetchTopic(topic, partitions=partitions)],
    )
    return frame(FETCH, FETCH_VERSION, request)


def produced(topic: str) -> bytes:
    """How every answer begins, up to the error code, where a batch was appended to partition 0."""
    return produce_answer(topic, 1) + bytes(6)


def produce_answer(topic: str, partitions: int) -> bytes:
    """How every answer begins that is about so many partitions, up to the first of them."""
    return struct.pack(">ixbb", 1, 2, len(topic) + 1) + topic.encode() + bytes((partitions + 1,))


def fetched(topic: str) -> bytes:
    """How every answer begins, up to the error code, where partition 0 was read."""
    return struct.pack(">ix10xbb", 1, 2, len(topic) + 1) + topic.encode() + b"\x02" + bytes(6)


def batch_of(
    values: Iterable[bytes], timestamp_ms: int | None = None, *, codec: int = NONE
) -> bytes:
    """Without a timestamp: of now, lest a broker takes the batch for one past its retention."""
    if timestamp_ms is None:
        timestamp_ms = int(time.time() * 1_000)
    builder = BatchBuilder()
    for value in values:
        builder.append(timestamp_ms, None, value)
    return bytes(builder.build(codec=codec))


def read_frame(connection: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    return _exactly(connection, size)


def ask(connection: socket.socket, api_key: int, version: int, message: Message) -> Message:
    connection.sendall(frame(api_key, version, message))
    return answered(api_key, version, read_frame(connection))


def answered(api_key: int, version: int, answer: bytes) -> Message:
    """What a response without its length says."""
    api = APIS[api_key]
    body_at = 4 + api.response_header_version(version)
    return api.decode_response_untrusted(memoryview(answer), body_at, version)


def is_answered(connection: socket.socket) -> bool:
    """Requests are served already."""
    try:
        return bool(served(connection))
    except RemoteProtocolError:
        return False


def create_topics(
    connection: socket.socket, names: Iterable[str], partitions: int, **configs: str
) -> None:
    """`configs` with `_` for `.`: flush_messages="1"."""
    settings = [
        CreatableTopicConfig(name.replace("_", "."), value) for name, value in configs.items()
    ]
    topics = [CreatableTopic(name, partitions, 1, configs=settings) for name in names]
    request = CreateTopicsRequest(topics, 60_000)
    answer = ask(connection, CREATE_TOPICS, 7, request)
    for topic in answer.topics:  # type: ignore[attr-defined]
        if topic.error_code:
            raise Refused(f"{topic.name}: error {topic.error_code} {topic.error_message}")


def make_topic(connection: socket.socket, name: str, **configs: str) -> int:
    """A topic whose partition 0 takes records; its next offset. Made by CreateTopics where served."""
    if CREATE_TOPICS in served(connection):
        create_topics(connection, [name], 1, **configs)
    else:
        request = MetadataRequest([MetadataRequestTopic(name=name)], allow_auto_topic_creation=True)
        ask(connection, METADATA, 5, request)  # a later one of the mock has a byte too many
    return wait_until_writable(connection, name)


def delete_topic(connection: socket.socket, name: str) -> None:
    """It is gone, where topics can be deleted."""
    if DELETE_TOPICS in served(connection):
        ask(
            connection, DELETE_TOPICS, 5, DeleteTopicsRequest(topic_names=[name], timeout_ms=60_000)
        )


def wait_until_writable(connection: socket.socket, name: str, partition: int = 0) -> int:
    """A leader took one record; the next offset. A broker may need a while after the creation."""
    request = produce_frame(name, partition, batch_of([b"x"]))
    deadline = time.monotonic() + WRITABLE_SECONDS_MAX
    while True:
        connection.sendall(request)
        answer = answered(PRODUCE, PRODUCE_VERSION, read_frame(connection))
        (row,) = answer.responses[0].partition_responses  # type: ignore[attr-defined]
        if not row.error_code:
            return int(row.base_offset) + 1
        if time.monotonic() > deadline:
            raise Refused(f"{name}-{partition} takes no records: error {row.error_code}")
        time.sleep(0.02)


def served(connection: socket.socket) -> set[int]:
    """The API keys that this broker says it serves."""
    answer = ask(connection, API_VERSIONS, 2, ApiVersionsRequest())
    return {row.api_key for row in answer.api_keys}  # type: ignore[attr-defined]


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        got = connection.recv(size - len(data))
        if not got:
            raise ConnectionResetError("the broker closed the connection")
        data += got
    return bytes(data)
