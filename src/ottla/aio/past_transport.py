"""A connection's socket, for long stretches of files: the kernel moves them, nobody has to read them.

Only while the transport holds nothing, so that nothing is overtaken, and only as much as the socket
takes at once: what is left goes the usual way. The segments around a stretch are corked: the reader is
woken by the records, not by what says how long they are.

On Linux, for sockets without TLS. Elsewhere: what has to be in an answer, `connection.py`.
"""

import asyncio
import os
import socket
from collections import deque
from itertools import islice
from typing import Final, NamedTuple, final

from ottla.aio.disk import RealFile
from ottla.core.port import FileSlice
from ottla.types import Payload

SENT_AS_FILE_BYTES_MIN: Final = 128 * 1024
"""Below it, the kernel's work for a stretch costs more than the copies."""

_CORK: Final = getattr(socket, "TCP_CORK", None)


class Sent(NamedTuple):
    """How much has gone; `at` is how far into what is now the outbox's head, if that is of a file."""

    size_bytes: int
    of_memory_bytes: int
    at: int


@final
class PastTransport:
    """Made for each connection."""

    __slots__ = ("_socket", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket: socket.socket | None = None
        if _CORK is not None and transport.get_extra_info("sslcontext") is None:
            self._socket = transport.get_extra_info("socket")

    def may(self) -> bool:
        return not self._transport.get_write_buffer_size() and not self._transport.is_closing()

    def has_work(self, outbox: deque[Payload], at: int) -> bool:
        """Does what comes next have a long stretch? `at`: how much of the head has gone."""
        if self._socket is None or (len(outbox) == 1 and not at):
            return False  # most answers: no file comes without what says how long it is
        return any(_is_long(chunk, at) for chunk in islice(outbox, 2))

    def send(self, outbox: deque[Payload], at: int, bytes_max: int) -> Sent:
        """Take from the outbox what the socket takes, up to `bytes_max` and some; until then no short
        stretch."""
        past = self._socket
        assert past is not None
        assert _CORK is not None
        size_bytes = of_memory_bytes = 0
        try:
            descriptor = past.fileno()
            past.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
            try:
                while outbox and size_bytes < bytes_max:
                    chunk = outbox[0]
                    if isinstance(chunk, FileSlice):
                        if not _is_long(chunk, at):
                            break
                        assert isinstance(chunk.file, RealFile)
                        left_bytes = chunk.size_bytes - at
                        sent_bytes = chunk.file.send_to(
                            descriptor, chunk.position + at, min(left_bytes, bytes_max)
                        )
                        at += sent_bytes
                    else:
                        assert isinstance(chunk, (bytes, memoryview)), type(chunk)
                        left_bytes = len(chunk)
                        sent_bytes = os.write(descriptor, chunk)
                        of_memory_bytes += sent_bytes
                        if sent_bytes < left_bytes:
                            outbox[0] = memoryview(chunk)[sent_bytes:]
                    size_bytes += sent_bytes
                    if sent_bytes < left_bytes:
                        break
                    at = 0
                    outbox.popleft()
            finally:
                past.setsockopt(socket.IPPROTO_TCP, _CORK, 0)
        except BlockingIOError:
            pass
        except OSError:
            # Who reads it next learns what it is: the transport of its socket, the answer of its file.
            self._socket = None
        return Sent(size_bytes, of_memory_bytes, at)


def _is_long(chunk: Payload, at: int) -> bool:
    """Of a file, and not in memory already."""
    return (
        isinstance(chunk, FileSlice)
        and not chunk.head
        and chunk.size_bytes - at >= SENT_AS_FILE_BYTES_MIN
        and isinstance(chunk.file, RealFile)
    )
