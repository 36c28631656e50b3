"""A real broker for each module: tools have loops of their own."""

from collections.abc import Iterator

import pytest

from tests.unit.fakes.served_broker import ServedBroker


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = ServedBroker(tmp_path_factory.mktemp("broker"))
    yield broker.bootstrap
    broker.stop()
