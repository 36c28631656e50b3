"""A consumer's side of its group: performs what a `Membership` asks for, commits, and asks what was
committed.

Joins, syncs and heartbeats travel on a connection of their own, since a join is answered when all have
joined; a heartbeat in the meantime is not expected, a commit is. Commits are tried again where the coordinator only
moved; what a rebalance made impossible is raised as `CommitFailed` or `Rebalancing`.

Elsewhere: rounds and their callbacks, `consumer.py`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final, final

from ottla.aio.client import AuthenticationFailed, Client, Lane, OwnLane
from ottla.aio.errands import Alarm, Errands
from ottla.aio.fetching import AWAY, now_ms
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.record import GroupMetadata, OffsetAndMetadata
from ottla.client.member.membership import (
    NO_GENERATION,
    FindAsk,
    GroupAsk,
    HeartbeatAsk,
    JoinAsk,
    Membership,
)
from ottla.client.member.offsets import (
    COMMIT_VERSION_MAX,
    FETCH_VERSION_MAX,
    STABLE_SINCE,
    CommitFailed,
    commit_codes_untrusted,
    commit_error,
    commit_request,
    committed_request,
    committed_untrusted,
)
from ottla.errors import RETRIABLE, ApiError, Bug, ErrorCode, LocalProtocolError, OttlaError
from ottla.types import TopicPartition
from ottla.wire.api import (
    HEARTBEAT,
    JOIN_GROUP,
    LEAVE_GROUP,
    OFFSET_COMMIT,
    OFFSET_FETCH,
    SYNC_GROUP,
)
from ottla.wire.message.heartbeat import HeartbeatResponse
from ottla.wire.message.join_group import JoinGroupResponse
from ottla.wire.message.offset_commit import OffsetCommitResponse
from ottla.wire.message.offset_fetch import OffsetFetchResponse
from ottla.wire.message.sync_group import SyncGroupResponse

LEAVE_MS_MAX: Final = 5_000
_MOVED: Final = frozenset({ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE})


@final
class GroupSide:
    """`membership` counts where topics were subscribed; with assigned partitions one only commits."""

    def __init__(
        self,
        client: Client,
        options: ConsumerOptions,
        on_change: Callable[[], None],
        on_bug: Callable[[Bug], None],
    ) -> None:
        assert options.group_id is not None
        self._client = client
        self._options = options
        self._group = options.group_id
        self._on_change = on_change
        self._lane = OwnLane()
        self._errands = Errands(on_bug)
        self._alarm = Alarm(self.pump)
        self._learning = False
        self._leaving: asyncio.Task[None] | None = None
        self._is_closed = False
        self._coordinator: int | None = None
        self.is_member = False
        self.membership = Membership(options, retry_ms=client.options.retry_backoff_ms)
        self.trouble: OttlaError | None = None
        """Why the last request came to nothing; None: it did not."""

    @property
    def who(self) -> GroupMetadata:
        """Whom a commit is from."""
        if self.is_member:
            return self.membership.who
        return GroupMetadata(self._group, NO_GENERATION, "", None)

    # ---- membership

    def pump(self) -> None:
        """Everything that can be sent now is on its way."""
        if self._is_closed:
            return
        member = self.membership
        for ask in member.asks(now_ms()):
            self._errands.begin(self._exchange(ask))
        if member.must_know and not self._learning:
            self._learning = True
            self._errands.begin(self._learn())
        if member.must_leave is not None and self._leaving is None:
            self._leaving = self._errands.begin(self._leave())
        self._alarm.set(None if member.next_ms is None else member.next_ms - now_ms())

    async def left(self) -> None:
        """Where the coordinator has to be told that this member goes, it was, if it could be in a
        moment."""
        self.pump()
        if self._leaving is not None:
            await asyncio.wait([self._leaving])

    async def _leave(self) -> None:
        member = self.membership
        reason, who = member.must_leave or "", member.who
        try:
            if who.member_id:
                async with asyncio.timeout(LEAVE_MS_MAX / 1000):
                    # Not behind a join that is still waiting: it might wait for this.
                    broker_id = await self._find()
                    version = await self._client.version_for(broker_id, LEAVE_GROUP, lane=Lane.ANY)
                    request = member.leave_request(reason, version)
                    await self._client.ask(broker_id, LEAVE_GROUP, request, lane=Lane.ANY)
        except (OttlaError, TimeoutError):
            # Then it finds out by itself, when the session ends.
            pass
        finally:
            self._leaving = None
            member.left()
        self._on_change()
        self.pump()

    async def close(self) -> None:
        self._is_closed = True
        self._alarm.set(None)
        await self._errands.close()
        await self._client.leave_lane(self._lane)

    async def _exchange(self, ask: GroupAsk) -> None:
        member = self.membership
        try:
            await self._answered(ask)
            self.trouble = None
        except AWAY as error:
            self.trouble = error
            if isinstance(ask, FindAsk):
                member.not_found(error, now_ms())
            else:
                member.lost(ask, now_ms())
        except AuthenticationFailed as error:
            member.impossible(ask, error, now_ms())
        except (ApiError, LocalProtocolError) as error:
            if isinstance(ask, FindAsk):
                member.not_found(error, now_ms())
            else:
                member.impossible(ask, error, now_ms())
        self._on_change()
        self.pump()

    async def _answered(self, ask: GroupAsk) -> None:
        member = self.membership
        if isinstance(ask, FindAsk):
            member.found(await self._client.coordinator(ask.group))
            return
        broker_id = ask.broker_id
        if isinstance(ask, HeartbeatAsk):
            beaten = await self._client.ask(broker_id, HEARTBEAT, ask.request, lane=self._lane)
            assert isinstance(beaten, HeartbeatResponse)
            member.beaten(ask, beaten, now_ms())
            return
        answer = await self._client.ask(
            broker_id,
            JOIN_GROUP if isinstance(ask, JoinAsk) else SYNC_GROUP,
            ask.request,
            timeout_ms=ask.timeout_ms,
            lane=self._lane,
        )
        if isinstance(ask, JoinAsk):
            assert isinstance(answer, JoinGroupResponse)
            member.joined_untrusted(ask, answer, now_ms())
        else:
            assert isinstance(answer, SyncGroupResponse)
            member.synced_untrusted(ask, answer, now_ms())

    async def _learn(self) -> None:
        """The leader knows the topics of all members, as they are now."""
        member = self.membership
        try:
            wanted = member.must_know
            self._client.track(wanted)
            await self._client.refresh(sorted(wanted))
            member.knows(self._client.cluster)
        except OttlaError as error:
            self.trouble = error
            await self._client.pause(1)
        finally:
            self._learning = False
        self.pump()

    # ---- offsets

    async def commit(
        self,
        who: GroupMetadata,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        *,
        tries: bool = True,
    ) -> None:
        """These are the group's offsets, as `who` knows it. `tries`: again, until the caller's time-out
        cancels it, or it is somebody else: what one had may be others' by then, whom it would set back.

        Raises CommitFailed, Rebalancing, Fenced, ApiError; what is away, where it is not tried again.
        """
        failures = 0
        while offsets:
            try:
                if await self._commit_once(who, offsets):
                    return
                if not tries:
                    raise ApiError(ErrorCode.COORDINATOR_NOT_AVAILABLE, f"group {self._group!r}")
            except AWAY as error:
                self.trouble = error
                self._forget_coordinator()
                if not tries:
                    raise
            except ApiError as error:
                if not tries or not error.retriable:
                    raise
            failures += 1
            await self._client.pause(failures)

    async def _commit_once(
        self, who: GroupMetadata, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> bool:
        """False: the coordinator is another, try again."""
        member = self.membership
        if who != self.who:
            raise CommitFailed(
                "offsets were not committed: the group has been rebalanced since they were read"
            )
        if self.is_member and who.generation_id == NO_GENERATION:
            raise CommitFailed(
                "offsets were not committed: this consumer is no member of its group at the moment. "
                "Poll, so that it joins"
            )
        broker_id = await self._find()
        response = await self._client.ask(
            broker_id,
            OFFSET_COMMIT,
            commit_request(who, offsets),
            version_max=COMMIT_VERSION_MAX,
            lane=Lane.ANY,
        )
        assert isinstance(response, OffsetCommitResponse)
        for place, code in commit_codes_untrusted(offsets, response).items():
            if code == ErrorCode.NONE:
                continue
            if code in _MOVED:
                self._forget_coordinator()
                return False
            if self.is_member and code not in RETRIABLE:
                member.refused(code, who.generation_id)
            raise commit_error(
                code, place, member.poll_gap_ms(now_ms()), self._options.poll_interval_ms_max
            )
        return True

    async def committed(
        self, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """Tried again until the caller's time-out cancels it; raises ApiError for what stays."""
        failures = 0
        while True:
            try:
                return await self._committed_once(places)
            except AWAY as error:
                self.trouble = error
                self._forget_coordinator()
            except ApiError as error:
                if error.code in _MOVED:
                    self._forget_coordinator()
                elif not error.retriable:
                    raise
            failures += 1
            await self._client.pause(failures)

    async def _committed_once(
        self, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        broker_id = await self._find()
        version = await self._client.version_for(
            broker_id, OFFSET_FETCH, version_max=FETCH_VERSION_MAX, lane=Lane.ANY
        )
        request = committed_request(self._group, places, must_be_stable=version >= STABLE_SINCE)
        # Not behind a join: listeners ask for committed offsets.
        response = await self._client.ask(
            broker_id, OFFSET_FETCH, request, version_max=version, lane=Lane.ANY
        )
        assert isinstance(response, OffsetFetchResponse)
        return committed_untrusted(places, response)

    async def _find(self) -> int:
        known = self.membership.coordinator if self.is_member else self._coordinator
        if known is None:
            known = await self._client.coordinator(self._group)
            self._coordinator = known
        return known

    def _forget_coordinator(self) -> None:
        self._coordinator = None
        self.membership.moved()
