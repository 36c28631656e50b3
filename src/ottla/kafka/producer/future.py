"""What `send` returns: a view of a record on its way, with kafka-python's methods.

No future is made per record: the fate is the batch's, and this is a `Delivery`, a view of it. Waiting for one
record waits for its batch. Callbacks run on the thread of the client, batch by batch, in the order of
the records; what they raise is logged.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import ClassVar, NamedTuple, Protocol

from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.fate import Delivered
from ottla.errors import OttlaError
from ottla.kafka.arguments import Callback
from ottla.kafka.errors import IllegalStateError, KafkaTimeoutError
from ottla.kafka.loop import Logged, LoopThread
from ottla.kafka.translation import translated
from ottla.types import TopicPartition


class RecordMetadata(NamedTuple):
    """Where a record is. Sizes of what is None are -1; `checksum` has been None since Kafka 0.11."""

    topic: str
    partition: int
    topic_partition: TopicPartition
    offset: int
    timestamp: int
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    serialized_header_size: int


class _Session(Protocol):
    @property
    def is_ours(self) -> bool: ...
    @property
    def thread(self) -> LoopThread: ...


class Line(Protocol):
    """What a producer has open. `guard`: the lock under which a fate becomes known."""

    @property
    def guard(self) -> AbstractContextManager[object]: ...
    @property
    def session(self) -> _Session: ...


class FutureRecordMetadata(Delivery):
    """`get()` waits and returns a `RecordMetadata`, or raises why the record is not delivered.

    Each producer has a subclass of its own (`futures_of`), which knows the producer.
    """

    __slots__ = ()

    _line: ClassVar[Line]

    def __repr__(self) -> str:
        """Begins as kafka-python's does: notebooks print it, and tutorials show what is printed."""
        kind = type(self)
        return (
            f"<{kind.__module__}.{kind.__qualname__} for {self.topic}-{self.partition}: "
            f"{self._state()}>"
        )

    def _state(self) -> str:
        if not self.done:
            return "on its way"
        if self.error is not None:
            return f"failed, {self.error}"
        offset = self.result().offset
        return "sent" if offset < 0 else f"at offset {offset}"

    # ---- asked

    @property
    def is_done(self) -> bool:
        return self.done

    @property
    def value(self) -> RecordMetadata | None:
        """None before it is delivered."""
        return _metadata(self.result()) if self.succeeded() else None

    @property
    def exception(self) -> Exception | None:
        """None unless it failed."""
        return self._exception() if self.done else None

    def succeeded(self) -> bool:
        return self.done and self.error is None

    def failed(self) -> bool:
        return self.done and self.error is not None

    def retriable(self) -> bool:
        """Has it failed in a way that may pass?"""
        return bool(getattr(self.exception, "retriable", False))

    def get(self, timeout: float | None = None) -> RecordMetadata:
        """Wait up to `timeout` seconds. Raises KafkaTimeoutError, or what went wrong."""
        if not self.done:
            self._wait(timeout)
        error = self._exception()
        if error is not None:
            raise error
        return _metadata(self.result())

    # ---- told

    def add_callback(self, f: Callback, *args: object, **kwargs: object) -> "FutureRecordMetadata":
        """`f(*args, metadata, **kwargs)` once it is delivered."""
        self._tell(partial(f, *args, **kwargs), None)
        return self

    def add_errback(self, f: Callback, *args: object, **kwargs: object) -> "FutureRecordMetadata":
        """`f(*args, exception, **kwargs)` if it fails."""
        self._tell(None, partial(f, *args, **kwargs))
        return self

    def add_both(self, f: Callback, *args: object, **kwargs: object) -> "FutureRecordMetadata":
        """`f` with what it came to, either way."""
        both = partial(f, *args, **kwargs)
        self._tell(both, both)
        return self

    def chain(self, future: "Chained") -> "FutureRecordMetadata":
        """`future` ends as this one does."""
        self._tell(future.success, future.failure)
        return self

    # ---- inside

    def _tell(
        self,
        succeeded: "Callable[[RecordMetadata], object] | None",
        failed: "Callable[[Exception], object] | None",
    ) -> None:
        def tell(_: object = None) -> None:
            error = self._exception()
            with Logged("delivery callback"):
                if error is None and succeeded is not None:
                    succeeded(_metadata(self.result()))
                elif error is not None and failed is not None:
                    failed(error)

        if not self._when_done(tell):
            tell()

    def _when_done(self, callback: Callable[[object], None]) -> bool:
        """`callback` will be called; False: the fate is known already."""
        with self._line.guard:
            # A fate becomes known under the guard, and is told after: nothing falls in between.
            if self.done:
                return False
            self.add_done_callback(callback)
            return True

    def _wait(self, timeout_s: float | None) -> None:
        if not self._line.session.is_ours:
            raise IllegalStateError("this record was sent by the process that this one comes from")
        if self._line.session.thread.is_current:
            raise IllegalStateError("get() in a callback would wait for itself: use add_callback")
        known = threading.Event()
        if self._when_done(lambda _: known.set()) and not known.wait(timeout_s):
            batch, _ = self._batch.holder_of(self._index)
            because = "" if batch.reason is None else f": {batch.reason}"
            raise KafkaTimeoutError(
                f"no acknowledgment within {timeout_s} s{because}; the record for "
                f"{self.topic}-{self.partition} is still on its way"
            )

    def _exception(self) -> Exception | None:
        error = self.error
        if error is None:
            return None
        made = translated(error)
        place = TopicPartition(self.topic, self.partition)
        if getattr(made, "topic_partition", place) is None:
            made.topic_partition = place  # type: ignore[attr-defined]
        return made


def futures_of(line: Line) -> type[FutureRecordMetadata]:
    """The class of one producer's futures: what all of them share is said once."""
    named = {"__slots__": (), "__module__": __name__, "_line": line}
    return type(FutureRecordMetadata.__name__, (FutureRecordMetadata,), named)


def refused(
    kind: type[FutureRecordMetadata], topic: str, partition: int, error: OttlaError
) -> FutureRecordMetadata:
    """The future of a record that was never taken."""
    batch = RecordBatch(topic, partition, (), _never)
    batch.fail(error)
    batch.announce()
    return kind.of(batch, 0)


async def _never(batch: RecordBatch) -> None:
    raise AssertionError(f"{batch} was done from the start")


class Chained(Protocol):
    """A future that somebody else waits for."""

    def success(self, value: object) -> object: ...
    def failure(self, e: Exception) -> object: ...


def _metadata(found: Delivered) -> RecordMetadata:
    return RecordMetadata(
        found.topic,
        found.partition,
        TopicPartition(found.topic, found.partition),
        found.offset,
        found.timestamp_ms,
        None,
        found.key_size,
        found.value_size,
        found.headers_size,
    )
