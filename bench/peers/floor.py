"""The least that a broker can do with a batch: receive it, test its checksum, write it to a file.

One connection at a time, blocking, no asyncio, no log, no index; it understands only the requests of
these benchmarks, by where things stand in them. Arguments: a port, and a directory for its file.
"""

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

from ottla.record.crc import crc32c
from ottla.wire.api import API_VERSIONS, APIS, METADATA, PRODUCE
from ottla.wire.header import encode_response
from ottla.wire.message.api_versions import ApiVersion, ApiVersionsResponse
from ottla.wire.message.metadata import MetadataResponse
from ottla.wire.message.produce import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)

BUFFER_BYTES: Final = 4 << 20
CRC_AT: Final = 17
CRC_FROM: Final = 21
HEADER_BYTES: Final = 8 + 2 + len("bench") + 1
"""Of a request: key, version, correlation id, client id, no tags."""
NAME_AT: Final = HEADER_BYTES + 1 + 2 + 4 + 1 + 1
"""Of a Produce with one topic, behind its transactional id, acks, timeout and two lengths."""


def answer(api_key: int, version: int, response: object) -> bytes:
    api = APIS[api_key]
    body = api.encode_response(response, version)  # type: ignore[arg-type]
    return b"".join(bytes(chunk) for chunk in encode_response(api, version, 1, body))  # type: ignore[call-overload]


def batch_at(request: memoryview) -> tuple[bytes, int]:
    """The topic's name, and where the records of its only partition begin."""
    name_end = NAME_AT + request[NAME_AT - 1] - 1
    at = name_end + 1 + 4
    while request[at] & 0x80:
        at += 1
    return bytes(request[NAME_AT:name_end]), at + 1


def serve(connection: socket.socket, file: int) -> None:
    view = memoryview(bytearray(BUFFER_BYTES))
    answers: dict[bytes, bytes] = {}
    versions = [
        ApiVersion(PRODUCE, 0, 9),
        ApiVersion(METADATA, 0, 12),
        ApiVersion(API_VERSIONS, 0, 2),
    ]
    begin = end = 0
    while got := connection.recv_into(view[end:]):
        end += got
        while end - begin >= 4 and end - begin >= 4 + (
            size := int.from_bytes(view[begin : begin + 4])
        ):
            request = view[begin + 4 : begin + 4 + size]
            begin += 4 + size
            api_key, version = struct.unpack_from(">hh", request)
            if api_key == API_VERSIONS:
                known = answer(API_VERSIONS, version, ApiVersionsResponse(0, versions))
            elif api_key == METADATA:
                known = answer(METADATA, version, MetadataResponse())
            else:
                name, at = batch_at(request)
                length = int.from_bytes(request[at + 8 : at + 12])
                batch = request[at : at + 12 + length]
                assert crc32c(batch[CRC_FROM:]) == int.from_bytes(batch[CRC_AT:CRC_FROM])
                os.write(file, batch)
                if (found := answers.get(name)) is None:
                    rows = [PartitionProduceResponse(0, 0, 0)]
                    topic = TopicProduceResponse(name.decode(), partition_responses=rows)
                    found = answers[name] = answer(PRODUCE, version, ProduceResponse([topic]))
                known = found
            connection.sendall(known)
        if begin == end:
            begin = end = 0
        elif begin > BUFFER_BYTES // 2:
            rest = bytes(view[begin:end])
            view[: len(rest)] = rest
            begin, end = 0, len(rest)


def main() -> None:
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    file = os.open(directory / "batches", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve(connection, file)
                os.ftruncate(file, 0)


if __name__ == "__main__":
    main()
