"""Requests that are small and ask for much: the longest arrays, the same thing many times, alike names.

Every one is well formed. What it may cost is bounded by how many bytes it has, not by what it names.
"""

import struct
from collections.abc import Callable, Iterator

from ottla.wire.api import APIS
from tests.fuzz.grammar import uvarint


def _head(key: int, version: int) -> bytes:
    header = struct.pack(">hhi", key, version, 1) + b"\0\0"
    return header + b"\0" if APIS[key].request_header_version(version) == 2 else header


def _text(value: bytes) -> bytes:
    return struct.pack(">h", len(value)) + value


def _compact(value: bytes) -> bytes:
    return uvarint(len(value) + 1) + value


def _many(count: int, element: bytes) -> bytes:
    return struct.pack(">i", count) + element * count


def _compact_many(count: int, element: bytes) -> bytes:
    return uvarint(count + 1) + element * count


def _each(count: int, element: Callable[[int], bytes]) -> bytes:
    return b"".join(element(number) for number in range(count))


def absurd(topic: bytes, broker_id: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """(what it is, the request without its size). `topic` exists, with one partition at least."""
    one_offset = struct.pack(">iiq", 0, -1, 5)
    one_fetch = struct.pack(">iiqqi", 0, -1, 0, -1, 2**31 - 1)
    fetch = struct.pack(">iiiibii", -1, 0, 1, 2**31 - 1, 0, 0, -1)
    new_session = struct.pack(">iiiibii", -1, 0, 1, 2**31 - 1, 0, 0, 0)
    of_topic = struct.pack(">i", 1) + _text(topic)
    validate = struct.pack(">i?", 0, True) + b"\0"
    yield "Metadata, one topic", _head(3, 1) + _many(count, _text(topic))
    yield (
        "Metadata, unknown topics",
        _head(3, 8)
        + struct.pack(">i", count)
        + _each(count, lambda n: _text(b"u%d" % n))
        + bytes(3),
    )
    yield (
        "ListOffsets by time",
        _head(2, 5) + struct.pack(">ib", -1, 0) + of_topic + _many(count, one_offset),
    )
    yield (
        "Fetch, one partition",
        _head(1, 11) + fetch + of_topic + _many(count, one_fetch) + bytes(4) + bytes(2),
    )
    yield (
        "Fetch, a session of unknown partitions",
        _head(1, 11)
        + new_session
        + of_topic
        + struct.pack(">i", count)
        + _each(count, lambda n: struct.pack(">iiqqi", n, -1, 0, -1, 1))
        + bytes(6),
    )
    yield (
        "Produce, no records",
        _head(0, 8)
        + struct.pack(">hhi", -1, 1, 0)
        + of_topic
        + _many(count, b"\0\0\0\0\xff\xff\xff\xff"),
    )
    yield "FindCoordinator", _head(10, 4) + b"\0" + _compact_many(count, _compact(b"g")) + b"\0"
    yield (
        "CreateTopics, validate only",
        _head(19, 5)
        + uvarint(count + 1)
        + _each(count, lambda n: _compact(b"a_b.c%d" % n) + struct.pack(">ih", 1, 1) + b"\1\1\0")
        + validate,
    )
    yield (
        "CreateTopics, one replica list",
        _head(19, 5)
        + uvarint(2)
        + _compact(b"n")
        + struct.pack(">ih", -1, -1)
        + uvarint(2)
        + bytes(4)
        + uvarint(count + 1)
        + _each(count, lambda n: struct.pack(">i", n))
        + b"\0\1\0"
        + validate,
    )
    yield (
        "DeleteTopics, unknown",
        _head(20, 6)
        + uvarint(count + 1)
        + _each(count, lambda n: _compact(b"u%d" % n) + bytes(17))
        + bytes(5),
    )
    yield (
        "DeleteRecords",
        _head(21, 1) + of_topic + _many(count, struct.pack(">iq", 0, 0)) + bytes(4),
    )
    yield (
        "OffsetForLeaderEpoch",
        _head(23, 3)
        + struct.pack(">i", -1)
        + of_topic
        + _many(count, struct.pack(">iii", 0, -1, 0)),
    )
    yield (
        "DescribeConfigs, one broker",
        _head(32, 4) + _compact_many(count, b"\4" + _compact(broker_id) + b"\0\0") + b"\1\1\0",
    )
    yield (
        "DescribeConfigs, one topic",
        _head(32, 4) + _compact_many(count, b"\2" + _compact(topic) + b"\0\0") + b"\1\1\0",
    )
    yield (
        "DescribeConfigs, keys",
        _head(32, 4)
        + _compact_many(
            1, b"\4" + _compact(broker_id) + _compact_many(count, _compact(b"k")) + b"\0"
        )
        + b"\1\1\0",
    )
    yield (
        "CreatePartitions",
        _head(37, 2)
        + uvarint(count + 1)
        + _each(count, lambda n: _compact(b"u%d" % n) + struct.pack(">i", 1) + b"\0\0")
        + validate,
    )
    yield (
        "DescribeProducers",
        _head(61, 0) + uvarint(2) + _compact(topic) + _compact_many(count, bytes(4)) + b"\0\0",
    )
    yield (
        "DescribeTopicPartitions",
        _head(75, 0)
        + _compact_many(count, _compact(topic) + b"\0")
        + struct.pack(">i", 2_000)
        + b"\xff\0",
    )
