"""Nothing of kafka-python's public API is missing, each method was called, and the page says so."""

import inspect
from collections.abc import Iterator

import pytest

import ottla.kafka
from ottla.kafka import errors, structs
from ottla.kafka.config import For, defaults
from tests.unit.kafka import parity
from tests.unit.kafka.parity import ABSENT, API, CLASSES, NEW, OLD, PAGE, World, methods_of


@pytest.fixture(scope="module")
def found(bootstrap: str) -> Iterator[dict[str, dict[str, str]]]:
    world = World(bootstrap)
    yield parity.statuses(world)
    world.close()


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_is_there_with_every_parameter(name: str) -> None:
    kind, calls = CLASSES[name]
    methods = methods_of(name)
    assert set(calls) == set(methods)
    for method, generations in methods.items():
        ours = inspect.signature(getattr(kind, method)).parameters
        for parameters in generations:
            for parameter in parameters or ():
                if method not in ("__exit__", "send_offsets_to_transaction"):
                    assert parameter in ours, f"{name}.{method}({parameter})"


@pytest.mark.parametrize("version", [OLD, NEW])
def test_every_name_is_there(version: str) -> None:
    for name in API[version]["exports"]:
        assert hasattr(ottla.kafka, name) is (name not in ABSENT), name
    for name in API[version]["errors"]:
        assert issubclass(getattr(errors, name), errors.KafkaError), name
    for name in API[version]["admin"]:
        assert hasattr(ottla.kafka.admin, name), name
    for name, fields in API[version]["structs"].items():
        assert list(getattr(structs, name)._fields) == fields, name


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("client", list(For))
def test_every_configuration_is_there(version: str, client: For) -> None:
    assert set(API[version]["configs"][client.value]) - set(defaults(client)) == set()


def test_the_page_is_fresh(found: dict[str, dict[str, str]]) -> None:
    assert all(status for rows in found.values() for status in rows.values())
    assert PAGE.read_text() == parity.page(found), "run: python -m tests.unit.kafka.parity"
