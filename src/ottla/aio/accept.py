"""One listening socket's queue: how many connections are taken from it in a turn, and when none.

Promises: a storm is taken in portions, so that neither those who wait in the kernel's queue nor those
who are served wait long; while connections come faster than they may (KIP-612) they are left in that
queue; when the process has no descriptor left it waits, and says so.

The loops' own servers do not do: uvloop's takes one connection in a turn, so that a newcomer waits for
as many turns as there are others before him.

Elsewhere: who is let in, `server.py`; how fast they may come, `core/quota/accepts.py`.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Final, final

from ottla.aio.complaint import Complaints
from ottla.limits import ACCEPTS_PER_TURN_MAX

log = logging.getLogger(__name__)

_RETRY_S: Final = 0.5
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@final
class Acceptor:
    """Takes connections from `listening`, which it owns, until `close`."""

    __slots__ = (
        "_complaints",
        "_listener",
        "_listening",
        "_loop",
        "_pause_s",
        "_protocol",
        "_resume",
        "_taking",
    )

    def __init__(
        self,
        listening: socket.socket,
        listener: str,
        *,
        protocol: Callable[[], asyncio.BaseProtocol],
        pause_s: Callable[[], float],
        complaints: Complaints,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`pause_s` is asked before each connection: 0, or how long none may be taken."""
        self._listening = listening
        self._listener = listener
        self._protocol = protocol
        self._pause_s = pause_s
        self._complaints = complaints
        self._loop = loop
        self._resume: asyncio.TimerHandle | None = None
        self._taking: set[asyncio.Task[None]] = set()
        self._go_on()

    def close(self) -> None:
        """Nobody is taken any more; those that were taken stay."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        elif self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()

    def _go_on(self) -> None:
        self._resume = None
        self._loop.add_reader(self._listening, self._ready)

    def _pause(self, duration_s: float) -> None:
        self._loop.remove_reader(self._listening)
        self._resume = self._loop.call_later(duration_s, self._go_on)

    def _ready(self) -> None:
        for _ in range(ACCEPTS_PER_TURN_MAX):
            pause_s = self._pause_s()
            if pause_s > 0:
                self._pause(pause_s)
                return
            try:
                taken, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                reason = error.strerror or str(error)
                self._complaints.tell(log, self._listener, "connections cannot be accepted", reason)
                self._pause(_RETRY_S)
                return
            taken.setblocking(False)
            task = self._loop.create_task(self._hand_over(taken))
            self._taking.add(task)
            task.add_done_callback(partial(self._handed_over, taken))

    async def _hand_over(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, taken)
        except OSError:  # it is gone again
            taken.close()

    def _handed_over(self, taken: socket.socket, task: asyncio.Task[None]) -> None:
        self._taking.discard(task)
        if task.cancelled():
            taken.close()
