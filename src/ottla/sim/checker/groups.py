"""A group's members agree on who has what, and nobody is in who is not.

Of one generation there is one assignment: everybody is told the part that its leader gave them, and
no partition has two owners. Generations only grow. Who was told a generation by its assignment has
it written down: nobody of an older one is served any more. Who left is out. A static member (KIP-345)
is fenced only by another one of its name, and comes back to its place without disturbing anybody.

That every join ends and a group with live members comes to rest, the world itself sees to: it does not
end otherwise. Source: C13, M91-M93. Elsewhere: offsets, `commits.py`.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from ottla.errors import ErrorCode
from ottla.sim.checker.group_ledger import NEVER, Contact, GroupLedger, GroupStory
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.group_operation import Beat, Committing, GroupSeen, Joining, OfMember, Place, Syncing
from ottla.sim.history import FaultMark, Outcome

PROMISE: Final = "groups agree"

_SLACK_MS: Final = 20

_UUID_LENGTH: Final = 37
"""Of what follows a name in a member id, its dash included."""

_HARMLESS: Final = frozenset(
    {
        ErrorCode.MEMBER_ID_REQUIRED,
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""A join that is refused with these has changed nothing."""


def check(ledger: Ledger) -> Iterator[Violation]:
    groups = GroupLedger(ledger)
    for story in groups.groups.values():
        yield from _parts(story)
        yield from _one_assignment(groups, story)
        yield from _generations(groups, story)
        yield from _left(groups, story)
        yield from _expired(groups, story)
        yield from _fenced(groups, story)
        yield from _place(groups, story)
        yield from _last_look(story)
        yield from _sizes(story, ledger.history.members_max)
        yield from _listed(groups, story)


def _parts(story: GroupStory) -> Iterator[Violation]:
    """What anybody is told is what a leader has said, of that generation and to that member."""
    handed_out: dict[str, list[Syncing]] = {}
    for one in story.syncs:
        if one.parts:
            handed_out.setdefault(one.naming, []).append(one)
            given = [place for part in one.parts.values() for place in part]
            if len(given) > len(set(given)):
                text = f"{story.group}: {_who(one)} gives something to two: {one.parts}"
                yield Violation(PROMISE, one.asked_us, text)
    instances = {one.given_id: one.instance for one in story.joins if one.given_id}
    for join in story.joins:
        instances.update({one: instance for one, instance in join.shown if instance})
    for sync in story.syncs:
        if sync.outcome is Outcome.OK and (sync.named or sync.got):
            problem = _part_problem(
                handed_out, instances, sync.member_id, sync.named, sync.got, sync.generation
            )
            if problem:
                text = f"{story.group}: {_who(sync)} {problem}"
                yield Violation(PROMISE, sync.ended_us, text)
    for seen in story.seen:
        if seen.outcome is not Outcome.OK:
            continue
        for member_id, (named, places) in seen.members.items():
            if not (named or places):
                continue
            problem = _part_problem(handed_out, instances, member_id, named, places, None)
            if problem:
                text = f"{story.group} is described: {member_id} {problem}"
                yield Violation(PROMISE, seen.ended_us, text)


def _part_problem(
    handed_out: dict[str, list[Syncing]],
    instances: dict[str, str],
    member_id: str,
    named: str,
    places: tuple[Place, ...],
    generation: int | None,
) -> str:
    """`named`: empty where a leader of the product made it, who gives no names."""
    said = handed_out.get(named, [])
    if not said:
        return f"is told assignment {named}, which nobody made"
    of_now = [one for one in said if generation in (None, one.generation)]
    if not of_now:
        return f"is told an assignment of generation {said[-1].generation}"
    instance = instances.get(member_id) or _instance_in(member_id)
    parts = [
        part
        for one in of_now
        for other, part in one.parts.items()
        if other == member_id or (instance and _is_of(other, instance, instances))
    ]
    if places not in parts:
        return f"is told {places}, which assignment {named} did not give it"
    return ""


def _is_of(member_id: str, instance: str, instances: dict[str, str]) -> bool:
    return instance in (instances.get(member_id), _instance_in(member_id))


def _instance_in(member_id: str) -> str:
    """An id whose join got lost was told to nobody; but static members' ids begin with their names."""
    name = member_id[:-_UUID_LENGTH]
    return "" if name.startswith("client-") else name


def _one_assignment(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    known: dict[int, Syncing] = {}
    owners: dict[tuple[int, str], dict[Place, Syncing]] = {}
    for sync in sorted(story.syncs, key=lambda one: one.ended_us):
        if sync.outcome is not Outcome.OK or not (sync.named or sync.got):
            continue
        other = known.setdefault(sync.generation, sync)
        if other.named != sync.named:
            since_us = min(other.asked_us, sync.asked_us)
            if not groups.may_begin_anew(story, since_us, sync.ended_us):
                text = (
                    f"{story.group}: generation {sync.generation} has assignments {other.named} "
                    f"({_who(other)}) and {sync.named} ({_who(sync)})"
                )
                yield Violation(PROMISE, sync.ended_us, text)
            known[sync.generation] = sync
        held = owners.setdefault((sync.generation, sync.named), {})
        for place in sync.got:
            owner = held.setdefault(place, sync)
            same = owner.member_id == sync.member_id or (
                sync.instance and owner.instance == sync.instance
            )
            if not same and not sync.named:
                # Another generation of that number may have been meant.
                same = groups.may_begin_anew(story, owner.asked_us, sync.ended_us)
            if not same:
                text = (
                    f"{story.group}: in generation {sync.generation} both {_who(owner)} and "
                    f"{_who(sync)} own {place[0]}-{place[1]}"
                )
                yield Violation(PROMISE, sync.ended_us, text)


def _generations(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """Nothing of an older generation is served once an assignment of a newer one was told."""
    told: Syncing | None = None
    syncs = [one for one in story.syncs if one.outcome is Outcome.OK]
    syncs.sort(key=lambda one: one.ended_us)
    at = 0
    served: list[Contact | Joining] = [*groups.contacts(story)]
    served += [one for one in story.joins if one.outcome is Outcome.OK]
    for one in sorted(served, key=lambda op: op.asked_us):
        while at < len(syncs) and syncs[at].ended_us < one.asked_us:
            later = syncs[at]
            if (
                told is None
                or later.generation >= told.generation
                or groups.may_begin_anew(story, told.asked_us, later.ended_us)
            ):
                told = later
            at += 1
        if told is None or one.generation >= told.generation:
            continue
        if groups.may_begin_anew(story, told.asked_us, one.ended_us):
            continue
        text = (
            f"{story.group}: {_who(one)} is served in generation {one.generation}; "
            f"{told.generation} was told to {_who(told)} before"
        )
        yield Violation(PROMISE, one.ended_us, text)


def _left(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """Member ids are given once: whoever left under one is never again served under it."""
    gone = {
        one.member_id: one
        for one in reversed(story.leaves)
        if one.outcome is Outcome.OK and one.member_id
    }
    for one in groups.contacts(story):
        left = gone.get(one.member_id)
        if left is None or one.asked_us <= left.ended_us:
            continue
        if not groups.ends.any_in(left.asked_us, one.ended_us):
            text = f"{story.group}: {_who(one)} is served after it left"
            yield Violation(PROMISE, one.ended_us, text)


def _expired(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """Who said nothing for longer than its session is out, and learns that when it comes back.

    As in Kafka, everybody's session begins anew with a generation, also that of a static member whose
    place was kept although it did not join again.
    """
    if not groups.is_calm:
        return  # what stands still or is lost on its way may keep a session
    begun_us = sorted(join.ended_us for join in story.joins if join.outcome is Outcome.OK)
    by_member: dict[str, list[OfMember]] = {}
    for one in story.of_members():
        by_member.setdefault(one.member_id, []).append(one)
        if isinstance(one, Joining) and not one.member_id:
            by_member.setdefault(one.given_id, []).append(one)
    by_member.pop("", None)
    for ops in by_member.values():
        session_ms = max((one.session_ms for one in ops if isinstance(one, Joining)), default=0)
        heard_us = min(one.asked_us for one in ops)
        for one in sorted(ops, key=lambda op: op.asked_us):
            if isinstance(one, Committing) and one.generation < 0:
                continue  # as from outside: of an empty group it is taken, whoever it is from
            begun = bisect_left(begun_us, one.asked_us)
            if begun:
                heard_us = max(heard_us, begun_us[begun - 1])
            silent_us = one.asked_us - heard_us
            heard_us = max(heard_us, one.ended_us if one.ended_us >= 0 else NEVER)
            if one.outcome is not Outcome.OK or silent_us <= (session_ms + _SLACK_MS) * 1000:
                continue
            if not groups.ends.any_in(one.asked_us - silent_us, one.ended_us):
                text = (
                    f"{story.group}: {_who(one)} said nothing for {silent_us // 1000} ms, its "
                    f"session is {session_ms} ms, and it is served"
                )
                yield Violation(PROMISE, one.ended_us, text)


# --- static members


def _fenced(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """Only another one of that name fences a static member; and then it is told so."""
    given: dict[str, Joining] = {}
    for join in story.joins:
        if join.outcome is Outcome.OK and join.instance and join.given_id:
            given.setdefault(join.given_id, join)
    written = {one.member_id: one for one in reversed(story.syncs) if one.outcome is Outcome.OK}
    for one in story.of_members():
        join_of_it = given.get(one.member_id)
        if join_of_it is None or one.error != ErrorCode.FENCED_INSTANCE_ID:
            continue
        if one.asked_us < join_of_it.ended_us:
            continue
        since_us = join_of_it.asked_us
        if groups.lossy.any_in(since_us, one.ended_us):
            continue
        sync = written.get(one.member_id)
        if sync is None or sync.ended_us > one.asked_us:
            if groups.ends.any_in(since_us, one.ended_us):
                continue  # it had not got so far as to be written down
        if not any(_may_replace(other, join_of_it, one) for other in story.joins):
            text = f"{story.group}: {_who(one)} is fenced, and nobody else came as {one.instance}"
            yield Violation(PROMISE, one.ended_us, text)


def _may_replace(other: Joining, join: Joining, fenced: OfMember) -> bool:
    if other is join or other.instance != join.instance or other.member_id:
        return False
    if other.asked_us > fenced.ended_us:
        return False
    if other.outcome is Outcome.FAIL and other.error in _HARMLESS:
        return False
    certain = other.outcome in (Outcome.OK, Outcome.FAIL)
    return not (certain and other.ended_us < join.asked_us)


def _place(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """A static member that comes back in time, nobody else moving, is in the same generation."""
    if any(one.outcome in (Outcome.INFO, Outcome.OPEN) for one in story.of_members()):
        return  # who knows who else is there
    contacts = groups.contacts(story)
    for join in story.joins:
        if join.outcome is not Outcome.OK or not join.instance or join.member_id:
            continue
        before = [
            one
            for one in contacts
            if one.ended_us < join.asked_us and one.instance == join.instance
        ]
        if not before or not isinstance(last := before[-1], Beat):
            continue
        if join.generation == last.generation or not _is_calm(groups, story, last, join):
            continue
        text = (
            f"{story.group}: {join.instance} was in generation {last.generation} at "
            f"{last.ended_us / 1000:.0f} ms, came back, and {join.generation} began"
        )
        yield Violation(PROMISE, join.ended_us, text)


def _is_calm(groups: GroupLedger, story: GroupStory, last: Beat, join: Joining) -> bool:
    """Was there nothing but its own coming back that might begin a new generation?"""
    own = [one for one in story.joins if one.instance == join.instance and one is not join]
    if any(one.ended_us >= last.asked_us for one in own):
        return False
    before = max(own, key=lambda one: one.ended_us, default=None)
    if before is None or (before.wanted, before.session_ms) != (join.wanted, join.session_ms):
        return False
    if join.ended_us - last.asked_us > join.session_ms * 900:
        return False
    if groups.lossy.any_in(last.asked_us, join.ended_us) or _is_disturbed(groups, last, join):
        return False
    since_us = min(one.asked_us for one in story.joins if one.generation == last.generation)
    for one in (*story.joins, *story.leaves, *story.deletions):
        if one is not join and one.ended_us > last.asked_us and one.asked_us < join.ended_us:
            return False
    others = {one.given_id for one in story.joins if one.given_id and one.asked_us >= since_us} | {
        one.member_id for one in story.syncs if one.generation == last.generation
    }
    return all(
        any(
            one.asked_us > join.asked_us and one.generation == last.generation
            for one in groups.contacts(story)
            if one.member_id == member_id
        )
        for member_id in others - {last.member_id, join.given_id}
    )


def _is_disturbed(groups: GroupLedger, last: Beat, join: Joining) -> bool:
    return any(
        isinstance(mark, FaultMark) and last.asked_us - 5_000_000 < mark.t_us < join.ended_us
        for mark in groups.ledger.history.marks
    )


# --- the last look


def _last_look(story: GroupStory) -> Iterator[Violation]:
    """When all is calm, a group is stable, and who believes to be in is in."""
    for seen in story.seen:
        if not seen.final or not seen.live:
            continue
        if seen.outcome is not Outcome.OK:
            text = f"{story.group} can't be described: error {seen.error}"
            yield Violation(PROMISE, seen.ended_us, text)
        elif _is_too_late(story, seen):
            continue
        elif problem := _unlike(seen):
            yield Violation(PROMISE, seen.ended_us, f"{story.group}: {problem}")


def _sizes(story: GroupStory, members_max: int) -> Iterator[Violation]:
    """Static members that are not back keep their place beside those who are, as in Kafka."""
    if any(one.instance for one in story.joins):
        return
    for seen in story.seen:
        if seen.state == "Stable" and len(seen.members) > members_max:
            text = f"{story.group} has {len(seen.members)} members; group.max.size is {members_max}"
            yield Violation(PROMISE, seen.ended_us, text)


def _listed(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """A group with members is listed, and not as one without; where the disk refuses, the groups
    whose coordinator that takes are left out, as in Kafka those are that others coordinate."""
    for listing in groups.listings:
        for member_id, (first_us, last_us) in groups.spans(story).items():
            if groups.ends.any_in(first_us, last_us):
                continue
            if first_us < listing.asked_us and listing.ended_us < last_us:
                state = listing.states.get(story.group)
                if state in (None, "Empty", "Dead"):
                    text = f"{story.group} is listed as {state}, and {member_id[:17]} is in"
                    yield Violation(PROMISE, listing.ended_us, text)


def _is_too_late(story: GroupStory, seen: GroupSeen) -> bool:
    """Nobody beats while the last look is taken. Where a quota on connections kept it waiting, sessions
    may have ended meanwhile."""
    shortest_ms = min((join.session_ms for join in story.joins), default=0)
    return bool(shortest_ms) and seen.ended_us - seen.asked_us > shortest_ms * 500


def _unlike(seen: GroupSeen) -> str:
    missing = [one for one in seen.live if one not in seen.members]
    if seen.state not in ("Stable", "PreparingRebalance"):
        return f"members {', '.join(seen.live)} believe to be in; it is {seen.state}"
    if missing:
        return f"{', '.join(missing)} believe to be in; described are {', '.join(seen.members)}"
    return ""


def _who(op: OfMember) -> str:
    who = op.member_id or (op.given_id if isinstance(op, Joining) else "") or "somebody"
    return f"client {op.client} as {op.instance or who[:17]}"
