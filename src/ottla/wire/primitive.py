"""The protocol's primitive types: readers and writers that generated codecs are made of.

Readers take `(data, at)` and return `(value, at)`. They are the inside of an `_untrusted` function:
besides RemoteProtocolError they let `struct.error` and `IndexError` out when the bytes end too early,
and `shape.refusal` turns these into one that names the message. Nothing is allocated for a length or
a count above 127 before it was held against the bytes that are present.

Writers return the bytes to append. `PAYLOAD` announces that the next chunk is a payload, which
travels as the object it is, and may be a file slice of which only the length is known.

Source: protocol guide, KIP-482 (compact forms, tag sections). "classic" is everything before it.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar, cast, final

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.limits import ARRAY_ELEMENTS_MAX, TAGGED_FIELDS_MAX
from ottla.types import Payload

Write: TypeAlias = Callable[[Payload], None]
T = TypeVar("T")
Read: TypeAlias = Callable[[memoryview, int, int], tuple[T, int]]

STRING_BYTES_MAX: Final = 0x7FFF


@final
class _Mark:
    """Stands in a list of chunks, never on the wire."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0


PAYLOAD: Final = _Mark()
"""Written before a payload."""

_INT16: Final = struct.Struct(">h")
_INT32: Final = struct.Struct(">i")
_read_int16: Final = _INT16.unpack_from
_read_int32: Final = _INT32.unpack_from


def _cut(data: memoryview, at: int, size: int, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"{what} of {size:,} bytes at byte {at:,}; {len(data) - at:,} are there"
    )


def _null(at: int, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{what} is null at byte {at:,}, where null has no meaning")


def read_uvarint(data: memoryview, at: int) -> tuple[int, int]:
    """Seven bits per byte, low group first; more than 32 bits are refused."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 28:
            raise RemoteProtocolError(f"number of more than 5 bytes before byte {at:,}")
    if value > 0xFFFF_FFFF:
        raise RemoteProtocolError(f"number of more than 32 bits before byte {at:,}")
    return value, at


def _read_text(data: memoryview, at: int, size: int, what: str) -> tuple[str, int]:
    end = at + size
    if end > len(data):
        raise _cut(data, at, size, what)
    if size > STRING_BYTES_MAX:
        raise RemoteProtocolError(
            f"{what} of {size:,} bytes at byte {at:,}; limit is {STRING_BYTES_MAX:,}"
        )
    try:
        return str(data[at:end], "utf-8"), end
    except UnicodeDecodeError:
        raise RemoteProtocolError(f"{what} at byte {at:,} is not UTF-8") from None


def read_string(data: memoryview, at: int, what: str) -> tuple[str, int]:
    (size,) = _read_int16(data, at)
    if size < 0:
        raise _null(at, what)
    return _read_text(data, at + 2, size, what)


def read_nullable_string(data: memoryview, at: int, what: str) -> tuple[str | None, int]:
    (size,) = _read_int16(data, at)
    if size < 0:
        return None, at + 2
    return _read_text(data, at + 2, size, what)


def read_compact_string(data: memoryview, at: int, what: str) -> tuple[str, int]:
    size = data[at]
    if 0 < size < 0x80:
        end = at + size
        if end <= len(data):
            try:
                return str(data[at + 1 : end], "utf-8"), end
            except UnicodeDecodeError:
                pass
        # The slow way knows what to say.
        return _read_text(data, at + 1, size - 1, what)
    size, start = read_uvarint(data, at)
    if size == 0:
        raise _null(at, what)
    return _read_text(data, start, size - 1, what)


def read_compact_nullable_string(data: memoryview, at: int, what: str) -> tuple[str | None, int]:
    if data[at] == 0:
        return None, at + 1
    return read_compact_string(data, at, what)


def read_records(data: memoryview, at: int, what: str) -> tuple[memoryview, int]:
    """A view into `data`, not a copy."""
    (size,) = _read_int32(data, at)
    if size < 0:
        raise _null(at, what)
    at += 4
    end = at + size
    if end > len(data):
        raise _cut(data, at, size, what)
    return data[at:end], end


def read_nullable_records(data: memoryview, at: int, what: str) -> tuple[memoryview | None, int]:
    (size,) = _read_int32(data, at)
    if size < 0:
        return None, at + 4
    return read_records(data, at, what)


def read_compact_records(data: memoryview, at: int, what: str) -> tuple[memoryview, int]:
    """A view into `data`, not a copy."""
    size = data[at]
    if size < 0x80:
        start = at + 1
    elif data[at + 1] < 0x80:
        size += (data[at + 1] - 1) << 7
        start = at + 2
    else:
        size, start = read_uvarint(data, at)
    if size == 0:
        raise _null(at, what)
    end = start + size - 1
    if end > len(data):
        raise _cut(data, start, size - 1, what)
    return data[start:end], end


def read_compact_nullable_records(
    data: memoryview, at: int, what: str
) -> tuple[memoryview | None, int]:
    if data[at] == 0:
        return None, at + 1
    return read_compact_records(data, at, what)


def read_bytes(data: memoryview, at: int, what: str) -> tuple[bytes, int]:
    view, at = read_records(data, at, what)
    return bytes(view), at


def read_nullable_bytes(data: memoryview, at: int, what: str) -> tuple[bytes | None, int]:
    view, at = read_nullable_records(data, at, what)
    return None if view is None else bytes(view), at


def read_compact_bytes(data: memoryview, at: int, what: str) -> tuple[bytes, int]:
    view, at = read_compact_records(data, at, what)
    return bytes(view), at


def read_compact_nullable_bytes(data: memoryview, at: int, what: str) -> tuple[bytes | None, int]:
    view, at = read_compact_nullable_records(data, at, what)
    return None if view is None else bytes(view), at


def _checked(data: memoryview, at: int, count: int, element_bytes_min: int, what: str) -> int:
    if count > ARRAY_ELEMENTS_MAX:
        raise RemoteProtocolError(
            f"{what} of {count:,} elements before byte {at:,}; limit is {ARRAY_ELEMENTS_MAX:,}"
        )
    if count * element_bytes_min > len(data) - at:
        raise RemoteProtocolError(
            f"{what} of {count:,} elements before byte {at:,}, where {len(data) - at:,} bytes follow"
        )
    return count


def read_count(
    data: memoryview, at: int, element_bytes_min: int, what: str, nullable: bool
) -> tuple[int, int]:
    """How many elements follow; -1 for a null array, which is refused unless `nullable`."""
    (count,) = _read_int32(data, at)
    if count < 0:
        if not nullable:
            raise _null(at, what)
        return -1, at + 4
    return _checked(data, at + 4, count, element_bytes_min, what), at + 4


def read_compact_count(
    data: memoryview, at: int, element_bytes_min: int, what: str, nullable: bool
) -> tuple[int, int]:
    """How many elements follow; -1 for a null array, which is refused unless `nullable`."""
    count = data[at]
    if count < 0x80:
        at += 1
    else:
        count, at = read_uvarint(data, at)
    if count == 0:
        if not nullable:
            raise _null(at - 1, what)
        return -1, at
    return _checked(data, at, count - 1, element_bytes_min, what), at


def read_structs(
    read: Read[T], data: memoryview, at: int, version: int, count: int
) -> tuple[list[T], int]:
    elements: list[T] = []
    append = elements.append
    for _ in range(count):
        element, at = read(data, at, version)
        append(element)
    return elements, at


def read_numbers(
    data: memoryview, at: int, count: int, code: str, size_bytes: int
) -> tuple[list[int], int]:
    """`count` integers of one width; `code` is struct's letter for it."""
    if count == 1:
        return [struct.unpack_from(">" + code, data, at)[0]], at + size_bytes
    return list(struct.unpack_from(f">{count}{code}", data, at)), at + count * size_bytes


def read_uuids(data: memoryview, at: int, count: int) -> tuple[list[bytes], int]:
    end = at + 16 * count
    return [bytes(data[start : start + 16]) for start in range(at, end, 16)], end


def read_strings(data: memoryview, at: int, count: int, what: str) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        text, at = read_string(data, at, what)
        texts.append(text)
    return texts, at


def read_compact_strings(data: memoryview, at: int, count: int, what: str) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        text, at = read_compact_string(data, at, what)
        texts.append(text)
    return texts, at


def read_tags(data: memoryview, at: int) -> tuple[list[tuple[int, int, int]], int]:
    """A tag section as (tag, start, end) of each field. Tags ascend; each is there once."""
    count, at = read_uvarint(data, at)
    if count > TAGGED_FIELDS_MAX:
        raise RemoteProtocolError(
            f"{count:,} tagged fields before byte {at:,}; limit is {TAGGED_FIELDS_MAX:,}"
        )
    tags: list[tuple[int, int, int]] = []
    previous = -1
    for _ in range(count):
        tag, at = read_uvarint(data, at)
        if tag <= previous:
            raise RemoteProtocolError(f"tag {tag} after tag {previous} before byte {at:,}")
        previous = tag
        size, at = read_uvarint(data, at)
        end = at + size
        if end > len(data):
            raise _cut(data, at, size, f"tagged field {tag}")
        tags.append((tag, at, end))
        at = end
    return tags, at


def skip_tags(data: memoryview, at: int) -> int:
    """The byte after a tag section of which no tag is known."""
    return read_tags(data, at)[1]


def check_tag_end(at: int, end: int, what: str) -> None:
    """A tagged field fills exactly the bytes that its size announced."""
    if at != end:
        raise RemoteProtocolError(f"tagged field {what} ends at byte {at:,}, its size said {end:,}")


_UVARINTS: Final = tuple(bytes([number]) for number in range(0x80))


def uvarint(value: int) -> bytes:
    if value < 0x80:
        return _UVARINTS[value]
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _encoded(value: str) -> bytes:
    try:
        raw = value.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"text {value[:80]!r} has no UTF-8 form") from None
    if len(raw) > STRING_BYTES_MAX:
        raise LocalProtocolError(
            f"text {value[:80]!r}... of {len(raw):,} bytes; limit is {STRING_BYTES_MAX:,}"
        )
    return raw


def string(value: str) -> bytes:
    raw = _encoded(value)
    return _INT16.pack(len(raw)) + raw


def nullable_string(value: str | None) -> bytes:
    return b"\xff\xff" if value is None else string(value)


def compact_string(value: str) -> bytes:
    raw = _encoded(value)
    return uvarint(len(raw) + 1) + raw


def compact_nullable_string(value: str | None) -> bytes:
    return b"\0" if value is None else compact_string(value)


def octets(value: bytes) -> bytes:
    return _INT32.pack(len(value)) + value


def nullable_octets(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else octets(value)


def compact_octets(value: bytes) -> bytes:
    return uvarint(len(value) + 1) + value


def compact_nullable_octets(value: bytes | None) -> bytes:
    return b"\0" if value is None else compact_octets(value)


def numbers(values: Sequence[int], code: str) -> bytes:
    return struct.pack(f">{len(values)}{code}", *values)


def tag_section(tags: list[tuple[int, list[Payload]]]) -> bytes:
    """The section for tags that are in ascending order."""
    if not tags:
        return b"\0"
    parts = [uvarint(len(tags))]
    for tag, chunks in tags:
        value = joined(chunks)
        parts += (uvarint(tag), uvarint(len(value)), value)
    return b"".join(parts)


def joined(chunks: list[Payload]) -> bytes:
    """One `bytes` of chunks among which is no payload."""
    # Only what follows PAYLOAD is anything but bytes: the writers above return nothing else.
    return b"".join(cast(list[bytes], chunks))


def coalesced(chunks: list[Payload]) -> list[Payload]:
    """As few chunks as can be: what is between payloads is one; payloads stay what they are.

    An empty payload is left out.
    """
    whole: list[Payload] = []
    start = 0
    for index, chunk in enumerate(chunks):
        if chunk is PAYLOAD:
            if index > start:
                whole.append(joined(chunks[start:index]))
            if len(chunks[index + 1]):
                whole.append(chunks[index + 1])
            start = index + 2
    if start < len(chunks):
        whole.append(joined(chunks[start:]))
    return whole


def lacks(what: str, version: int) -> LocalProtocolError:
    """`what` was given a value, and version `version` has no place for it."""
    return LocalProtocolError(
        f"{what} cannot be said in version {version}: leave it at its default"
    )


def null_refused(what: str, version: int) -> LocalProtocolError:
    """`what` is None, and version `version` has no form for that."""
    return LocalProtocolError(f"{what} may not be None in version {version}")
