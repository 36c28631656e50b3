"""What went wrong in Apache Kafka, by CVE, and that it does not here.

Rows about what is not here yet (SASL, OAUTHBEARER, SCRAM, ACLs, Connect, login modules) get their test
with the feature: 2017-12610, 2021-38153, 2023-25194, 2024-27309, 2024-56128, 2025-27817 to 27819.
Decompression (2023-34455, 2025-12183, 2025-66566) is in `test_bounded_answers.py`; what length prefixes
cost (2022-34917) also in `tests/unit/wire/test_hostile_bytes.py`.
"""

import logging
import tracemalloc

import pytest

from ottla.core.replica.isr import ACKS_ALL
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.settings.topic import check_topic_overrides
from ottla.wire.api import APIS
from ottla.wire.frame import BufferPool
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.message.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ReplicaState,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.server import ServerConnection
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode, request_bytes
from tests.unit.core.replica.house import batch
from tests.unit.fakes.disk import MemoryDisk
from tests.unit.wire.test_server import ORIGIN


def create(peer: Peer, *names: str, **configs: str) -> None:
    given = [CreatableTopicConfig(key.replace("_", "."), text) for key, text in configs.items()]
    topics = [
        CreatableTopic(name=name, num_partitions=1, replication_factor=1, configs=given)
        for name in names
    ]
    answer = peer.ask(CreateTopicsRequest(topics=topics), 5, CreateTopicsResponse)
    assert [row.error_code for row in answer.topics] == [0] * len(names)


def produced(*parts: tuple[str, bytes | memoryview]) -> ProduceRequest:
    return ProduceRequest(
        acks=ACKS_ALL,
        timeout_ms=1000,
        topic_data=[
            TopicProduceData(name, partition_data=[PartitionProduceData(records=data)])
            for name, data in parts
        ],
    )


def errors(answer: ProduceResponse) -> list[int]:
    return [topic.partition_responses[0].error_code for topic in answer.responses]


@pytest.mark.parametrize("version", [12, 15])
def test_cve_2018_1288_a_client_cannot_fetch_as_a_follower(version: int) -> None:
    """It moved the high watermark, and records were lost."""
    whole = WholeNode(MemoryDisk(NOW_MS))
    peer = whole.connect()
    create(peer, "t")
    assert errors(peer.ask(produced(("t", batch(b"v"))), 9, ProduceResponse)) == [0]
    topic = whole.node.current.image.topics["t"]
    asked = FetchTopic("t", topic.topic_id, [FetchPartition(fetch_offset=1)])
    request = FetchRequest(max_wait_ms=0, topics=[asked])
    if version >= 15:
        request.topics[0].topic = ""
        request.replica_state = ReplicaState(replica_id=1, replica_epoch=1)
    else:
        request.topics[0].topic_id = bytes(16)
        request.replica_id = 1
    answer = peer.ask(request, version, FetchResponse)
    row = answer.responses[0].partitions[0]
    assert row.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert row.high_watermark == -1


@pytest.mark.parametrize(
    "key", [key for key, api in APIS.items() if api.cluster_action and api.advertised_max < 0]
)
def test_cve_2018_1288_what_brokers_say_to_each_other_is_not_served_to_clients(key: int) -> None:
    whole = WholeNode(MemoryDisk())
    assert key not in whole.node.routes.advertised()
    peer = whole.connect()
    api = APIS[key]
    before = whole.node.current.image
    try:
        peer.send_bytes(request_bytes(key, api.max_version, 1, bytes(200)))
    except RemoteProtocolError:
        return  # two hundred zeros are no such request
    assert whole.closed or peer.raw
    assert whole.node.current.image is before


def test_cve_2018_17196_every_batch_of_a_request_is_asked_whether_it_is_transactional() -> None:
    """Only the first was looked at, so a second could claim what its sender must not."""
    peer = WholeNode(MemoryDisk(NOW_MS)).connect()
    create(peer, "a", "b")
    plain = bytes(batch(b"v"))
    claimed = bytes(
        batch(b"v", producer_id=1, producer_epoch=0, base_sequence=0, transactional=True)
    )
    for parts in ((("a", plain), ("b", claimed)), (("a", claimed), ("b", plain))):
        refused = errors(peer.ask(produced(*parts), 9, ProduceResponse))
        assert refused == [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED] * 2


def test_cve_2019_12399_secrets_are_not_described() -> None:
    whole = WholeNode(MemoryDisk(), "ssl.keystore.password=canary", "ssl.key.password=canary")
    resource = DescribeConfigsResource(resource_type=4, resource_name="1")
    request = DescribeConfigsRequest(
        resources=[resource], include_synonyms=True, include_documentation=True
    )
    peer = whole.connect()
    result = peer.ask(request, 4, DescribeConfigsResponse).results[0]
    rows = {row.name: row for row in result.configs}
    assert rows["ssl.keystore.password"].is_sensitive
    assert rows["ssl.keystore.password"].value is None
    assert b"canary" not in b"".join(peer.raw)


def test_cve_2021_44228_what_is_logged_is_not_interpreted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = WholeNode(MemoryDisk())
    peer = whole.connect()
    bait = "${jndi:ldap://x}%s%n{0.__class__}"
    header = b"\x00\x18\x00\x00" + bytes(4) + len(bait).to_bytes(2, "big") + bait.encode()
    body = b"\x00\x01x" + bytes(8) + bytes(2) + bytes(4)  # AddPartitionsToTxn 0: not served
    data = header + body
    peer.send_bytes(len(data).to_bytes(4, "big") + data)
    [reason] = whole.closed.values()
    assert bait in reason
    with caplog.at_level(logging.WARNING):
        logging.getLogger("ottla").warning("connection closed: %s", reason)
    assert bait in caplog.text


def test_cve_2022_34917_an_announced_size_allocates_nothing() -> None:
    pool = BufferPool()
    pool.scratch[:12] = (100 * 1024 * 1024).to_bytes(4, "big") + bytes(8)
    connection = ServerConnection(ORIGIN, frame_bytes_max=100 * 1024 * 1024, pool=pool)
    tracemalloc.start()
    try:
        assert list(connection.received(12)) == []
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 * 1024


@pytest.mark.parametrize("text", ["${env:HOME}", "${file:/etc/passwd:x}", "${dir:/etc:passwd}"])
def test_cve_2024_31141_nothing_a_client_sets_is_looked_up(text: str) -> None:
    assert check_topic_overrides({"retention.ms": text}) is not None
    key = "leader.replication.throttled.replicas"
    wrong = check_topic_overrides({key: text})
    assert wrong is not None
    assert text in wrong


def test_cve_2026_35554_no_batch_outlives_its_buffer_in_another_topic() -> None:
    """A buffer that was used again delivered a batch to the wrong topic."""
    pool = BufferPool()
    whole = WholeNode(MemoryDisk(NOW_MS), "ottla.flush=ack")
    peer = whole.connect()
    peer._server = ServerConnection(ORIGIN, frame_bytes_max=1_000_000, pool=pool)
    peer._server.origin = peer._server.origin.__class__(
        connection_id=peer.connection_id,
        listener="PLAINTEXT",
        peer_host="127.0.0.1",
        peer_port=1,
        local_host="127.0.0.1",
        local_port=9092,
    )
    create(peer, "a", "b")
    for name in ("a", "b"):
        tag = name.encode() * 500
        number = peer.send(produced((name, batch(tag))), 9)
        pool.scratch[:] = b"\xee" * len(pool.scratch)  # while the flush is under way
        assert peer.answer(number) is None
        whole.flush()
        assert peer.answer(number) is not None
    files = {path: data for path, data in whole.disk.files().items() if path.endswith(".log")}
    of_a = b"".join(data for path, data in files.items() if path.startswith("a-0/"))
    of_b = b"".join(data for path, data in files.items() if path.startswith("b-0/"))
    assert b"a" * 500 in of_a
    assert b"b" * 500 in of_b
    assert b"b" * 500 not in of_a
    assert b"\xee" * 100 not in of_a + of_b
