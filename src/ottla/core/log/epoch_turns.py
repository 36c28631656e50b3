"""Which turn of the leader epoch is believed when batches are read from the disk.

A turn, nearly always to a newer epoch, is believed when the next batch does not take it back: no
checksum covers the epoch, and a flipped one would speak for everything behind it. (Apache Kafka
believes it.) Elsewhere: what is known of epochs, `epoch_history.py`; who reads, `recovery.py`.
"""

from typing import final

from ottla.core.log.epoch_history import EpochHistory
from ottla.record.batch import Batch
from ottla.types import NO_EPOCH


@final
class EpochTurns:
    """Tell it of batches in their order; it tells the history."""

    __slots__ = ("_epochs", "_turned")

    def __init__(self, epochs: EpochHistory) -> None:
        self._epochs = epochs
        self._turned: tuple[int, int] | None = None  # (epoch, offset) that the next batch confirms

    def note(self, batch: Batch) -> None:
        """The next batch."""
        epoch = batch.partition_leader_epoch
        last_epoch = self._epochs.last_epoch
        if self._turned is not None and self._turned[0] <= epoch:
            if self._turned[0] > last_epoch or epoch < last_epoch:
                self._believe()
                last_epoch = self._epochs.last_epoch
        # What stands before a history that has begun anew is older than it.
        since = self._epochs.first_start if epoch > last_epoch else self._epochs.last_start + 1
        turns = epoch not in (NO_EPOCH, last_epoch) and batch.base_offset >= since
        self._turned = (epoch, batch.base_offset) if turns else None

    def presume(self) -> None:
        """The log's last batch has none behind it: whoever knows the leader's epoch finds out. An
        older one is not even presumed: next to it, all that the history tells would be lost."""
        if self._turned is not None and self._turned[0] > self._epochs.last_epoch:
            self._believe()
            self._epochs.is_presumed = True
        self._turned = None

    def _believe(self) -> None:
        if self._turned is not None:
            self._epochs.assign(*self._turned)
            self._turned = None
