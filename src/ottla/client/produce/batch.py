"""One batch of one partition: records gathered, then bytes, then a fate.

Open: records are added until `room` is used up. Built: the bytes exist, the records are let go of
(whoever keeps a `Delivery` keeps numbers, not data). Done: delivered or failed, and the callbacks are
due. A batch that a broker finds too large is split into `parts`, which then carry the records and
whoever waits for them.

Promises: uncompressed, the encoding never exceeds `held_bytes`; a batch that was built once keeps its bytes,
only the producer's identity and sequence are stamped anew.

Elsewhere: which batch is sent when, `lane.py` and `sender.py`.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla.client.produce.fate import NO_OFFSET, Delivered
from ottla.errors import ApiError, LocalProtocolError, OttlaError
from ottla.record.batch import Batch
from ottla.record.builder import assemble, stamp_producer
from ottla.record.columns import Lengths, encode_columns, lengths_of
from ottla.record.compress import NONE, compress
from ottla.record.record import Headers, records_untrusted
from ottla.types import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE

RECORD_OVERHEAD_BYTES: Final = 15
"""At most so much stands around a value of up to a megabyte that has neither key nor headers, in a
batch whose timestamps are less than half an hour apart. What needs more counts more."""

_as_tuple: Final = tuple.__new__
"""What a NamedTuple's own `__new__` does, in a third of the time."""

NEAR_MS: Final = 1 << 19
"""Timestamps that are no farther apart have deltas as small as that allows for."""

_DECODED_BYTES_MAX: Final = 2**31 - 1

Wait = Callable[["RecordBatch"], Awaitable[None]]
"""The shell's way to wait until a batch is done."""


class Draft(NamedTuple):
    """A record that has no offset yet. `timestamp_ms` None: now."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None


class Identity(NamedTuple):
    """Who the brokers take a producer for; the defaults are nobody in particular."""

    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


NOBODY: Final = Identity()


@final
class RecordBatch:
    """`room`: bytes that may still be added. `order` sorts the batches of a partition."""

    __slots__ = (
        "attempts",
        "base_offset",
        "base_sequence",
        "built",
        "callbacks",
        "created_ms",
        "error",
        "headers",
        "held_bytes",
        "identity",
        "is_announced",
        "is_closed",
        "is_done",
        "is_sent",
        "is_uncertain",
        "is_untraceable",
        "key_lengths",
        "keys",
        "last_timestamp_ms",
        "leader_epoch",
        "log_append_time_ms",
        "order",
        "partition",
        "parts",
        "ratio",
        "reason",
        "record_count",
        "record_errors",
        "retry_at_ms",
        "room",
        "stamped",
        "timestamps",
        "topic",
        "value_lengths",
        "values",
        "wait",
        "watchers",
    )

    def __init__(self, topic: str, partition: int, order: tuple[int, ...], wait: Wait) -> None:
        self.topic = topic
        self.partition = partition
        self.order = order
        self.created_ms = 0.0
        self.wait = wait
        # ---- the records, while it is open
        self.room = 0
        self.values: list[bytes | None] = []
        self.keys: list[bytes | None] | None = None
        self.headers: dict[int, Headers] = {}
        self.timestamps: list[tuple[int, int]] = []
        self.last_timestamp_ms = -(1 << 63)
        self.held_bytes = 0
        """Of `buffer_memory`."""
        self.is_closed = False
        self.record_count = 0
        """Right once it is closed; before, `len(values)` is."""
        # ---- the bytes, once it is built
        self.built: bytearray | None = None
        self.ratio = 1.0
        """How much of the records' bytes compression left."""
        self.value_lengths: Lengths = []
        self.key_lengths: Lengths | None = None
        self.stamped: tuple[Identity, int] | None = None
        # ---- under way
        self.identity = NOBODY
        self.base_sequence = NO_SEQUENCE
        self.attempts = 0
        self.is_sent = False
        """A request with it has no answer yet."""
        self.is_uncertain = False
        """An attempt under this identity may have been stored, for all that is known."""
        self.is_untraceable = False
        """It may be stored, and if it is, no broker would show it."""
        self.retry_at_ms = 0.0
        self.leader_epoch = -1
        self.reason: str | None = None
        """Why the last attempt did not succeed."""
        # ---- the fate
        self.is_done = False
        self.is_announced = False
        """From now on whoever asks is told at once; set under the guard, as `is_done` is."""
        self.error: OttlaError | None = None
        self.base_offset = NO_OFFSET
        self.log_append_time_ms = -1
        self.record_errors: Mapping[int, str] = {}
        """What a broker said of single records when it refused them (KIP-467)."""
        self.callbacks: deque[tuple[int, Callable[[], None]]] = deque()
        self.watchers: deque[Callable[[RecordBatch], None]] = deque()
        self.parts: list[tuple[int, RecordBatch]] = []
        """(index of its first record here, the batch that has it now), ascending."""

    # ---- records

    def add_rare(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: Headers,
        timestamp_ms: int,
    ) -> int:
        """Add any record; returns its index. `accumulator.py` adds plain ones itself."""
        index = len(self.values)
        self.values.append(value)
        if self.keys is not None:
            self.keys.append(key)
        elif key is not None:
            self.keys = [None] * index
            self.keys.append(key)
        if headers:
            self.headers[index] = headers
        if timestamp_ms != self.last_timestamp_ms:
            self.last_timestamp_ms = timestamp_ms
            self.timestamps.append((index, timestamp_ms))
        return index

    def turn(self, timestamp_ms: int) -> bool:
        """The next record has another timestamp; False: it is not near, or no plain number."""
        base_ms = self.timestamps[0][1]
        if type(timestamp_ms) is not int or not base_ms <= timestamp_ms < base_ms + NEAR_MS:
            return False
        self.last_timestamp_ms = timestamp_ms
        self.timestamps.append((len(self.values), timestamp_ms))
        return True

    def add_all(self, records: Sequence[bytes | Draft], timestamp_ms: int) -> None:
        """Add what was handed over together; it has room for them. Plain bytes are values."""
        if set(map(type, records)) == {bytes}:
            self.values = list(records)  # type: ignore[arg-type]  # there is no Draft among them
            self.timestamps = [(0, timestamp_ms)]
            return
        for record in records:
            draft = record if isinstance(record, Draft) else Draft(bytes(record))
            at_ms = timestamp_ms if draft.timestamp_ms is None else draft.timestamp_ms
            value = None if draft.value is None else bytes(draft.value)
            key = None if draft.key is None else bytes(draft.key)
            self.add_rare(value, key, draft.headers, at_ms)

    def close(self) -> int:
        """Nothing is added any more. Returns how many bytes it held and did not need."""
        assert not self.is_closed
        self.is_closed = True
        self.record_count = len(self.values)
        spare_bytes = self.room
        self.held_bytes -= spare_bytes
        # Whoever adds looks at the room only.
        self.room = -1
        return spare_bytes

    def build(self, codec: int, level: int | None) -> bytearray:
        """The bytes, with identity and sequence as they are now."""
        wanted = (self.identity, self.base_sequence)
        if self.built is not None:
            if self.stamped != wanted:
                stamp_producer(self.built, *self.identity, self.base_sequence)
                self.stamped = wanted
            return self.built
        assert self.is_closed, "an open batch would not notice what is added"
        self.value_lengths = lengths_of(self.values)
        if self.keys is not None:
            self.key_lengths = lengths_of(self.keys)
        pieces: Sequence[bytes] = encode_columns(
            self.values,
            self.value_lengths,
            self.keys,
            self.key_lengths,
            self.headers,
            self.timestamps,
        )
        if codec != NONE:
            whole = b"".join(pieces)
            small = compress(codec, whole, level)
            self.ratio = len(small) / len(whole)
            pieces = (small,)
        self.built = assemble(
            *pieces,
            attributes=codec,
            last_offset_delta=self.record_count - 1,
            base_timestamp=self.timestamps[0][1],
            max_timestamp=max(timestamp for _, timestamp in self.timestamps),
            record_count=self.record_count,
            producer_id=self.identity.producer_id,
            producer_epoch=self.identity.producer_epoch,
            base_sequence=self.base_sequence,
        )
        self.stamped = wanted
        self.values, self.keys = [], None
        return self.built

    def records(self) -> list[Draft]:
        """The records once more, from the bytes or from before."""
        if self.built is None:
            keys = self.keys or [None] * len(self.values)
            return [
                Draft(value, keys[index], self.headers.get(index, ()), self._timestamp_of(index))
                for index, value in enumerate(self.values)
            ]
        batch = Batch(self.built, 0)
        batch.data = memoryview(self.built)
        return [
            Draft(record.value, record.key, record.headers, record.timestamp_ms)
            for record in records_untrusted(batch, limit=_DECODED_BYTES_MAX)
        ]

    @property
    def wire_bytes_max(self) -> int:
        """At most so much of a request."""
        if self.built is not None:
            return len(self.built)
        return self.held_bytes - max(self.room, 0)

    # ---- the fate

    def succeed(self, base_offset: int, log_append_time_ms: int) -> None:
        """It is stored. -1: nobody said where; the producer's timestamps count."""
        self.base_offset = base_offset
        self.log_append_time_ms = log_append_time_ms
        self._end()

    def fail(self, error: OttlaError) -> None:
        """It was given up."""
        self.error = error
        self._end()

    def _end(self) -> None:
        assert not self.is_done, f"{self!r} ends twice"
        if self.built is None:
            self.value_lengths = lengths_of(self.values)
            self.key_lengths = None if self.keys is None else lengths_of(self.keys)
        # What a kept `Delivery` needs is numbers.
        self.values, self.keys, self.built = [], None, None
        # Last: another thread may look, and must find the rest as it is.
        self.is_done = True

    def holder_of(self, index: int) -> "tuple[RecordBatch, int]":
        """(the batch that has this record now, its index there)."""
        batch = self
        while batch.parts:
            first, part = batch.parts[0]
            for start, candidate in batch.parts[1:]:
                if start > index:
                    break
                first, part = start, candidate
            batch, index = part, index - first
        return batch, index

    def leaves(self) -> "list[RecordBatch]":
        """This one, or what it was split into."""
        if not self.parts:
            return [self]
        return [leaf for _, part in self.parts for leaf in part.leaves()]

    def give_way(self, parts: "Sequence[RecordBatch]") -> None:
        """`parts` have the records now, and whoever waits for them."""
        placed: list[tuple[int, RecordBatch]] = []
        first = 0
        for part in parts:
            placed.append((first, part))
            part.watchers = self.watchers.copy()
            first += part.record_count
        # At once: another thread may look.
        self.parts = placed
        for index, callback in self.callbacks:
            holder, place = self.holder_of(index)
            holder.callbacks.append((place, callback))
        self.callbacks.clear()
        self.watchers.clear()
        self.built = None

    def announce(self) -> None:
        """Tell everybody who asked, each once; where one of them raises, the next call goes on.

        Not to be called with the guard held: they may call back.
        """
        while self.callbacks:
            self.callbacks.popleft()[1]()
        while self.watchers:
            self.watchers.popleft()(self)

    def delivered(self, index: int) -> Delivered:
        """Where a record is. Raises why it is nowhere."""
        if self.error is not None:
            error = self.error_of(index)
            assert error is not None
            raise error
        if not self.is_done:
            raise LocalProtocolError(f"a record for {self.topic}-{self.partition} is on its way")
        timestamp_ms = self.log_append_time_ms
        if timestamp_ms < 0:
            timestamp_ms = self._timestamp_of(index)
        offset = self.base_offset
        return _as_tuple(
            Delivered,
            (
                self.topic,
                self.partition,
                offset + index if offset >= 0 else NO_OFFSET,
                timestamp_ms,
                -1 if self.key_lengths is None else self.key_lengths[index],
                self.value_lengths[index],
                self._headers_bytes(index) if self.headers else -1,
            ),
        )

    def error_of(self, index: int) -> OttlaError | None:
        """A record that a broker named has an error of its own."""
        if self.record_errors and isinstance(self.error, ApiError):
            what = self.record_errors.get(index, "another record of its batch was refused")
            return ApiError(self.error.code, f"{self.topic}-{self.partition}: {what}")
        return self.error

    def _timestamp_of(self, index: int) -> int:
        timestamps = self.timestamps
        if len(timestamps) == 1:
            return timestamps[0][1]
        found = timestamps[0][1]
        for first, timestamp in self.timestamps:
            if first > index:
                break
            found = timestamp
        return found

    def _headers_bytes(self, index: int) -> int:
        headers = self.headers.get(index)
        if headers is None:
            return -1
        return sum(len(name.encode()) + len(content or b"") for name, content in headers)

    def __repr__(self) -> str:
        count = self.record_count if self.is_closed else len(self.values)
        return f"<RecordBatch {self.order} of {count} for {self.topic}-{self.partition}>"
