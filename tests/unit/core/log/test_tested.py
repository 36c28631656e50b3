"""Which stretches count as tested, and for how long."""

from ottla.core.log.tested import FOR_MS, Stretches


def test_what_touches_becomes_one_stretch_as_old_as_its_oldest_part() -> None:
    tested = Stretches()
    tested.add(0, 100, 200, 1_000)
    tested.add(0, 200, 300, 5_000)
    tested.add(0, 50, 120, 6_000)
    assert tested.holds(0, 50, 300, 6_000)
    assert not tested.holds(0, 49, 300, 6_000)
    assert not tested.holds(0, 50, 301, 6_000)
    assert tested.holds(0, 250, 300, 1_000 + FOR_MS - 1)
    assert not tested.holds(0, 250, 300, 1_000 + FOR_MS)


def test_what_is_too_old_begins_anew() -> None:
    tested = Stretches()
    tested.add(0, 0, 100, 0)
    tested.add(0, 100, 200, FOR_MS)
    assert tested.holds(0, 100, 200, 2 * FOR_MS - 1)
    assert not tested.holds(0, 0, 100, FOR_MS)
    assert not tested.holds(0, 99, 200, FOR_MS)


def test_segments_and_stretches_apart_are_told_apart() -> None:
    tested = Stretches()
    tested.add(0, 0, 100, 0)
    tested.add(0, 150, 200, 0)
    tested.add(7, 100, 150, 0)
    assert not tested.holds(0, 0, 200, 0)
    assert not tested.holds(0, 100, 150, 0)
    assert tested.holds(0, 150, 200, 0)
    assert tested.holds(7, 100, 150, 0)


def test_only_the_newest_are_kept() -> None:
    tested = Stretches()
    for at in range(0, 1_000, 100):
        tested.add(0, at, at + 10, 0)
    held = [at for at in range(0, 1_000, 100) if tested.holds(0, at, at + 10, 0)]
    assert held == [600, 700, 800, 900]
    tested.clear()
    assert not tested.holds(0, 900, 910, 0)
