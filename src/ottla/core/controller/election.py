"""Who leads a partition now.

In this order: the leader that is there, if it is alive; the first alive replica in sync; when nobody
is in sync any more, an eligible leader replica, which has everything up to the high watermark; the
last known leader, when not even those are left; and any alive replica, where the topic allows an
unclean election. The in-sync replicas are reduced to those alive, but never to nobody.

Source: KIP-966. Apache Kafka marks a partition elected out of sync as RECOVERING until its leader
has recovered its log; here a log is recovered before its broker registers, so it never is.
"""

from collections.abc import Set
from typing import Final, NamedTuple, final

from ottla.core.metadata.partition import PartitionImage
from ottla.core.metadata.records import PartitionChangeRecord
from ottla.types import NO_LEADER, Uuid

_LEADER_UNCHANGED: Final = -2


@final
class LeaderChange(NamedTuple):
    """`leader` None: as before, in the same epoch. Tuples None: as before."""

    leader: int | None
    isr: tuple[int, ...] | None
    elr: tuple[int, ...] | None
    last_known_elr: tuple[int, ...] | None

    def record(self, topic_id: Uuid, partition: int) -> PartitionChangeRecord:
        return PartitionChangeRecord(
            partition_id=partition,
            topic_id=topic_id,
            leader=_LEADER_UNCHANGED if self.leader is None else self.leader,
            isr=self.isr,
            eligible_leader_replicas=self.elr,
            last_known_elr=self.last_known_elr,
        )


UNCHANGED: Final = LeaderChange(leader=None, isr=None, elr=None, last_known_elr=None)


def elect(
    partition: PartitionImage, active: Set[int], *, unclean: bool, anew: bool
) -> LeaderChange | None:
    """What must change so that the partition is led as well as it can be; None: nothing.

    `anew`: a leader that stays begins a new epoch.
    """
    leader = _choose(partition, active, unclean=unclean)
    isr = tuple(replica for replica in partition.isr if replica in active) or partition.isr
    elr, last_known = partition.elr, partition.last_known_elr
    if leader != NO_LEADER:
        if leader not in isr:
            isr = (leader,)
        elr = tuple(replica for replica in elr if replica not in isr)
        last_known = ()
    stays = leader == partition.leader and not (anew and leader != NO_LEADER)
    change = LeaderChange(
        leader=None if stays else leader,
        isr=None if isr == partition.isr else isr,
        elr=None if elr == partition.elr else elr,
        last_known_elr=None if last_known == partition.last_known_elr else last_known,
    )
    unchanged = stays and change.isr is None and change.elr is None
    return None if unchanged and change.last_known_elr is None else change


def _choose(partition: PartitionImage, active: Set[int], *, unclean: bool) -> int:
    eligible = partition.isr or partition.elr
    if partition.leader in eligible and partition.leader in active:
        return partition.leader
    for replica in partition.replicas:
        if replica in eligible and replica in active:
            return replica
    if not eligible and len(partition.last_known_elr) == 1:
        if partition.last_known_elr[0] in active:
            return partition.last_known_elr[0]
    if unclean:
        for replica in partition.replicas:
            if replica in active:
                return replica
    return NO_LEADER
