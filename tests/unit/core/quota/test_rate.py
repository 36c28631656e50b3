"""How use is counted, and how long one has to wait. The worked example is Apache Kafka's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.core.quota.rate import Rate
from ottla.core.quota.tokens import TokenBucket
from ottla.limits import INT_MAX

LIMIT = 500.0


def test_a_spike_after_steady_use_has_to_wait_as_in_apache_kafka() -> None:
    rate = Rate(11, 1000)
    for second in range(10):
        assert rate.charge(second * 1000, 400, LIMIT) == 0
    # 6,300 bytes in 10.5 seconds are 600 per second; at 500 they take 12.6.
    assert rate.charge(9500, 2300, LIMIT) == 2100


def test_the_first_burst_may_take_what_ten_seconds_allow() -> None:
    rate = Rate(11, 1000)
    assert rate.charge(0, 5000, LIMIT) == 0
    assert rate.charge(0, 500, LIMIT) == 1000


def test_what_would_be_used_is_not_counted_by_asking() -> None:
    rate = Rate(11, 1000)
    assert rate.wait_ms(0, LIMIT, 6000) == 2000
    assert rate.wait_ms(0, LIMIT, 5000) == 0


def test_use_is_forgotten_a_window_after_the_other() -> None:
    rate = Rate(3, 1000)
    rate.record(0, 9000)
    assert rate.wait_ms(2999, LIMIT) > 0
    assert rate.wait_ms(3000, LIMIT) == 0


def test_what_is_owed_is_not_forgotten_before_it_is_waited_for() -> None:
    rate = Rate(3, 1000)
    assert rate.charge(0, 9000, LIMIT) == 16_000
    assert rate.wait_ms(17_000, LIMIT) == 1000
    assert rate.charge(18_000, 500, LIMIT) == 1000, "no new burst"
    assert rate.charge(23_000, 1000, LIMIT) == 0, "all is forgotten three windows later"


@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 5000)), min_size=1, max_size=60),
    st.integers(2, 12),
)
def test_whoever_waits_never_uses_more_than_the_limit_and_one_burst(
    steps: list[tuple[int, int]], windows: int
) -> None:
    """The burst: what all windows but the present one allow, and the request that went above it."""
    rate = Rate(windows, 1000)
    now_ms = used = largest = 0
    for pause_ms, amount in steps:
        now_ms += pause_ms
        wait_ms = rate.charge(now_ms, amount, LIMIT)
        used += amount
        largest = max(largest, amount)
        assert used <= LIMIT * now_ms / 1000 + LIMIT * (windows - 1) + largest
        now_ms += wait_ms


@pytest.mark.parametrize("limit", [1e-3, 1e-300, 5e-324])
def test_nobody_is_told_to_wait_longer_than_an_answer_can_say(limit: float) -> None:
    assert Rate(11, 1000).charge(0, 1e9, limit) == INT_MAX
    assert TokenBucket(11, 1000).take(0, limit, 10_000_000) == INT_MAX


def test_a_bucket_lets_one_request_through_whatever_it_takes() -> None:
    bucket = TokenBucket(11, 1000)
    assert bucket.take(0, 2.0, 30) == 4000  # 22 were there, 8 are owed
    assert bucket.wait_ms(1000, 2.0) == 3000
    assert bucket.wait_ms(4000, 2.0) == 0
    assert bucket.take(4000, 2.0, 1) == 500


def test_a_bucket_saves_no_more_than_its_windows() -> None:
    bucket = TokenBucket(11, 1000)
    bucket.take(0, 2.0, 22)
    assert bucket.take(3_600_000, 2.0, 22) == 0
    assert bucket.take(3_600_000, 2.0, 1) == 500


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 40)), min_size=1, max_size=60))
def test_a_bucket_gives_no_more_than_the_limit_and_one_burst(steps: list[tuple[int, int]]) -> None:
    bucket = TokenBucket(11, 1000)
    now_ms = used = largest = 0
    for pause_ms, count in steps:
        now_ms += pause_ms
        largest = max(largest, count)
        used += count
        wait_ms = bucket.take(now_ms, 2.0, count)
        assert used <= 2.0 * now_ms / 1000 + 22 + largest
        now_ms += wait_ms
