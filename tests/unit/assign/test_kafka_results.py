"""What Kafka's own assignors answered to the same questions (`kafka_results.txt`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.assign.in_turn import assign_in_turn, assign_ranges
from ottla.assign.member import GroupMember
from ottla.assign.sticky import assign_cooperative
from ottla.types import TopicPartition

ASSIGN = {"range": assign_ranges, "roundrobin": assign_in_turn, "coop": assign_cooperative}


def cases() -> Iterator[str]:
    path = Path(__file__).with_name("kafka_results.txt")
    yield from (line for line in path.read_text().splitlines() if not line.startswith("#"))


def place(text: str) -> TopicPartition:
    topic, _, partition = text.rpartition("-")
    return TopicPartition(topic, int(partition))


def member(text: str) -> GroupMember:
    name, topics, owned, generation, instance = text.split(";")
    return GroupMember(
        member_id=name,
        topics=tuple(topics.split(",")),
        owned=tuple(place(one) for one in owned.split(",") if one),
        generation=int(generation),
        instance_id=instance or None,
    )


@pytest.mark.parametrize("case", list(cases()))
def test_the_same_question_has_the_same_answer(case: str) -> None:
    question, _, expected = case.partition(" -> ")
    assignor, counted, *members = question.split("|")
    counts = {}
    for one in counted.split(","):
        topic, _, count = one.partition(":")
        counts[topic] = int(count)
    done = ASSIGN[assignor](counts, [member(one) for one in members])
    shown = [f"{name}={','.join(sorted(map(str, done[name])))};" for name in sorted(done)]
    assert "".join(shown) == expected
