"""What came and was not handed out comes first, in order."""

from ottla.client.consume.record import ConsumedRecord
from ottla.kafka.consumer.held import Held
from ottla.types import TopicPartition

A, B = TopicPartition("a", 0), TopicPartition("b", 1)


def records(place: TopicPartition, *offsets: int) -> list[ConsumedRecord]:
    return [
        ConsumedRecord(*place, 0, offset, 0, 0, None, b"", (), None, -1, 0, -1)
        for offset in offsets
    ]


def offsets(found: dict[TopicPartition, list[ConsumedRecord]]) -> dict[TopicPartition, list[int]]:
    return {place: [record.offset for record in some] for place, some in found.items()}


def test_no_more_are_taken_than_asked_for() -> None:
    held = Held()
    held.put_back({A: records(A, 1, 2, 3), B: records(B, 7)})
    assert offsets(held.take(2)) == {A: [1, 2]}
    assert offsets(held.take(2)) == {A: [3], B: [7]}
    assert not held
    assert held.take(1) == {}


def test_what_is_put_back_comes_before_the_rest() -> None:
    held = Held()
    held.put_back({A: records(A, 3), B: records(B, 7)})
    held.put_back({B: records(B, 6), A: []})
    assert [record.offset for record in held.take_run()] == [6, 7]
    assert [record.offset for record in held.take_run()] == [3]
    assert held.take_run() == []


def test_what_is_dropped_says_where_to_go_on() -> None:
    held = Held()
    held.put_back({A: records(A, 3, 4), B: records(B, 7)})
    assert held.drop([B]) == {B: 7}
    assert held.drop([B]) == {}
    held.put_back({B: records(B, 7)})
    assert held.drop(None) == {B: 7, A: 3}
    held.put_back({A: records(A, 1)})
    held.clear()
    assert not held
