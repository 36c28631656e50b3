"""Topics, a pattern or partitions: one of them, and what it means in a cluster."""

from dataclasses import replace

import pytest

from ottla.client.consume.interest import Interest
from ottla.errors import ErrorCode, LocalProtocolError
from ottla.types import TopicPartition
from tests.unit.client.clusters import cluster

HERE = cluster(1, 2)


def interest() -> Interest:
    return Interest(exclude_internal=True)


def test_topics_are_their_partitions_as_far_as_they_are_known() -> None:
    one = interest()
    one.subscribe(["t", "unknown"], None, HERE)
    assert one.places(HERE) == {TopicPartition("t", 0), TopicPartition("t", 1)}
    assert one.topics == {"t", "unknown"}


def test_a_pattern_follows_the_cluster_and_passes_over_what_is_internal() -> None:
    one = interest()
    one.subscribe((), "t|__.*", cluster())
    topic = HERE.topics["t"]
    topics = {
        "t": topic,
        "__offsets": replace(topic, name="__offsets", is_internal=True),
        "other": replace(topic, name="other"),
    }
    one.follow(replace(HERE, topics=topics))
    assert one.topics == {"t"}


def test_a_topic_that_will_never_be_read_is_told() -> None:
    one = interest()
    one.subscribe(["t"], None, HERE)
    assert one.refusal(HERE) is None
    refused = one.refusal(cluster(1, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    assert refused is not None
    assert refused.code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert one.refusal(cluster(1, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)) is None


def test_topics_and_partitions_exclude_each_other_until_cleared() -> None:
    one = interest()
    one.assign([TopicPartition("t", 0)])
    with pytest.raises(LocalProtocolError, match="by hand"):
        one.subscribe(["t"], None, HERE)
    one.clear()
    one.subscribe(["t"], None, HERE)
    with pytest.raises(LocalProtocolError, match="subscribed"):
        one.assign([TopicPartition("t", 0)])
