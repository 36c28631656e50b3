"""What the codec promises beyond bytes: versions, nulls, payloads, lazy imports."""

import subprocess
import sys

import pytest

from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError, error_name
from ottla.wire.api import API_VERSIONS, APIS, FETCH, METADATA, PRODUCE
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from ottla.wire.message.incremental_alter_configs import AlterableConfig
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.message.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.message.sasl_authenticate import SaslAuthenticateRequest
from tests.unit.wire.building import api_schemas
from tests.unit.wire.test_golden import joined


class Slice:
    """Bytes that are not in memory: only their length is known."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def __len__(self) -> int:
        return self.size_bytes


def fetched(*payloads: object) -> FetchResponse:
    partitions = [PartitionData(partition_index=i, records=p) for i, p in enumerate(payloads)]
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


@pytest.mark.parametrize("version", [4, 11, 12, 17])
def test_payloads_travel_as_they_are(version: int) -> None:
    first, second, third = Slice(1000), b"x" * 10, memoryview(b"yy")
    chunks = APIS[FETCH].encode_response(fetched(first, second, third), version)
    assert chunks[1] is first
    assert chunks[3] is second
    assert chunks[5] is third
    assert [type(chunk) for chunk in chunks[::2]] == [bytes] * len(chunks[::2])


@pytest.mark.parametrize("version", [4, 12])
def test_a_payloads_length_stands_before_it(version: int) -> None:
    lazy = APIS[FETCH].encode_response(fetched(Slice(5)), version)
    present = APIS[FETCH].encode_response(fetched(b"12345"), version)
    assert [c for c in lazy if isinstance(c, bytes)] == [present[0], *present[2:]]
    assert present[1] == b"12345"


def test_request_records_are_views_of_the_input() -> None:
    records = b"r" * 100
    part = PartitionProduceData(index=0, records=records)
    request = ProduceRequest(acks=1, topic_data=[TopicProduceData("t", partition_data=[part])])
    data = bytearray(joined(APIS[PRODUCE].encode_request(request, 9)))
    read = APIS[PRODUCE].decode_request_untrusted(memoryview(data), 0, 9)
    assert isinstance(read, ProduceRequest)
    view = read.topic_data[0].partition_data[0].records
    assert isinstance(view, memoryview)
    data[data.index(b"rrr")] = ord("X")
    assert bytes(view) == b"X" + b"r" * 99


def test_what_a_version_lacks_is_refused_unless_it_may_be_dropped() -> None:
    committed = FetchRequest(isolation_level=1)
    plain = FetchRequest()
    assert APIS[FETCH].encode_request(committed, 4) != APIS[FETCH].encode_request(plain, 4)
    assert APIS[FETCH].encode_request(committed, 3) == APIS[FETCH].encode_request(plain, 3)
    topics = [MetadataRequestTopic(name="t")]
    quiet = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
    assert APIS[METADATA].encode_request(quiet, 4)
    with pytest.raises(LocalProtocolError, match="allow_auto_topic_creation cannot be said in ver"):
        APIS[METADATA].encode_request(quiet, 3)


def test_null_is_refused_where_a_version_has_no_form_for_it() -> None:
    everything = MetadataRequest(topics=None)
    assert joined(APIS[METADATA].encode_request(everything, 1)) == b"\xff\xff\xff\xff"
    with pytest.raises(LocalProtocolError, match="topics may not be None in version 0"):
        APIS[METADATA].encode_request(everything, 0)
    with pytest.raises(RemoteProtocolError, match="topics is null"):
        APIS[METADATA].decode_request_untrusted(memoryview(b"\xff\xff\xff\xff"), 0, 0)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (FetchRequest(max_wait_ms=2**31), "a number does not fit"),
        (FetchRequest(topics=[FetchTopic(topic="x" * 40_000)]), "limit is 32,767"),
        (FetchRequest(topics=[FetchTopic(topic="\ud800")]), "has no UTF-8 form"),
        (FetchResponse(), "FetchResponse is not a FetchRequest"),
    ],
)
def test_what_cannot_be_written_is_the_callers_fault(message: FetchRequest, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        APIS[FETCH].encode_request(message, 11)


def test_an_unknown_version_is_refused_on_both_sides() -> None:
    with pytest.raises(LocalProtocolError, match="ApiVersions version 6; known are 0 to 5"):
        APIS[API_VERSIONS].encode_request(ApiVersionsRequest(), 6)
    with pytest.raises(RemoteProtocolError, match="known are 0 to 5"):
        APIS[API_VERSIONS].decode_response_untrusted(memoryview(b""), 0, 6)


def test_the_table_is_the_schemas() -> None:
    schemas = api_schemas()
    assert sorted(APIS) == sorted(schemas) == list(range(95))
    for key, api in APIS.items():
        assert (api.name, api.min_version) == (schemas[key].name, schemas[key].version_min)
        assert api.advertised_max <= api.max_version
        assert api.advertised_max < api.unstable_version or api.unstable_version < 0


@pytest.mark.parametrize(
    ("key", "version", "request_header", "response_header"),
    [(0, 8, 1, 0), (0, 9, 2, 1), (7, 0, 0, 0), (7, 1, 1, 0), (17, 1, 1, 0), (18, 3, 2, 0)],
)
def test_header_versions(key: int, version: int, request_header: int, response_header: int) -> None:
    assert APIS[key].request_header_version(version) == request_header
    assert APIS[key].response_header_version(version) == response_header


def test_the_table_loads_no_message_before_it_is_used() -> None:
    script = (
        "import sys, ottla.wire.api as api\n"
        "assert not [m for m in sys.modules if m.startswith('ottla.wire.message.')]\n"
        "api.APIS[17].decode_request_untrusted(memoryview(bytes(2)), 0, 0)\n"
        "assert [m for m in sys.modules if m.startswith('ottla.wire.message.')]"
        " == ['ottla.wire.message.sasl_handshake']\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_refusal_is_made_only_where_the_response_has_a_place_for_it() -> None:
    assert APIS[FETCH].refusal(42, 7) == FetchResponse(error_code=42)
    assert APIS[FETCH].refusal(42, 6) is None, "version 6 has errors per partition only"
    assert APIS[FETCH].refusal(42) is None
    assert APIS[PRODUCE].refusal(42, 9) is None
    assert APIS[API_VERSIONS].refusal(35) == ApiVersionsResponse(error_code=35)


def test_messages_compare_by_value_and_say_what_they_are() -> None:
    assert MetadataRequest(topics=()) == MetadataRequest(topics=[])
    assert MetadataRequest() != MetadataResponse()
    assert ApiVersionsResponse(error_code=ErrorCode.NONE) == ApiVersionsResponse()
    assert repr(MetadataRequestTopic(name="t")).startswith("MetadataRequestTopic(name='t', ")
    assert "hunter2" not in repr(SaslAuthenticateRequest(auth_bytes=b"\0me\0hunter2"))
    assert "hunter2" not in repr(AlterableConfig(name="ssl.key.password", value="hunter2"))
    shown = repr(PartitionProduceData(records=bytes(100_000)))
    assert len(shown) < 300
    assert "100,000 bytes" in shown
    with pytest.raises(TypeError):
        hash(MetadataRequest())


def test_errors_name_their_code() -> None:
    error = ApiError(ErrorCode.NOT_COORDINATOR, "try the other one")
    assert str(error) == "NOT_COORDINATOR: try the other one"
    assert error.retriable
    assert not ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION).retriable
    assert error_name(999) == "UNKNOWN_ERROR_CODE_999"
    assert str(ApiError(999)) == "UNKNOWN_ERROR_CODE_999"
