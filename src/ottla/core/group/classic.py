"""One group of the classic protocol: members join, one of them assigns, all are told.

    EMPTY → PREPARING (everybody joins, until all have or time is up) → COMPLETING (the leader's
    assignment is awaited) → STABLE; whoever comes, goes or changes sends it back to PREPARING.

Hard state is `written`: the last generation that is in the log. The rest is soft and dies with the
shard; the members of `written` are then all there is, and whoever was on the way in joins again.

Promises: every parked call is answered once, whatever happens to its member. A generation's
assignment is told to nobody before it is committed. A static member (KIP-345) keeps its place until
its session ends; a second one with its name fences the first. No member is expired while its own
call is parked here. Metadata and assignments are carried unread.

Source: KIP-62, KIP-134 (initial delay), KIP-345, KIP-394, KIP-800, KIP-814. Elsewhere: who is in, see
`roster.py`; several groups and their offsets, see `group.py`.

Left whole on purpose: every step looks at the state and at most of the fields, so that halves would
only pass them to each other.
"""

import logging
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeAlias, final

from ottla import probe
from ottla.core.deadline import Deadlines
from ottla.core.group.journal import GroupEntry
from ottla.core.group.member import (
    NO_ASSIGNMENT,
    NO_MEMBER_ID,
    GroupState,
    Join,
    Joined,
    Leaver,
    Left,
    Member,
    Sync,
    Synced,
    member_of,
)
from ottla.core.group.roster import Roster
from ottla.core.group.subscription import CONSUMER, topics_untrusted
from ottla.core.port import Entropy
from ottla.core.shard.decision import Answer, Asked, Decision
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.settings.broker import GroupSettings
from ottla.types import NO_TIMESTAMP
from ottla.wire.stored.group_metadata import GroupMetadataValue

logger: Final = logging.getLogger(__name__)

EMPTY, PREPARING, COMPLETING, STABLE = GroupState

MAY_BECOME: Final[Mapping[GroupState, frozenset[GroupState]]] = {
    EMPTY: frozenset({PREPARING}),
    PREPARING: frozenset({COMPLETING, EMPTY}),
    COMPLETING: frozenset({STABLE, PREPARING}),
    STABLE: frozenset({PREPARING}),
}

NEW_MEMBER_JOIN_MS: Final = 300_000
"""How long a new member's first join may be parked. It has no session yet, and a client that gave up
and asked again would stay as a ghost for as long as the rebalance lasts. Kafka's number."""

LOOK_AGAIN_MS_MIN: Final = 1_000
"""Whether a late static member is back. Its own rebalance timeout may be 0."""


class Due(Enum):
    SESSION = auto()
    JOIN = auto()
    SYNC = auto()
    EXPIRY = auto()


Deadline: TypeAlias = tuple[Due, str, str]
"""What is due, in which group, for which member."""


@final
class ClassicGroup:
    __slots__ = (
        "_deadlines",
        "_entropy",
        "_initial_ms",
        "_initial_rest_ms",
        "_is_initial",
        "_settings",
        "_someone_new",
        "_to_sync",
        "generation",
        "group_id",
        "pending",
        "protocol",
        "protocol_type",
        "roster",
        "since_ms",
        "state",
        "subscribed",
        "written",
    )

    def __init__(
        self,
        group_id: str,
        settings: GroupSettings,
        entropy: Entropy,
        deadlines: Deadlines[Deadline],
    ) -> None:
        self.group_id = group_id
        self.state = EMPTY
        self.since_ms = NO_TIMESTAMP  # of the state
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.roster = Roster()
        # Ids that were given out and not yet come back with (KIP-394).
        self.pending: dict[str, None] = {}
        # What consumers read; None: not known.
        self.subscribed: frozenset[str] | None = None
        self.written: GroupMetadataValue | None = None
        self._settings = settings
        self._entropy = entropy
        self._deadlines = deadlines
        self._to_sync: dict[str, None] = {}
        self._is_initial = False  # PREPARING, and nobody was here before
        self._someone_new = False
        self._initial_ms = 0
        self._initial_rest_ms = 0

    # --- hard state -------------------------------------------------------------------------------

    def apply(self, value: GroupMetadataValue) -> None:
        """This is in the log. While the group completes a rebalance, it completes it."""
        self.written = value
        if self.state is COMPLETING and value.generation == self.generation and value.members:
            assignments = {one.member_id: one.assignment for one in value.members}
            for member in self.roster.members.values():
                member.assignment = assignments.get(member.member_id, NO_ASSIGNMENT)
            self._become(STABLE, value.current_state_timestamp)

    def restore(self, now_ms: int, decision: Decision) -> None:
        """Become what the log says. Sessions begin anew: silence was ours, not the members'."""
        value = self.written
        if value is None:
            return
        self.generation = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol = value.protocol
        self.since_ms = value.current_state_timestamp
        for stored in value.members:
            if self.roster.get(stored.member_id) is None:
                self.roster.add(member_of(stored, value.protocol))
        if value.leader is not None and self.roster.get(value.leader) is not None:
            self.roster.leader = value.leader
        self.subscribed = self._subscribed()
        if not len(self.roster):
            return
        self.state = STABLE
        for member in self.roster.members.values():
            self._expect(now_ms, member)
        if len(self.roster) > self._settings.members_max:
            self._prepare(now_ms, decision, "the group has more members than group.max.size")

    def entry(self, now_ms: int, assignments: Mapping[str, bytes] | None = None) -> GroupEntry:
        """The group as it is to be written. `assignments` None: as they are."""
        members = [
            one.stored(
                self.protocol,
                one.assignment
                if assignments is None
                else assignments.get(one.member_id, NO_ASSIGNMENT),
            )
            for one in self.roster.members.values()
        ]
        value = GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol,
            leader=self.roster.leader,
            current_state_timestamp=now_ms,
            members=members,
        )
        return GroupEntry(self.group_id, value)

    def empty_entry(self, now_ms: int) -> GroupEntry:
        """A group that is new: that it is there, and nobody in it yet."""
        value = GroupMetadataValue(protocol=None, leader=None, current_state_timestamp=now_ms)
        return GroupEntry(self.group_id, value)

    # --- joining ----------------------------------------------------------------------------------

    def join(self, now_ms: int, join: Join, call: Asked[Joined]) -> Decision:
        decision = Decision()
        if not self._has_room(join.member_id):
            if self.roster.get(join.member_id) is not None:
                self._remove(join.member_id, decision)
            self._forget_pending(join.member_id)
            refused = Joined(ErrorCode.GROUP_MAX_SIZE_REACHED, NO_MEMBER_ID)
            decision.answers.append(call.answer(refused))
            self._complete_if_all_joined(now_ms, decision)
        elif not self._fits(join):
            refused = Joined(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, join.member_id)
            decision.answers.append(call.answer(refused))
        elif join.member_id == NO_MEMBER_ID:
            self._join_unnamed(now_ms, join, call, decision)
        else:
            self._join_named(now_ms, join, call, decision)
        return decision

    def _has_room(self, member_id: str) -> bool:
        members_max = self._settings.members_max
        member = self.roster.get(member_id)
        if member_id == NO_MEMBER_ID and len(self.pending) >= members_max:
            # Kafka gives out ids without end; each is kept for a session.
            return False
        match self.state:
            case GroupState.EMPTY:
                return True
            case GroupState.PREPARING:
                # Who has joined counts, not who is a member: so the last to join again are turned
                # away when group.max.size was lowered.
                if member is not None and member.joining is not None:
                    return True
                return self.roster.awaiting_join < members_max
            case GroupState.COMPLETING | GroupState.STABLE:
                return member is not None or len(self.roster) < members_max

    def _fits(self, join: Join) -> bool:
        if self.state is EMPTY:
            return bool(join.protocol_type) and bool(join.protocols)
        # An initial rebalance whose members have all left has nobody to agree with.
        if self.protocol_type is not None and self.protocol_type != join.protocol_type:
            return False
        return self.roster.share_a_protocol(join.protocols)

    def _join_unnamed(
        self, now_ms: int, join: Join, call: Asked[Joined], decision: Decision
    ) -> None:
        prefix = join.client_id if join.instance_id is None else join.instance_id
        member_id = f"{prefix}-{_uuid_text(self._entropy.uuid())}"
        old_id = self.roster.static(join.instance_id)
        if old_id is not None:
            self._replace_static(now_ms, old_id, member_id, join, call, decision)
        elif join.instance_id is None and join.needs_member_id:
            # A first join is refused, with a fresh id in the refusal (KIP-394). Were it admitted, a
            # client whose answer is lost would join again and leave a ghost that stalls the group.
            self.pending[member_id] = None
            self._set(now_ms + join.session_timeout_ms, Due.SESSION, member_id)
            decision.answers.append(call.answer(Joined(ErrorCode.MEMBER_ID_REQUIRED, member_id)))
        else:
            self._add(now_ms, member_id, join, call, decision)

    def _join_named(self, now_ms: int, join: Join, call: Asked[Joined], decision: Decision) -> None:
        member_id = join.member_id
        if member_id in self.pending:
            if join.instance_id is not None:
                # The id was given to a dynamic member.
                refused = Joined(ErrorCode.UNKNOWN_MEMBER_ID, member_id)
                decision.answers.append(call.answer(refused))
                return
            del self.pending[member_id]
            self._add(now_ms, member_id, join, call, decision)
            return
        error = self.check_member(member_id, join.instance_id)
        if error is not None or self.state is EMPTY:
            refused = Joined(error or ErrorCode.UNKNOWN_MEMBER_ID, member_id)
            decision.answers.append(call.answer(refused))
            return
        member = self.roster.members[member_id]
        same = member.protocols == join.protocols
        leads = self.roster.leader == member_id
        if (self.state is COMPLETING and same) or (self.state is STABLE and same and not leads):
            # It may not have got the answer; for a follower nothing has changed.
            shown = self._shown() if leads else ()
            decision.answers.append(call.answer(self._joined(member_id, members=shown)))
            return
        # A leader that joins again wants a rebalance: the topics may have changed.
        self._park_join(member, join, call, decision)
        self._rebalance(now_ms, decision, _why(f"member {member_id} joins again", join.reason))

    def _add(
        self, now_ms: int, member_id: str, join: Join, call: Asked[Joined], decision: Decision
    ) -> None:
        member = Member(
            member_id,
            join.instance_id,
            join.client_id,
            join.client_host,
            join.rebalance_timeout_ms,
            join.session_timeout_ms,
            join.protocols,
        )
        member.is_new = True
        member.joining = call
        if self.state is PREPARING and self._is_initial:
            self._someone_new = True
        if not len(self.roster):
            self.protocol_type = join.protocol_type
        self.roster.add(member)
        self._set(now_ms + NEW_MEMBER_JOIN_MS, Due.SESSION, member_id)
        self._rebalance(now_ms, decision, _why(f"new member {member_id}", join.reason))

    def _park_join(
        self, member: Member, join: Join, call: Asked[Joined], decision: Decision
    ) -> None:
        self.roster.set_protocols(member, join.protocols)
        member.rebalance_timeout_ms = join.rebalance_timeout_ms
        member.session_timeout_ms = join.session_timeout_ms
        before = self.roster.set_joining(member, call)
        if before is not None:
            outcome = Joined(ErrorCode.REBALANCE_IN_PROGRESS, member.member_id)
            decision.answers.append(before.answer(outcome))

    def _replace_static(
        self,
        now_ms: int,
        old_id: str,
        new_id: str,
        join: Join,
        call: Asked[Joined],
        decision: Decision,
    ) -> None:
        """A static member is back without its id: it takes its own place, and fences who had it."""
        led_by = self.roster.leader
        old = self.roster.members[old_id]
        member = self._take_place(now_ms, old, new_id, join, decision)
        disturbs = bool(probe.MUTANTS) and probe.mutant("M92-return-disturbs")
        if self.state is STABLE and self.roster.choose_protocol() == self.protocol and not disturbs:
            # Nothing changes for the others, so they are not disturbed. But the new id must be known
            # to whoever coordinates next.
            if join.may_skip:
                leads = self.roster.leader == new_id
                outcome = self._joined(
                    new_id, members=self._shown() if leads else (), skip_assignment=leads
                )
            else:
                # It must not take itself for the leader: what it would assign, nobody gets.
                outcome = self._joined(new_id, leader=led_by or NO_MEMBER_ID)
            decision.answers.append(call.answer(outcome))
            if probe.MUTANTS and probe.mutant("M92-replacement-not-written"):
                return
            decision.entries.append(self.entry(now_ms))

            def restored(now_ms: int) -> Decision:
                self.roster.replace(new_id, old)
                self._cancel(Due.SESSION, new_id)
                self._expect(now_ms, old)
                return Decision()

            decision.otherwise = restored
            return
        self.roster.set_joining(member, call)
        why = _why(f"static member {join.instance_id} joins", join.reason)
        if self.state is COMPLETING:
            # The leader may be assigning to the old id already: what it sends would be lost.
            self._prepare(now_ms, decision, why)
        else:
            self._rebalance(now_ms, decision, why)

    def _take_place(
        self, now_ms: int, old: Member, new_id: str, join: Join, decision: Decision
    ) -> Member:
        """The same static member under a new id; calls parked under the old one are fenced."""
        old_id = old.member_id
        if old.joining is not None:
            fenced = Joined(ErrorCode.FENCED_INSTANCE_ID, old_id)
            decision.answers.append(old.joining.answer(fenced))
            self.roster.set_joining(old, None)
        self._tell_sync(old, Synced(ErrorCode.FENCED_INSTANCE_ID), decision)
        member = Member(
            new_id,
            old.instance_id,
            old.client_id,
            old.client_host,
            join.rebalance_timeout_ms,
            join.session_timeout_ms,
            join.protocols,
            old.assignment,
        )
        self.roster.replace(old_id, member)
        if old_id in self._to_sync:
            del self._to_sync[old_id]
            self._to_sync[new_id] = None
        self._cancel(Due.SESSION, old_id)
        self._expect(now_ms, member)
        logger.info(
            "static member replaced",
            extra={"group": self.group_id, "instance": old.instance_id, "member": new_id},
        )
        return member

    # --- the rebalance ----------------------------------------------------------------------------

    def _rebalance(self, now_ms: int, decision: Decision, why: str) -> None:
        """Begin a rebalance, or look whether the one that is under way is complete now."""
        if PREPARING in MAY_BECOME[self.state]:
            self._prepare(now_ms, decision, why)
        else:
            self._complete_if_all_joined(now_ms, decision)

    def _prepare(self, now_ms: int, decision: Decision, why: str) -> None:
        if self.state is COMPLETING:
            for member in self.roster.members.values():
                member.assignment = NO_ASSIGNMENT
                if self._tell_sync(member, Synced(ErrorCode.REBALANCE_IN_PROGRESS), decision):
                    self._expect(now_ms, member)  # its session may have ended while it waited
        self._to_sync.clear()
        self._cancel(Due.SYNC)
        self._is_initial = self.state is EMPTY
        self._become(PREPARING, now_ms)
        logger.info(
            "group rebalances",
            extra={"group": self.group_id, "generation": self.generation, "reason": why},
        )
        if self._is_initial:
            # Members of a new group come one after the other; a moment's wait saves rebalances.
            delay_ms = self._settings.initial_rebalance_delay_ms
            self._someone_new = False
            self._initial_ms = delay_ms
            self._initial_rest_ms = max(0, self.roster.rebalance_timeout_ms - delay_ms)
            self._set(now_ms + delay_ms, Due.JOIN)
            return
        if self._all_joined():
            self._complete(now_ms, decision)
        elif not (probe.MUTANTS and probe.mutant("M93-joins-never-close")):
            self._set(now_ms + self.roster.rebalance_timeout_ms, Due.JOIN)

    def _all_joined(self) -> bool:
        return self.roster.awaiting_join == len(self.roster) and not self.pending

    def _complete_if_all_joined(self, now_ms: int, decision: Decision) -> None:
        if self.state is PREPARING and not self._is_initial and self._all_joined():
            self._complete(now_ms, decision)

    def joins_close(self, now_ms: int) -> Decision:
        """Time is up for joining."""
        decision = Decision()
        if self.state is not PREPARING:
            return decision
        if self._is_initial and self._someone_new and self._initial_rest_ms:
            self._someone_new = False
            waited_ms = self._initial_ms
            self._initial_ms = min(self._settings.initial_rebalance_delay_ms, self._initial_rest_ms)
            self._initial_rest_ms = max(0, self._initial_rest_ms - waited_ms)
            self._set(now_ms + self._initial_ms, Due.JOIN)
        else:
            self._complete(now_ms, decision)
        return decision

    def _complete(self, now_ms: int, decision: Decision) -> None:
        """Whoever has joined is the next generation; static members stay although they have not."""
        self._cancel(Due.JOIN)
        roster = self.roster
        late = [
            one.member_id
            for one in roster.members.values()
            if one.joining is None and one.instance_id is None
        ]
        for member_id in late:
            self._remove(member_id, decision)
        if late:
            logger.info(
                "members did not join again", extra={"group": self.group_id, "members": late}
            )
        if len(roster) and not roster.elect():
            # Only static members are left, none of which is back: their sessions decide.
            wait_ms = max(LOOK_AGAIN_MS_MIN, roster.rebalance_timeout_ms)
            self._set(now_ms + wait_ms, Due.JOIN)
            return
        self.generation += 1
        self._to_sync.clear()
        if not len(roster):
            self.protocol = None
            self._become(EMPTY, now_ms)
            self.subscribed = self._subscribed()
            logger.info(
                "group is empty", extra={"group": self.group_id, "generation": self.generation}
            )
            decision.entries.append(self.entry(now_ms))
            return
        self.protocol = roster.choose_protocol()
        self._become(COMPLETING, now_ms)
        self.subscribed = self._subscribed()
        logger.info(
            "group has a new generation",
            extra={
                "group": self.group_id,
                "generation": self.generation,
                "members": len(roster),
                "leader": roster.leader,
            },
        )
        shown = self._shown()
        for member in roster.members.values():
            call = roster.set_joining(member, None)
            if call is not None:
                for_leader = shown if member.member_id == roster.leader else ()
                outcome = self._joined(member.member_id, members=for_leader)
                decision.answers.append(call.answer(outcome))
            member.is_new = False
            self._expect(now_ms, member)
            self._to_sync[member.member_id] = None
        if probe.MUTANTS and probe.mutant("M93-syncs-never-close"):
            return
        self._set(now_ms + roster.rebalance_timeout_ms, Due.SYNC)

    # --- syncing ----------------------------------------------------------------------------------

    def sync(self, now_ms: int, sync: Sync, call: Asked[Synced]) -> Decision:
        decision = Decision()
        error = self._check_sync(sync)
        if error is not None:
            decision.answers.append(call.answer(Synced(error)))
            return decision
        member = self.roster.members[sync.member_id]
        self._to_sync.pop(sync.member_id, None)
        if not self._to_sync:
            self._cancel(Due.SYNC)
        if self.state is STABLE:
            decision.answers.append(call.answer(self._synced(member.assignment)))
            return decision
        before, member.syncing = member.syncing, call
        if before is not None:
            decision.answers.append(before.answer(Synced(ErrorCode.REBALANCE_IN_PROGRESS)))
        if self.roster.leader == sync.member_id:
            self._assign(now_ms, dict(sync.assignments), decision)
        return decision

    def _check_sync(self, sync: Sync) -> ErrorCode | None:
        if self.state is EMPTY:
            return ErrorCode.UNKNOWN_MEMBER_ID
        error = self.check_member(sync.member_id, sync.instance_id)
        if error is not None:
            return error
        if sync.generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if sync.protocol_type is not None and sync.protocol_type != self.protocol_type:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if sync.protocol is not None and sync.protocol != self.protocol:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is PREPARING else None

    def _assign(self, now_ms: int, assignments: Mapping[str, bytes], decision: Decision) -> None:
        """The leader has spoken: write it, and tell everybody who asked."""
        decision.entries.append(self.entry(now_ms, assignments))
        for member in self.roster.members.values():
            outcome = self._synced(assignments.get(member.member_id, NO_ASSIGNMENT))
            if probe.MUTANTS and probe.mutant("M91-assignment-of-another"):
                outcome = self._synced(next(iter(assignments.values()), NO_ASSIGNMENT))
            if self._tell_sync(member, outcome, decision):
                self._expect(now_ms, member)

        def too_large(now_ms: int) -> Decision:
            again = Decision()
            self._prepare(now_ms, again, "the assignment is too large to be written")
            return again

        decision.otherwise = too_large

    def syncs_close(self, now_ms: int) -> Decision:
        """Who was told the generation and never asked for its part is gone."""
        decision = Decision()
        if self.state not in (COMPLETING, STABLE) or not self._to_sync:
            return decision
        late = [member_id for member_id in self._to_sync if self.roster.get(member_id) is not None]
        for member_id in late:
            self._remove(member_id, decision)
        self._prepare(now_ms, decision, f"members {late} did not sync")
        return decision

    # --- staying and leaving ----------------------------------------------------------------------

    def heartbeat(
        self, now_ms: int, member_id: str, instance_id: str | None, generation: int
    ) -> ErrorCode:
        error = self.check_member(member_id, instance_id)
        if error is not None:
            return error
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is EMPTY:
            return ErrorCode.UNKNOWN_MEMBER_ID
        self._expect(now_ms, self.roster.members[member_id])
        if self.state is PREPARING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def check_member(self, member_id: str, instance_id: str | None) -> ErrorCode | None:
        """What is wrong with somebody who says to be this member."""
        if instance_id is not None:
            current = self.roster.static(instance_id)
            if current is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if current != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return None if self.roster.get(member_id) is not None else ErrorCode.UNKNOWN_MEMBER_ID

    def check_commit(
        self, member_id: str, instance_id: str | None, generation: int
    ) -> ErrorCode | None:
        """What is wrong with a commit by whoever this says to be."""
        if probe.MUTANTS and generation < 0 and probe.mutant("M91-committed-past-members"):
            return None
        if generation < 0 and self.state is EMPTY:
            return None  # an administrator, or a consumer that assigns itself
        if generation >= 0 or member_id or instance_id is not None:
            error = self.check_member(member_id, instance_id)
            if error is not None:
                return error
            if probe.MUTANTS and probe.mutant("M91-old-generation-commits"):
                return None
            if generation != self.generation:
                return ErrorCode.ILLEGAL_GENERATION
        elif self.state is not EMPTY:
            return ErrorCode.UNKNOWN_MEMBER_ID
        # It knows the generation, but not yet its part of it.
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is COMPLETING else None

    def committed(self, now_ms: int, member_id: str) -> None:
        """A commit keeps the session, too."""
        member = self.roster.get(member_id)
        if member is not None and self.state in (STABLE, PREPARING):
            self._expect(now_ms, member)

    def leave(self, now_ms: int, leavers: tuple[Leaver, ...], call: Asked[Left]) -> Decision:
        decision = Decision()
        errors = [self._leave_one(one, decision) for one in leavers]
        decision.answers.append(call.answer(Left(ErrorCode.NONE, errors)))
        if ErrorCode.NONE in errors and self.state is not EMPTY:
            self._rebalance(now_ms, decision, "members left")
        return decision

    def _leave_one(self, leaver: Leaver, decision: Decision) -> ErrorCode:
        member_id = leaver.member_id
        if member_id == NO_MEMBER_ID:
            named = self.roster.static(leaver.instance_id)
            if named is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            member_id = named
        elif member_id in self.pending:
            self._forget_pending(member_id)
            return ErrorCode.NONE
        else:
            error = self.check_member(member_id, leaver.instance_id)
            if error is not None:
                return error
        self._remove(member_id, decision)
        logger.info(
            "member left",
            extra={"group": self.group_id, "member": member_id, "reason": leaver.reason},
        )
        return ErrorCode.NONE

    def session_ends(self, now_ms: int, member_id: str) -> Decision:
        """Nothing was heard of a member for as long as it said it would take."""
        decision = Decision()
        if probe.MUTANTS and probe.mutant("M91-sessions-never-end"):
            return decision
        member = self.roster.get(member_id)
        if member_id in self.pending:
            del self.pending[member_id]
            self._complete_if_all_joined(now_ms, decision)
        elif member is not None and not member.is_excused:
            self._remove(member_id, decision)
            logger.info(
                "member is gone: its session timed out",
                extra={"group": self.group_id, "member": member_id},
            )
            self._rebalance(now_ms, decision, f"session of {member_id} timed out")
        return decision

    def _remove(self, member_id: str, decision: Decision) -> None:
        """Take a member out. Should it still be there, it learns that it has to join anew."""
        member = self.roster.remove(member_id)
        if member.joining is not None:
            unknown = Joined(ErrorCode.UNKNOWN_MEMBER_ID, NO_MEMBER_ID)
            decision.answers.append(member.joining.answer(unknown))
            member.joining = None
        self._tell_sync(member, Synced(ErrorCode.UNKNOWN_MEMBER_ID), decision)
        self._to_sync.pop(member_id, None)
        self._cancel(Due.SESSION, member_id)

    def _forget_pending(self, member_id: str) -> None:
        if member_id in self.pending:
            del self.pending[member_id]
            self._cancel(Due.SESSION, member_id)

    # --- what is told -----------------------------------------------------------------------------

    def _joined(
        self,
        member_id: str,
        *,
        members: tuple[tuple[str, str | None, bytes], ...] = (),
        leader: str | None = None,
        skip_assignment: bool = False,
    ) -> Joined:
        return Joined(
            ErrorCode.NONE,
            member_id,
            generation=self.generation,
            protocol_type=self.protocol_type,
            protocol=self.protocol,
            leader=self.roster.leader or NO_MEMBER_ID if leader is None else leader,
            skip_assignment=skip_assignment,
            members=members,
        )

    def _synced(self, assignment: bytes) -> Synced:
        return Synced(ErrorCode.NONE, assignment, self.protocol_type, self.protocol)

    def _shown(self) -> tuple[tuple[str, str | None, bytes], ...]:
        """All members, as the leader sees them."""
        return tuple(
            (one.member_id, one.instance_id, one.metadata(self.protocol))
            for one in self.roster.members.values()
        )

    def _tell_sync(self, member: Member, outcome: Synced, decision: Decision) -> bool:
        """Answer a parked sync; False: there is none."""
        call, member.syncing = member.syncing, None
        if call is None:
            return False
        decision.answers.append(call.answer(outcome))
        return True

    def parked(self) -> list[Answer]:
        """Every call that is owed an answer, in the order of the members."""
        answers: list[Answer] = []
        for member in self.roster.members.values():
            if member.joining is not None:
                answers.append(member.joining.answer(Joined(ErrorCode.NONE, member.member_id)))
            if member.syncing is not None:
                answers.append(member.syncing.answer(Synced(ErrorCode.NONE)))
        return answers

    # --- what is known of it ----------------------------------------------------------------------

    def is_subscribed(self, topic: str) -> bool:
        """Whether somebody reads it. Where the members' metadata can't be read: consumers might."""
        if self.subscribed is None:
            return self.protocol_type == CONSUMER
        return topic in self.subscribed

    def _subscribed(self) -> frozenset[str] | None:
        if self.protocol_type != CONSUMER:
            return None
        if not len(self.roster):
            return frozenset()
        if self.protocol is None:
            return None
        topics: set[str] = set()
        try:
            for member in self.roster.members.values():
                topics |= topics_untrusted(member.metadata(self.protocol))
        except RemoteProtocolError:
            return None
        return frozenset(topics)

    # --- time -------------------------------------------------------------------------------------

    def _expect(self, now_ms: int, member: Member) -> None:
        """To be heard of again within its session timeout."""
        self._set(now_ms + member.session_timeout_ms, Due.SESSION, member.member_id)

    def _set(self, at_ms: int, due: Due, member_id: str = "") -> None:
        self._deadlines.set((due, self.group_id, member_id), at_ms)

    def _cancel(self, due: Due, member_id: str = "") -> None:
        self._deadlines.cancel((due, self.group_id, member_id))

    def forget_deadlines(self) -> None:
        """The group is deleted."""
        for member_id in (*self.pending, *self.roster.members):
            self._cancel(Due.SESSION, member_id)
        self._cancel(Due.JOIN)
        self._cancel(Due.SYNC)

    def _become(self, state: GroupState, now_ms: int) -> None:
        assert state in MAY_BECOME[self.state]
        self.state = state
        self.since_ms = now_ms

    def check_invariants(self) -> None:
        self.roster.check_invariants()
        if self.state in (EMPTY, STABLE):
            assert self.roster.awaiting_join == 0
        if self.state is EMPTY:
            assert not len(self.roster)
        if self.state in (COMPLETING, STABLE):
            assert len(self.roster)
        if self.state is not COMPLETING:
            assert all(one.syncing is None for one in self.roster.members.values())
        if self.state is STABLE:
            assert self.written is not None
            stored = {one.member_id: one.assignment for one in self.written.members}
            held = {one.member_id: one.assignment for one in self.roster.members.values()}
            assert self.generation == self.written.generation
            assert stored == held
        assert not self.pending.keys() & self.roster.members.keys()


def _uuid_text(uuid: bytes) -> str:
    """As Java prints it: 8-4-4-4-12."""
    text = uuid.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _why(event: str, reason: str) -> str:
    return f"{event}: {reason}" if reason else event
