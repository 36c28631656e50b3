"""A real broker for each module: tools have loops of their own."""

from collections.abc import Iterator

import pytest

from ottla import Broker


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    settings = {"group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 1}
    with Broker(port=0, settings=settings) as broker:
        yield broker.bootstrap_servers
