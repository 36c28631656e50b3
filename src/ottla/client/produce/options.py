"""What a producer may be told, in one frozen value.

The names are Kafka's producer configurations with their units; the defaults are Kafka's where
kafka-python 3 has the same (`linger_ms` is 0 there and 5 since Kafka 4.0). How long one request may
take and how retries are spaced is `ConnectionOptions`.

Promises: a combination that could not keep its word is refused when it is made, with both names.
Transactions are not there yet: `transactional_id` is refused and not ignored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ottla.client.produce.partitioner import Partitioner
from ottla.errors import LocalProtocolError
from ottla.limits import INT_MAX

ACKS_ALL: Final = -1
IN_FLIGHT_MAX: Final = 5
"""A broker remembers so many batches of a producer per partition (KIP-98)."""

_CODEC_MAX: Final = 4

PartitionChoice = Callable[[bytes | None, Sequence[int], Sequence[int]], int]
"""A partitioner as a function: (key, all partitions, those with a leader) -> one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerOptions:
    """`codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. `partitioner` None: Kafka's own (KIP-794)."""

    acks: int = ACKS_ALL
    linger_ms: int = 0
    batch_size: int = 16_384
    """Where a batch is full, before compression; a larger record is alone in its batch."""
    buffer_memory: int = 32 * 1024 * 1024
    codec: int = 0
    level: int | None = None
    max_request_size: int = 1_048_576
    """Of one request, and of one record."""
    max_in_flight: int = IN_FLIGHT_MAX
    """Requests without an answer, per broker."""
    retries: int = INT_MAX
    delivery_timeout_ms: int = 120_000
    """From `append` to the record's fate."""
    enable_idempotence: bool = True
    """Never twice and in order (KIP-98), where the broker knows how."""
    partitioner: Partitioner | PartitionChoice | None = None
    max_block_ms: int = 60_000
    """How long `send` waits for metadata and for room."""
    allow_auto_create: bool = True
    """A broker that creates topics by itself may do so."""
    spreads_batches: bool = False
    """Each batch of records without key goes to another partition; else each `batch_size` bytes do
    (KIP-794). With few records at a time, that is the difference between all partitions and one."""
    unreachable_attempts_max: int | None = None
    """After so many failures in a row to reach an advertised address, with nothing ever delivered,
    everything fails with the explanation. None: only `delivery_timeout_ms` counts."""
    transactional_id: str | None = None

    def __post_init__(self) -> None:
        if self.transactional_id is not None:
            raise LocalProtocolError(
                f"transactional_id {self.transactional_id!r}: this producer has no transactions"
            )
        if self.acks not in (-1, 0, 1):
            raise LocalProtocolError(f"acks {self.acks}: -1 (all), 0 or 1 is expected")
        if not 0 <= self.codec <= _CODEC_MAX:
            raise LocalProtocolError(f"codec {self.codec}: 0 to {_CODEC_MAX} is expected")
        if self.enable_idempotence and self.acks != ACKS_ALL:
            raise LocalProtocolError(
                f"enable_idempotence needs acks -1, not {self.acks}: who does not wait for all in-sync "
                "replicas cannot know what is stored"
            )
        if self.enable_idempotence and self.max_in_flight > IN_FLIGHT_MAX:
            raise LocalProtocolError(
                f"enable_idempotence needs max_in_flight of at most {IN_FLIGHT_MAX}, not "
                f"{self.max_in_flight}: brokers remember no more batches"
            )
        if self.enable_idempotence and self.retries == 0:
            raise LocalProtocolError(
                "enable_idempotence needs retries; they are what it makes safe"
            )
        self._check_numbers()

    @property
    def sticky_bytes(self) -> int:
        """So much goes to one partition, or one batch."""
        return 0 if self.spreads_batches else self.batch_size

    def _check_numbers(self) -> None:
        at_least = {
            "linger_ms": (self.linger_ms, 0),
            "batch_size": (self.batch_size, 0),
            "buffer_memory": (self.buffer_memory, 1),
            "max_request_size": (self.max_request_size, 1),
            "max_in_flight": (self.max_in_flight, 1),
            "retries": (self.retries, 0),
            "delivery_timeout_ms": (self.delivery_timeout_ms, 1),
            "max_block_ms": (self.max_block_ms, 0),
        }
        for name, (value, low) in at_least.items():
            if value < low:
                raise LocalProtocolError(f"{name} {value}: at least {low} is expected")
