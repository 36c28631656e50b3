"""From an address to a connection that may be used: name, socket, TLS, versions, SASL.

Each address of a name is tried in turn, for its share of the time. What goes wrong is told by the stage in which it did, because
the same closed socket means a wrong port before TLS and a wrong password after it.

Promise: it takes `connect_ms_max` at most, and leaves nothing open if it fails.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, final

from ottla.aio.client_connection import Connection
from ottla.aio.security import Security, tls_context
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.reach import AuthenticationFailed, Unreachable

if TYPE_CHECKING:
    from ssl import SSLContext


class Dials(Protocol):
    """Makes the connections of one client."""

    async def dial(
        self, address: Address, on_closed: Callable[[Connection], None] = ...
    ) -> Connection: ...


@final
class Dialer:
    """`Dials` by sockets."""

    def __init__(self, options: ConnectionOptions, security: Security) -> None:
        self._options = options
        self._security = security
        self._context: SSLContext | None = None

    async def dial(
        self, address: Address, on_closed: Callable[[Connection], None] = lambda _: None
    ) -> Connection:
        """An open connection, authenticated if that is wanted.

        Raises Unreachable, AuthenticationFailed, ConnectionLost or RemoteProtocolError; and
        LocalProtocolError for certificates that cannot be read.
        """
        if self._security.protocol.has_tls and self._context is None:
            # Once, because reading what a system trusts takes tens of milliseconds.
            self._context = tls_context(self._security.tls)
        attempt = _Attempt(address, self._options, self._context, on_closed)
        connection: Connection | None = None
        opened = False
        try:
            async with asyncio.timeout(self._options.connect_ms_max / 1000):
                connection = await attempt.connected()
                attempt.stage = "it accepts connections, but says nothing"
                await connection.wait_opened()
                if self._security.sasl is not None and self._security.protocol.has_sasl:
                    attempt.stage = "no end of the SASL authentication"
                    from ottla.aio.sasl import authenticate

                    await authenticate(connection, self._security.sasl)
            opened = True
        except TimeoutError:
            ms_max = self._options.connect_ms_max
            raise Unreachable(str(address), f"{attempt.stage} within {ms_max:,} ms") from None
        finally:
            if connection is not None and not opened:
                connection.abort()
        return connection


@final
class _Attempt:
    """`stage`: what is to be said if the time ends now."""

    def __init__(
        self,
        address: Address,
        options: ConnectionOptions,
        context: "SSLContext | None",
        on_closed: Callable[[Connection], None],
    ) -> None:
        self._address = address
        self._options = options
        self._context = context
        self._on_closed = on_closed
        self.stage = "no answer"

    async def connected(self) -> Connection:
        """A connection to the first address of the name that accepts one."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):
            raise Unreachable(str(self._address), "this host name cannot be resolved") from None
        reason = "this host name has no address"
        for family, kind, protocol, _, place in found:
            with_socket = socket.socket(family, kind, protocol)
            try:
                _prepare(with_socket, self._options)
                async with asyncio.timeout(self._options.connect_ms_max / len(found) / 1000):
                    await loop.sock_connect(with_socket, place)
            except OSError as error:  # a TimeoutError is one
                with_socket.close()
                reason = os.strerror(error.errno).lower() if error.errno else self.stage
                continue
            except BaseException:
                with_socket.close()
                raise
            if self._context is not None:
                self.stage = "no end of the TLS handshake"
                return await self._secured(with_socket, self._context)
            _, connection = await loop.create_connection(self._protocol, sock=with_socket)
            return connection
        raise Unreachable(str(self._address), reason)

    async def _secured(self, with_socket: socket.socket, context: "SSLContext") -> Connection:
        import ssl

        address = str(self._address)
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                self._protocol,
                sock=with_socket,
                ssl=context,
                server_hostname=self._address.host,
            )
        except ssl.SSLCertVerificationError as error:
            said = str(error.verify_message or error).rstrip(".")
            raise AuthenticationFailed(
                address,
                f"its certificate is not believed: {said}. Does ssl_cafile hold the authority "
                "that signed it, and does it name this host?",
            ) from None
        except ssl.SSLError as error:
            if error.reason in _NOT_TLS:
                raise Unreachable(address, _PLAIN.format(what="what it says is not TLS")) from None
            said = str(error.reason or error)
            raise AuthenticationFailed(address, f"the TLS handshake failed: {said}") from None
        except (ConnectionError, EOFError) as error:
            words = f" ({error})" if str(error) else ""
            what = f"it ended the connection during the TLS handshake{words}"
            raise Unreachable(address, _PLAIN.format(what=what)) from None
        return connection

    def _protocol(self) -> Connection:
        return Connection(self._address, self._options, self._on_closed)


_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
)
_PLAIN: Final = "{what}. Is it a listener without TLS? Then say PLAINTEXT or SASL_PLAINTEXT"


def _prepare(with_socket: socket.socket, options: ConnectionOptions) -> None:
    with_socket.setblocking(False)
    with_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Before connecting: a window's scale is agreed on at the start.
    if options.send_buffer_bytes is not None:
        with_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options.send_buffer_bytes)
    if options.receive_buffer_bytes is not None:
        with_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer_bytes)
    for level, name, value in options.socket_options:
        with_socket.setsockopt(level, name, value)
