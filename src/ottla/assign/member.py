"""What an assignor is told: the members with their wishes, and how many partitions topics have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ottla.types import TopicPartition

NO_GENERATION = -1

Counts: TypeAlias = Mapping[str, int]
"""Partitions by topic, of the topics that there are."""

Assignment: TypeAlias = dict[str, list[TopicPartition]]
"""Partitions by member id; every member is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One member as it joined. `owned`: what it held in `generation`, if it knows."""

    member_id: str
    topics: tuple[str, ...]
    instance_id: str | None = None
    owned: tuple[TopicPartition, ...] = ()
    generation: int = NO_GENERATION

    @property
    def rank(self) -> tuple[bool, str]:
        """Static members come first, by the names that outlive a restart; then the others by id."""
        if self.instance_id is not None:
            return False, self.instance_id
        return True, self.member_id


def partitions_of(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(count)]


def nothing_for(members: Sequence[GroupMember]) -> Assignment:
    return {member.member_id: [] for member in members}
