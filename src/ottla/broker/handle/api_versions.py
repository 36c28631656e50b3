"""ApiVersions: what this node speaks. The first question of every client, in every version.

The list is that of the routes: nothing is told that is not answered. Feature levels are told where
this node implements them; levels that a directory of Apache Kafka's brought along are kept, not told.

Source: KIP-35, KIP-511 (software names; a version nobody knows), KIP-584 (features), KIP-1242 (a
client that was led to the wrong cluster).
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, final

from ottla.core.controller.brokers import SUPPORTED_FEATURES
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current, Image
from ottla.errors import ErrorCode
from ottla.wire.message.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from ottla.wire.server import Call

API_KEY: Final = 18
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = (
    "NodeId (version 5) is not checked: behind a port map, a client may name another node in good faith",
)

_NAMES_ITSELF_SINCE: Final = 3
_NAMES_ITS_CLUSTER_SINCE: Final = 5
_SOFTWARE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


@final
class HandleApiVersions:
    """`advertised` tells each API key's lowest and highest version, when asked (the routes are
    complete only after this handler is one of them)."""

    __slots__ = ("advertised", "cluster_id", "current")

    def __init__(
        self,
        *,
        current: Current,
        cluster_id: str,
        advertised: Callable[[], Mapping[int, tuple[int, int]]],
    ) -> None:
        self.current = current
        self.cluster_id = cluster_id
        self.advertised = advertised

    def __call__(self, now_ms: int, call: Call, request: ApiVersionsRequest | None) -> list[Effect]:
        """`request` None: a version nobody here knows, answered as version 0."""
        if request is None:
            return [Reply(call, self._response(ErrorCode.UNSUPPORTED_VERSION, self._keys()))]
        error = self._check(call.version, request)
        if error is not ErrorCode.NONE:
            return [Reply(call, self._response(error, []))]
        response = self._response(ErrorCode.NONE, self._keys())
        if call.version >= _NAMES_ITSELF_SINCE:
            image = self.current.image
            response.supported_features = _supported(image)
            response.finalized_features_epoch = max(image.offset - 1, 0)
            response.finalized_features = _finalized(image)
        return [Reply(call, response)]

    def _check(self, version: int, request: ApiVersionsRequest) -> ErrorCode:
        if version >= _NAMES_ITSELF_SINCE:
            for text in (request.client_software_name, request.client_software_version):
                if _SOFTWARE.fullmatch(text) is None:
                    return ErrorCode.INVALID_REQUEST
        if version >= _NAMES_ITS_CLUSTER_SINCE:
            named = request.cluster_id
            if named is not None and request.node_id >= 0 and named != self.cluster_id:
                return ErrorCode.REBOOTSTRAP_REQUIRED
        return ErrorCode.NONE

    def _keys(self) -> list[ApiVersion]:
        return [ApiVersion(key, low, high) for key, (low, high) in self.advertised().items()]

    def _response(self, error: ErrorCode, keys: list[ApiVersion]) -> ApiVersionsResponse:
        return ApiVersionsResponse(error_code=error, api_keys=keys)


def _supported(image: Image) -> list[SupportedFeatureKey]:
    """A level that is finalized is supported, though it be one of a later Kafka (see `brokers.py`)."""
    return [
        SupportedFeatureKey(name, low, max(high, image.features.get(name, 0)))
        for name, low, high in SUPPORTED_FEATURES
    ]


def _finalized(image: Image) -> list[FinalizedFeatureKey]:
    return [
        FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
        for name, _, _ in SUPPORTED_FEATURES
        if (level := image.features.get(name, 0)) > 0
    ]
