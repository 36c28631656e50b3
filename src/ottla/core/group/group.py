"""The group coordinator on one shard: its groups, what they committed, and who asks for what.

Decides who may: a group comes into being with the first member that joins, or with the first commit
of a consumer that assigns itself, and goes when nobody is in it and none of its offsets is left.

Promises: offsets of a group with members expire only for topics that none of them reads (KIP-211); a
commit is accepted from a member of the current generation, or from outside while nobody is in. A group
of another kind that is in the log (KIP-848 and later) is never written over.

Elsewhere: joining and leaving, see `classic.py`; the offsets, `offsets.py`; how it is kept, `journal.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.deadline import Deadlines
from ottla.core.group import journal
from ottla.core.group.classic import EMPTY, STABLE, ClassicGroup, Deadline, Due
from ottla.core.group.journal import CommittedOffset, ForeignEntry, GroupEntry, OffsetEntry
from ottla.core.group.member import (
    NO_MEMBER_ID,
    Join,
    Joined,
    Leaver,
    Left,
    Sync,
    Synced,
)
from ottla.core.group.offsets import Offsets, Topics, is_expired
from ottla.core.group.subscription import CONSUMER
from ottla.core.port import Entropy
from ottla.core.shard.decision import Answer, Asked, Decision, Entry
from ottla.errors import Bug, ErrorCode
from ottla.settings.broker import GroupSettings
from ottla.types import NO_TIMESTAMP

# Shards clean up one after the other, so that fifty of them do not hold up the loop together.
_CLEANUP_STAGGER_MS: Final = 20


class Committing(NamedTuple):
    topic: str
    partition: int
    committed: CommittedOffset


@final
class Commit(NamedTuple):
    """An OffsetCommit. `knows_no_group`: its version knows GROUP_ID_NOT_FOUND."""

    group_id: str
    generation: int
    member_id: str
    instance_id: str | None
    rows: Sequence[Committing]
    knows_no_group: bool


@final
class Committed:
    """`errors`: one per row; empty where `error` concerns all of them."""

    __slots__ = ("error", "errors")

    def __init__(self, error: ErrorCode, errors: Sequence[ErrorCode] = ()) -> None:
        self.error = error
        self.errors = errors


@final
class Fetched:
    """A group's offsets, as far as there are any."""

    __slots__ = ("error", "topics")

    def __init__(self, error: ErrorCode, topics: Topics | None = None) -> None:
        self.error = error
        self.topics: Topics = {} if topics is None else topics


class DescribedMember(NamedTuple):
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@final
class Described:
    """`state` None: there is no such group."""

    __slots__ = ("error", "members", "protocol", "protocol_type", "state")

    def __init__(
        self,
        error: ErrorCode,
        state: str | None = None,
        protocol_type: str = "",
        protocol: str = "",
        members: Sequence[DescribedMember] = (),
    ) -> None:
        self.error = error
        self.state = state
        self.protocol_type = protocol_type
        self.protocol = protocol
        self.members = members


class Listed(NamedTuple):
    group_id: str
    protocol_type: str
    state: str


def commit_refused(error: ErrorCode) -> Committed:
    if error is ErrorCode.MESSAGE_TOO_LARGE:
        return Committed(ErrorCode.INVALID_COMMIT_OFFSET_SIZE)
    return Committed(error)


@final
class Groups:
    """A machine for one shard."""

    __slots__ = (
        "_cleanup_at_ms",
        "_deadlines",
        "_entropy",
        "_foreign",
        "_groups",
        "_number",
        "_offsets",
        "_settings",
    )

    def __init__(self, number: int, settings: GroupSettings, entropy: Entropy) -> None:
        self._number = number
        self._settings = settings
        self._entropy = entropy
        self._groups: dict[str, ClassicGroup] = {}
        self._offsets = Offsets()
        self._foreign: set[str] = set()
        self._deadlines: Deadlines[Deadline] = Deadlines()

    # --- the machine of a shard -------------------------------------------------------------------

    def decode_untrusted(self, key: bytes | None, value: bytes | None) -> Entry | None:
        return journal.decode_untrusted(key, value)

    def apply(self, entry: Entry) -> None:
        if isinstance(entry, OffsetEntry):
            self._offsets.apply(entry)
            if entry.committed is not None:
                self._see(entry.group_id)
        elif isinstance(entry, GroupEntry):
            if entry.value is None:
                group = self._groups.pop(entry.group_id, None)
                if group is not None:
                    group.forget_deadlines()
            else:
                (self._groups.get(entry.group_id) or self._make(entry.group_id)).apply(entry.value)
        elif isinstance(entry, ForeignEntry):
            if entry.is_there:
                self._foreign.add(entry.group_id)
                self._groups.pop(entry.group_id, None)
            else:
                self._foreign.discard(entry.group_id)
                if self._offsets.of(entry.group_id):
                    self._see(entry.group_id)
        else:
            raise Bug(f"{type(entry).__name__} is no entry of a group")

    def _see(self, group_id: str) -> None:
        """Somebody committed: there is such a group, be it only to hold the offsets."""
        if group_id not in self._groups and group_id not in self._foreign:
            self._make(group_id)

    def loaded(self, now_ms: int) -> Decision:
        decision = Decision()
        for group in self._groups.values():
            group.restore(now_ms, decision)
        self._schedule_cleanup(now_ms + self._number * _CLEANUP_STAGGER_MS)
        return decision

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> Decision:
        merged = Decision()
        for due, group_id, member_id in self._deadlines.due(now_ms):
            group = self._groups.get(group_id)
            if due is Due.EXPIRY:
                self._schedule_cleanup(now_ms)
                decision = self._clean_up(now_ms)
            elif group is None:
                continue
            elif due is Due.SESSION:
                decision = group.session_ends(now_ms, member_id)
            elif due is Due.JOIN:
                decision = group.joins_close(now_ms)
            else:
                decision = group.syncs_close(now_ms)
            merged.entries += decision.entries
            merged.answers += decision.answers
        merged.divisible = True  # entries of different groups
        return merged

    def topics_deleted(self, names: frozenset[str]) -> Decision:
        return Decision(entries=[*self._offsets.of_topics(names)], divisible=True)

    def parked(self) -> list[Answer]:
        return [answer for group in self._groups.values() for answer in group.parked()]

    # --- membership -------------------------------------------------------------------------------

    def decide_join(self, now_ms: int, join: Join, call: Asked[Joined]) -> Decision:
        error = None
        settings = self._settings
        timeout_ms = join.session_timeout_ms
        if not join.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif not settings.session_timeout_min_ms <= timeout_ms <= settings.session_timeout_max_ms:
            error = ErrorCode.INVALID_SESSION_TIMEOUT
        elif join.group_id in self._foreign:
            error = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        group = self._groups.get(join.group_id)
        if error is None and group is None and join.member_id != NO_MEMBER_ID:
            error = ErrorCode.UNKNOWN_MEMBER_ID
        if error is not None:
            return Decision([call.answer(Joined(error, join.member_id))])
        if group is not None:
            return group.join(now_ms, join, call)
        group = self._make(join.group_id)
        decision = group.join(now_ms, join, call)
        if not group.pending and not len(group.roster):
            del self._groups[join.group_id]  # refused: nothing came of it
        elif not decision.entries:
            decision.entries.append(group.empty_entry(now_ms))
        return decision

    def decide_sync(self, now_ms: int, group_id: str, sync: Sync, call: Asked[Synced]) -> Decision:
        group = self._groups.get(group_id)
        if not group_id or group is None:
            error = ErrorCode.UNKNOWN_MEMBER_ID if group_id else ErrorCode.INVALID_GROUP_ID
            return Decision([call.answer(Synced(error))])
        return group.sync(now_ms, sync, call)

    def decide_heartbeat(
        self,
        now_ms: int,
        group_id: str,
        member_id: str,
        instance_id: str | None,
        generation: int,
        call: Asked[ErrorCode],
    ) -> Decision:
        group = self._groups.get(group_id)
        if not group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif group is None:
            error = ErrorCode.UNKNOWN_MEMBER_ID
        else:
            error = group.heartbeat(now_ms, member_id, instance_id, generation)
        return Decision([call.answer(error)])

    def decide_leave(
        self, now_ms: int, group_id: str, leavers: tuple[Leaver, ...], call: Asked[Left]
    ) -> Decision:
        group = self._groups.get(group_id)
        if not group_id:
            return Decision([call.answer(Left(ErrorCode.INVALID_GROUP_ID))])
        if group is None:
            unknown = [ErrorCode.UNKNOWN_MEMBER_ID] * len(leavers)
            return Decision([call.answer(Left(ErrorCode.NONE, unknown))])
        return group.leave(now_ms, leavers, call)

    # --- offsets ----------------------------------------------------------------------------------

    def decide_commit(self, now_ms: int, commit: Commit, call: Asked[Committed]) -> Decision:
        """Kafka takes commits of the group with the empty name, and so does this."""
        error = self._check_commit(commit)
        if error is not None:
            return Decision([call.answer(Committed(error))])
        group = self._groups.get(commit.group_id)
        if group is not None:
            group.committed(now_ms, commit.member_id)
        metadata_max = self._settings.offset_metadata_bytes_max
        errors = []
        entries: list[Entry] = []
        for topic, partition, committed in commit.rows:
            if len(committed.metadata) > metadata_max:
                errors.append(ErrorCode.OFFSET_METADATA_TOO_LARGE)
                continue
            errors.append(ErrorCode.NONE)
            entries.append(OffsetEntry(commit.group_id, topic, partition, committed))
        return Decision([call.answer(Committed(ErrorCode.NONE, errors))], entries)

    def _check_commit(self, commit: Commit) -> ErrorCode | None:
        group = self._groups.get(commit.group_id)
        if group is not None:
            return group.check_commit(commit.member_id, commit.instance_id, commit.generation)
        if commit.generation < 0:
            if commit.group_id in self._foreign:
                return ErrorCode.UNKNOWN_MEMBER_ID
            return None
        if commit.knows_no_group:
            return ErrorCode.GROUP_ID_NOT_FOUND
        return ErrorCode.ILLEGAL_GENERATION

    def decide_fetch(
        self,
        group_id: str,
        wanted: Sequence[tuple[str, Sequence[int]]] | None,
        call: Asked[Fetched],
    ) -> Decision:
        """`wanted` None: everything. Copied, as the answer may have to wait for what it tells of."""
        held = self._offsets.of(group_id)
        topics: dict[str, dict[int, CommittedOffset]] = {}
        if wanted is None:
            topics = {name: dict(parts) for name, parts in held.items()}
        else:
            for topic, partitions in wanted:
                parts = held.get(topic)
                if parts is not None:
                    topics[topic] = {one: parts[one] for one in partitions if one in parts}
        return Decision([call.answer(Fetched(ErrorCode.NONE, topics))])

    def decide_forget(
        self, group_id: str, rows: Sequence[tuple[str, int]], call: Asked[Committed]
    ) -> Decision:
        """OffsetDelete."""
        group = self._groups.get(group_id)
        error = None
        if not group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif group is None:
            error = ErrorCode.GROUP_ID_NOT_FOUND
        elif group.state is not EMPTY and group.protocol_type != CONSUMER:
            error = ErrorCode.NON_EMPTY_GROUP
        if error is not None or group is None:
            return Decision([call.answer(Committed(error or ErrorCode.GROUP_ID_NOT_FOUND))])
        errors = []
        entries: list[Entry] = []
        for topic, partition in rows:
            if group.is_subscribed(topic):
                errors.append(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
                continue
            errors.append(ErrorCode.NONE)
            if self._offsets.get(group_id, topic, partition) is not None:
                entries.append(OffsetEntry(group_id, topic, partition, None))
        answer = call.answer(Committed(ErrorCode.NONE, errors))
        return Decision([answer], entries, divisible=True)

    # --- administration ---------------------------------------------------------------------------

    def decide_describe(self, group_id: str, call: Asked[Described]) -> Decision:
        group = self._groups.get(group_id)
        if group is None:
            return Decision([call.answer(Described(ErrorCode.NONE))])
        is_stable = group.state is STABLE
        members = [
            DescribedMember(
                one.member_id,
                one.instance_id,
                one.client_id,
                one.client_host,
                one.metadata(group.protocol) if is_stable else b"",
                one.assignment,
            )
            for one in group.roster.members.values()
        ]
        described = Described(
            ErrorCode.NONE,
            group.state.value,
            group.protocol_type or "",
            (group.protocol or "") if is_stable else "",
            members,
        )
        return Decision([call.answer(described)])

    def listed(self) -> Iterator[Listed]:
        """All groups, as they are now, committed or not."""
        for group_id, group in self._groups.items():
            yield Listed(group_id, group.protocol_type or "", group.state.value)

    def decide_list(self, call: Asked[list[Listed] | ErrorCode]) -> Decision:
        return Decision([call.answer([*self.listed()])])

    def decide_delete(self, group_id: str, call: Asked[ErrorCode]) -> Decision:
        group = self._groups.get(group_id)
        if group is None:
            return Decision([call.answer(ErrorCode.GROUP_ID_NOT_FOUND)])
        if group.state is not EMPTY:
            return Decision([call.answer(ErrorCode.NON_EMPTY_GROUP)])
        entries: list[Entry] = [*self._offsets.forgetting(group_id, lambda topic, one: True)]
        entries.append(GroupEntry(group_id, None))
        return Decision([call.answer(ErrorCode.NONE)], entries, divisible=True)

    # --- cleaning up ------------------------------------------------------------------------------

    def _schedule_cleanup(self, from_ms: int) -> None:
        interval_ms = self._settings.offsets_retention_check_interval_ms
        self._deadlines.set((Due.EXPIRY, "", ""), from_ms + interval_ms)

    def _clean_up(self, now_ms: int) -> Decision:
        """Offsets whose time is over, and groups of which nothing is left."""
        decision = Decision(divisible=True)
        retention_ms = self._settings.offsets_retention_ms
        for group_id, group in self._groups.items():
            gone: list[Entry] = []
            held = sum(len(parts) for parts in self._offsets.of(group_id).values())
            if held:
                gone += self._expired(now_ms, group, retention_ms)
            decision.entries += gone
            if len(gone) == held and group.state is EMPTY and not group.pending:
                decision.entries.append(GroupEntry(group_id, None))
        return decision

    def _expired(self, now_ms: int, group: ClassicGroup, retention_ms: int) -> Iterator[Entry]:
        """Nothing, as long as it is not known what the group reads."""
        since_empty_ms = NO_TIMESTAMP
        if group.protocol_type is not None:
            if group.state is EMPTY:
                since_empty_ms = group.since_ms
            elif group.state is not STABLE or group.subscribed is None:
                return iter(())

        def is_over(topic: str, one: CommittedOffset) -> bool:
            active = not (probe.MUTANTS and probe.mutant("M94-active-offsets-expire"))
            if active and group.is_subscribed(topic):
                return False
            since_ms = one.commit_ms if since_empty_ms == NO_TIMESTAMP else since_empty_ms
            if probe.MUTANTS and probe.mutant("M94-retention-since-the-commit"):
                since_ms = one.commit_ms
            return is_expired(one, since_ms, retention_ms, now_ms)

        return self._offsets.forgetting(group.group_id, is_over)

    def _make(self, group_id: str) -> ClassicGroup:
        group = ClassicGroup(group_id, self._settings, self._entropy, self._deadlines)
        self._groups[group_id] = group
        return group

    def check_invariants(self) -> None:
        for group_id, group in self._groups.items():
            assert group.group_id == group_id
            group.check_invariants()
