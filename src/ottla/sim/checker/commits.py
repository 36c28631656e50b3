"""What a group has committed is what it is told: the last that was confirmed, and nothing older.

A commit that was confirmed is found by everybody who asks later, until a newer one, until it is
deleted (by OffsetDelete, with its group, with its topic), or until nobody needed it for as long as
offsets are kept. What was refused is never found. A deleted one does not come back. From outside, a
group takes commits only while nobody is in it.

A killed process loses nothing; what a power cut may take depends on the flush policy (`kept.py`).

Source: C13, KIP-211, M90, M91, M94. Elsewhere: who may commit as a member, `groups.py`.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias, final

from ottla.sim.checker.group_ledger import NEVER, Contact, GroupLedger, GroupStory
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.group_operation import Committing, Forgetting, GroupDeletion, Place, Positions
from ottla.sim.history import Delete, FaultMark, Outcome

PROMISE: Final = "commits are kept"

_Removal: TypeAlias = Forgetting | GroupDeletion


def check(ledger: Ledger) -> Iterator[Violation]:
    groups = GroupLedger(ledger)
    for story in groups.groups.values():
        judged = _Judged(groups, story)
        for positions in story.positions:
            if positions.outcome is Outcome.OK:
                yield from judged.positions(positions)
        yield from _from_outside(groups, story)


@final
class _Judged:
    def __init__(self, groups: GroupLedger, story: GroupStory) -> None:
        self._groups = groups
        self._story = story
        self._by_name: dict[str, list[Committing]] = {}
        for one in story.commits:
            self._by_name.setdefault(one.metadata, []).append(one)
        self._by_place: dict[Place, list[Committing]] = {}
        for one in story.commits:
            if one.outcome is not Outcome.FAIL:
                self._by_place.setdefault(one.place, []).append(one)
        self._contacts: dict[str, list[Contact]] = {}
        for contact in groups.contacts(story):
            self._contacts.setdefault(contact.member_id, []).append(contact)
        self._seen_us: dict[str, int] = {}  # by when a commit had certainly happened
        for read in story.positions:
            for _, name in filter(lambda found: found[1], read.found.values()):
                self._seen_us[name] = min(read.ended_us, self._seen_us.get(name, NEVER))
        self._topic_ends = [
            one
            for one in groups.ledger.history.entries
            if isinstance(one, Delete) and one.outcome is not Outcome.FAIL
        ]

    def positions(self, read: Positions) -> Iterator[Violation]:
        for place in read.wanted if read.wanted is not None else self._by_place:
            text = self._problem(read, place, read.found.get(place))
            if text:
                where = f"{self._story.group} {place[0]}-{place[1]}"
                yield Violation(PROMISE, read.ended_us, f"{where}: {text}")

    def _problem(self, read: Positions, place: Place, found: tuple[int, str] | None) -> str:
        if found is None:
            return self._missing(read, place)
        offset, name = found
        asked = [
            one
            for one in self._by_name.get(name, ())
            if one.place == place and one.asked_us <= read.ended_us
        ]
        if not asked:
            return f"{found} is found, which nobody committed"
        # Those of the product's own consumers have no name: any of them may be meant.
        problems = [self._problem_with(one, read, place) for one in asked if one.offset == offset]
        if not problems:
            return f"{offset} is found with the metadata of {asked[-1].offset}"
        return "" if "" in problems else problems[-1]

    def _problem_with(self, commit: Committing, read: Positions, place: Place) -> str:
        if commit.outcome is Outcome.FAIL:
            return f"{_shown(commit)} is found, and was refused with error {commit.error}"
        if commit.outcome is not Outcome.OK:
            return ""  # it may have happened at any time
        for other in self._by_place.get(place, ()):
            done_us = self._done_us(other)
            if commit.ended_us < other.asked_us and done_us < read.asked_us:
                if not self._groups.lossy.any_in(other.asked_us, read.ended_us):
                    return f"{_shown(commit)} is found; {_shown(other)} was committed after it"
        for removal in (*self._story.forgettings, *self._story.deletions):
            if removal.outcome is not Outcome.OK or removal.asked_us <= commit.ended_us:
                continue
            if isinstance(removal, Forgetting) and removal.place != place:
                continue
            if removal.ended_us < read.asked_us:
                if not self._groups.lossy.any_in(removal.asked_us, read.ended_us):
                    return f"{_shown(commit)} is found, and was deleted"
        return ""

    def _done_us(self, commit: Committing) -> int:
        """By when it had happened."""
        if commit.outcome is Outcome.OK:
            return commit.ended_us
        return self._seen_us.get(commit.metadata, NEVER)

    def _missing(self, read: Positions, place: Place) -> str:
        for commit in self._by_place.get(place, ()):
            if self._done_us(commit) >= read.asked_us:
                continue
            if not self._may_be_gone(commit, read):
                return f"nothing is found; {_shown(commit)} was committed"
        return ""

    def _may_be_gone(self, commit: Committing, read: Positions) -> bool:
        since_us, until_us = commit.asked_us, read.ended_us
        if self._groups.lossy.any_in(since_us, until_us):
            return True
        removals: list[_Removal | Delete] = [
            one for one in self._story.forgettings if one.place == commit.place
        ]
        removals += self._story.deletions
        removals += [one for one in self._topic_ends if one.topic == commit.place[0]]
        if any(_may_hit(one, since_us, until_us) for one in removals):
            return True
        # What is missing may be a later commit, one of those that are not kept for long.
        later = [
            one
            for one in self._by_place[commit.place]
            if one.asked_us <= until_us and self._done_us(one) >= since_us
        ]
        return any(self._may_expire(one, read) for one in later)

    def _may_expire(self, commit: Committing, read: Positions) -> bool:
        """Is its time over, and was there a moment when nobody who reads the topic was in?"""
        kept_us = self._groups.ledger.history.offsets_kept_ms * 1000
        since_us = commit.asked_us
        pauses: list[tuple[int, int]] = []
        for first_us, last_us in self._stays(commit.place[0], read.asked_us):
            if first_us > since_us:
                pauses.append((since_us, first_us))
            since_us = max(since_us, last_us)
        pauses.append((since_us, read.ended_us))
        if not commit.expires and all(self._clock_us(*pause) < kept_us for pause in pauses):
            return False
        for member_id, contacts in self._contacts.items():
            joins = [one for one in self._story.joins if one.given_id == member_id]
            if all(commit.place[0] in one.wanted for one in joins):
                if (
                    contacts[0].ended_us <= commit.asked_us
                    and contacts[-1].asked_us >= read.ended_us
                ):
                    return False
        return True

    def _stays(self, topic: str, until_us: int) -> list[tuple[int, int]]:
        """From when to when somebody who reads the topic was certainly in."""
        stays: list[tuple[int, int]] = []
        for member_id, contacts in self._contacts.items():
            joins = [one for one in self._story.joins if one.given_id == member_id]
            if joins and all(topic in one.wanted for one in joins):
                times_us = [one.asked_us for one in contacts if one.ended_us < until_us]
                if times_us:
                    stays.append((min(times_us), max(times_us)))
        return sorted(stays)

    def _clock_us(self, since_us: int, until_us: int) -> int:
        """How long that was by the node's clock, which may have jumped."""
        jumps_us = sum(
            int(mark.note) * 1000
            for mark in self._groups.ledger.history.marks
            if isinstance(mark, FaultMark)
            and mark.kind == "clock"
            and since_us <= mark.t_us <= until_us
            and int(mark.note) > 0
        )
        return until_us - since_us + jumps_us


def _may_hit(removal: _Removal | Delete, since_us: int, until_us: int) -> bool:
    if removal.outcome is Outcome.FAIL or removal.asked_us > until_us:
        return False
    return removal.outcome is not Outcome.OK or removal.ended_us >= since_us


def _from_outside(groups: GroupLedger, story: GroupStory) -> Iterator[Violation]:
    """Nobody may commit past the members."""
    spans = groups.spans(story)
    for one in story.commits:
        if one.generation >= 0 or one.member_id or one.outcome is not Outcome.OK:
            continue
        for member_id, (first_us, last_us) in spans.items():
            if first_us < one.asked_us and one.ended_us < last_us:
                text = (
                    f"{story.group}: {_shown(one)} was committed from outside while "
                    f"{member_id[:17]} was in"
                )
                yield Violation(PROMISE, one.ended_us, text)
                break


def _shown(commit: Committing) -> str:
    return f"{commit.offset} (as {commit.metadata})"
