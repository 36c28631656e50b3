"""Sends records of any number of topics, and tells each one's fate.

`append` takes a record at once or raises; `send` waits for what is missing, metadata or room. Both
return a `Delivery`, which may be awaited, asked, or told to call back. `append_batch` takes many
records at once. `flush` waits until the fate of all that was taken is known; `close` does so too, and
raises `Undelivered` for what it had to drop: nothing is dropped silently.

With a `guard` a second world may call `append` and `append_batch`: threads, while they hold it. Here
it is held whenever the accumulator or the sender is touched, for microseconds; records are encoded,
and callbacks run, without it.

Elsewhere: which batch goes where and what an answer means, `client/produce/`; requests on their way,
`posting.py`; connections and the picture of the cluster, `client.py`; the interface of kafka-python, `ottla/kafka/`.
"""

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import time_ns
from types import TracebackType
from typing import Final, final

from ottla.aio.client import Client
from ottla.aio.errands import Errands
from ottla.aio.posting import Posting
from ottla.backoff import Backoff
from ottla.client.metadata import ClusterView, TopicView
from ottla.client.produce.accumulator import Accumulator
from ottla.client.produce.batch import Draft, Identity, RecordBatch
from ottla.client.produce.delivery import BatchDelivery, Delivery
from ottla.client.produce.fate import (
    BufferFull,
    FlushTimedOut,
    ProducerClosed,
    TopicUnknown,
    Undelivered,
)
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.client.produce.schedule import NEVER_MS
from ottla.client.produce.sender import Sender
from ottla.client.reach import (
    AdvertisedUnreachable,
    AuthenticationFailed,
    ConnectionLost,
    Unreachable,
)
from ottla.errors import ApiError, Bug, ErrorCode, OttlaError, RemoteProtocolError
from ottla.limits import INT_MAX
from ottla.record.record import Headers
from ottla.wire.api import INIT_PRODUCER_ID
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.produce import ProduceResponse

_IDEMPOTENT: Final = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=INT_MAX)
"""Kafka's producer sends the largest time-out when there is no transaction to time out."""

_PASSES: Final = (Unreachable, ConnectionLost, RemoteProtocolError)
"""What another attempt may get around."""


@final
class Producer:
    """To be started and closed in one event loop, or used with `async with`.

    `guard`: a lock for `append` from other threads; it need not be reentrant. `on_done` is called on
    the loop with each batch whose fate is known. `delivery`: what `append` returns (see there).
    """

    def __init__(
        self,
        client: Client,
        options: ProducerOptions | None = None,
        *,
        guard: AbstractContextManager[object] | None = None,
        on_done: Callable[[RecordBatch], None] | None = None,
        delivery: type[Delivery] = Delivery,
    ) -> None:
        self._client = client
        self._options = options = options or ProducerOptions()
        self._is_shared = guard is not None
        self._guard: AbstractContextManager[object] = guard or nullcontext()
        self._on_done = on_done
        self._records = Accumulator(
            options, below=_below, wake=self._wake, wait=self._wait, delivery=delivery
        )
        self._take = self._records.append
        self._sender = Sender(
            self._records,
            options,
            backoff=Backoff(
                initial_ms=client.options.retry_backoff_ms,
                max_ms=client.options.retry_backoff_ms_max,
            ),
            request_ms_max=client.options.request_ms_max,
            chance=random.random,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._let_go_at_ms = 0
        self._is_awake = False
        """A turn is due: whoever has news need not say so."""
        self._timer: asyncio.TimerHandle | None = None
        self._errands = Errands(self._give_up)
        self._posting = Posting(
            client, options.acks, ended=self._ended, freed=self._look, own=self._errands.begin
        )
        self._identifying: asyncio.Task[None] | None = None
        self._learning: dict[str, asyncio.Task[TopicView]] = {}
        self._for_room: list[asyncio.Future[None]] = []
        self._unreachable_count = 0
        self._forget_cluster: Callable[[], None] = lambda: None

    # ---- life

    async def start(self) -> None:
        """Records may be appended. Nobody is asked for anything yet."""
        self._loop = asyncio.get_running_loop()
        self._forget_cluster = self._client.on_cluster(self._look)

    async def close(self, timeout_ms: float | None = None) -> None:
        """No more records are taken; those there are have their fate.

        `timeout_ms` None: the delivery time-out is all there is. Raises Undelivered for what could
        not be delivered within `timeout_ms`; what failed before was told by its `Delivery`.
        """
        closed = ProducerClosed("the producer is closed")
        with self._guard:
            if self._records.refusal is None:
                self._records.refusal = closed
        if self._loop is None:
            return
        try:
            await self._drained(timeout_ms)
        except FlushTimedOut as error:
            raise self._dropped(f" (within {timeout_ms:,.0f} ms)") from error
        except asyncio.CancelledError:
            self._dropped(" (which was broken off)")
            raise
        finally:
            await self._end()

    async def __aenter__(self) -> "Producer":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await self.close()
            return
        # Who leaves in a hurry is not kept waiting, but what is lost is still said.
        try:
            await self.close(0)
        except Undelivered as undelivered:
            error.add_note(str(undelivered))

    # ---- records

    def append(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Delivery:
        """Take a record. `timestamp_ms` None: now.

        Raises TopicUnknown before `topic` was awaited, BufferFull, RecordTooLarge, ProducerClosed,
        LocalProtocolError for a partition that is not there, TypeError for what is no bytes.
        """
        if timestamp_ms is None:
            timestamp_ms = time_ns() // 1_000_000
        return self._take(topic, value, key, headers, partition, timestamp_ms)

    @property
    def take(
        self,
    ) -> Callable[[str, bytes | None, bytes | None, Headers, int | None, int], Delivery]:
        """`append` without the clock: who appends by the million saves a call for each record."""
        return self._take

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Delivery:
        """As `append`, after waiting for metadata and room, up to `max_block_ms` each."""
        if timestamp_ms is None:
            timestamp_ms = time_ns() // 1_000_000
        while True:
            try:
                if self._is_shared:
                    with self._guard:
                        taken = self._take(topic, value, key, headers, partition, timestamp_ms)
                else:
                    taken = self._take(topic, value, key, headers, partition, timestamp_ms)
            except TopicUnknown:
                await self.topic(topic)
            except BufferFull:
                await self.room()
            else:
                if self._is_awake and (
                    self._records.is_pressing or timestamp_ms != self._let_go_at_ms
                ):
                    # A batch was begun. Who never waits would never let the loop send it.
                    self._let_go_at_ms = timestamp_ms
                    await asyncio.sleep(0)
                return taken

    def append_batch(
        self, topic: str, records: Sequence[bytes | Draft], partition: int | None = None
    ) -> BatchDelivery:
        """Take records that belong together, all or none. Plain bytes are values without key.

        They are sent in batches of their own, without lingering. Raises as `append` does.
        """
        return self._records.append_batch(topic, records, partition, time_ns() // 1_000_000)

    async def send_batch(
        self, topic: str, records: Sequence[bytes | Draft], partition: int | None = None
    ) -> BatchDelivery:
        """As `append_batch`, after waiting for metadata and room, up to `max_block_ms` each."""
        while True:
            try:
                with self._guard:
                    taken = self.append_batch(topic, records, partition)
            except TopicUnknown:
                await self.topic(topic)
            except BufferFull:
                await self.room()
            else:
                await asyncio.sleep(0)
                return taken

    async def room(self, timeout_ms: float | None = None) -> None:
        """A batch got its fate, so that there is room again; None: within `max_block_ms`.

        Raises BufferFull after that time.
        """
        wait_ms = self._options.max_block_ms if timeout_ms is None else timeout_ms
        room = self._running().create_future()
        with self._guard:
            # A batch may have got its fate since another thread found no room.
            if not self._records.is_starved:
                return
            self._for_room.append(room)
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await room
        except TimeoutError:
            raise BufferFull(
                f"buffer_memory ({self._options.buffer_memory:,} bytes) was full for "
                f"{wait_ms:,.0f} ms: {self._trouble() or 'the brokers are slower than the producer'}"
            ) from None

    async def topic(self, name: str, timeout_ms: float | None = None) -> TopicView:
        """The topic, once its partitions are known; None: within `max_block_ms`.

        Raises ApiError if it does not exist (and is not created), or what keeps it from being asked.
        """
        view = self._records.topic_view(name)
        if view is not None:
            return view
        wait_ms = self._options.max_block_ms if timeout_ms is None else timeout_ms
        learning = self._learning.get(name)
        if learning is None:
            learning = self._running().create_task(self._learn(name, wait_ms))
            self._learning[name] = learning
            learning.add_done_callback(partial(self._learned, name))
        try:
            return await asyncio.shield(learning)
        except asyncio.CancelledError:
            if learning.cancelled() and self._records.refusal is not None:
                raise self._records.refusal from None
            raise

    async def flush(self, timeout_ms: float | None = None) -> None:
        """All that was appended before has its fate, told by its `Delivery`. Nothing lingers.

        Raises FlushTimedOut after `timeout_ms`, and then goes on sending what is left.
        """
        await self._drained(timeout_ms)

    @property
    def acknowledged_count(self) -> int:
        """Records delivered since the beginning."""
        return self._sender.acknowledged_count

    @property
    def pending_batch_count(self) -> int:
        """Batches without a fate."""
        return len(self._records.incomplete)

    @property
    def buffered_bytes(self) -> int:
        """How much of `buffer_memory` is in use."""
        return self._options.buffer_memory - self._records.room_bytes

    # ---- one turn

    def _wake(self) -> None:
        """A turn is due soon. Called under the guard, from any thread if it is shared."""
        if self._is_awake or self._loop is None:
            return
        self._is_awake = True
        if self._is_shared:
            self._loop.call_soon_threadsafe(self._turn)
        else:
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Whatever can be sent now is; whoever is due is told."""
        is_whole = False
        try:
            self._take_turn()
            is_whole = True
        finally:
            if not is_whole:
                # A bug, which the loop reports; nobody shall wait for ever because of it.
                self._give_up(Bug("the producer broke its own promise; the log says where"))

    def _take_turn(self) -> None:
        loop = self._running()
        sender = self._sender
        with self._guard:
            self._is_awake = False
            outgoing = sender.ready(
                loop.time() * 1000, self._client.cluster, self._posting.held_back
            )
            finished = sender.take_finished()
            hints, sender.hints = sender.hints, []
            hinted, sender.hinted = sender.hinted, {}
            next_ms = sender.schedule.next_ms
            wants_identity = sender.wants_identity and bool(self._records.busy)
            must_refresh, sender.schedule.must_refresh = sender.schedule.must_refresh, False
            fatal = sender.fatal
        for one in outgoing:
            self._posting.send(one)
        if fatal is not None and self._records.refusal is None:
            self._give_up(fatal)
        if finished:
            self._tell(finished)
        if hints:
            self._client.learn(hints, hinted)
        if must_refresh:
            self._client.mark_stale()
        if wants_identity and self._identifying is None:
            self._identifying = self._errands.begin(self._identify())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if next_ms != NEVER_MS:
            self._timer = loop.call_at(next_ms / 1000, self._look)

    def _look(self, _: ClusterView | None = None) -> None:
        """Something may have changed: time, the cluster, a broker's connection."""
        with self._guard:
            self._wake()

    def _tell(self, finished: list[RecordBatch]) -> None:
        waiting, self._for_room = self._for_room, []
        for room in waiting:
            if not room.done():
                room.set_result(None)
        if self._on_done is not None:
            for batch in finished:
                self._running().call_soon(self._on_done, batch)
        for batch in finished:
            if batch.callbacks or batch.watchers:
                self._running().call_soon(self._announce, batch)

    def _announce(self, batch: RecordBatch) -> None:
        """Run the callbacks. One that raises is the loop's to report, and does not stop the others."""
        try:
            batch.announce()
        finally:
            if batch.callbacks or batch.watchers:
                self._running().call_soon(self._announce, batch)

    # ---- requests

    def _ended(self, one: Outgoing, answer: ProduceResponse | OttlaError | None) -> None:
        """A request has its answer, or none and an error, or none because it asked for none."""
        now_ms = self._running().time() * 1000
        if isinstance(answer, OttlaError):
            self._failed(one, answer, now_ms)
            return
        self._unreachable_count = 0
        try:
            with self._guard:
                self._sender.answered_untrusted(one, answer, now_ms)
        except RemoteProtocolError as broken:
            self._failed(one, broken, now_ms)
            return
        if not self._is_awake:
            self._turn()

    def _failed(self, one: Outgoing, error: OttlaError, now_ms: float) -> None:
        """There is no answer. What another attempt may mend is tried again."""
        with self._guard:
            if isinstance(error, _PASSES):
                self._sender.lost(one, str(error), now_ms)
            else:
                self._sender.refused(one, error)
            self._wake()
        if isinstance(error, AdvertisedUnreachable):
            # It may have just been restarted; a wrong address stays wrong.
            self._unreachable_count += 1
            most = self._options.unreachable_attempts_max
            if most is not None and self._unreachable_count >= most and not self.acknowledged_count:
                self._give_up(error)

    # ---- identity, topics

    async def _identify(self) -> None:
        """Become someone whose duplicates are recognized, if the brokers can."""
        failures = 0
        while True:
            try:
                error = await self._try_to_identify()
            except _PASSES as passing:
                error = passing
            except (ApiError, AuthenticationFailed) as final_error:
                self._give_up(final_error)
                break
            if error is None:
                break
            failures += 1
            with self._guard:
                self._sender.trouble = str(error)
            await self._client.pause(failures)
        self._identifying = None
        with self._guard:
            self._wake()

    async def _try_to_identify(self) -> OttlaError | None:
        """None: it is settled. Raises what would not pass, and what may."""
        if not await self._client.speaks(INIT_PRODUCER_ID):
            with self._guard:
                self._sender.cannot_be_identified()
            return None
        response = await self._client.ask_any(INIT_PRODUCER_ID, _IDEMPOTENT)
        assert isinstance(response, InitProducerIdResponse)
        if response.error_code != ErrorCode.NONE:
            error = ApiError(response.error_code, "no producer id was assigned")
            if not error.retriable:
                raise error
            return error
        with self._guard:
            self._sender.trouble = None
            self._sender.identified(Identity(response.producer_id, response.producer_epoch))
        return None

    async def _learn(self, name: str, wait_ms: float) -> TopicView:
        client = self._client
        last: OttlaError | None = None
        failures = 0
        view: TopicView | None = None
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while view is None:
                    try:
                        view = await client.wait_for_topic(
                            name,
                            create_missing=self._options.allow_auto_create,
                            unknown_ms_max=int(wait_ms),
                        )
                    except _PASSES as error:
                        # Where nobody ever answered, the address is wrong: that is said at once.
                        if not client.cluster.brokers:
                            raise
                        last = error
                        failures += 1
                        await client.pause(failures)
        except TimeoutError:
            if last is not None:
                raise last from None
            code = client.cluster.obstacle(name) or ErrorCode.REQUEST_TIMED_OUT
            raise ApiError(code, f"topic '{name}', after {wait_ms:,.0f} ms") from None
        client.track([name])
        with self._guard:
            self._records.learn(view)
        return view

    def _learned(self, name: str, task: "asyncio.Task[TopicView]") -> None:
        self._learning.pop(name, None)
        if not task.cancelled():
            # Who asked may have gone away since.
            task.exception()

    # ---- the end

    async def _drained(self, timeout_ms: float | None) -> None:
        """Everything that is there now has its fate, and who wanted to know has been told. Raises
        FlushTimedOut."""
        loop = self._running()
        with self._guard:
            self._sender.schedule.flushing += 1
            waited = [*self._sender.finished, *self._records.incomplete]
            self._wake()
        until = None if timeout_ms is None else loop.time() + timeout_ms / 1000
        try:
            async with asyncio.timeout_at(until):
                for batch in waited:
                    await self._all_done(batch)
                await asyncio.sleep(0)  # what was told in this turn of the loop
        except TimeoutError:
            count = sum(not batch.is_done for batch in waited)
            batches = "1 batch" if count == 1 else f"{count:,} batches"
            raise FlushTimedOut(
                f"{batches} under way after {timeout_ms:,.0f} ms: "
                f"{self._trouble() or 'there was no answer yet'}"
            ) from None
        finally:
            with self._guard:
                self._sender.schedule.flushing -= 1

    async def _all_done(self, batch: RecordBatch) -> None:
        while True:
            waited = next((leaf for leaf in batch.leaves() if not leaf.is_announced), None)
            if waited is None:
                return
            await self._wait(waited)

    async def _wait(self, batch: RecordBatch) -> None:
        """The batch was announced, or split."""
        done = self._running().create_future()

        def look(_: RecordBatch) -> None:
            if not done.done():
                done.set_result(None)

        with self._guard:
            if batch.is_announced or batch.parts:
                return
            batch.watchers.append(look)
        await done

    def _dropped(self, how: str) -> Undelivered:
        """What has no fate has failed, because the producer is closed."""
        counts: dict[str, int] = {}
        reason = None
        for batch in list(self._records.incomplete):
            count = batch.record_count or len(batch.values)
            counts[batch.topic] = counts.get(batch.topic, 0) + count
            reason = reason or batch.reason
        undelivered = Undelivered(counts, reason or self._sender.trouble)
        self._give_up(ProducerClosed(f"{undelivered}{how}"))
        return undelivered

    def _give_up(self, error: OttlaError) -> None:
        """All that is under way has failed for this reason, and nothing more is taken."""
        with self._guard:
            if self._records.refusal is None:
                self._records.refusal = error
            self._sender.give_up(error)
            finished = self._sender.take_finished()
        self._tell(finished)

    async def _end(self) -> None:
        self._forget_cluster()
        self._forget_cluster = lambda: None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._learning.values():
            task.cancel()
        await self._errands.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None, "start first"
        return self._loop

    def _trouble(self) -> str | None:
        """What keeps the oldest batch from being delivered."""
        with self._guard:
            oldest = next(iter(self._records.incomplete), None)
        return None if oldest is None else oldest.reason or self._sender.trouble


def _below(end: int) -> int:
    return int.from_bytes(os.urandom(8), "big") % end
