"""Where received bytes go, and where one request ends: the receiving half of a connection.

A frame is an int32 size and that many bytes. Bytes are received into one scratch buffer that all
connections of a pool share; whole frames are read in place. Only what a read left unfinished is
copied, into a buffer that belongs to the connection until the frame is whole. That buffer grows with
the bytes that came, at most eightfold, and never with the size that was announced: a hostile length
costs nothing.

So frames, and all views into them, are valid until any connection of the pool asks for a buffer
again, and a pool belongs to one thread.

Elsewhere: what is in a frame, see `server.py` and `header.py`.
"""

import struct
from enum import Enum
from typing import Final, final

from ottla.errors import RemoteProtocolError

SCRATCH_BYTES: Final = 256 * 1024
_GROWTH: Final = 4
_BUFFER_BYTES_MIN: Final = 4 * 1024
_POOLED_BYTES_MAX: Final = 2 * 1024 * 1024
_POOLED_BUFFERS_MAX: Final = 4
"""Together 8 MiB: the largest batches of most producers, without the kernel mapping them anew."""
_SIZE_BYTES: Final = 4
_FRAME_BYTES_MIN: Final = 8
"""Key, version and correlation id."""

_unpack_size: Final = struct.Struct(">i").unpack_from
_HTTP_OPENINGS: Final = (
    b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC", b"PRI ",
)  # fmt: skip


class ForeignProtocol(Enum):
    """What else is spoken to a Kafka port by mistake."""

    HTTP = "HTTP"
    TLS = "TLS"


class ForeignProtocolError(RemoteProtocolError):
    """The peer's first bytes are those of another protocol."""

    def __init__(self, protocol: ForeignProtocol, message: str) -> None:
        self.protocol = protocol
        super().__init__(message)


def foreign_protocol(opening: bytes) -> ForeignProtocol | None:
    """What a connection's first four bytes say, if they are not the size of a Kafka request."""
    if opening in _HTTP_OPENINGS:
        return ForeignProtocol.HTTP
    if opening[:2] == b"\x16\x03":
        return ForeignProtocol.TLS
    return None


@final
class BufferPool:
    """The scratch buffer, and a few larger ones between two frames."""

    __slots__ = ("_free", "scratch")

    def __init__(self, scratch_bytes: int = SCRATCH_BYTES) -> None:
        self.scratch = memoryview(bytearray(scratch_bytes))
        self._free: list[memoryview] = []

    def borrow(self, size_bytes: int) -> memoryview:
        """A buffer of at least `size_bytes`, at most twice that."""
        # Powers of two, so that one frame's buffer fits the next.
        rounded_bytes = 1 << (size_bytes - 1).bit_length()
        for index, view in enumerate(self._free):
            if len(view) == rounded_bytes:
                return self._free.pop(index)
        return memoryview(bytearray(rounded_bytes))

    def give_back(self, view: memoryview) -> None:
        if len(view) <= _POOLED_BYTES_MAX:
            if len(self._free) == _POOLED_BUFFERS_MAX:
                del self._free[0]
            self._free.append(view)


@final
class FrameReader:
    """The frames of one connection, one after the other. `pool` None: it shares with nobody.

    `get_buffer()` says where to receive; `received(n)` says that n bytes were, and returns the frames
    that they complete, without their sizes. Once `failure` is set nothing more can be received.
    """

    __slots__ = (
        "_buffer",
        "_filled",
        "_frame_bytes_max",
        "_opening",
        "_peer",
        "_pool",
        "_total",
        "failure",
    )

    def __init__(self, peer: str, frame_bytes_max: int, pool: BufferPool | None = None) -> None:
        self._peer = peer
        self._frame_bytes_max = frame_bytes_max
        self._pool = BufferPool() if pool is None else pool
        self._buffer: memoryview | None = None
        self._filled = 0
        self._total = 0
        self._opening = True
        self.failure: RemoteProtocolError | None = None
        """Why what follows the frames last returned is none."""

    def limit_frames(self, frame_bytes_max: int) -> None:
        """From the next frame on: more may be sent once a peer has said who it is."""
        self._frame_bytes_max = frame_bytes_max

    @property
    def held_bytes(self) -> int:
        """What this connection alone keeps allocated."""
        return 0 if self._buffer is None else len(self._buffer)

    def get_buffer(self) -> memoryview:
        buffer = self._buffer
        if buffer is None:
            return self._pool.scratch
        if self._filled == len(buffer):
            # Not full while the frame is whole, so there is more to come.
            larger = self._pool.borrow(min(_GROWTH * len(buffer), self._total))
            larger[: self._filled] = buffer
            self._pool.give_back(buffer)
            self._buffer = buffer = larger
        return buffer[self._filled : self._total]

    def received(self, size_bytes: int) -> list[memoryview]:
        frames: list[memoryview] = []
        try:
            if self._buffer is not None:
                return self._continued(self._buffer, size_bytes)
            data = self._pool.scratch
            at = 0
            while size_bytes - at >= _SIZE_BYTES:
                end = at + _SIZE_BYTES + self._size(data, at)
                if end > size_bytes:
                    break
                frames.append(data[at + _SIZE_BYTES : end])
                at = end
            if at < size_bytes:
                self._begin(data[at:size_bytes])
        except RemoteProtocolError as error:
            # The frames before it are none the worse for it.
            self.failure = error
        return frames

    def release(self) -> None:
        """The connection is gone: an unfinished frame never comes."""
        if self._buffer is not None:
            self._pool.give_back(self._buffer)
            self._buffer = None

    def _begin(self, part: memoryview) -> None:
        """Keep the beginning of a frame."""
        known = len(part) >= _SIZE_BYTES
        self._total = _SIZE_BYTES + self._size(part, 0) if known else _SIZE_BYTES
        self._filled = len(part)
        wanted_bytes = min(_GROWTH * len(part), self._total)
        self._buffer = self._pool.borrow(max(wanted_bytes, _BUFFER_BYTES_MIN))
        self._buffer[: len(part)] = part

    def _continued(self, buffer: memoryview, size_bytes: int) -> list[memoryview]:
        self._filled += size_bytes
        assert self._filled <= self._total, "more was received than the buffer offered"
        if self._filled < self._total:
            return []
        if self._total == _SIZE_BYTES:
            self._total += self._size(buffer, 0)
            return []
        self.release()
        return [buffer[_SIZE_BYTES : self._total]]

    def _size(self, data: memoryview, at: int) -> int:
        """The size a frame announces, if it may be that large."""
        size: int = _unpack_size(data, at)[0]
        if self._opening:
            self._refuse_foreign(bytes(data[at : at + _SIZE_BYTES]))
        if not _FRAME_BYTES_MIN <= size <= self._frame_bytes_max:
            raise RemoteProtocolError(
                f"frame of {size:,} bytes from {self._peer}; "
                f"limits are {_FRAME_BYTES_MIN} and {self._frame_bytes_max:,}"
            )
        return size

    def _refuse_foreign(self, opening: bytes) -> None:
        protocol = foreign_protocol(opening)
        if protocol is not None:
            raise ForeignProtocolError(
                protocol,
                f"{self._peer} speaks {protocol.value} to a port that expects Kafka requests",
            )
        self._opening = False
