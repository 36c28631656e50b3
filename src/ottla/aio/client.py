"""A client of a cluster: finds brokers, keeps the picture of the cluster, and asks.

What to send, what an answer means and whether to try again is decided in `ottla.client`; here are
connections, and the waits in between. There is one connection per broker and `Lane`, opened when first
used; an address that failed is left alone for a while that grows (`Reconnects`).

Promises: every wait is bounded; a broker that breaks the protocol loses its connection and is then
treated as one that went away. What a user can mend is an exception whose message says how.

Elsewhere: what is asked for again and again of the cluster's picture, `cluster.py`; one connection,
`client_connection.py`; how it is made, `dial.py`; moving records, `producer.py` and `consumer.py`.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Final, TypeAlias, final

from ottla.aio.client_connection import ANY_VERSION, Connection
from ottla.aio.cluster import Picture
from ottla.aio.dial import Dialer, Dials
from ottla.aio.security import PLAINTEXT, Security
from ottla.backoff import Backoff
from ottla.client.metadata import Address, ClusterView, LeaderHint, TopicView
from ottla.client.options import ConnectionOptions
from ottla.client.reach import (
    AdvertisedUnreachable,
    AuthenticationFailed,
    ConnectionLost,
    Reconnects,
    Unreachable,
)
from ottla.errors import RETRIABLE, ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.wire.api import FIND_COORDINATOR, Message

__all__ = [
    "ANY_VERSION",
    "CONNECT_MS_MAX",
    "REQUEST_MS_MAX",
    "AdvertisedUnreachable",
    "AuthenticationFailed",
    "Client",
    "Connection",
    "ConnectionLost",
    "Lane",
    "OwnLane",
    "Unreachable",
]

CONNECT_MS_MAX: Final = 10_000
REQUEST_MS_MAX: Final = 30_000
"""Both as in Kafka's clients."""


class Lane(Enum):
    """Which of the connections to a broker. It answers each in order, so that what may take long, as
    a JoinGroup or a Fetch does, must not stand before what is urgent. A broker that wants to be left
    alone (KIP-219) is, on that connection, and by what any other broker could tell as well; members go
    on, as in Kafka's clients, or they would lose their sessions."""

    DATA = "data"
    """Produce, Fetch, and whatever is asked of one broker."""
    GROUP = "group"
    """Of a coordinator."""
    ANY = "any"
    """What any broker can tell."""


@final
class OwnLane:
    """Connections of one consumer alone: of two members on one connection, the heartbeat of one would
    wait for the join of the other, which waits for it. To be closed by `Client.leave_lane`."""


AnyLane: TypeAlias = Lane | OwnLane
_Key: TypeAlias = tuple[Address, AnyLane]


@final
class Client:
    """Asks a cluster. To be used in one event loop; `start` and `close`, or `async with`."""

    def __init__(
        self,
        options: ConnectionOptions,
        security: Security | None = None,
        *,
        dialer: Dials | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """`dialer`, `chance`: where connections and luck come from, if not from the machine."""
        self.options = options
        self._dialer = dialer or Dialer(options, security or PLAINTEXT)
        self._chance = chance or random.Random()
        self._connections: dict[_Key, Connection] = {}
        self._opening: dict[_Key, asyncio.Task[Connection]] = {}
        self._reconnects = Reconnects(
            Backoff(
                initial_ms=options.reconnect_backoff_ms, max_ms=options.reconnect_backoff_ms_max
            )
        )
        self._backoff = Backoff(
            initial_ms=options.retry_backoff_ms, max_ms=options.retry_backoff_ms_max
        )
        self._picture = Picture(options, self._ask_for_picture, self._rebootstrap, self.pause)
        self._is_closed = False

    async def __aenter__(self) -> "Client":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """The picture is kept fresh from now on. Nobody is asked yet."""
        self._picture.start()

    async def close(self) -> None:
        """What was written is sent, then every connection is closed. Further calls fail."""
        self._is_closed = True
        await self._picture.stop()
        opening, self._opening = list(self._opening.values()), {}
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        connections, self._connections = list(self._connections.values()), {}
        await asyncio.gather(*(connection.close() for connection in connections))

    # ---- asking

    async def ask(
        self,
        broker_id: int,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
        lane: AnyLane = Lane.DATA,
    ) -> Message:
        """The answer of one broker of `cluster`. `timeout_ms` None: the options' `request_ms_max`.

        Raises Unreachable, AuthenticationFailed, ConnectionLost, RemoteProtocolError; ApiError where
        the broker speaks no version, LocalProtocolError where the version cannot say `message`.
        """
        connection = self._open_one(broker_id, lane) or await self._broker(broker_id, lane)
        return await connection.ask(
            api_key, message, version_max=version_max, timeout_ms=timeout_ms
        )

    async def ready(self, broker_id: int, *, lane: AnyLane = Lane.DATA) -> None:
        """A request to this broker can be sent at once, by `post`: connected, not throttled, room."""
        connection = self._open_one(broker_id, lane) or await self._broker(broker_id, lane)
        await connection.wait_room()

    def post(
        self,
        broker_id: int,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
        lane: AnyLane = Lane.DATA,
    ) -> "asyncio.Future[Message] | None":
        """Sent, and the answer to come; None: nothing was sent, wait until the broker is `ready`.

        Nothing is awaited, so requests leave in the order in which they are made. Raises, now or in
        the future, as `ask` does.
        """
        connection = self._open_one(broker_id, lane)
        if connection is None or not connection.has_room:
            return None
        return connection.post(api_key, message, version_max=version_max, timeout_ms=timeout_ms)

    async def tell(
        self,
        broker_id: int,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        lane: AnyLane = Lane.DATA,
    ) -> None:
        """Send to one broker of `cluster` what is answered by nothing: a Produce with acks=0."""
        connection = self._open_one(broker_id, lane) or await self._broker(broker_id, lane)
        await connection.wait_room()
        connection.tell(api_key, message, version_max=version_max)

    async def ask_any(
        self,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
    ) -> Message:
        """The answer of whichever broker can be reached. Raises Unreachable if none can."""
        connection = await self._any()
        return await connection.ask(
            api_key, message, version_max=version_max, timeout_ms=timeout_ms
        )

    async def ask_controller(
        self,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
    ) -> Message:
        """The answer of the broker that takes changes to topics."""
        await self.refresh(())
        if self.cluster.controller_id in self.cluster.brokers:
            return await self.ask(
                self.cluster.controller_id,
                api_key,
                message,
                version_max=version_max,
                timeout_ms=timeout_ms,
            )
        return await self.ask_any(api_key, message, version_max=version_max, timeout_ms=timeout_ms)

    async def coordinator(self, group: str) -> int:
        """The broker that looks after a group. It moves: ask again after NOT_COORDINATOR.

        Raises ApiError where there is none at the moment.
        """
        # Here, so that who never asks for a group need not pay for what is said to groups.
        from ottla.client.groups import ONE_KEY_MAX, coordinator_request, coordinator_untrusted
        from ottla.wire.message.find_coordinator import FindCoordinatorResponse

        response = await self.ask_any(
            FIND_COORDINATOR, coordinator_request(group), version_max=ONE_KEY_MAX
        )
        assert isinstance(response, FindCoordinatorResponse)
        broker_id = coordinator_untrusted(response)
        if broker_id not in self.cluster.brokers:
            await self.refresh(())
        return broker_id

    async def ask_coordinator(
        self,
        group: str,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
    ) -> Message:
        """The answer of the broker that looks after a group, which is looked for each time."""
        return await self.ask(
            await self.coordinator(group),
            api_key,
            message,
            version_max=version_max,
            timeout_ms=timeout_ms,
            lane=Lane.GROUP,
        )

    async def speaks(self, api_key: int) -> bool:
        """Does a broker at hand know this API?"""
        return (await self._any()).speaks(api_key)

    async def version_for(
        self,
        broker_id: int,
        api_key: int,
        *,
        version_max: int = ANY_VERSION,
        lane: AnyLane = Lane.DATA,
    ) -> int:
        """The version in which `ask` would say this to this broker. Raises as `ask` does."""
        connection = self._open_one(broker_id, lane) or await self._broker(broker_id, lane)
        return connection.version_for(api_key, version_max)

    async def leave_lane(self, lane: OwnLane) -> None:
        """What was written is sent, then the lane's connections are closed."""
        ours = [key for key in self._connections if key[1] is lane]
        connections = [self._connections.pop(key) for key in ours]
        await asyncio.gather(*(connection.close() for connection in connections))

    # ---- the picture

    @property
    def cluster(self) -> ClusterView:
        """What is known now."""
        return self._picture.view

    @property
    def trouble(self) -> OttlaError | None:
        """Why the last attempt to ask for the picture failed; None: it did not."""
        return self._picture.trouble

    async def refresh(
        self, topics: Iterable[str] | None, *, create_missing: bool = False
    ) -> ClusterView:
        """`cluster` is new and knows these topics; None: all there are."""
        asked = None if topics is None else list(topics)
        return await self._picture.refresh(asked, create_missing=create_missing)

    def track(self, topics: Iterable[str]) -> None:
        """These topics are asked for whenever the picture is: by age, and when it is stale."""
        self._picture.topics.update(topics)

    def untrack(self, topics: Iterable[str]) -> None:
        self._picture.topics.difference_update(topics)

    def track_all(self, who: object, wanted: bool) -> None:
        """As `track`, with all topics there are: for who subscribes to a pattern."""
        self._picture.want_all(who, wanted)

    def mark_stale(self) -> None:
        """An answer has shown that the picture is out of date: it is asked for again soon, once for
        all who say so, and not more often than the backoff allows."""
        self._picture.mark_stale()

    async def fresh(self) -> ClusterView:
        """The next picture from now on, asked for soon. Raises what keeps it from coming."""
        return await self._picture.fresh()

    def learn(self, hints: Iterable[LeaderHint], addresses: Mapping[int, Address]) -> None:
        """Take over who leads, as an answer said beside its refusal (KIP-951)."""
        self._picture.learn(hints, addresses)

    def on_cluster(self, listener: Callable[[ClusterView], None]) -> Callable[[], None]:
        """`listener` is called with each new picture, until what is returned here is called."""
        return self._picture.on_change(listener)

    async def wait_for_topic(
        self, name: str, *, create_missing: bool, unknown_ms_max: int
    ) -> TopicView:
        """The topic, once at least one of its partitions has a leader.

        A topic nobody knows may still be on its way: it is asked for again for `unknown_ms_max`.
        Raises ApiError with the code that stands in the way.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        failures = 0
        while True:
            cluster = await self.refresh([name], create_missing=create_missing)
            topic = cluster.topic(name)
            if topic is not None and topic.led:
                return topic
            code = cluster.obstacle(name)
            failures += 1
            unknown = code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            waited_ms = (loop.time() - started) * 1000
            if code not in RETRIABLE or waited_ms >= (
                unknown_ms_max if unknown else self.options.request_ms_max
            ):
                raise ApiError(code, f"topic '{name}'")
            await self.pause(failures)

    async def pause(self, failures: int) -> None:
        """Wait as long as after so many failures in a row."""
        await asyncio.sleep(self._backoff.wait_ms(failures, self._chance.random()) / 1000)

    # ---- connections

    def _open_one(self, broker_id: int, lane: AnyLane) -> Connection | None:
        address = self.cluster.brokers.get(broker_id)
        connection = None if address is None else self._connections.get((address, lane))
        return connection if connection is not None and connection.is_open else None

    async def _any(self) -> Connection:
        """An open connection with nothing under way; a new one if each has."""
        for (address, lane), connection in self._connections.items():
            # One's own lane may be closed by its owner at any time.
            is_shared = isinstance(lane, Lane)
            if (
                is_shared
                and connection.is_open
                and connection.has_room
                and not connection.in_flight
                and not self._muted_ms(address)
            ):
                return connection
        known = list(self.cluster.brokers.values())
        self._chance.shuffle(known)
        now_ms = self._now_ms()
        known.sort(key=lambda one: max(self._reconnects.wait_ms(one, now_ms), self._muted_ms(one)))
        failures: dict[Address, OttlaError] = {}
        for address in dict.fromkeys([*known, *self.options.bootstrap]):
            if (wait_ms := self._muted_ms(address)) > 0:
                await asyncio.sleep(wait_ms / 1000)
            try:
                connection = await self._connected(address, Lane.ANY)
            except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
                failures[address] = error
                continue
            if known and address not in known:
                # None of the brokers that were known answers, so this may be a cluster made anew.
                self._picture.distrust()
            return connection
        raise _all_of(failures)

    def _muted_ms(self, address: Address) -> float:
        """How long whoever is asked at this address wants to be left alone, on whichever connection
        that was said."""
        said = (one.muted_ms for (place, _), one in self._connections.items() if place == address)
        return max(said, default=0)

    async def _broker(self, broker_id: int, lane: AnyLane) -> Connection:
        address = self.cluster.brokers.get(broker_id)
        if address is None:
            raise ConnectionLost(f"broker {broker_id} is not in the cluster any more")
        try:
            return await self._connected(address, lane)
        except Unreachable as error:
            bootstrap = self.options.bootstrap
            if address in bootstrap:
                raise
            raise AdvertisedUnreachable(
                str(address),
                f"{error.reason}.\nThe cluster answers at {_listed(bootstrap)}, and says there "
                f"that broker {broker_id} is to be reached at {address} (its advertised.listeners), "
                "which does not work from this machine.\nSet advertised.listeners on that broker to "
                "an address that its clients can reach, or make this one reachable",
            ) from None

    async def _connected(self, address: Address, lane: AnyLane) -> Connection:
        """An open connection to this address: the one there is, or a new one for all who wait."""
        if self._is_closed:
            raise ConnectionLost("this client is closed")
        key = (address, lane)
        connection = self._connections.get(key)
        if connection is not None and connection.is_open:
            return connection
        opening = self._opening.get(key)
        if opening is None:
            opening = asyncio.get_running_loop().create_task(self._open(key))
            self._opening[key] = opening
            opening.add_done_callback(lambda task: self._opened(key, task))
        # Who waits may be cancelled; the others wait on.
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled() and self._is_closed:
                raise ConnectionLost("this client is closed") from None
            raise

    async def _open(self, key: _Key) -> Connection:
        address, _ = key
        wait_ms = self._reconnects.wait_ms(address, self._now_ms())
        if wait_ms > 0:
            await asyncio.sleep(wait_ms / 1000)
        try:
            connection = await self._dialer.dial(address, self._ended)
        except OttlaError:
            self._reconnects.failed(address, self._now_ms(), self._chance.random())
            raise
        self._reconnects.worked(address)
        self._connections[key] = connection
        return connection

    def _opened(self, key: _Key, task: "asyncio.Task[Connection]") -> None:
        self._opening.pop(key, None)
        if not task.cancelled():
            # Those who asked may be gone.
            task.exception()

    def _ended(self, connection: Connection) -> None:
        for key, one in self._connections.items():
            if one is connection:
                del self._connections[key]
                return

    async def _ask_for_picture(self, request: Message) -> tuple[Message, int]:
        """The answer to Metadata, and in which version it came."""
        from ottla.wire.api import METADATA

        connection = await self._any()
        version = connection.version_for(METADATA)
        return await connection.ask(METADATA, request), version

    def _rebootstrap(self) -> None:
        """No connection is used any more: who is asked next is one of `bootstrap` (KIP-1102)."""
        connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.fail(ConnectionLost(f"{connection.address} sends this client elsewhere"))

    def _now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000


def _all_of(failures: Mapping[Address, OttlaError]) -> OttlaError:
    """One error for all addresses that were tried."""
    errors = list(failures.values())
    if len(errors) == 1 or not isinstance(errors[0], Unreachable):
        return errors[0]
    reasons = [
        f"{address}: {error.reason if isinstance(error, Unreachable) else error}"
        for address, error in failures.items()
    ]
    return Unreachable(_listed(list(failures)), "; ".join(reasons))


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(str(address) for address in addresses)
