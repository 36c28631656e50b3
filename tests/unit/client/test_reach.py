"""When an address that failed is tried again."""

from ottla.backoff import Backoff
from ottla.client.metadata import Address
from ottla.client.reach import Reconnects

HERE, THERE = Address("here", 1), Address("there", 1)


def test_the_wait_grows_with_each_failure_and_ends_with_success() -> None:
    reconnects = Reconnects(Backoff(initial_ms=50, max_ms=150, jitter=0))
    assert reconnects.wait_ms(HERE, 1_000) == 0
    for waits_ms in (50, 100, 150, 150):
        reconnects.failed(HERE, 1_000, 0.5)
        assert reconnects.wait_ms(HERE, 1_000) == waits_ms
    assert reconnects.wait_ms(HERE, 1_149) == 1
    assert reconnects.wait_ms(HERE, 9_000) == 0
    assert reconnects.wait_ms(THERE, 1_000) == 0
    reconnects.worked(HERE)
    reconnects.failed(HERE, 2_000, 0.5)
    assert reconnects.wait_ms(HERE, 2_000) == 50
