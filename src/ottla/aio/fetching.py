"""Performs what a `Reader` asks for: requests become tasks, answers go back, and a timer comes back to it.

`pump` is the one entry: whoever changes something calls it, and everything that can be sent now is sent.
What no answer came to is the reader's to ask again; here it is only kept, as `trouble`, for whoever
wants to say why nothing comes.

With a `guard` a second thread may take records from the reader while it holds it.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, final

from ottla.aio.client import (
    AuthenticationFailed,
    Client,
    ConnectionLost,
    Lane,
    OwnLane,
    Unreachable,
)
from ottla.aio.errands import Alarm, Errands
from ottla.client.consume.fetcher import FetchAsk
from ottla.client.consume.locator import OffsetsAsk
from ottla.client.consume.reader import Answer, Ask, Reader
from ottla.errors import (
    ApiError,
    Bug,
    ErrorCode,
    LocalProtocolError,
    OttlaError,
    RemoteProtocolError,
)
from ottla.wire.api import FETCH, LIST_OFFSETS, OFFSET_FOR_LEADER_EPOCH
from ottla.wire.message.fetch import FetchResponse
from ottla.wire.message.list_offsets import ListOffsetsResponse
from ottla.wire.message.offset_for_leader_epoch import OffsetForLeaderEpochResponse

AWAY: Final = (Unreachable, ConnectionLost, RemoteProtocolError)
"""What may pass by itself."""


def now_ms() -> int:
    """The clock of everything that waits, the loop's: it only goes forward."""
    return int(asyncio.get_running_loop().time() * 1000)


def wall_ms() -> int:
    return int(time.time() * 1000)


@final
class Fetching:
    """`on_change` is called when there may be records, or a trouble, that were not there before."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        on_change: Callable[[], None],
        on_bug: Callable[[Bug], None],
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self._client = client
        self._reader = reader
        self._guard: AbstractContextManager[object] = guard or nullcontext()
        self._on_change = on_change
        self._lane = OwnLane()
        self._errands = Errands(on_bug)
        self._alarm = Alarm(self.pump)
        self._is_closed = False
        self.trouble: OttlaError | None = None
        """Why the last request came to nothing; None: it did not."""
        self.fatal: OttlaError | None = None

    def pump(self) -> None:
        """Everything that can be sent now is on its way."""
        if self._is_closed:
            return
        reader, now = self._reader, now_ms()
        if not reader.is_due and (reader.next_ms is None or reader.next_ms > now):
            return
        with self._guard:
            asks = reader.asks(now, self._client.cluster)
        for ask in asks:
            self._errands.begin(self._exchange(ask))
        if reader.must_refresh:
            self._client.mark_stale()
        self._alarm.set(None if reader.next_ms is None else reader.next_ms - now)

    async def close(self) -> None:
        self._is_closed = True
        self._alarm.set(None)
        await self._errands.close()
        await self._client.leave_lane(self._lane)

    async def _exchange(self, ask: Ask) -> None:
        reader = self._reader
        try:
            answer = await self._answer_to(ask)
            with self._guard:
                reader.answered_untrusted(ask, answer, now_ms())
            self.trouble = None
        except AWAY as error:
            self.trouble = error
            self._lost(ask)
        except AuthenticationFailed as error:
            self.trouble = self.fatal = error
            self._lost(ask)
        except ApiError as error:
            self._refused(ask, error)
        except LocalProtocolError as error:
            # The broker speaks no version that could say it.
            self._refused(ask, ApiError(ErrorCode.UNSUPPORTED_VERSION, str(error)))
        hints, addresses = reader.take_hints()
        if hints:
            self._client.learn(hints, addresses)
        self._on_change()
        self.pump()

    async def _answer_to(self, ask: Ask) -> Answer:
        if isinstance(ask, FetchAsk):
            fetched = await self._client.ask(
                ask.broker_id, FETCH, ask.request, version_max=ask.version_max, lane=self._lane
            )
            assert isinstance(fetched, FetchResponse)
            return fetched
        if isinstance(ask, OffsetsAsk):
            # Not behind a Fetch that waits for records.
            listed = await self._client.ask(ask.broker_id, LIST_OFFSETS, ask.request, lane=Lane.ANY)
            assert isinstance(listed, ListOffsetsResponse)
            return listed
        checked = await self._client.ask(
            ask.broker_id, OFFSET_FOR_LEADER_EPOCH, ask.request, lane=Lane.ANY
        )
        assert isinstance(checked, OffsetForLeaderEpochResponse)
        return checked

    def _lost(self, ask: Ask) -> None:
        with self._guard:
            self._reader.lost(ask, now_ms())

    def _refused(self, ask: Ask, error: ApiError) -> None:
        with self._guard:
            self._reader.refused(ask, error, now_ms())
