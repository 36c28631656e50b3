"""A Fetch session, as the client keeps it: what the broker remembers of the last request (KIP-227).

The first request of a session is full; after it only what changed is sent: partitions that came,
moved on or went. Whoever answers with another idea of the session gets a full request again. Brokers
before Kafka 1.1, and those with no room, answer with session 0: then every request is full.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.errors import ErrorCode
from ottla.types import TopicPartition, Uuid

NO_SESSION: Final = 0
_FIRST: Final = 0
_NONE: Final = -1
_EPOCH_MAX: Final = 2**31 - 1


class Wanted(NamedTuple):
    """A partition as a Fetch asks for it. Equal to what the broker remembers: it need not be said."""

    topic_id: Uuid
    offset: int
    leader_epoch: int
    bytes_max: int


class Plan(NamedTuple):
    """A request: its session, what to send and what the broker shall forget."""

    session_id: int
    epoch: int
    send: dict[TopicPartition, Wanted]
    forget: dict[TopicPartition, Uuid]


@final
class Session:
    """With one broker; one request at a time. `is_used` False: every request stands for itself."""

    __slots__ = ("_epoch", "_is_used", "_remembered", "session_id")

    def __init__(self, *, is_used: bool = True) -> None:
        self._is_used = is_used
        self._epoch = _FIRST if is_used else _NONE
        self._remembered: dict[TopicPartition, Wanted] = {}
        self.session_id = NO_SESSION

    def plan(self, wanted: Mapping[TopicPartition, Wanted]) -> Plan:
        """What to send so that the broker fetches exactly `wanted`."""
        if self._epoch <= _FIRST:
            self._remembered = dict(wanted)
            return Plan(self.session_id, self._epoch, dict(wanted), {})
        known = self._remembered
        send = {place: want for place, want in wanted.items() if known.get(place) != want}
        forget = {
            place: want.topic_id
            for place, want in known.items()
            if place not in wanted or wanted[place].topic_id != want.topic_id
        }
        self._remembered = dict(wanted)
        return Plan(self.session_id, self._epoch, send, forget)

    def answered(self, error_code: int, session_id: int) -> None:
        """The next request goes on with the session, or begins a new one."""
        if not self._is_used:
            return
        if error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
            self.session_id, self._epoch = NO_SESSION, _FIRST
        elif error_code != ErrorCode.NONE:
            self._epoch = _FIRST
        elif session_id == NO_SESSION:
            self.session_id, self._epoch = NO_SESSION, _FIRST
        else:
            self.session_id = session_id
            self._epoch = self._epoch % _EPOCH_MAX + 1

    def lost(self) -> None:
        """Nobody knows whether the broker saw the last request: the session begins anew."""
        if self._is_used:
            self._epoch = _FIRST
