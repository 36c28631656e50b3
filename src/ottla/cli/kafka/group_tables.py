"""kafka-consumer-groups' tables: columns as wide as their longest value, a dash for what is not there.

Every table begins with an empty line; what is told of a group besides goes to stderr.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ottla.cli.kafka.group_facts import Committed, Group, Member
from ottla.types import TopicPartition

NOTHING: Final = "-"
_REBALANCING: Final = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")


class Row(NamedTuple):
    """One partition of a group; `member` None: nobody reads it."""

    place: TopicPartition
    committed: Committed | None
    end: int | None
    member: Member | None

    @property
    def lag(self) -> int | None:
        if self.committed is None or self.end is None:
            return None
        return self.end - self.committed.offset


def rows(
    group: Group,
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, int],
) -> list[Row]:
    """Partitions with members first, then those that only have an offset, each sorted."""
    readers = {place: member for member in group.members for place in member.assigned}

    def row(place: TopicPartition) -> Row:
        return Row(place, committed.get(place), ends.get(place), readers.get(place))

    return [
        *(row(place) for place in sorted(readers)),
        *(row(place) for place in sorted(committed.keys() - readers.keys())),
    ]


def notice(group: Group) -> str | None:
    """What is said on stderr before a group is told."""
    if group.state == "Empty":
        return f"\nConsumer group '{group.name}' has no active members."
    if group.state in _REBALANCING:
        return f"\nWarning: Consumer group '{group.name}' is rebalancing."
    return None


def offset_lines(group: Group, found: Sequence[Row], *, verbose: bool) -> Iterator[str]:
    table = []
    for row in found:
        member, committed = row.member, row.committed
        epoch = None if committed is None else committed.leader_epoch
        table.append(
            [
                group.name,
                row.place.topic,
                str(row.place.partition),
                *([_cell(epoch)] if verbose else []),
                _cell(None if committed is None else committed.offset),
                _cell(row.end),
                _cell(row.lag),
                NOTHING if member is None else member.member_id,
                NOTHING if member is None else member.host,
                NOTHING if member is None else member.client_id,
            ]
        )
    epochs = {"LEADER-EPOCH": 15} if verbose else {}
    yield ""
    yield from _aligned(
        {"GROUP": -15, "TOPIC": -15, "PARTITION": 10}
        | epochs
        | {"CURRENT-OFFSET": 15, "LOG-END-OFFSET": 15, "LAG": 15}
        | {"CONSUMER-ID": -15, "HOST": -15, "CLIENT-ID": 0},
        table,
    )


def member_lines(group: Group, *, verbose: bool) -> Iterator[str]:
    has_instances = any(member.instance_id for member in group.members)
    has_late = any(member.is_upgraded is False for member in group.members)
    table = []
    for member in group.members:
        line = [group.name, member.member_id]
        line += [member.instance_id] if has_instances else []
        line += [member.host, member.client_id, str(len(member.assigned))]
        if verbose:
            line += [_cell(member.epoch), places(member.assigned)]
            line += [_cell(member.epoch), places(member.target)]
            line += [_cell(member.is_upgraded).lower()] if has_late else []
        table.append(line)
    columns = {"GROUP": -15, "CONSUMER-ID": -15}
    columns |= {"GROUP-INSTANCE-ID": -17} if has_instances else {}
    columns |= {"HOST": -15, "CLIENT-ID": -15, "#PARTITIONS": 15}
    if verbose:
        columns |= {"CURRENT-EPOCH": 15, "CURRENT-ASSIGNMENT": -20}
        columns |= {"TARGET-EPOCH": 15, "TARGET-ASSIGNMENT": -20}
        columns |= {"UPGRADED": 0} if has_late else {}
    yield ""
    for text in _aligned(columns, table):
        yield text if verbose else f"{text} "


def state_lines(group: Group, *, verbose: bool) -> Iterator[str]:
    host, port, broker_id = group.coordinator
    line = [group.name, f"{host}:{port}  ({broker_id})", group.assignor or NOTHING, group.state]
    line += [_cell(group.epoch), _cell(group.target_epoch)] if verbose else []
    epochs = {"GROUP-EPOCH": 15, "TARGET-ASSIGNMENT-EPOCH": 25} if verbose else {}
    yield ""
    yield from _aligned(
        {"GROUP": -15, "COORDINATOR (ID)": -25, "ASSIGNMENT-STRATEGY": 20, "STATE": 20}
        | epochs
        | {"#MEMBERS": 0},
        [[*line, str(len(group.members))]],
    )


def reset_lines(offsets: Mapping[str, Mapping[TopicPartition, int]]) -> Iterator[str]:
    if offsets:
        yield ""
        table = [
            [group, place.topic, str(place.partition), str(offset)]
            for group, of_group in sorted(offsets.items())
            for place, offset in sorted(of_group.items())
        ]
        yield from _aligned({"GROUP": -15, "TOPIC": -15, "PARTITION": 10, "NEW-OFFSET": 0}, table)
    else:
        yield ""


def deleted_lines(results: Mapping[TopicPartition, str]) -> Iterator[str]:
    """Partition -1: the topic has none that are known."""
    table = [
        [place.topic, NOTHING if place.partition < 0 else str(place.partition), status]
        for place, status in sorted(results.items())
    ]
    yield ""
    yield from _aligned({"TOPIC": -15, "PARTITION": 10, "STATUS": 15}, table)


def places(assigned: Iterable[TopicPartition]) -> str:
    """`a:0,1;b:2`."""
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(assigned):
        topics.setdefault(topic, []).append(partition)
    texts = (f"{topic}:{','.join(map(str, ids))}" for topic, ids in topics.items())
    return ";".join(texts) or NOTHING


def _cell(value: int | None) -> str:
    return NOTHING if value is None else str(value)


def _aligned(columns: Mapping[str, int], table: Sequence[Sequence[str]]) -> Iterator[str]:
    """A heading and the rows. A width below zero is the least, and grows; 0: the last, as it is."""
    widths = [
        max(-width, *(len(row[at]) for row in table), 0) if width < 0 else width
        for at, width in enumerate(columns.values())
    ]
    for row in ([*columns], *table):
        yield " ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
