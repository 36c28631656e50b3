"""A history put in order by group: who asked for what as whom, and what may have been lost.

Elsewhere: topics and partitions, `ledger.py`; what must hold of groups, `groups.py` and `commits.py`.
"""

from bisect import bisect_left, bisect_right
from typing import Final, TypeAlias, final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.group_operation import (
    Beat,
    Committing,
    Forgetting,
    GroupDeletion,
    GroupSeen,
    GroupsListed,
    Joining,
    Leaving,
    OfMember,
    Positions,
    Syncing,
)
from ottla.sim.history import FaultMark, Life, LifeMark, Outcome

NEVER: Final = 1 << 62

_NOT_OF_THE_DISK: Final = frozenset(
    {"kill", "power", "stop", "slow-sync", "pause", "reset", "mute-up", "mute-down", "cut", "clog"}
    | {"clock"}
)

Contact: TypeAlias = Beat | Syncing | Committing
"""What only a member of the current generation is given an OK for."""


@final
class Times:
    """Points in time, to be asked whether one of them lies between two others; from `always_us` on
    there is always one."""

    __slots__ = ("_always_us", "_at_us")

    def __init__(self, at_us: list[int], *, always_us: int = NEVER) -> None:
        self._at_us = sorted(at_us)
        self._always_us = always_us

    def any_in(self, since_us: int, until_us: int) -> bool:
        """Both inclusive."""
        return until_us >= self._always_us or bisect_left(self._at_us, since_us) < bisect_right(
            self._at_us, until_us
        )


@final
class GroupStory:
    """Everything that was asked of one group, in the order of asking."""

    __slots__ = (
        "beats",
        "commits",
        "deletions",
        "forgettings",
        "group",
        "joins",
        "leaves",
        "positions",
        "seen",
        "syncs",
    )

    def __init__(self, group: str) -> None:
        self.group = group
        self.joins: list[Joining] = []
        self.syncs: list[Syncing] = []
        self.beats: list[Beat] = []
        self.leaves: list[Leaving] = []
        self.commits: list[Committing] = []
        self.positions: list[Positions] = []
        self.forgettings: list[Forgetting] = []
        self.deletions: list[GroupDeletion] = []
        self.seen: list[GroupSeen] = []

    def contacts(self, *, beats: bool) -> list[Contact]:
        """Those that were answered well, by when that was; `beats`: heartbeats too."""
        found: list[Contact] = []
        if beats:
            found += [one for one in self.beats if one.outcome is Outcome.OK]
        found += [one for one in self.syncs if one.outcome is Outcome.OK]
        found += [one for one in self.commits if one.outcome is Outcome.OK and one.generation >= 0]
        return sorted(found, key=lambda one: one.ended_us)

    def of_members(self) -> list[OfMember]:
        return [*self.joins, *self.syncs, *self.beats, *self.leaves, *self.commits]


@final
class GroupLedger:
    """`lossy`: power cuts that may take what was confirmed. `ends`: when coordinators may have
    forgotten what is not written down: at all ends of processes, and while disks refuse.

    `beats_tell`: a coordinator that has lost its log's disk for a moment answers every heartbeat well,
    as Kafka does; where no disk was struck, one that is answered well says something. `is_calm`:
    nothing was struck at all.
    """

    __slots__ = (
        "_clock_jumps_us",
        "beats_tell",
        "ends",
        "groups",
        "is_calm",
        "ledger",
        "listings",
        "lossy",
    )

    def __init__(self, ledger: Ledger) -> None:
        history = ledger.history
        self.ledger = ledger
        self.groups: dict[str, GroupStory] = {}
        self.listings: list[GroupsListed] = []
        for entry in history.entries:
            match entry:
                case Joining():
                    self._of(entry.group).joins.append(entry)
                case Syncing():
                    self._of(entry.group).syncs.append(entry)
                case Beat():
                    self._of(entry.group).beats.append(entry)
                case Leaving():
                    self._of(entry.group).leaves.append(entry)
                case Committing():
                    self._of(entry.group).commits.append(entry)
                case Positions():
                    self._of(entry.group).positions.append(entry)
                case Forgetting():
                    self._of(entry.group).forgettings.append(entry)
                case GroupDeletion():
                    self._of(entry.group).deletions.append(entry)
                case GroupSeen():
                    self._of(entry.group).seen.append(entry)
                case GroupsListed() if entry.outcome is Outcome.OK:
                    self.listings.append(entry)
                case _:
                    pass
        faults = [mark for mark in history.marks if isinstance(mark, FaultMark)]
        disk_us = [mark.t_us for mark in faults if mark.kind not in _NOT_OF_THE_DISK]
        self.is_calm = not faults
        self.beats_tell = not disk_us
        self.lossy = Times(ledger.losses_us())
        self._clock_jumps_us = [one.t_us for one in faults if one.kind == "clock"]
        self.ends = Times(
            [
                mark.t_us
                for mark in history.marks
                if isinstance(mark, LifeMark) and mark.life is not Life.STARTED
            ],
            always_us=min(disk_us, default=NEVER),
        )

    def _of(self, group: str) -> GroupStory:
        story = self.groups.get(group)
        if story is None:
            story = self.groups[group] = GroupStory(group)
        return story

    def contacts(self, story: GroupStory) -> list[Contact]:
        return story.contacts(beats=self.beats_tell)

    def spans(self, story: GroupStory) -> dict[str, tuple[int, int]]:
        """By member id, from when to when it certainly was in."""
        spans: dict[str, tuple[int, int]] = {}
        for contact in self.contacts(story):
            first_us, last_us = spans.get(contact.member_id, (contact.ended_us, contact.asked_us))
            spans[contact.member_id] = (
                min(first_us, contact.ended_us),
                max(last_us, contact.asked_us),
            )
        return {
            member_id: span
            for member_id, span in spans.items()
            if not self.lossy.any_in(span[0], span[1])
        }

    def may_begin_anew(self, story: GroupStory, since_us: int, until_us: int) -> bool:
        """Whether the group may have been forgotten in that time, to count from 0 again."""
        if self.ledger.history.groups_vanish or self.lossy.any_in(since_us, until_us):
            return True
        if any(since_us <= one <= until_us for one in self._clock_jumps_us):
            return True  # what is looked at every ten minutes may have been
        return any(
            one.outcome is not Outcome.FAIL
            and one.asked_us <= until_us
            and (one.outcome is not Outcome.OK or one.ended_us >= since_us)
            for one in story.deletions
        )
