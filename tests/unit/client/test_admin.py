"""What brokers answer to questions about topics."""

import pytest

from ottla.client.admin import (
    NewTopic,
    check_created_untrusted,
    check_deleted_untrusted,
    create_request,
    overrides_untrusted,
)
from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.create_topics import CreatableTopicResult, CreateTopicsResponse
from ottla.wire.message.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from ottla.wire.message.describe_configs import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)


def test_counts_nobody_gave_are_the_brokers_to_choose() -> None:
    [topic] = create_request(NewTopic(name="t", configs={"a": "b"}), 10).topics
    assert (topic.num_partitions, topic.replication_factor) == (-1, -1)
    assert [(config.name, config.value) for config in topic.configs] == [("a", "b")]


def test_a_refusal_carries_the_brokers_words() -> None:
    refused = CreatableTopicResult(
        name="t", error_code=ErrorCode.INVALID_CONFIG, error_message="bad a"
    )
    with pytest.raises(ApiError, match="INVALID_CONFIG: bad a"):
        check_created_untrusted("t", CreateTopicsResponse(topics=[refused]))
    check_created_untrusted("t", CreateTopicsResponse(topics=[CreatableTopicResult(name="t")]))
    gone = DeletableTopicResult(name="t", error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    with pytest.raises(ApiError, match="UNKNOWN_TOPIC"):
        check_deleted_untrusted("t", DeleteTopicsResponse(responses=[gone]))


def test_an_answer_about_another_topic_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="'t'"):
        check_created_untrusted("t", CreateTopicsResponse())
    with pytest.raises(RemoteProtocolError, match="'t'"):
        check_deleted_untrusted("t", DeleteTopicsResponse())


def test_overrides_are_what_is_no_default() -> None:
    configs = [
        DescribeConfigsResourceResult(name="own", value="1", config_source=1),
        DescribeConfigsResourceResult(name="default", value="2", config_source=5),
        DescribeConfigsResourceResult(name="old broker's own", value="3"),
        DescribeConfigsResourceResult(name="old broker's default", value="4", is_default=True),
    ]
    response = DescribeConfigsResponse(
        results=[
            DescribeConfigsResult(resource_name="t", configs=configs),
            DescribeConfigsResult(resource_name="refused", error_code=29),
        ]
    )
    assert overrides_untrusted(response) == {"t": [("own", "1"), ("old broker's own", "3")]}
