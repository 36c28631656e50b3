"""What clients ask and the node answers, in words: one line for what matters, none for the rest."""

import pytest

from ottla.cli.explain import ExplainedNode, Narrator
from ottla.client.member.protocol import assignment
from ottla.core.effect import Effect, Reply
from ottla.core.event import Disconnected, Event, Received
from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.types import TopicPartition, Uuid
from ottla.wire.api import Message
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
    ListOffsetsTopicResponse,
)
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.wire.message.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.server import Call, Origin

ID: Uuid = bytes(range(16))


class Told:
    """Lines of a narrator whose peer is one connection, without those of meeting it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.narrator = Narrator(self)
        self._slot = 0

    def __call__(self, who: str, does: str, what: str) -> None:
        self.lines.append(f"{who} {does} {what}")

    def call(self, client_id: str | None = "c", connection_id: int = 1) -> Call:
        origin = Origin(
            connection_id=connection_id,
            listener="PLAINTEXT",
            peer_host="10.0.0.2",
            peer_port=4000,
            local_host="10.0.0.1",
            local_port=9092,
        )
        self._slot += 1
        return Call(origin, 0, 0, 0, client_id, self._slot)

    def of(self, request: Message, response: Message) -> list[str]:
        call = self.call()
        self.narrator.asked(call, request)
        self.narrator.answered(call, response)
        said = [line for line in self.lines if "connects" not in line]
        self.lines.clear()
        return said


def records(count: int, base_offset: int = 0) -> bytes:
    builder = BatchBuilder()
    for _ in range(count):
        builder.append(0, None, b"v")
    return bytes(builder.build(base_offset=base_offset))


def produce(data: bytes | None, acks: int = 1) -> ProduceRequest:
    parts = [PartitionProduceData(index=0, records=data)]
    return ProduceRequest(acks=acks, topic_data=[TopicProduceData(name="t", partition_data=parts)])


def produced(base_offset: int = 0, error_code: int = 0) -> ProduceResponse:
    part = PartitionProduceResponse(index=0, error_code=error_code, base_offset=base_offset)
    return ProduceResponse(responses=[TopicProduceResponse(name="t", partition_responses=[part])])


def fetch(*offsets: tuple[int, int], epoch: int = 1, forgets: int | None = None) -> FetchRequest:
    """Partition and offset of what is new in the session."""
    parts = [FetchPartition(partition=number, fetch_offset=offset) for number, offset in offsets]
    forgotten = [] if forgets is None else [ForgottenTopic(topic="t", partitions=[forgets])]
    return FetchRequest(
        session_epoch=epoch,
        topics=[FetchTopic(topic="t", partitions=parts)] if parts else [],
        forgotten_topics_data=forgotten,
    )


def fetched(
    data: bytes | None, number: int = 0, error_code: int = 0, end_offset: int = 100
) -> FetchResponse:
    part = PartitionData(
        partition_index=number, records=data, high_watermark=end_offset, error_code=error_code
    )
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[part])])


def metadata(name: str = "t", topic_id: Uuid = ID, error_code: int = 0) -> MetadataResponse:
    part = MetadataResponsePartition(partition_index=0, leader_id=1)
    topic = MetadataResponseTopic(
        error_code=error_code,
        name=name,
        topic_id=topic_id,
        partitions=[] if error_code else [part, part],
    )
    return MetadataResponse(brokers=[MetadataResponseBroker(node_id=1)], topics=[topic])


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_peer_is_met_once_and_named_as_it_names_itself(told: Told) -> None:
    told.narrator.asked(told.call(client_id=None), None)
    told.narrator.asked(told.call(client_id="late"), None)
    told.narrator.gone(1)
    told.narrator.gone(7)  # never asked for anything
    assert told.lines == [
        "10.0.0.2:4000 connects from 10.0.0.2:4000 to 10.0.0.1:9092 (connection 1)",
        "late hangs up connection 1",
    ]


def test_what_is_produced_is_counted_while_it_is_there(told: Told) -> None:
    data = records(3)
    size_bytes = len(data)
    assert told.of(produce(data), produced(7)) == [
        f"c produces 3 records ({size_bytes} bytes) to t-0: appended at offsets 7 to 9"
    ]
    assert told.of(produce(records(1)), produced(7)) == [
        "c produces 1 record (69 bytes) to t-0: appended at offset 7"
    ]
    assert told.of(produce(b"an older format"), produced(error_code=ErrorCode.CORRUPT_MESSAGE)) == [
        "c produces records (15 bytes) to t-0: refused, CORRUPT_MESSAGE"
    ]
    assert told.of(produce(None), produced()) == [
        "c produces records (0 bytes) to t-0: appended at offset 0"
    ]


def test_who_wants_no_answer_is_told_of_at_once(told: Told) -> None:
    told.narrator.asked(told.call(), produce(records(2), acks=0))
    assert told.lines[1:] == ["c produces 2 records (77 bytes) to t-0 and wants no answer (acks=0)"]


def test_a_fetch_is_told_when_it_brings_something_and_the_first_time_that_it_waits(
    told: Told,
) -> None:
    two_batches = records(3, base_offset=0) + records(2, base_offset=3)
    assert told.of(fetch((0, 1), (1, 0), epoch=0), fetched(two_batches, end_offset=6)) == [
        "c fetches t-0 from offset 1: 4 records; 1 more are there"
    ]
    assert told.of(fetch((0, 5)), fetched(records(1, base_offset=5), end_offset=6)) == [
        "c fetches t-0 from offset 5: 1 record"
    ]
    waits = "c waits for new records at the end of t-0 (offset 6), t-1 (offset 0)"
    assert told.of(fetch((0, 6)), fetched(None)) == [waits]
    assert told.of(fetch(), FetchResponse()) == []
    assert told.of(fetch(), fetched(records(1, base_offset=0), number=1, end_offset=1)) == [
        "c fetches t-1 from offset 0: 1 record"
    ]
    assert told.of(fetch(forgets=1), FetchResponse()) == [
        "c waits for new records at the end of t-0 (offset 6)"
    ]
    refused = fetched(None, error_code=ErrorCode.OFFSET_OUT_OF_RANGE)
    assert told.of(fetch((0, 900)), refused) == [
        "c fetches t-0 from offset 900: OFFSET_OUT_OF_RANGE"
    ]
    lost = FetchResponse(error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    assert told.of(fetch(), lost) == ["c fetches and is told FETCH_SESSION_ID_NOT_FOUND"]


def test_a_topic_that_is_named_by_its_id_is_told_by_its_name(told: Told) -> None:
    by_id = ProduceRequest(
        acks=1,
        topic_data=[
            TopicProduceData(
                topic_id=ID, partition_data=[PartitionProduceData(index=0, records=records(1))]
            )
        ],
    )
    part = PartitionProduceResponse(index=0)
    answer = ProduceResponse(
        responses=[TopicProduceResponse(topic_id=ID, partition_responses=[part])]
    )
    assert "AAECAwQFBgcICQoLDA0ODw-0" in told.of(by_id, answer)[0]
    told.of(MetadataRequest(topics=None), metadata())
    assert " to t-0: appended" in told.of(by_id, answer)[0]


def test_what_is_asked_about_topics(told: Told) -> None:
    asks = MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=True)
    assert told.of(asks, metadata()) == ["c asks for topic t: 2 partitions, led by broker 1"]
    missing = metadata(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert told.of(asks, missing) == [
        "c asks for topic t: not there yet, it is made now (UNKNOWN_TOPIC_OR_PARTITION)"
    ]
    asks.allow_auto_topic_creation = False
    assert told.of(asks, missing) == ["c asks for topic t: UNKNOWN_TOPIC_OR_PARTITION"]
    assert told.of(MetadataRequest(topics=None), metadata()) == [
        "c asks what there is: 1 broker and 1 topic"
    ]
    assert told.of(MetadataRequest(topics=[]), MetadataResponse()) == [
        "c asks what there is: 0 brokers"
    ]


def test_a_topic_that_is_waited_for_is_made(told: Told) -> None:
    call = told.call()
    asks = MetadataRequest(topics=[MetadataRequestTopic(name="t")])
    told.narrator.asked(call, asks)
    told.narrator.waits(call, asks)
    told.narrator.answered(call, metadata())
    told.narrator.waits(call, asks)  # answered: nothing is waited for
    assert told.lines[1:] == [
        "c asks for topic t, which is made now",
        "c asks for topic t: 2 partitions, led by broker 1",
    ]


JOINED = JoinGroupResponse(generation_id=3, leader="m", member_id="m", protocol_name="range")
COMMIT = OffsetCommitRequest(
    group_id="g",
    topics=[
        OffsetCommitRequestTopic(
            name="t",
            partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=9)],
        )
    ],
)


def look_up(timestamp: int) -> ListOffsetsRequest:
    part = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    return ListOffsetsRequest(topics=[ListOffsetsTopic(name="t", partitions=[part])])


def looked_up(offset: int, error_code: int = 0) -> ListOffsetsResponse:
    part = ListOffsetsPartitionResponse(partition_index=0, offset=offset, error_code=error_code)
    return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name="t", partitions=[part])])


def resumed(offset: int) -> OffsetFetchResponse:
    part = OffsetFetchResponsePartition(partition_index=0, committed_offset=offset)
    return OffsetFetchResponse(topics=[OffsetFetchResponseTopic(name="t", partitions=[part])])


def committed(error_code: int = 0) -> OffsetCommitResponse:
    part = OffsetCommitResponsePartition(partition_index=0, error_code=error_code)
    return OffsetCommitResponse(topics=[OffsetCommitResponseTopic(name="t", partitions=[part])])


@pytest.mark.parametrize(
    ("request_", "response", "said"),
    [
        (look_up(-2), looked_up(0), "looks up where t-0 begins: at offset 0"),
        (look_up(-1), looked_up(8), "looks up where t-0 ends: at offset 8"),
        (
            look_up(1700000000000),
            looked_up(-1),
            "looks up the offset of a time in t-0: there is none",
        ),
        (
            look_up(-1),
            looked_up(-1, ErrorCode.NOT_LEADER_OR_FOLLOWER),
            "looks up where t-0 ends: NOT_LEADER_OR_FOLLOWER",
        ),
        (
            FindCoordinatorRequest(key="g"),
            FindCoordinatorResponse(node_id=1),
            "asks who coordinates group g: broker 1",
        ),
        (
            InitProducerIdRequest(),
            InitProducerIdResponse(producer_id=4),
            "asks for a number, so that what it repeats is not stored twice: it is producer 4",
        ),
        (
            JoinGroupRequest(group_id="g"),
            JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id="m"),
            "joins group g: it is member m from now on, and asks again",
        ),
        (
            JoinGroupRequest(group_id="g"),
            JOINED,
            "joins group g: generation 3; it leads 0 members, and assigns by range",
        ),
        (
            JoinGroupRequest(group_id="g"),
            JoinGroupResponse(generation_id=3, leader="other", member_id="m"),
            "joins group g: generation 3; another member leads",
        ),
        (
            JoinGroupRequest(group_id="g"),
            JoinGroupResponse(error_code=ErrorCode.GROUP_MAX_SIZE_REACHED),
            "joins group g: GROUP_MAX_SIZE_REACHED",
        ),
        (
            SyncGroupRequest(group_id="g"),
            SyncGroupResponse(assignment=assignment([TopicPartition("t", n) for n in range(6)])),
            "is given by group g: t-0, t-1, t-2, t-3 and 2 more",
        ),
        (SyncGroupRequest(group_id="g"), SyncGroupResponse(), "is given by group g: nothing"),
        (
            SyncGroupRequest(group_id="g"),
            SyncGroupResponse(assignment=b"a"),
            "is given by group g: its part",
        ),
        (HeartbeatRequest(group_id="g"), HeartbeatResponse(), None),
        (
            HeartbeatRequest(group_id="g"),
            HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS),
            "hears that group g has changed: REBALANCE_IN_PROGRESS",
        ),
        (LeaveGroupRequest(group_id="g"), LeaveGroupResponse(), "leaves group g"),
        (OffsetFetchRequest(), resumed(-1), "asks where its group goes on in t-0: nowhere yet"),
        (OffsetFetchRequest(), resumed(3), "asks where its group goes on in t-0: offset 3"),
        (COMMIT, committed(), "commits group g goes on in t-0 at offset 9"),
        (
            COMMIT,
            committed(ErrorCode.ILLEGAL_GENERATION),
            "commits group g goes on in t-0 at offset 9: ILLEGAL_GENERATION",
        ),
        (
            CreateTopicsRequest(),
            CreateTopicsResponse(topics=[CreatableTopicResult(name="t")]),
            "creates topic t: done",
        ),
        (
            DeleteTopicsRequest(),
            DeleteTopicsResponse(responses=[DeletableTopicResult(name="t", error_code=3)]),
            "deletes topic t: UNKNOWN_TOPIC_OR_PARTITION",
        ),
        (ApiVersionsRequest(), ApiVersionsResponse(), None),
    ],
)
def test_a_request_and_its_answer_are_one_line(
    told: Told, request_: Message, response: Message, said: str | None
) -> None:
    assert told.of(request_, response) == ([] if said is None else [f"c {said}"])


class OneAnswer:
    """A node that answers a produce and, because of it, a fetch that waited."""

    is_ready = is_examined = True
    broker_epoch = 7

    def __init__(self, waiting: Call) -> None:
        self._waiting = waiting

    def start(self, now_ms: int) -> list[Effect]:
        return []

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        if not isinstance(event, Received) or event.call is self._waiting:
            return []
        woken = Reply(self._waiting, fetched(records(1), end_offset=1))
        return [woken, Reply(event.call, produced())]

    def stop(self, now_ms: int) -> list[Effect]:
        return [Reply(self._waiting, FetchResponse())]

    def close(self, now_ms: int) -> list[Effect]:
        return []

    def next_deadline_ms(self) -> int | None:
        return 5

    def is_dir_durable(self, log_dir: int) -> bool:
        return True


def test_the_node_is_as_it_was_and_causes_are_told_before_what_they_bring(told: Told) -> None:
    waiting = told.call(connection_id=2)
    inner = OneAnswer(waiting)
    node = ExplainedNode(inner, told)
    assert (node.is_ready, node.is_examined, node.broker_epoch) == (True, True, 7)
    assert (node.next_deadline_ms(), node.is_dir_durable(0)) == (5, True)
    assert node.start(0) == node.close(0) == []
    assert node.step(0, Received(waiting, fetch((0, 0), epoch=0))) == []
    effects = node.step(0, Received(told.call(), produce(records(1))))
    assert [type(effect) for effect in effects] == [Reply, Reply]
    node.step(0, Disconnected(1))
    assert len(node.stop(0)) == 1
    assert [line.split(" ")[1] for line in told.lines] == [
        "connects",
        "connects",
        "produces",
        "fetches",
        "hangs",
    ]
