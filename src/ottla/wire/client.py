"""The client's end of a connection: requests to bytes, received bytes to responses, without a socket.

Versions are agreed on first: `opening()` asks with the newest ApiVersions, and where the broker answers
UNSUPPORTED_VERSION, which it does in the form of version 0, asks again with what the answer lists, or
with version 0 (KIP-511). What to send for that is in `outgoing()` after `received`.

Promises: responses are matched in the order of the requests; one that does not fit is a
RemoteProtocolError. A Produce with acks=0 awaits none. Responses own their bytes: views stay valid.

Bytes come in by `received`, or by `room` and `filled`: then a large response is read where it stays.
"""

from collections import deque
from typing import Final, final

from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError
from ottla.limits import RESPONSE_FRAME_BYTES_MAX
from ottla.types import Payload
from ottla.wire.api import API_VERSIONS, APIS, PRODUCE, Api, Message
from ottla.wire.header import (
    decode_response_header_untrusted,
    encode_request,
    response_body_at_untrusted,
)
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse

CORRELATION_ID_MAX: Final = 2**31 - 1
_FRAME_BYTES_MIN: Final = 4
_SCRATCH_BYTES: Final = 64 * 1024
_LARGE_BYTES: Final = 32 * 1024
"""A response of which so much is still to come is not collected first and copied then."""


@final
class ClientConnection:
    """One connection to one broker.

    `negotiated`: per API key the broker's lowest and highest version; empty until it has answered.
    `broker`: that answer, with the cluster's features.
    """

    __slots__ = (
        "_awaited",
        "_buffer",
        "_client_id",
        "_correlation_id",
        "_frame_bytes_max",
        "_large",
        "_large_at",
        "_opening_id",
        "_outgoing",
        "_scratch",
        "_software",
        "broker",
        "negotiated",
    )

    def __init__(
        self,
        client_id: str | None,
        *,
        software_name: str = "ottla",
        software_version: str = "0",
        frame_bytes_max: int = RESPONSE_FRAME_BYTES_MAX,
    ) -> None:
        self._client_id = client_id
        self._software = (software_name, software_version)
        self._frame_bytes_max = frame_bytes_max
        self._correlation_id = -1
        self._opening_id = -1
        self._awaited: deque[tuple[int, Api, int]] = deque()
        self._buffer = bytearray()
        self._scratch: memoryview | None = None
        self._large: memoryview | None = None
        self._large_at = 0
        self._outgoing: list[Payload] = []
        self.negotiated: dict[int, tuple[int, int]] = {}
        self.broker: ApiVersionsResponse | None = None

    @property
    def in_flight(self) -> int:
        """Requests that await their response."""
        return len(self._awaited)

    def opening(self) -> list[Payload]:
        """What to send first: which versions does the broker speak?"""
        api = APIS[API_VERSIONS]
        return self._ask_versions(api.max_version)

    def outgoing(self) -> list[Payload]:
        """What `received` made necessary to send; empty but while versions are agreed on."""
        chunks, self._outgoing = self._outgoing, []
        return chunks

    def version_for(self, api_key: int, *, at_most: int = CORRELATION_ID_MAX) -> int:
        """The highest version that both sides speak.

        ApiError(UNSUPPORTED_VERSION) if there is none. LocalProtocolError before the broker answered.
        """
        api = APIS[api_key]
        if not self.negotiated:
            raise LocalProtocolError(f"{api.name}: the broker's versions are not known yet")
        ours = min(api.max_version, at_most)
        if api.unstable_version >= 0:
            ours = min(ours, api.unstable_version - 1)
        low, high = self.negotiated.get(api_key, (0, -1))
        version = min(ours, high)
        if version < max(api.min_version, low):
            theirs = f"versions {low} to {high}" if high >= 0 else "no version"
            raise ApiError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"{api.name}: the broker speaks {theirs}, this client {api.min_version} to {ours}",
            )
        return version

    def request(self, api_key: int, version: int, message: Message) -> tuple[int, list[Payload]]:
        """(correlation id, chunks to send). LocalProtocolError if `version` cannot say `message`."""
        api = APIS[api_key]
        body = api.encode_request(message, version)
        self._correlation_id = correlation_id = (self._correlation_id + 1) & CORRELATION_ID_MAX
        chunks = encode_request(api, version, correlation_id, self._client_id, body)
        if api_key != PRODUCE or not _is_unanswered(message):
            self._awaited.append((correlation_id, api, version))
        return correlation_id, chunks

    def received(self, data: bytes | bytearray | memoryview) -> list[tuple[int, Message]]:
        """The responses that `data` completes, with their correlation ids, in the order of requests.

        The answer to `opening` is kept here and not returned. Raises RemoteProtocolError.
        """
        self._buffer += data
        responses = []
        while (frame := self._next_frame_untrusted()) is not None:
            correlation_id, message = self._response_untrusted(memoryview(frame))
            if message is not None:
                responses.append((correlation_id, message))
        return responses

    def room(self) -> memoryview:
        """Where to put what arrives next; `filled` takes it over."""
        if self._large is not None:
            return self._large[self._large_at :]
        if self._scratch is None:
            self._scratch = memoryview(bytearray(_SCRATCH_BYTES))
        return self._scratch

    def filled(self, nbytes: int) -> list[tuple[int, Message]]:
        """As `received`, with the first `nbytes` of `room`."""
        large = self._large
        if large is None:
            assert self._scratch is not None, "room comes first"
            responses = self.received(self._scratch[:nbytes])
            self._begin_large()
            return responses
        self._large_at += nbytes
        if self._large_at < len(large):
            return []
        self._large = None
        correlation_id, message = self._response_untrusted(large.toreadonly())
        return [] if message is None else [(correlation_id, message)]

    def _begin_large(self) -> None:
        """If a large response has begun, the rest of it is read behind what is there."""
        begun = len(self._buffer) - 4
        if begun < 0:
            return
        size = int.from_bytes(self._buffer[:4], "big")
        if size - begun < _LARGE_BYTES:
            return
        self._large = memoryview(bytearray(size))
        self._large[:begun] = self._buffer[4:]
        self._large_at = begun
        self._buffer.clear()

    def _next_frame_untrusted(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        size = int.from_bytes(buffer[:4], "big", signed=True)
        if not _FRAME_BYTES_MIN <= size <= self._frame_bytes_max:
            raise RemoteProtocolError(
                f"response of {size:,} bytes; limits are {_FRAME_BYTES_MIN} and "
                f"{self._frame_bytes_max:,}"
            )
        end = 4 + size
        if len(buffer) < end:
            return None
        # The response keeps views of its bytes, so it must not share the buffer that goes on growing.
        with memoryview(buffer) as view:
            frame = bytes(view[4:end])
        del buffer[:end]
        return frame

    def _response_untrusted(self, frame: memoryview) -> tuple[int, Message | None]:
        correlation_id = decode_response_header_untrusted(frame)
        if not self._awaited:
            raise RemoteProtocolError(f"response {correlation_id} to a request that was not made")
        expected, api, version = self._awaited.popleft()
        if correlation_id != expected:
            raise RemoteProtocolError(
                f"response {correlation_id}, where {expected} is next in order"
            )
        if expected == self._opening_id:
            self._opened_untrusted(api, version, frame)
            return correlation_id, None
        at = response_body_at_untrusted(api, version, frame)
        return correlation_id, api.decode_response_untrusted(frame, at, version)

    def _ask_versions(self, version: int) -> list[Payload]:
        name, software_version = self._software
        message = ApiVersionsRequest()
        if version >= 3:
            message = ApiVersionsRequest(
                client_software_name=name, client_software_version=software_version
            )
        self._opening_id, chunks = self.request(API_VERSIONS, version, message)
        return chunks

    def _opened_untrusted(self, api: Api, version: int, frame: memoryview) -> None:
        """Take the broker's versions over, or ask again in a version that it knows."""
        if bytes(frame[4:6]) == _UNSUPPORTED_VERSION and version > 0:
            self._outgoing += self._ask_versions(_offered_untrusted(api, version, frame))
            return
        answer = api.decode_response_untrusted(frame, 4, version)
        assert isinstance(answer, ApiVersionsResponse)
        if answer.error_code != ErrorCode.NONE:
            raise ApiError(answer.error_code, "the broker does not tell which versions it speaks")
        self.broker = answer
        self.negotiated = {k.api_key: (k.min_version, k.max_version) for k in answer.api_keys}


_UNSUPPORTED_VERSION: Final = ErrorCode.UNSUPPORTED_VERSION.to_bytes(2, "big")


def _offered_untrusted(api: Api, asked: int, frame: memoryview) -> int:
    """The ApiVersions version that a refusal, written in version 0, lists; 0 if it lists none."""
    try:
        answer = api.decode_response_untrusted(frame, 4, 0)
    except RemoteProtocolError:
        return 0
    assert isinstance(answer, ApiVersionsResponse)
    offers = [k.max_version for k in answer.api_keys if k.api_key == api.key]
    return max(0, min([*offers, asked - 1])) if offers else 0


def _is_unanswered(message: Message) -> bool:
    from ottla.wire.message.produce import ProduceRequest

    return isinstance(message, ProduceRequest) and message.acks == 0
