"""How a record's way may end: `Delivered`, or one of these errors.

What a broker refused is an `ApiError` with the broker's code; here is what the producer itself has to
say. Each is an `OttlaError`, and its message names topic, partition, limit and way out.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ottla.errors import LocalProtocolError, OttlaError

NO_OFFSET: Final = -1


class BufferFull(OttlaError):
    """`buffer_memory` is used up. The record was not taken; the same call may succeed later."""


class RecordTooLarge(LocalProtocolError):
    """A record that can be in no request of this producer. It was not taken."""


class TopicUnknown(OttlaError):
    """`append` before the topic's partitions are known: `await producer.topic(name)` first."""


class ProducerClosed(OttlaError):
    """The producer was closed; with a record that was under way: it was not delivered in time."""


class DeliveryTimedOut(OttlaError):
    """`delivery_timeout_ms` passed. The message says what stood in the way last."""


class FlushTimedOut(OttlaError):
    """`flush` was given less time than delivery takes. What is under way stays so."""


class ProducerFenced(OttlaError):
    """The brokers accept nothing from this producer any more; a new one has to be made."""


class Undelivered(OttlaError):
    """`close` could not deliver everything. `counts`: records per topic that were dropped."""

    def __init__(self, counts: Mapping[str, int], reason: str | None = None) -> None:
        self.counts = dict(counts)
        self.reason = reason
        told = ", ".join(f"{count:,} of topic '{name}'" for name, count in self.counts.items())
        because = "" if reason is None else f"; the last reason was: {reason}"
        super().__init__(f"not delivered when the producer was closed: {told}{because}")


class Delivered(NamedTuple):
    """Where a record is. `offset` -1: nobody said (acks=0). Sizes of what is None are -1."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_size: int
    value_size: int
    headers_size: int
