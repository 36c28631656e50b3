"""Step by step towards a cluster, and where the way ends: what `ottla doctor` finds out.

A visit goes to one address: its name, a socket, what speaks there, TLS and SASL where they are wanted,
versions, metadata. The address is the user's own or the one by which a broker says that it is to be
reached (advertised.listeners), and the second kind is what learners stumble over: the first contact
works, then the client is sent to a place that exists only where the broker runs. So every broker of the
cluster is visited at the address that a client would be sent to.

Every step is a `Finding`: what was seen and, where it is no good, the way out. Each is bounded by
time, and nothing is changed anywhere. Elsewhere: words for what TLS and SASL refuse, `aio/dial.py`.
"""

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, final

from ottla.aio.client_connection import Connection
from ottla.aio.dial import Dialer
from ottla.aio.security import Security
from ottla.client.metadata import Address, ClusterView, cluster_untrusted
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, ErrorCode, OttlaError
from ottla.types import NO_LEADER
from ottla.version import __version__
from ottla.wire.api import FETCH, METADATA, PRODUCE, VOTE
from ottla.wire.client import ClientConnection
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse

OK: Final = "ok"
FAILED: Final = "failed"
WARNING: Final = "warning"

CONNECT_MS_MAX: Final = 4_000
SILENCE_MS_MAX: Final = 3_000
_TLS_ALERT: Final = b"\x15\x03"
_TLS_HANDSHAKE: Final = b"\x16\x03"
_VISITS_AT_ONCE: Final = 16
_SHOWN_MAX: Final = 5


class Finding(NamedTuple):
    """`target`: the address, or `cluster`. `status`: OK, WARNING or FAILED. `way_out`: empty if OK."""

    target: str
    broker: int | None
    step: str
    status: str
    detail: str
    way_out: str = ""
    took_ms: float = 0.0


class Place(NamedTuple):
    """One of the addresses of a name."""

    family: socket.AddressFamily
    at: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Sent(NamedTuple):
    """Who sent us to an address: this broker, which was found at `bootstrap`; `alone`: it is all there
    is of the cluster."""

    broker: int
    bootstrap: Address
    alone: bool
    cluster_id: str | None


class Way(NamedTuple):
    """How to go."""

    dialer: Dialer
    options: ConnectionOptions
    security: Security
    silence_ms_max: int


class Refused(Exception):
    """A step came to nothing: what was seen, and the way out."""

    def __init__(self, detail: str, way_out: str) -> None:
        self.detail = detail
        self.way_out = way_out
        super().__init__(detail)


async def examine(
    options: ConnectionOptions,
    security: Security,
    report: Callable[[Finding], None],
    silence_ms_max: int = SILENCE_MS_MAX,
) -> None:
    """Report every step, in order. `silence_ms_max`: how long a peer may say nothing."""
    way = Way(Dialer(options, security), options, security, silence_ms_max)
    reached: dict[Address, ClusterView] = {}
    for address in options.bootstrap:
        visit = Visit(address, None, way)
        view = await visit.made()
        for finding in visit.findings:
            report(finding)
        if view is not None:
            reached[address] = view
    if not reached:
        return
    at, view = next(iter(reached.items()))
    turns = asyncio.Semaphore(_VISITS_AT_ONCE)

    async def advertised(broker: int, address: Address) -> Visit:
        sent = Sent(broker, at, len(view.brokers) == 1, view.cluster_id)
        visit = Visit(address, sent, way)
        if address in reached:
            visit.skip()
            return visit
        async with turns:
            await visit.made()
        return visit

    for visit in await asyncio.gather(
        *(advertised(broker, address) for broker, address in sorted(view.brokers.items()))
    ):
        for finding in visit.findings:
            report(finding)
    report(_leaders(view))


@final
class Visit:
    """The way to one address. `findings`: the steps so far; the last may be the one that failed."""

    def __init__(
        self,
        address: Address,
        sent: Sent | None,
        way: Way,
    ) -> None:
        self._address = address
        self._sent = sent
        self._way = way
        self._security = way.security
        self.findings: list[Finding] = []

    async def made(self) -> ClusterView | None:
        """The picture of the cluster; None: the way ended before."""
        loop = asyncio.get_running_loop()
        step, began = "name", loop.time()

        def done(detail: str, next_step: str, status: str = OK, way_out: str = "") -> None:
            nonlocal step, began
            took_ms = (loop.time() - began) * 1000
            self._add(step, status, detail, way_out, took_ms)
            step, began = next_step, loop.time()

        try:
            places = await self._resolved()
            hosts = ", ".join(dict.fromkeys(str(place.at[0]) for place in places))
            literal = hosts == self._address.host
            done(
                f"{hosts} is an address" if literal else f"{self._address.host} is {hosts}",
                "connect",
            )
            deaf = await self._accepted(places)
            if deaf:
                way_out = "Clients try it first and lose time; take it out of DNS or /etc/hosts."
                done(f"{self._address} accepts, but {deaf} does not", "listener", WARNING, way_out)
            else:
                done(f"{self._address} accepts connections", "listener")
            if not self._security.protocol.has_tls:
                await self._heard()
                done("what listens there speaks like a Kafka broker", "versions")
            connection = await self._dialed()
            try:
                done(_versions(connection, self._security), "metadata")
                view = await self._described(connection)
            finally:
                connection.abort()
            self._check_cluster(view)
            done(_cluster(view), "end")
        except Refused as error:
            done(error.detail, "end", FAILED, error.way_out)
            return None
        return view

    def skip(self) -> None:
        """It was visited already, under the user's own name for it."""
        self._add("address", OK, "the one asked for, reached above", "", 0.0)

    def _add(self, step: str, status: str, detail: str, way_out: str, took_ms: float) -> None:
        broker = None if self._sent is None else self._sent.broker
        target = str(self._address)
        self.findings.append(
            Finding(target, broker, step, status, detail, way_out, round(took_ms, 3))
        )

    async def _resolved(self) -> list[Place]:
        host, port = self._address
        ms_max = self._way.options.connect_ms_max
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ms_max / 1000):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            what = f"the name server says nothing about {host} within {ms_max:,} ms"
            raise Refused(what, "Is the name server of this machine reachable?") from None
        except (socket.gaierror, UnicodeError):
            raise self._refused(f"no host {host!r} is known to this machine", "unknown") from None
        return [Place(family, at) for family, _, _, _, at in found]

    async def _accepted(self, places: Sequence[Place]) -> str:
        """The addresses before the first that accepts; empty: the first does."""
        loop = asyncio.get_running_loop()
        ms_max = self._way.options.connect_ms_max
        deaf: list[str] = []
        errors: dict[str, str] = {}
        for family, at in places:
            with socket.socket(family, socket.SOCK_STREAM) as one:
                one.setblocking(False)
                try:
                    async with asyncio.timeout(ms_max / 1000):
                        await loop.sock_connect(one, at)
                    return ", ".join(deaf)
                except TimeoutError:
                    deaf.append(str(at[0]))
                    errors["silent"] = f"no answer within {ms_max:,} ms"
                except OSError as error:
                    deaf.append(str(at[0]))
                    said = os.strerror(error.errno).lower() if error.errno else str(error)
                    kind = "refused" if isinstance(error, ConnectionRefusedError) else "unroutable"
                    errors[kind] = said
        kind, said = next(iter(errors.items()))
        raise self._refused(f"{self._address} cannot be reached: {said}", kind)

    async def _heard(self) -> None:
        """What speaks there begins its answer as a broker does."""
        wire = ClientConnection(self._way.options.client_id, software_version=__version__)
        opening = b"".join(part for part in wire.opening() if isinstance(part, bytes | bytearray))
        data = b""
        try:
            async with asyncio.timeout(self._way.silence_ms_max / 1000):
                reader, writer = await asyncio.open_connection(*self._address)
                try:
                    writer.write(opening)
                    data = await reader.read(8)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise silent(self._address) from None
        except OSError:
            data = b""
        if not data and await self._speaks_tls():
            data = _TLS_ALERT
        problem = misheard(self._address, data)
        if problem is not None:
            raise problem

    async def _speaks_tls(self) -> bool:
        """Some close a connection that is no TLS without the word that TLS has for it."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            async with asyncio.timeout(self._way.silence_ms_max / 1000):
                _, writer = await asyncio.open_connection(*self._address, ssl=context)
        except OSError:  # a TimeoutError and an SSLError are that too
            return False
        writer.transport.abort()
        return True

    async def _dialed(self) -> Connection:
        try:
            return await self._way.dialer.dial(self._address)
        except OttlaError as error:
            raise Refused(*_in_two(str(error))) from None

    async def _described(self, connection: Connection) -> ClusterView:
        request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
        try:
            answer = await connection.ask(METADATA, request)
            assert isinstance(answer, MetadataResponse)
            if answer.error_code != ErrorCode.NONE:
                raise ApiError(answer.error_code, "the cluster is not described")
            return cluster_untrusted(answer)
        except OttlaError as error:
            raise Refused(*_in_two(str(error))) from None

    def _check_cluster(self, view: ClusterView) -> None:
        sent = self._sent
        if sent is None:
            if not view.brokers:
                way_out = "Is it just starting? Its log says what it waits for."
                raise Refused(f"{self._address} knows no broker, not even itself", way_out)
            return
        if sent.cluster_id and view.cluster_id and sent.cluster_id != view.cluster_id:
            raise Refused(
                f"{self._address} is another cluster ({view.cluster_id}) than the one at "
                f"{sent.bootstrap} ({sent.cluster_id}), which sends clients there",
                "Two brokers use one address, as seen from here. Stop the other one, or "
                + _advertise(sent, self._security),
            )

    def _refused(self, detail: str, kind: str) -> Refused:
        sent = self._sent
        if sent is None:
            return Refused(detail, _way_in(self._address, kind))
        return advertised_unreachable(self._address, sent, detail, kind, self._security)


def silent(address: Address) -> Refused:
    return Refused(
        f"{address} accepts connections, but says nothing",
        "Is it a broker that hangs, or is just starting? Is it a Kafka listener at all? A port that "
        "a container publishes accepts before anything in the container listens: look at its log.",
    )


def misheard(address: Address, data: bytes) -> Refused | None:
    """Why what answered with these first bytes is no broker's listener without TLS; None: it is."""
    if not data:
        return Refused(
            f"{address} accepts connections, and closes them at once",
            "Is it a listener with TLS? Say so in the file of --command-config: security.protocol=SSL. "
            "Is it a port that a container publishes and nothing listens on inside? Is it Kafka "
            "before 0.10, or no Kafka at all?",
        )
    if data[:2] in (_TLS_ALERT, _TLS_HANDSHAKE):
        return Refused(
            f"{address} speaks TLS, and this client does not",
            "Say so in the file of --command-config: security.protocol=SSL (or SASL_SSL), and "
            "ssl.truststore.location with ssl.truststore.type=PEM; or use a listener without TLS.",
        )
    for beginning, name, port in (
        (
            b"HTTP",
            "a web server (HTTP)",
            "often 9092, where 8080, 8081 and 8083 are Kafka's web tools",
        ),
        (b"SSH-", "an SSH server", "often 9092"),
    ):
        if data.startswith(beginning):
            return Refused(
                f"{address} is {name}, not a Kafka broker", f"Take the broker's port: {port}."
            )
    if data[0] != 0:
        return Refused(
            f"{address} does not speak Kafka's protocol (it begins with {data!r})",
            "Is this the port of another program?",
        )
    return None


def advertised_unreachable(
    address: Address, sent: Sent, detail: str, kind: str, security: Security
) -> Refused:
    """The broker answers where the user said, and sends clients to where there is nothing."""
    said = (
        f"{detail}. Broker {sent.broker} itself says that clients shall go there "
        f"(advertised.listeners); it was found at {sent.bootstrap}"
    )
    if kind == "unknown" and "." not in address.host:
        said += ". A name without a dot is often a container's, known only to its own network"
    elif _is_loopback(address.host) and not _is_loopback(sent.bootstrap.host):
        said += f". {address.host} is each machine itself: for this one, not the broker's"
    elif kind != "unknown" and _is_private(address.host) and not _is_loopback(address.host):
        said += ". It is an address of a private network, a container's for example"
    advertise = _advertise(sent, security)
    return Refused(said, advertise[0].upper() + advertise[1:])


def _advertise(sent: Sent, security: Security) -> str:
    protocol = security.protocol.value
    at = str(sent.bootstrap) if sent.alone else "HOST:PORT"
    where = "" if sent.alone else ", with an address of that broker that works from here,"
    return (
        f"set on broker {sent.broker}{where} advertised.listeners={protocol}://{at} and start it "
        "again. If clients inside its network need another address than those outside, give "
        "each a listener (listeners, advertised.listeners, listener.security.protocol.map)."
    )


def _way_in(address: Address, kind: str) -> str:
    match kind:
        case "unknown":
            return (
                "Is the name right? A container's or pod's name is known only inside its network."
            )
        case "refused":
            return (
                "Nothing listens there. Start a broker with: ottla serve. If it runs in a container: "
                f"is its port published (-p {address.port}:{address.port})?"
            )
        case "silent":
            return "A firewall, or an address of another network? Nothing refused the connection."
    return "There is no way from this machine to that network."


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _in_two(message: str) -> tuple[str, str]:
    """What was seen, and the question or the advice behind it."""
    for mark in (". ", "; "):
        seen, found, advice = message.partition(mark)
        if found:
            return seen, advice if advice.endswith(("?", ".")) else f"{advice}."
    return message, "See the broker's log for what it refused."


def _versions(connection: Connection, security: Security) -> str:
    """Raises Refused where there is nothing to say it in."""
    said = []
    try:
        for name, key in (("Produce", PRODUCE), ("Fetch", FETCH), ("Metadata", METADATA)):
            said.append(f"{name} {connection.version_for(key)}")
    except ApiError as error:
        if connection.speaks(VOTE) and not connection.speaks(METADATA):
            raise Refused(
                f"{connection.address} is a controller's listener (controller.listener.names)",
                "Clients speak with brokers: take a port of the broker's other listeners.",
            ) from None
        raise Refused(
            str(error.message), "Clients of Ottla speak with Kafka 2.1 and newer, and with Ottla."
        ) from None
    how = [security.protocol.value]
    if security.protocol.has_sasl and security.sasl is not None:
        how.append(f"{security.sasl.mechanism}, accepted")
    return f"{', '.join(said)} ({', '.join(how)})"


def _cluster(view: ClusterView) -> str:
    brokers = "1 broker" if len(view.brokers) == 1 else f"{len(view.brokers)} brokers"
    topics = "1 topic" if len(view.topics) == 1 else f"{len(view.topics)} topics"
    return f"cluster {view.cluster_id or '(without id)'}, {brokers}, {topics}"


def _leaders(view: ClusterView) -> Finding:
    """Is there somebody to write to, for every partition?"""
    leaderless, behind, count = [], 0, 0
    for name, topic in sorted(view.topics.items()):
        for part in topic.partitions:
            count += 1
            behind += len(part.isr) < len(part.replicas)
            if part.leader_id == NO_LEADER:
                leaderless.append(f"{name}-{part.partition}")
    if leaderless:
        shown = ", ".join(leaderless[:_SHOWN_MAX])
        more = f" and {len(leaderless) - _SHOWN_MAX:,} more" if len(leaderless) > _SHOWN_MAX else ""
        return Finding(
            "cluster",
            None,
            "leaders",
            FAILED,
            f"nobody leads {shown}{more}: they can be neither written nor read",
            "Their brokers are away. See: ottla topic describe " + leaderless[0].rpartition("-")[0],
        )
    if behind:
        return Finding(
            "cluster",
            None,
            "leaders",
            WARNING,
            f"{behind:,} of {count:,} partitions have a replica that is not in sync",
            "See Isr in: ottla topic describe",
        )
    noun = "partition has" if count == 1 else "partitions have"
    detail = f"{count:,} {noun} a leader and all replicas" if count else "there is no topic yet"
    return Finding("cluster", None, "leaders", OK, detail)
