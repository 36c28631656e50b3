"""Kafka's smaller tools: what they take, and the lines that scripts read."""

import argparse
from pathlib import Path

import pytest

from ottla.cli.kafka import run_tool
from ottla.cli.kafka.acl_entries import Entry, Pattern, operation_name
from ottla.cli.kafka.acls import entries, named
from ottla.cli.kafka.aligned import lines as aligned
from ottla.cli.kafka.broker_api_versions import lines as versions
from ottla.cli.kafka.cluster import lines as endpoints
from ottla.cli.kafka.features import dependency_lines, wanted
from ottla.cli.kafka.features import lines as features
from ottla.cli.kafka.flags import Flags, Refused
from ottla.cli.kafka.get_offsets import by_names, by_rules, moment
from ottla.cli.kafka.leader_election import wanted as to_elect
from ottla.cli.kafka.log_dirs import as_json
from ottla.cli.kafka.metadata_quorum import rows, status
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.cli.kafka.releases import LEVELS, features_at, level_of, mapping_lines, name_of
from ottla.cli.kafka.server_stop import is_broker
from ottla.cli.kafka.storage import directories, random_uuid
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
from ottla.types import TopicPartition, uuid_from_text
from ottla.wire.message.api_versions import (
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from ottla.wire.message.describe_cluster import DescribeClusterBroker
from ottla.wire.message.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from ottla.wire.message.describe_quorum import DescribeQuorumResponsePartitionData, ReplicaState


def places(topic: str, *numbers: int) -> set[TopicPartition]:
    return {TopicPartition(topic, number) for number in numbers}


ALL = places("a", 0, 1, 2, 3) | places("b", 0, 1, 2, 3)


@pytest.mark.parametrize(
    ("rules", "chosen"),
    [
        ("a", places("a", 0, 1, 2, 3)),
        ("a:1", places("a", 1)),
        ("a:1-3", places("a", 1, 2)),
        ("a:2-,b:0", places("a", 2, 3) | places("b", 0)),
        (":-1", places("a", 0) | places("b", 0)),
        (".*:3", places("a", 3) | places("b", 3)),
    ],
)
def test_rules_choose_partitions(rules: str, chosen: set[TopicPartition]) -> None:
    assert set(filter(by_rules(rules), ALL)) == chosen


def test_names_choose_partitions() -> None:
    assert set(filter(by_names("a", "0,2"), ALL)) == places("a", 0, 2)
    assert set(filter(by_names(None, None), ALL)) == ALL
    with pytest.raises(LocalProtocolError, match="numeric partition ids, but received: x"):
        by_names("a", "x")
    with pytest.raises(LocalProtocolError, match="Invalid rule specification: a:x"):
        by_rules("a:x")


def test_moments_have_names_and_numbers() -> None:
    assert [moment(text) for text in ("latest", "earliest", "max-timestamp")] == [-1, -2, -3]
    assert (moment("-4"), moment("1700000000000")) == (-4, 1_700_000_000_000)
    with pytest.raises(LocalProtocolError, match="Malformed time argument soon"):
        moment("soon")


def test_an_error_has_kafkas_name_and_words() -> None:
    plain = ApiError(ErrorCode.NON_EMPTY_GROUP)
    assert said(plain) == "The group is not empty."
    name = "org.apache.kafka.common.errors.GroupNotEmptyException: "
    assert said_with_name(plain) == name + "The group is not empty."
    assert said_with_name(ApiError(ErrorCode.NON_EMPTY_GROUP, "no")) == name + "no"
    assert said(LocalProtocolError("so it is")) == "so it is"
    assert said(ApiError(9999)) == "UNKNOWN_ERROR_CODE_9999"


def test_versions_are_told_with_what_is_used() -> None:
    found = list(versions({0: (0, 99), 3: (0, 5), 46: (0, 0), 9999: (1, 2), 1: (90, 99)}))
    assert found[0].startswith("Produce(0): 0 to 99 [usable: 1")
    assert found[1] == "Fetch(1): 90 to 99 [unusable: node too new]"
    assert "Metadata(3): 0 to 5 [usable: 5]" in found
    assert "ListPartitionReassignments(46): 0 [usable: 0]" in found
    assert "GetTelemetrySubscriptions(71): UNSUPPORTED" in found
    assert not any(line.startswith(("LeaderAndIsr", "Vote")) for line in found)
    assert found[-1] == "UNKNOWN(9999): 1 to 2"


def test_directories_are_told_as_json() -> None:
    topics = [
        DescribeLogDirsTopic("b", [DescribeLogDirsPartition(0, 7, 1, True)]),
        DescribeLogDirsTopic("a", [DescribeLogDirsPartition(1), DescribeLogDirsPartition(0)]),
    ]
    results = [DescribeLogDirsResult(0, "/d", topics), DescribeLogDirsResult(56, "/broken")]
    assert as_json({1: results}, {"b"}) == (
        '{"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"b-0","size":7,'
        '"offsetLag":1,"isFuture":true}],"error":null,"logDir":"/d"},{"partitions":[],'
        '"error":"org.apache.kafka.common.errors.KafkaStorageException","logDir":"/broken"}]}],'
        '"version":1}'
    )
    assert as_json({1: results}, ()).index("a-0") < as_json({1: results}, ()).index("a-1")


def test_a_table_has_a_tab_after_each_cell() -> None:
    assert list(aligned(("A", "Long"), [("xyz", "1")])) == ["A  \tLong\t", "xyz\t1   \t"]


def test_endpoints_are_told() -> None:
    brokers = [DescribeClusterBroker(2, "long.example.com", 9092, "r", True)]
    assert list(endpoints(brokers)) == [
        "ID         HOST             PORT       RACK       STATE      ENDPOINT_TYPE  ",
        "2          long.example.com 9092       r          fenced     broker         ",
    ]


def quorum() -> DescribeQuorumResponsePartitionData:
    return DescribeQuorumResponsePartitionData(
        leader_id=1,
        leader_epoch=5,
        high_watermark=99,
        current_voters=[
            ReplicaState(2, bytes(range(16)), 90, 1000, 900),
            ReplicaState(1, bytes(16), 100, 2000, 2000),
        ],
        observers=[ReplicaState(3, bytes(16), 80, -1, -1)],
    )


def test_controllers_are_told_in_short() -> None:
    assert status("id", quorum(), {1: ["C://h:9093"]}) == (
        "ClusterId:              id\n"
        "LeaderId:               1\n"
        "LeaderEpoch:            5\n"
        "HighWatermark:          99\n"
        "MaxFollowerLag:         10\n"
        "MaxFollowerLagTimeMs:   1100\n"
        'CurrentVoters:          [{"id": 2, "directoryId": "AAECAwQFBgcICQoLDA0ODw"}, '
        '{"id": 1, "endpoints": ["C://h:9093"]}]\n'
        'CurrentObservers:       [{"id": 3}]'
    )


def test_controllers_are_told_one_by_one() -> None:
    found = rows(quorum(), None)
    assert [(row[0], row[3], row[6]) for row in found] == [
        ("1", "0", "Leader"),
        ("2", "10", "Follower"),
        ("3", "20", "Observer"),
    ]
    assert rows(quorum(), 2500)[0][4:6] == ("500 ms ago", "500 ms ago")
    assert rows(quorum(), 2500)[2][4:6] == ("-1", "-1")


def test_a_release_is_levels_of_features() -> None:
    assert (level_of("4.0"), level_of("4.0-IV1"), level_of("3.9.1")) == (25, 23, 21)
    assert [level_of(name) for name in LEVELS] == list(range(7, 32))
    assert (name_of(30), name_of(99)) == ("4.3-IV0", "UNKNOWN [99]")
    assert features_at(24) == {
        "kraft.version": 1,
        "transaction.version": 2,
        "group.version": 1,
        "eligible.leader.replicas.version": 0,
        "share.version": 0,
        "streams.version": 0,
    }
    assert mapping_lines("3.9")[:2] == ["metadata.version=21 (3.9)", "kraft.version=1"]
    with pytest.raises(LocalProtocolError, match=r"Unknown metadata\.version '9'"):
        level_of("9")


def test_features_are_told() -> None:
    answer = ApiVersionsResponse(
        supported_features=[
            SupportedFeatureKey("metadata.version", 7, 30),
            SupportedFeatureKey("group.version", 0, 1),
        ],
        finalized_features=[FinalizedFeatureKey("metadata.version", 29, 7)],
        finalized_features_epoch=17,
    )
    assert list(features(answer)) == [
        (
            f"Feature: {'group.version':<42}SupportedMinVersion: {'0':<17}"
            f"SupportedMaxVersion: {'1':<17}FinalizedVersionLevel: {'0':<17}Epoch: 17"
        ),
        (
            f"Feature: {'metadata.version':<42}SupportedMinVersion: {'3.3-IV3':<17}"
            f"SupportedMaxVersion: {'4.3-IV0':<17}FinalizedVersionLevel: {'4.2-IV1':<17}Epoch: 17"
        ),
    ]


@pytest.mark.parametrize(
    ("command", "said_of", "levels"),
    [
        ("upgrade", {"feature": ["a=1", "b=2"]}, {"a": 1, "b": 2}),
        ("disable", {"feature": ["a"]}, {"a": 0}),
        ("upgrade", {"release_version": "3.9"}, {"metadata.version": 21, "kraft.version": 1}),
        ("downgrade", {"metadata": "3.3"}, {"metadata.version": 7}),
    ],
)
def test_features_to_change(
    command: str, said_of: dict[str, object], levels: dict[str, int]
) -> None:
    plain: dict[str, object] = {"feature": [], "release_version": None, "metadata": None}
    assert wanted(argparse.Namespace(**(plain | said_of)), command) == levels


@pytest.mark.parametrize(
    ("said_of", "refusal"),
    [
        ({}, "You must specify at least one feature to upgrade"),
        ({"feature": ["a"]}, "equals sign not found"),
        ({"feature": ["a=b"]}, "unable to parse b as a short"),
        ({"feature": ["a=1", "a=2"]}, "Feature a was specified more than once"),
        ({"feature": ["a=1"], "release_version": "4.0"}, "Can not specify `release-version`"),
    ],
)
def test_features_that_make_no_sense(said_of: dict[str, object], refusal: str) -> None:
    plain: dict[str, object] = {"feature": [], "release_version": None, "metadata": None}
    with pytest.raises(LocalProtocolError, match=refusal):
        wanted(argparse.Namespace(**(plain | said_of)), "upgrade")


def test_what_a_feature_needs() -> None:
    assert list(dependency_lines("group.version=1")) == ["group.version=1 has no dependencies."]
    assert list(dependency_lines("eligible.leader.replicas.version=1")) == [
        "eligible.leader.replicas.version=1 requires:",
        "    metadata.version=23 (4.0-IV1)",
    ]
    with pytest.raises(LocalProtocolError, match="Unknown feature: x"):
        list(dependency_lines("x=1"))


@pytest.mark.parametrize(
    ("said_of", "refusal"),
    [
        ({"election_type": None}, "Missing required option.*election-type"),
        ({"election_type": "fair"}, "Cannot parse argument 'fair'"),
        ({}, "One and only one of the following options is required: topic, all-topic-partitions"),
        ({"topic": "t"}, "Missing required option.*partition"),
        ({"topic": "t", "all_topic_partitions": True}, "One and only one"),
    ],
)
def test_an_election_needs_to_know_of_what(said_of: dict[str, object], refusal: str) -> None:
    plain: dict[str, object] = {
        "election_type": "preferred",
        "topic": None,
        "partition": None,
        "all_topic_partitions": False,
        "path_to_json_file": None,
    }
    with pytest.raises(LocalProtocolError, match=refusal):
        to_elect(argparse.Namespace(**(plain | said_of)))


def acl_args(*words: str) -> argparse.Namespace:
    from ottla.cli.kafka.acls import add_flags

    flags = Flags("acls", "acls")
    add_flags(flags)
    return flags.read(["--bootstrap-server", "h:1", "--add", *words])


def test_an_entry_is_told_as_kafka_does() -> None:
    pattern = Pattern.of(2, "t", 3)
    assert str(pattern) == "ResourcePattern(resourceType=TOPIC, name=t, patternType=LITERAL)"
    entry = Entry.of("User:a", "*", 10, 3)
    assert str(entry) == (
        "(principal=User:a, host=*, operation=DESCRIBE_CONFIGS, permissionType=ALLOW)"
    )
    assert (pattern.resource_code, pattern.pattern_code) == (2, 3)
    assert (entry.operation_code, entry.permission_code) == (10, 3)
    assert Entry.of("User:a", "*", 99, 3).operation == "UNKNOWN"


def test_operations_have_two_spellings() -> None:
    for text in ("DescribeConfigs", "describe_configs", "DESCRIBE_CONFIGS"):
        assert operation_name(text) == "DESCRIBE_CONFIGS"
    assert operation_name("fly") == "UNKNOWN"


def test_what_producers_and_consumers_need() -> None:
    args = acl_args(
        *("--allow-principal", "User:a", "--producer", "--idempotent", "--consumer"),
        *("--topic", "t", "--group", "g"),
    )
    found = {
        pattern.resource: sorted(entry.operation for entry in of_pattern)
        for pattern, of_pattern in entries(args, named(args)).items()
    }
    assert found == {
        "TOPIC": ["CREATE", "DESCRIBE", "READ", "WRITE"],
        "GROUP": ["READ"],
        "CLUSTER": ["IDEMPOTENT_WRITE"],
    }


def test_an_operation_that_a_resource_does_not_know_is_refused() -> None:
    args = acl_args("--allow-principal", "User:a", "--operation", "Write", "--group", "g")
    with pytest.raises(Refused, match="ResourceType GROUP only supports operations"):
        entries(args, named(args))
    args = acl_args("--allow-principal", "a", "--topic", "g")
    with pytest.raises(Refused, match="principalType:principalName but got a"):
        entries(args, named(args))


def test_ids_are_random_and_no_flags() -> None:
    found = {random_uuid() for _ in range(200)}
    assert len(found) == 200
    assert not any(text.startswith("-") for text in found)
    assert all(len(uuid_from_text(text)) == 16 for text in found)


def test_log_directories_of_settings() -> None:
    assert directories({"log.dirs": "/b, /a,/b", "metadata.log.dir": "/c"}) == ["/a", "/b", "/c"]
    assert directories({"log.dir": "/a"}) == ["/a"]


def test_a_directory_is_formatted_once_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, properties = tmp_path / "data", tmp_path / "server.properties"
    properties.write_text(f"node.id=7\nlog.dirs={data}\n")
    config = ["--config", str(properties)]
    assert run_tool("storage", ["info", *config]) == 1
    assert f"{data} does not exist" in capsys.readouterr().out
    cluster_id = "b3R0bGEtY29tcGF0LTAwMQ"
    form = ["format", *config, "--cluster-id", cluster_id, "--standalone"]
    assert run_tool("storage", form) == 0
    assert f"Formatting directory {data} with metadata.version" in capsys.readouterr().out
    assert run_tool("storage", ["info", *config]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Found log directory:\n  {data}\n\nFound metadata: {{cluster.id=")
    assert "node.id=7, version=1}" in told
    assert run_tool("storage", form) == 1
    assert "is already formatted" in capsys.readouterr().err
    assert run_tool("storage", [*form, "--ignore-formatted"]) == 0
    assert run_tool("storage", ["format", *config, "--cluster-id", "short"]) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/venv/bin/python", "/venv/bin/ottla", "serve", "-p"], True),
        (["python", "-m", "ottla.cli.main", "serve"], True),
        (["python", "-m", "ottla.cli.main", "kafka", "server-start", "f"], True),
        (["python", "/venv/bin/ottla", "consume", "serve"], False),
        (["vim", "ottla"], False),
        ([""], False),
    ],
)
def test_a_broker_is_known_by_its_command_line(words: list[str], expected: bool) -> None:
    assert is_broker(words) is expected
