"""Quotas over the wire: set, described, kept, and obeyed by every kind of answer."""

import pytest

from ottla.core.controller.answer import Nobody
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.records import UserScramCredentialRecord
from ottla.errors import ErrorCode
from ottla.limits import INT_MAX
from ottla.record.builder import BatchBuilder
from ottla.wire.message import alter_client_quotas as alter
from ottla.wire.message import describe_client_quotas as describe
from ottla.wire.message.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    UserName,
)
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.whole_node import Peer, WholeNode
from tests.unit.fakes.disk import MemoryDisk

CLIENT = "a test"  # what `Peer` calls itself
MINE: dict[str, str | None] = {"client-id": CLIENT}
EXACT, DEFAULT, SPECIFIED = 0, 1, 2


@pytest.fixture
def node() -> WholeNode:
    made = WholeNode(MemoryDisk())
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1)
    (row,) = made.connect().ask(CreateTopicsRequest(topics=[topic]), 7, CreateTopicsResponse).topics
    assert row.error_code == 0
    return made


def altered(
    node: WholeNode,
    entity: dict[str, str | None],
    *,
    validate_only: bool = False,
    **quotas: float | None,
) -> tuple[int, str | None]:
    parts = [alter.EntityData(kind, name) for kind, name in entity.items()]
    ops = [alter.OpData(key, value or 0.0, value is None) for key, value in quotas.items()]
    request = alter.AlterClientQuotasRequest(
        [alter.AlterClientQuotasRequestEntryData(parts, ops)], validate_only
    )
    (row,) = node.connect().ask(request, 1, alter.AlterClientQuotasResponse).entries
    assert {part.entity_type: part.entity_name for part in row.entity} == entity
    return row.error_code, row.error_message


def limit(node: WholeNode, entity: dict[str, str | None] = MINE, **quotas: float | None) -> None:
    assert altered(node, entity, **quotas) == (0, None)


def found(
    node: WholeNode, *filters: tuple[str, int, str | None], strict: bool = False
) -> list[tuple[dict[str, str | None], dict[str, float]]]:
    response = described(node, *filters, strict=strict)
    assert (response.error_code, response.error_message) == (0, None)
    return [
        (
            {part.entity_type: part.entity_name for part in entry.entity},
            {one.key: one.value for one in entry.values},
        )
        for entry in response.entries or ()
    ]


def described(
    node: WholeNode, *filters: tuple[str, int, str | None], strict: bool = False
) -> describe.DescribeClientQuotasResponse:
    components = [describe.ComponentData(*one) for one in filters]
    request = describe.DescribeClientQuotasRequest(components, strict)
    return node.connect().ask(request, 1, describe.DescribeClientQuotasResponse)


def produce(peer: Peer, size_bytes: int, *, acks: int = 1) -> int:
    """The correlation id."""
    builder = BatchBuilder()
    builder.append(1_700_000_000_000, None, b"x" * size_bytes)
    part = PartitionProduceData(0, memoryview(bytes(builder.build())))
    request = ProduceRequest(
        acks=acks, timeout_ms=1000, topic_data=[TopicProduceData("t", b"", [part])]
    )
    return peer.send(request, 9)


def produced(node: WholeNode, peer: Peer, size_bytes: int) -> int:
    """How long the answer says that its client is throttled."""
    correlation_id = produce(peer, size_bytes)
    node.flush()
    answer = peer.answer(correlation_id)
    assert isinstance(answer, ProduceResponse)
    assert answer.responses[0].partition_responses[0].error_code == 0
    return answer.throttle_time_ms


def fetch(
    peer: Peer, offset: int, *, max_bytes: int = 1 << 20, session: tuple[int, int] = (0, -1)
) -> FetchResponse:
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=max_bytes,
        session_id=session[0],
        session_epoch=session[1],
        topics=[FetchTopic("t", partitions=[part])] if session[1] < 1 else [],
    )
    return peer.ask(request, 11, FetchResponse)


# --- set and described --------------------------------------------------------------------------------


def test_what_is_set_is_described_until_it_is_taken_away(node: WholeNode) -> None:
    limit(node, {"user": "u", "client-id": None}, producer_byte_rate=5, request_percentage=12.5)
    limit(node, {"ip": "10.0.0.1"}, connection_creation_rate=3)
    both: dict[str, str | None] = {"client-id": None, "user": "u"}
    assert found(node) == [
        (both, {"producer_byte_rate": 5.0, "request_percentage": 12.5}),
        ({"ip": "10.0.0.1"}, {"connection_creation_rate": 3.0}),
    ]
    limit(node, both, producer_byte_rate=None)
    assert found(node, ("user", EXACT, "u")) == [(both, {"request_percentage": 12.5})]
    limit(node, both, request_percentage=None, consumer_byte_rate=None)
    assert found(node, ("user", EXACT, "u")) == []


def test_quotas_survive_a_restart_and_hold_at_once(node: WholeNode) -> None:
    limit(node, producer_byte_rate=100)
    node.stop()
    again = WholeNode(node.disk, shutdown=Shutdown.CLEAN, now_ms=node.now_ms)
    assert found(again) == [(MINE, {"producer_byte_rate": 100.0})]
    assert produced(again, again.connect(), 2000) > 0


def test_quotas_survive_in_a_snapshot() -> None:
    node = WholeNode(MemoryDisk(), "metadata.log.max.record.bytes.between.snapshots=1")
    limit(node, producer_byte_rate=100)
    limit(node, {"user": None}, request_percentage=1)
    assert any(path.endswith(".checkpoint") for path in node.disk.names("__cluster_metadata-0"))
    node.stop()
    again = WholeNode(node.disk, now_ms=node.now_ms)
    assert len(found(again)) == 2


def test_a_trial_changes_nothing(node: WholeNode) -> None:
    assert altered(node, MINE, validate_only=True, producer_byte_rate=5) == (0, None)
    assert altered(node, MINE, validate_only=True, producer_byte_rate=-5)[0] != 0
    assert found(node) == []


@pytest.mark.parametrize(
    ("entity", "key", "value", "message"),
    [
        ({}, "producer_byte_rate", 1, "empty client quota entity"),
        ({"group": "g"}, "producer_byte_rate", 1, "Unhandled client quota entity type: 'group'"),
        ({"user": ""}, "producer_byte_rate", 1, "Empty user not supported"),
        ({"user": "u", "ip": "::1"}, "connection_creation_rate", 1, "Invalid quota entity combin"),
        ({"ip": "nowhere"}, "connection_creation_rate", 1, "'nowhere' is not a valid IP address"),
        ({"ip": "::1"}, "producer_byte_rate", 1, "Invalid configuration key 'producer_byte_rate'"),
        ({"user": "u"}, "connection_creation_rate", 1, "Invalid configuration key"),
        ({"user": "u"}, "no_such", 1, "Invalid configuration key 'no_such'"),
        ({"user": "u"}, "producer_byte_rate", 1.5, "cannot be a fractional"),
        ({"user": "u"}, "consumer_byte_rate", 1e19, "too large for a LONG"),
        ({"ip": None}, "connection_creation_rate", 2.0**31, "too large for an INT"),
        ({"user": "u"}, "request_percentage", -1, "must be greater than 0"),
        ({"user": "u"}, "request_percentage", float("nan"), "must be greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    node: WholeNode, entity: dict[str, str | None], key: str, value: float, message: str
) -> None:
    error, text = altered(node, entity, **{key: value})
    assert error == ErrorCode.INVALID_REQUEST
    assert text is not None
    assert message in text
    assert found(node) == []


def test_an_entity_is_changed_whole_or_not_at_all_and_alone(node: WholeNode) -> None:
    def entry(name: str, **quotas: float) -> alter.AlterClientQuotasRequestEntryData:
        ops = [alter.OpData(key, value) for key, value in quotas.items()]
        return alter.AlterClientQuotasRequestEntryData([alter.EntityData("user", name)], ops)

    twice = entry("four", producer_byte_rate=1)
    twice.ops = [*twice.ops, *twice.ops]
    entries = [
        entry("one", producer_byte_rate=1, consumer_byte_rate=-1),
        entry("two", producer_byte_rate=2),
        entry("three", producer_byte_rate=3),
        entry("three", consumer_byte_rate=3),
        twice,
    ]
    request = alter.AlterClientQuotasRequest(entries)
    rows = node.connect().ask(request, 0, alter.AlterClientQuotasResponse).entries
    refused = ErrorCode.INVALID_REQUEST
    assert [row.error_code for row in rows] == [refused, 0, refused, refused, refused]
    assert found(node) == [({"user": "two"}, {"producer_byte_rate": 2.0})]


@pytest.mark.parametrize(
    ("filters", "strict", "users"),
    [
        ([], False, ["u", "u+c", "u+*", "*", "c"]),
        ([("user", EXACT, "u")], False, ["u", "u+c", "u+*"]),
        ([("user", EXACT, "u")], True, ["u"]),
        ([("user", DEFAULT, None)], False, ["*"]),
        ([("user", SPECIFIED, None)], True, ["u", "*"]),
        ([("user", SPECIFIED, None), ("client-id", SPECIFIED, None)], False, ["u+c", "u+*"]),
        ([("client-id", DEFAULT, None)], False, ["u+*"]),
        ([("client-id", EXACT, "c")], False, ["u+c", "c"]),
        ([("ip", SPECIFIED, None)], False, []),
        ([], True, []),
    ],
)
def test_filters(
    node: WholeNode, filters: list[tuple[str, int, str | None]], strict: bool, users: list[str]
) -> None:
    named: dict[str, dict[str, str | None]] = {
        "u": {"user": "u"},
        "u+c": {"client-id": "c", "user": "u"},
        "u+*": {"client-id": None, "user": "u"},
        "*": {"user": None},
        "c": {"client-id": "c"},
    }
    for entity in named.values():
        limit(node, entity, producer_byte_rate=1)
    assert [one for one, _ in found(node, *filters, strict=strict)] == [named[one] for one in users]


@pytest.mark.parametrize(
    ("filters", "error", "message"),
    [
        ([("", EXACT, "u")], ErrorCode.INVALID_REQUEST, "empty entity type"),
        ([("user", EXACT, "u"), ("user", EXACT, "v")], ErrorCode.INVALID_REQUEST, "more than once"),
        ([("group", EXACT, "g")], ErrorCode.UNSUPPORTED_VERSION, "Unsupported entity type 'group'"),
        ([("user", EXACT, None)], ErrorCode.INVALID_REQUEST, "match string to null"),
        ([("user", DEFAULT, "u")], ErrorCode.INVALID_REQUEST, "MATCH_TYPE_DEFAULT, but"),
        ([("user", SPECIFIED, "u")], ErrorCode.INVALID_REQUEST, "MATCH_TYPE_SPECIFIED, but"),
        ([("user", 3, "u")], ErrorCode.INVALID_REQUEST, "Unknown match type 3"),
        ([("user", EXACT, "u"), ("ip", EXACT, "::1")], ErrorCode.INVALID_REQUEST, "combination"),
    ],
)
def test_filters_that_make_no_sense(
    node: WholeNode, filters: list[tuple[str, int, str | None]], error: ErrorCode, message: str
) -> None:
    response = described(node, *filters)
    assert (response.error_code, response.entries) == (error, None)
    assert response.error_message is not None
    assert message in response.error_message


def test_a_users_credentials_are_told_without_secrets_beside_his_quotas(node: WholeNode) -> None:
    records = tuple(
        UserScramCredentialRecord(name="u", mechanism=number, salt=b"s", iterations=4096 * number)
        for number in (1, 2)
    )
    node.perform(node.node.controller.submit(node.now_ms, records, Nobody()))
    node.flush()

    def told(*names: str) -> list[tuple[str, int, list[tuple[int, int]]]]:
        request = DescribeUserScramCredentialsRequest([UserName(name) for name in names])
        response = node.connect().ask(request, 0, DescribeUserScramCredentialsResponse)
        return [
            (row.user, row.error_code, [(o.mechanism, o.iterations) for o in row.credential_infos])
            for row in response.results
        ]

    both = ("u", 0, [(1, 4096), (2, 8192)])
    assert told() == [both]
    assert told("u", "v", "w", "w") == [
        both,
        ("v", ErrorCode.RESOURCE_NOT_FOUND, []),
        ("w", ErrorCode.DUPLICATE_RESOURCE, []),
    ]


# --- bytes --------------------------------------------------------------------------------------------


def test_a_produce_above_its_quota_is_taken_and_its_connection_muted(node: WholeNode) -> None:
    limit(node, producer_byte_rate=1000)
    peer = node.connect()
    assert produced(node, peer, 8_000) == 0
    throttled_ms = produced(node, peer, 8_000)
    assert 6_000 < throttled_ms < 7_000, "16,000 bytes and some, where ten seconds allow 10,000"
    assert node.mutes == [(peer.connection_id, throttled_ms)]
    node.pass_time(throttled_ms + 11_000)
    assert produced(node, peer, 8_000) == 0


def test_acks_0_is_muted_too(node: WholeNode) -> None:
    limit(node, producer_byte_rate=1000)
    peer = node.connect()
    produce(peer, 12_000, acks=0)
    ((muted, duration_ms),) = node.mutes
    assert muted == peer.connection_id
    assert 2_000 < duration_ms < 3_000


def test_nobody_waits_without_a_quota_and_a_change_holds_at_once(node: WholeNode) -> None:
    peer = node.connect()
    assert produced(node, peer, 500_000) == 0
    limit(node, {"client-id": "another"}, producer_byte_rate=1)
    assert produced(node, peer, 500_000) == 0
    limit(node, {"user": None}, producer_byte_rate=1000)
    assert produced(node, peer, 20_000) > 0
    limit(node, producer_byte_rate=1, consumer_byte_rate=1)
    assert produced(node, peer, 20_000) > 0
    limit(node, {"user": None}, producer_byte_rate=None)
    limit(node, producer_byte_rate=None, consumer_byte_rate=None)
    node.mutes.clear()
    assert produced(node, peer, 500_000) == 0
    assert node.mutes == []


def test_a_fetch_above_its_quota_brings_nothing_and_is_not_counted(node: WholeNode) -> None:
    peer = node.connect()
    for _ in range(4):
        produced(node, peer, 6_000)
    limit(node, consumer_byte_rate=1000)
    first = fetch(peer, 0)
    assert first.throttle_time_ms == 0
    assert 6_000 < len(first.responses[0].partitions[0].records or b"") < 7_000, "what fits 10,000"
    second = fetch(peer, 1)
    assert second.responses == []
    assert 2_000 < second.throttle_time_ms < 3_000
    assert node.mutes == [(peer.connection_id, second.throttle_time_ms)]
    node.pass_time(second.throttle_time_ms)
    assert fetch(peer, 1).throttle_time_ms in range(1, 3_000), "ten seconds still hold the first"
    node.pass_time(11_000)
    third = fetch(peer, 1)
    assert (third.throttle_time_ms, len(third.responses)) == (0, 1)


def test_a_throttled_fetch_leaves_its_session_as_it_is(node: WholeNode) -> None:
    peer = node.connect()
    for _ in range(3):
        produced(node, peer, 6_000)
    opened = fetch(peer, 0, session=(0, 0))
    assert opened.session_id
    limit(node, consumer_byte_rate=1)
    nothing = fetch(peer, 0, session=(opened.session_id, 1))
    assert (nothing.error_code, nothing.session_id) == (0, opened.session_id)
    assert nothing.throttle_time_ms > 0
    assert nothing.responses == []
    limit(node, consumer_byte_rate=None)
    again = fetch(peer, 0, session=(opened.session_id, 2))
    assert again.responses[0].partitions[0].records
    limit(node, consumer_byte_rate=1)
    assert fetch(peer, 0, session=(0, 0)).session_id == 0, "none begins"


# --- time ---------------------------------------------------------------------------------------------


def test_time_is_charged_to_whoever_took_it(node: WholeNode) -> None:
    limit(node, request_percentage=1)
    node.stopwatch.step_ns = 90_000_000
    peer = node.connect()
    request = MetadataRequest(topics=[])
    assert peer.ask(request, 9, MetadataResponse).throttle_time_ms == 0
    # 180 ms in ten seconds are 1.8 percent: eight seconds more, of which one window is waited for.
    assert peer.ask(request, 9, MetadataResponse).throttle_time_ms == 1000
    assert node.mutes == [(peer.connection_id, 1000)]
    node.stopwatch.step_ns = 0
    node.pass_time(30_000)
    assert peer.ask(request, 9, MetadataResponse).throttle_time_ms == 0


def test_a_parked_calls_time_counts_when_it_is_answered(node: WholeNode) -> None:
    limit(node, request_percentage=1)
    peer = node.connect()
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=500, min_bytes=1, session_epoch=-1, topics=[FetchTopic("t", partitions=[part])]
    )
    node.stopwatch.step_ns = 200_000_000
    correlation_id = peer.send(request, 11)
    node.stopwatch.step_ns = 0
    assert node.mutes == []
    node.pass_time(500)
    answer = peer.answer(correlation_id)
    assert isinstance(answer, FetchResponse)
    assert answer.throttle_time_ms == 1000


# --- changes of topics --------------------------------------------------------------------------------


def create(node: WholeNode, *topics: tuple[str, int], version: int = 7) -> CreateTopicsResponse:
    asked = [
        CreatableTopic(name=name, num_partitions=count, replication_factor=1)
        for name, count in topics
    ]
    return node.connect().ask(CreateTopicsRequest(topics=asked), version, CreateTopicsResponse)


def errors(response: CreateTopicsResponse) -> list[int]:
    return [row.error_code for row in response.topics]


EXCEEDED = ErrorCode.THROTTLING_QUOTA_EXCEEDED


def test_one_request_may_take_more_than_is_saved_and_the_next_is_refused(node: WholeNode) -> None:
    limit(node, controller_mutation_rate=1)
    first = create(node, ("a", 20), ("b", 1), ("c", 1))
    assert errors(first) == [0, EXCEEDED, EXCEEDED]
    assert first.topics[1].error_message == "The throttling quota has been exceeded."
    assert first.throttle_time_ms == 9_000
    assert node.mutes[0][1] == 9_000
    grown = CreatePartitionsRequest(topics=[CreatePartitionsTopic("t", 5, None)])
    growth = node.connect().ask(grown, 3, CreatePartitionsResponse)
    assert growth.results[0].error_code == EXCEEDED
    doomed = DeleteTopicsRequest(topics=[DeleteTopicState(name="t")])
    gone = node.connect().ask(doomed, 6, DeleteTopicsResponse)
    assert (gone.responses[0].error_code, gone.throttle_time_ms) == (EXCEEDED, 9_000)
    node.pass_time(9_000)
    assert errors(create(node, ("b", 1))) == [0]


def test_old_clients_are_served_and_wait_afterwards(node: WholeNode) -> None:
    limit(node, controller_mutation_rate=1)
    first = create(node, ("a", 20), ("b", 1), version=5)
    assert errors(first) == [0, 0]
    assert first.throttle_time_ms == 10_000
    grown = CreatePartitionsRequest(topics=[CreatePartitionsTopic("t", 5, None)])
    growth = node.connect().ask(grown, 2, CreatePartitionsResponse)
    assert (growth.results[0].error_code, growth.throttle_time_ms) == (0, 14_000)
    doomed = DeleteTopicsRequest(topic_names=["t"])
    gone = node.connect().ask(doomed, 4, DeleteTopicsResponse)
    assert (gone.responses[0].error_code, gone.throttle_time_ms) == (0, 19_000)
    assert [ms for _, ms in node.mutes] == [10_000, 14_000, 19_000]


def test_a_quota_of_nearly_nothing_can_be_told_and_taken_back(node: WholeNode) -> None:
    quotas = ("producer_byte_rate", "request_percentage", "controller_mutation_rate")
    limit(node, **dict.fromkeys(quotas, 5e-324))
    assert produced(node, node.connect(), 10) == INT_MAX
    assert create(node, ("a", 1), version=5).throttle_time_ms == INT_MAX
    assert errors(create(node, ("b", 1), version=6)) == [ErrorCode.THROTTLING_QUOTA_EXCEEDED]
    limit(node, **dict.fromkeys(quotas, None))
    assert produced(node, node.connect(), 10) == 0


def test_a_topic_made_by_asking_for_it_counts(node: WholeNode) -> None:
    limit(node, controller_mutation_rate=0.05)
    request = MetadataRequest(topics=[MetadataRequestTopic(name="new")])
    answer = node.connect().ask(request, 9, MetadataResponse)
    assert answer.topics[0].error_code == 0
    assert answer.throttle_time_ms == 9_000


# --- connections --------------------------------------------------------------------------------------


def test_the_shell_is_told_how_fast_connections_may_come(node: WholeNode) -> None:
    limit(node, {"ip": "::ffff:10.0.0.1"}, connection_creation_rate=3)
    assert node.accept_rates == {"10.0.0.1": 3.0}
    limit(node, {"ip": None}, connection_creation_rate=5)
    node.stop()
    again = WholeNode(node.disk, now_ms=node.now_ms)
    assert again.accept_rates == {"10.0.0.1": 3.0, None: 5.0}
    limit(again, {"ip": "::ffff:10.0.0.1"}, connection_creation_rate=None)
    limit(again, {"ip": None}, connection_creation_rate=None)
    assert again.accept_rates == {}
