"""A member of a consumer group as real ones are: finds its coordinator, joins, is told its part or, as
the leader, hands out everybody's; beats, commits, resumes where the group was, and comes back.

It may vanish without a word, pause so long that it is given up while it believes to be in, and
commit as who it no longer is. What its application asks for comes as asks; everything else follows
from what it is told.

Source: KIP-62, KIP-345 (static members), KIP-394, KIP-814. Elsewhere: bytes that members have for each
other, `embedded.py`; requests about offsets, `positions.py`.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeVar, final

from ottla.errors import ErrorCode
from ottla.sim.caller import embedded
from ottla.sim.caller.client import Client, Connect, expect
from ottla.sim.caller.positions import (
    COMMIT_BY_NAME,
    FETCH_BY_NAME,
    NO_ANSWER,
    commit_error,
    commit_request,
    end_op,
    positions_request,
    read_positions,
)
from ottla.sim.clock import Events
from ottla.sim.group_operation import (
    Beat,
    Committing,
    Joining,
    Leaving,
    Place,
    Positions,
    Syncing,
)
from ottla.sim.history import Entry, History
from ottla.sim.network import Wire
from ottla.sim.plan import Ask, ClientPlan, Verb
from ottla.types import Uuid
from ottla.wire.api import (
    FIND_COORDINATOR,
    HEARTBEAT,
    JOIN_GROUP,
    LEAVE_GROUP,
    OFFSET_COMMIT,
    OFFSET_FETCH,
    SYNC_GROUP,
    Message,
)
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.message.offset_commit import OffsetCommitResponse
from ottla.wire.message.offset_fetch import OffsetFetchResponse
from ottla.wire.message.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

A = TypeVar("A", bound=Message)
Then = Callable[[int], None]
"""What a member does about an answer: its error code."""

CONSUMER: Final = "consumer"
_PROTOCOLS: Final = ("range", "roundrobin")

MID_REBALANCE: Final = 2
"""The count of a VANISH that comes about once the next join is answered."""

_PAUSE_US: Final = 100_000

_VERSIONS: Final[dict[int, tuple[int, int, int]]] = {
    FIND_COORDINATOR: (6, 4, 1),
    JOIN_GROUP: (9, 5, 3),
    SYNC_GROUP: (5, 3, 1),
    HEARTBEAT: (4, 3, 1),
    LEAVE_GROUP: (5, 3, 1),
    OFFSET_COMMIT: (10, 7, 3),
    OFFSET_FETCH: (10, 8, 2),
}
"""By vintage."""

_ELSEWHERE: Final = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
_NOBODY: Final = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION})
_HOPELESS: Final = frozenset(
    {
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
    }
)


class Stage(Enum):
    OUT = auto()
    LOOKING = auto()
    JOINING = auto()
    SYNCING = auto()
    IN = auto()


@final
class Member(Client):
    """`stage`: where it believes to be. `turn` counts its lives: what belongs to another one is void."""

    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self.stage = Stage.OUT
        self.member_id = ""
        self.generation = -1
        self._protocol = ""
        self.got: tuple[Place, ...] = ()
        self.wanted: tuple[str, ...] = ()
        self.retired = False
        self._turn = 0
        self._beats = 0  # answered well, one after the other
        self._vanishes_joined = False
        self._paused_until_us = 0
        self._quiet_at_us = 0
        self._counted = 0
        self._offsets: dict[Place, int] = {}
        self._ids: dict[str, Uuid] = {}

    def is_idle(self) -> bool:
        """In, and told so again and again; or out for as long as anybody may wait for it."""
        if self.retired:
            return True
        if self.stage is Stage.OUT:
            return self.busy == 0 and self.events.now_us >= self._quiet_at_us
        return self.busy == 0 and self.stage is Stage.IN and self._beats > 2

    @property
    def is_in(self) -> bool:
        return self.stage is Stage.IN

    def doubt(self) -> None:
        """What it was told until now may not hold any more."""
        self._beats = 0

    def retire(self) -> None:
        """The world looks at what has come of everything: nothing moves any more."""
        self.retired = True
        self._turn += 1

    def ask(self, ask: Ask) -> None:
        match ask.verb:
            case Verb.JOIN:
                self._start(tuple(ask.topic.split("+")))
            case Verb.LEAVE if self.stage is not Stage.OUT:
                self._leave(ask.count == 1)
            case Verb.VANISH if ask.count == MID_REBALANCE:
                self._vanishes_joined = True
            case Verb.VANISH if self.stage is not Stage.OUT:
                self._go(forgets=True)
                if ask.count == 0:
                    self.give_up_connection("its process ended")
            case Verb.PAUSE:
                self._paused_until_us = self.events.now_us + ask.wait_ms * 1000
            case Verb.COMMIT if self.member_id or not ask.partition:
                self._commit(ask)
            case Verb.POSITIONS:
                self._see_positions(None if ask.count else self.got)
            case _:
                pass

    # --- coming and going -------------------------------------------------------------------------

    def _start(self, wanted: tuple[str, ...]) -> None:
        changes = self.stage is Stage.IN and wanted != self.wanted
        self.wanted = wanted
        if changes:
            self._join()
        elif self.stage is Stage.OUT:
            self._turn += 1
            self._look()

    def _go(self, *, forgets: bool) -> None:
        """It is out. Its session may still run: as long as that can last in a world, wait for it."""
        self.stage = Stage.OUT
        self._turn += 1
        session_ms = self.plan.session_ms if self.plan.session_ms < 10_000 else 0
        self._quiet_at_us = self.events.now_us + (session_ms + self.plan.rebalance_ms) * 1000
        if forgets:
            self.member_id = ""
            self.generation = -1
            self.got = ()

    def _leave(self, by_instance: bool) -> None:
        plan = self.plan
        by_instance = by_instance and bool(plan.instance)
        op = Leaving(
            self.number,
            self.events.now_us,
            group=plan.group,
            member_id="" if by_instance else self.member_id,
            instance=plan.instance,
            generation=self.generation,
        )
        version = self._version(LEAVE_GROUP)
        identity = MemberIdentity(op.member_id, plan.instance or None, "done")
        if version >= 3:
            request = LeaveGroupRequest(group_id=plan.group, members=[identity])
        else:
            request = LeaveGroupRequest(group_id=plan.group, member_id=self.member_id)
        self._go(forgets=True)

        def read(answer: LeaveGroupResponse) -> int:
            return answer.error_code or (answer.members[0].error_code if answer.members else 0)

        self._do(op, LEAVE_GROUP, request, LeaveGroupResponse, read, None)

    def _look(self) -> None:
        self.stage = Stage.LOOKING
        turn = self._turn
        version = self._version(FIND_COORDINATOR)
        group = self.plan.group
        request = (
            FindCoordinatorRequest(key_type=0, coordinator_keys=[group])
            if version >= 4
            else FindCoordinatorRequest(key=group, key_type=0)
        )

        def done(message: Message | None) -> None:
            answer = expect(message, FindCoordinatorResponse)
            if turn != self._turn:
                return
            error = -1 if answer is None else answer.error_code
            if answer is not None and version >= 4:
                error = answer.coordinators[0].error_code
            if error:
                self._later(self._look)
            else:
                self._join()

        self.request(FIND_COORDINATOR, version, request, done)

    def _later(self, what: Callable[[], None]) -> None:
        turn = self._turn

        def unless_over() -> None:
            if turn == self._turn:
                what()

        self.events.after(_PAUSE_US, unless_over)

    # --- joining ----------------------------------------------------------------------------------

    def _join(self) -> None:
        plan = self.plan
        self._turn += 1
        self.stage = Stage.JOINING
        self._beats = 0
        op = Joining(
            self.number,
            self.events.now_us,
            group=plan.group,
            member_id=self.member_id,
            instance=plan.instance,
            session_ms=plan.session_ms,
            rebalance_ms=plan.rebalance_ms,
            wanted=self.wanted,
        )
        metadata = embedded.subscription(self.wanted)
        request = JoinGroupRequest(
            group_id=plan.group,
            session_timeout_ms=plan.session_ms,
            rebalance_timeout_ms=plan.rebalance_ms,
            member_id=self.member_id,
            group_instance_id=plan.instance or None,
            protocol_type=CONSUMER,
            protocols=[JoinGroupRequestProtocol(name, metadata) for name in _PROTOCOLS],
        )
        answers: list[JoinGroupResponse] = []

        def read(answer: JoinGroupResponse) -> int:
            answers.append(answer)
            op.generation, op.given_id = answer.generation_id, answer.member_id
            op.leader = answer.leader
            op.shown = tuple((one.member_id, one.group_instance_id or "") for one in answer.members)
            return answer.error_code

        def then(error: int) -> None:
            if error == ErrorCode.NONE:
                self._joined(answers[0])
            elif error == ErrorCode.MEMBER_ID_REQUIRED:
                self.member_id = answers[0].member_id
                self._join()
            else:
                self._refused(error)

        self._do(op, JOIN_GROUP, request, JoinGroupResponse, read, then)

    def _joined(self, answer: JoinGroupResponse) -> None:
        if self._vanishes_joined:
            self._vanishes_joined = False
            self._go(forgets=True)
            return
        self.member_id = answer.member_id
        self.generation = answer.generation_id
        self._protocol = answer.protocol_name or ""
        self.stage = Stage.SYNCING
        if answer.leader != answer.member_id:
            self._sync({})
            return
        wants = {
            one.member_id: (
                one.group_instance_id or one.member_id,
                embedded.subscribed(one.metadata),
            )
            for one in answer.members
        }
        if answer.skip_assignment:
            wants = {}
        turn = self._turn

        def learned() -> None:
            if turn == self._turn:
                self._unless_paused(lambda: self._sync(self._hand_out(wants)))

        self.learn_topics(learned)

    def _hand_out(
        self, wants: dict[str, tuple[str, tuple[str, ...]]]
    ) -> dict[str, tuple[Place, ...]]:
        """Ranges of each topic to those who want it, in the order of their names."""
        parts: dict[str, list[Place]] = {member_id: [] for member_id in wants}
        for topic in sorted({topic for _, topics in wants.values() for topic in topics}):
            known = self.topics.get(topic)
            takers = [
                member_id
                for _, member_id in sorted((who, one) for one, (who, _) in wants.items())
                if topic in wants[member_id][1]
            ]
            for partition in range(0 if known is None else known.partitions):
                parts[takers[partition % len(takers)]].append((topic, partition))
        return {member_id: tuple(places) for member_id, places in parts.items()}

    def _sync(self, parts: dict[str, tuple[Place, ...]]) -> None:
        plan = self.plan
        self._counted += 1
        op = Syncing(
            self.number,
            self.events.now_us,
            group=plan.group,
            member_id=self.member_id,
            instance=plan.instance,
            generation=self.generation,
            naming=f"{self.number}/{self._counted}" if parts else "",
            parts=parts,
        )
        request = SyncGroupRequest(
            group_id=plan.group,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=plan.instance or None,
            protocol_type=CONSUMER,
            protocol_name=self._protocol,
            assignments=[
                SyncGroupRequestAssignment(member_id, embedded.assignment(op.naming, places))
                for member_id, places in parts.items()
            ],
        )

        def read(answer: SyncGroupResponse) -> int:
            op.named, op.got = embedded.assigned(bytes(answer.assignment))
            return answer.error_code

        def then(error: int) -> None:
            if error:
                self._refused(error)
            else:
                self.stage = Stage.IN
                self.got = op.got
                self._beat_later()
                self._see_positions(self.got)

        self._do(op, SYNC_GROUP, request, SyncGroupResponse, read, then)

    def _refused(self, error: int) -> None:
        """It has to begin again, further back or less far."""
        if error in _HOPELESS:
            self._go(forgets=False)
        elif error in _NOBODY:
            if error == ErrorCode.UNKNOWN_MEMBER_ID:
                self.member_id = ""
            self._join()
        elif error == ErrorCode.REBALANCE_IN_PROGRESS:
            self._join()
        elif error in _ELSEWHERE:
            self._later(self._look)
        else:
            self._later(self._join)

    # --- staying ----------------------------------------------------------------------------------

    def _beat_later(self) -> None:
        turn = self._turn
        plan = self.plan
        interval_us = max(50_000, min(1_000_000, plan.session_ms * 300, plan.rebalance_ms * 250))

        def beat() -> None:
            if turn == self._turn:
                self._unless_paused(self._beat)

        self.events.after(interval_us, beat)

    def _beat(self) -> None:
        plan = self.plan
        op = Beat(
            self.number,
            self.events.now_us,
            group=plan.group,
            member_id=self.member_id,
            instance=plan.instance,
            generation=self.generation,
        )
        request = HeartbeatRequest(
            group_id=plan.group,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=plan.instance or None,
        )

        def then(error: int) -> None:
            if error == ErrorCode.NONE:
                self._beats += 1
                self._beat_later()
            elif error == NO_ANSWER or error in _ELSEWHERE:
                self._beats = 0
                self._beat_later()
            elif error == ErrorCode.REBALANCE_IN_PROGRESS:
                self._join()
            else:
                self._refused(error)

        self._do(op, HEARTBEAT, request, HeartbeatResponse, lambda answer: answer.error_code, then)

    # --- offsets ----------------------------------------------------------------------------------

    def _commit(self, ask: Ask) -> None:
        """`partition` 0: of what it has; else, as who it is, of what it may not have."""
        plan = self.plan
        if ask.partition:
            place = (ask.topic, ask.partition - 1)
        elif self.got:
            place = self.got[ask.count % len(self.got)]
        else:
            return
        version = self._version(OFFSET_COMMIT)
        topic_id = self._ids.get(place[0])
        known = self.topics.get(place[0])
        if known is not None:
            topic_id = known.topic_id
        if version > COMMIT_BY_NAME and topic_id is None:
            version = COMMIT_BY_NAME
        expires = version in (2, 3, 4) and ask.time_ms > 0
        self._counted += 1
        offset = self._offsets[place] = self._offsets.get(place, 0) + 1 + ask.count
        op = Committing(
            self.number,
            self.events.now_us,
            group=plan.group,
            member_id=self.member_id,
            instance=plan.instance,
            generation=self.generation,
            place=place,
            offset=offset,
            metadata=f"{self.number}.{self._counted}",
            expires=expires,
        )
        request = commit_request(op, version, topic_id, plan.instance)
        self._do(
            op, OFFSET_COMMIT, request, OffsetCommitResponse, commit_error, None, version=version
        )

    def _see_positions(self, wanted: tuple[Place, ...] | None) -> None:
        if wanted == ():
            return
        op = Positions(self.number, self.events.now_us, group=self.plan.group, wanted=wanted)
        version = self._version(OFFSET_FETCH)
        ids = {name: known.topic_id for name, known in self.topics.items()}
        if version > FETCH_BY_NAME and (
            wanted is None or any(topic not in ids for topic, _ in wanted)
        ):
            version = FETCH_BY_NAME
        request = positions_request(op, version, ids)

        def then(error: int) -> None:
            if error == ErrorCode.NONE:
                for place, (offset, _) in op.found.items():
                    self._offsets[place] = offset

        self._do(
            op,
            OFFSET_FETCH,
            request,
            OffsetFetchResponse,
            lambda answer: read_positions(op, answer, version, ids),
            then,
            version=version,
        )

    # --- asking -----------------------------------------------------------------------------------

    def _version(self, api_key: int) -> int:
        return _VERSIONS[api_key][self.plan.vintage]

    def _unless_paused(self, what: Callable[[], None]) -> None:
        if self.events.now_us >= self._paused_until_us:
            what()
            return
        turn = self._turn

        def resume() -> None:
            if turn == self._turn:
                what()

        self.events.at(self._paused_until_us, resume)

    def _do(
        self,
        op: Entry,
        api_key: int,
        request: Message,
        kind: type[A],
        read: Callable[[A], int],
        then: Then | None,
        *,
        version: int = -1,
    ) -> None:
        """Ask, note how it ended, and go on with `then` if it still is in the same turn."""
        self.history.note(op)
        turn = self._turn

        def done(message: Message | None) -> None:
            error = end_op(op, self.events.now_us, expect(message, kind), read)
            if then is not None and turn == self._turn:
                self._unless_paused(lambda: then(error))

        self.request(api_key, self._version(api_key) if version < 0 else version, request, done)
