"""`sticky` and `cooperative-sticky`: balanced first, and then as little moves as possible (KIP-54).

Where all members want the same topics, shares are known beforehand: everybody keeps what fits the
share, and what is left is dealt out (this module). Where wishes differ, `uneven.py` balances step by
step. The cooperative form (KIP-429) then withholds what another member has to give up first: it is in
nobody's assignment until that one has joined again without it.

Promises: every partition somebody wants is assigned, but for those withheld; with equal wishes, shares
differ by at most one; what is balanced already is left as it is.
"""

from collections.abc import Sequence
from typing import final

from ottla.assign.member import Assignment, Counts, GroupMember, nothing_for, partitions_of
from ottla.assign.uneven import assign_uneven
from ottla.types import TopicPartition


def assign_sticky(counts: Counts, members: Sequence[GroupMember]) -> Assignment:
    claims = Claims(counts, members)
    wishes = {frozenset(member.topics) for member in members}
    if len(wishes) <= 1:
        # A topic that is known but wanted by nobody here is not theirs to read.
        wanted = wishes.pop() if wishes else frozenset()
        return _assign_even({topic: counts[topic] for topic in counts if topic in wanted}, claims)
    return assign_uneven(counts, members, claims.kept, claims.former)


def assign_cooperative(counts: Counts, members: Sequence[GroupMember]) -> Assignment:
    """As `assign_sticky`, without what somebody else still owns."""
    assignment = assign_sticky(counts, members)
    owners: dict[TopicPartition, set[str]] = {}
    for member in members:
        for partition in member.owned:
            owners.setdefault(partition, set()).add(member.member_id)
    return {
        member_id: [
            partition for partition in partitions if not owners.get(partition, set()) - {member_id}
        ]
        for member_id, partitions in assignment.items()
    }


@final
class Claims:
    """Who may keep what, out of what members say they own.

    Of two claims the one from the later generation counts; two of one generation are both void.
    `former`: the owner of an earlier generation, by partition: a hint, where things have to move.
    """

    __slots__ = ("former", "kept")

    def __init__(self, counts: Counts, members: Sequence[GroupMember]) -> None:
        self.kept: Assignment = nothing_for(members)
        self.former: dict[TopicPartition, str] = {}
        latest = max((member.generation for member in members), default=-1)
        best: dict[TopicPartition, tuple[int, list[str]]] = {}
        for member in sorted(members, key=lambda member: member.member_id):
            for partition in dict.fromkeys(member.owned):
                if not 0 <= partition.partition < counts.get(partition.topic, 0):
                    continue
                generation, claimants = best.get(partition, (member.generation - 1, []))
                if member.generation > generation:
                    best[partition] = (member.generation, [member.member_id])
                elif member.generation == generation:
                    claimants.append(member.member_id)
        for partition, (generation, claimants) in best.items():
            if len(claimants) == 1:
                self.kept[claimants[0]].append(partition)
                if generation < latest:
                    self.former[partition] = claimants[0]


def _assign_even(counts: Counts, claims: Claims) -> Assignment:
    """Everybody wants the same: shares are `share` or `share + 1`, and `extra` members get the latter."""
    members = sorted(claims.kept)
    assignment: Assignment = {member_id: [] for member_id in members}
    total = sum(counts.values())
    if not members or not total:
        return assignment
    share, extra = divmod(total, len(members))
    kept: set[TopicPartition] = set()
    under: list[str] = []
    exactly: list[str] = []
    for member_id in members:
        owned = sorted(
            (part for part in claims.kept[member_id] if part.topic in counts),
            key=lambda part: (part.partition, part.topic),
        )
        end = share
        if len(owned) > share and extra:
            end, extra = share + 1, extra - 1
        elif len(owned) >= share:
            exactly.append(member_id)
        else:
            under.append(member_id)
        assignment[member_id] = owned[:end]
        kept.update(owned[:end])
    free = [
        partition
        for topic in sorted(counts)
        for partition in partitions_of(topic, counts[topic])
        if partition not in kept
    ]
    _deal(free, share, under, exactly, assignment)
    return assignment


def _deal(
    free: list[TopicPartition],
    share: int,
    under: list[str],
    exactly: list[str],
    assignment: Assignment,
) -> None:
    """One each to those below the share, in turn, until they have it; then one each to the others."""
    turn = 0
    for partition in free:
        if under:
            turn %= len(under)
            member_id = under[turn]
            assignment[member_id].append(partition)
            if len(assignment[member_id]) == share:
                exactly.append(under.pop(turn))
            else:
                turn += 1
        else:
            assignment[exactly.pop(0)].append(partition)
