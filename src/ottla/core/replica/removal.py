"""What becomes of a deleted partition's directory: renamed at once, or nearly; removed after a delay.

The name is freed so that the next topic of that name can be there; the files stay for
`file.delete.delay.ms`, so that a reader that is still being sent a slice of them finishes. A request
may delete thousands of partitions: what does not fit into one step waits for the next, except where
somebody wants the name. A directory that a killed process did not come to rename is found by the next
one as a stray.

Elsewhere: names, see `directory.py`; who deletes, see `table.py`.
"""

import logging
from typing import Final, final

from ottla.core.deadline import Deadlines
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDir, LogDirs
from ottla.core.replica.step_budget import StepBudget
from ottla.types import TopicPartition

logger: Final = logging.getLogger(__name__)

_RENAMED_PER_STEP: Final = 100
_REMOVED_PER_STEP: Final = 20
_PAUSE_MS: Final = 10
_NEXT: Final = ("", -1)


@final
class Removals:
    """Directories to be renamed, and those to be removed when their time has come."""

    __slots__ = ("_budget", "_deadlines", "_dirs", "_doomed")

    def __init__(self, dirs: LogDirs) -> None:
        self._dirs = dirs
        self._budget = StepBudget(_RENAMED_PER_STEP)
        self._doomed: dict[TopicPartition, Leader] = {}
        self._deadlines: Deadlines[tuple[str, int]] = Deadlines()

    def at_start(self, log_dir: LogDir, due_ms: int) -> None:
        """Directories that an earlier process had set aside are removed later, too."""
        for name in log_dir.directories.leftovers():
            self._deadlines.set((name, log_dir.number), due_ms)

    def add(self, leader: Leader) -> None:
        """The partition was deleted. Its directory keeps its name until `rename_some` or `free`."""
        self._doomed[leader.partition] = leader

    def rename_some(self, now_ms: int) -> None:
        """As many as fit into the step."""
        for partition in list(self._doomed)[:_RENAMED_PER_STEP]:
            if not self._budget.take(now_ms):
                break
            self.free(partition, now_ms)
        if self._doomed:
            self._deadlines.set(_NEXT, now_ms + 1)
        else:
            self._deadlines.cancel(_NEXT)

    def free(self, partition: TopicPartition, now_ms: int) -> None:
        """Nothing of a deleted partition stands under this name any more."""
        leader = self._doomed.pop(partition, None)
        if leader is not None:
            self.free_moved(leader, leader.log_dir, now_ms)

    def free_moved(self, leader: Leader, log_dir: int, now_ms: int) -> None:
        """What stands under the partition's name in this directory is not needed any more."""
        if self._dirs[log_dir].is_offline:
            return
        try:
            directories = self._dirs[log_dir].directories
            aside = directories.set_aside_for_deletion(leader.partition)
        except OSError as error:
            logger.error(
                "a deleted partition's directory can't be renamed; it stays as a stray",
                extra={"partition": leader.partition, "error": str(error)},
            )
            return
        delay_ms = leader.policy.settings.file_delete_delay_ms
        self.remove_later(aside, log_dir, now_ms + delay_ms)

    def remove_later(self, directory: str, log_dir: int, due_ms: int) -> None:
        self._deadlines.set((directory, log_dir), due_ms)

    def free_all(self, now_ms: int) -> None:
        """At the end of the process: what keeps its name would be a stray."""
        for partition in list(self._doomed):
            self.free(partition, now_ms)

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> None:
        removed = 0
        for key in self._deadlines.due(now_ms):
            if key == _NEXT:
                self.rename_some(now_ms)
                continue
            removed += 1
            if removed > _REMOVED_PER_STEP:
                self._deadlines.set(key, now_ms + _PAUSE_MS)
            else:
                self._remove(*key)

    def _remove(self, directory: str, number: int) -> None:
        log_dir = self._dirs[number]
        if log_dir.is_offline:
            return
        try:
            log_dir.disk.remove_tree(directory)
        except OSError as error:
            logger.error(
                "directory of a deleted partition can't be removed",
                extra={"directory": directory, "error": str(error)},
            )
