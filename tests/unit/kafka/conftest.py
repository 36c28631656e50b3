"""A real broker for whoever asks for it."""

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.unit.fakes.served_broker import ServedBroker


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("kafka-broker")
    broker = ServedBroker(directory)
    yield broker.bootstrap
    broker.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    return re.sub("[^a-zA-Z0-9.-]", ".", str(request.node.name))[:200]
