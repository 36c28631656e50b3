"""The words every layer speaks: ids, offsets, epochs, and the bytes a reply may carry.

Ids are `NewType`s so that a partition number never meets a broker id; they cost nothing at run time.
A uuid is its 16 bytes everywhere inside; only the edges (files, command line) know its text form.

Elsewhere: what these numbers mean to the log, see `core/log`; to the protocol, `wire`.
"""

import base64
import binascii
from typing import Final, NamedTuple, NewType, Protocol

BrokerId = NewType("BrokerId", int)
Offset = NewType("Offset", int)
LeaderEpoch = NewType("LeaderEpoch", int)
ProducerId = NewType("ProducerId", int)

Uuid = bytes
"""16 bytes, big-endian, as on the wire."""

ZERO_UUID: Final[Uuid] = bytes(16)
METADATA_TOPIC: Final = "__cluster_metadata"
METADATA_TOPIC_ID: Final[Uuid] = bytes(15) + b"\x01"

NO_PRODUCER_ID: Final = -1
NO_PRODUCER_EPOCH: Final = -1
NO_SEQUENCE: Final = -1
NO_TIMESTAMP: Final = -1
NO_LEADER: Final = -1
NO_EPOCH: Final = -1


class TopicPartition(NamedTuple):
    """A partition by its topic's name; `str()` is Kafka's directory name."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Payload(Protocol):
    """Bytes that may not be in memory yet: a reply carries them, the shell moves them.

    `bytes` and `memoryview` are payloads; so is `core.port.FileSlice`, of which only the length is
    known until it is sent.
    """

    def __len__(self) -> int: ...


def uuid_to_text(uuid: Uuid) -> str:
    """The 22 characters Kafka prints: base64url without padding."""
    return base64.urlsafe_b64encode(uuid).rstrip(b"=").decode("ascii")


def uuid_from_text(text: str) -> Uuid:
    """The reverse of `uuid_to_text`. Raises ValueError naming the text when it is not a uuid."""
    try:
        uuid = base64.urlsafe_b64decode(text + "==")
    except (binascii.Error, ValueError):
        uuid = b""
    if len(uuid) != 16:
        raise ValueError(f"{text!r} is not a uuid: 22 characters of base64url are expected")
    return uuid
