"""FindCoordinator names this broker, in every version, on the listener of the call."""

import pytest

from ottla.broker.handle.find_coordinator import HandleFindCoordinator
from ottla.errors import ErrorCode
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.unit.broker.handle.metadata_node import REACH, ask
from tests.unit.core.controller.one_node import NODE_ID, OneNode, start


@pytest.fixture
def node() -> OneNode:
    return start()


def handler(node: OneNode) -> HandleFindCoordinator:
    return HandleFindCoordinator(current=node.current, node_id=NODE_ID, reach=REACH)


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
