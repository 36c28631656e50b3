"""InitProducerId: fresh ids for idempotent producers, a final no for transactions."""

import pytest

from ottla.broker.handle.init_producer_id import API_KEY, VERSIONS, HandleInitProducerId
from ottla.core.controller.producer_ids import BLOCK_IDS, ProducerIds
from ottla.errors import ErrorCode
from ottla.wire.api import APIS
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from tests.unit.broker.handle.metadata_node import ask
from tests.unit.core.controller.one_node import OneNode, call, start

EVERY = range(VERSIONS[0], VERSIONS[1] + 1)


@pytest.fixture
def node() -> OneNode:
    return start()


@pytest.fixture
def handle(node: OneNode) -> HandleInitProducerId:
    return HandleInitProducerId(
        ids=ProducerIds(node.controller), transaction_timeout_ms_max=900_000
    )


def asked(
    node: OneNode, handle: HandleInitProducerId, version: int, **fields: object
) -> tuple[int, int, int]:
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    for name, value in fields.items():
        setattr(request, name, value)
    answer = ask(node, handle, request, version, InitProducerIdResponse)
    return answer.error_code, answer.producer_id, answer.producer_epoch


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS


@pytest.mark.parametrize("version", EVERY)
def test_every_producer_gets_its_own_id(
    node: OneNode, handle: HandleInitProducerId, version: int
) -> None:
    assert asked(node, handle, version) == (0, 0, 0)
    assert asked(node, handle, version) == (0, 1, 0)


def test_a_timeout_means_nothing_without_a_transactional_id(
    node: OneNode, handle: HandleInitProducerId
) -> None:
    assert asked(node, handle, 5, transaction_timeout_ms=2**31 - 1) == (0, 0, 0)


@pytest.mark.parametrize("version", EVERY[3:])
def test_who_names_the_id_it_had_gets_a_fresh_one(
    node: OneNode, handle: HandleInitProducerId, version: int
) -> None:
    assert asked(node, handle, version) == (0, 0, 0)
    assert asked(node, handle, version, producer_id=0, producer_epoch=3) == (0, 1, 0)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"producer_id": 5}, ErrorCode.INVALID_REQUEST),
        ({"producer_epoch": 5}, ErrorCode.INVALID_REQUEST),
        ({"transactional_id": ""}, ErrorCode.INVALID_REQUEST),
        ({"transactional_id": "t"}, ErrorCode.UNSUPPORTED_VERSION),
        (
            {"transactional_id": "t", "transaction_timeout_ms": 0},
            ErrorCode.INVALID_TRANSACTION_TIMEOUT,
        ),
        (
            {"transactional_id": "t", "transaction_timeout_ms": 900_001},
            ErrorCode.INVALID_TRANSACTION_TIMEOUT,
        ),
    ],
)
def test_what_is_refused(
    node: OneNode, handle: HandleInitProducerId, fields: dict[str, object], error: ErrorCode
) -> None:
    assert asked(node, handle, 5, **fields) == (error, -1, -1)


def test_more_producers_than_a_block_has_are_all_served(
    node: OneNode, handle: HandleInitProducerId
) -> None:
    request = InitProducerIdRequest(transactional_id=None)
    waiting = BLOCK_IDS + 5
    for slot in range(waiting):
        assert node.perform(handle(1, call(API_KEY, 5, slot=slot), request)) == []
    replies = node.flush()
    assert [reply.response.producer_id for reply in replies] == list(range(waiting))


def test_a_disk_that_refuses_is_told(node: OneNode, handle: HandleInitProducerId) -> None:
    node.disk.fail_in(1, changes_only=True)
    assert asked(node, handle, 0) == (ErrorCode.KAFKA_STORAGE_ERROR, -1, -1)
    assert asked(node, handle, 0) == (0, 0, 0)
