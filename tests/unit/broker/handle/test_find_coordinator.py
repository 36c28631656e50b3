"""FindCoordinator names this broker, in every version, on the listener of the call."""

import pytest

from ottla.broker.handle.find_coordinator import HandleFindCoordinator
from ottla.core.controller.topics import TopicDefaults
from ottla.errors import ErrorCode
from ottla.settings.broker import broker_settings
from ottla.settings.definition import Source
from ottla.settings.parse import Resolved
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.unit.broker.handle.metadata_node import REACH, ask
from tests.unit.core.controller.one_node import NODE_ID, OneNode, start
from tests.unit.core.replica.house import Counting


@pytest.fixture
def node() -> OneNode:
    return start()


def handler(node: OneNode, *overrides: str) -> HandleFindCoordinator:
    pairs = dict(one.split("=", 1) for one in (f"node.id={NODE_ID}", *overrides))
    given = {key: Resolved(text, Source.STATIC_BROKER, "a test") for key, text in pairs.items()}
    return HandleFindCoordinator(
        current=node.current,
        controller=node.controller,
        defaults=TopicDefaults(partitions=1, replication_factor=1),
        settings=broker_settings(given),
        entropy=Counting(),
        reach=REACH,
    )


@pytest.mark.parametrize(
    ("version", "key_type"),
    [(0, 0)] + [(version, key_type) for version in range(1, 7) for key_type in (0, 1)],
)
def test_groups_and_transactions_are_coordinated_here(
    node: OneNode, version: int, key_type: int
) -> None:
    if version < 4:
        request = FindCoordinatorRequest("g", key_type)
        answer = ask(node, handler(node), request, version, FindCoordinatorResponse)
        places = [(answer.node_id, answer.host, answer.port, answer.error_code)]
    else:
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["g", "h"])
        answer = ask(node, handler(node), request, version, FindCoordinatorResponse)
        assert [one.key for one in answer.coordinators] == ["g", "h"]
        places = [(c.node_id, c.host, c.port, c.error_code) for c in answer.coordinators]
    assert set(places) == {(NODE_ID, "127.0.0.1", 19092, 0)}


@pytest.mark.parametrize("key_type", [2, 3, -1])
def test_other_kinds_are_refused_for_each_key(node: OneNode, key_type: int) -> None:
    request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["a", "b"])
    answer = ask(node, handler(node), request, 6, FindCoordinatorResponse)
    assert [one.error_code for one in answer.coordinators] == [ErrorCode.INVALID_REQUEST] * 2
    assert f"key type {key_type}" in (answer.coordinators[0].error_message or "")


def test_the_first_who_asks_for_a_group_has_the_topic_made(node: OneNode) -> None:
    handle = handler(node, "offsets.topic.num.partitions=7", "offsets.topic.segment.bytes=1048576")
    request = FindCoordinatorRequest("g", 0)
    assert ask(node, handle, request, 3, FindCoordinatorResponse).error_code == 0
    topic = node.current.image.topics["__consumer_offsets"]
    assert len(topic.partitions) == 7
    configs = node.current.image.topic_configs("__consumer_offsets")
    assert configs["cleanup.policy"] == "compact"
    assert configs["segment.bytes"] == "1048576"


def test_a_transactional_id_makes_no_topic(node: OneNode) -> None:
    ask(node, handler(node), FindCoordinatorRequest("x", 1), 3, FindCoordinatorResponse)
    assert not node.current.image.topics


def test_more_replicas_than_brokers_are_no_coordinator(node: OneNode) -> None:
    handle = handler(node, "offsets.topic.replication.factor=3")
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["a", "b"])
    answer = ask(node, handle, request, 6, FindCoordinatorResponse)
    assert [one.error_code for one in answer.coordinators] == [
        ErrorCode.COORDINATOR_NOT_AVAILABLE
    ] * 2
    assert "replication factor 3" in (answer.coordinators[0].error_message or "")
