"""The checkers of groups, each shown a history that breaks its promise and the legal twin of it."""

import pytest

from ottla.errors import ErrorCode
from ottla.sim.checker import commits, groups
from ottla.sim.group_operation import (
    Beat,
    Committing,
    Forgetting,
    GroupDeletion,
    GroupSeen,
    GroupsListed,
    Joining,
    Leaving,
    Place,
    Positions,
    Syncing,
)
from ottla.sim.history import FaultMark, Life, Outcome
from tests.unit.sim.checker.tale import TOPIC, Tale

P0, P1 = (TOPIC, 0), (TOPIC, 1)


class GroupTale(Tale):
    """Of the group g; member ids are letters. Everything takes half a millisecond."""

    def _end(self, op: Joining | Syncing | Beat | Leaving | Committing, error: int) -> None:
        op.end(op.asked_us + 500, Outcome.FAIL if error else Outcome.OK, error)
        self.history.note(op)

    def join(
        self,
        asked: int,
        given: str,
        generation: int,
        *,
        instance: str = "",
        outcome: Outcome = Outcome.OK,
    ) -> None:
        """Comes without an id."""
        one = Joining(
            1,
            asked * 1000,
            group="g",
            member_id="",
            instance=instance,
            session_ms=10_000,
            rebalance_ms=1_000,
            wanted=(TOPIC,),
        )
        one.given_id, one.generation = given, generation
        self._end(one, 0)
        one.outcome = outcome

    def sync(
        self,
        asked: int,
        member: str,
        generation: int,
        got: tuple[Place, ...],
        *,
        named: str = "n1",
        parts: dict[str, tuple[Place, ...]] | None = None,
        instance: str = "",
    ) -> None:
        """`parts`: it leads and names what it hands out."""
        one = Syncing(
            1,
            asked * 1000,
            group="g",
            member_id=member,
            instance=instance,
            generation=generation,
            naming=named if parts else "",
            parts=parts or {},
        )
        one.named, one.got = named, got
        self._end(one, 0)

    def beat(
        self, asked: int, member: str, generation: int, *, instance: str = "", error: int = 0
    ) -> None:
        one = Beat(
            1,
            asked * 1000,
            group="g",
            member_id=member,
            instance=instance,
            generation=generation,
        )
        self._end(one, error)

    def leave(self, asked: int, member: str) -> None:
        one = Leaving(1, asked * 1000, group="g", member_id=member, instance="", generation=-1)
        self._end(one, 0)

    def commit(
        self,
        asked: int,
        offset: int,
        metadata: str,
        *,
        member: str = "",
        generation: int = -1,
        error: int = 0,
        expires: bool = False,
    ) -> Committing:
        one = Committing(
            1,
            asked * 1000,
            group="g",
            member_id=member,
            instance="",
            generation=generation,
            place=P0,
            offset=offset,
            metadata=metadata,
            expires=expires,
        )
        self._end(one, error)
        return one

    def positions(self, asked: int, found: dict[Place, tuple[int, str]]) -> None:
        one = Positions(2, asked * 1000, group="g", wanted=(P0,))
        one.found = found
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def forget(self, asked: int) -> None:
        one = Forgetting(2, asked * 1000, group="g", place=P0)
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def delete_group(self, asked: int) -> None:
        one = GroupDeletion(2, asked * 1000, group="g")
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def last_look(self, asked: int, state: str, members: list[str], live: tuple[str, ...]) -> None:
        one = GroupSeen(2, asked * 1000, group="g", final=True)
        one.state, one.live = state, live
        one.members = dict.fromkeys(members, ("", ()))
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)


def two(**how: bool) -> GroupTale:
    """Members a, who leads, and b in generation 1."""
    tale = GroupTale(**how)
    tale.join(10, "a", 1)
    tale.join(11, "b", 1)
    tale.sync(20, "a", 1, (P0,), parts={"a": (P0,), "b": (P1,)})
    tale.sync(21, "b", 1, (P1,))
    return tale


# --- groups agree


def test_a_calm_group_breaks_nothing() -> None:
    tale = two()
    tale.beat(30, "a", 1)
    tale.commit(40, 5, "c1", member="a", generation=1)
    tale.positions(50, {P0: (5, "c1")})
    tale.beat(60, "b", 1)
    tale.last_look(70, "Stable", ["a", "b"], ("a", "b"))
    assert tale.judged() == []


def test_a_part_that_the_leader_gave_to_another() -> None:
    tale = two()
    tale.sync(30, "b", 1, (P0,))
    assert tale.judged() == [groups.PROMISE]


def test_an_assignment_that_nobody_made() -> None:
    tale = two()
    tale.sync(30, "b", 1, (P1,), named="n7")
    assert tale.judged() == [groups.PROMISE]


def test_two_assignments_of_one_generation_unless_the_first_may_be_lost() -> None:
    tale = two(flush_on_ack=True)
    tale.life(25, Life.POWER_CUT)
    tale.sync(30, "b", 1, (P1,), named="n2", parts={"b": (P1,)})
    assert tale.judged() == [groups.PROMISE]
    tale.history.flush_on_ack = False
    assert tale.judged() == []


def test_an_older_generation_is_served() -> None:
    tale = two()
    tale.join(30, "c", 2)
    tale.sync(40, "c", 2, (P0, P1), named="n2", parts={"c": (P0, P1)})
    tale.commit(39, 5, "c1", member="a", generation=1)
    assert tale.judged() == []
    tale.commit(50, 6, "c2", member="a", generation=1)
    assert tale.judged() == [groups.PROMISE]


def test_a_group_that_was_deleted_counts_from_the_beginning() -> None:
    tale = two()
    tale.join(30, "c", 2)
    tale.sync(31, "c", 2, (P0, P1), named="n2", parts={"c": (P0, P1)})
    tale.delete_group(40)
    tale.join(50, "d", 1)
    tale.sync(51, "d", 1, (P0, P1), named="n3", parts={"d": (P0, P1)})
    assert tale.judged() == []


def test_who_left_is_served_unless_the_coordinator_forgot_that() -> None:
    tale = two()
    tale.leave(30, "b")
    tale.commit(40, 5, "c1", member="b", generation=1)
    assert tale.judged() == [groups.PROMISE]
    tale.life(35, Life.KILLED)
    assert tale.judged() == []


def test_a_member_that_was_silent_for_too_long_is_served() -> None:
    tale = two()
    tale.beat(10_000, "a", 1)
    assert tale.judged() == []
    tale.beat(20_100, "a", 1)
    assert tale.judged() == [groups.PROMISE]
    tale.life(15_000, Life.KILLED)
    assert tale.judged() == []  # silence was the coordinator's


def test_a_static_member_that_nobody_replaced_is_fenced() -> None:
    tale = GroupTale()
    tale.join(10, "i-1", 1, instance="i")
    tale.sync(20, "i-1", 1, (P0,), parts={"i-1": (P0,)}, instance="i")
    tale.life(25, Life.KILLED)
    tale.beat(30, "i-1", 1, instance="i", error=ErrorCode.FENCED_INSTANCE_ID)
    assert tale.judged() == [groups.PROMISE]


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.INFO])
def test_a_static_member_is_fenced_by_who_came_or_may_have_come_after_it(outcome: Outcome) -> None:
    tale = GroupTale()
    tale.join(10, "i-1", 1, instance="i")
    tale.sync(20, "i-1", 1, (P0,), parts={"i-1": (P0,)}, instance="i")
    tale.join(25, "i-2", 1, instance="i", outcome=outcome)
    tale.beat(30, "i-1", 1, instance="i", error=ErrorCode.FENCED_INSTANCE_ID)
    assert tale.judged() == []


def test_a_static_member_that_comes_back_keeps_its_generation() -> None:
    def tale_of(generation: int) -> GroupTale:
        tale = GroupTale()
        tale.join(10, "i-1", 1, instance="i")
        tale.sync(20, "i-1", 1, (P0,), parts={"i-1": (P0,)}, instance="i")
        tale.beat(30, "i-1", 1, instance="i")
        tale.join(40, "i-2", generation, instance="i")
        return tale

    assert tale_of(1).judged() == []
    assert tale_of(2).judged() == [groups.PROMISE]


@pytest.mark.parametrize(
    ("state", "members"), [("Empty", ["a", "b"]), ("Dead", []), ("Stable", ["a"])]
)
def test_the_last_look_shows_who_believes_to_be_in(state: str, members: list[str]) -> None:
    tale = two()
    tale.last_look(70, state, members, ("a", "b"))
    assert tale.judged() == [groups.PROMISE]


def test_a_last_look_that_had_to_wait_may_come_after_the_sessions() -> None:
    tale = two()
    tale.last_look(70, "Dead", [], ("a", "b"))
    (seen,) = (one for one in tale.history.entries if isinstance(one, GroupSeen))
    seen.ended_us += 3_600_000_000
    assert tale.judged() == []


def test_a_group_with_members_is_listed_as_one() -> None:
    def tale_of(states: dict[str, str]) -> GroupTale:
        tale = two()
        one = GroupsListed(2, 30_000)
        one.states = states
        one.end(30_500, Outcome.OK)
        tale.history.note(one)
        tale.beat(40, "a", 1)
        return tale

    assert tale_of({"g": "Stable"}).judged() == []
    assert tale_of({"g": "Empty"}).judged() == [groups.PROMISE]
    assert tale_of({}).judged() == [groups.PROMISE]


def test_a_group_has_no_more_members_than_it_may_have() -> None:
    tale = two()
    tale.last_look(70, "Stable", ["a", "b"], ("a", "b"))
    tale.history.members_max = 1
    assert tale.judged() == [groups.PROMISE]


# --- commits are kept


def committed(**how: bool) -> GroupTale:
    tale = GroupTale(**how)
    tale.commit(10, 5, "c1")
    tale.commit(20, 6, "c2")
    return tale


def test_the_last_commit_is_found() -> None:
    tale = committed()
    tale.positions(30, {P0: (6, "c2")})
    tale.life(40, Life.KILLED)
    tale.positions(50, {P0: (6, "c2")})
    assert tale.judged() == []


@pytest.mark.parametrize("found", [{}, {P0: (5, "c1")}, {P0: (7, "c2")}, {P0: (9, "c9")}], ids=repr)
def test_an_older_one_or_nothing_or_something_else_is_found(
    found: dict[Place, tuple[int, str]],
) -> None:
    tale = committed()
    tale.life(25, Life.KILLED)
    tale.positions(30, found)
    assert tale.judged() == [commits.PROMISE]


@pytest.mark.parametrize("found", [{}, {P0: (5, "c1")}], ids=repr)
def test_a_power_cut_may_take_commits_unless_they_wait_for_the_disk(
    found: dict[Place, tuple[int, str]],
) -> None:
    tale = committed()
    tale.life(25, Life.POWER_CUT)
    tale.positions(30, found)
    assert tale.judged() == []
    tale.history.flush_on_ack = True
    assert tale.judged() == [commits.PROMISE]


def test_what_was_refused_is_found() -> None:
    tale = committed()
    tale.commit(25, 8, "c3", error=ErrorCode.ILLEGAL_GENERATION)
    tale.positions(30, {P0: (6, "c2")})
    assert tale.judged() == []
    tale.positions(31, {P0: (8, "c3")})
    assert tale.judged() == [commits.PROMISE]


def test_a_commit_that_was_seen_once_is_not_taken_back() -> None:
    tale = committed()
    tale.commit(25, 8, "c3").outcome = Outcome.INFO
    tale.positions(30, {P0: (6, "c2")})
    tale.positions(40, {P0: (8, "c3")})
    assert tale.judged() == []
    tale.positions(50, {P0: (6, "c2")})
    assert tale.judged() == [commits.PROMISE]


@pytest.mark.parametrize("how", ["forget", "delete_group"])
def test_what_was_deleted_is_gone_and_stays_so(how: str) -> None:
    tale = committed()
    tale.forget(25) if how == "forget" else tale.delete_group(25)
    tale.positions(30, {})
    assert tale.judged() == []
    tale.life(35, Life.KILLED)
    tale.positions(40, {P0: (6, "c2")})
    assert tale.judged() == [commits.PROMISE]


def test_commits_go_with_their_topic() -> None:
    tale = committed()
    tale.delete(25, 26)
    tale.listed(9_001, {}, final=True)
    tale.positions(30, {})
    assert commits.PROMISE not in tale.judged()


def test_a_commit_expires_only_when_its_time_is_over() -> None:
    tale = committed()
    tale.history.offsets_kept_ms = 60_000
    tale.positions(30, {})
    assert tale.judged() == [commits.PROMISE]
    tale.history.mark(FaultMark(22_000, 0, "clock", "70000", None))
    assert tale.judged() == []


def test_retention_begins_when_the_last_member_is_gone() -> None:
    def tale_of(jumps: int) -> GroupTale:
        tale = two()
        tale.history.offsets_kept_ms = 60_000
        tale.commit(30, 5, "c1", member="a", generation=1)
        tale.beat(100, "a", 1)
        tale.history.mark(FaultMark(jumps * 1_000, 0, "clock", "70000", None))
        tale.positions(900, {})
        return tale

    assert tale_of(200).judged() == []
    assert tale_of(50).judged() == [commits.PROMISE]


def test_a_commit_of_an_active_member_does_not_expire() -> None:
    def tale_of(last: int) -> GroupTale:
        tale = two()
        tale.commit(30, 5, "c1", member="a", generation=1, expires=True)
        tale.positions(900, {})
        tale.beat(last, "a", 1)
        return tale

    assert tale_of(500).judged() == []
    assert tale_of(1_000).judged() == [commits.PROMISE]


def test_nobody_commits_past_the_members() -> None:
    tale = two()
    tale.commit(30, 5, "c1")
    tale.beat(40, "a", 1)
    assert tale.judged() == [commits.PROMISE]
