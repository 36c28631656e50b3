"""Questions about a cluster, put to whoever can answer them, until an answer stands.

An API says who that is: any broker, the controller, one broker or each, the leaders of partitions, or
the coordinator of a group or a transaction. An answer that only says "not me", "not yet" or "not any
more" is asked for again, with pauses, until the time is over; then it is returned as it is. What is
written is asked for again only where nothing was done.

Elsewhere: connections and the picture of the cluster, `client.py`; what a program sees of it,
`ottla.kafka.admin`, `ottla.cli`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar, final

from ottla.aio.client import Client
from ottla.client.reach import ConnectionLost, Unreachable
from ottla.errors import ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.api import FIND_COORDINATOR, Message
from ottla.wire.client import CORRELATION_ID_MAX
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.shape import Struct

R = TypeVar("R", bound=Message)
T = TypeVar("T")

GROUP: Final = 0
TRANSACTION: Final = 1
"""Kinds of keys that have a coordinator."""

_ANY_VERSION: Final = CORRELATION_ID_MAX
_ONE_KEY_MAX: Final = 3
_NOTHING_DONE: Final = frozenset(
    {
        ErrorCode.NOT_CONTROLLER,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
        ErrorCode.OFFSET_NOT_AVAILABLE,
    }
)


@final
class Admin:
    """Asks for programs. `api_ms_max`: how long one question may take, unless it says otherwise."""

    def __init__(self, client: Client, *, api_ms_max: int = 60_000) -> None:
        self.client = client
        self._api_ms_max = api_ms_max

    async def reach(self, bootstrap_ms_max: int) -> None:
        """The client has started and a broker has answered. Raises what the last attempt said, when
        none did in time."""
        await self.client.start()
        problem: OttlaError | None = None
        failures = 0
        try:
            async with asyncio.timeout(bootstrap_ms_max / 1000):
                while True:
                    try:
                        await self.client.refresh(())
                        return
                    except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
                        problem = error
                    failures += 1
                    await self.client.pause(failures)
        except TimeoutError:
            if problem is None:
                asked = ", ".join(map(str, self.client.options.bootstrap))
                problem = Unreachable(asked, f"no answer within {bootstrap_ms_max:,} ms")
            raise problem from None

    async def any(
        self, request: Message, expects: type[R], *, version_max: int = _ANY_VERSION
    ) -> R:
        """What any broker says."""
        key = request.API_KEY

        async def ask() -> Message:
            return await self.client.ask_any(key, request, version_max=version_max)

        return await self._settled(ask, expects)

    async def controller(
        self, request: Message, expects: type[R], *, timeout_ms: int | None = None
    ) -> R:
        """What the broker says that makes changes."""

        async def ask() -> Message:
            return await self.client.ask_controller(request.API_KEY, request)

        return await self._settled(ask, expects, timeout_ms)

    async def broker(
        self, broker_id: int, request: Message, expects: type[R], *, version_max: int = _ANY_VERSION
    ) -> R:
        """What this broker says."""
        key = request.API_KEY

        async def ask() -> Message:
            if broker_id not in self.client.cluster.brokers:
                await self.client.refresh(())
            return await self.client.ask(broker_id, key, request, version_max=version_max)

        return await self._settled(ask, expects)

    async def each(
        self, request: Message, expects: type[R], broker_ids: Iterable[int] | None = None
    ) -> dict[int, R]:
        """What these brokers say, by id; None: all of them."""
        asked = list(broker_ids) if broker_ids is not None else await self.brokers()
        answers = await asyncio.gather(*(self.broker(one, request, expects) for one in asked))
        return dict(zip(asked, answers, strict=True))

    async def brokers(self) -> list[int]:
        """The ids of those that are up."""
        cluster = await self.client.refresh(())
        return sorted(cluster.brokers)

    async def coordinator(self, key: str, kind: int = GROUP) -> int:
        """The broker that looks after a group, or a transactional id."""
        request = FindCoordinatorRequest(key=key, key_type=kind)

        async def ask() -> Message:
            return await self.client.ask_any(FIND_COORDINATOR, request, version_max=_ONE_KEY_MAX)

        found = await self._settled(ask, FindCoordinatorResponse)
        if found.error_code != ErrorCode.NONE:
            raise ApiError(found.error_code, found.error_message)
        return found.node_id

    async def coordinated(
        self,
        key: str,
        request: Message,
        expects: type[R],
        *,
        kind: int = GROUP,
        version_max: int = _ANY_VERSION,
    ) -> R:
        """What the coordinator of `key` says."""
        api_key = request.API_KEY

        async def ask() -> Message:
            broker_id = await self.coordinator(key, kind)
            if broker_id not in self.client.cluster.brokers:
                await self.client.refresh(())
            return await self.client.ask(broker_id, api_key, request, version_max=version_max)

        return await self._settled(ask, expects)

    async def led(
        self,
        places: Iterable[TopicPartition],
        make: Callable[[Mapping[str, list[int]]], Message],
        expects: type[R],
    ) -> list[R]:
        """What the leaders of `places` say; each is asked about its own, as `make` puts it.

        Raises ApiError for a partition that does not exist, or has no leader in time.
        """
        wanted = list(dict.fromkeys(places))

        async def ask() -> list[Message]:
            by_leader = await self._leaders(wanted)
            requests = {leader: make(parts) for leader, parts in by_leader.items()}
            return await asyncio.gather(
                *(self.client.ask(one, req.API_KEY, req) for one, req in requests.items())
            )

        answers = await self._until(
            ask, lambda found: any(set(error_codes(one)) & _NOTHING_DONE for one in found)
        )
        found = []
        for answer in answers:
            assert isinstance(answer, expects)
            found.append(answer)
        return found

    async def _leaders(self, places: Iterable[TopicPartition]) -> dict[int, dict[str, list[int]]]:
        topics = list(dict.fromkeys(place.topic for place in places))
        cluster = await self.client.refresh(topics)
        by_leader: dict[int, dict[str, list[int]]] = {}
        for place in places:
            leader = cluster.leader_of(place.topic, place.partition)
            if leader is None:
                topic = cluster.topic(place.topic)
                unknown = topic is None or place.partition >= len(topic.partitions)
                raise ApiError(
                    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                    if unknown
                    else ErrorCode.LEADER_NOT_AVAILABLE,
                    f"partition {place.topic}-{place.partition}",
                )
            by_leader.setdefault(leader, {}).setdefault(place.topic, []).append(place.partition)
        return by_leader

    async def _settled(
        self,
        ask: Callable[[], Awaitable[Message]],
        expects: type[R],
        timeout_ms: int | None = None,
    ) -> R:
        answer = await self._until(
            ask, lambda found: bool(set(error_codes(found)) & _NOTHING_DONE), timeout_ms
        )
        assert isinstance(answer, expects), answer
        return answer

    async def _until(
        self,
        ask: Callable[[], Awaitable[T]],
        unsettled: Callable[[T], bool],
        timeout_ms: int | None = None,
    ) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout_ms or self._api_ms_max) / 1000
        failures = 0
        while True:
            late = loop.time() >= deadline
            try:
                answer = await ask()
                if late or not unsettled(answer):
                    return answer
            except ApiError as error:
                if late or error.code not in _NOTHING_DONE:
                    raise
            except Unreachable:
                if late:
                    raise
            failures += 1
            await self.client.pause(failures)


def error_codes(struct: Struct) -> Iterator[int]:
    """Every error code in an answer, at any depth."""
    slots: tuple[str, ...] = type(struct).__slots__
    for name in slots:
        value = getattr(struct, name)
        if name == "error_code":
            yield value
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Struct):
            for one in value:
                yield from error_codes(one)
