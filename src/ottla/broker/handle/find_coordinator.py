"""FindCoordinator, API key 10: which broker coordinates a group or a transactional id.

On one node that is this node, so the answer is complete, although nothing can be asked of the
coordinator yet: JoinGroup and its kin are not advertised, and clients say so at once.

It is served now because librdkafka takes its presence as the mark of a broker that knows lz4, and
sends uncompressed without a word where it is missing (ADR 11).

Source: KIP-98 (transactions), KIP-699 (batches), KIP-932 (share groups).
"""

from dataclasses import dataclass
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.core.metadata.reach import Reach
from ottla.errors import ErrorCode
from ottla.wire.message.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 10
VERSIONS: Final = (0, 6)
GAPS: Final[tuple[str, ...]] = (
    "it tells where groups and transactions will be coordinated; neither is served yet",
    "share groups: INVALID_REQUEST, as in Kafka where share.version is 0",
)

BATCHES_SINCE: Final = 4

_GROUP: Final = 0
_TRANSACTION: Final = 1
_NO_NODE: Final = (-1, "", -1)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HandleFindCoordinator:
    current: Current
    node_id: int
    reach: Reach

    def __call__(self, now_ms: int, call: Call, request: FindCoordinatorRequest) -> list[Effect]:
        error, message, place = self._place(call, request.key_type)
        if call.version < BATCHES_SINCE:
            response = FindCoordinatorResponse(0, error, message, *place)
        else:
            response = FindCoordinatorResponse(
                coordinators=[
                    Coordinator(key, *place, error, message) for key in request.coordinator_keys
                ]
            )
        return [Reply(call, response)]

    def _place(
        self, call: Call, key_type: int
    ) -> tuple[ErrorCode, str | None, tuple[int, str, int]]:
        if key_type not in (_GROUP, _TRANSACTION):
            why = f"key type {key_type}; coordinated here are groups (0) and transactional ids (1)"
            return ErrorCode.INVALID_REQUEST, why, _NO_NODE
        node = self.reach.node(self.current.image, self.node_id, call.origin)
        if node is None:
            why = f"this broker has no address on listener {call.origin.listener}"
            return ErrorCode.COORDINATOR_NOT_AVAILABLE, why, _NO_NODE
        return ErrorCode.NONE, None, (node.broker_id, node.host, node.port)
