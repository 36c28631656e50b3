"""The sticky assignment of members that do not all want the same topics.

Begins with what everybody may keep, gives what is free to whoever has least, and then moves
partitions to members with fewer until no move makes it more even. Partitions are taken in the order
of how few could read them. A partition that moved away and could move back does so rather than
another one of its topic, so that two members do not swap.

Source: KIP-54; the steps are those of Kafka's own assignor, and so are the results. Elsewhere: the
case of equal wishes, which has a simpler answer, `sticky.py`.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import final

from ottla.assign.member import Assignment, Counts, GroupMember, partitions_of
from ottla.types import TopicPartition


def assign_uneven(
    counts: Counts,
    members: Sequence[GroupMember],
    kept: Mapping[str, Sequence[TopicPartition]],
    former: Mapping[TopicPartition, str],
) -> Assignment:
    """`kept`: what members own now; `former`: who owned a partition in an earlier generation."""
    balance = _Balance(counts, members, kept)
    balance.give_away()
    balance.even_out(former)
    return {member_id: list(parts) for member_id, parts in balance.held.items()}


@final
class _Balance:
    """`held`: the assignment as it is now, an ordered set per member; every step keeps it whole."""

    def __init__(
        self,
        counts: Counts,
        members: Sequence[GroupMember],
        kept: Mapping[str, Sequence[TopicPartition]],
    ) -> None:
        ranked = sorted(members, key=lambda member: member.member_id)
        self._counts = counts
        self._wishes = {m.member_id: {t for t in m.topics if t in counts} for m in ranked}
        self._readers: dict[str, list[str]] = {
            topic: [m.member_id for m in ranked if topic in self._wishes[m.member_id]]
            for topic in counts
        }
        self._moves = _Moves()
        self._must_revoke = False
        self.held: dict[str, dict[TopicPartition, None]] = {m.member_id: {} for m in ranked}
        self._owner: dict[TopicPartition, str] = {}
        for member_id, partitions in kept.items():
            for partition in partitions:
                if partition.topic in self._wishes[member_id]:
                    self.held[member_id][partition] = None
                    self._owner[partition] = member_id
                else:
                    self._must_revoke = True
        topics = sorted(counts, key=lambda topic: (len(self._readers[topic]), topic))
        self._all = [part for topic in topics for part in partitions_of(topic, counts[topic])]
        self._order = sorted((len(parts), member_id) for member_id, parts in self.held.items())
        self._was_empty = not self._order[-1][0]
        self._free: list[TopicPartition] = []

    def give_away(self) -> None:
        """What nobody owns goes to the member with the fewest that can read it."""
        self._free = [part for part in self._all if part not in self._owner]
        for partition in self._free:
            member_id = self._least(partition.topic)
            if member_id is not None:
                self._put(partition, member_id)

    def even_out(self, former: Mapping[TopicPartition, str]) -> None:
        """Move until it cannot be more even; if it did not get more even, all stays as it was."""
        movable = {topic for topic, readers in self._readers.items() if len(readers) > 1}
        fixed = [member_id for member_id in self.held if not self._may_change(member_id, movable)]
        for member_id in fixed:
            self._order.remove((len(self.held[member_id]), member_id))
        before = {member_id: dict(parts) for member_id, parts in self.held.items()}
        if not self._must_revoke:
            self._move_all([part for part in self._free if part.topic in movable], former)
        moved = self._move_all([part for part in self._all if part.topic in movable], former)
        if moved and not self._was_empty and self._score(self.held) >= self._score(before):
            self.held = before

    def _may_change(self, member_id: str, movable: set[str]) -> bool:
        held = self.held[member_id]
        if len(held) < sum(self._counts[topic] for topic in self._wishes[member_id]):
            return True
        return any(partition.topic in movable for partition in held)

    def _move_all(
        self, partitions: list[TopicPartition], former: Mapping[TopicPartition, str]
    ) -> bool:
        """Go through them again and again until nothing moves."""
        moved_any = False
        moved = True
        while moved:
            moved = False
            for partition in partitions:
                if self._is_balanced():
                    break
                count = len(self.held[self._owner[partition]])
                before = former.get(partition)
                if before is not None and count > len(self.held[before]) + 1:
                    target: str | None = before
                elif any(
                    count > len(self.held[reader]) + 1 for reader in self._readers[partition.topic]
                ):
                    target = self._least(partition.topic)
                else:
                    continue
                assert target is not None, "a partition that may move has readers"
                self._move(partition, target)
                moved = moved_any = True
        return moved_any

    def _is_balanced(self) -> bool:
        """Can no member with fewer read anything of a member with at least two more?"""
        if not self._order or self._order[0][0] >= self._order[-1][0] - 1:
            return True
        for count, member_id in self._order:
            for topic in self._wishes[member_id]:
                for partition in partitions_of(topic, self._counts[topic]):
                    if count + 1 < len(self.held[self._owner[partition]]):
                        return False
        return True

    def _least(self, topic: str) -> str | None:
        for _, member_id in self._order:
            if topic in self._wishes[member_id]:
                return member_id
        return None

    def _move(self, partition: TopicPartition, target: str) -> None:
        actual = self._moves.instead_of(partition, self._owner[partition], target)
        self._moves.moved(actual, self._owner[actual], target)
        self._take(actual)
        self._put(actual, target)

    def _take(self, partition: TopicPartition) -> None:
        member_id = self._owner.pop(partition)
        held = self.held[member_id]
        del self._order[bisect_left(self._order, (len(held), member_id))]
        del held[partition]
        insort(self._order, (len(held), member_id))

    def _put(self, partition: TopicPartition, member_id: str) -> None:
        held = self.held[member_id]
        del self._order[bisect_left(self._order, (len(held), member_id))]
        held[partition] = None
        self._owner[partition] = member_id
        insort(self._order, (len(held), member_id))

    @staticmethod
    def _score(held: Mapping[str, dict[TopicPartition, None]]) -> int:
        """The differences between all pairs of members, added up; 0: perfectly even."""
        counts = sorted(len(parts) for parts in held.values())
        return sum(count * (2 * index - len(counts) + 1) for index, count in enumerate(counts))


@final
class _Moves:
    """What moved from where to where, counted from the beginning."""

    def __init__(self) -> None:
        self._of: dict[TopicPartition, tuple[str, str]] = {}
        self._by_pair: dict[tuple[str, str, str], dict[TopicPartition, None]] = {}

    def moved(self, partition: TopicPartition, source: str, target: str) -> None:
        pair = self._of.pop(partition, None)
        if pair is not None:
            del self._by_pair[partition.topic, pair[0], pair[1]][partition]
            source = pair[0]
        if source != target:
            self._of[partition] = (source, target)
            self._by_pair.setdefault((partition.topic, source, target), {})[partition] = None

    def instead_of(self, partition: TopicPartition, source: str, target: str) -> TopicPartition:
        """A partition of the same topic that once came the opposite way, if there is one."""
        pair = self._of.get(partition)
        if pair is not None:
            source = pair[0]
        back = self._by_pair.get((partition.topic, target, source))
        return next(iter(back)) if back else partition
