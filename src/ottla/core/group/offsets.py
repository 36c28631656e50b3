"""How far groups have read: what they committed, and until when it is kept.

A plain table of one shard: group, topic, partition. When an offset expires depends on its group (who
is asked for the point in time from which retention counts); an expiry that a client set itself counts
alone.

Source: KIP-211. Elsewhere: who may commit, see `classic.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, final

from ottla.core.group.journal import CommittedOffset, OffsetEntry
from ottla.types import NO_TIMESTAMP

Topics: TypeAlias = Mapping[str, Mapping[int, CommittedOffset]]

_NOTHING: Final[Topics] = {}


@final
class Offsets:
    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, dict[int, CommittedOffset]]] = {}

    def apply(self, entry: OffsetEntry) -> None:
        if entry.committed is not None:
            topics = self._groups.setdefault(entry.group_id, {})
            topics.setdefault(entry.topic, {})[entry.partition] = entry.committed
            return
        held = self._groups.get(entry.group_id)
        if held is None or entry.topic not in held:
            return
        held[entry.topic].pop(entry.partition, None)
        if not held[entry.topic]:
            del held[entry.topic]
        if not held:
            del self._groups[entry.group_id]

    def of(self, group_id: str) -> Topics:
        return self._groups.get(group_id, _NOTHING)

    def get(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        return self.of(group_id).get(topic, {}).get(partition)

    def forgetting(
        self, group_id: str, only: Callable[[str, CommittedOffset], bool]
    ) -> Iterator[OffsetEntry]:
        """Entries that take away those offsets of a group of which `only` (topic, offset) is true."""
        for topic, partitions in self.of(group_id).items():
            for partition, committed in partitions.items():
                if only(topic, committed):
                    yield OffsetEntry(group_id, topic, partition, None)

    def of_topics(self, names: frozenset[str]) -> Iterator[OffsetEntry]:
        """Entries that take away everything about these topics."""
        for group_id, topics in self._groups.items():
            for topic in topics:
                if topic in names:
                    for partition in topics[topic]:
                        yield OffsetEntry(group_id, topic, partition, None)

    def __len__(self) -> int:
        return sum(len(parts) for topics in self._groups.values() for parts in topics.values())


def is_expired(one: CommittedOffset, since_ms: int, retention_ms: int, now_ms: int) -> bool:
    """Whether retention is over, counted from `since_ms`."""
    if one.expire_ms != NO_TIMESTAMP:
        return now_ms >= one.expire_ms
    return now_ms - since_ms >= retention_ms
