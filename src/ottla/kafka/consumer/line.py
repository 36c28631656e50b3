"""What a KafkaConsumer has open: a session, the consumer below, and the way its callbacks take.

It lives until it is closed, though its KafkaConsumer may be gone.
"""

import threading
from collections.abc import Mapping
from typing import Final, final

from ottla.aio.consumer import Consumer
from ottla.errors import LocalProtocolError
from ottla.kafka.errors import InvalidConfigValueError
from ottla.kafka.handoff import Handoff
from ottla.kafka.loop import EXIT_S_MAX, close_at_exit, forget_at_exit
from ottla.kafka.options import consumer_options
from ottla.kafka.session import Session


@final
class Line:
    """The constructor has reached a broker."""

    def __init__(self, config: Mapping[str, object]) -> None:
        try:
            options = consumer_options(config)
        except LocalProtocolError as error:
            raise InvalidConfigValueError(str(error)) from None
        self.session: Final = Session(config)
        self.guard: Final = threading.Lock()
        self.consumer: Final = Consumer(self.session.client, options, self.guard)
        self.handoff: Final = Handoff(self.session.thread)
        self.session.run(self.consumer.start())
        close_at_exit(self)

    def close(self, *, auto_commit: bool, timeout_ms: int) -> None:
        forget_at_exit(self)
        try:
            self.handoff.run(self.consumer.close(auto_commit=auto_commit, timeout_ms=timeout_ms))
        finally:
            self.session.close()

    def forked(self) -> None:
        """Whoever uses it looks at the session."""

    def close_soon(self) -> None:
        """Nobody waits for it. What was not committed is read again: who knows what was processed?"""
        self.session.thread.begin(self._end(auto_commit=False))

    async def at_exit(self) -> None:
        """The group hears that this member goes."""
        await self._end(auto_commit=True)

    async def _end(self, *, auto_commit: bool) -> None:
        try:
            await self.consumer.close(auto_commit=auto_commit, timeout_ms=int(EXIT_S_MAX * 1000))
        finally:
            await self.session.client.close()
            forget_at_exit(self)
