"""How kafka-topics describes a topic: one line for it, one for each partition, tabs between.

Which of them are shown at all is a `Wish`: with one of its filters only partitions are, with
`with_overrides` only topics. ELR (KIP-966): None where the broker does not tell it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from ottla.cli.kafka.java_order import in_hash_order
from ottla.types import NO_LEADER, ZERO_UUID, TopicPartition, Uuid, uuid_to_text

if TYPE_CHECKING:
    from ottla.wire.message.describe_configs import DescribeConfigsResourceResult

_MIN_ISR: Final = "min.insync.replicas"
_SOURCE_UNKNOWN: Final = -1
_SOURCE_DEFAULT: Final = 5

Changing: TypeAlias = Mapping[TopicPartition, tuple[Sequence[int], Sequence[int]]]
"""Replicas that are being added, and removed, by partition."""


class Part(NamedTuple):
    partition: int
    leader_id: int
    replicas: Sequence[int]
    isr: Sequence[int]
    elr: Sequence[int] | None
    last_known_elr: Sequence[int] | None


class Described(NamedTuple):
    name: str
    topic_id: Uuid
    parts: list[Part]


class Configs(NamedTuple):
    """`overrides`: what somebody set, in Kafka's order; `min_isr`: of the topic, set or not."""

    overrides: Sequence[tuple[str, str]] = ()
    min_isr: int = 1

    @classmethod
    def of(cls, entries: "Sequence[DescribeConfigsResourceResult]") -> "Configs":
        overrides = {
            one.name: "null" if one.value is None else one.value
            for one in entries
            if not (
                one.is_default
                if one.config_source == _SOURCE_UNKNOWN
                else one.config_source == _SOURCE_DEFAULT
            )
        }
        ordered = in_hash_order([one.name for one in entries])
        min_isr = next((one.value for one in entries if one.name == _MIN_ISR), None)
        return cls(
            [(name, overrides[name]) for name in ordered if name in overrides], int(min_isr or 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`only`: names of the flags; `live`: brokers that are up."""

    only: frozenset[str] = frozenset()
    with_overrides: bool = False
    live: frozenset[int] = frozenset()


def lines(topic: Described, configs: Configs, changing: Changing, wish: Wish) -> Iterator[str]:
    parts = sorted(topic.parts)
    if not wish.only and (configs.overrides or not wish.with_overrides):
        yield _topic_line(topic, parts, configs, changing)
    if wish.with_overrides:
        return
    for part in parts:
        place = TopicPartition(topic.name, part.partition)
        if not wish.only or _is_wanted(part, configs, changing.get(place), wish):
            yield _partition_line(topic.name, part, changing.get(place))


def _topic_line(
    topic: Described, parts: Sequence[Part], configs: Configs, changing: Changing
) -> str:
    first = TopicPartition(topic.name, 0)
    factor = _factor(parts[0], changing.get(first)) if parts else 0
    words = [f"Topic: {topic.name}"]
    if topic.topic_id != ZERO_UUID:
        words.append(f"TopicId: {uuid_to_text(topic.topic_id)}")
    words += [
        f"PartitionCount: {len(parts)}",
        f"ReplicationFactor: {factor}",
        "Configs: " + ",".join(f"{name}={value}" for name, value in configs.overrides),
    ]
    return "\t".join(words)


def _partition_line(
    name: str, part: Part, change: tuple[Sequence[int], Sequence[int]] | None
) -> str:
    leader = "none" if part.leader_id == NO_LEADER else str(part.leader_id)
    words = [
        f"\tTopic: {name}",
        f"Partition: {part.partition}",
        f"Leader: {leader}",
        f"Replicas: {_ids(part.replicas)}",
        f"Isr: {_ids(part.isr)}",
    ]
    if change is not None:
        words += [f"Adding Replicas: {_ids(change[0])}", f"Removing Replicas: {_ids(change[1])}"]
    words += [
        f"Elr: {'N/A' if part.elr is None else _ids(part.elr)}",
        f"LastKnownElr: {'N/A' if part.last_known_elr is None else _ids(part.last_known_elr)}",
    ]
    return "\t".join(words)


def _is_wanted(
    part: Part, configs: Configs, change: tuple[Sequence[int], Sequence[int]] | None, wish: Wish
) -> bool:
    is_led = part.leader_id != NO_LEADER
    in_sync = len(part.isr)
    return (
        ("under-replicated-partitions" in wish.only and _factor(part, change) > in_sync)
        or ("under-min-isr-partitions" in wish.only and (not is_led or in_sync < configs.min_isr))
        or ("at-min-isr-partitions" in wish.only and in_sync == configs.min_isr)
        or ("unavailable-partitions" in wish.only and part.leader_id not in wish.live)
    )


def _factor(part: Part, change: tuple[Sequence[int], Sequence[int]] | None) -> int:
    """While replicas are being added they do not count."""
    adding = () if change is None else change[0]
    return len([one for one in part.replicas if one not in adding])


def _ids(brokers: Sequence[int]) -> str:
    return ",".join(map(str, brokers))
