"""The assignors that remember nothing: `range` and `roundrobin`.

`range` divides each topic by itself, so that partition 3 of two topics of equal size goes to one
member: joins of topics rely on it. `roundrobin` deals all partitions of all topics out in turn.
"""

from collections.abc import Sequence

from ottla.assign.member import Assignment, Counts, GroupMember, nothing_for, partitions_of
from ottla.types import TopicPartition


def assign_ranges(counts: Counts, members: Sequence[GroupMember]) -> Assignment:
    """7 partitions, members a, b, c: a 0-2, b 3-4, c 5-6."""
    assignment = nothing_for(members)
    ranked = sorted(members, key=lambda member: member.rank)
    for topic, count in sorted(counts.items()):
        readers = [member for member in ranked if topic in member.topics]
        if not readers:
            continue
        share, extra = divmod(count, len(readers))
        first = 0
        for index, member in enumerate(readers):
            end = first + share + (index < extra)
            assignment[member.member_id] += [
                TopicPartition(topic, partition) for partition in range(first, end)
            ]
            first = end
    return assignment


def assign_in_turn(counts: Counts, members: Sequence[GroupMember]) -> Assignment:
    """t0 and t1 with 3 partitions each, members a and b: a t0-0 t0-2 t1-1, b t0-1 t1-0 t1-2."""
    assignment = nothing_for(members)
    ranked = sorted(members, key=lambda member: member.rank)
    wanted = {topic for member in members for topic in member.topics}
    turn = 0
    for topic in sorted(wanted & counts.keys()):
        for partition in partitions_of(topic, counts[topic]):
            while topic not in ranked[turn].topics:
                turn = (turn + 1) % len(ranked)
            assignment[ranked[turn].member_id].append(partition)
            turn = (turn + 1) % len(ranked)
    return assignment
