"""Produce requests on their way: each broker gets its own in the order in which they were made.

What can be sent at once is, without a task of its own. Where a broker is not connected, or takes
nothing now, its requests are held back, and one task sends them when it does; meanwhile it is in
`held_back`, and nothing more should be made for it.

Elsewhere: what is in a request and what its answer means, `client/produce/`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeAlias, final

from ottla.aio.client import Client
from ottla.aio.client_connection import ANY_VERSION
from ottla.client.produce.outgoing import Outgoing
from ottla.client.reach import ConnectionLost
from ottla.errors import OttlaError
from ottla.wire.api import PRODUCE, Message
from ottla.wire.message.produce import ProduceResponse

Ended: TypeAlias = Callable[[Outgoing, ProduceResponse | OttlaError | None], None]


@final
class Posting:
    """`ended` is called once for each request: with the answer, None where none was asked for, or
    why there is none; `freed`, when a broker is no longer in `held_back`. `own` makes a task that somebody looks after."""

    def __init__(
        self,
        client: Client,
        acks: int,
        *,
        ended: Ended,
        freed: Callable[[], None],
        own: "Callable[[Coroutine[object, object, None]], asyncio.Task[None]]",
    ) -> None:
        self._client = client
        self._acks = acks
        self._ended = ended
        self._freed = freed
        self._own = own
        self.held_back: dict[int, deque[Outgoing]] = {}
        """By broker, in order."""

    def send(self, one: Outgoing) -> None:
        """Sent now, or as soon as its broker takes it."""
        waiting = self.held_back.get(one.broker_id)
        if waiting is not None:
            waiting.append(one)
            return
        if self._acks != 0:
            try:
                if self._post(one):
                    return
            except OttlaError as error:
                self._ended(one, error)
                return
        self.held_back[one.broker_id] = deque([one])
        self._own(self._catch_up(one.broker_id))

    def _post(self, one: Outgoing) -> bool:
        """Was it sent?"""
        answer = self._client.post(
            one.broker_id, PRODUCE, one.request(), version_max=_version_max(one)
        )
        if answer is None:
            return False
        answer.add_done_callback(partial(self._answered, one))
        return True

    async def _catch_up(self, broker_id: int) -> None:
        """What was held back for a broker is sent, or has failed."""
        waiting = self.held_back[broker_id]
        while waiting:
            one = waiting[0]
            try:
                await self._catch_up_with(one)
            except OttlaError as error:
                waiting.popleft()
                self._ended(one, error)
            else:
                waiting.popleft()
                if self._acks == 0:
                    self._ended(one, None)
        del self.held_back[broker_id]
        self._freed()

    async def _catch_up_with(self, one: Outgoing) -> None:
        """It was sent."""
        while True:
            await self._client.ready(one.broker_id)
            if one.is_overdue:
                raise ConnectionLost("it could not be sent in time")
            if self._acks == 0:
                await self._client.tell(
                    one.broker_id, PRODUCE, one.request(), version_max=_version_max(one)
                )
                return
            if self._post(one):
                return

    def _answered(self, one: Outgoing, answer: "asyncio.Future[Message]") -> None:
        if answer.cancelled():
            self._ended(one, ConnectionLost("the request was given up"))
            return
        error = answer.exception()
        if error is not None:
            assert isinstance(error, OttlaError), error
            self._ended(one, error)
            return
        response = answer.result()
        assert isinstance(response, ProduceResponse)
        self._ended(one, response)


def _version_max(one: Outgoing) -> int:
    return ANY_VERSION if one.version_max is None else one.version_max
