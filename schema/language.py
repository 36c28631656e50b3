"""The words the schema is written in: one file per API key or stored record, read by `tools/gen.py`.

A field is on the wire in versions `since`..`until` of its message, in the order written. `nullable`
is True (in every version), or the first version that may carry a null, or a (first, last) pair. A
field with a `tag` travels in the tag section and is left out when it equals its default. What a
version lacks may be dropped silently only if the field is `ignorable`; otherwise encoding refuses.

    int32("rebalance_timeout_ms", since=1, default=-1, ignorable=True)
    array("partitions", int32)
    array("topics", "FetchTopic", [string("topic", until=12), uuid("topic_id", since=13)])
    struct("cursor", "Cursor", [...], nullable=True, default=None)

A struct's name is a class in the generated module; a second use of a name repeats no fields.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Default = int | float | bool | str | bytes | None
Nullable = bool | int | tuple[int, int]
VERSION_MAX: Final = 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `type` is a wire type, or the name of a struct; `many` makes it an array of them."""

    name: str
    type: str
    many: bool = False
    fields: tuple["Field", ...] | None = None
    since: int = 0
    until: int = VERSION_MAX
    nullable_since: int = VERSION_MAX + 1
    nullable_until: int = VERSION_MAX
    tag: int | None = None
    default: Default = None
    defaults_to_null: bool = False
    ignorable: bool = False
    key: bool = False
    classic: bool = False


class _Unset:
    """No default was written: the zero of the type."""


_UNSET: Final = _Unset()
_ZEROS: Final[dict[str, Default]] = {
    "bool": False,
    "float64": 0.0,
    "string": "",
    "bytes": b"",
    "records": b"",
    "uuid": bytes(16),
}


def _field(
    name: str,
    type_name: str,
    *,
    many: bool = False,
    fields: Sequence[Field] | None = None,
    since: int = 0,
    until: int = VERSION_MAX,
    nullable: Nullable = False,
    tag: int | None = None,
    default: Default | _Unset = _UNSET,
    ignorable: bool = False,
    key: bool = False,
    classic: bool = False,
) -> Field:
    nullable_since, nullable_until = VERSION_MAX + 1, VERSION_MAX
    if nullable is True:
        nullable_since = since
    elif isinstance(nullable, tuple):
        nullable_since, nullable_until = nullable
    elif nullable is not False:
        nullable_since = nullable
    return Field(
        name=name,
        type=type_name,
        many=many,
        fields=None if fields is None else tuple(fields),
        since=since,
        until=until,
        nullable_since=nullable_since,
        nullable_until=nullable_until,
        tag=tag,
        default=_ZEROS.get(type_name, 0) if isinstance(default, _Unset) else default,
        # Kafka's records have no empty default: where they may be null, they are.
        defaults_to_null=default is None or (type_name == "records" and nullable is not False),
        ignorable=ignorable,
        key=key,
        classic=classic,
    )


def _scalar(type_name: str) -> Callable[..., Field]:
    def scalar(name: str, **attributes: object) -> Field:
        return _field(name, type_name, **attributes)  # type: ignore[arg-type]

    scalar.__name__ = type_name
    return scalar


boolean: Final = _scalar("bool")
int8: Final = _scalar("int8")
int16: Final = _scalar("int16")
uint16: Final = _scalar("uint16")
int32: Final = _scalar("int32")
uint32: Final = _scalar("uint32")
int64: Final = _scalar("int64")
float64: Final = _scalar("float64")
string: Final = _scalar("string")
octets: Final = _scalar("bytes")
records: Final = _scalar("records")
uuid: Final = _scalar("uuid")


def array(
    name: str,
    element: Callable[..., Field] | str,
    fields: Sequence[Field] | None = None,
    **attributes: object,
) -> Field:
    """An array of scalars, `array("partitions", int32)`, or of structs (by name)."""
    type_name = element if isinstance(element, str) else element.__name__
    return _field(name, type_name, many=True, fields=fields, **attributes)  # type: ignore[arg-type]


def struct(
    name: str, struct_name: str, fields: Sequence[Field] | None = None, **attributes: object
) -> Field:
    """One struct inside another."""
    return _field(name, struct_name, fields=fields, **attributes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The fields of one message and the versions in which they travel."""

    name: str
    fields: tuple[Field, ...]
    version_min: int
    version_max: int
    flexible_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSchema:
    """One API key. `advertised` is the widest range the broker may ever announce to a client."""

    key: int
    name: str
    version_min: int
    version_max: int
    flexible_from: int
    advertised_min: int
    advertised_max: int
    unstable: int | None
    listeners: tuple[str, ...]
    cluster_action: bool
    forwardable: bool
    fast: bool
    request: Body
    response: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchema:
    """One record the broker keeps: a coordinator's key and value, or a single body."""

    area: str
    name: str
    type_id: int | None
    bodies: tuple[Body, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSchema:
    """One error code of the protocol."""

    code: int
    name: str
    retriable: bool
    invalidates_metadata: bool


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _first_flexible(text: str | None) -> int:
    return VERSION_MAX + 1 if text is None else int(text.removesuffix("+"))


def api(
    *,
    key: int,
    name: str,
    versions: str,
    advertised: str | None,
    flexible: str | None,
    listeners: str,
    request: Sequence[Field],
    response: Sequence[Field],
    unstable: int | None = None,
    cluster_action: bool = False,
    forwardable: bool = False,
    fast: bool = False,
) -> ApiSchema:
    """One API key. `advertised` None: brokers among themselves. `fast`: one codec per layout."""
    low, high = _range(versions)
    advertised_min, advertised_max = (0, -1) if advertised is None else _range(advertised)
    first = _first_flexible(flexible)
    bodies = [
        Body(
            name=name + kind,
            fields=tuple(fields),
            version_min=low,
            version_max=high,
            flexible_from=first,
        )
        for kind, fields in (("Request", request), ("Response", response))
    ]
    return ApiSchema(
        key=key,
        name=name,
        version_min=low,
        version_max=high,
        flexible_from=first,
        advertised_min=advertised_min,
        advertised_max=advertised_max,
        unstable=unstable,
        listeners=tuple(listeners.split()),
        cluster_action=cluster_action,
        forwardable=forwardable,
        fast=fast,
        request=bodies[0],
        response=bodies[1],
    )


def body(name: str, versions: str, flexible: str | None, fields: Sequence[Field]) -> Body:
    low, high = _range(versions)
    return Body(
        name=name,
        fields=tuple(fields),
        version_min=low,
        version_max=high,
        flexible_from=_first_flexible(flexible),
    )


def stored(
    *,
    area: str,
    name: str,
    versions: str,
    flexible: str | None,
    fields: Sequence[Field],
    type_id: int | None = None,
    key: Sequence[Field] | None = None,
) -> StoredSchema:
    """A record the broker keeps. With a `key`, the name stands for the pair NameKey, NameValue.

    `type_id`: the coordinator's key type, or the metadata record's API key.
    """
    if key is None:
        bodies = [body(name, versions, flexible, fields)]
    else:
        bodies = [
            body(name + "Key", "0", None, key),
            body(name + "Value", versions, flexible, fields),
        ]
    return StoredSchema(area=area, name=name, type_id=type_id, bodies=tuple(bodies))


def error(
    code: int, name: str, *, retriable: bool = False, invalidates_metadata: bool = False
) -> ErrorSchema:
    """`retriable`: the same request may succeed later. `invalidates_metadata`: ask who leads first."""
    return ErrorSchema(
        code=code, name=name, retriable=retriable, invalidates_metadata=invalidates_metadata
    )
