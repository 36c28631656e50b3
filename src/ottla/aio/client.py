"""A client of a cluster, as far as the first command-line tools need one: everything here awaits.

`Connection` is one socket; `Client` finds brokers, keeps the picture of the cluster and asks. What to
send, what an answer means and whether to try again is decided in `ottla.client`; here are sockets,
time-outs and the waits in between.

Promises: every wait is bounded; a broker that breaks the protocol loses its connection and is then
treated as one that went away. What a user can mend is an exception whose message says how.

Elsewhere: moving records, `producer.py` and `consumer.py`; the broker's side of a socket,
`connection.py`. Not there yet: TLS, SASL, members of groups.
"""

import asyncio
import os
import socket
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, final

from ottla import __version__
from ottla.backoff import Backoff
from ottla.client.groups import ONE_KEY_MAX, coordinator_request, coordinator_untrusted
from ottla.client.metadata import NOTHING_KNOWN, Address, ClusterView, TopicView, cluster_untrusted
from ottla.errors import RETRIABLE, ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.types import Payload
from ottla.wire.api import FIND_COORDINATOR, METADATA, Message
from ottla.wire.client import CORRELATION_ID_MAX, ClientConnection
from ottla.wire.message.find_coordinator import FindCoordinatorResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse

CONNECT_MS_MAX: Final = 10_000
REQUEST_MS_MAX: Final = 30_000
"""Both as in Kafka's clients."""

_BUFFER_BYTES: Final = 256 * 1024
_IN_FLIGHT_MAX: Final = 64
_ANY_VERSION: Final = CORRELATION_ID_MAX


class Unreachable(OttlaError):
    """No connection to an address. The message names it and the reason."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"{address} cannot be reached: {reason}")


class AdvertisedUnreachable(Unreachable):
    """A broker that was asked tells an address at which it, or its peer, cannot be reached."""


class ConnectionLost(OttlaError):
    """A connection ended, or a request on it was not answered in time."""


@final
class Connection(asyncio.BufferedProtocol):
    """One connection to one broker. Once it failed it stays failed."""

    def __init__(self, address: Address, client_id: str) -> None:
        self._address = address
        self._wire = ClientConnection(client_id, software_version=__version__)
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._awaited: dict[int, asyncio.Future[Message]] = {}
        self._failure: OttlaError | None = None

    @property
    def is_open(self) -> bool:
        return self._failure is None and self._opened.done()

    # ---- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._write(self._wire.opening())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            responses = self._wire.received(self._buffer[:nbytes])
        except (RemoteProtocolError, ApiError) as error:
            self._fail(
                RemoteProtocolError(f"{self._address} answers, but not as Kafka does: {error}")
            )
            return
        self._write(self._wire.outgoing())
        if self._wire.broker is not None and not self._opened.done():
            self._opened.set_result(None)
        for correlation_id, message in responses:
            waiting = self._awaited.pop(correlation_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opened.done():
            reason = f"{self._address} closed the connection"
        else:
            reason = (
                f"{self._address} closed the connection instead of saying which versions it speaks. "
                "Is it a Kafka listener, and one without TLS and SASL?"
            )
        self._fail(ConnectionLost(reason))
        if not self._closed.done():
            self._closed.set_result(None)

    # ---- called by the client

    async def wait_opened(self) -> None:
        """The broker has said which versions it speaks."""
        await self._opened

    def version_for(self, api_key: int, version_max: int = _ANY_VERSION) -> int:
        return self._wire.version_for(api_key, at_most=version_max)

    def speaks(self, api_key: int) -> bool:
        return api_key in self._wire.negotiated

    async def ask(
        self, api_key: int, message: Message, *, version_max: int = _ANY_VERSION, timeout_ms: int
    ) -> Message:
        """The response. Raises ConnectionLost, RemoteProtocolError, or ApiError for no version."""
        correlation_id = self._send(api_key, message, version_max)
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._awaited[correlation_id] = waiting
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await waiting
        except TimeoutError:
            lost = ConnectionLost(f"{self._address} did not answer within {timeout_ms:,} ms")
            # Answers come in order: whatever is asked here later would wait behind this one.
            self._fail(lost)
            raise lost from None
        finally:
            self._awaited.pop(correlation_id, None)

    def tell(self, api_key: int, message: Message, *, version_max: int = _ANY_VERSION) -> None:
        """Send what is answered by nothing: a Produce with acks=0."""
        self._send(api_key, message, version_max)

    async def close(self) -> None:
        """What was written is sent, then the socket is closed."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(CONNECT_MS_MAX / 1000):
                await self._closed
        except TimeoutError:
            self._transport.abort()

    def abort(self) -> None:
        """The socket is closed, whatever was written."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, api_key: int, message: Message, version_max: int) -> int:
        if self._failure is not None:
            raise self._failure
        assert len(self._awaited) < _IN_FLIGHT_MAX, "a caller does not wait for its answers"
        version = self._wire.version_for(api_key, at_most=version_max)
        correlation_id, chunks = self._wire.request(api_key, version, message)
        self._write(chunks)
        return correlation_id

    def _write(self, payloads: Iterable[Payload]) -> None:
        chunks = []
        for payload in payloads:
            assert isinstance(payload, bytes | bytearray | memoryview), type(payload)
            chunks.append(payload)
        if chunks and self._transport is not None:
            self._transport.writelines(chunks)

    def _fail(self, failure: OttlaError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        for waiting in self._awaited.values():
            if not waiting.done():
                waiting.set_exception(failure)
        self._awaited.clear()
        if not self._opened.done():
            self._opened.set_exception(failure)
        # Whoever opened this may be gone already; its failure is kept above.
        if self._opened.done() and not self._opened.cancelled():
            self._opened.exception()
        if self._transport is not None:
            self._transport.abort()


@final
class Client:
    """Asks a cluster. `bootstrap`: where to look for the first broker that answers."""

    def __init__(
        self,
        bootstrap: Sequence[Address],
        *,
        client_id: str = "ottla",
        connect_ms_max: int = CONNECT_MS_MAX,
        request_ms_max: int = REQUEST_MS_MAX,
    ) -> None:
        assert bootstrap, "without an address there is nobody to ask"
        self._bootstrap = tuple(bootstrap)
        self._client_id = client_id
        self._connect_ms_max = connect_ms_max
        self._request_ms_max = request_ms_max
        self._connections: dict[Address, Connection] = {}
        self._connecting = asyncio.Lock()
        self._backoff = Backoff(initial_ms=100, max_ms=1_000)
        self.cluster: ClusterView = NOTHING_KNOWN

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            await connection.close()

    async def ask_any(
        self, api_key: int, message: Message, *, version_max: int = _ANY_VERSION
    ) -> Message:
        """The answer of whichever broker can be reached. Raises Unreachable if none can."""
        connection = await self._any()
        return await connection.ask(
            api_key, message, version_max=version_max, timeout_ms=self._request_ms_max
        )

    async def ask(
        self, broker_id: int, api_key: int, message: Message, *, version_max: int = _ANY_VERSION
    ) -> Message:
        """The answer of one broker of `cluster`."""
        connection = await self._broker(broker_id)
        return await connection.ask(
            api_key, message, version_max=version_max, timeout_ms=self._request_ms_max
        )

    async def tell(
        self, broker_id: int, api_key: int, message: Message, *, version_max: int = _ANY_VERSION
    ) -> None:
        """Send to one broker of `cluster` what is answered by nothing."""
        connection = await self._broker(broker_id)
        connection.tell(api_key, message, version_max=version_max)

    async def ask_controller(self, api_key: int, message: Message) -> Message:
        """The answer of the broker that takes changes to topics."""
        await self.refresh(())
        if self.cluster.controller_id in self.cluster.brokers:
            return await self.ask(self.cluster.controller_id, api_key, message)
        return await self.ask_any(api_key, message)

    async def ask_coordinator(
        self, group: str, api_key: int, message: Message, *, version_max: int = _ANY_VERSION
    ) -> Message:
        """The answer of the broker that looks after a group.

        It is looked for each time: it moves. Raises ApiError where there is none at the moment.
        """
        request = coordinator_request(group)
        response = await self.ask_any(FIND_COORDINATOR, request, version_max=ONE_KEY_MAX)
        assert isinstance(response, FindCoordinatorResponse)
        broker_id = coordinator_untrusted(response)
        if broker_id not in self.cluster.brokers:
            await self.refresh(())
        return await self.ask(broker_id, api_key, message, version_max=version_max)

    async def speaks(self, api_key: int) -> bool:
        """Does a broker at hand know this API?"""
        return (await self._any()).speaks(api_key)

    async def refresh(
        self, topics: Iterable[str] | None, *, create_missing: bool = False
    ) -> ClusterView:
        """`cluster` is new and knows these topics; None: all there are."""
        asked = None
        if topics is not None:
            asked = [MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=create_missing)
        response = await self.ask_any(METADATA, request)
        assert isinstance(response, MetadataResponse)
        self.cluster = cluster_untrusted(response)
        return self.cluster

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
                unknown_ms_max if unknown else self._request_ms_max
            ):
                raise ApiError(code, f"topic '{name}'")
            await self.pause(failures)

    async def pause(self, failures: int) -> None:
        """Wait as long as after so many failures in a row."""
        chance = int.from_bytes(os.urandom(4), "big") / 2**32
        await asyncio.sleep(self._backoff.wait_ms(failures, chance) / 1000)

    async def _any(self) -> Connection:
        for connection in self._connections.values():
            if connection.is_open:
                return connection
        last: OttlaError | None = None
        for address in dict.fromkeys([*self._bootstrap, *self.cluster.brokers.values()]):
            try:
                return await self._connected(address)
            except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
                last = last or error
        assert last is not None, "there is at least one address"
        raise last

    async def _broker(self, broker_id: int) -> Connection:
        address = self.cluster.brokers.get(broker_id)
        if address is None:
            raise ConnectionLost(f"broker {broker_id} is not in the cluster any more")
        try:
            return await self._connected(address)
        except Unreachable as error:
            if address in self._bootstrap:
                raise
            raise AdvertisedUnreachable(
                str(address),
                f"{error.reason}.\nThe cluster answers at {_listed(self._bootstrap)}, and says there "
                f"that broker {broker_id} is to be reached at {address} (its advertised.listeners), "
                "which does not work from this machine.\nSet advertised.listeners on that broker to "
                "an address that its clients can reach, or make this one reachable",
            ) from None

    async def _connected(self, address: Address) -> Connection:
        """An open connection to this address: the one there is, or a new one."""
        async with self._connecting:
            connection = self._connections.get(address)
            if connection is None or not connection.is_open:
                self._connections.pop(address, None)
                connection = await self._connect(address)
                self._connections[address] = connection
            return connection

    async def _connect(self, address: Address) -> Connection:
        connection = None
        opened = False
        try:
            async with asyncio.timeout(self._connect_ms_max / 1000):
                connection = await self._dial(address)
                await connection.wait_opened()
            opened = True
        except TimeoutError:
            what = "no answer" if connection is None else "it accepts connections, but says nothing"
            raise Unreachable(str(address), f"{what} within {self._connect_ms_max:,} ms") from None
        finally:
            if connection is not None and not opened:
                connection.abort()
        return connection

    async def _dial(self, address: Address) -> Connection:
        """A socket to the first address of the name that accepts one."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise Unreachable(str(address), "this host name cannot be resolved") from None
        reason = "this host name has no address"
        for family, _, _, _, place in found:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(address, self._client_id),
                    host=str(place[0]),
                    port=address.port,
                    family=family,
                )
                return connection
            except OSError as error:
                reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise Unreachable(str(address), reason)


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(str(address) for address in addresses)
