"""Leaders elected on request: the preferred one back to its place, or any alive one as a last resort.

The preferred leader is the first of a partition's replicas; it takes over when it is alive and in
sync. An unclean election is for a partition that nobody leads: whoever asks accepts that records are
lost, whatever the topic's settings say.

Source: KIP-460. Elsewhere: who leads without being asked for, see `election.py`.
"""

from collections.abc import Set
from typing import Final

from ottla.core.controller.election import LeaderChange, elect
from ottla.core.controller.topics import Refused
from ottla.core.metadata.image import Image
from ottla.core.metadata.partition import PartitionImage
from ottla.core.metadata.records import PartitionChangeRecord
from ottla.errors import ErrorCode
from ottla.types import NO_LEADER

PREFERRED: Final = 0
UNCLEAN: Final = 1


def elect_on_request(
    image: Image, topic: str, partition: int, *, unclean: bool
) -> PartitionChangeRecord | Refused:
    """The record that gives the partition its leader, or why there is none to be written."""
    found = image.topics.get(topic)
    if found is None:
        return Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {topic}")
    if not found.has(partition):
        return Refused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {topic}-{partition}"
        )
    state = found.partitions[partition]
    if state.has_leader if unclean else state.leader == state.replicas[0]:
        return Refused(
            ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition."
        )
    active = {broker.broker_id for broker in image.brokers.values() if broker.is_active}
    change = _any(state, active) if unclean else _preferred(state, active)
    if change is None:
        error = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
        text = f"broker {state.replicas[0]}, the preferred leader, is not alive and in sync"
        if unclean:
            error = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
            text = f"none of the replicas {list(state.replicas)} is alive"
        return Refused(error, f"{topic}-{partition}: {text}")
    return change.record(found.topic_id, partition)


def _preferred(partition: PartitionImage, active: Set[int]) -> LeaderChange | None:
    preferred = partition.replicas[0]
    if preferred not in active or preferred not in partition.isr:
        return None
    return LeaderChange(leader=preferred, isr=None, elr=None, last_known_elr=None)


def _any(partition: PartitionImage, active: Set[int]) -> LeaderChange | None:
    change = elect(partition, active, unclean=True, anew=False)
    return None if change is None or change.leader in (None, NO_LEADER) else change
