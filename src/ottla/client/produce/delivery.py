"""What a caller holds of records that are on their way.

The fate is the batch's: one object per batch knows it, and a `Delivery` is a view of it, the batch
and the record's place in it. So a record costs no future of its own; waiting for one record waits
for its batch, and callbacks run batch by batch.

Promises: every delivery ends, with `Delivered` or with an error of `fate.py`.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Self, final

from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.fate import Delivered
from ottla.errors import OttlaError


class Delivery:
    """One record's fate. To be awaited, asked, or told of by a callback.

    Another interface may give it other names, in a subclass without slots. There is no `__init__`: who
    takes a record sets both attributes himself, as a call with arguments costs twice as much.
    """

    __slots__ = ("_batch", "_index")

    _batch: RecordBatch
    _index: int

    @classmethod
    def of(cls, batch: RecordBatch, index: int) -> Self:
        """The record's with that place in the batch."""
        delivery = cls()
        delivery._batch = batch
        delivery._index = index
        return delivery

    @property
    def topic(self) -> str:
        return self._batch.topic

    @property
    def partition(self) -> int:
        return self._batch.partition

    @property
    def done(self) -> bool:
        """Is the fate known?"""
        return self._batch.holder_of(self._index)[0].is_done

    @property
    def error(self) -> OttlaError | None:
        """Why it was not delivered; None: it was, or that is not known yet."""
        batch, index = self._batch.holder_of(self._index)
        return batch.error_of(index)

    def result(self) -> Delivered:
        """Where the record is. Raises what went wrong; LocalProtocolError before `done`."""
        batch = self._batch
        if not batch.parts:
            return batch.delivered(self._index)
        batch, index = batch.holder_of(self._index)
        return batch.delivered(index)

    def add_done_callback(self, callback: "Callable[[Delivery], None]") -> None:
        """`callback(self)` runs once the fate is known, on the loop; at once if it is."""
        batch, index = self._batch.holder_of(self._index)
        if batch.is_announced:
            callback(self)
        else:
            batch.callbacks.append((index, partial(callback, self)))

    def __await__(self) -> Generator[object, None, Delivered]:
        while True:
            batch, index = self._batch.holder_of(self._index)
            if batch.is_done:
                return batch.delivered(index)
            yield from batch.wait(batch).__await__()

    def __repr__(self) -> str:
        state = "on its way"
        if self.done:
            state = str(self.error or self.result())
        return f"<{type(self).__name__} of record {self._index} for {self.topic}-{self.partition}: {state}>"


@final
class BatchDelivery:
    """The fate of records that were handed over together; they may stand in several batches."""

    __slots__ = ("_batches", "record_count")

    def __init__(self, batches: Sequence[RecordBatch]) -> None:
        self._batches = tuple(batches)
        self.record_count = sum(batch.record_count for batch in batches)

    @property
    def done(self) -> bool:
        return all(leaf.is_done for leaf in self._leaves())

    @property
    def errors(self) -> list[OttlaError]:
        """One per batch that was not delivered."""
        return [leaf.error for leaf in self._leaves() if leaf.error is not None]

    def result(self) -> list[Delivered]:
        """Where each record is, partition by partition. Raises the first thing that went wrong."""
        return [leaf.delivered(i) for leaf in self._leaves() for i in range(leaf.record_count)]

    def spans(self) -> list[tuple[int, int, int]]:
        """(partition, base offset, records) of each batch. Raises as `result` does."""
        return [
            (leaf.partition, leaf.delivered(0).offset, leaf.record_count) for leaf in self._leaves()
        ]

    def add_done_callback(self, callback: "Callable[[BatchDelivery], None]") -> None:
        """`callback(self)` runs once every fate is known, on the loop; at once if they are."""
        waited = [leaf for leaf in self._leaves() if not leaf.is_announced]
        if not waited:
            callback(self)
            return

        is_told = False

        def look(batch: RecordBatch) -> None:
            nonlocal is_told
            if not is_told and all(leaf.is_announced for leaf in self._leaves()):
                is_told = True
                callback(self)

        for leaf in waited:
            leaf.watchers.append(look)

    def __await__(self) -> Generator[object, None, list[tuple[int, int, int]]]:
        while True:
            waited = next((leaf for leaf in self._leaves() if not leaf.is_done), None)
            if waited is None:
                return self.spans()
            yield from waited.wait(waited).__await__()

    def _leaves(self) -> list[RecordBatch]:
        return [leaf for batch in self._batches for leaf in batch.leaves()]
