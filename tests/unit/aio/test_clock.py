"""The clock never runs backwards, whatever the machine's does."""

from ottla.aio.clock import Clock

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS


def fresh() -> Clock:
    """A clock that has seen monotonic 0 at wall 10 h."""
    clock = Clock()
    clock._offset_ns = 10 * HOUR_NS
    clock._last_monotonic_ns = 0
    return clock


def test_it_follows_the_wall() -> None:
    clock = fresh()
    assert clock.follow(5 * SECOND_NS, 10 * HOUR_NS + 5 * SECOND_NS) == 36_005_000


def test_a_step_forward_is_followed_at_once() -> None:
    clock = fresh()
    assert clock.follow(SECOND_NS, 11 * HOUR_NS) == 11 * 3_600_000


def test_after_a_step_backward_it_goes_on_a_tenth_slower_until_the_wall_has_caught_up() -> None:
    clock = fresh()
    back_ns = 10 * SECOND_NS  # the wall is 10 s behind from now on
    times_ms = [
        clock.follow(second * SECOND_NS, 10 * HOUR_NS + second * SECOND_NS - back_ns) - 36_000_000
        for second in (0, 1, 50, 100, 101, 200)
    ]
    assert times_ms == [0, 900, 45_000, 90_000, 91_000, 190_000]


def test_it_never_runs_backwards_however_often_it_is_asked() -> None:
    clock = fresh()
    last_ms = 0
    for tick in range(10_000):
        now_ms = clock.follow(tick * 7, 9 * HOUR_NS - tick)
        assert now_ms >= last_ms
        last_ms = now_ms


def test_it_agrees_with_the_machine() -> None:
    import time

    before_ms = time.time_ns() // 1_000_000
    assert before_ms - 1 <= Clock().now_ms() <= time.time_ns() // 1_000_000 + 1
