"""A real broker on a thread of its own, on a free port of this machine, for whoever asks for it."""

import re
from collections.abc import Iterator

import pytest

from ottla import Broker

SETTINGS = {"group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 1}


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    with Broker(port=0, settings=SETTINGS) as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    return re.sub("[^a-zA-Z0-9.-]", ".", str(request.node.name))[:200]
