"""Request and response headers: whose call, which API, in which version.

Request headers 1 and 2 begin alike, whatever the API: key, version, correlation id, then the client id
in its classic form even in header 2. So a header can be read before anything of the version is known,
which is what makes an answer to an unknown version possible (KIP-511).

Header 0 (ControlledShutdown version 0) ends after the correlation id.
"""

import struct
from typing import Final

from ottla.errors import RemoteProtocolError
from ottla.types import Payload
from ottla.wire.api import APIS, Api
from ottla.wire.primitive import nullable_string, read_string, skip_tags

_REQUEST: Final = struct.Struct(">hhi")
_CORRELATION: Final = struct.Struct(">i")
_unpack_request_and_length: Final = struct.Struct(">hhih").unpack_from
_pack_response_0: Final = struct.Struct(">ii").pack
_pack_response_1: Final = struct.Struct(">iix").pack


def decode_request_header_untrusted(
    data: memoryview,
) -> tuple[Api, int, int, str | None, int]:
    """(api, version, correlation id, client id, where the body begins) of a request.

    For a version that the codec does not know, where the body begins is not to be relied on.
    """
    try:
        key, version, correlation_id, length = _unpack_request_and_length(data, 0)
        api = APIS.get(key)
        if api is None:
            raise RemoteProtocolError(f"request with API key {key}, which is no API of Kafka")
        header_version = api.request_header_version(version)
        if header_version == 0:
            return api, version, correlation_id, None, 8
        client_id: str | None
        if length < 0:
            client_id, at = None, 10
        else:
            # A 16-bit length is at most limits.CLIENT_ID_BYTES_MAX.
            client_id, at = read_string(data, 8, "client id")
        if header_version == 2 and api.knows(version):
            at = skip_tags(data, at) if data[at] else at + 1
    except (struct.error, IndexError):
        raise RemoteProtocolError(f"request of {len(data)} bytes ends within its header") from None
    return api, version, correlation_id, client_id, at


def encode_request(
    api: Api, version: int, correlation_id: int, client_id: str | None, body: list[Payload]
) -> list[Payload]:
    """A whole request: size, header, body. `body` is used up."""
    header = _REQUEST.pack(api.key, version, correlation_id)
    header_version = api.request_header_version(version)
    if header_version > 0:
        header += nullable_string(client_id)
    if header_version == 2:
        header += b"\0"
    size = len(header) + sum(len(chunk) for chunk in body)
    return _behind(_CORRELATION.pack(size) + header, body)


def encode_response(
    api: Api, version: int, correlation_id: int, body: list[Payload]
) -> list[Payload]:
    """A whole response: size, header, body. `body` is used up."""
    if api.response_header_version(version) == 1:
        size, pack = 5, _pack_response_1
    else:
        size, pack = 4, _pack_response_0
    for chunk in body:
        size += len(chunk)
    return _behind(pack(size, correlation_id), body)


def decode_response_header_untrusted(data: memoryview) -> int:
    """The correlation id with which every response begins."""
    if len(data) < 4:
        raise RemoteProtocolError(f"response of {len(data)} bytes ends within its header")
    correlation_id: int = _CORRELATION.unpack_from(data, 0)[0]
    return correlation_id


def response_body_at_untrusted(api: Api, version: int, data: memoryview) -> int:
    """Where the body of a response begins."""
    if api.response_header_version(version) == 0:
        return 4
    try:
        return skip_tags(data, 4)
    except IndexError:
        raise RemoteProtocolError(f"response of {len(data)} bytes ends within its header") from None


def _behind(start: bytes, body: list[Payload]) -> list[Payload]:
    """`body` behind `start`, which the first chunk absorbs if it is small.

    The first chunk is never a payload: at least the payload's length is before it.
    """
    first = body[0] if body else b""
    if type(first) is bytes and len(first) < _ABSORBED_BYTES_MAX:
        body[:1] = [start + first]
        return body
    return [start, *body]


_ABSORBED_BYTES_MAX: Final = 64 * 1024
"""Above it a second chunk is cheaper than a copy."""
