"""The broker's end of a connection: whole requests out of any pieces, answers in order."""

import pytest

from ottla.errors import Bug, RemoteProtocolError
from ottla.types import Payload
from ottla.wire.api import API_VERSIONS, APIS, FETCH, METADATA, PRODUCE, Message
from ottla.wire.client import ClientConnection
from ottla.wire.frame import BufferPool
from ottla.wire.message.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.server import Call, ForeignProtocol, ForeignProtocolError, Origin, ServerConnection
from tests.unit.wire.building import bodies, from_json, golden

ORIGIN = Origin(
    connection_id=1,
    listener="PLAINTEXT",
    peer_host="10.0.0.9",
    peer_port=5000,
    local_host="10.0.0.1",
    local_port=9092,
)


def server(frame_bytes_max: int = 1_000_000, pool: BufferPool | None = None) -> ServerConnection:
    return ServerConnection(ORIGIN, frame_bytes_max=frame_bytes_max, pool=pool)


def feed(connection: ServerConnection, data: bytes, piece_bytes: int = 1 << 30) -> list:
    """Give `data` in pieces of at most `piece_bytes`, as a socket would."""
    got = []
    at = 0
    while at < len(data):
        buffer = connection.get_buffer()
        size = min(len(buffer), piece_bytes, len(data) - at)
        assert size > 0
        buffer[:size] = data[at : at + size]
        # A view dies with the next buffer, so what is compared later is compared as bytes.
        got += [(call, owned(message)) for call, message in connection.received(size)]
        at += size
    return got


def owned(message: Message | None) -> Message | None:
    if isinstance(message, ProduceRequest):
        for topic in message.topic_data:
            for part in topic.partition_data:
                part.records = bytes(part.records or b"")
    return message


def sent(chunks: list[Payload]) -> bytes:
    return b"".join(bytes(chunk) for chunk in chunks)


def produce(size_bytes: int, acks: int = 1) -> ProduceRequest:
    part = PartitionProduceData(index=0, records=bytes(range(256)) * (size_bytes // 256))
    return ProduceRequest(acks=acks, topic_data=[TopicProduceData("t", partition_data=[part])])


def stream(*requests: tuple[int, int, Message]) -> bytes:
    client = ClientConnection("test")
    return b"".join(sent(client.request(*request)[1]) for request in requests)


def test_frames_are_kafkas_bytes() -> None:
    seen = 0
    for name, version, correlation_id, client_id, fields, text in golden("frames"):
        schema, _ = bodies()[name]
        message = from_json(schema, name, fields)
        data = bytes.fromhex(text)
        connection = server()
        if name.endswith("Request"):
            [(call, read)] = feed(connection, data)
            assert (call.api_key, call.version) == (schema.key, version)
            assert (call.correlation_id, call.client_id) == (correlation_id, client_id)
            assert read == message
        else:
            answered = Call(ORIGIN, schema.key, version, correlation_id, None, 0)
            feed(connection, stream((API_VERSIONS, 0, ApiVersionsRequest())))
            assert sent(connection.reply(answered, message)).hex() == text
        seen += 1
    assert seen == 14


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 5, 7, 64, 1000, 5000, 100_000])
def test_requests_are_whole_whatever_the_pieces(piece_bytes: int) -> None:
    requests = [
        (METADATA, 12, MetadataRequest(topics=None)),
        (PRODUCE, 9, produce(512)),
        (PRODUCE, 3, produce(20_480)),
        (METADATA, 1, MetadataRequest(topics=[])),
        (PRODUCE, 9, produce(256)),
    ]
    # A small scratch buffer makes large requests begin in it and end in a buffer of their own.
    got = feed(server(pool=BufferPool(4096)), stream(*requests), piece_bytes)
    assert [(call.api_key, call.version) for call, _ in got] == [r[:2] for r in requests]
    assert [message for _, message in got] == [r[2] for r in requests]
    assert [call.slot for call, _ in got] == [0, 1, 2, 3, 4]
    assert [call.correlation_id for call, _ in got] == [0, 1, 2, 3, 4]


def test_records_are_views_until_the_next_buffer() -> None:
    connection = server()
    data = stream((PRODUCE, 9, produce(256)))
    connection.get_buffer()[: len(data)] = data
    [(_, message)] = connection.received(len(data))
    assert isinstance(message, ProduceRequest)
    records = message.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert bytes(records) == bytes(range(256))


def test_what_is_left_time_and_again_is_kept_once() -> None:
    connection = server()
    _, data = ClientConnection("c").request(API_VERSIONS, 0, ApiVersionsRequest())
    frame = b"".join(bytes(chunk) for chunk in data)
    buffer = connection.get_buffer()
    buffer[: 5 * len(frame)] = 5 * frame
    requests = connection.received(5 * len(frame))
    kept: list[object] = []
    for left in range(4, -1, -1):
        next(requests)
        connection.leave()
        connection.get_buffer()[: len(frame)] = b"x" * len(frame)  # views of it are dead
        assert connection.unfinished_bytes == left * (len(frame) - 4)
        kept = kept[1:] or [view.obj for view in connection._left]
        assert all(a is b.obj for a, b in zip(kept, connection._left, strict=True))
        requests = connection.left()
    assert next(requests, None) is None
    assert not connection.has_left


def test_an_announced_length_allocates_nothing() -> None:
    connection = server(100_000_000)
    announced = (90_000_000).to_bytes(4, "big") + b"\0\0\0\x09"
    feed(connection, announced, 1)
    assert connection._frames.held_bytes <= 4096
    feed(connection, bytes(100_000))
    assert connection._frames.held_bytes <= 8 * 100_008


def test_a_finished_request_leaves_no_buffer_behind() -> None:
    connection = server()
    feed(connection, stream((PRODUCE, 9, produce(300_032))), 10_000)
    assert connection._frames.held_bytes == 0
    feed(connection, stream((PRODUCE, 9, produce(300_032)))[:-1])
    assert connection._frames.held_bytes > 0
    connection.closed()
    assert connection._frames.held_bytes == 0


def test_two_connections_do_not_mix_their_parts() -> None:
    pool = BufferPool(1024)
    first, second = server(pool=pool), server(pool=pool)
    one, two = stream((PRODUCE, 9, produce(512))), stream((PRODUCE, 3, produce(768)))
    got = []
    for at in range(0, max(len(one), len(two)), 50):
        got += feed(first, one[at : at + 50]) + feed(second, two[at : at + 50])
    assert [message for _, message in got] == [produce(512), produce(768)]


def answers(connection: ServerConnection, *versions: int) -> list[Call]:
    data = stream(*((METADATA, version, MetadataRequest(topics=None)) for version in versions))
    return [call for call, _ in feed(connection, data)]


def correlation_ids(data: bytes) -> list[int]:
    ids = []
    while data:
        size = int.from_bytes(data[:4], "big")
        ids.append(int.from_bytes(data[4:8], "big"))
        data = data[4 + size :]
    return ids


def test_answers_leave_in_the_order_of_their_requests() -> None:
    connection = server()
    calls = answers(connection, 1, 9, 12, 1, 1)
    reply = MetadataResponse()
    assert connection.in_flight == 5
    assert connection.reply(calls[2], reply) == []
    assert connection.reply(calls[1], reply) == []
    assert connection.reply(calls[4], reply) == []
    assert connection.pending_reply_bytes > 0
    assert correlation_ids(sent(connection.reply(calls[0], reply))) == [0, 1, 2]
    assert connection.in_flight == 2
    assert correlation_ids(sent(connection.reply(calls[3], reply))) == [3, 4]
    assert (connection.in_flight, connection.pending_reply_bytes) == (0, 0)


def test_a_request_without_an_answer_keeps_its_place() -> None:
    connection = server()
    silent = (PRODUCE, 7, produce(256, acks=0))
    data = stream(silent, (METADATA, 1, MetadataRequest(topics=None)), silent)
    first, second, third = (call for call, _ in feed(connection, data))
    assert connection.reply(third, None) == []
    assert connection.reply(second, MetadataResponse()) == []
    assert correlation_ids(sent(connection.reply(first, None))) == [1]
    assert (connection.in_flight, connection.pending_reply_bytes) == (0, 0)


def test_an_answer_is_given_once() -> None:
    connection = server()
    first, second = answers(connection, 1, 1)
    connection.reply(second, MetadataResponse())
    for call in (second, Call(ORIGIN, METADATA, 1, 9, None, 7)):
        with pytest.raises(Bug, match="answered twice"):
            connection.reply(call, MetadataResponse())
    connection.reply(first, MetadataResponse())
    with pytest.raises(Bug, match="answered twice"):
        connection.reply(first, MetadataResponse())


def test_a_lazy_payload_is_handed_through() -> None:
    class Slice:
        def __len__(self) -> int:
            return 77

    connection = server()
    fetch, fetch_answer = bodies()["FetchRequest"][0], bodies()["FetchResponse"][0]
    request = from_json(fetch, "FetchRequest", {})
    [(call, _)] = feed(connection, stream((FETCH, 11, request)))
    fields = {"responses": [{"topic": "t", "partitions": [{"partition_index": 0}]}]}
    response = from_json(fetch_answer, "FetchResponse", fields)
    payload = Slice()
    response.responses[0].partitions[0].records = payload
    head, body = connection.reply(call, response)
    assert body is payload
    assert int.from_bytes(head[:4], "big") == len(head) - 4 + 77


def test_apiversions_of_an_unknown_version_is_answered_in_version_0() -> None:
    # Version 99, correlation id 5, client id "x", then what only a newer broker could read.
    frame = bytes.fromhex("0012" + "0063" + "00000005" + "000178" + "00deadbeef")
    connection = server()
    [(call, message)] = feed(connection, len(frame).to_bytes(4, "big") + frame)
    assert message is None
    assert (call.api_key, call.version, call.client_id) == (API_VERSIONS, 0, "x")
    refusal = ApiVersionsResponse(error_code=35, api_keys=[ApiVersion(18, 0, 5)])
    text = "00000010" + "00000005" + "0023" + "00000001" + "0012" + "0000" + "0005"
    assert sent(connection.reply(call, refusal)).hex() == text


def test_another_api_of_an_unknown_version_keeps_it() -> None:
    frame = bytes.fromhex("0003" + "0063" + "00000005" + "000178" + "00")
    [(call, message)] = feed(server(), len(frame).to_bytes(4, "big") + frame)
    assert message is None
    assert (call.api_key, call.version) == (METADATA, 0x63)
    assert repr(call) == "Call(Metadata version 99, connection 1, slot 0)"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xff\xff\xff", "frame of -1 bytes from 10.0.0.9:5000; limits are 8 and 1,000"),
        (b"\x00\x00\x00\x07", "frame of 7 bytes from 10.0.0.9:5000"),
        (b"\x00\x00\x03\xe9", "frame of 1,001 bytes"),
        (bytes.fromhex("0000000a" + "03e7" + "0000" + "00000000" + "ffff"), "API key 999"),
        (bytes.fromhex("00000008" + "0003" + "0000" + "00000000"), "ends within its header"),
        (bytes.fromhex("0000000b" + "0003" + "0000" + "00000000" + "000578"), "client id of 5"),
        (bytes.fromhex("0000000b" + "0003" + "0001" + "00000000" + "ffff" + "00"), "10.0.0.9:5000"),
    ],
)
def test_what_breaks_the_protocol_names_peer_value_and_limit(data: bytes, said: str) -> None:
    for piece_bytes in (1, 100):
        with pytest.raises(RemoteProtocolError) as caught:
            feed(server(1000), data, piece_bytes)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ForeignProtocol.HTTP),
        (b"POST /topics", ForeignProtocol.HTTP),
        (b"PRI * HTTP/2.0", ForeignProtocol.HTTP),
        (bytes.fromhex("160301020001"), ForeignProtocol.TLS),
    ],
)
def test_other_protocols_are_recognized(data: bytes, protocol: ForeignProtocol) -> None:
    for piece_bytes in (1, 100):
        with pytest.raises(ForeignProtocolError, match=protocol.value) as caught:
            feed(server(), data, piece_bytes)
        assert caught.value.protocol is protocol


def test_only_the_first_frame_is_taken_for_another_protocol() -> None:
    connection = server()
    answers(connection, 1)
    with pytest.raises(RemoteProtocolError, match="frame of 1,195,725,856 bytes") as caught:
        feed(connection, b"GET / HTTP/1.1\r\n\r\n")
    assert not isinstance(caught.value, ForeignProtocolError)


def test_the_limit_can_be_raised_later() -> None:
    connection = server(1000)
    feed(connection, stream((METADATA, 1, MetadataRequest(topics=None))))
    connection.limit_frames(10_000)
    assert len(feed(connection, stream((PRODUCE, 9, produce(2048))))) == 1


def test_an_empty_produce_response_round_trips_through_both_ends() -> None:
    client, broker = ClientConnection("c"), server()
    correlation_id, chunks = client.request(PRODUCE, 9, produce(256))
    [(call, request)] = feed(broker, sent(chunks))
    assert request == produce(256)
    chunks = broker.reply(call, ProduceResponse())
    assert client.received(sent(chunks)) == [(correlation_id, ProduceResponse())]
    assert APIS[call.api_key].name == "Produce"
