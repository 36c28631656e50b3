"""A connection to the cluster, as the three clients share it: opened, checked, and anew after a fork.

The first thing a client does is to reach a broker: where none answers, its constructor says so within
`bootstrap_timeout_ms`, naming the addresses. A client that came through a fork has nothing of its
parent's: whoever uses it next opens a session of its own.

Elsewhere: the thread that everything runs on, `loop.py`.
"""

from collections.abc import Coroutine, Mapping
from typing import Final, TypeVar, final

from ottla.aio.admin import Admin
from ottla.aio.client import Client
from ottla.client.reach import ConnectionLost, Unreachable
from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.kafka.config import number
from ottla.kafka.errors import InvalidConfigValueError, NoBrokersAvailable
from ottla.kafka.loop import LoopThread, generation, loop_thread
from ottla.kafka.options import connection_options, security
from ottla.kafka.translation import public

T = TypeVar("T")

_MARGIN_S: Final = 30.0
"""What lies below keeps its own times; this only ends what should have ended long ago."""


@final
class Session:
    """An open client of the cluster."""

    def __init__(self, config: Mapping[str, object]) -> None:
        """A broker has answered. Raises NoBrokersAvailable, or what its configuration deserves."""
        try:
            self.options: Final = connection_options(config)
            who = security(config)
        except (LocalProtocolError, ValueError) as error:
            raise InvalidConfigValueError(str(error)) from None
        self.thread: Final[LoopThread] = loop_thread()
        self.generation: Final = generation()
        self.client: Final = Client(self.options, who)
        self.admin: Final = Admin(self.client, api_ms_max=self.options.api_ms_max)
        try:
            self._reach(number(config, "bootstrap_timeout_ms"))
        except BaseException:
            self.close()
            raise

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked since."""
        return self.generation == generation()

    def run(self, work: Coroutine[object, object, T], timeout_s: float | None = None) -> T:
        """What `work` comes to; failures are those of the public tree."""
        with public():
            return self.thread.run(work, timeout_s)

    def close(self) -> None:
        """The connections are closed, if they are this process'."""
        if self.is_ours:
            self.thread.run(self.client.close(), _MARGIN_S)

    def close_soon(self) -> None:
        """As `close`; nobody waits for it."""
        self.thread.begin(self.client.close())

    def _reach(self, bootstrap_ms_max: int) -> None:
        where = ", ".join(str(one) for one in self.options.bootstrap)
        try:
            self.run(self.admin.reach(bootstrap_ms_max))
        except Exception as error:
            cause = error.__cause__
            if not isinstance(cause, Unreachable | ConnectionLost | RemoteProtocolError):
                raise
            reason = cause.reason if isinstance(cause, Unreachable) else str(cause)
            missing = NoBrokersAvailable(f"no broker answers at {where}: {reason}")
            missing.broker = where
            missing.hint = "Is a broker running there? bootstrap_servers says where to look."
            # What is below would be fifty lines, and says the same.
            raise missing from None
