"""What a partition's log says to a client that reads message sets: Fetch 0-3.

Batches are converted here and now, whole, because an answer tells its length before its bytes; so
each answer converts a bounded number of bytes, and its later partitions may get none. A batch that
converts to nothing (transaction markers, mostly) is passed over, and the search goes on behind it,
because such a client knows no other way to get past it.

What does not fit: version 3 gets the first message or wrapper of the answer whole (KIP-74); in
versions 0 to 2 every partition gets as much of it as it asked for, which tells the client that its
limit is too small.

Source: Apache Kafka 3.9, the last that served them. Elsewhere: the formats, `record/down_convert.py`.
"""

from collections.abc import Iterator
from typing import Final, final

from ottla.core.log.corrupt import CorruptSegment
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.limits import CONVERTED_BYTES_MAX, DECOMPRESSED_BYTES_MAX
from ottla.record.batch import Batch
from ottla.record.compress import ZSTD
from ottla.record.down_convert import message_set_of_untrusted
from ottla.record.legacy import any_batches_untrusted

MAGIC_2_SINCE: Final = 4
"""Fetch from this version on carries batches as they are."""
_MAGIC_1_SINCE: Final = 2
_LIMIT_MAY_BE_PASSED_SINCE: Final = 3

_SOURCE_BYTES_MIN: Final = 64 * 1024
"""Looked at together, however little is asked for: markers are passed by hundreds."""


@final
class OldReader:
    """Reads for one answer, until what may be converted for it is spent."""

    __slots__ = ("_cuts", "_left_bytes", "_magic")

    def __init__(self, version: int) -> None:
        assert version < MAGIC_2_SINCE
        self._magic = 1 if version >= _MAGIC_1_SINCE else 0
        self._cuts = version < _LIMIT_MAY_BE_PASSED_SINCE
        self._left_bytes = CONVERTED_BYTES_MAX

    def read(
        self, leader: Leader, start: int, end: int, size_bytes_max: int, *, at_least_one: bool
    ) -> bytes | ErrorCode:
        """The messages at `start` and behind it, none at `end` or behind; as many as fit."""
        may_pass = at_least_one and not self._cuts
        if self._left_bytes <= 0 or (size_bytes_max <= 0 and not may_pass):
            return b""
        pieces: list[bytes] = []
        size_bytes = 0
        try:
            for piece in self._pieces(leader, start, end, size_bytes_max):
                if size_bytes + len(piece) > size_bytes_max:
                    if not pieces and self._cuts:
                        pieces.append(piece[:size_bytes_max])
                    elif not pieces and may_pass:
                        pieces.append(piece)
                    break
                pieces.append(piece)
                size_bytes += len(piece)
                self._left_bytes -= len(piece)
                if self._left_bytes <= 0:
                    break
        except _RefusedError as refused:
            if not pieces:
                return refused.error
        return b"".join(pieces)

    def _pieces(self, leader: Leader, start: int, end: int, size_bytes_max: int) -> Iterator[bytes]:
        """Messages and wrappers from `start` on, as long as anybody asks for more."""
        offset = start
        while offset < end:
            source_bytes_max = max(_SOURCE_BYTES_MIN, min(size_bytes_max, self._left_bytes))
            found = leader.slice(offset, end, source_bytes_max, at_least_one=True)
            if isinstance(found, ErrorCode):
                raise _RefusedError(found)
            if found is None:
                return
            self._left_bytes -= len(found)
            try:
                data = found.read()
                for entry in any_batches_untrusted(data):
                    if entry.codec == ZSTD and not (isinstance(entry, Batch) and entry.is_control):
                        raise _RefusedError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
                    yield from message_set_of_untrusted(
                        entry, magic=self._magic, from_offset=start, limit=DECOMPRESSED_BYTES_MAX
                    )
                    offset = entry.next_offset
            except RemoteProtocolError as error:
                damage = CorruptSegment(found.file.path, found.position, str(error))
                raise _RefusedError(leader.unreadable(damage)) from error
            except OSError as error:
                raise _RefusedError(leader.unreadable(error)) from error


class _RefusedError(Exception):
    """The log does not give what was asked for."""

    def __init__(self, error: ErrorCode) -> None:
        super().__init__(error.name)
        self.error = error
