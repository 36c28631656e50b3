"""What an administrator asks of groups: who is in them, how far they have read, and that they go.

Elsewhere: what members ask, `member.py`.
"""

from collections.abc import Callable
from typing import Final, TypeVar, final

from ottla.sim.caller import embedded
from ottla.sim.caller.client import Client, expect
from ottla.sim.caller.positions import (
    commit_error,
    commit_request,
    end_op,
    positions_request,
    read_positions,
)
from ottla.sim.group_operation import (
    Committing,
    Forgetting,
    GroupDeletion,
    GroupSeen,
    GroupsListed,
    Place,
    Positions,
)
from ottla.sim.history import Entry
from ottla.sim.plan import Ask, Verb
from ottla.wire.api import (
    DELETE_GROUPS,
    DESCRIBE_GROUPS,
    FIND_COORDINATOR,
    LIST_GROUPS,
    OFFSET_COMMIT,
    OFFSET_DELETE,
    OFFSET_FETCH,
    Message,
)
from ottla.wire.message.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.message.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.message.find_coordinator import FindCoordinatorRequest
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.offset_commit import OffsetCommitResponse
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.message.offset_fetch import OffsetFetchResponse

A = TypeVar("A", bound=Message)

_COMMIT_VERSION: Final = 8
_POSITIONS_VERSION: Final = 9
_DELETE_VERSION: Final = 2
_SEE_VERSION: Final = 5
_LIST_VERSION: Final = 5
_FIND_VERSION: Final = 4


@final
class Steward:
    """An administrator's other half, on the same connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._counted = 0
        self._knows_coordinator = False

    def ask(self, ask: Ask) -> None:
        if not self._knows_coordinator:
            self._find(ask.group)
        match ask.verb:
            case Verb.COMMIT:
                self.commit(ask.group, (ask.topic, ask.partition), ask.count)
            case Verb.POSITIONS:
                self.see_positions(ask.group)
            case Verb.FORGET:
                self.forget(ask.group, (ask.topic, ask.partition))
            case Verb.SEE_GROUP:
                self.see(ask.group, ())
            case Verb.LIST_GROUPS:
                self.list_groups()
            case Verb.DELETE_GROUP:
                self.delete(ask.group)
            case _:
                pass

    def _find(self, group: str) -> None:
        """The first one to ask has the topic of offsets made."""
        request = FindCoordinatorRequest(key_type=0, coordinator_keys=[group])

        def done(message: Message | None) -> None:
            self._knows_coordinator = message is not None

        self._client.request(FIND_COORDINATOR, _FIND_VERSION, request, done)

    def commit(self, group: str, place: Place, offset: int) -> None:
        """From outside: who assigns partitions itself, or a tool that sets a group back."""
        self._counted += 1
        op = Committing(
            self._client.number,
            self._client.events.now_us,
            group=group,
            member_id="",
            instance="",
            generation=-1,
            place=place,
            offset=offset,
            metadata=f"{self._client.number}.{self._counted}",
            expires=False,
        )
        request = commit_request(op, _COMMIT_VERSION, None, "")
        self._do(op, OFFSET_COMMIT, _COMMIT_VERSION, request, OffsetCommitResponse, commit_error)

    def see_positions(self, group: str, then: Callable[[], None] | None = None) -> None:
        """All of them."""
        op = Positions(self._client.number, self._client.events.now_us, group=group, wanted=None)
        request = positions_request(op, _POSITIONS_VERSION, {})

        def read(answer: OffsetFetchResponse) -> int:
            return read_positions(op, answer, _POSITIONS_VERSION, {})

        self._do(op, OFFSET_FETCH, _POSITIONS_VERSION, request, OffsetFetchResponse, read, then)

    def forget(self, group: str, place: Place) -> None:
        op = Forgetting(self._client.number, self._client.events.now_us, group=group, place=place)
        part = OffsetDeleteRequestPartition(place[1])
        request = OffsetDeleteRequest(group, [OffsetDeleteRequestTopic(place[0], [part])])

        def read(answer: OffsetDeleteResponse) -> int:
            return answer.error_code or answer.topics[0].partitions[0].error_code

        self._do(op, OFFSET_DELETE, 0, request, OffsetDeleteResponse, read)

    def delete(self, group: str) -> None:
        op = GroupDeletion(self._client.number, self._client.events.now_us, group=group)
        request = DeleteGroupsRequest([group])

        def read(answer: DeleteGroupsResponse) -> int:
            return answer.results[0].error_code

        self._do(op, DELETE_GROUPS, _DELETE_VERSION, request, DeleteGroupsResponse, read)

    def see(
        self,
        group: str,
        live: tuple[str, ...],
        *,
        final: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        op = GroupSeen(self._client.number, self._client.events.now_us, group=group, final=final)
        op.live = live
        request = DescribeGroupsRequest([group])

        def read(answer: DescribeGroupsResponse) -> int:
            row = answer.groups[0]
            op.state = row.group_state
            op.members = {
                one.member_id: embedded.assigned(bytes(one.member_assignment))
                for one in row.members
            }
            return row.error_code

        self._do(op, DESCRIBE_GROUPS, _SEE_VERSION, request, DescribeGroupsResponse, read, then)

    def list_groups(self, then: Callable[[], None] | None = None) -> None:
        op = GroupsListed(self._client.number, self._client.events.now_us)

        def read(answer: ListGroupsResponse) -> int:
            op.states = {one.group_id: one.group_state for one in answer.groups}
            return answer.error_code

        request = ListGroupsRequest()
        self._do(op, LIST_GROUPS, _LIST_VERSION, request, ListGroupsResponse, read, then)

    def _do(
        self,
        op: Entry,
        api_key: int,
        version: int,
        request: Message,
        kind: type[A],
        read: Callable[[A], int],
        then: Callable[[], None] | None = None,
    ) -> None:
        client = self._client
        client.history.note(op)

        def done(message: Message | None) -> None:
            end_op(op, client.events.now_us, expect(message, kind), read)
            if then is not None:
                then()

        client.request(api_key, version, request, done)
