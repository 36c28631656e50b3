"""UnregisterBroker: forget a broker that will not come back, such as one of an earlier cluster.

This node itself is not unregistered: as long as it runs, it is what its clients talk to.

Source: KIP-631. Elsewhere: what becomes of its partitions, see `core/controller/brokers.py`.
"""

from typing import Final, final

from ottla.core.controller.brokers import decide_unregistration
from ottla.core.controller.controller import Controller
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.errors import ErrorCode
from ottla.wire.message.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 64
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ("the node that is asked is not unregistered: INVALID_REQUEST",)


@final
class HandleUnregisterBroker:
    __slots__ = ("controller", "node_id")

    def __init__(self, *, controller: Controller, node_id: int) -> None:
        self.controller = controller
        self.node_id = node_id

    def __call__(self, now_ms: int, call: Call, request: UnregisterBrokerRequest) -> list[Effect]:
        image, broker_id = self.controller.latest, request.broker_id
        if broker_id not in image.brokers:
            error = ErrorCode.BROKER_ID_NOT_REGISTERED
            text = f"Broker ID {broker_id} is not currently registered"
            return [Reply(call, UnregisterBrokerResponse(error_code=error, error_message=text))]
        if broker_id == self.node_id:
            error = ErrorCode.INVALID_REQUEST
            text = f"Broker ID {broker_id} is this node, which is running: stop it instead"
            return [Reply(call, UnregisterBrokerResponse(error_code=error, error_message=text))]
        return self.controller.submit(
            now_ms, decide_unregistration(image, broker_id), _Answer(call)
        )


@final
class _Answer:
    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, UnregisterBrokerResponse(error_message=None))]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        return [
            Reply(self._call, UnregisterBrokerResponse(error_code=error, error_message=message))
        ]
