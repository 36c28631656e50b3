"""A member of a classic consumer group: finds the coordinator, joins, stays, and notices when it must
join again. Decides; the shell sends what `asks` says and brings the answers.

A round goes: `must_prepare` (the owner gives up what it has to, and says what it keeps) -> JoinGroup ->
SyncGroup, before which the leader assigns -> `take_assignment`. Heartbeats begin with the join's answer,
and go on whatever the owner does, as long as it polls often enough.

Two ways to rebalance (KIP-429): eager members give everything up before they join; cooperative ones
keep what they have, and join once more after they gave up what others got. The way is the one that all
of the configured assignors know.

Promises: nothing is asked of a coordinator that is not known; an answer to an earlier generation
changes nothing; whoever was thrown out learns it by `must_prepare` being LOST before it joins again.

Source: KIP-62, KIP-345 (static members), KIP-394 (member ids), KIP-800 (reasons). Elsewhere: offsets,
`offsets.py`; bytes between members, `protocol.py`.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple, TypeAlias, final

from ottla.assign.member import GroupMember
from ottla.client.consume.options import COOPERATIVE_STICKY, ConsumerOptions
from ottla.client.consume.record import GroupMetadata
from ottla.client.member.offsets import Fenced
from ottla.client.member.protocol import (
    ASSIGN,
    assigned_untrusted,
    assignment,
    member_untrusted,
    subscription,
)
from ottla.client.metadata import ClusterView
from ottla.errors import ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.limits import REASON_LENGTH_MAX
from ottla.types import TopicPartition
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

PROTOCOL_TYPE: Final = "consumer"
NO_GENERATION: Final = -1
LEAVES_BY_LIST: Final = 3
"""The LeaveGroup version from which members are a list."""
_JOIN_MARGIN_MS: Final = 5_000
"""An answer to a join may come as late as the rebalance ends, and needs some time itself."""

_ELSEWHERE: Final = frozenset({ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR})
_THROWN_OUT: Final = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION})
_LATER: Final = frozenset({ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.REBALANCE_IN_PROGRESS})


class Phase(Enum):
    OUT = "does not want to be a member"
    PREPARE = "the owner gives up partitions"
    JOIN = "joins"
    ASSIGN = "is the leader, and has to know the topics"
    SYNC = "waits for the assignment"
    MEMBER = "is one"


class Preparation(Enum):
    """What the owner gives up before a join."""

    REVOKE = "everything"
    KEEP = "nothing but what it does not subscribe to any more"
    LOST = "everything, and it is others' already"


class FindAsk(NamedTuple):
    """Who is the coordinator?"""

    group: str


class JoinAsk(NamedTuple):
    broker_id: int
    request: JoinGroupRequest
    timeout_ms: int


class SyncAsk(NamedTuple):
    broker_id: int
    request: SyncGroupRequest
    timeout_ms: int


class HeartbeatAsk(NamedTuple):
    broker_id: int
    request: HeartbeatRequest


GroupAsk: TypeAlias = FindAsk | JoinAsk | SyncAsk | HeartbeatAsk


@final
class Membership:
    """`coordinator` None: to be looked for. Times are the caller's `now_ms`."""

    def __init__(self, options: ConsumerOptions, *, retry_ms: int = 100) -> None:
        assert options.group_id is not None, "a member has a group"
        self._options = options
        self._group = options.group_id
        self._retry_ms = retry_ms
        self._topics: frozenset[str] = frozenset()
        self._owned: tuple[TopicPartition, ...] = ()
        self._previous: tuple[TopicPartition, ...] = ()
        self._previous_generation = NO_GENERATION
        self._is_lost = False
        self._reason = ""
        self._retry_at_ms = 0
        self._polled_ms: int | None = None
        self._heartbeat_due_ms = 0
        self._heard_ms = 0
        self._finding = self._beating = False
        self._round: JoinAsk | SyncAsk | None = None
        """The join or sync that is under way."""
        self._again: str | None = None
        """Why another round follows this one, which cannot be broken off."""
        self._joined: list[GroupMember] = []
        """The leader's: whom it assigns to."""
        self._assignor = ""
        self._wanted: frozenset[str] = frozenset()
        self._watched: dict[str, int] | None = None
        """The leader's: partitions of the topics that members want, as it assigned them."""
        self.assignment: tuple[TopicPartition, ...] | None = None
        """The partitions of this generation, until they are taken."""
        self.phase = Phase.OUT
        self.coordinator: int | None = None
        self.generation_id = NO_GENERATION
        self.member_id = ""
        self.must_know: frozenset[str] = frozenset()
        """Topics the leader needs fresh metadata of; `knows` brings it."""
        self.must_leave: str | None = None
        """Why the group has to be told that this member goes; `left` confirms."""
        self.trouble: OttlaError | None = None
        self.rebalances = 0

    # ---- for the owner

    @property
    def is_cooperative(self) -> bool:
        return all(name == COOPERATIVE_STICKY for name in self._options.assignors)

    @property
    def who(self) -> GroupMetadata:
        """Whom a commit is from."""
        return GroupMetadata(
            self._group, self.generation_id, self.member_id, self._options.group_instance_id
        )

    @property
    def must_prepare(self) -> Preparation | None:
        """A join is next: the owner does this, then calls `prepared`."""
        if self.phase is not Phase.PREPARE:
            return None
        if self._is_lost:
            return Preparation.LOST
        return Preparation.KEEP if self.is_cooperative else Preparation.REVOKE

    def subscribe(self, topics: frozenset[str]) -> None:
        """Be a member that reads these; a change joins again."""
        if self.phase is Phase.OUT:
            self._topics = topics
            self.phase = Phase.PREPARE
        elif topics != self._topics:
            self._topics = topics
            self.rejoin("the subscription has changed")

    def unsubscribe(self, reason: str) -> None:
        """Be nobody. `must_leave` says whether the coordinator is to be told."""
        self._go(reason)
        self._topics = frozenset()
        self._owned = self._previous = ()
        self._is_lost = False
        self.phase = Phase.OUT

    def rejoin(self, reason: str) -> None:
        """Begin a round as soon as the owner is prepared, after the one that is under way."""
        if self.phase is Phase.MEMBER and self.assignment is None:
            self.phase = Phase.PREPARE
            self._reason = reason
        elif self.phase in (Phase.MEMBER, Phase.JOIN, Phase.ASSIGN, Phase.SYNC):
            self._again = reason

    def prepared(self, owned: Iterable[TopicPartition]) -> None:
        """The owner has given up what it had to and keeps `owned`."""
        assert self.phase is Phase.PREPARE, self.phase
        self._owned = tuple(sorted(owned))
        self._is_lost = False
        self._round = self._again = None
        self.phase = Phase.JOIN

    def take_assignment(self) -> tuple[TopicPartition, ...] | None:
        """`assignment`, once: the owner has begun and ended reading accordingly."""
        taken, self.assignment = self.assignment, None
        if taken is not None and self._again is not None:
            self.rejoin(self._again)
        return taken

    def polled(self, now_ms: int) -> None:
        self._polled_ms = now_ms

    def poll_gap_ms(self, now_ms: int) -> int:
        return 0 if self._polled_ms is None else now_ms - self._polled_ms

    # ---- requests

    @property
    def next_ms(self) -> int | None:
        """When `asks` may have something though nothing happened."""
        if self.phase is Phase.OUT:
            return None
        times = []
        if self.coordinator is None:
            if not self._finding:
                times.append(self._retry_at_ms)
        else:
            if self._round is None and self.phase in (Phase.JOIN, Phase.SYNC):
                times.append(self._retry_at_ms)
            if self._beats and not self._beating:
                times.append(self._heartbeat_due_ms)
        if self._polled_ms is not None and self._beats:
            times.append(self._polled_ms + self._options.poll_interval_ms_max + 1)
        return min(times, default=None)

    def asks(self, now_ms: int) -> list[GroupAsk]:
        """What is to be sent now. Several may be under way: heartbeats do not wait for a join."""
        if self.phase is Phase.OUT:
            return []
        self._check_polls(now_ms)
        if self.must_leave is not None:
            # First the coordinator forgets who this was.
            return []
        if self.coordinator is None:
            if self._finding or self._retry_at_ms > now_ms:
                return []
            self._finding = True
            return [FindAsk(self._group)]
        found: list[GroupAsk] = []
        if self._round is None and self._retry_at_ms <= now_ms:
            if self.phase is Phase.JOIN:
                self._round = self._join(self.coordinator)
            elif self.phase is Phase.SYNC:
                self._round = self._sync(self.coordinator)
            if self._round is not None:
                found.append(self._round)
        if self._beats and not self._beating and self._heartbeat_due_ms <= now_ms:
            self._beating = True
            request = HeartbeatRequest(
                self._group, self.generation_id, self.member_id, self._options.group_instance_id
            )
            found.append(HeartbeatAsk(self.coordinator, request))
        return found

    def knows(self, cluster: ClusterView) -> None:
        """The metadata the leader asked for is here: it assigns."""
        if self.phase is not Phase.ASSIGN:
            return
        self.must_know = frozenset()
        self.phase = Phase.SYNC
        self._watched = self._counts(cluster)

    def cluster_changed(self, cluster: ClusterView) -> None:
        """A leader whose topics grew, came or went has everybody join again."""
        if self.phase is Phase.MEMBER and self._wanted:
            counts = self._counts(cluster)
            if self._watched is None:
                self._watched = counts
            elif counts != self._watched:
                self.rejoin("the cluster's topics have changed")

    def leave_request(self, reason: str, version: int) -> LeaveGroupRequest:
        if version < LEAVES_BY_LIST:
            return LeaveGroupRequest(group_id=self._group, member_id=self.member_id)
        one = MemberIdentity(
            self.member_id, self._options.group_instance_id, reason[:REASON_LENGTH_MAX]
        )
        return LeaveGroupRequest(group_id=self._group, members=[one])

    def left(self) -> None:
        """The coordinator was told, or could not be."""
        self.must_leave = None
        self.member_id = ""

    # ---- answers

    def found(self, broker_id: int) -> None:
        self._finding = False
        self.coordinator = broker_id

    def not_found(self, error: OttlaError, now_ms: int) -> None:
        self._finding = False
        self._retry_at_ms = now_ms + self._retry_ms
        if isinstance(error, ApiError) and not error.retriable:
            self.trouble = error

    def moved(self) -> None:
        """The coordinator is another broker now, or gone."""
        self.coordinator = None

    def joined_untrusted(self, ask: JoinAsk, answer: JoinGroupResponse, now_ms: int) -> None:
        if ask is not self._round:
            return
        self._round = None
        code = answer.error_code
        if code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
            return
        if code != ErrorCode.NONE:
            self._round_refused(code, now_ms)
            return
        assignor = answer.protocol_name or ""
        if assignor not in self._options.assignors:
            raise RemoteProtocolError(
                f"group {self._group!r} uses assignor {assignor!r}, which this member did not offer"
            )
        leads = answer.leader == answer.member_id
        members = [member_untrusted(assignor, one) for one in answer.members] if leads else []
        self.member_id, self.generation_id = answer.member_id, answer.generation_id
        self._assignor = assignor
        self._heard_ms = now_ms
        self._heartbeat_due_ms = now_ms + self._options.heartbeat_interval_ms
        self._watched = None
        self._wanted = frozenset(topic for one in members for topic in one.topics)
        # A static leader that came back: the coordinator has its assignment still (KIP-814).
        self._joined = [] if answer.skip_assignment else members
        self.phase = Phase.SYNC
        if self._joined:
            self.must_know = self._wanted
            self.phase = Phase.ASSIGN

    def synced_untrusted(self, ask: SyncAsk, answer: SyncGroupResponse, now_ms: int) -> None:
        if ask is not self._round:
            return
        self._round = None
        if answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS:
            # What was given up for this round is given up.
            self.phase = Phase.JOIN
            return
        if answer.error_code != ErrorCode.NONE:
            self._round_refused(answer.error_code, now_ms)
            return
        self.assignment = assigned_untrusted(answer.assignment)
        self._previous, self._previous_generation = self.assignment, self.generation_id
        self._joined = []
        self._reason = ""
        self.rebalances += 1
        self.phase = Phase.MEMBER

    def beaten(self, ask: HeartbeatAsk, answer: HeartbeatResponse, now_ms: int) -> None:
        self._beating = False
        self._heartbeat_due_ms = now_ms + self._options.heartbeat_interval_ms
        if ask.request.generation_id != self.generation_id:
            return
        code = answer.error_code
        if code == ErrorCode.NONE:
            self._heard_ms = now_ms
        elif code == ErrorCode.REBALANCE_IN_PROGRESS:
            self._heard_ms = now_ms
            if self.phase is Phase.MEMBER:
                self.rejoin("the group is rebalancing")
        else:
            self._heartbeat_due_ms = now_ms + self._retry_ms
            self.refused(code, ask.request.generation_id)

    def refused(self, code: int, generation_id: int) -> None:
        """A heartbeat or commit of this generation was refused."""
        if generation_id != self.generation_id:
            return
        if code in _ELSEWHERE:
            self.moved()
        elif code in _THROWN_OUT:
            self._lose(forgets_id=code == ErrorCode.UNKNOWN_MEMBER_ID)
        elif code == ErrorCode.REBALANCE_IN_PROGRESS:
            self.rejoin("the group is rebalancing")
        elif code == ErrorCode.FENCED_INSTANCE_ID:
            self._fence()
        elif code not in _LATER:
            self.trouble = ApiError(code, f"group {self._group!r}")

    def lost(self, ask: GroupAsk, now_ms: int) -> None:
        """No answer came: the coordinator is looked for again."""
        self._retry_at_ms = now_ms + self._retry_ms
        if isinstance(ask, FindAsk):
            self._finding = False
            return
        if isinstance(ask, HeartbeatAsk):
            self._beating = False
            self._heartbeat_due_ms = now_ms + self._retry_ms
        elif ask is self._round:
            self._round = None
            if self.phase is Phase.SYNC:
                # Whether the coordinator has the assignment is not known; a join asks.
                self.phase = Phase.JOIN
        if ask.broker_id == self.coordinator:
            self.coordinator = None

    def impossible(self, ask: GroupAsk, error: OttlaError, now_ms: int) -> None:
        """The coordinator cannot be asked this at all: it is too old for what is wanted."""
        self.lost(ask, now_ms)
        self.trouble = error

    # ---- inside

    def _join(self, broker_id: int) -> JoinAsk:
        options = self._options
        protocols = [
            JoinGroupRequestProtocol(
                name,
                subscription(
                    name,
                    self._topics,
                    owned=self._owned,
                    previous=self._previous,
                    generation=self._previous_generation,
                    rack=options.client_rack,
                ),
            )
            for name in options.assignors
        ]
        request = JoinGroupRequest(
            group_id=self._group,
            session_timeout_ms=options.session_timeout_ms,
            rebalance_timeout_ms=options.poll_interval_ms_max,
            member_id=self.member_id,
            group_instance_id=options.group_instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocols=protocols,
            reason=self._reason[:REASON_LENGTH_MAX] or None,
        )
        return JoinAsk(broker_id, request, options.poll_interval_ms_max + _JOIN_MARGIN_MS)

    def _sync(self, broker_id: int) -> SyncAsk:
        assignments: list[SyncGroupRequestAssignment] = []
        if self._joined and self._watched is not None:
            assigned = ASSIGN[self._assignor](self._watched, self._joined)
            assignments = [
                SyncGroupRequestAssignment(member_id, assignment(partitions))
                for member_id, partitions in assigned.items()
            ]
        request = SyncGroupRequest(
            group_id=self._group,
            generation_id=self.generation_id,
            member_id=self.member_id,
            group_instance_id=self._options.group_instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=self._assignor,
            assignments=assignments,
        )
        timeout_ms = self._options.poll_interval_ms_max + _JOIN_MARGIN_MS
        return SyncAsk(broker_id, request, timeout_ms)

    def _counts(self, cluster: ClusterView) -> dict[str, int]:
        """Of the topics that any member wants, those that there are."""
        found = {}
        for name in self._wanted:
            topic = cluster.topic(name)
            if topic is not None and topic.partitions:
                found[name] = len(topic.partitions)
        return found

    @property
    def _beats(self) -> bool:
        """A member that waits for its join is not expected to say anything."""
        return self.generation_id != NO_GENERATION and self.phase in (
            Phase.MEMBER,
            Phase.PREPARE,
            Phase.ASSIGN,
            Phase.SYNC,
        )

    def _check_polls(self, now_ms: int) -> None:
        options = self._options
        if self._polled_ms is None or not self._beats:
            return
        if now_ms - self._polled_ms > options.poll_interval_ms_max:
            self._go(
                f"no poll for {now_ms - self._polled_ms} ms; poll_interval_ms_max is "
                f"{options.poll_interval_ms_max}"
            )
            self._lose(forgets_id=False)
        elif now_ms - self._heard_ms > options.session_timeout_ms:
            # The coordinator may be another by now, which nobody has told us.
            self._heard_ms = now_ms
            self.moved()

    def _round_refused(self, code: int, now_ms: int) -> None:
        """A join or sync was refused."""
        if code in _ELSEWHERE:
            self.moved()
            self._retry_at_ms = now_ms + self._retry_ms
            self.phase = Phase.JOIN
        elif code in _THROWN_OUT:
            self._lose(forgets_id=code == ErrorCode.UNKNOWN_MEMBER_ID)
        elif code == ErrorCode.FENCED_INSTANCE_ID:
            self._fence()
        else:
            self._retry_at_ms = now_ms + self._retry_ms
            self.phase = Phase.JOIN
            if code not in _LATER:
                self.trouble = ApiError(code, f"group {self._group!r} cannot be joined")

    def _lose(self, *, forgets_id: bool) -> None:
        """Out of the group without having been asked."""
        if forgets_id:
            self.member_id = ""
        self.generation_id = NO_GENERATION
        self._previous_generation = NO_GENERATION
        self._is_lost = True
        self.assignment = None
        self._round = self._again = None
        self.must_know = frozenset()
        self.phase = Phase.PREPARE

    def _go(self, reason: str) -> None:
        """Leave, telling so unless a static member is expected back."""
        if self.member_id and self._options.group_instance_id is None:
            if self.generation_id != NO_GENERATION or self.phase is Phase.JOIN:
                self.must_leave = reason
        self.generation_id = NO_GENERATION
        self._round = None

    def _fence(self) -> None:
        self._lose(forgets_id=True)
        self.phase = Phase.OUT
        self.trouble = Fenced(
            f"another consumer has joined group {self._group!r} under group_instance_id "
            f"{self._options.group_instance_id!r}"
        )
