"""The client's end of a connection: versions are agreed on, answers matched in order."""

import pytest

from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError
from ottla.wire.api import API_VERSIONS, APIS, FETCH, INIT_PRODUCER_ID, METADATA, PRODUCE
from ottla.wire.client import ClientConnection
from ottla.wire.message.api_versions import ApiVersion, ApiVersionsResponse
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse
from tests.unit.wire.test_server import feed, produce, sent, server

OURS = [ApiVersion(api.key, api.min_version, api.max_version) for api in APIS.values()]


def broker_that_speaks(*ranges: tuple[int, int, int]) -> ClientConnection:
    """A client that has learned what its broker speaks."""
    client, broker = ClientConnection("c"), server()
    [(call, _)] = feed(broker, sent(client.opening()))
    answer = ApiVersionsResponse(api_keys=[ApiVersion(*r) for r in ranges])
    assert client.received(sent(broker.reply(call, answer))) == []
    return client


def test_the_newest_apiversions_is_asked_first() -> None:
    client, broker = ClientConnection("c", software_name="ottla", software_version="1"), server()
    [(call, request)] = feed(broker, sent(client.opening()))
    assert (call.api_key, call.version, call.client_id) == (API_VERSIONS, 5, "c")
    assert (request.client_software_name, request.client_software_version) == ("ottla", "1")
    assert client.received(sent(broker.reply(call, ApiVersionsResponse(api_keys=OURS)))) == []
    assert client.negotiated[METADATA] == (0, 13)
    assert client.broker is not None
    assert client.outgoing() == []


@pytest.mark.parametrize(("listed", "next_version"), [((0, 3), 3), ((0, 0), 0), (None, 0)])
def test_a_refusal_is_asked_again_in_a_version_it_lists(
    listed: tuple[int, int] | None, next_version: int
) -> None:
    client, broker = ClientConnection("c"), server()
    [(call, _)] = feed(broker, sent(client.opening()))
    # An older broker does not know version 5: it answers in version 0, whatever was asked.
    call.version = 0
    keys = [] if listed is None else [ApiVersion(API_VERSIONS, *listed)]
    refusal = ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=keys)
    assert client.received(sent(broker.reply(call, refusal))) == []
    assert client.negotiated == {}
    [(again, _)] = feed(broker, sent(client.outgoing()))
    assert (again.api_key, again.version) == (API_VERSIONS, next_version)
    client.received(sent(broker.reply(again, ApiVersionsResponse(api_keys=OURS))))
    assert client.negotiated[API_VERSIONS] == (0, 5)


def test_a_broker_that_refuses_every_version_is_given_up() -> None:
    client, broker = ClientConnection("c"), server()
    chunks = client.opening()
    refusal = ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    [(call, _)] = feed(broker, sent(chunks))
    call.version = 0
    client.received(sent(broker.reply(call, refusal)))
    [(call, _)] = feed(broker, sent(client.outgoing()))
    with pytest.raises(ApiError, match="UNSUPPORTED_VERSION"):
        client.received(sent(broker.reply(call, refusal)))


def test_the_version_is_the_highest_both_speak() -> None:
    client = broker_that_speaks((METADATA, 0, 9), (FETCH, 4, 99), (INIT_PRODUCER_ID, 0, 6))
    assert client.version_for(METADATA) == 9
    assert client.version_for(METADATA, at_most=4) == 4
    assert client.version_for(FETCH) == 18
    assert client.version_for(INIT_PRODUCER_ID) == 5, "version 6 is not stable"


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (
            [(METADATA, 90, 99)],
            "Metadata: the broker speaks versions 90 to 99, this client 0 to 13",
        ),
        ([(FETCH, 0, 1)], "Metadata: the broker speaks no version"),
    ],
)
def test_no_common_version_is_said_clearly(ranges: list[tuple[int, int, int]], said: str) -> None:
    client = broker_that_speaks(*ranges)
    with pytest.raises(ApiError, match=said) as caught:
        client.version_for(METADATA)
    assert caught.value.code == ErrorCode.UNSUPPORTED_VERSION


def test_versions_are_not_known_before_the_answer() -> None:
    with pytest.raises(LocalProtocolError, match="not known yet"):
        ClientConnection("c").version_for(METADATA)


@pytest.mark.parametrize("piece_bytes", [1, 3, 100])
def test_answers_are_matched_in_order_whatever_the_pieces(piece_bytes: int) -> None:
    client, broker = ClientConnection("c"), server()
    ids, data = [], b""
    for version in (1, 12, 9):
        correlation_id, chunks = client.request(METADATA, version, MetadataRequest(topics=None))
        ids.append(correlation_id)
        for call, _ in feed(broker, sent(chunks)):
            data += sent(broker.reply(call, MetadataResponse(controller_id=7)))
    assert client.in_flight == 3
    got = []
    for at in range(0, len(data), piece_bytes):
        got += client.received(data[at : at + piece_bytes])
    assert [correlation_id for correlation_id, _ in got] == ids
    assert all(m == MetadataResponse(controller_id=7, topics=[]) for _, m in got)
    assert client.in_flight == 0


@pytest.mark.parametrize("piece_bytes", [7, 40_000, 10_000_000])
def test_a_large_answer_is_read_where_it_stays(piece_bytes: int) -> None:
    client = broker_that_speaks(*((api.key, 0, api.max_version) for api in APIS.values()))
    broker = server()
    sizes = (100_000, 1, 300_000, 2)
    stream = b""
    for size in sizes:
        _, chunks = client.request(METADATA, 9, MetadataRequest())
        [(call, _)] = feed(broker, sent(chunks))
        stream += sent(broker.reply(call, MetadataResponse(cluster_id="x" * (size // 10))))
        _, chunks = client.request(FETCH, 12, FetchRequest())
        [(call, _)] = feed(broker, sent(chunks))
        part = PartitionData(records=bytes([size % 251]) * size)
        answer = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[part])])
        stream += sent(broker.reply(call, answer))
    got = []
    while stream:
        room = client.room()
        piece, stream = stream[: min(piece_bytes, len(room))], stream[min(piece_bytes, len(room)) :]
        room[: len(piece)] = piece
        got += client.filled(len(piece))
    assert [number for number, _ in got] == [1, 2, 3, 4, 5, 6, 7, 8]
    for (_, names), (_, fetched), size in zip(got[::2], got[1::2], sizes, strict=True):
        assert isinstance(names, MetadataResponse)
        assert names.cluster_id == "x" * (size // 10)
        assert isinstance(fetched, FetchResponse)
        records = fetched.responses[0].partitions[0].records
        assert isinstance(records, memoryview)
        assert records == bytes([size % 251]) * size
        assert records.readonly


def test_a_produce_without_acks_awaits_nothing() -> None:
    client, broker = ClientConnection("c"), server()
    silent = client.request(PRODUCE, 9, produce(256, acks=0))[1]
    asked, chunks = client.request(METADATA, 1, MetadataRequest(topics=None))
    assert client.in_flight == 1
    (first, _), (second, _) = feed(broker, sent(silent) + sent(chunks))
    assert broker.reply(first, None) == []
    [(correlation_id, _)] = client.received(sent(broker.reply(second, MetadataResponse())))
    assert correlation_id == asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("00000004" + "00000063", "response 99, where 0 is next"),
        ("00000003" + "000000", "response of 3 bytes"),
        ("7fffffff", "response of 2,147,483,647 bytes"),
        ("00000005" + "00000000" + "00", "goes on after byte 5"),
    ],
)
def test_a_broken_answer_is_the_peers_fault(text: str, said: str) -> None:
    client = ClientConnection("c")
    client.request(METADATA, 1, MetadataRequest(topics=None))
    with pytest.raises(RemoteProtocolError, match=said):
        client.received(bytes.fromhex(text))


def test_an_answer_nobody_asked_for_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="was not made"):
        ClientConnection("c").received(bytes.fromhex("00000004" + "00000000"))


def test_a_request_that_cannot_be_written_leaves_no_trace() -> None:
    client = ClientConnection("c")
    with pytest.raises(LocalProtocolError):
        client.request(METADATA, 0, MetadataRequest(topics=None))
    assert client.in_flight == 0
    assert client.request(METADATA, 1, MetadataRequest(topics=None))[0] == 0
