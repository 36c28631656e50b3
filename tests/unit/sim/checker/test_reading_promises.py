"""The checkers of what applications are handed, each shown a history that breaks its promise and the legal
twin of it."""

import pytest

from ottla.sim.checker import covered, delivered, groups
from ottla.sim.group_operation import Place
from ottla.sim.history import Delivery, Following, Life, Outcome, Record
from tests.unit.sim.checker.tale import TOPIC
from tests.unit.sim.checker.test_group_promises import GroupTale

P0: Place = (TOPIC, 0)


class ReadingTale(GroupTale):
    """a to f are written at 0 to 5, two in a batch, and read by somebody at 100 and at the end."""

    def __init__(self, *, cut: bool = False) -> None:
        super().__init__()
        for at, pair in enumerate((b"ab", b"cd", b"ef")):
            self.send(10 + at, 20 + at, 2 * at, pair[:1], pair[1:])
        self.batches = [
            self.batch(2 * at, pair[:1], pair[1:]) for at, pair in enumerate((b"ab", b"cd", b"ef"))
        ]
        self.read(100, 0, 6, *self.batches)
        if cut:
            self.life(250, Life.POWER_CUT)
        else:
            self.read(9_100, 0, 6, *self.batches, final=True)

    def follow(self, group: str = "", *, is_cooperative: bool = False) -> Following:
        one = Following(1, 50_000, group=group, is_cooperative=is_cooperative, from_first=True)
        self.history.note(one)
        return one

    def hand(
        self, at: int, following: Following, first: int, values: bytes, sought: int | None = None
    ) -> None:
        times_ms = {
            record.value: record.timestamp_ms for batch in self.batches for record in batch.records
        }
        records = tuple(
            Record(first + n, times_ms.get(value, 0), value)
            for n, value in enumerate(values[n : n + 1] for n in range(len(values)))
        )
        self.history.note(
            Delivery(
                following,
                at * 1000,
                at * 1000,
                topic=TOPIC,
                partition=0,
                records=records,
                sought=sought,
            )
        )


def test_whoever_is_handed_everything_in_order_is_well_served() -> None:
    tale = ReadingTale()
    alone = tale.follow()
    tale.hand(200, alone, 0, b"abc")
    tale.hand(201, alone, 3, b"d")
    tale.hand(202, alone, 4, b"ef")
    tale.hand(300, alone, 0, b"ab", sought=0)
    alone.read = (P0,)
    assert tale.judged() == []


@pytest.mark.parametrize(
    ("hands", "what"),
    [
        ([(0, b"ab", None), (3, b"def", None)], "a record is passed over"),
        ([(0, b"abc", None), (2, b"cdef", None)], "one comes again"),
        ([(0, b"abcdef", None), (2, b"cdef", 0)], "not from where was sought"),
        ([(1, b"abcdef", None)], "at another offset than it was served"),
        ([(0, b"abcdeg", None)], "what nobody wrote"),
    ],
)
def test_what_is_handed_out_otherwise_is_found(
    hands: list[tuple[int, bytes, int | None]], what: str
) -> None:
    tale = ReadingTale()
    alone = tale.follow()
    for at, (first, values, sought) in enumerate(hands):
        tale.hand(200 + at, alone, first, values, sought)
    assert tale.judged() == [delivered.PROMISE], what


def test_what_a_power_cut_may_have_taken_need_not_be_handed_out() -> None:
    tale = ReadingTale(cut=True)
    alone = tale.follow()
    tale.hand(200, alone, 0, b"ab")
    tale.hand(300, alone, 4, b"ef")
    assert tale.judged() == []


def test_what_is_there_at_the_end_was_handed_out() -> None:
    tale = ReadingTale()
    alone = tale.follow()
    tale.hand(200, alone, 0, b"abcd")
    assert tale.judged() == []  # it is not there any more, or has not come so far
    alone.read = (P0,)
    assert tale.judged() == [covered.PROMISE]


def member(tale: ReadingTale, **how: bool) -> Following:
    one = tale.follow("g", **how)
    tale.join(100, "a", 1)
    tale.sync(110, "a", 1, (P0,), named="", parts={"a": (P0,)})
    return one


def test_a_member_is_handed_what_it_was_given() -> None:
    tale = ReadingTale()
    one = member(tale)
    tale.hand(200, one, 0, b"ab")
    tale.join(300, "a", 2)
    tale.sync(310, "a", 2, (), named="", parts={"a": ()})
    assert tale.judged() == []
    tale.hand(400, one, 2, b"cd")
    assert tale.judged() == [delivered.PROMISE]


@pytest.mark.parametrize("is_cooperative", [True, False])
def test_who_gives_everything_up_is_handed_nothing_while_it_joins(is_cooperative: bool) -> None:
    tale = ReadingTale()
    one = member(tale, is_cooperative=is_cooperative)
    tale.join(300, "a", 2)
    tale.hand(305, one, 0, b"ab")
    tale.sync(310, "a", 2, (P0,), named="", parts={"a": (P0,)})
    assert tale.judged() == ([] if is_cooperative else [delivered.PROMISE])


def test_what_is_committed_was_handed_to_the_group() -> None:
    tale = ReadingTale()
    one = member(tale)
    tale.hand(200, one, 0, b"abcd")
    tale.commit(300, 4, "", member="a", generation=1)
    assert tale.judged() == []
    tale.commit(301, 5, "", member="a", generation=1)
    assert tale.judged() == [covered.PROMISE]


def test_commits_by_others_are_not_judged_by_what_was_read() -> None:
    tale = ReadingTale()
    member(tale)
    tale.commit(300, 5, "by hand").client = 3
    assert covered.PROMISE not in tale.judged()


def test_a_member_commits_nothing_that_its_generation_gave_to_another() -> None:
    tale = ReadingTale()
    one = member(tale)
    tale.hand(200, one, 0, b"ab")
    other = Following(7, 120_000, group="g", is_cooperative=False, from_first=True)
    tale.history.note(other)
    tale.join(300, "b", 2)
    tale.sync(310, "b", 2, (P0,), named="", parts={"b": (P0,)})
    for entry in tale.history.entries[-2:]:
        entry.client = 7
    tale.commit(400, 2, "", member="b", generation=2).client = 7
    assert tale.judged() == []
    tale.sync(320, "a", 2, (), named="")
    tale.commit(401, 2, "", member="a", generation=2, error=25)
    assert tale.judged() == [covered.PROMISE]


def test_an_assignment_without_a_name_is_what_a_leader_gave() -> None:
    tale = ReadingTale()
    tale.join(100, "a", 1)
    tale.sync(110, "a", 1, (P0,), named="", parts={"b": (P0,), "a": ()})
    assert tale.judged() == [groups.PROMISE]


def test_no_leader_gives_a_partition_to_two() -> None:
    tale = ReadingTale()
    tale.join(100, "a", 1)
    tale.sync(110, "a", 1, (P0,), named="", parts={"b": (P0,), "a": (P0,)})
    assert tale.judged() == [groups.PROMISE]


def test_two_owners_in_one_generation_are_found() -> None:
    tale = ReadingTale()
    tale.join(100, "a", 1)
    tale.join(100, "b", 1)
    tale.sync(110, "a", 1, (P0,), named="", parts={"a": (P0,)})
    tale.sync(111, "b", 1, (P0,), named="", parts={"b": (P0,)})
    assert tale.judged() == [groups.PROMISE]


def test_commits_without_a_name_are_told_apart_by_their_offsets() -> None:
    tale = ReadingTale()
    for asked, offset in ((200, 1), (210, 2)):
        tale.commit(asked, offset, "").client = 3
    tale.positions(300, {P0: (2, "")})
    assert tale.judged() == []
    tale.positions(310, {P0: (1, "")})
    assert tale.judged() == ["commits are kept"]
    assert all(one.outcome is Outcome.OK for one in tale.history.entries[-4:])
