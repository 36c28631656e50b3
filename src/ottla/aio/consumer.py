"""A consumer for asyncio: subscribes or is assigned, polls, commits.

Fetching ahead, heartbeats and commits run in tasks of their own, as long as the consumer is open;
rebalances, with their callbacks, happen inside `poll` and nowhere else (`async for` polls), so that no
partition is taken away while its records are being processed.

What to ask and what an answer means is decided in `client/consume` and `client/member`. The parts are
`fetching.py`, `group_member.py`, `commits.py` and `rounds.py`; here they are put together. It is
all that a user may call, and left whole on purpose.

With a `guard` a second thread may call `take` while it holds it: what came is made into records where
they are used, not handed from thread to thread.
"""

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, TypeVar, final

from ottla.aio.client import Client
from ottla.aio.commits import Commits, Committed, log
from ottla.aio.errands import Errands
from ottla.aio.fetching import Fetching, now_ms, wall_ms
from ottla.aio.group_member import GroupSide
from ottla.aio.rounds import RebalanceListener, Rounds
from ottla.aio.times import look_up
from ottla.client.consume.batch import ConsumedBatch
from ottla.client.consume.handing import Handing
from ottla.client.consume.interest import Interest, readable
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.reader import Reader
from ottla.client.consume.record import (
    ConsumedRecord,
    GroupMetadata,
    OffsetAndMetadata,
    OffsetAndTimestamp,
)
from ottla.client.lookup import EARLIEST, LATEST, NO_OFFSET
from ottla.client.member.offsets import Fenced
from ottla.client.metadata import ClusterView
from ottla.errors import ApiError, Bug, ErrorCode, LocalProtocolError, OttlaError
from ottla.types import TopicPartition

__all__ = ["Committed", "Consumer", "RebalanceListener"]

_CLOSE_MS_MAX: Final = 30_000
_LOOK_AGAIN_MS: Final = 1_000
T = TypeVar("T")


@final
class Consumer:
    """One consumer; not for several tasks at the same time, except `wakeup`.

    `listener`s may call every method here but `poll`. `guard`: a lock for `take` from another thread; it
    need not be reentrant.
    """

    def __init__(
        self,
        client: Client,
        options: ConsumerOptions,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self._client = client
        self._options = options
        self._reader = Reader(options, wall_ms, retry_ms=client.options.retry_backoff_ms)
        self._fetching = Fetching(client, self._reader, self._wake, self._broken, guard)
        self._group: GroupSide | None = None
        self._commits: Commits | None = None
        self._rounds: Rounds | None = None
        if options.group_id is not None:
            self._group = group = GroupSide(client, options, self._wake, self._broken)
            self._commits = commits = Commits(
                group,
                options,
                self._consumed,
                self._wake,
                self._broken,
                client.options.retry_backoff_ms,
            )
            self._rounds = Rounds(group, commits, self._reader, self._remove, self._pump)
        self._interest = Interest(exclude_internal=options.exclude_internal_topics)
        self._handing = Handing()
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False
        self._errands = Errands(self._broken)
        self._bug: Bug | None = None
        self._is_loading = False
        self._must_ask_topics = False
        self._trouble: OttlaError | None = None
        self._forget_cluster: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_started = self._is_closed = False

    # ---- life

    async def start(self) -> None:
        """Background work runs. `subscribe` and `assign` may come before or after."""
        if not self._is_started:
            self._is_started = True
            self._loop = asyncio.get_running_loop()
            self._forget_cluster = self._client.on_cluster(self._cluster_changed)
            self._pump()

    async def close(self, *, auto_commit: bool = True, timeout_ms: int = _CLOSE_MS_MAX) -> None:
        """Committed (if `auto_commit` and the option says so), left the group, stopped."""
        if self._is_closed:
            return
        try:
            async with asyncio.timeout(timeout_ms / 1000) as limit:
                if self._commits is not None:
                    if auto_commit:
                        await self._commits.automatic_now()
                    await self._commits.settled()
                if self._rounds is not None and self._group is not None:
                    try:
                        if self._group.is_member:
                            await self._rounds.give_up("the consumer is being closed")
                    finally:
                        # Also when a listener raised.
                        if not limit.expired():
                            await self._group.left()
        except TimeoutError:
            log.warning("the consumer was closed without leaving its group: it took too long")
        finally:
            self._is_closed = True
            self._handing.clear()
            self._forget_cluster()
            self._client.track_all(self, False)
            self._wake()
            await self._errands.close()
            await self._fetching.close()
            if self._group is not None and self._commits is not None:
                await self._commits.close()
                await self._group.close()
                self._commits.run_callbacks()

    async def __aenter__(self) -> "Consumer":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # ---- what to read

    def subscribe(
        self,
        topics: Iterable[str] = (),
        *,
        pattern: str | re.Pattern[str] | None = None,
        listener: RebalanceListener | None = None,
    ) -> None:
        """Read these topics as a member of the group (without a group: all their partitions).

        Replaces what was subscribed before. LocalProtocolError after `assign`.
        """
        if listener is not None and self._rounds is None:
            raise LocalProtocolError("a listener is told of rebalances; group_id is None")
        self._interest.subscribe(topics, pattern, self._client.cluster)
        if self._rounds is not None:
            self._rounds.listener = listener
        self._client.track_all(self, pattern is not None)
        self._client.track(self._interest.topics or ())
        self._must_ask_topics = True
        self._subscribed()
        self._pump()

    def unsubscribe(self) -> None:
        """Nothing is subscribed or assigned; the group is left, and the listener told by `poll`."""
        if self._rounds is not None:
            self._rounds.unsubscribed()
        self._remove(self._reader.places)
        self._client.track_all(self, False)
        self._interest.clear()
        if self._group is not None and self._group.is_member:
            self._group.membership.unsubscribe("the consumer unsubscribed from all topics")
            self._group.is_member = False
        self._pump()

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these, outside of any group's assignment. LocalProtocolError after `subscribe`."""
        wanted = self._interest.assign(partitions)
        self._client.track({place.topic for place in wanted})
        self._must_ask_topics = any(
            self._client.cluster.topic(place.topic) is None for place in wanted
        )
        self._remove(self._reader.places - wanted)
        self._reader.add(sorted(wanted), ask_group=self._group is not None)
        self._pump()

    def subscription(self) -> frozenset[str] | None:
        """The topics; None: none were subscribed."""
        return self._interest.topics

    def assignment(self) -> frozenset[TopicPartition]:
        return self._reader.places

    # ---- records

    async def poll(
        self, timeout_ms: int = 0, max_records: int | None = None, *, advance: bool = True
    ) -> dict[TopicPartition, Sequence[ConsumedRecord]]:
        """Records that came, waiting up to `timeout_ms` for the first ones.

        `advance=False`: positions stay; whoever polls moves them by `advance_to`.
        """
        count = self._options.poll_records_max if max_records is None else max_records
        found: dict[TopicPartition, Sequence[ConsumedRecord]] = {}

        def take() -> bool:
            found.update(self._reader.take(count, advance=advance))
            return bool(found)

        await self._poll(timeout_ms, take)
        return found

    async def poll_batches(
        self, timeout_ms: int = 0, max_records: int | None = None
    ) -> list[ConsumedBatch]:
        """As `poll`, but whole record batches, which may be a little more than `max_records`."""
        count = self._options.poll_records_max if max_records is None else max_records
        found: list[ConsumedBatch] = []

        def take() -> bool:
            found.extend(self._reader.take_batches(count))
            return bool(found)

        await self._poll(timeout_ms, take)
        return found

    def take(self, max_records: int) -> dict[TopicPartition, list[ConsumedRecord]]:
        """What came already; positions stay. For any thread, under the guard, while no method is at work.

        Nothing where a rebalance waits for `poll`. That is to be called from time to time all the same:
        the group hears by it that somebody polls.
        """
        if self._loop is None or (self._rounds is not None and self._rounds.is_due):
            return {}
        found = self._reader.take(max_records, advance=False)
        if self._reader.is_due:
            self._loop.call_soon_threadsafe(self._pump)
        return found

    def take_back(self) -> None:
        """What was handed out behind the positions comes again: a `take` was broken off."""
        for place, at in self._reader.positions().items():
            self._reader.seek(place, at.offset, at.leader_epoch)
        self._pump()

    def advance_to(self, partition: TopicPartition, offset: int) -> None:
        """Records below `offset` are processed. Ignored for partitions that are not assigned."""
        self._reader.advance_to(partition, offset)

    async def __aiter__(self) -> AsyncIterator[ConsumedRecord]:
        """Until the consumer is closed. What was not handed out counts as not processed."""
        while not self._is_closed:
            records = self._handing.chunk()
            if records is not None:
                while records:
                    yield records.popleft()
            else:
                self._handing.fill(await self.poll(self._options.poll_interval_ms_max // 2))

    # ---- offsets

    async def commit(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None,
        *,
        timeout_ms: int | None = None,
    ) -> None:
        """These are the group's offsets (None: the positions). Raises CommitFailed, ApiError, …"""
        commits = self._of_commits()
        wanted = self._to_commit(offsets)
        await self._bounded(commits.commit(wanted), timeout_ms, "offsets were not committed")
        commits.run_callbacks()

    def commit_nowait(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None,
        callback: Committed | None = None,
    ) -> None:
        """Begin a commit; it is not tried again. `callback` runs inside a later `poll`, `commit` or
        `close`."""
        self._of_commits().begin(self._to_commit(offsets), callback)

    async def committed(
        self, partitions: Iterable[TopicPartition], *, timeout_ms: int | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """What the group committed; None: nothing."""
        group = self._of_group()
        places = [TopicPartition(*place) for place in partitions]
        return await self._bounded(
            group.committed(places), timeout_ms, "committed offsets are not known"
        )

    async def position(self, partition: TopicPartition, *, timeout_ms: int | None = None) -> int:
        """The next offset to hand out; waits until it is known. LocalProtocolError: not assigned."""
        if (held := self._handing.positions().get(partition)) is not None:
            return held.offset
        return await self._bounded(
            self._position(partition), timeout_ms, f"the position of {partition} is not known"
        )

    def seek(self, partition: TopicPartition, offset: int, *, leader_epoch: int = -1) -> None:
        self._handing.drop([partition])
        self._reader.seek(partition, offset, leader_epoch)
        self._pump()

    def seek_to_beginning(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """None named: all that are assigned."""
        self._seek_to(partitions, EARLIEST)

    def seek_to_end(self, partitions: Iterable[TopicPartition] = ()) -> None:
        self._seek_to(partitions, LATEST)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing of these is handed out, until `resume`; the group is not affected."""
        self._reader.pause(partitions, is_paused=True)
        self._pump()

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._reader.pause(partitions, is_paused=False)
        self._pump()
        self._wake()

    def paused(self) -> frozenset[TopicPartition]:
        return self._reader.paused

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end as the last answer told it; None: not told yet."""
        reading = self._reader.of(partition)
        return None if reading is None else reading.high_watermark

    def last_stable(self, partition: TopicPartition) -> int | None:
        """The end of what read_committed may read, as the last answer told it."""
        reading = self._reader.of(partition)
        return None if reading is None else reading.last_stable

    def lag(self, partition: TopicPartition) -> int | None:
        """Records behind what may be read."""
        end = self.highwater(partition)
        if self._options.isolation_level:
            end = self.last_stable(partition)
        position = None if end is None else self._reader.position(partition)
        return None if end is None or position is None else max(0, end - position)

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition], *, timeout_ms: int | None = None
    ) -> dict[TopicPartition, int]:
        return await self._ends(partitions, EARLIEST, timeout_ms)

    async def end_offsets(
        self, partitions: Iterable[TopicPartition], *, timeout_ms: int | None = None
    ) -> dict[TopicPartition, int]:
        return await self._ends(partitions, LATEST, timeout_ms)

    async def offsets_for_times(
        self, times_ms: Mapping[TopicPartition, int], *, timeout_ms: int | None = None
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after a time; None: all are older."""
        found = await self._bounded(
            look_up(self._client, times_ms, self._options.isolation_level),
            timeout_ms,
            "offsets for times are not known",
        )
        return {
            place: None if found[place].offset == NO_OFFSET else found[place] for place in times_ms
        }

    # ---- the rest

    async def topics(self) -> frozenset[str]:
        """All topics that may be seen, internal ones only if `exclude_internal_topics` is off."""
        cluster = await self._client.refresh(None)
        return readable(cluster, self._options.exclude_internal_topics)

    async def partitions_for_topic(self, topic: str) -> frozenset[int] | None:
        """None: there is no such topic."""
        view = self._client.cluster.topic(topic)
        if view is None:
            cluster = await self._client.refresh(
                [topic], create_missing=self._options.allow_auto_create
            )
            view = cluster.topic(topic)
        return None if view is None else frozenset(range(len(view.partitions)))

    def group_metadata(self) -> GroupMetadata:
        return self._of_group().who

    def enforce_rebalance(self, reason: str = "") -> None:
        """The next `poll` joins the group anew (KIP-568)."""
        self._of_group().membership.rejoin(reason or "rebalance enforced by user")

    def wakeup(self) -> None:
        """A `poll` that waits comes back empty-handed, now."""
        self._woken = True
        self._wake()

    @property
    def trouble(self) -> OttlaError | None:
        """Why nothing comes at the moment, if a broker cannot be reached; None: it can."""
        trouble = self._fetching.trouble or self._client.trouble
        if trouble is None and self._group is not None:
            return self._group.trouble
        return trouble

    # ---- polling

    async def _poll(self, timeout_ms: int, take: Callable[[], bool]) -> None:
        """Until `take` took something, the time is over, or somebody wakes it."""
        self._must_be_open()
        until_ms = now_ms() + timeout_ms
        self._rewind()
        while True:
            if self._is_closed:
                return
            if self._group is not None and self._group.is_member:
                self._group.membership.polled(now_ms())
            if self._commits is not None:
                self._commits.run_callbacks()
                self._commits.tick()
            while self._rounds is not None and await self._rounds.go_on():
                pass
            self._raise_trouble()
            if take():
                break
            left_ms = until_ms - now_ms()
            if left_ms <= 0 or self._woken:
                # Whoever only ever polls without waiting lets the others work all the same.
                await asyncio.sleep(0)
                break
            self._pump()
            await self._wait(left_ms)
        self._woken = False
        self._pump()

    def _must_be_open(self) -> None:
        if self._is_closed:
            raise LocalProtocolError("this consumer is closed")

    def _remove(self, places: frozenset[TopicPartition]) -> None:
        self._reader.remove(places)
        self._handing.drop(places)
        if self._commits is not None:
            self._commits.forget(places)

    def _rewind(self) -> None:
        """What `async for` held back when its owner polls instead comes again."""
        for place, at in self._handing.positions().items():
            self._reader.seek(place, at.offset, at.leader_epoch)
        self._handing.clear()

    def _raise_trouble(self) -> None:
        """What no further poll mends is raised by each, the rest once."""
        if (fatal := self._bug or self._fetching.fatal) is not None:
            raise fatal
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            self._reader.is_due = True
            raise trouble
        if self._group is not None and (trouble := self._group.membership.trouble) is not None:
            if not isinstance(trouble, Fenced):
                self._group.membership.trouble = None
            raise trouble

    # ---- waiting

    def _broken(self, bug: Bug) -> None:
        self._bug = bug
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, left_ms: int) -> None:
        """Until something changed, an automatic commit is due, or the time is over."""
        if self._commits is not None and self._commits.due_ms is not None:
            left_ms = min(left_ms, max(1, self._commits.due_ms - now_ms()))
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._waiter], timeout=left_ms / 1000)

    def _pump(self) -> None:
        """Everything that can be sent now is on its way."""
        if not self._is_started or self._is_closed:
            return
        if self._must_ask_topics:
            self._must_ask_topics = False
            self._errands.begin(self._ask_topics())
        if self._group is not None:
            if self._reader.is_due and not self._is_loading:
                if places := self._reader.awaiting_committed():
                    self._is_loading = True
                    self._errands.begin(self._load(self._group, places))
            self._group.pump()
        self._fetching.pump()

    async def _bounded(self, work: Awaitable[T], timeout_ms: int | None, what: str) -> T:
        limit_ms = self._client.options.api_ms_max if timeout_ms is None else timeout_ms
        try:
            async with asyncio.timeout(limit_ms / 1000):
                return await work
        except TimeoutError:
            why = "" if self.trouble is None else f": {self.trouble}"
            raise ApiError(
                ErrorCode.REQUEST_TIMED_OUT, f"{what} within {limit_ms:,} ms{why}"
            ) from None

    # ---- the cluster

    def _cluster_changed(self, cluster: ClusterView) -> None:
        self._reader.refreshed()
        self._interest.follow(cluster)
        self._subscribed()
        self._trouble = self._interest.refusal(cluster) or self._trouble
        if self._group is not None and self._group.is_member:
            self._group.membership.cluster_changed(cluster)
        self._pump()
        self._wake()

    def _subscribed(self) -> None:
        """The group, or the reader, follows the topics that are subscribed now."""
        topics = self._interest.topics
        if topics is None:
            return
        if self._group is None or self._rounds is None:
            wanted = self._interest.places(self._client.cluster)
            self._remove(self._reader.places - wanted)
            self._reader.add(sorted(wanted), ask_group=False)
        elif topics or self._interest.pattern is None:
            self._rounds.topics = topics
            self._group.is_member = True
            self._group.membership.subscribe(topics)

    async def _ask_topics(self) -> None:
        """What is read is known; topics that are not there are made, where that is wanted and done."""
        failures = 0
        while True:
            names = {place.topic for place in self._reader.places} | (
                self._interest.topics or frozenset()
            )
            try:
                await self._client.refresh(
                    None if self._interest.pattern is not None else sorted(names),
                    create_missing=self._options.allow_auto_create,
                )
            except OttlaError:
                self._client.mark_stale()
                failures += 1
                await self._client.pause(failures)
            else:
                return

    # ---- offsets, inside

    def _of_group(self) -> GroupSide:
        if self._group is None:
            raise LocalProtocolError("this consumer has no group: group_id is None")
        return self._group

    def _of_commits(self) -> Commits:
        self._of_group()
        assert self._commits is not None
        return self._commits

    def _consumed(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Positions, without what `async for` holds back."""
        return self._reader.positions() | self._handing.positions()

    def _to_commit(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        if offsets is None:
            return self._consumed()
        return {
            TopicPartition(*place): OffsetAndMetadata(offset) if isinstance(offset, int) else offset
            for place, offset in offsets.items()
        }

    async def _load(self, group: GroupSide, places: list[TopicPartition]) -> None:
        """Committed offsets of partitions that begin; not of those that went meanwhile and came back:
        somebody else may have gone on from there."""
        asked = {place: self._reader.of(place) for place in places}
        try:
            answered = await group.committed(places)
        except OttlaError as error:
            self._trouble = error
            self._is_loading = False
        else:
            self._is_loading = False
            found = {p: at for p, at in answered.items() if self._reader.of(p) is asked[p]}
            if self._commits is not None:
                self._commits.note({p: at for p, at in found.items() if at is not None})
            self._reader.committed(found)
            self._pump()
        self._wake()

    async def _position(self, place: TopicPartition) -> int:
        while True:
            offset = self._reader.position(place)
            if offset is not None:
                return offset
            reading = self._reader.of(place)
            if reading is not None and reading.trouble is not None:
                raise reading.trouble
            self._raise_trouble()
            self._pump()
            await self._wait(_LOOK_AGAIN_MS)

    def _seek_to(self, partitions: Iterable[TopicPartition], reset_ms: int) -> None:
        places = [TopicPartition(*place) for place in partitions]
        self._handing.drop(places or self._reader.places)
        self._reader.seek_to(places, reset_ms)
        self._pump()

    async def _ends(
        self, partitions: Iterable[TopicPartition], rule: int, timeout_ms: int | None
    ) -> dict[TopicPartition, int]:
        asked = dict.fromkeys((TopicPartition(*place) for place in partitions), rule)
        found = await self._bounded(
            look_up(self._client, asked, self._options.isolation_level),
            timeout_ms,
            "offsets are not known",
        )
        return {place: found[place].offset for place in asked}
