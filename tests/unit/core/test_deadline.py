"""Deadlines come out in order, once, and only if they still stand."""

from random import Random

from ottla.core.deadline import Deadlines, earliest


def test_what_is_due_comes_out_earliest_first_and_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key, at_ms in (("c", 30), ("a", 10), ("b", 20)):
        deadlines.set(key, at_ms)

    assert deadlines.next_ms() == 10
    assert deadlines.due(20) == ["a", "b"]
    assert deadlines.due(20) == []
    assert deadlines.next_ms() == 30


def test_equal_times_come_out_in_the_order_they_were_set() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key in ("z", "a", "m"):
        deadlines.set(key, 5)
    assert deadlines.due(5) == ["z", "a", "m"]


def test_a_moved_deadline_is_due_at_its_new_time_only() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 10)
    deadlines.set("a", 40)
    assert deadlines.due(39) == []
    assert deadlines.due(40) == ["a"]


def test_a_canceled_deadline_never_comes() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 10)
    deadlines.cancel("a")
    deadlines.cancel("never set")
    assert deadlines.next_ms() is None
    assert deadlines.due(100) == []
    assert len(deadlines) == 0


def test_moving_one_deadline_a_million_times_holds_no_memory() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for at_ms in range(10_000):
        deadlines.set("a", at_ms)
    assert len(deadlines._heap) <= 65
    assert deadlines.due(10_000) == ["a"]


def test_the_next_one_is_right_whatever_was_set_moved_and_canceled() -> None:
    chance = Random(5)
    deadlines: Deadlines[int] = Deadlines()
    standing: dict[int, int] = {}
    now_ms = 0
    for _ in range(5_000):
        key = chance.randrange(40)
        match chance.randrange(5):
            case 0 | 1 | 2:
                standing[key] = now_ms + chance.randrange(100)
                deadlines.set(key, standing[key])
            case 3:
                standing.pop(key, None)
                deadlines.cancel(key)
            case _:
                now_ms += chance.randrange(10)
                due = deadlines.due(now_ms)
                assert set(due) == {one for one, at_ms in standing.items() if at_ms <= now_ms}
                assert [standing[one] for one in due] == sorted(standing[one] for one in due)
                for one in due:
                    del standing[one]
        assert deadlines.next_ms() == min(standing.values(), default=None)
        assert len(deadlines) == len(standing)


def test_the_earliest_of_several() -> None:
    assert earliest(None, 7, 0, None, 3) == 0
    assert earliest(None, None) is None
