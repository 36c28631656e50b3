"""Nothing is lost between the members of a group: what is committed was handed out before, and what is
there at the end was handed to somebody.

So whoever takes over, where another one stopped, vanished or was thrown out, goes on where nothing is
missing; records may come twice, and none not at all. A member commits what its assignment in that
generation gave it, so that it moves nobody else's position.

That holds of groups of the product's own members that begin with the first record there is, and of a
consumer without a group. It includes what a power cut replaced: positions are looked at then (KIP-320).

Source: KIP-429, KIP-320. Elsewhere: one member's reading, `delivered.py`; commits once they are made,
`commits.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.group_ledger import GroupLedger
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.reading_ledger import ReadingLedger
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.group_operation import Place, Syncing
from ottla.sim.history import Delivery, Following

PROMISE: Final = "what is committed was read"


def check(ledger: Ledger) -> Iterator[Violation]:
    reading = ReadingLedger(ledger)
    yield from _of_others(reading)
    by_group: dict[str, list[Following]] = {}
    for one in reading.deliveries:
        if one.group:
            by_group.setdefault(one.group, []).append(one)
        elif one.from_first:
            yield from _left_unread(reading, [one])
    for group, followings in by_group.items():
        clients = {one.client for one in followings}
        if reading.committers.get(group, set()) <= clients:
            if all(one.from_first for one in followings):
                yield from _uncovered(reading, group, followings)
                yield from _left_unread(reading, followings)


def _of_others(reading: ReadingLedger) -> Iterator[Violation]:
    """A commit in the name of a generation is of what that gave to the member.

    A cooperative one also commits what it gives up then: in the generation that takes it away, and gives
    it to nobody yet.
    """
    owners: dict[tuple[str, int, Place], list[Syncing]] = {}
    for syncs in reading.syncs.values():
        for sync in syncs:
            for place in sync.got:
                owners.setdefault((sync.group, sync.generation, place), []).append(sync)
    groups = GroupLedger(reading.ledger) if reading.commits else None
    for commit in reading.commits:
        told = [
            one
            for one in reading.syncs.get(commit.client, ())
            if one.member_id == commit.member_id and one.ended_us <= commit.asked_us
        ]
        told.sort(key=lambda one: one.ended_us)
        if not told or told[-1].generation != commit.generation:
            continue  # it has not heard what it is given, or an older one is refused
        assert groups is not None
        story = groups.groups[commit.group]
        given = [
            one
            for one in owners.get((commit.group, commit.generation, commit.place), ())
            # Another generation of that number may have been meant.
            if not groups.may_begin_anew(story, *sorted((one.asked_us, commit.asked_us)))
        ]
        had = any(commit.place in one.got for one in told[-2:-1])
        if commit.place not in told[-1].got and (given or not had):
            text = (
                f"client {commit.client} commits {commit.place[0]}-{commit.place[1]} at "
                f"{commit.offset} in generation {commit.generation}, which did not give it that"
            )
            yield Violation(PROMISE, commit.asked_us, text)


def _uncovered(
    reading: ReadingLedger, group: str, followings: list[Following]
) -> Iterator[Violation]:
    """What lies before a committed offset, and was there for somebody, was handed out before.

    A cut may have replaced it since the member read so far, which it finds out when it reads on.
    """
    handed = _handed(reading, followings)
    read_us: dict[tuple[int, Place], list[int]] = {}
    for following in followings:
        for one in reading.deliveries[following]:
            place = one.topic, one.partition
            read_us.setdefault((one.client, place), []).append(one.asked_us)
    for commit in reading.commits:
        if commit.group != group or _is_open(reading, commit.place):
            continue
        (story,) = reading.stories.get(commit.place, ()) or (None,)
        if story is None or story.name in reading.thinned:
            continue
        before_us = [
            t_us
            for t_us in read_us.get((commit.client, commit.place), ())
            if t_us <= commit.asked_us
        ]
        since_us = max(before_us, default=0)
        if any(since_us <= cut_us <= commit.asked_us for cut_us, _ in story.cuts):
            continue
        for seen in reading.in_between(story, 0, commit.offset):
            if seen.sight.first.ended_us >= commit.asked_us:
                continue
            when_us = handed.get((commit.place, seen.record.value))
            if when_us is not None and when_us <= commit.asked_us:
                continue
            if story.may_lose(seen.record.offset, seen.sight.first.asked_us, commit.asked_us):
                continue
            text = (
                f"{group}: client {commit.client} commits {story.name} at {commit.offset}; "
                f"{shown(seen.record.value)} at {seen.record.offset} was not handed out before"
            )
            yield Violation(PROMISE, commit.asked_us, text)
            break


def _left_unread(reading: ReadingLedger, followings: list[Following]) -> Iterator[Violation]:
    """At rest, everything that is there was handed out."""
    handed = _handed(reading, followings)
    for following in followings:
        for place in following.read:
            if _is_open(reading, place) or f"{place[0]}-{place[1]}" in reading.thinned:
                continue
            for story in reading.stories.get(place, ()):
                for sight in story.sights:
                    if not sight.last.final:
                        continue
                    for record in sight.batch.records:
                        if (place, record.value) not in handed:
                            text = (
                                f"client {following.client} is at rest; {story.name} offset "
                                f"{record.offset}, {shown(record.value)}, was never handed out"
                            )
                            yield Violation(PROMISE, sight.last.ended_us, text)
                            return


def _handed(reading: ReadingLedger, followings: list[Following]) -> dict[tuple[Place, bytes], int]:
    """When each record was handed out first."""
    found: dict[tuple[Place, bytes], int] = {}
    deliveries: list[Delivery] = []
    for one in followings:
        deliveries += reading.deliveries[one]
    for delivery in sorted(deliveries, key=lambda one: one.ended_us):
        for record in delivery.records:
            found.setdefault(
                ((delivery.topic, delivery.partition), record.value), delivery.ended_us
            )
    return found


def _is_open(reading: ReadingLedger, place: Place) -> bool:
    """Who knows which topic was meant, or what could be read?"""
    return reading.is_ambiguous(place[0]) or reading.is_struck(place)
