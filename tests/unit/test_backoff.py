"""Waits double up to a bound, and chance spreads them."""

import pytest

from ottla.backoff import Backoff


def test_waits_double_up_to_the_bound() -> None:
    backoff = Backoff(initial_ms=100, max_ms=1_000)
    waits = [backoff.wait_ms(failures, 0.5) for failures in (1, 2, 3, 4, 5, 6, 10_000)]
    assert waits == [100, 200, 400, 800, 1_000, 1_000, 1_000]


def test_chance_spreads_a_wait_to_both_sides() -> None:
    backoff = Backoff(initial_ms=100, max_ms=1_000, jitter=0.2)
    assert backoff.wait_ms(1, 0.0) == 80
    assert backoff.wait_ms(1, 1.0) == 120


def test_a_wait_is_never_nothing() -> None:
    assert Backoff(initial_ms=1, max_ms=1, jitter=0.9).wait_ms(1, 0.0) == 1


@pytest.mark.parametrize(("initial_ms", "max_ms", "jitter"), [(0, 1, 0), (2, 1, 0), (1, 2, 1)])
def test_senseless_bounds_are_refused(initial_ms: int, max_ms: int, jitter: float) -> None:
    with pytest.raises(ValueError, match=r"backoff|jitter"):
        Backoff(initial_ms=initial_ms, max_ms=max_ms, jitter=jitter)
