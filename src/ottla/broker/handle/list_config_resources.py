"""ListConfigResources: the names of what has configurations. Before version 1: of client metrics.

Source: KIP-1142, KIP-1000 (version 0).
"""

from collections.abc import Iterable
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.errors import ErrorCode
from ottla.settings.alter import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from ottla.wire.message.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 74
VERSIONS: Final = (0, 1)
GAPS: Final[tuple[str, ...]] = ()

_NAMES_TYPES_SINCE: Final = 1
_KNOWN: Final = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)


@final
class HandleListConfigResources:
    __slots__ = ("current",)

    def __init__(self, *, current: Current) -> None:
        self.current = current

    def __call__(
        self, now_ms: int, call: Call, request: ListConfigResourcesRequest
    ) -> list[Effect]:
        kinds: Iterable[int] = (CLIENT_METRICS,)
        if call.version >= _NAMES_TYPES_SINCE:
            kinds = dict.fromkeys(request.resource_types) or _KNOWN
        if any(kind not in _KNOWN for kind in kinds):
            refusal = ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
            return [Reply(call, refusal)]
        resources = [
            ConfigResource(resource_name=name, resource_type=kind)
            for kind in kinds
            for name in self._names(kind)
        ]
        return [Reply(call, ListConfigResourcesResponse(config_resources=resources))]

    def _names(self, kind: int) -> list[str]:
        image = self.current.image
        if kind == TOPIC:
            return sorted(image.topics)
        if kind in (BROKER, BROKER_LOGGER):
            return [str(one.broker_id) for one in image.brokers.values() if one.is_active]
        return sorted(name for of_kind, name in image.configs if of_kind == kind)
