"""The admin client against a broker over loopback: what it asks for happens, and answers have
kafka-python's shapes."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ottla.kafka import errors
from ottla.kafka.admin import (
    AlterConfigOp,
    ConfigResource,
    ConfigResourceType,
    ElectionType,
    KafkaAdminClient,
    MemberToRemove,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from ottla.kafka.admin.answer import Answer
from ottla.kafka.producer import KafkaProducer
from ottla.kafka.structs import (
    OffsetAndMetadata,
    OffsetAndTimestamp,
    TopicPartition,
    TopicPartitionReplica,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse


@pytest.fixture(scope="module")
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    with KafkaAdminClient(bootstrap_servers=bootstrap) as client:
        yield client


def written(bootstrap: str, topic: str, count: int) -> None:
    with KafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(count):
            producer.send(topic, b"%d" % number, partition=0, timestamp_ms=1_000 + number)


# ---- topics and partitions


def test_topics_come_and_go(admin: KafkaAdminClient, topic: str) -> None:
    made = admin.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": 5000})])
    (row,) = made["topics"]  # type: ignore[misc]
    assert (row["name"], row["num_partitions"]) == (topic, 2)
    assert row["configs"]["retention.ms"]["value"] == "5000"
    assert made.topic_errors == [(topic, 0, None)]
    admin.wait_for_topics([topic])
    assert topic in admin.list_topics()
    with pytest.raises(errors.TopicAlreadyExistsError):
        admin.create_topics([NewTopic(topic, 2, 1)])
    told = admin.create_topics([NewTopic(topic, 2, 1)], raise_errors=False)
    assert told["topics"][0]["error_code"] == 36  # type: ignore[index]
    gone = admin.delete_topics([topic])
    assert gone.topic_error_codes == [(topic, 0)]
    with pytest.raises(errors.UnknownTopicOrPartitionError):
        admin.delete_topics([topic])
    with pytest.raises(errors.KafkaTimeoutError, match="is not there after 50 ms"):
        admin.wait_for_topics([topic], timeout_ms=50)


def test_topics_are_asked_for_by_name_or_as_a_dict(admin: KafkaAdminClient, topic: str) -> None:
    admin.create_topics([f"{topic}.a"])
    admin.create_topics(
        {f"{topic}.b": {"num_partitions": 3, "configs": {"cleanup.policy": "compact"}}}
    )
    (found,) = admin.describe_topics([f"{topic}.b"])
    assert len(found["partitions"]) == 3  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="there is no 'partitions'"):
        admin.create_topics({f"{topic}.c": {"partitions": 3}})
    admin.create_topics([NewTopic(f"{topic}.d", replica_assignments={0: [1], 1: [1]})])
    (found,) = admin.describe_topics([f"{topic}.d"])
    assert len(found["partitions"]) == 2  # type: ignore[arg-type]
    checked = admin.create_topics([NewTopic(f"{topic}.e", 1, 1)], validate_only=True)
    assert checked["topics"]
    assert f"{topic}.e" not in admin.list_topics()


def test_a_description_has_the_names_of_both_generations(
    admin: KafkaAdminClient, topic: str
) -> None:
    admin.create_topics([NewTopic(topic, 1, 1)])
    (found,) = admin.describe_topics([topic])
    assert found["name"] == found["topic"] == found.topic == topic
    part = found["partitions"][0]  # type: ignore[index]
    assert part["leader"] == part["leader_id"] == part.leader == 1
    assert part["partition"] == part.partition_index == 0
    (missing,) = admin.describe_topics([f"{topic}.none"])
    assert missing["error_code"] == 3
    with pytest.raises(KeyError):
        found["nothing"]
    with pytest.raises(AttributeError, match="there is no 'nothing'"):
        found.nothing  # noqa: B018


def test_partitions_are_added_and_emptied(
    admin: KafkaAdminClient, bootstrap: str, topic: str
) -> None:
    written(bootstrap, topic, 10)
    place = TopicPartition(topic, 0)
    assert admin.create_partitions({topic: NewPartitions(3)})["results"][0]["error_code"] == 0  # type: ignore[index]
    with pytest.raises(errors.InvalidPartitionsError):
        admin.create_partitions({topic: 2})
    assert admin.delete_records({place: 4})[place]["low_watermark"] == 4
    with pytest.raises(errors.OffsetOutOfRangeError) as raised:
        admin.delete_records({place: 99})
    assert raised.value.topic_partition == place
    with pytest.raises(errors.UnknownTopicOrPartitionError):
        admin.delete_records({TopicPartition(topic, 7): 1})
    first = admin.list_partition_offsets({place: OffsetSpec.EARLIEST})
    assert first[place].offset == 4
    assert admin.list_partition_offsets({place: 1_006})[place] == OffsetAndTimestamp(6, 1_006, 0)


def test_leaders_and_replicas(admin: KafkaAdminClient, topic: str) -> None:
    admin.create_topics([NewTopic(topic, 1, 1)])
    place = TopicPartition(topic, 0)
    for kind in ("preferred", 0, ElectionType.PREFERRED):
        found = admin.elect_leaders(kind, {topic: [0]})
        assert found["error_code"] == 0
    assert admin.perform_leader_election(0, [place])["error_code"] == 0
    assert admin.alter_partition_reassignments({place: [1]}) == {place: None}
    refused = admin.alter_partition_reassignments({place: [99]})
    assert refused == {place: errors.InvalidReplicationAssignmentError}
    assert admin.list_partition_reassignments() == {}
    page = admin.describe_topic_partitions([topic], response_partition_limit=1)
    assert page["topics"][0]["partitions"][0]["isr_nodes"] == [1]  # type: ignore[index]
    replica = TopicPartitionReplica(topic, 0, 1)
    moved = admin.alter_replica_log_dirs({replica: "/nowhere"})
    assert moved == {replica: errors.LogDirNotFoundError}


# ---- configurations


def test_configurations_are_changed_one_by_one(admin: KafkaAdminClient, topic: str) -> None:
    admin.create_topics([NewTopic(topic, 1, 1)])
    change = ConfigResource("topic", topic, {"retention.ms": 5000, "preallocate": False})
    assert admin.alter_configs([change]) == {"topic": {topic: "OK"}}
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = admin.describe_configs([resource])["topic"][topic]  # type: ignore[index]
    assert found["retention.ms"]["value"] == "5000"
    assert found["retention.ms"]["config_source"] == "DYNAMIC_TOPIC_CONFIG"
    assert "segment.bytes" not in found
    every = admin.describe_configs([resource], config_filter="all")["topic"][topic]  # type: ignore[index]
    assert every["segment.bytes"]["config_type"] == "INT"
    append = ConfigResource("topic", topic, {"cleanup.policy": (AlterConfigOp.SET, "compact")})
    assert admin.alter_configs([append]) == {"topic": {topic: "OK"}}
    reset = ConfigResource("topic", topic, ["retention.ms", "cleanup.policy"])
    assert admin.reset_configs([reset]) == {"topic": {topic: "OK"}}
    left = admin.describe_configs([resource])["topic"][topic]  # type: ignore[index]
    assert set(left) == {"preallocate"}


def test_what_cannot_be_set_is_said(admin: KafkaAdminClient, topic: str) -> None:
    admin.create_topics([NewTopic(topic, 1, 1)])
    with pytest.raises(ValueError, match=r"no configuration \['bogus'\]"):
        admin.alter_configs([ConfigResource("topic", topic, {"bogus": "1"})])
    told = admin.alter_configs([ConfigResource("topic", topic, {"retention.ms": "x"})])
    assert "InvalidConfigurationError" in str(told["topic"][topic])  # type: ignore[index]
    with pytest.raises(TypeError, match="a dict of names and values"):
        admin.alter_configs([ConfigResource("topic", topic, ["retention.ms"])])
    broker = admin.describe_configs([ConfigResource("broker", 1)], config_filter="all")
    assert broker["broker"]["1"]["node.id"]["value"] == "1"  # type: ignore[index]
    assert topic in admin.list_config_resources(["topic"])["topic"]


# ---- groups


def test_groups_and_their_offsets(admin: KafkaAdminClient, bootstrap: str, topic: str) -> None:
    written(bootstrap, topic, 5)
    group, place = f"g.{topic}", TopicPartition(topic, 0)
    done = admin.alter_group_offsets(group, {place: OffsetAndMetadata(3, "note", -1)})
    assert done == {place: errors.NoError}
    assert admin.list_group_offsets(group) == {group: {place: OffsetAndMetadata(3, "note", -1)}}
    assert admin.list_consumer_group_offsets(group)[place].offset == 3
    other = TopicPartition(topic, 1)
    assert admin.list_group_offsets({group: [other]})[group][other].offset == -1
    assert group in [one["group_id"] for one in admin.list_groups(states_filter=["Empty"])]
    assert group in [name for name, _ in admin.list_consumer_groups()]
    assert admin.describe_groups([group])[group]["group_state"] == "Empty"
    assert admin.describe_consumer_groups([group])[0].state == "Empty"
    moved = admin.reset_group_offsets(group, {place: OffsetSpec.LATEST})
    assert moved[place] == {"error": errors.NoError, "offset": 5}
    assert admin.reset_group_offsets(group, {place: 99})[place]["offset"] == 5
    assert admin.delete_group_offsets(group, [place]) == {place: errors.NoError}
    missing = admin.remove_group_members(group, [MemberToRemove(member_id="nobody")])
    assert missing == {"nobody": errors.UnknownMemberIdError}
    assert admin.delete_groups([group]) == {group: "OK"}
    assert admin.delete_consumer_groups([group]) == [(group, errors.GroupIdNotFoundError)]
    assert admin.describe_groups([group])[group]["group_state"] == "Dead"
    with pytest.raises(errors.GroupIdNotFoundError):
        admin.delete_group_offsets(group, [place])


# ---- the cluster


def test_the_cluster_is_described(admin: KafkaAdminClient, bootstrap: str) -> None:
    found = admin.describe_cluster()
    (broker,) = found["brokers"]  # type: ignore[misc]
    assert f"{broker['host']}:{broker['port']}" == bootstrap
    assert broker["node_id"] == broker["broker_id"] == found["controller_id"] == 1
    assert admin.describe_log_dirs()[0]["broker"] == 1
    versions = {repr(key): found for key, found in admin.api_versions().items()}
    assert versions["<ApiKey.Produce: 0>"][1] >= 9
    assert admin.get_broker_version_data(1).api_versions[0] == versions["<ApiKey.Produce: 0>"]
    assert "metadata.version" in admin.describe_features()
    quorum = admin.describe_metadata_quorum()
    assert quorum["topics"][0]["partitions"][0]["leader_id"] == 1  # type: ignore[index]
    with pytest.raises(errors.InvalidUpdateVersionError):
        admin.update_features({"metadata.version": ("upgrade", 9999)})


def test_what_the_broker_does_not_know_is_an_exception_of_its_own(
    admin: KafkaAdminClient,
) -> None:
    upsertion = UserScramCredentialUpsertion("u", ScramMechanism.SCRAM_SHA_256, "p", 4096, b"s")
    assert len(upsertion.salted_password) == 32
    for ask in (
        lambda: admin.alter_user_scram_credentials([upsertion]),
        admin.find_hanging_transactions,
    ):
        with pytest.raises(errors.UnsupportedVersionError) as raised:
            ask()
        assert isinstance(raised.value, errors.IncompatibleBrokerVersion)


def test_messages_may_be_sent_as_they_are(admin: KafkaAdminClient) -> None:
    assert isinstance(admin.send_request(MetadataRequest()), MetadataResponse)
    assert isinstance(admin.send_request(MetadataRequest(), node_id=1), MetadataResponse)
    many = admin.send_requests([(MetadataRequest(), None)], lambda found: type(found).__name__)
    assert many == ["MetadataResponse"]


# ---- life


def test_a_closed_client_says_so(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.close()
    admin.close()
    with pytest.raises(errors.IllegalStateError, match="closed"):
        admin.list_topics()


def test_what_nobody_closed_is_closed(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    thread, client = admin._session.thread, admin._session.client
    del admin
    thread.run(asyncio.sleep(0))  # what was begun before has begun
    assert client._is_closed


def test_where_no_broker_is_the_constructor_says_where_it_looked() -> None:
    began = time.monotonic()
    with pytest.raises(
        errors.NoBrokersAvailable, match=r"127\.0\.0\.1:1: connection refused"
    ) as raised:
        KafkaAdminClient(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=100)
    assert time.monotonic() - began < 5
    assert raised.value.broker == "127.0.0.1:1"
    assert raised.value.hint is not None
    assert raised.value.retriable


def test_an_answer_is_a_dict() -> None:
    found = Answer(name="t", leader_id=3)
    assert found == {"name": "t", "leader_id": 3}
    assert (found.topic, found["leader"]) == ("t", 3)
    assert not hasattr(found, "__wrapped__")
