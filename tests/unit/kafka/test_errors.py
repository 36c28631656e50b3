"""The tree of exceptions: old handlers and new ones, codes and classes, hints."""

import importlib
import pkgutil

import pytest

import ottla.client
from ottla.client.consume.trouble import Truncated
from ottla.client.member.offsets import Rebalancing
from ottla.client.reach import Unreachable
from ottla.errors import INVALIDATES_METADATA, RETRIABLE, ApiError, ErrorCode, OttlaError
from ottla.kafka import errors
from ottla.kafka.translation import coded, public, translated
from ottla.types import TopicPartition


def test_every_code_has_its_class_and_the_class_its_code() -> None:
    for code in ErrorCode:
        kind = errors.for_code(code)
        assert kind.errno == code
        assert kind.message == code.name
        assert issubclass(kind, errors.BrokerResponseError)


def test_what_may_pass_and_what_new_metadata_mends_follow_the_facts() -> None:
    for code in ErrorCode:
        kind = errors.for_code(code)
        # kafka-python has UnknownLeaderEpochError among those that new metadata may mend.
        if code != ErrorCode.UNKNOWN_LEADER_EPOCH:
            assert issubclass(kind, errors.InvalidMetadataError) is (code in INVALIDATES_METADATA)
        assert issubclass(kind, errors.RetriableError) is (code in RETRIABLE)
        assert kind.retriable is (code in RETRIABLE)


def test_a_code_that_nobody_knows_keeps_its_number() -> None:
    kind = errors.for_code(999)
    assert issubclass(kind, errors.UnknownError)
    assert kind.errno == 999
    assert str(kind("odd")) == "[Error 999] UnrecognizedBrokerError: odd"


@pytest.mark.parametrize(
    "caught",
    [errors.NoBrokersAvailable, errors.KafkaTimeoutError, errors.RetriableError, RuntimeError],
)
def test_handlers_of_both_generations_catch_a_missing_broker(caught: type[Exception]) -> None:
    with pytest.raises(caught):
        raise errors.NoBrokersAvailable("x")


def test_wrong_configurations_are_type_errors_too() -> None:
    assert issubclass(errors.UnknownConfigError, TypeError)
    assert issubclass(errors.UnknownConfigError, errors.KafkaConfigurationError)
    assert issubclass(errors.InvalidConfigValueError, ValueError)


def test_texts_are_kafka_pythons() -> None:
    assert str(errors.TopicAlreadyExistsError("t")) == "[Error 36] TopicAlreadyExistsError: t"
    assert str(errors.KafkaTimeoutError()) == "KafkaTimeoutError"
    assert "max_poll_interval_ms" in str(errors.CommitFailedError())
    assert errors.KafkaTimeoutError("a") == errors.KafkaTimeoutError("a")
    assert errors.KafkaTimeoutError("a") != errors.RetriableError("a")


def test_a_hint_stands_below_the_message() -> None:
    error = coded(ErrorCode.INVALID_REPLICATION_FACTOR, "3 replicas")
    assert isinstance(error, errors.InvalidReplicationFactorError)
    assert str(error).endswith(
        "3 replicas\nA topic cannot have more replicas than there are brokers."
    )


def test_what_comes_from_below_is_translated_with_its_address() -> None:
    found = translated(Unreachable("host:1", "connection refused"))
    assert isinstance(found, errors.KafkaConnectionError)
    assert found.broker == "host:1"
    refused = translated(ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, "t"))
    assert isinstance(refused, errors.TopicAlreadyExistsError)
    assert refused.args == ("t",)
    mine = KeyError("x")
    assert translated(mine) is mine


def test_inside_public_only_public_exceptions_leave() -> None:
    with pytest.raises(errors.GroupIdNotFoundError) as raised, public():
        raise ApiError(ErrorCode.GROUP_ID_NOT_FOUND)
    assert isinstance(raised.value.__cause__, ApiError)
    with pytest.raises(errors.KafkaTimeoutError), public():
        raise TimeoutError


def kinds_below() -> list[type[OttlaError]]:
    """Whatever the client below may raise."""
    for module in pkgutil.walk_packages(ottla.client.__path__, "ottla.client."):
        importlib.import_module(module.name)

    def all_of(kind: type[OttlaError]) -> list[type[OttlaError]]:
        return [one for sub in kind.__subclasses__() for one in (sub, *all_of(sub))]

    return [kind for kind in all_of(OttlaError) if kind.__module__.startswith("ottla.client")]


@pytest.mark.parametrize("kind", kinds_below(), ids=lambda kind: kind.__name__)
def test_each_exception_of_the_client_has_a_public_one(kind: type[OttlaError]) -> None:
    error = kind.__new__(kind)
    found = translated(error)
    assert isinstance(found, errors.KafkaError)
    assert type(found) is not errors.KafkaError


def test_a_commit_during_a_rebalance_is_caught_under_both_names() -> None:
    found = translated(Rebalancing("try again"))
    assert isinstance(found, errors.CommitFailedError)
    assert isinstance(found, errors.RebalanceInProgressError)
    assert str(found) == "[Error 27] CommitWhileRebalancingError: try again"
    assert errors.for_code(27) is errors.RebalanceInProgressError


def test_a_truncated_log_says_where() -> None:
    place = TopicPartition("t", 0)
    found = translated(Truncated({place: 9}, {place: 7}))
    assert isinstance(found, errors.LogTruncationError)
    assert found.divergent_offsets == {place: 7}
