"""Which transactions compaction has met: what of them goes, and whether their markers must stay.

Goes through a log in the order of its offsets. Records of an aborted transaction go. A marker stays
as long as batches of its transaction were still met in front of it, even empty ones; from then on it
has a delete horizon like a tombstone, so that a reader who has seen the records meets the marker too.

Source: KIP-98, KIP-534, KAFKA-8351, 13727, 14055. Elsewhere: the batches themselves, `compaction.py`.
"""

from collections.abc import Iterable
from typing import final

from ottla import probe
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.record.batch import Batch
from ottla.record.control import ControlType, control_untrusted


@final
class CleanedTransactions:
    """`aborted`: those that reach into what is gone through. Used for one way through a log."""

    __slots__ = ("_aborted", "_open_aborted", "_open_committed", "_seen")

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        # The one that begins first is the last.
        self._aborted = sorted(aborted, key=lambda one: one.first_offset, reverse=True)
        self._open_aborted: dict[int, AbortedTransaction] = {}
        self._seen: set[int] = set()  # producers of open aborted transactions, with a batch met
        self._open_committed: set[int] = set()

    def goes(self, batch: Batch) -> bool:
        """Take note of a batch of records. True: it belongs to an aborted transaction."""
        if not batch.is_transactional:
            return False
        self._begin_until(batch.last_offset)
        if batch.producer_id in self._open_aborted:
            self._seen.add(batch.producer_id)
            return True
        self._open_committed.add(batch.producer_id)
        return False

    def ends(self, batch: Batch) -> tuple[bool, AbortedTransaction | None]:
        """Take note of a whole control batch: (nothing of its transaction is left, the entry that
        the index of aborted transactions keeps). RemoteProtocolError: it is malformed."""
        self._begin_until(batch.last_offset)
        if batch.record_count == 0:
            return True, None
        producer_id = batch.producer_id
        match control_untrusted(batch).control_type:
            case ControlType.ABORT:
                aborted = self._open_aborted.pop(producer_id, None)
                seen = producer_id in self._seen
                self._seen.discard(producer_id)
                if aborted is not None and seen:
                    return False, aborted
                return True, None
            case ControlType.COMMIT:
                known = producer_id in self._open_committed
                self._open_committed.discard(producer_id)
                if probe.MUTANTS and probe.mutant("M82-marker-of-kept-data-goes"):
                    return True, None
                return not known, None
            case _:
                return False, None

    def _begin_until(self, offset: int) -> None:
        aborted = self._aborted
        while aborted and aborted[-1].first_offset <= offset:
            one = aborted.pop()
            self._open_aborted.setdefault(one.producer_id, one)
