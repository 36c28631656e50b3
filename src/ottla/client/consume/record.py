"""A record as an application gets it, and the values that travel with offsets.

`ConsumedRecord` has kafka-python's thirteen fields in its order. It is a plain named tuple, so that a
whole batch of them is made in one pass of C; see `columns.py`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

CREATE_TIME: Final = 0
LOG_APPEND_TIME: Final = 1

Headers = Sequence[tuple[str, bytes | None]]


class ConsumedRecord(NamedTuple):
    """`timestamp_type` 0: the producer's clock, 1: the broker's. `checksum`: None since Kafka 0.11.

    Sizes are -1 for what is missing.
    """

    topic: str
    partition: int
    leader_epoch: int | None
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    serialized_header_size: int


class OffsetAndMetadata(NamedTuple):
    """What is committed for a partition: the next offset to read. `leader_epoch` -1: unknown."""

    offset: int
    metadata: str = ""
    leader_epoch: int = -1


class OffsetAndTimestamp(NamedTuple):
    """The first record at or after a time."""

    offset: int
    timestamp: int
    leader_epoch: int = -1


class GroupMetadata(NamedTuple):
    """Who a consumer is in its group, for those who commit on its behalf (KIP-447)."""

    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None
