"""A rebalance, as far as it is the consumer's own: partitions are given up and taken over, and the user's
listener is told.

Everything here happens inside `poll`, because the caller of `poll` is not processing anything then. A
`poll` that is cancelled in the middle leaves the rest to the next one.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Collection
from typing import Protocol, final

from ottla import probe
from ottla.aio.commits import Commits
from ottla.aio.group_member import GroupSide
from ottla.client.consume.reader import Reader
from ottla.client.member.membership import NO_GENERATION, Preparation
from ottla.types import TopicPartition

log = logging.getLogger("ottla.consumer")


class RebalanceListener(Protocol):
    """Awaited inside `poll`. All three get partitions, possibly none."""

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """These go to others after this; what was processed may still be committed."""

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These came. Positions may be sought."""

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        """These are others' already: nothing can be committed any more."""


@final
class Rounds:
    """`remove` ends reading; `pump` sends what is to be sent."""

    def __init__(
        self,
        group: GroupSide,
        commits: Commits,
        reader: Reader,
        remove: Callable[[frozenset[TopicPartition]], None],
        pump: Callable[[], None],
    ) -> None:
        self._group = group
        self._commits = commits
        self._reader = reader
        self._remove = remove
        self._pump = pump
        self.topics: frozenset[str] = frozenset()
        self.listener: RebalanceListener | None = None
        self._not_told: list[tuple[RebalanceListener, frozenset[TopicPartition]]] = []

    def unsubscribed(self) -> None:
        """Nobody listens any more; who did is still to be told what it gave up."""
        if self.listener is not None and self._reader.places:
            self._not_told.append((self.listener, self._reader.places))
        self.listener = None

    @property
    def is_due(self) -> bool:
        """`go_on` has a step to do."""
        if self._not_told:
            return True
        member = self._group.membership
        return self._group.is_member and (
            member.must_prepare is not None or member.assignment is not None
        )

    async def go_on(self) -> bool:
        """One step of the rebalance; False: there is none to do."""
        while self._not_told:
            listener, places = self._not_told.pop(0)
            await listener.revoked(places)
        if not self._group.is_member:
            return False
        member = self._group.membership
        preparation = member.must_prepare
        if preparation is not None:
            try:
                await self._prepare(preparation)
            finally:
                # Also when a listener raised. If it was thrown out meanwhile, what was kept is lost.
                if member.must_prepare is preparation and not _is_broken_off():
                    member.prepared(self._reader.places)
                self._pump()
            return True
        assigned = member.assignment
        if assigned is None:
            return False
        try:
            await self._take_over(frozenset(assigned))
        finally:
            if member.assignment is assigned and not _is_broken_off():
                member.take_assignment()
        return True

    async def give_up(self, reason: str) -> None:
        """Be nobody. The coordinator is still to be told, if `must_leave` says so."""
        owned = self._reader.places
        try:
            if owned and self.listener is not None:
                if self._group.membership.must_prepare is Preparation.LOST:
                    await self.listener.lost(owned)
                else:
                    await self.listener.revoked(owned)
        finally:
            self._remove(owned)
            self._group.membership.unsubscribe(reason)

    async def _prepare(self, preparation: Preparation) -> None:
        """What has to be given up before a join is."""
        owned, listener = self._reader.places, self.listener
        if preparation is Preparation.LOST:
            self._remove(owned)
            if owned and listener is not None:
                await listener.lost(owned)
            return
        await self._commits.automatic_now()
        gone = owned
        if preparation is Preparation.KEEP:
            gone = frozenset(place for place in owned if place.topic not in self.topics)
        had_a_round = self._group.membership.generation_id != NO_GENERATION
        try:
            if listener is not None and (
                gone or (had_a_round and preparation is Preparation.REVOKE)
            ):
                await listener.revoked(gone)
        finally:
            if not (probe.MUTANTS and probe.mutant("KIP62-kept-while-joining")):
                self._remove(gone)

    async def _take_over(self, assigned: frozenset[TopicPartition]) -> None:
        """Read what this generation assigned, and give up what it did not."""
        owned, listener = self._reader.places, self.listener
        member = self._group.membership
        gone, come = owned - assigned, assigned - owned
        if gone:
            await self._commits.automatic_now()
            try:
                if listener is not None:
                    await listener.revoked(gone)
            finally:
                if not (probe.MUTANTS and probe.mutant("KIP429-revoked-is-read-on")):
                    self._remove(gone)
                member.rejoin("partitions were given up that are others' now")
        self._reader.add(sorted(come), ask_group=True)
        self._pump()
        log.info(
            "group %s, generation %d: %d partitions, %d came and %d went",
            member.who.group_id,
            member.generation_id,
            len(assigned),
            len(come),
            len(gone),
        )
        if listener is not None:
            await listener.assigned(come)


def _is_broken_off() -> bool:
    """In a `finally`: is it because `poll` was cancelled?"""
    return isinstance(sys.exception(), asyncio.CancelledError)
