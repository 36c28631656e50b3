"""What a Fetch answer brought for a partition, until it is handed out.

The bytes stay as they came and are decoded batch by batch when somebody asks for records. Control
batches and, for read_committed, what transactions left that were aborted are passed by (KIP-98): the
answer lists them by producer and first offset, and an abort marker ends each.

Promises: nothing below the position it was asked for is handed out; a batch whose checksum is wrong
is `Corrupt`, and what lies before it is handed out first.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, final

from ottla.client.consume.batch import ConsumedBatch
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch, crc_is_right
from ottla.record.control import ControlType, control_untrusted
from ottla.record.legacy import LegacyEntry, any_batches_untrusted, entry_crc_is_right
from ottla.record.read_columns import columns_untrusted
from ottla.types import NO_EPOCH, TopicPartition

DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
"""One batch, decompressed: above what any broker accepts, below what a bomb wants."""


class Corrupt(RemoteProtocolError):
    """A batch that cannot be read. Seeking past it is the way on."""

    def __init__(self, place: TopicPartition, offset: int, reason: str) -> None:
        self.place = place
        self.offset = offset
        super().__init__(
            f"partition {place}, offset {offset}: {reason}. Seek to {offset + 1} or later to skip it"
        )


@final
class Held:
    """`next_offset`, `next_epoch`: up to where it was handed out. `end_offset`, `end_epoch`: it goes to."""

    __slots__ = (
        "_aborted",
        "_aborted_now",
        "_batches",
        "_check_crcs",
        "_place",
        "_refusal",
        "end_epoch",
        "end_offset",
        "next_epoch",
        "next_offset",
        "size_bytes",
    )

    def __init__(
        self,
        place: TopicPartition,
        data: bytes | bytearray | memoryview,
        offset: int,
        epoch: int,
        *,
        check_crcs: bool,
        aborted: Sequence[tuple[int, int]] = (),
    ) -> None:
        """`aborted`: (first offset, producer id) of aborted transactions; empty: all may be read."""
        self._place = place
        self._check_crcs = check_crcs
        self._aborted = sorted(aborted, reverse=True)
        self._aborted_now: set[int] = set()
        self._batches: deque[Batch | LegacyEntry] = deque()
        self._refusal: str | None = None
        self.size_bytes = len(data)
        self.next_offset = self.end_offset = offset
        self.next_epoch = self.end_epoch = epoch
        try:
            for batch in any_batches_untrusted(data):
                if batch.next_offset > self.end_offset:
                    self._batches.append(batch)
                    self.end_offset = batch.next_offset
                    if isinstance(batch, Batch):
                        self.end_epoch = batch.partition_leader_epoch
        except RemoteProtocolError as error:
            # What lies before it can be read.
            self._refusal = str(error)

    @property
    def holds_something(self) -> bool:
        return bool(self._batches) or self._refusal is not None

    def next_batch_untrusted(self) -> ConsumedBatch | None:
        """The next batch that holds something to hand out; None: there is no more.

        Raises Corrupt; `next_offset` is then the first that cannot be read.
        """
        while self._batches:
            try:
                found = self._decoded_untrusted(self._batches[0])
            except Corrupt:
                raise
            except RemoteProtocolError as error:
                raise Corrupt(self._place, self.next_offset, str(error)) from None
            batch = self._batches.popleft()
            self.next_offset = batch.next_offset
            if isinstance(batch, Batch):
                self.next_epoch = batch.partition_leader_epoch
            if found is not None:
                return found
        if self._refusal is not None:
            raise Corrupt(self._place, self.next_offset, self._refusal)
        return None

    def _decoded_untrusted(self, batch: Batch | LegacyEntry) -> ConsumedBatch | None:
        offset = self.next_offset
        if self._check_crcs and not (
            crc_is_right(batch) if isinstance(batch, Batch) else entry_crc_is_right(batch)
        ):
            raise Corrupt(self._place, offset, "the record batch does not match its checksum")
        if isinstance(batch, LegacyEntry):
            return self._records_untrusted(batch, offset, NO_EPOCH)
        if self._is_hidden_untrusted(batch):
            return None
        return self._records_untrusted(batch, offset, batch.partition_leader_epoch)

    def _records_untrusted(
        self, batch: Batch | LegacyEntry, offset: int, epoch: int
    ) -> ConsumedBatch | None:
        columns = columns_untrusted(batch, limit=DECOMPRESSED_BYTES_MAX)
        if not columns.offsets or columns.offsets[-1] < offset:
            return None
        found = ConsumedBatch(
            self._place,
            columns,
            batch.next_offset,
            leader_epoch=epoch,
            is_append_time=batch.is_log_append_time,
        )
        found.skip_below(offset)
        return found

    def _is_hidden_untrusted(self, batch: Batch) -> bool:
        """Control batches, and records of a transaction that was aborted."""
        while self._aborted and self._aborted[-1][0] <= batch.last_offset:
            self._aborted_now.add(self._aborted.pop()[1])
        if batch.is_control:
            # Compaction may leave a marker's batch without the marker.
            if batch.producer_id in self._aborted_now and batch.record_count:
                if control_untrusted(batch).control_type == ControlType.ABORT:
                    self._aborted_now.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in self._aborted_now
