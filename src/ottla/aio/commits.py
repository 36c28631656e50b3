"""A consumer's commits: in order, now or in the background, and by themselves every so often.

Callbacks of background commits do not run when the answer comes but when the owner asks (`run_callbacks`),
as in Kafka's consumer: inside a poll. What was committed last is remembered, so that an automatic commit
says only what is new.

Elsewhere: one commit with its retries, `group_member.py`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias, final

from ottla.aio.errands import Errands
from ottla.aio.fetching import AWAY, now_ms
from ottla.aio.group_member import GroupSide
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.record import GroupMetadata, OffsetAndMetadata
from ottla.client.member.membership import NO_GENERATION
from ottla.client.member.offsets import CommitFailed
from ottla.errors import ApiError, Bug, OttlaError
from ottla.types import TopicPartition

Offsets: TypeAlias = Mapping[TopicPartition, OffsetAndMetadata]
Committed: TypeAlias = Callable[[Offsets, OttlaError | None], None]
"""Told how a commit ended: the offsets, and None or why not."""

_AUTO_MS_MAX: Final = 5_000
"""An automatic commit that takes longer is left to the next one."""

log = logging.getLogger("ottla.consumer")


@final
class Commits:
    """`consumed`: the positions, as far as records are processed. `retry_ms`: how soon an automatic
    commit follows one that could not be made."""

    def __init__(
        self,
        group: GroupSide,
        options: ConsumerOptions,
        consumed: Callable[[], Offsets],
        on_change: Callable[[], None],
        on_bug: Callable[[Bug], None],
        retry_ms: int,
    ) -> None:
        self._group = group
        self._name = options.group_id
        self._is_automatic = options.auto_commit
        self._interval_ms = options.auto_commit_interval_ms
        self._consumed = consumed
        self._on_change = on_change
        self._errands = Errands(on_bug)
        self._retry_ms = retry_ms
        self._callbacks: deque[Callable[[], None]] = deque()
        self._known: dict[TopicPartition, OffsetAndMetadata] = {}
        self._due_ms: int | None = None
        self._last: asyncio.Task[None] | None = None

    @property
    def due_ms(self) -> int | None:
        """When `tick` has something to do; the first one says when."""
        return self._due_ms

    async def commit(self, offsets: Offsets) -> None:
        """After those that began before it."""
        who = self._group.who
        await self.settled()
        await self._group.commit(who, offsets)
        self.note(offsets)

    def begin(self, offsets: Offsets, callback: Committed | None) -> None:
        """It is not tried again, so that it cannot come after a later one."""
        who = self._group.who

        async def work() -> None:
            problem: OttlaError | None = CommitFailed(
                "whether offsets were committed is not known: the consumer was closed before the answer"
            )
            try:
                await self._group.commit(who, offsets, tries=False)
                problem = None
            except OttlaError as error:
                problem = error
            finally:
                if callback is not None:
                    self._callbacks.append(lambda: callback(offsets, problem))
                    self._on_change()
                elif problem is not None:
                    log.warning("group %s: %s", self._name, problem)

        self._errands.begin(work())

    def tick(self) -> None:
        """The automatic commit, where it is due and the last one has ended.

        As `begin`, it is not tried again as it is: in a moment there is more to say.
        """
        if not self._is_automatic or (self._last is not None and not self._last.done()):
            return
        now = now_ms()
        if self._due_ms is not None and now < self._due_ms:
            return
        is_first = self._due_ms is None
        self._due_ms = now + self._interval_ms
        if not is_first and (wanted := self._unknown()):
            self._last = self._errands.begin(self._automatic(self._group.who, wanted, tries=False))

    async def automatic_now(self) -> None:
        """What was processed is committed, before partitions go. It is tried, not promised."""
        if self._is_automatic:
            await self.settled()
            if wanted := self._unknown():
                await self._automatic(self._group.who, wanted, tries=True)

    async def settled(self) -> None:
        """No commit is under way."""
        await self._errands.settled()

    def run_callbacks(self) -> None:
        while self._callbacks:
            self._callbacks.popleft()()

    def note(self, offsets: Offsets) -> None:
        """The group has these already."""
        self._known.update(offsets)

    def forget(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            self._known.pop(place, None)

    async def close(self) -> None:
        """Nothing is under way any more; callbacks are still to be run."""
        await self._errands.close()

    def _unknown(self) -> dict[TopicPartition, OffsetAndMetadata]:
        known = self._known
        return {
            place: offset
            for place, offset in self._consumed().items()
            if known.get(place) != offset
        }

    async def _automatic(self, who: GroupMetadata, wanted: Offsets, *, tries: bool) -> None:
        group = self._group
        if group.is_member and who.generation_id == NO_GENERATION:
            return
        try:
            async with asyncio.timeout(_AUTO_MS_MAX / 1000):
                await group.commit(who, wanted, tries=tries)
        except TimeoutError:
            log.warning("group %s: offsets were not committed in time", self._name)
        except OttlaError as error:
            if tries or not _may_pass(error):
                log.warning("group %s: %s", self._name, error)
            else:
                self._due_ms = now_ms() + min(self._interval_ms, self._retry_ms)
        else:
            self.note(wanted)


def _may_pass(error: OttlaError) -> bool:
    return isinstance(error, AWAY) or (isinstance(error, ApiError) and error.retriable)
