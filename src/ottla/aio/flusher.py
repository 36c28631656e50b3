"""Group commit: what waits for a disk, and the threads that wait with it.

An fsync takes as long as a thousand requests, so it happens beside the loop. Flushes of one
partition that wait together become one, for the highest end offset; while one is running the next
gather, which makes the group as large as the disk is slow. One partition is never flushed by two
threads at once, so its outcomes arrive in order.

Promises: `outcome` is called once per group, in a flush thread; the caller brings it to the loop.
A failed fsync is reported and never tried again: after it the kernel may call the pages clean that
it could not write. A small file written whole has no outcome; one that can't be written (the disk is
full) is logged and tried again some seconds later, with whatever is then asked for.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, final

from ottla.aio.disk import RealDisk
from ottla.core.effect import Flush, WriteWhole
from ottla.core.event import Flushed
from ottla.core.port import File
from ottla.types import TopicPartition

log = logging.getLogger(__name__)

_RETRY_S: Final = 5.0
_THREADS: Final = 2  # one waits for the disk while the other prepares; more gain nothing


@final
class _Group:
    """Flushes of one partition that will be done together."""

    __slots__ = ("_flushes", "directory", "files")

    def __init__(self, flush: Flush) -> None:
        self.files: dict[File, None] = {}
        self.directory: str | None = None
        self._flushes: list[Flush] = []
        self.join(flush)

    def join(self, flush: Flush) -> None:
        flush.gathering = True
        self.files.update(dict.fromkeys(flush.files))
        self.directory = flush.directory or self.directory
        self._flushes.append(flush)

    def begin(self) -> None:
        """What is appended from here on belongs to the next flush. What the loop was just about to
        take along was appended before, so the sync that follows covers it."""
        for flush in self._flushes:
            flush.gathering = False

    @property
    def end_offset(self) -> int:
        return max(flush.end_offset for flush in self._flushes)


@final
class Flusher:
    """What a turn of the loop asks for is gathered until `dispatch`, so that it goes together.

    Threads start with the first piece of work and end with `close`.
    """

    def __init__(
        self, disk: RealDisk, outcome: Callable[[Flushed], None], *, log_dir: int = 0
    ) -> None:
        """`log_dir`: the number of the directory that the disk is."""
        self._disk = disk
        self._log_dir = log_dir
        self._outcome = outcome
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._work_ended = threading.Condition(self._lock)
        self._groups: dict[TopicPartition, _Group] = {}
        self._wholes: dict[str, bytes] = {}
        self._unwritten: dict[str, bytes] = {}  # tried in vain
        self._retry_s = 0.0  # when that is to be tried again, on the monotonic clock
        self._running: set[TopicPartition | str] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._gathered = False  # only the loop's thread looks at it

    def flush(self, flush: Flush) -> None:
        with self._lock:
            assert not self._closing, "a flush after the end"
            group = self._groups.get(flush.partition)
            if group is None:
                self._groups[flush.partition] = _Group(flush)
            else:
                group.join(flush)
        self._gathered = True

    def write_whole(self, write: WriteWhole) -> None:
        with self._lock:
            assert not self._closing, "a write after the end"
            self._wholes[write.path] = write.data
        self._gathered = True

    def dispatch(self) -> None:
        """The turn is over: let the threads begin with what it gathered."""
        if self._gathered:
            self._gathered = False
            with self._lock:
                if self._unwritten and time.monotonic() >= self._retry_s:
                    self._requeue()
                self._wake()

    def retry(self) -> None:
        """Try once more to write what could not be written."""
        with self._lock:
            self._requeue()
            self._wake()

    def idle(self) -> bool:
        with self._lock:
            return not (self._groups or self._wholes or self._running)

    def wait_idle(self, timeout_s: float) -> bool:
        """True: everything given so far is done. Blocks the calling thread."""
        with self._lock:
            return self._work_ended.wait_for(
                lambda: not (self._groups or self._wholes or self._running), timeout_s
            )

    def close(self, timeout_s: float) -> bool:
        """Finish what waits, end the threads. False: the disk did not answer in time."""
        self.dispatch()
        finished = self.wait_idle(timeout_s)
        with self._lock:
            self._closing = True
            self._groups.clear()
            self._wholes.clear()
            self._work_came.notify_all()
        if finished:
            for thread in self._threads:
                thread.join()
        return finished

    def _requeue(self) -> None:
        for path, data in self._unwritten.items():
            self._wholes.setdefault(path, data)
        self._unwritten.clear()

    def _wake(self) -> None:
        waiting = len(self._groups) + len(self._wholes)
        for _ in range(min(waiting, _THREADS - len(self._threads))):
            # Daemons: a disk that hangs must not keep a process that was told twice to stop.
            thread = threading.Thread(
                target=self._work, name=f"ottla-flush-{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        self._work_came.notify(waiting)

    def _work(self) -> None:
        while True:
            with self._lock:
                while (work := self._take()) is None:
                    if self._closing:
                        return
                    self._work_came.wait()
            if isinstance(work, WriteWhole):
                self._write(work)
                done: TopicPartition | str = work.path
            else:
                done = work[0]
                self._sync(done, work[1])
            with self._lock:
                # What waited for this partition is taken next, by this very thread.
                self._running.discard(done)
                self._work_ended.notify_all()

    def _take(self) -> tuple[TopicPartition, _Group] | WriteWhole | None:
        """The oldest piece of work that is not yet running, now marked as running."""
        for partition in self._groups:
            if partition not in self._running:
                self._running.add(partition)
                group = self._groups.pop(partition)
                group.begin()
                return partition, group
        for path in self._wholes:
            if path not in self._running:
                self._running.add(path)
                self._unwritten.pop(path, None)  # older, and not to come after this one
                return WriteWhole(path, self._wholes.pop(path))
        return None

    def _sync(self, partition: TopicPartition, group: _Group) -> None:
        error: str | None = None
        try:
            self._disk.sync(group.files, group.directory)
        except OSError as refusal:
            error = str(refusal)
        self._outcome(Flushed(partition, group.end_offset, error, self._log_dir))

    def _write(self, work: WriteWhole) -> None:
        try:
            self._disk.write_whole_durably(work.path, work.data)
        except OSError as refusal:
            log.error(
                "a file can't be written; it will be tried again",
                extra={"path": work.path, "error": str(refusal)},
            )
            with self._lock:
                self._unwritten[work.path] = work.data
                self._retry_s = time.monotonic() + _RETRY_S
