"""Questions about one group, asked of its coordinator until it has an answer.

A coordinator that is just loading, or moving to another broker, says so with a retriable error: it
is looked for and asked again, for a few seconds. Every other error is the answer.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from ottla.errors import ApiError

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Committed, Description, Place
    from ottla.wire.api import Message

_ATTEMPTS_MAX: Final = 10

Answer = TypeVar("Answer")


async def insisting(
    client: "Client", attempt: Callable[[], Coroutine[None, None, Answer]]
) -> Answer:
    """What `attempt` returns, the first time that no retriable error stands in its way."""
    for failures in range(1, _ATTEMPTS_MAX):
        try:
            return await attempt()
        except ApiError as error:
            if not error.retriable:
                raise
            await client.pause(failures)
    return await attempt()


async def describe(client: "Client", group: str) -> "Description":
    """Raises ApiError with GROUP_ID_NOT_FOUND if there is none of that name."""
    from ottla.client.groups import describe_request, described_untrusted
    from ottla.wire.api import DESCRIBE_GROUPS
    from ottla.wire.message.describe_groups import DescribeGroupsResponse

    def read(response: "Message") -> "Description":
        assert isinstance(response, DescribeGroupsResponse)
        return described_untrusted(group, response)

    return await _ask(client, group, DESCRIBE_GROUPS, describe_request(group), read)


async def committed(client: "Client", group: str) -> "Mapping[Place, Committed]":
    from ottla.client.groups import ONE_GROUP_MAX, committed_request, committed_untrusted
    from ottla.wire.api import OFFSET_FETCH
    from ottla.wire.message.offset_fetch import OffsetFetchResponse

    def read(response: "Message") -> "Mapping[Place, Committed]":
        assert isinstance(response, OffsetFetchResponse)
        return committed_untrusted(response)

    request = committed_request(group)
    return await _ask(client, group, OFFSET_FETCH, request, read, ONE_GROUP_MAX)


async def commit(
    client: "Client", group: str, offsets: "Mapping[Place, int]"
) -> "Mapping[Place, int]":
    """By partition, an error code or NONE."""
    from ottla.client.groups import NAMED_TOPIC_MAX, commit_request, committing_untrusted
    from ottla.wire.api import OFFSET_COMMIT
    from ottla.wire.message.offset_commit import OffsetCommitResponse

    def read(response: "Message") -> "Mapping[Place, int]":
        assert isinstance(response, OffsetCommitResponse)
        return _settled(committing_untrusted(offsets, response))

    request = commit_request(group, offsets)
    return await _ask(client, group, OFFSET_COMMIT, request, read, NAMED_TOPIC_MAX)


async def forget(
    client: "Client", group: str, places: "Collection[Place]"
) -> "Mapping[Place, int]":
    """By partition, an error code or NONE."""
    from ottla.client.groups import forget_request, forgotten_untrusted
    from ottla.wire.api import OFFSET_DELETE
    from ottla.wire.message.offset_delete import OffsetDeleteResponse

    def read(response: "Message") -> "Mapping[Place, int]":
        assert isinstance(response, OffsetDeleteResponse)
        return _settled(forgotten_untrusted(places, response))

    return await _ask(client, group, OFFSET_DELETE, forget_request(group, places), read)


async def delete(client: "Client", group: str) -> None:
    """Raises ApiError if the group is still there."""
    from ottla.client.groups import check_deleted_untrusted, delete_request
    from ottla.wire.api import DELETE_GROUPS
    from ottla.wire.message.delete_groups import DeleteGroupsResponse

    def read(response: "Message") -> None:
        assert isinstance(response, DeleteGroupsResponse)
        check_deleted_untrusted(group, response)

    await _ask(client, group, DELETE_GROUPS, delete_request(group), read)


async def _ask(
    client: "Client",
    group: str,
    api_key: int,
    request: "Message",
    read: "Callable[[Message], Answer]",
    version_max: int | None = None,
) -> Answer:
    async def attempt() -> Answer:
        if version_max is None:
            return read(await client.ask_coordinator(group, api_key, request))
        return read(await client.ask_coordinator(group, api_key, request, version_max=version_max))

    return await insisting(client, attempt)


def _settled(codes: "dict[Place, int]") -> "dict[Place, int]":
    """Where the coordinator refused all of it for a moment, the whole is asked again."""
    for place, code in codes.items():
        error = ApiError(code, f"partition {place[0]}-{place[1]}")
        if error.retriable and len(set(codes.values())) == 1:
            raise error
    return codes
