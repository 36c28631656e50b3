"""Who is in a classic group: its members, and what follows from their being there.

Members in the order in which they came; static ones also by instance id (KIP-345). The roster counts
which protocols all of them know, and who waits for the join to complete, so that a group of a
thousand members does not look at all of them whenever one of them calls.
"""

from collections.abc import Iterable
from typing import final

from ottla.core.group.member import Joined, Member, Protocol
from ottla.core.shard.decision import Asked


@final
class Roster:
    __slots__ = ("_knowing", "_static", "awaiting_join", "leader", "members")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.leader: str | None = None
        self.awaiting_join = 0
        self._static: dict[str, str] = {}
        self._knowing: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.members)

    def get(self, member_id: str) -> Member | None:
        return self.members.get(member_id)

    def static(self, instance_id: str | None) -> str | None:
        """The member id of a static member."""
        return None if instance_id is None else self._static.get(instance_id)

    def add(self, member: Member) -> None:
        """The first to come leads."""
        assert member.member_id not in self.members
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self._static[member.instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id
        self._count(member.protocols, 1)
        if member.joining is not None:
            self.awaiting_join += 1

    def remove(self, member_id: str) -> Member:
        """Its parked calls are still the caller's to answer."""
        member = self.members.pop(member_id)
        if member.instance_id is not None and self._static.get(member.instance_id) == member_id:
            del self._static[member.instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        self._count(member.protocols, -1)
        if member.joining is not None:
            self.awaiting_join -= 1
        return member

    def replace(self, old_id: str, member: Member) -> None:
        """A static member came back under a new id: it takes the old one's place and lead."""
        led = self.leader == old_id
        self.remove(old_id)
        self.add(member)
        if led:
            self.leader = member.member_id

    def set_protocols(self, member: Member, protocols: tuple[Protocol, ...]) -> None:
        self._count(member.protocols, -1)
        member.protocols = protocols
        self._count(protocols, 1)

    def set_joining(self, member: Member, call: Asked[Joined] | None) -> Asked[Joined] | None:
        """Park this member's join, or none; the one that was parked until now."""
        before, member.joining = member.joining, call
        self.awaiting_join += (call is not None) - (before is not None)
        return before

    def _count(self, protocols: Iterable[Protocol], by: int) -> None:
        for name in {one.name: None for one in protocols}:
            known = self._knowing.get(name, 0) + by
            if known:
                self._knowing[name] = known
            else:
                del self._knowing[name]

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest that anyone asks for."""
        return max((one.rebalance_timeout_ms for one in self.members.values()), default=0)

    def share_a_protocol(self, protocols: Iterable[Protocol]) -> bool:
        """Whether one of these is known to every member."""
        return any(self._knowing.get(one.name, 0) == len(self.members) for one in protocols)

    def choose_protocol(self) -> str | None:
        """Each member votes for the first of its protocols that all know; most votes win."""
        everyone = len(self.members)
        votes: dict[str, int] = {}
        for member in self.members.values():
            for protocol in member.protocols:
                if self._knowing[protocol.name] == everyone:
                    votes[protocol.name] = votes.get(protocol.name, 0) + 1
                    break
        return max(votes, key=votes.__getitem__, default=None)

    def elect(self) -> bool:
        """See that the leader is one who has joined again; False: nobody has."""
        leader = None if self.leader is None else self.members[self.leader]
        if leader is not None and leader.joining is not None:
            return True
        for member in self.members.values():
            if member.joining is not None:
                self.leader = member.member_id
                return True
        return False

    def check_invariants(self) -> None:
        assert (self.leader is None) == (not self.members)
        assert self.leader is None or self.leader in self.members
        assert self.awaiting_join == sum(one.joining is not None for one in self.members.values())
        assert self._static == {
            one.instance_id: member_id
            for member_id, one in self.members.items()
            if one.instance_id is not None
        }
