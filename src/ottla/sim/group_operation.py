"""What members and administrators of groups ask for, as a history keeps it.

Everything is known by a name that is unique in its world, so that what is seen later can be traced to
who said it: a commit by its metadata, an assignment by its user data.

Elsewhere: when an operation is certain, `history.py`; who asks, `caller/member.py` and `caller/administrator.py`.
"""

from typing import TypeAlias, final

from ottla.sim.operation import Op

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""

NO_OFFSET = -1


class OfMember(Op):
    """What a member asks for, as whom it says it is."""

    __slots__ = ("generation", "group", "instance", "member_id")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        group: str,
        member_id: str,
        instance: str,
        generation: int,
    ) -> None:
        super().__init__(client, asked_us)
        self.group = group
        self.member_id = member_id
        self.instance = instance  # empty: a dynamic member
        self.generation = generation


@final
class Joining(OfMember):
    """JoinGroup. `generation`, `given_id` and `leader` are the answer's; `shown` is what a leader sees
    of the others: member and instance ids. `wanted`: the topics it subscribes to.
    """

    __slots__ = ("given_id", "leader", "rebalance_ms", "session_ms", "shown", "wanted")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        group: str,
        member_id: str,
        instance: str,
        session_ms: int,
        rebalance_ms: int,
        wanted: tuple[str, ...],
    ) -> None:
        super().__init__(
            client, asked_us, group=group, member_id=member_id, instance=instance, generation=-1
        )
        self.session_ms = session_ms
        self.rebalance_ms = rebalance_ms
        self.wanted = wanted
        self.given_id = ""
        self.leader = ""
        self.shown: tuple[tuple[str, str], ...] = ()


@final
class Syncing(OfMember):
    """SyncGroup. `parts`: what a leader hands out, by member id, under a name of its own. `named` and
    `got`: whose name came back, and which partitions; empty when there were none.
    """

    __slots__ = ("got", "named", "naming", "parts")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        group: str,
        member_id: str,
        instance: str,
        generation: int,
        naming: str,
        parts: dict[str, tuple[Place, ...]],
    ) -> None:
        super().__init__(
            client,
            asked_us,
            group=group,
            member_id=member_id,
            instance=instance,
            generation=generation,
        )
        self.naming = naming
        self.parts = parts
        self.named = ""
        self.got: tuple[Place, ...] = ()


@final
class Beat(OfMember):
    """Heartbeat."""

    __slots__ = ()


@final
class Leaving(OfMember):
    """LeaveGroup of one member; its own error counts."""

    __slots__ = ()


@final
class Committing(OfMember):
    """OffsetCommit of one partition. `generation` -1 and no member id: from outside the group.

    `expires`: the client itself says that it need not be kept for long.
    """

    __slots__ = ("expires", "metadata", "offset", "place")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        group: str,
        member_id: str,
        instance: str,
        generation: int,
        place: Place,
        offset: int,
        metadata: str,
        expires: bool,
    ) -> None:
        super().__init__(
            client,
            asked_us,
            group=group,
            member_id=member_id,
            instance=instance,
            generation=generation,
        )
        self.place = place
        self.offset = offset
        self.metadata = metadata
        self.expires = expires


class OfGroup(Op):
    __slots__ = ("group",)

    def __init__(self, client: int, asked_us: int, *, group: str) -> None:
        super().__init__(client, asked_us)
        self.group = group


@final
class Positions(OfGroup):
    """OffsetFetch. `wanted` None: all there are. `found`: offset and metadata where there is one."""

    __slots__ = ("found", "wanted")

    def __init__(
        self, client: int, asked_us: int, *, group: str, wanted: tuple[Place, ...] | None
    ) -> None:
        super().__init__(client, asked_us, group=group)
        self.wanted = wanted
        self.found: dict[Place, tuple[int, str]] = {}


@final
class Forgetting(OfGroup):
    """OffsetDelete of one partition."""

    __slots__ = ("place",)

    def __init__(self, client: int, asked_us: int, *, group: str, place: Place) -> None:
        super().__init__(client, asked_us, group=group)
        self.place = place


@final
class GroupDeletion(OfGroup):
    """DeleteGroups of one group."""

    __slots__ = ()


@final
class GroupSeen(OfGroup):
    """DescribeGroups. `members`: the name and the partitions of each one's assignment.

    `live`: at the last look, who believes to be in it.
    """

    __slots__ = ("final", "live", "members", "state")

    def __init__(self, client: int, asked_us: int, *, group: str, final: bool) -> None:
        super().__init__(client, asked_us, group=group)
        self.final = final
        self.state = ""
        self.members: dict[str, tuple[str, tuple[Place, ...]]] = {}
        self.live: tuple[str, ...] = ()


@final
class GroupsListed(Op):
    """ListGroups: the names, and in which state each is."""

    __slots__ = ("states",)

    def __init__(self, client: int, asked_us: int) -> None:
        super().__init__(client, asked_us)
        self.states: dict[str, str] = {}
