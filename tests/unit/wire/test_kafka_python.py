"""Agreement with an independent implementation, kafka-python: it reads what we write and the reverse."""

import importlib
import pkgutil
import warnings
from random import Random

import pytest

from ottla.types import ZERO_UUID
from ottla.wire.api import APIS
from tests.unit.wire.building import api_schemas, drawn
from tests.unit.wire.test_golden import joined

# Its way of loading resources is deprecated, which is not ours to fail on.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol
    from kafka.protocol.api_message import ApiMessage

    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        if ".old" not in module.name and "generate" not in module.name:
            importlib.import_module(module.name)


def theirs() -> dict[str, type[ApiMessage]]:
    found: dict[str, type[ApiMessage]] = {}
    todo = [ApiMessage]
    for parent in todo:
        for child in type.__subclasses__(parent):
            if child._class_version is None and child.__name__ not in found:
                found[child.__name__] = child
                todo.append(child)
    return found


THEIRS = theirs()


def flat(name: str) -> str:
    return name.replace("_", "").lower()


def assert_same(ours: object, other: object, version: int, where: str) -> None:
    """Every field of ours that they know in this version has their value."""
    if hasattr(other, "_struct"):
        fields = [field for field in other._struct._fields if field.for_version_q(version)]
        known = {flat(field.name): field.name for field in fields}
        for name in type(ours).__slots__:
            # authorized_operations is a set of operations there.
            if flat(name) in known and name != "authorized_operations":
                there = getattr(other, known[flat(name)])
                assert_same(getattr(ours, name), there, version, f"{where}.{name}")
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(other), where
        for mine, their in zip(ours, other, strict=True):
            assert_same(mine, their, version, where)
    elif hasattr(other, "hex") and hasattr(other, "bytes"):
        assert ours == other.bytes, where
    elif other is None and ours is not None:
        # Their spelling of the zero uuid, and of a tagged struct that is not there.
        assert ours == (ZERO_UUID if isinstance(ours, bytes) else type(ours)()), where
    else:
        assert ours == other, where


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_both_ways(name: str) -> None:
    their_class = THEIRS[name]
    kind = "request" if name.endswith("Request") else "response"
    api, schema = APIS[their_class.API_KEY], api_schemas()[their_class.API_KEY]
    random = Random(name)
    for version in range(min(api.max_version, their_class.max_version) + 1):
        for _ in range(2):
            message = drawn(schema, api.name + kind.capitalize(), version, random)
            if name == "ApiVersionsResponse":
                message.error_code = 0  # with an error they read version 0, whatever was asked
            data = joined(getattr(api, f"encode_{kind}")(message, version))
            decoded = their_class.decode(data, version=version)
            where = f"{name} version {version}"
            assert_same(message, decoded, version, where)
            decoded._header = None  # which its decoder leaves unset and its encoder reads
            back = bytes(decoded.encode(version=version))
            assert back == data, where
            read = getattr(api, f"decode_{kind}_untrusted")(memoryview(back), 0, version)
            assert read == message, where


def test_most_of_the_protocol_is_compared() -> None:
    assert len(THEIRS) > 80
