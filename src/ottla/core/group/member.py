"""A member of a classic group, and the words in which members and coordinator talk.

Outcomes are what a call is told; how they look in which version is the handlers' affair.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, final

from ottla.core.shard.decision import Asked
from ottla.errors import ErrorCode
from ottla.wire.stored.group_metadata import MemberMetadata

NO_MEMBER_ID: Final = ""
NO_GENERATION: Final = -1
NO_ASSIGNMENT: Final = b""


class GroupState(Enum):
    """The value is the name that clients are told."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Protocol(NamedTuple):
    """A way to assign that a member can do, and what it tells the others about itself for it."""

    name: str
    metadata: bytes


@final
class Join(NamedTuple):
    """A JoinGroup. `needs_member_id`, `may_skip`: what its version knows of (KIP-394, KIP-814)."""

    group_id: str
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: tuple[Protocol, ...]
    reason: str
    needs_member_id: bool
    may_skip: bool


@final
class Joined:
    """The outcome of a join. `members`: (member id, instance id, metadata), for the leader alone."""

    __slots__ = (
        "error",
        "generation",
        "leader",
        "member_id",
        "members",
        "protocol",
        "protocol_type",
        "skip_assignment",
    )

    def __init__(
        self,
        error: ErrorCode,
        member_id: str,
        *,
        generation: int = NO_GENERATION,
        protocol_type: str | None = None,
        protocol: str | None = None,
        leader: str = NO_MEMBER_ID,
        skip_assignment: bool = False,
        members: Sequence[tuple[str, str | None, bytes]] = (),
    ) -> None:
        self.error = error
        self.member_id = member_id
        self.generation = generation
        self.protocol_type = protocol_type
        self.protocol = protocol
        self.leader = leader
        self.skip_assignment = skip_assignment
        self.members = members


@final
class Sync(NamedTuple):
    """A SyncGroup; protocol type and name None: not told."""

    generation: int
    member_id: str
    instance_id: str | None
    protocol_type: str | None
    protocol: str | None
    assignments: tuple[tuple[str, bytes], ...]


@final
class Synced:
    __slots__ = ("assignment", "error", "protocol", "protocol_type")

    def __init__(
        self,
        error: ErrorCode,
        assignment: bytes = NO_ASSIGNMENT,
        protocol_type: str | None = None,
        protocol: str | None = None,
    ) -> None:
        self.error = error
        self.assignment = assignment
        self.protocol_type = protocol_type
        self.protocol = protocol


class Leaver(NamedTuple):
    """Who shall leave: by member id, or (an administrator) by instance id alone."""

    member_id: str
    instance_id: str | None
    reason: str


@final
class Left:
    """`errors`: one per leaver. `error` concerns the request as a whole."""

    __slots__ = ("error", "errors")

    def __init__(self, error: ErrorCode, errors: Sequence[ErrorCode] = ()) -> None:
        self.error = error
        self.errors = errors


def join_refused(error: ErrorCode) -> Joined:
    return Joined(_as_answer(error), NO_MEMBER_ID)


def sync_refused(error: ErrorCode) -> Synced:
    # A shard that is loading has lost the rebalance; clients of old don't know how to be told so.
    if error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        return Synced(ErrorCode.REBALANCE_IN_PROGRESS)
    return Synced(_as_answer(error))


def leave_refused(error: ErrorCode) -> Left:
    return Left(_as_answer(error))


def _as_answer(error: ErrorCode) -> ErrorCode:
    """A group that is too large to be written is nobody's protocol error."""
    if error is ErrorCode.MESSAGE_TOO_LARGE:
        return ErrorCode.UNKNOWN_SERVER_ERROR
    return error


@final
class Member:
    """`joining`, `syncing`: its parked calls. `is_new`: it has not yet been in a generation."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "joining",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
        "syncing",
    )

    def __init__(
        self,
        member_id: str,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocols: tuple[Protocol, ...],
        assignment: bytes = NO_ASSIGNMENT,
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        self.assignment = assignment
        self.is_new = False
        self.joining: Asked[Joined] | None = None
        self.syncing: Asked[Synced] | None = None

    def metadata(self, protocol: str | None) -> bytes:
        """What it told for this protocol; nothing, if it doesn't know it."""
        return next((one.metadata for one in self.protocols if one.name == protocol), b"")

    @property
    def is_excused(self) -> bool:
        """Whether silence is no failure: its own call is parked here. New members may be gone."""
        return not self.is_new and (self.joining is not None or self.syncing is not None)

    def stored(self, protocol: str | None, assignment: bytes) -> MemberMetadata:
        return MemberMetadata(
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.metadata(protocol),
            assignment=assignment,
        )


def member_of(stored: MemberMetadata, protocol: str | None) -> Member:
    """The member that a record tells of: it knows one protocol, the one in use."""
    rebalance_timeout_ms = stored.rebalance_timeout
    if rebalance_timeout_ms == -1:
        rebalance_timeout_ms = stored.session_timeout
    return Member(
        stored.member_id,
        stored.group_instance_id,
        stored.client_id,
        stored.client_host,
        rebalance_timeout_ms,
        stored.session_timeout,
        (Protocol(protocol or "", stored.subscription),),
        stored.assignment,
    )
