"""A bare blocking connection that speaks just enough Kafka to put load on a broker.

It costs the measuring side little and hides nothing: bytes prepared once, answers read by length.
"""

import socket
import struct
from collections.abc import Iterable

from ottla.record.builder import BatchBuilder
from ottla.wire.api import APIS, CREATE_TOPICS, PRODUCE, Message
from ottla.wire.header import encode_request
from ottla.wire.message.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.message.produce import PartitionProduceData, ProduceRequest, TopicProduceData


def frame(api_key: int, version: int, message: Message) -> bytes:
    api = APIS[api_key]
    chunks = encode_request(api, version, 1, "bench", api.encode_request(message, version))
    return b"".join(bytes(chunk) for chunk in chunks)  # type: ignore[call-overload]


def produce_frame(
    topic: str, partition: int, batch: bytes, *, acks: int = 1, version: int = 9
) -> bytes:
    partitions = [PartitionProduceData(partition, batch)]
    topics = [TopicProduceData(name=topic, partition_data=partitions)]
    return frame(PRODUCE, version, ProduceRequest(None, acks, 30_000, topics))


def batch_of(values: Iterable[bytes], timestamp_ms: int = 1_700_000_000_000) -> bytes:
    builder = BatchBuilder()
    for value in values:
        builder.append(timestamp_ms, None, value)
    return bytes(builder.build())


def read_frame(connection: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    return _exactly(connection, size)


def ask(connection: socket.socket, api_key: int, version: int, message: Message) -> Message:
    connection.sendall(frame(api_key, version, message))
    answer = memoryview(read_frame(connection))
    api = APIS[api_key]
    return api.decode_response_untrusted(answer, 4 + api.response_header_version(version), version)


def create_topics(connection: socket.socket, names: Iterable[str], partitions: int) -> None:
    request = CreateTopicsRequest([CreatableTopic(name, partitions, 1) for name in names], 60_000)
    answer = ask(connection, CREATE_TOPICS, 7, request)
    for topic in answer.topics:  # type: ignore[attr-defined]
        if topic.error_code:
            raise SystemExit(f"{topic.name}: error {topic.error_code} {topic.error_message}")


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        got = connection.recv(size - len(data))
        if not got:
            raise SystemExit("the broker closed the connection")
        data += got
    return bytes(data)
