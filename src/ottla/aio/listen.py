"""Sockets that listen: one name may mean several addresses, and all of them get the same port.

`localhost` is 127.0.0.1 and ::1, because clients resolve it to either; an empty host or 0.0.0.0 is
every interface of both families, as it is for the JVM. A machine without IPv6 gets the IPv4 half.
"""

import errno
import socket
from typing import Final

from ottla.aio.log_directory import CannotStart
from ottla.limits import UNSENT_BYTES_MAX
from ottla.settings.listener import Listener

_PAIR_ATTEMPTS_MAX: Final = 8
_NO_SUCH_FAMILY: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)

# Accepted connections inherit it. A thousand peers that do not read would otherwise make the kernel
# hold four megabytes for each of them, until its memory for TCP is gone and nobody is served. What
# is on its way is not counted, so that a peer that does read is not slowed down.
_UNSENT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def bind(
    listener: Listener, *, send_buffer_bytes: int = -1, receive_buffer_bytes: int = -1
) -> list[socket.socket]:
    """Bound, not yet listening. The buffers are those of the connections, -1: as the system has them. Raises CannotStart naming listener, address and the way out.

    Port 0 is any free port, the same one for every address.
    """
    for attempt in range(1, _PAIR_ATTEMPTS_MAX + 1):
        try:
            sockets = _bind_all(_addresses(listener.host), listener.port)
        except OSError as error:
            # A port that is free on one address may be taken on the other: draw again.
            drawn = listener.port == 0 and error.errno == errno.EADDRINUSE
            if not drawn or attempt == _PAIR_ATTEMPTS_MAX:
                raise CannotStart(explained(listener, error)) from None
        else:
            # Accepted connections inherit them; the window's scale is agreed on while connecting.
            for one in sockets:
                if send_buffer_bytes >= 0:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
                if receive_buffer_bytes >= 0:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            return sockets
    raise AssertionError("unreachable: the last attempt returns or raises")


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """The first address is required, the others are taken where the machine has them."""
    match host:
        case "localhost":
            return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
        case "" | "0.0.0.0":
            return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = {(family, str(address[0])) for family, _, _, _, address in found}
    return sorted(addresses, key=lambda pair: (pair[0] != socket.AF_INET, pair[1]))


def _bind_all(addresses: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            try:
                # With the protocol named: asyncio looks at it before it turns Nagle's delay off.
                bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            except OSError as error:
                if sockets and error.errno in _NO_SUCH_FAMILY:
                    continue
                raise
            sockets.append(bound)
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted connections inherit it: the kernel notices a peer that vanished without a word.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # uvloop does so itself only for those that its own servers accept.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _UNSENT is not None:
                bound.setsockopt(socket.IPPROTO_TCP, _UNSENT, UNSENT_BYTES_MAX)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                bound.bind((address, port))
            except OSError as error:
                if len(sockets) == 1 or error.errno not in _NO_SUCH_FAMILY:
                    raise
                sockets.pop().close()
                continue
            port = int(bound.getsockname()[1])
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def explained(listener: Listener, error: OSError) -> str:
    where = (
        f"Listener {listener.name} cannot listen on {listener.host or '0.0.0.0'}:{listener.port}"
    )
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where}: the port is taken (by whom: ss -ltnp 'sport = :{listener.port}'"
            "). Stop whoever listens there, or choose another port: --override "
            f"listeners={listener.name}://{listener.host}:{listener.port + 1}"
        )
    if isinstance(error, socket.gaierror):
        return f"{where}: this host name cannot be resolved. Check listeners."
    if error.errno in _NO_SUCH_FAMILY:
        return f"{where}: this machine does not have that address. Check listeners."
    return f"{where}: {error.strerror}."
