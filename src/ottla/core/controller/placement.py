"""Which brokers get the replicas of new partitions.

Stripes: each partition begins one broker further than the one before, so that leaders and replicas
spread evenly. `shift` moves the first one, so that topics of one partition do not all land on the
same broker. Racks are not looked at yet: one node has one.
"""

from collections.abc import Sequence


def place(
    brokers: Sequence[int], *, partitions: int, replicas: int, shift: int
) -> list[tuple[int, ...]]:
    """The replicas of each partition, the preferred leader first. Never the same broker twice."""
    count = len(brokers)
    assert 0 < replicas <= count
    stripes = [
        tuple(brokers[(first + step) % count] for step in range(replicas)) for first in range(count)
    ]
    return [stripes[(shift + number) % count] for number in range(partitions)]
