"""A topic as this broker hosts it: which of its partitions are here, and which are still to be made.

Making a partition's files takes the disk a while, so that a request for thousands of partitions
would hold up everybody. They are made in pieces, see `table.py`; one that is asked before its turn
is made on the spot. Nobody sees the difference.
"""

from collections.abc import Callable
from typing import TypeAlias, final

from ottla.core.metadata.partition import PartitionImage
from ottla.core.replica.leader import Leader
from ottla.core.replica.policy import Policy
from ottla.errors import ErrorCode
from ottla.types import NO_EPOCH, NO_LEADER, Uuid


@final
class Unmade:
    """A partition that belongs here, as the image has it by now; its files do not exist yet."""

    __slots__ = ("image",)

    def __init__(self, image: PartitionImage) -> None:
        self.image = image


@final
class HostedTopic:
    """A topic of the image and its partitions here; a partition that can't be asked is an error."""

    __slots__ = ("_make", "leaders", "name", "policy", "topic_id")

    def __init__(self, name: str, topic_id: Uuid, policy: Policy, make: "Make") -> None:
        self.name = name
        self.topic_id = topic_id
        self.policy = policy
        self.leaders: list[Leader | ErrorCode | Unmade] = []
        self._make = make

    def leader(self, partition: int) -> Leader | ErrorCode:
        """The partition if this broker leads it, else what its client is told."""
        if not 0 <= partition < len(self.leaders):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        leader = self.leaders[partition]
        if isinstance(leader, Unmade):
            leader = self._make(self, partition)
        if isinstance(leader, Leader) and leader.error is not None:
            return leader.error
        return leader

    def known_leader(self, partition: int) -> tuple[int, int]:
        """(broker, leader epoch) as the image says, for a client that asked the wrong one."""
        leader = self.leaders[partition] if 0 <= partition < len(self.leaders) else None
        if isinstance(leader, Leader):
            return leader.leader_id, leader.leader_epoch
        return NO_LEADER, NO_EPOCH


Make: TypeAlias = Callable[[HostedTopic, int], Leader | ErrorCode]
"""Make the files of an unmade partition and put what came of it into `leaders`."""
