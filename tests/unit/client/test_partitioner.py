"""Where records go agrees with every other Kafka client."""

import pytest

from ottla.client.partitioner import StickyChoice, murmur2, partition_for_key

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

    for size in range(40):
        key = bytes((size * 37 + at * 151) & 255 for at in range(size))
        assert murmur2(key) == theirs(key) & 0xFFFFFFFF


def test_keyless_records_stick_until_a_batch_is_full() -> None:
    draws = [2, 0]
    sticky = StickyChoice(lambda n: draws.pop(0) % n, 100)
    assert sticky.pick([4, 5, 6]) == 6
    sticky.produced(99)
    assert sticky.pick([4, 5, 6]) == 6
    sticky.produced(1)
    assert sticky.pick([4, 5, 6]) == 4


def test_a_partition_without_a_leader_is_left_at_once() -> None:
    draws = [1, 0]
    sticky = StickyChoice(lambda n: draws.pop(0) % n, 100)
    assert sticky.pick([0, 1]) == 1
    assert sticky.pick([0]) == 0
