"""Records find their partition and their batch."""

from ottla.client.accumulator import BATCH_BYTES_MAX, Accumulator, Draft
from ottla.client.partitioner import partition_for_key
from tests.unit.client.clusters import cluster

FIVE = cluster(1, 1, 1, 1, 1).topics["t"]


def first(end: int) -> int:
    return 0


def test_keyed_records_go_where_every_client_sends_them() -> None:
    held = Accumulator(first)
    for key in (b"21", b"foobar", b"abc"):
        assert held.append(FIVE, Draft(0, key, b"v")) == partition_for_key(key, 5)


def test_records_without_key_share_a_batch_and_then_move_on() -> None:
    drawn = iter([3, 1])
    held = Accumulator(lambda end: next(drawn))
    half = Draft(0, None, bytes(BATCH_BYTES_MAX // 2 + 1))
    assert [held.append(FIVE, half) for _ in range(3)] == [3, 3, 1]


def test_records_without_key_avoid_partitions_without_leader() -> None:
    held = Accumulator(first)
    assert held.append(cluster(-1, -1, 2).topics["t"], Draft(0, None, b"v")) == 2
    # Nobody leads: the records wait for whoever will.
    assert held.append(cluster(-1, -1).topics["t"], Draft(0, None, b"v")) == 0


def test_a_partition_that_was_asked_for_wins_over_the_key() -> None:
    held = Accumulator(first, partition=4)
    assert held.append(FIVE, Draft(0, b"21", b"v")) == 4


def test_a_full_batch_is_followed_by_another() -> None:
    held = Accumulator(first, partition=0)
    large = Draft(0, None, bytes(BATCH_BYTES_MAX // 2 + 1))
    for _ in range(3):
        held.append(FIVE, large)
    held.append(FIVE, Draft(0, None, bytes(2 * BATCH_BYTES_MAX)))
    assert held.record_count == 4
    assert held.size_bytes > 2 * BATCH_BYTES_MAX
    assert [len(batch) for batch in held.drain()[0]] == [1, 1, 1, 1]
    assert (held.record_count, held.size_bytes, held.drain()) == (0, 0, {})
