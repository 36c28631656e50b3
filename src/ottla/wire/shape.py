"""What every generated message and stored record is: slots, equality, a repr, a pair of functions.

Messages are plain slotted objects, built per request and treated as read-only once built: a default
struct inside them is one shared object. Sequences of any kind compare by their elements, so that what
was built from a tuple equals what was decoded into a list.
"""

import struct
from collections.abc import Callable, Iterator
from typing import ClassVar, Final, TypeAlias, TypeVar, final

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.types import Payload
from ottla.wire.primitive import Read, Write, coalesced, joined

_SHOWN_BYTES_MAX: Final = 40
_SECRETS: Final = frozenset(
    ("auth_bytes", "hmac", "salt", "salted_password", "server_key", "stored_key", "value")
)
"""Fields that a log or a traceback must not show; a config's `value` may be a password."""


class Struct:
    """Anything with fields on the wire."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def _values(self) -> Iterator[tuple[str, object]]:
        slots: tuple[str, ...] = type(self).__slots__
        for name in slots:
            yield name, getattr(self, name)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Struct) or type(self) is not type(other):
            return NotImplemented
        for (_, mine), (_, theirs) in zip(self._values(), other._values(), strict=True):
            if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)):
                if list(mine) != list(theirs):
                    return False
            elif mine != theirs:
                return False
        return True

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{n}={_shown(n, v)}' for n, v in self._values())})"
        )


class Message(Struct):
    """The body of a request or a response."""

    __slots__ = ()
    API_KEY: ClassVar[int]


class StoredRecord(Struct):
    """The body of a record that a broker keeps. `TYPE_ID` is -1 where the kind has none."""

    __slots__ = ()
    TYPE_ID: ClassVar[int]
    VERSION_MIN: ClassVar[int]
    VERSION_MAX: ClassVar[int]

    def encode(self, version: int) -> bytes:
        """The body in `version`. LocalProtocolError if that version cannot say it."""
        raise NotImplementedError


def _shown(name: str, value: object) -> str:
    if name in _SECRETS and isinstance(value, (str, bytes, memoryview)):
        return "***"
    if isinstance(value, (bytes, memoryview)):
        raw = bytes(value[:_SHOWN_BYTES_MAX])
        more = f"... {len(value):,} bytes" if len(value) > _SHOWN_BYTES_MAX else ""
        return repr(raw) + more
    return repr(value)


WriteBody: TypeAlias = Callable[[Message, int, Write], None]


@final
class Codec:
    """The functions of an API key, and which bodies carry payloads.

    `refuse` makes a response of an error code alone, for versions `refusable_min`..`refusable_max`.
    """

    __slots__ = (
        "read_request",
        "read_response",
        "refusable_max",
        "refusable_min",
        "refuse",
        "request_has_payload",
        "response_has_payload",
        "write_request",
        "write_response",
    )

    def __init__(
        self,
        read_request: Read[Message],
        write_request: WriteBody,
        request_has_payload: bool,
        read_response: Read[Message],
        write_response: WriteBody,
        response_has_payload: bool,
        refuse: Callable[[int], Message] | None,
        refusable_min: int,
        refusable_max: int,
    ) -> None:
        self.read_request = read_request
        self.write_request = write_request
        self.request_has_payload = request_has_payload
        self.read_response = read_response
        self.write_response = write_response
        self.response_has_payload = response_has_payload
        self.refuse = refuse
        self.refusable_min = refusable_min
        self.refusable_max = refusable_max


T = TypeVar("T")
S = TypeVar("S", bound=Struct)


def decode_untrusted(read: Read[T], data: memoryview, at: int, version: int, what: str) -> T:
    """What `data` holds from `at` to its end. Anything that does not fit: RemoteProtocolError."""
    try:
        message, end = read(data, at, version)
    except (struct.error, IndexError, RemoteProtocolError) as error:
        raise refusal(error, data, version, what) from None
    if end != len(data):
        raise RemoteProtocolError(
            f"{what} version {version} ends at byte {end:,}; {len(data) - end:,} more follow"
        )
    return message


def refusal(error: Exception, data: memoryview, version: int, what: str) -> RemoteProtocolError:
    """What to raise when a reader gave up. Only running out of bytes is not yet put into words."""
    if isinstance(error, RemoteProtocolError):
        return RemoteProtocolError(f"{what} version {version}: {error}")
    return RemoteProtocolError(
        f"{what} version {version} goes on after byte {len(data):,}, where its bytes end"
    )


def encode(
    write_body: Callable[[S, int, Write], None],
    message: S,
    version: int,
    has_payload: bool,
) -> list[Payload]:
    """The chunks of `message`; a number that does not fit its field is a LocalProtocolError."""
    chunks: list[Payload] = []
    try:
        write_body(message, version, chunks.append)
    except struct.error as error:
        raise LocalProtocolError(
            f"{type(message).__name__} version {version}: a number does not fit: {error}"
        ) from None
    except LocalProtocolError as error:
        raise LocalProtocolError(f"{type(message).__name__}: {error}") from None
    return coalesced(chunks) if has_payload else [joined(chunks)]


def encode_stored(write_body: Callable[[S, int, Write], None], record: S, version: int) -> bytes:
    """The body of a stored record as one piece."""
    return joined(encode(write_body, record, version, has_payload=False))


def check_stored_version(what: str, version: int, low: int, high: int) -> None:
    """RemoteProtocolError for a version of a stored record that nobody here knows."""
    if not low <= version <= high:
        raise RemoteProtocolError(f"{what} version {version}; known are {low} to {high}")
