"""Where records go agrees with every other Kafka client."""

import pytest

from ottla.client.produce.partitioner import RoundRobin, murmur2, partition_for_key, pick_by_load
from tests.unit.client.produce.rig import led_by

# Kafka's own vectors: key, hash as Java prints it, partition of twelve.
VECTORS = [
    ("", 275646681, 9),
    ("a", -1563381124, 4),
    ("21", -973932308, 0),
    ("foobar", -790332482, 6),
    ("kafka-key-1", -457623863, 9),
    ("ключ", 2122343024, 8),
]


@pytest.mark.parametrize(("key", "signed", "of_twelve"), VECTORS)
def test_a_key_hashes_as_in_kafka(key: str, signed: int, of_twelve: int) -> None:
    assert murmur2(key.encode()) == signed & 0xFFFFFFFF
    assert partition_for_key(key.encode(), 12) == of_twelve


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # kafka-python's, when imported
def test_keys_of_every_length_agree_with_kafka_python() -> None:
    from kafka.partitioner.default import murmur2 as theirs

    for size in range(80):
        key = bytes((size * 37 + at * 151) & 255 for at in range(size))
        assert murmur2(key) == theirs(key) & 0xFFFFFFFF


def test_short_queues_are_likelier() -> None:
    picked = [pick_by_load([0, 3, 1], lambda n, drawn=drawn: drawn) for drawn in range(8)]
    assert picked == [0, 0, 0, 0, 1, 2, 2, 2]
    assert [pick_by_load([2, 2], lambda n, drawn=drawn: drawn) for drawn in range(2)] == [0, 1]


def test_in_turn_means_those_that_have_a_leader() -> None:
    view = led_by(1, -1, 2).topics["t"]
    robin = RoundRobin()
    assert [robin.partition(view, b"k", None) for _ in range(4)] == [0, 2, 0, 2]
    nobody = led_by(-1, -1).topics["t"]
    assert [RoundRobin().partition(nobody, None, None)] == [0]
