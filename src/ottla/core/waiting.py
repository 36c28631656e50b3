"""Calls that wait for something to happen: parked here, woken by what they wait for, or expired.

A waiter is asked again (`poll`) whenever one of its partitions moved, and told when its time is up
(`expire`). What it answers are effects; having answered, it is forgotten. A waiter must not hold
bytes of the request's frame: they are gone after the step in which it was parked.

What wakes a parked Fetch or Produce stands next to its handler in `broker/handle`.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ottla import probe
from ottla.core.deadline import Deadlines
from ottla.core.effect import Effect
from ottla.types import TopicPartition
from ottla.wire.server import Call

K = TypeVar("K", TopicPartition, int)


class Waiter(Protocol):
    """One parked call. Implementations are compared by identity."""

    @property
    def call(self) -> Call: ...

    def poll(self, now_ms: int, moved: TopicPartition) -> list[Effect] | None:
        """The answer, or None to go on waiting. `moved` is why it is asked."""

    def expire(self, now_ms: int) -> list[Effect]:
        """The answer when time is up."""


class WaitList:
    """All parked calls of a node, found by partition, by connection and by deadline."""

    __slots__ = ("_by_connection", "_by_partition", "_deadlines", "_parked", "_ticket")

    def __init__(self) -> None:
        self._parked: dict[int, tuple[Waiter, tuple[TopicPartition, ...]]] = {}
        self._by_partition: dict[TopicPartition, dict[int, None]] = {}
        self._by_connection: dict[int, dict[int, None]] = {}
        self._deadlines: Deadlines[int] = Deadlines()
        self._ticket = 0

    def park(self, waiter: Waiter, partitions: Iterable[TopicPartition], deadline_ms: int) -> None:
        self._ticket += 1
        ticket = self._ticket
        keys = tuple(dict.fromkeys(partitions))
        self._parked[ticket] = (waiter, keys)
        for key in keys:
            self._by_partition.setdefault(key, {})[ticket] = None
        self._by_connection.setdefault(waiter.call.origin.connection_id, {})[ticket] = None
        self._deadlines.set(ticket, deadline_ms)

    def wake(self, partition: TopicPartition, now_ms: int) -> list[Effect]:
        """Ask everyone who waits for `partition`, in the order of their parking."""
        tickets = self._by_partition.get(partition)
        if tickets is None:
            return []
        effects: list[Effect] = []
        for ticket in list(tickets):
            parked = self._parked.get(ticket)
            if parked is None:
                continue
            answer = parked[0].poll(now_ms, partition)
            if answer is not None:
                self._forget(ticket)
                effects += answer
        return effects

    def expire(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for ticket in self._deadlines.due(now_ms):
            waiter = self._parked[ticket][0]
            self._forget(ticket)
            effects += waiter.expire(now_ms)
        return effects

    def drop_connection(self, connection_id: int) -> None:
        """Forget what a closed connection had parked."""
        if probe.MUTANTS and probe.mutant("M97-parked-for-ever"):
            return
        for ticket in list(self._by_connection.get(connection_id, ())):
            self._forget(ticket)

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def __len__(self) -> int:
        return len(self._parked)

    def _forget(self, ticket: int) -> None:
        waiter, keys = self._parked.pop(ticket)
        self._deadlines.cancel(ticket)
        for key in keys:
            _drop(self._by_partition, key, ticket)
        _drop(self._by_connection, waiter.call.origin.connection_id, ticket)

    def check_invariants(self) -> None:
        assert len(self._deadlines) == len(self._parked)
        assert sum(map(len, self._by_connection.values())) == len(self._parked)


def _drop(index: dict[K, dict[int, None]], key: K, ticket: int) -> None:
    tickets = index.get(key)
    if tickets is not None:
        tickets.pop(ticket, None)
        if not tickets:
            del index[key]
