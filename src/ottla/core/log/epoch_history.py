"""Which leader epoch wrote which offsets: how replicas and consumers find where two logs part.

Entries (epoch, start offset) are kept for the whole log, so that the history can be rebuilt from the
batches at any time: `rebuild(history) == history`. An epoch may begin at the log's end while nothing
was written in it yet. The file `leader-epoch-checkpoint` follows every change.

Source: KIP-101, KIP-279, KIP-320.
"""

import logging
from bisect import bisect_left, bisect_right
from typing import Final, final

from ottla import probe
from ottla.core.log import checkpoint
from ottla.core.port import Disk
from ottla.types import NO_EPOCH

log: Final = logging.getLogger(__name__)

_FOREVER: int = 1 << 63

UNKNOWN: tuple[int, int] = (-1, -1)


@final
class EpochHistory:
    """Epochs and their start offsets, both ascending."""

    __slots__ = (
        "_directory",
        "_disk",
        "_epochs",
        "_is_rebuilding",
        "_starts",
        "is_presumed",
        "unflushed",
    )

    def __init__(self, disk: Disk, directory: str, entries: list[tuple[int, int]]) -> None:
        self._disk = disk
        self._directory = directory
        self._epochs = [epoch for epoch, _ in entries]
        self._starts = [start for _, start in entries]
        self._is_rebuilding: bool = False
        self.unflushed: bool = False
        """The file was written since somebody set this to False."""
        self.is_presumed: bool = False
        """The last entry is what the log's last batch says, and no other."""

    @property
    def last_epoch(self) -> int:
        """-1: no batch carries an epoch."""
        return self._epochs[-1] if self._epochs else NO_EPOCH

    @property
    def first_start(self) -> int:
        """Where what is known begins; -1: nothing is known."""
        return self._starts[0] if self._starts else -1

    @property
    def last_start(self) -> int:
        """Where the last epoch begins; -1: there is none."""
        return self._starts[-1] if self._starts else -1

    @property
    def path(self) -> str:
        return f"{self._directory}/{checkpoint.EPOCHS}"

    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self._epochs, self._starts, strict=True))

    def assign(self, epoch: int, start_offset: int) -> None:
        """From `start_offset` on, batches are of `epoch`. Entries that say otherwise go.

        Where a newer epoch has written before (elsewhere: the log was brought here), the history
        begins anew, and of what stands before nothing is known. Kafka keeps the entries before the
        newer one, which then speak for its batches as well; here batches are held against them.
        After an OSError nothing has changed.
        """
        if epoch < 0 or (
            self._epochs and epoch == self._epochs[-1] and start_offset >= self._starts[-1]
        ):
            return
        kept = min(bisect_left(self._epochs, epoch), bisect_left(self._starts, start_offset))
        if kept < len(self._starts) and self._starts[kept] < start_offset:
            kept = 0
        epochs = [*self._epochs[:kept], epoch]
        starts = [*self._starts[:kept], start_offset]
        if not (probe.MUTANTS and probe.mutant("M06-epoch-not-kept")):
            self._write(epochs, starts)
        self._epochs, self._starts = epochs, starts
        self.is_presumed = False

    def settle(self, leader_epoch: int) -> None:
        """Take back a last epoch that only the log's last batch tells of, if it is newer than the
        leader's: then it was flipped. Never refused: the file is written again with what is next."""
        if self.is_presumed and self._epochs and self._epochs[-1] > leader_epoch:
            self._epochs.pop()
            self._starts.pop()
            self._save_if_possible()
        self.is_presumed = False

    def end_of(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the largest epoch at most `epoch`, where it ends); (-1, -1): unknown.

        The last epoch ends at the log's end. An epoch older than all is answered with itself and
        the start of the first one, so that a follower begins there.
        """
        if probe.MUTANTS and probe.mutant("M04-undefined-epoch-answered") and epoch < 0:
            return epoch, log_end_offset
        if epoch < 0 or not self._epochs or epoch > self._epochs[-1]:
            return UNKNOWN
        if epoch == self._epochs[-1]:
            return epoch, log_end_offset
        above = bisect_right(self._epochs, epoch)
        if above == 0:
            return epoch, self._starts[0]
        return self._epochs[above - 1], self._starts[above]

    def epoch_of(self, offset: int) -> int:
        """The epoch that wrote `offset`; -1: unknown."""
        above = bisect_right(self._starts, offset)
        return self._epochs[above - 1] if above else NO_EPOCH

    def stretch_of(self, offset: int) -> tuple[int, int]:
        """(the epoch that wrote `offset`, or -1, and where the next one begins)."""
        above = bisect_right(self._starts, offset)
        end = self._starts[above] if above < len(self._starts) else _FOREVER
        return (self._epochs[above - 1] if above else NO_EPOCH), end

    def truncate_to(self, end_offset: int) -> None:
        """Forget the epochs that begin at `end_offset` or later."""
        if self._starts and self._starts[-1] >= end_offset:
            while self._starts and self._starts[-1] >= end_offset:
                self._starts.pop()
                self._epochs.pop()
            self._save()

    def truncate_prefix(self, start_offset: int) -> None:
        """Let the history begin at `start_offset`, in the epoch that wrote it.

        Never refused: where the log begins is another file's fact, and one that says more than it is
        cut to it by the next start.
        """
        above = bisect_right(self._starts, start_offset)
        if above and (above > 1 or self._starts[0] != start_offset):
            self._epochs = self._epochs[above - 1 :]
            self._starts = [start_offset, *self._starts[above:]]
            self._save_if_possible()

    def begin_rebuilding(self) -> None:
        """Nothing is known, and nothing is written before all is: whoever ends in between leaves
        what made the rebuilding necessary."""
        self._epochs.clear()
        self._starts.clear()
        self._is_rebuilding = True

    def end_rebuilding(self) -> None:
        """What was found since `begin_rebuilding` is written, at once."""
        if self._is_rebuilding:
            self._is_rebuilding = False
            self._save()

    def clear(self) -> None:
        if self._epochs:
            self._epochs.clear()
            self._starts.clear()
            self._save()

    def _save(self) -> None:
        # A file that could not be written says too much, which the next start finds out.
        self._write(self._epochs, self._starts)

    def _save_if_possible(self) -> None:
        try:
            self._save()
        except OSError as error:
            log.warning(
                "an epoch checkpoint can't be written; it still tells of what is gone",
                extra={"path": self.path, "error": str(error)},
            )

    def _write(self, epochs: list[int], starts: list[int]) -> None:
        if self._is_rebuilding:
            return
        entries = zip(epochs, starts, strict=True)
        self._disk.write_whole(self.path, checkpoint.format_epochs(entries))
        if probe.MUTANTS and probe.mutant("M09-epochs-unsynced"):
            return
        self.unflushed = True

    def check_invariants(self, log_end_offset: int) -> None:
        assert self._epochs == sorted(set(self._epochs))
        assert self._starts == sorted(self._starts)
        assert len(self._epochs) == len(self._starts)
        assert not self._starts or self._starts[-1] <= log_end_offset
