"""FindCoordinator, API key 10: which broker coordinates a group or a transactional id.

On one node that is this node. The topic in which groups are kept is made by the first who asks for
one's coordinator; the answer waits until its partitions can be used. Apache Kafka answers
COORDINATOR_NOT_AVAILABLE first and lets the client ask again; clients take either.

Source: KIP-98 (transactions), KIP-699 (batches), KIP-932 (share groups). librdkafka takes the presence
of this API as the mark of a broker that knows lz4 (ADR 11).
"""

from typing import Final, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.internal_topics import auto_created
from ottla.core.controller.topics import Refused, TopicDefaults, TopicMaker
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current, Image
from ottla.core.metadata.partition import OFFSETS_TOPIC
from ottla.core.metadata.reach import Reach
from ottla.core.port import Entropy
from ottla.errors import ErrorCode
from ottla.settings.broker import BrokerSettings
from ottla.wire.message.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 10
VERSIONS: Final = (0, 6)
GAPS: Final[tuple[str, ...]] = (
    "it tells where transactions will be coordinated; they are not served yet",
    "share groups: INVALID_REQUEST, as in Kafka where share.version is 0",
)

BATCHES_SINCE: Final = 4

_GROUP: Final = 0
_TRANSACTION: Final = 1
_NO_NODE: Final = (-1, "", -1)


@final
class HandleFindCoordinator:
    __slots__ = ("controller", "current", "defaults", "entropy", "reach", "settings")

    def __init__(
        self,
        *,
        current: Current,
        controller: Controller,
        defaults: TopicDefaults,
        settings: BrokerSettings,
        entropy: Entropy,
        reach: Reach,
    ) -> None:
        self.current = current
        self.controller = controller
        self.defaults = defaults
        self.settings = settings
        self.entropy = entropy
        self.reach = reach

    def __call__(self, now_ms: int, call: Call, request: FindCoordinatorRequest) -> list[Effect]:
        if request.key_type == _GROUP and OFFSETS_TOPIC not in self.current.image.topics:
            return self._make_topic(now_ms, call, request)
        return [Reply(call, self.response(self.current.image, call, request))]

    def _make_topic(self, now_ms: int, call: Call, request: FindCoordinatorRequest) -> list[Effect]:
        latest = self.controller.latest
        answer = _Answer(self, call, request)
        if OFFSETS_TOPIC in latest.topics:
            return self.controller.submit(now_ms, (), answer)  # on its way: wait for it too
        maker = TopicMaker(latest, self.defaults, self.entropy)
        made = maker.make(auto_created(OFFSETS_TOPIC, self.settings))
        if isinstance(made, Refused):
            return answer.refused(made.error, made.message)
        return self.controller.submit(now_ms, tuple(maker.records), answer)

    def response(
        self,
        image: Image,
        call: Call,
        request: FindCoordinatorRequest,
        problem: str | None = None,
    ) -> FindCoordinatorResponse:
        """`problem`: why there is no coordinator."""
        error, message, place = self._place(image, call, request.key_type)
        if problem is not None:
            error, message, place = ErrorCode.COORDINATOR_NOT_AVAILABLE, problem, _NO_NODE
        if call.version < BATCHES_SINCE:
            return FindCoordinatorResponse(0, error, message, *place)
        return FindCoordinatorResponse(
            coordinators=[
                Coordinator(key, *place, error, message) for key in request.coordinator_keys
            ]
        )

    def _place(
        self, image: Image, call: Call, key_type: int
    ) -> tuple[ErrorCode, str | None, tuple[int, str, int]]:
        if key_type not in (_GROUP, _TRANSACTION):
            why = f"key type {key_type}; coordinated here are groups (0) and transactional ids (1)"
            return ErrorCode.INVALID_REQUEST, why, _NO_NODE
        node = self.reach.node(image, self.settings.node_id, call.origin)
        if node is None:
            why = f"this broker has no address on listener {call.origin.listener}"
            return ErrorCode.COORDINATOR_NOT_AVAILABLE, why, _NO_NODE
        return ErrorCode.NONE, None, (node.broker_id, node.host, node.port)


@final
class _Answer:
    """A call that waits for the topic it caused to be made."""

    __slots__ = ("_call", "_handle", "_request")

    def __init__(
        self, handle: HandleFindCoordinator, call: Call, request: FindCoordinatorRequest
    ) -> None:
        self._handle = handle
        self._call = call
        self._request = request

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._handle.response(image, self._call, self._request))]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        image = self._handle.current.image
        problem = f"{OFFSETS_TOPIC} can't be made: {message}"
        return [Reply(self._call, self._handle.response(image, self._call, self._request, problem))]
