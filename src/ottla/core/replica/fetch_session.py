"""Fetch sessions: a client names its partitions once and is then told only what changed.

A full fetch (session epoch 0) may open a session; the next ones carry its id and a counting epoch
and name only what is new, different or forgotten. An answer tells a partition when it has records,
an error, or a high watermark or log start the client doesn't know. Partitions that had records go
to the end of the order, so that one busy partition starves no other.

Promises: an epoch is used once; an answer to an overtaken request is INVALID_FETCH_SESSION_EPOCH.
A session names its topics by id (Fetch 13 and later) or by name, never both. The cache is bounded in
sessions and in partitions; a client that gets no session fetches in full, which is always right.

Source: KIP-227, KIP-516. Elsewhere: reading the partitions, see `broker/handle/fetch.py`.
"""

from collections.abc import Collection, Iterable
from typing import Final, final

from ottla import probe
from ottla.core.port import Entropy
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.limits import FETCH_SESSION_PARTITIONS_MAX
from ottla.types import Uuid
from ottla.wire.message.fetch import FetchPartition, FetchRequest

NO_SESSION: Final = 0
OPENING_EPOCH: Final = 0
FINAL_EPOCH: Final = -1

TOPIC_IDS_SINCE: Final = 13

_ID_END: Final = 1 << 31
_EPOCH_MAX: Final = (1 << 31) - 1
# A session may be pushed out by a larger one only at this age, and by any once idle for as long.
_EVICTION_MS: Final = 120_000
# Over all sessions, about 150 bytes each; Kafka only bounds the sessions.
_INTERESTS_MAX: Final = 1_000_000
_UNTOLD: Final = -1

Key = tuple[str | Uuid, int]


@final
class Interest:
    """One partition a client fetches: from where, how much, and what it was last told of it."""

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "last_fetched_epoch",
        "leader",
        "max_bytes",
        "partition",
        "told_high_watermark",
        "told_log_start",
        "topic",
        "topic_id",
    )

    def __init__(self, topic: str, topic_id: Uuid, asked: FetchPartition) -> None:
        self.topic = topic  # "": the id was never known here
        self.topic_id = topic_id
        self.partition = asked.partition
        self.told_high_watermark = _UNTOLD
        self.told_log_start = _UNTOLD
        self.leader: Leader | None = None  # found by whoever reads; look again when it has an error
        self.ask(asked)

    def ask(self, asked: FetchPartition) -> None:
        self.fetch_offset = asked.fetch_offset
        self.max_bytes = asked.partition_max_bytes
        self.current_leader_epoch = asked.current_leader_epoch
        self.last_fetched_epoch = asked.last_fetched_epoch

    def tell(self, high_watermark: int, log_start: int, *, failed: bool) -> None:
        """Remember an answer. After an error the next one is told whatever it is."""
        self.told_high_watermark = _UNTOLD if failed else high_watermark
        if probe.MUTANTS and probe.mutant("M95-told-too-much"):
            self.told_high_watermark += 1
        self.told_log_start = log_start


@final
class Session:
    """What one client fetches, in the order in which it is to be served."""

    __slots__ = ("created_ms", "epoch", "id", "interests", "used_ms", "uses_ids")

    def __init__(
        self, session_id: int, interests: dict[Key, Interest], now_ms: int, *, uses_ids: bool
    ) -> None:
        self.id = session_id
        self.interests = interests
        self.uses_ids = uses_ids
        self.created_ms = now_ms
        self.used_ms = now_ms
        self.epoch = 1  # the epoch its next request must carry


@final
class Asked:
    """What a Fetch asks for once its session is known, and how the answer is told."""

    __slots__ = ("epoch", "full", "opens", "session", "uses_ids")

    def __init__(
        self,
        full: list[Interest],
        session: Session | None,
        *,
        opens: bool,
        uses_ids: bool,
    ) -> None:
        self.full = full
        self.session = session
        self.opens = opens
        self.uses_ids = uses_ids
        self.epoch = 0 if session is None else session.epoch

    @property
    def incremental(self) -> bool:
        return self.session is not None

    def interests(self) -> Collection[Interest]:
        return self.full if self.session is None else self.session.interests.values()


@final
class Sessions:
    """All fetch sessions of a node; the least recently used first."""

    __slots__ = ("_entropy", "_interests", "_sessions", "_slots_max")

    def __init__(self, entropy: Entropy, slots_max: int) -> None:
        self._entropy = entropy
        self._slots_max = slots_max
        self._sessions: dict[int, Session] = {}
        self._interests = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def resolve(self, now_ms: int, version: int, request: FetchRequest) -> Asked | ErrorCode:
        """The partitions meant. Changes the session by what the request adds, alters, forgets."""
        uses_ids = version >= TOPIC_IDS_SINCE
        epoch = request.session_epoch
        if epoch in (OPENING_EPOCH, FINAL_EPOCH):
            if request.session_id != NO_SESSION:
                self._remove(self._sessions.get(request.session_id))
            full = list(_named(request, uses_ids=uses_ids).values())
            return Asked(full, None, opens=epoch == OPENING_EPOCH, uses_ids=uses_ids)
        session = self._sessions.get(request.session_id)
        if session is None:
            return ErrorCode.FETCH_SESSION_ID_NOT_FOUND
        if session.epoch != epoch:
            return ErrorCode.INVALID_FETCH_SESSION_EPOCH
        if session.uses_ids is not uses_ids:
            return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
        before = len(session.interests)
        if request.topics or request.forgotten_topics_data:
            _alter(session.interests, request, uses_ids=uses_ids)
            self._interests += len(session.interests) - before
        if len(session.interests) > FETCH_SESSION_PARTITIONS_MAX:
            self._remove(session)  # the client goes on with full fetches, which cost no memory
            return ErrorCode.FETCH_SESSION_ID_NOT_FOUND
        if not session.interests:
            self._remove(session)
            return Asked([], None, opens=False, uses_ids=uses_ids)
        self._touch(session, now_ms)
        session.epoch = _next_epoch(epoch)
        return Asked([], session, opens=False, uses_ids=uses_ids)

    def answer(self, now_ms: int, asked: Asked) -> int | None:
        """The session id of the answer, made now if the request opens one and there is room.

        None: the request was overtaken by the next one, INVALID_FETCH_SESSION_EPOCH.
        """
        session = asked.session
        if session is not None:
            return session.id if session.epoch == asked.epoch else None
        if not asked.opens or not asked.full:
            return NO_SESSION
        if not self._make_room(now_ms, len(asked.full)):
            return NO_SESSION
        session_id = 0
        while session_id == NO_SESSION or session_id in self._sessions:
            session_id = self._entropy.below(_ID_END)
        interests = {_key(one, uses_ids=asked.uses_ids): one for one in asked.full}
        self._sessions[session_id] = Session(session_id, interests, now_ms, uses_ids=asked.uses_ids)
        self._interests += len(interests)
        return session_id

    def _touch(self, session: Session, now_ms: int) -> None:
        session.used_ms = now_ms
        del self._sessions[session.id]
        self._sessions[session.id] = session

    def _make_room(self, now_ms: int, interests: int) -> bool:
        """Kafka's rules: an idle session goes first; else the smallest old one, if no larger."""
        if self._slots_max == 0 or interests > FETCH_SESSION_PARTITIONS_MAX:
            return False
        if self._interests + interests > _INTERESTS_MAX:
            return False
        if len(self._sessions) < self._slots_max:
            return True
        idlest = next(iter(self._sessions.values()))
        if now_ms - idlest.used_ms > _EVICTION_MS:
            self._remove(idlest)
            return True
        old = [one for one in self._sessions.values() if now_ms - one.created_ms > _EVICTION_MS]
        if not old:
            return False
        smallest = min(old, key=lambda one: (len(one.interests), one.id))
        if interests <= len(smallest.interests):
            return False
        self._remove(smallest)
        return True

    def _remove(self, session: Session | None) -> None:
        if session is not None:
            del self._sessions[session.id]
            self._interests -= len(session.interests)

    def check_invariants(self) -> None:
        assert len(self._sessions) <= self._slots_max
        assert self._interests == sum(len(one.interests) for one in self._sessions.values())
        used = [one.used_ms for one in self._sessions.values()]
        assert used == sorted(used)
        for session_id, session in self._sessions.items():
            assert session_id == session.id != NO_SESSION
            assert session.interests


def rotate(session: Session, served: Iterable[Interest]) -> None:
    """Send what had records to the end of the order."""
    interests = session.interests
    if probe.MUTANTS and probe.mutant("M95-starved"):
        return
    for interest in served:
        key = _key(interest, uses_ids=session.uses_ids)
        if interests.pop(key, None) is not None:
            interests[key] = interest


def _key(interest: Interest, *, uses_ids: bool) -> Key:
    return (interest.topic_id if uses_ids else interest.topic, interest.partition)


def _next_epoch(epoch: int) -> int:
    return 1 if epoch == _EPOCH_MAX else epoch + 1


def _named(request: FetchRequest, *, uses_ids: bool) -> dict[Key, Interest]:
    interests: dict[Key, Interest] = {}
    for topic in request.topics:
        name = topic.topic_id if uses_ids else topic.topic
        for asked in topic.partitions:
            interests[name, asked.partition] = Interest(topic.topic, topic.topic_id, asked)
    return interests


def _alter(interests: dict[Key, Interest], request: FetchRequest, *, uses_ids: bool) -> None:
    for topic in request.topics:
        name = topic.topic_id if uses_ids else topic.topic
        for asked in topic.partitions:
            known = interests.get((name, asked.partition))
            if known is None:
                interests[name, asked.partition] = Interest(topic.topic, topic.topic_id, asked)
            else:
                known.ask(asked)
    for forgotten in request.forgotten_topics_data:
        name = forgotten.topic_id if uses_ids else forgotten.topic
        for partition in forgotten.partitions:
            interests.pop((name, partition), None)
