"""From a program's values to bytes and back.

Three forms are taken wherever a serializer is expected: an object of these classes (3.x), an object
with 2.x's `serialize(topic, value)`, and a plain function of the value. `serializing` and
`deserializing` find out which at the start and return one shape, so that nothing is asked per record.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import Final, TypeAlias

from ottla.kafka.errors import InvalidConfigValueError

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
Serialize: TypeAlias = Callable[[str, Headers, object], object]
"""(topic, headers, value) -> what should be bytes or None."""
Deserialize: TypeAlias = Callable[[str, Headers, bytes | None], object]

_FULL: Final = 3


class Serializer(ABC):
    """Subclass it to look at the topic or the headers; a plain function of the value is enough else."""

    @abstractmethod
    def serialize(self, topic: str, headers: Headers, data: object) -> bytes | None: ...

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        pass


class Deserializer(ABC):
    @abstractmethod
    def deserialize(self, topic: str, headers: Headers, data: bytes | None) -> object: ...

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        pass


class DefaultSerializer(Serializer, Deserializer):
    """Text to bytes and back; bytes and None stay what they are."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding

    def serialize(self, topic: str, headers: Headers, data: object) -> bytes | None:
        if data is None or isinstance(data, bytes):
            return data
        if isinstance(data, bytearray | memoryview):
            return bytes(data)
        if isinstance(data, str):
            return data.encode(self._encoding)
        raise TypeError(f"{data!r} is neither text nor bytes: give a serializer for it")

    def deserialize(self, topic: str, headers: Headers, data: bytes | None) -> object:
        return None if data is None else data.decode(self._encoding)


class JsonSerializer(DefaultSerializer):
    """Anything `json` knows."""

    def serialize(self, topic: str, headers: Headers, data: object) -> bytes | None:
        return None if data is None else json.dumps(data).encode(self._encoding)

    def deserialize(self, topic: str, headers: Headers, data: bytes | None) -> object:
        return None if data is None else json.loads(data.decode(self._encoding))


def serializing(name: str, given: object) -> Serialize | None:
    """`given` as a function of topic, headers and value; None: values are bytes already."""
    if given is None:
        return None
    method = getattr(given, "serialize", None)
    if method is not None and not isinstance(given, type):
        if _takes(method) >= _FULL:
            return lambda topic, headers, value: method(topic, headers, value)
        return lambda topic, headers, value: method(topic, value)
    function = _function(name, given)
    return lambda topic, headers, value: function(value)


def deserializing(name: str, given: object) -> Deserialize | None:
    """The reverse of `serializing`. It is asked about None (a tombstone) too, as in kafka-python."""
    if given is None:
        return None
    method = getattr(given, "deserialize", None)
    if method is not None and not isinstance(given, type):
        if _takes(method) >= _FULL:
            return lambda topic, headers, data: method(topic, headers, data)
        return lambda topic, headers, data: method(topic, data)
    function = _function(name, given)
    return lambda topic, headers, data: function(data)


def _function(name: str, given: object) -> Callable[[object], object]:
    if not callable(given):
        raise InvalidConfigValueError(
            f"{name}={given!r}: a function of the value, or an object with serialize/deserialize, "
            "is expected"
        )
    function: Callable[[object], object] = given
    return function


def _takes(method: object) -> int:
    """How many values a method takes by position; what cannot be looked into takes all."""
    if not callable(method):
        return _FULL
    try:
        parameters = signature(method).parameters.values()
    except (TypeError, ValueError):
        return _FULL
    if any(one.kind is Parameter.VAR_POSITIONAL for one in parameters):
        return _FULL
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in by_position for one in parameters)
