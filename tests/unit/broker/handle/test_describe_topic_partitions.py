"""DescribeTopicPartitions: pages that, one after the other, tell everything once."""

import pytest

from ottla.broker.handle.describe_topic_partitions import (
    API_KEY,
    VERSIONS,
    HandleDescribeTopicPartitions,
)
from ottla.core.controller.answer import Nobody
from ottla.core.controller.topics import NewTopic, TopicMaker
from ottla.core.metadata.records import PartitionChangeRecord
from ottla.errors import ErrorCode
from ottla.wire.api import APIS
from ottla.wire.message.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from tests.unit.broker.handle.metadata_node import ask
from tests.unit.core.controller.one_node import DEFAULTS, OneNode, SeededEntropy, start

SIZES = {"c": 1, "a": 5, "b": 3, "__consumer_offsets": 2}


@pytest.fixture
def node() -> OneNode:
    node = start()
    maker = TopicMaker(node.image, DEFAULTS, SeededEntropy())
    for name, partitions in SIZES.items():
        maker.make(NewTopic(name=name, partitions=partitions, configs={}))
    node.perform(node.controller.submit(1, tuple(maker.records), Nobody()))
    node.flush()
    return node


def asked(
    node: OneNode,
    *names: str,
    cursor: Cursor | None = None,
    limit: int = 2000,
    partitions_max: int = 2000,
) -> DescribeTopicPartitionsResponse:
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name) for name in names],
        response_partition_limit=limit,
        cursor=cursor,
    )
    handle = HandleDescribeTopicPartitions(current=node.current, partitions_max=partitions_max)
    return ask(node, handle, request, 0, DescribeTopicPartitionsResponse)


def rows(response: DescribeTopicPartitionsResponse) -> list[tuple[str | None, int]]:
    return [
        (topic.name, row.partition_index) for topic in response.topics for row in topic.partitions
    ]


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS


def test_everything_on_one_page(node: OneNode) -> None:
    response = asked(node)
    assert [(topic.name, len(topic.partitions)) for topic in response.topics] == sorted(
        SIZES.items()
    )
    assert response.next_cursor is None
    internal, topic, *_ = response.topics
    assert (internal.is_internal, topic.is_internal) == (True, False)
    assert topic.topic_id == node.image.topics["a"].topic_id
    assert topic.topic_authorized_operations == 0b1101_1111_1000
    row = topic.partitions[0]
    assert (row.leader_id, row.leader_epoch, list(row.replica_nodes)) == (1, 0, [1])
    assert (list(row.eligible_leader_replicas), list(row.last_known_elr)) == ([], [])


@pytest.mark.parametrize("limit", range(1, 13))
def test_pages_tell_everything_once(node: OneNode, limit: int) -> None:
    told: list[tuple[str | None, int]] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = asked(node, cursor=cursor, limit=limit)
        assert 0 < len(rows(page)) <= limit
        told += rows(page)
        cursor = page.next_cursor
        pages += 1
    assert told == [(name, number) for name in sorted(SIZES) for number in range(SIZES[name])]
    assert pages == -(-sum(SIZES.values()) // limit)


def test_the_brokers_own_limit_holds_too(node: OneNode) -> None:
    assert len(rows(asked(node, partitions_max=2))) == 2
    assert len(rows(asked(node, limit=0))) == 1
    assert len(rows(asked(node, limit=-5))) == 1


def test_named_topics_come_sorted_and_unknown_ones_are_told(node: OneNode) -> None:
    response = asked(node, "c", "nope", "a", "bad name", "a")
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("a", ErrorCode.NONE),
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("c", ErrorCode.NONE),
        ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]


def test_a_cursor_goes_on_where_it_points(node: OneNode) -> None:
    response = asked(node, cursor=Cursor("a", 3), limit=4)
    assert rows(response) == [("a", 3), ("a", 4), ("b", 0), ("b", 1)]
    assert response.next_cursor == Cursor("b", 2)


def test_a_cursor_at_a_topic_deleted_since_goes_on_behind_it(node: OneNode) -> None:
    assert rows(asked(node, cursor=Cursor("b-gone", 1))) == [("c", 0)]


@pytest.mark.parametrize("cursor", [Cursor("a", -1), Cursor("c", 0)])
def test_a_cursor_that_points_nowhere_is_refused(node: OneNode, cursor: Cursor) -> None:
    response = asked(node, "a", "b", cursor=cursor)
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("a", ErrorCode.INVALID_REQUEST),
        ("b", ErrorCode.INVALID_REQUEST),
    ]


def test_a_partition_that_nobody_leads(node: OneNode) -> None:
    record = PartitionChangeRecord(
        partition_id=0,
        topic_id=node.image.topics["c"].topic_id,
        leader=-1,
        isr=[],
        eligible_leader_replicas=[1],
        last_known_elr=[1],
    )
    node.perform(node.controller.submit(1, (record,), Nobody()))
    node.flush()
    row = asked(node, "c").topics[0].partitions[0]
    assert (row.error_code, row.leader_id, row.leader_epoch) == (0, -1, 1)
    assert (list(row.eligible_leader_replicas), list(row.last_known_elr)) == ([1], [1])
