"""How the console consumer writes a record: Kafka's formatters and deserializers, by their Java names.

The default one writes what is asked for with tabs between, keys and values as the bytes they are unless
a deserializer reads them. The others write records of the coordinators' topics as JSON, one after the
other without line ends, as Kafka's do.
"""

import uuid
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Final, Protocol, final

from ottla.cli.kafka.flags import Refused
from ottla.cli.kafka.java_text import Json, java_double, java_json
from ottla.cli.kafka.stored_json import UnknownType, coordinator_json_untrusted
from ottla.client.consume.record import LOG_APPEND_TIME, ConsumedRecord
from ottla.errors import OttlaError, RemoteProtocolError
from ottla.wire.stored.framing import Coordinator

Read = Callable[[bytes], bytes]

_PACKAGE: Final = "org.apache.kafka.common.serialization."
_OFFSET_COMMITS: Final = frozenset((0, 1))
_GROUPS: Final = frozenset((2,))
_FLOAT_DIGITS_MAX: Final = 9
_SHARE_GROUPS: Final = frozenset((10, 11, 12, 13, 14, 15))
_PRINTABLE: Final = range(0x20, 0x7F)


class Unformattable(OttlaError):
    """A record of which its formatter or deserializer makes nothing."""


class Formatter(Protocol):
    def line(self, record: ConsumedRecord) -> bytes:
        """What is written for a record, with its line end if it has one. Raises Unformattable."""
        ...


@final
class DefaultFormatter:
    """Columns in Kafka's order. Settings as in `--formatter-property`; unknown ones are passed over."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        def asked(name: str, *, default: bool = False) -> bool:
            text = settings.get(f"print.{name}")
            return default if text is None else text.strip().lower() == "true"

        def text(name: str, default: str) -> bytes:
            return settings.get(name, default).encode()

        self._columns: list[Callable[[ConsumedRecord], bytes]] = []
        for name, column in (
            ("timestamp", _timestamp),
            ("partition", lambda record: b"Partition:%d" % record.partition),
            ("offset", lambda record: b"Offset:%d" % record.offset),
            ("delivery", lambda record: b"Delivery:NOT_PRESENT"),
            ("epoch", lambda record: b"Epoch:NOT_PRESENT"),
            ("headers", self._headers),
            ("key", self._key),
        ):
            if asked(name):
                self._columns.append(column)
        self._has_value = asked("value", default=True)
        if self._has_value:
            self._columns.append(self._value)
        self._separator = text("key.separator", "\t")
        self._end = text("line.separator", "\n")
        self._between_headers = text("headers.separator", ",")
        self._null = text("null.literal", "null")
        self._read_key = deserializer(settings.get("key.deserializer"))
        self._read_value = deserializer(settings.get("value.deserializer"))
        self._read_header = deserializer(settings.get("headers.deserializer"))

    def line(self, record: ConsumedRecord) -> bytes:
        parts = [column(record) for column in self._columns]
        return self._separator.join(parts) + self._end if parts else b""

    def _headers(self, record: ConsumedRecord) -> bytes:
        return self._between_headers.join(
            name.encode() + b":" + self._read_header(self._null if value is None else value)
            for name, value in record.headers
        ) or (b"" if record.headers else b"NO_HEADERS")

    def _key(self, record: ConsumedRecord) -> bytes:
        return self._read_key(self._null if record.key is None else record.key)

    def _value(self, record: ConsumedRecord) -> bytes:
        return self._read_value(self._null if record.value is None else record.value)


@final
class NoFormatter:
    """Writes nothing: to see how fast records come, or that they do."""

    def line(self, record: ConsumedRecord) -> bytes:
        return b""


@final
class CoordinatorFormatter:
    """Records of some types of one coordinator, as JSON; the others are passed over."""

    def __init__(self, area: Coordinator, types: frozenset[int] | None) -> None:
        self._area = area
        self._types = types

    def line(self, record: ConsumedRecord) -> bytes:
        if record.key is None:
            return b""
        try:
            type_id = int.from_bytes(record.key[:2], "big", signed=True)
            if self._types is not None and type_id not in self._types:
                return b""
            _, key, versioned = coordinator_json_untrusted(self._area, record.key, record.value)
        except UnknownType:
            return b""
        except RemoteProtocolError as error:
            raise Unformattable(f"{record.topic}-{record.partition}: {error}") from None
        value: Json = None
        if versioned is not None:
            value = {"version": versioned[0], "data": versioned[1]}
        return java_json({"key": {"type": type_id, "data": key}, "value": value}).encode()


def formatter(class_name: str, settings: Mapping[str, str]) -> Formatter:
    """Kafka's formatter of that name, whatever its package was. Raises Refused for another."""
    match class_name.replace("$", ".").rpartition(".")[2]:
        case "DefaultMessageFormatter" | "LoggingMessageFormatter":
            return DefaultFormatter(settings)
        case "NoOpMessageFormatter":
            return NoFormatter()
        case "OffsetsMessageFormatter":
            return CoordinatorFormatter("group", _OFFSET_COMMITS)
        case "GroupMetadataMessageFormatter":
            return CoordinatorFormatter("group", _GROUPS)
        case "ShareGroupMessageFormatter":
            return CoordinatorFormatter("group", _SHARE_GROUPS)
        case "TransactionLogMessageFormatter":
            return CoordinatorFormatter("transaction", None)
        case "ShareGroupStateMessageFormatter":
            return CoordinatorFormatter("share", None)
    raise Refused(f"{class_name}: this formatter is not there")


def deserializer(class_name: str | None) -> Read:
    """Kafka's deserializer and then `toString`; None: bytes as they are. Raises Refused."""
    if class_name is None:
        return _as_is
    name = class_name.removeprefix(_PACKAGE)
    found = _DESERIALIZERS.get(name)
    if found is None:
        known = ", ".join(_DESERIALIZERS)
        raise Refused(f"{class_name}: this deserializer is not there; there are {known}")
    return found


def _timestamp(record: ConsumedRecord) -> bytes:
    kind = b"LogAppendTime" if record.timestamp_type == LOG_APPEND_TIME else b"CreateTime"
    return b"%s:%d" % (kind, record.timestamp)


def _as_is(data: bytes) -> bytes:
    return data


def _string(data: bytes) -> bytes:
    return data.decode(errors="replace").encode()


def _of(name: str, layout: str) -> Read:
    number = Struct(layout)

    def read(data: bytes) -> bytes:
        if len(data) != number.size:
            raise Unformattable(f"Size of data received by {name}Deserializer is not {number.size}")
        return str(number.unpack(data)[0]).encode()

    return read


def _double(data: bytes) -> bytes:
    return java_double(_fixed("Double", ">d", data)).encode()


def _float(data: bytes) -> bytes:
    """The shortest digits that are this float again."""
    value = _fixed("Float", ">f", data)
    for digits in range(1, _FLOAT_DIGITS_MAX + 1):
        text = f"{value:.{digits}g}"
        if Struct(">f").pack(float(text)) == data:
            return java_double(float(text)).encode()
    return java_double(value).encode()


def _fixed(name: str, layout: str, data: bytes) -> float:
    number = Struct(layout)
    if len(data) != number.size:
        raise Unformattable(f"Size of data received by {name}Deserializer is not {number.size}")
    value: float = number.unpack(data)[0]
    return value


def _boolean(data: bytes) -> bytes:
    if data not in (b"\0", b"\1"):
        raise Unformattable("Unexpected byte received by BooleanDeserializer")
    return b"true" if data == b"\1" else b"false"


def _uuid(data: bytes) -> bytes:
    try:
        return str(uuid.UUID(data.decode())).encode()
    except ValueError:
        raise Unformattable("Error parsing data into UUID") from None


def _bytes(data: bytes) -> bytes:
    """Kafka's `Bytes`: what is no printable ASCII, and the backslash, as \\xE4."""
    return "".join(
        chr(byte) if byte in _PRINTABLE and byte != 0x5C else f"\\x{byte:02X}" for byte in data
    ).encode()


def _void(data: bytes) -> bytes:
    raise Unformattable("Data should be null for a VoidDeserializer.")


_DESERIALIZERS: Final[Mapping[str, Read]] = {
    "StringDeserializer": _string,
    "IntegerDeserializer": _of("Integer", ">i"),
    "LongDeserializer": _of("Long", ">q"),
    "ShortDeserializer": _of("Short", ">h"),
    "DoubleDeserializer": _double,
    "FloatDeserializer": _float,
    "BooleanDeserializer": _boolean,
    "UUIDDeserializer": _uuid,
    "BytesDeserializer": _bytes,
    "ByteArrayDeserializer": _as_is,
    "VoidDeserializer": _void,
}
