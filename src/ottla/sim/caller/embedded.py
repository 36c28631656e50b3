"""The bytes that members of a group have for each other: subscriptions and assignments, version 0 of
the "consumer" protocol, as whose beginning newer ones can be read too. The broker carries them; worlds
write and read them."""

import struct
from typing import Final

from ottla.sim.group_operation import Place

_VERSION: Final = b"\x00\x00"
_NO_USER_DATA: Final = b"\xff\xff\xff\xff"


def subscription(topics: tuple[str, ...]) -> bytes:
    names = b"".join(_text(topic) for topic in topics)
    return _VERSION + struct.pack(">i", len(topics)) + names + _NO_USER_DATA


def subscribed(data: bytes) -> tuple[str, ...]:
    """The topics in a `subscription`."""
    (count,) = struct.unpack_from(">i", data, 2)
    at = 6
    topics = []
    for _ in range(count):
        topic, at = _read_text(data, at)
        topics.append(topic)
    return tuple(topics)


def assignment(naming: str, places: tuple[Place, ...]) -> bytes:
    """`naming`: what the leader calls it, so that it can be told from all others."""
    pieces = [_VERSION, struct.pack(">i", len(places))]
    for topic, partition in places:
        pieces += [_text(topic), struct.pack(">ii", 1, partition)]
    name = naming.encode()
    return b"".join([*pieces, struct.pack(">i", len(name)), name])


def assigned(data: bytes) -> tuple[str, tuple[Place, ...]]:
    """(name, partitions) of an `assignment`, also of one that has no name; of none, nothing."""
    if not data:
        return "", ()
    (count,) = struct.unpack_from(">i", data, 2)
    at = 6
    places = []
    for _ in range(count):
        topic, at = _read_text(data, at)
        (partitions,) = struct.unpack_from(">i", data, at)
        places += [(topic, one) for one in struct.unpack_from(f">{partitions}i", data, at + 4)]
        at += 4 + 4 * partitions
    (size,) = struct.unpack_from(">i", data, at)
    return data[at + 4 : at + 4 + max(0, size)].decode(), tuple(places)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + size].decode(), at + 2 + size
