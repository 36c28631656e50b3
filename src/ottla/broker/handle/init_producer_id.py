"""InitProducerId: an id, and an epoch, for an idempotent producer.

A producer without a transactional id always gets a fresh id with epoch 0, as in Apache Kafka, also
when it names the one it had (version 3 on): nobody remembers it under any other name.

Source: KIP-98, KIP-360. Elsewhere: where ids come from, see `core/controller/producer_ids.py`.
"""

from typing import Final, final

from ottla.core.controller.producer_ids import ProducerIds
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.errors import ErrorCode
from ottla.types import NO_PRODUCER_EPOCH, NO_PRODUCER_ID
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.server import Call

API_KEY: Final = 22
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = (
    "no transactions yet: a transactional id is refused with UNSUPPORTED_VERSION, which clients take as final",
)


@final
class HandleInitProducerId:
    __slots__ = ("ids", "transaction_timeout_ms_max")

    def __init__(self, *, ids: ProducerIds, transaction_timeout_ms_max: int) -> None:
        self.ids = ids
        self.transaction_timeout_ms_max = transaction_timeout_ms_max

    def __call__(self, now_ms: int, call: Call, request: InitProducerIdRequest) -> list[Effect]:
        error = self._check(request)
        if error is not ErrorCode.NONE:
            return [Reply(call, _refusal(error))]
        return _take(self.ids, now_ms, call)

    def _check(self, request: InitProducerIdRequest) -> ErrorCode:
        has_id = request.producer_id != NO_PRODUCER_ID
        has_epoch = request.producer_epoch != NO_PRODUCER_EPOCH
        if has_id != has_epoch or request.transactional_id == "":
            return ErrorCode.INVALID_REQUEST
        if request.transactional_id is None:
            return ErrorCode.NONE  # then the timeout means nothing
        if not 0 < request.transaction_timeout_ms <= self.transaction_timeout_ms_max:
            return ErrorCode.INVALID_TRANSACTION_TIMEOUT
        return ErrorCode.UNSUPPORTED_VERSION


def _take(ids: ProducerIds, now_ms: int, call: Call) -> list[Effect]:
    producer_id = ids.take()
    if producer_id is None:
        return ids.refill(now_ms, _Waiting(ids, call))
    return [Reply(call, InitProducerIdResponse(producer_id=producer_id, producer_epoch=0))]


def _refusal(error: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(
        error_code=error, producer_id=NO_PRODUCER_ID, producer_epoch=NO_PRODUCER_EPOCH
    )


@final
class _Waiting:
    """A producer that waits for the next block of ids; more may wait than a block has."""

    __slots__ = ("_call", "_ids")

    def __init__(self, ids: ProducerIds, call: Call) -> None:
        self._ids = ids
        self._call = call

    def committed(self, image: Image) -> list[Effect]:
        return _take(self._ids, image.timestamp_ms, self._call)

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        return [Reply(self._call, _refusal(error))]
