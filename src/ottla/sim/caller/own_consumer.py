"""The product's own consumer in a world: all of `ottla.aio`'s, on a loop and a network of the world's, and
an application that reads in one task, as applications do.

Its process begins with JOIN and ends with LEAVE, when everything is closed in order, or with VANISH, when
nothing is. In between it polls, commits by hand where it is asked to or leaves that to the consumer, stands
still, and seeks. Without a group it reads all partitions from where its rule says.

What it was handed is in the history as `Delivery`s of a `Following`, what its connections said stands there
by its `Witness`. Elsewhere: what must hold of it, `checker/delivered.py` and `checker/covered.py`.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Final, final

from ottla.aio.client import Client as Cluster
from ottla.aio.consumer import Consumer
from ottla.client.consume.held import Corrupt
from ottla.client.consume.options import COOPERATIVE_STICKY, RANGE, ConsumerOptions
from ottla.client.consume.record import ConsumedRecord
from ottla.client.member.offsets import Fenced
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, ErrorCode, OttlaError
from ottla.sim.caller.client import Connect
from ottla.sim.caller.dialing import WorldDialer
from ottla.sim.caller.witness import Witness
from ottla.sim.clock import Events
from ottla.sim.history import Delivery, Following, History, Outcome, Record
from ottla.sim.loop import WorldLoop
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import Ask, ClientPlan, Verb
from ottla.sim.reading import Reader, identity
from ottla.types import TopicPartition

_BOOTSTRAP: Final = (Address("broker", 9092),)
_POLL_MS: Final = 100
_FETCH_WAIT_MS: Final = 300
_RECORDS_MAX: Final = (1, 3, 500)
_PICTURE_AGE_MS: Final = 1_500
_CLOSE_MS: Final = 5_000
_PAUSE_S: Final = 0.1
_RECORD_S: Final = 0.004

_HOPELESS: Final = frozenset(
    {
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
    }
)


@final
class OwnConsumer:
    """`is_in`: it believes to be a member, and was told nothing else."""

    def __init__(
        self,
        plan: ClientPlan,
        events: Events,
        wire: Wire,
        connect: Connect,
        history: History,
        reader: Reader,
    ) -> None:
        self.plan = plan
        self.wire = wire
        self._events = events
        self._connect = connect
        self._history = history
        self._reader = reader
        self._process: _Process | None = None
        self._quiet_at_us = 0
        self._struck = 0

    @property
    def number(self) -> int:
        return self.plan.number

    @property
    def is_in(self) -> bool:
        return self._process is not None and self._process.witness.is_in

    @property
    def member_id(self) -> str:
        return "" if self._process is None else self._process.witness.member_id

    @property
    def connection(self) -> Connection | None:
        """One of those it has; not always the same."""
        lines = [] if self._process is None else self._process.dialer.transports
        self._struck += 1
        return lines[self._struck % len(lines)].line if lines else None

    def is_idle(self) -> bool:
        """In, told so again and again, and at the end of all it reads; or gone, and nobody waits for it."""
        if self._process is None:
            return self._events.now_us >= self._quiet_at_us
        return self._process.is_at_rest()

    def doubt(self) -> None:
        if self._process is not None:
            self._process.witness.doubt()

    def retire(self) -> None:
        """Nothing moves any more; that it was at rest stays in the history."""
        if self._process is not None:
            self._process.following.read = self._process.assigned()
            self._process.end(closes=True)

    def end(self) -> None:
        """No process outlives its world."""
        if self._process is not None:
            self._process.end(closes=False)
            self._process = None

    def ask(self, ask: Ask) -> None:
        process = self._process
        match ask.verb:
            case Verb.JOIN if process is None:
                self._process = _Process(self, tuple(ask.topic.split("+")))
                self._process.begin()
            case Verb.VANISH if process is not None:
                process.end(closes=ask.count == 0)
                self._is_gone(process)
            case _ if process is not None:
                process.asks.append(ask)
            case _:
                pass

    def _is_gone(self, process: "_Process") -> None:
        """A session may still run: as long as that can last in a world, wait for it."""
        if self._process is process:
            self._process = None
            session_ms = self.plan.session_ms if self.plan.session_ms < 10_000 else 0
            self._quiet_at_us = self._events.now_us + (session_ms + self.plan.rebalance_ms) * 1000


@final
class _Process:
    """From start to end, however that comes."""

    def __init__(self, owner: OwnConsumer, topics: tuple[str, ...]) -> None:
        self._owner = owner
        self._plan = plan = owner.plan
        self._events = events = owner._events
        self._history = history = owner._history
        self._topics = topics
        self.asks: deque[Ask] = deque()
        self.loop = WorldLoop(events, f"client {plan.number}", history.broken)
        self.witness = Witness(plan.number, events, history, owner._reader)
        options = ConnectionOptions(
            bootstrap=_BOOTSTRAP,
            client_id=f"client-{plan.number}",
            request_ms_max=plan.timeout_ms,
            connect_ms_max=plan.timeout_ms,
            metadata_age_ms_max=_PICTURE_AGE_MS,
        )
        self.dialer = WorldDialer(
            plan, owner.wire, self.loop, owner._connect, self.witness, options
        )
        chance = events.chance(f"own-consumer/{plan.number}/{events.now_us}")
        self._cluster = Cluster(options, dialer=self.dialer, chance=chance)
        self._chance = chance
        self._options = options_of(plan)
        self._consumer = Consumer(self._cluster, self._options)
        self._sought: dict[TopicPartition, tuple[int, int]] = {}
        # Who needs longer for what it takes than it may stay away from its group never gets on.
        in_time_s = self._options.poll_interval_ms_max / 2 / 1000
        self._count_max = int(in_time_s / _RECORD_S) if plan.by_record else max(_RECORDS_MAX)
        self._listener = _Listener(self._consumer, plan.timeout_ms) if plan.listens else None
        self._resume_at_us: int | None = None
        self._has_found = False  # the last poll has: there may be more
        self._handed_out: dict[TopicPartition, None] = {}
        self.following = Following(
            plan.number,
            events.now_us,
            group=plan.group,
            is_cooperative=self._options.assignors == (COOPERATIVE_STICKY,),
            from_first=self._options.offset_reset == "earliest",
        )
        history.note(self.following)

    def begin(self) -> None:
        self.loop.run(lambda: self.loop.create_task(self._live()))

    def end(self, *, closes: bool) -> None:
        """Not another word, and no thought either."""
        if not self.loop.has_ended:
            self.dialer.end(closes=closes)
            self.loop.end()

    def is_at_rest(self) -> bool:
        witness = self.witness
        if self._plan.group and not witness.is_settled:
            return False
        cluster = self._cluster.cluster
        there = [
            place
            for place in self.assigned()
            # A leader that is written by hand does not notice that a topic became smaller, or went.
            if (topic := cluster.topic(place.topic)) and place.partition < len(topic.partitions)
        ]
        is_busy = self.asks or self._resume_at_us is not None or self._has_found
        return not is_busy and all(witness.is_read(place) for place in there)

    def assigned(self) -> tuple[TopicPartition, ...]:
        return tuple(sorted(self._consumer.assignment()))

    # ---- the application

    async def _live(self) -> None:
        consumer = self._consumer
        await self._cluster.start()
        consumer.subscribe(self._topics, listener=self._listener)
        await consumer.start()
        while True:
            try:
                if await self._do_asked():
                    break
                count = min(self._chance.choice(_RECORDS_MAX), self._count_max)
                found = await consumer.poll(_POLL_MS, count, advance=not self._plan.by_record)
                self._has_found = bool(found)
                await self._take(found)
            except Corrupt as error:
                self._seek(error.place, error.offset + 1)
            except Fenced:
                break
            except OttlaError as error:
                if isinstance(error, ApiError) and error.code in _HOPELESS:
                    break
                await asyncio.sleep(_PAUSE_S)
        try:
            await consumer.close(timeout_ms=_CLOSE_MS)
        finally:
            await self._cluster.close()
        self.following.end(self._events.now_us, Outcome.OK)
        self._events.after(0, self._ended)

    def _ended(self) -> None:
        self.end(closes=True)
        self._owner._is_gone(self)

    async def _do_asked(self) -> bool:
        """Has it been told to go?"""
        if self._resume_at_us is not None and self._events.now_us >= self._resume_at_us:
            self._consumer.resume(self._consumer.paused())
            self._resume_at_us = None
        while self.asks:
            try:
                if await self._do(self.asks[0]):
                    return True
            finally:
                self.asks.popleft()  # while it is at it, it is not at rest
        return False

    async def _do(self, ask: Ask) -> bool:
        match ask.verb:
            case Verb.LEAVE:
                return True
            case Verb.JOIN:
                self._subscribe(ask.topic.split("+"))
            case Verb.PAUSE if ask.count:
                self._consumer.pause(self._consumer.assignment())
                self._resume_at_us = self._events.now_us + ask.wait_ms * 1000
            case Verb.PAUSE:
                await asyncio.sleep(ask.wait_ms / 1000)
            case Verb.COMMIT if self._plan.group and ask.count % 2:
                self._consumer.commit_nowait()
            case Verb.COMMIT if self._plan.group:
                await self._consumer.commit(timeout_ms=self._plan.timeout_ms)
            case Verb.SEEK if assigned := self.assigned():
                self._seek(assigned[ask.count % len(assigned)], 0)
            case _:
                pass
        return False

    async def _take(self, found: Mapping[TopicPartition, Sequence[ConsumedRecord]]) -> None:
        """Records are handed out when they are done, all at once, or each in its time."""
        polled_us = self._events.now_us
        if not self._plan.by_record:
            self._handed(found, polled_us)
            return
        for place, records in found.items():
            for record in records:
                await asyncio.sleep(_RECORD_S)
                if self.asks and self.asks[0].verb is Verb.LEAVE:
                    return
                self._handed({place: [record]}, polled_us)
                self._consumer.advance_to(place, record.offset + 1)

    def _subscribe(self, topics: list[str]) -> None:
        self._consumer.subscribe(topics, listener=self._listener)
        if not self._plan.group:
            # What is not read any more is read from its beginning if it comes back.
            for place in self._handed_out:
                if place.topic not in topics:
                    self._seek_is_due(place, 0)

    def _seek(self, place: TopicPartition, offset: int) -> None:
        if place in self._consumer.assignment():
            self._seek_is_due(place, offset)
            self._consumer.seek(place, offset)

    def _seek_is_due(self, place: TopicPartition, offset: int) -> None:
        self._sought[place] = offset, self.witness.joins

    def _sought_now(self, place: TopicPartition) -> int | None:
        """A rebalance makes it void: then the group's position holds."""
        offset, joins = self._sought.pop(place, (0, -1))
        return offset if joins == self.witness.joins else None

    def _handed(
        self, found: Mapping[TopicPartition, Sequence[ConsumedRecord]], polled_us: int
    ) -> None:
        self._handed_out.update(dict.fromkeys(found))
        for place, records in found.items():
            delivery = Delivery(
                self.following,
                polled_us,
                self._events.now_us,
                topic=place.topic,
                partition=place.partition,
                records=tuple(
                    Record(
                        one.offset,
                        one.timestamp,
                        identity(one.value, one.headers),
                        one.key or b"",
                        is_tombstone=one.value is None,
                    )
                    for one in records
                ),
                sought=self._sought_now(place),
            )
            self._history.note(delivery)


@final
class _Listener:
    """Commits what is given up (`ottla.aio.rounds.RebalanceListener`)."""

    def __init__(self, consumer: Consumer, timeout_ms: int) -> None:
        self._consumer = consumer
        self._timeout_ms = timeout_ms

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        try:
            await self._consumer.commit(timeout_ms=self._timeout_ms)
        except OttlaError:
            pass  # then it comes again

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        pass

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        pass


def options_of(plan: ClientPlan) -> ConsumerOptions:
    return ConsumerOptions(
        group_id=plan.group or None,
        group_instance_id=plan.instance or None,
        assignors=tuple(plan.assignors.split("+")) if plan.assignors else (RANGE,),
        offset_reset="latest" if plan.from_end else "earliest",
        auto_commit=plan.commit_ms > 0,
        auto_commit_interval_ms=max(1, plan.commit_ms),
        isolation="read_committed" if plan.committed else "read_uncommitted",
        fetch_sessions=plan.session,
        fetch_wait_ms_max=_FETCH_WAIT_MS,
        partition_fetch_bytes_max=plan.batch_bytes or 1_048_576,
        poll_interval_ms_max=plan.rebalance_ms or 300_000,
        session_timeout_ms=plan.session_ms or 45_000,
        # Who hears of a rebalance only when it is over is never in the group for long.
        heartbeat_interval_ms=min(
            1_000, (plan.session_ms or 45_000) // 4, (plan.rebalance_ms or 4_000) // 4
        ),
        allow_auto_create=False,
    )
