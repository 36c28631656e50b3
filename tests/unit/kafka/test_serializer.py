"""Three forms of a serializer become one."""

import pytest

from ottla.kafka.errors import InvalidConfigValueError
from ottla.kafka.serializer import (
    DefaultSerializer,
    JsonSerializer,
    deserializing,
    serializing,
)


class Old:
    def serialize(self, topic: str, value: object) -> bytes:
        return f"{topic}:{value}".encode()

    def deserialize(self, topic: str, data: bytes) -> str:
        return f"{topic}:{data.decode()}"


def test_a_function_sees_the_value_only() -> None:
    serialize = serializing("value_serializer", str.encode)
    assert serialize is not None
    assert serialize("t", (), "x") == b"x"
    deserialize = deserializing("value_deserializer", bytes.decode)
    assert deserialize is not None
    assert deserialize("t", (), b"x") == "x"


def test_objects_of_both_generations_are_called_as_they_expect() -> None:
    old, new = serializing("s", Old()), serializing("s", JsonSerializer())
    assert old is not None
    assert new is not None
    assert old("t", (), 1) == b"t:1"
    assert new("t", (), {"a": 1}) == b'{"a": 1}'
    back, forth = deserializing("d", Old()), deserializing("d", JsonSerializer())
    assert back is not None
    assert forth is not None
    assert back("t", (), b"x") == "t:x"
    assert forth("t", (), b'{"a": 1}') == {"a": 1}


def test_none_means_none() -> None:
    assert serializing("s", None) is None
    assert deserializing("s", None) is None
    assert JsonSerializer().serialize("t", (), None) is None
    assert DefaultSerializer().deserialize("t", (), None) is None


def test_text_needs_no_serializer_of_its_own() -> None:
    default = DefaultSerializer()
    assert default.serialize("t", (), "ä") == "ä".encode()
    assert default.serialize("t", (), b"x") == b"x"
    with pytest.raises(TypeError, match="neither text nor bytes"):
        default.serialize("t", (), 1)


def test_what_cannot_be_called_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfigValueError, match="value_serializer=3"):
        serializing("value_serializer", 3)
