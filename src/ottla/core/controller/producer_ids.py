"""Producer ids: handed out one by one from blocks that the metadata log has given away for good.

Promises: no id is ever handed out twice, not even after a crash, because a block's end is committed
before the first of its ids leaves; what was left of a block when the process ended is lost, which
costs nothing with 2^63 ids.

Source: KIP-98, KIP-730 (blocks of 1,000). Elsewhere: who asks, see `broker/handle/init_producer_id.py`.
"""

from typing import Final, final

from ottla import probe
from ottla.core.controller.answer import Answer, Nobody
from ottla.core.controller.controller import Controller
from ottla.core.effect import Effect
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import MetadataRecord, ProducerIdsRecord
from ottla.errors import ErrorCode

BLOCK_IDS: Final = 1_000


@final
class ProducerIds:
    """The block in use, and whether the next one is on its way."""

    __slots__ = ("_asked", "_controller", "_end", "_next")

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._next = 0
        self._end = 0
        self._asked = False

    def take(self) -> int | None:
        """A fresh id; None when the block is used up: `refill` then."""
        if self._next == self._end:
            return None
        self._next += 1
        return self._next - 1

    def refill(self, now_ms: int, then: Answer) -> list[Effect]:
        """Get the next block; `then` is told when it is there. One block is fetched at a time."""
        if self._asked:
            return self._controller.submit(now_ms, (), then)
        broker = self._controller.broker
        assert broker is not None  # nobody is served before the broker is registered
        start = self._controller.latest.next_producer_id
        record: MetadataRecord = ProducerIdsRecord(
            broker_id=broker.broker_id,
            broker_epoch=broker.epoch,
            next_producer_id=start + BLOCK_IDS,
        )
        self._asked = True
        if probe.MUTANTS and probe.mutant("M63-ids-before-commit"):
            self._next, self._end = start, start + BLOCK_IDS
            return self._controller.submit(now_ms, (record,), Nobody()) + then.committed(
                self._controller.latest
            )
        return self._controller.submit(now_ms, (record,), _Granted(self, start, then))

    def _granted(self, start: int | None) -> None:
        self._asked = False
        if start is not None:
            self._next, self._end = start, start + BLOCK_IDS

    def check_invariants(self) -> None:
        assert self._next <= self._end <= self._controller.latest.next_producer_id


@final
class _Granted:
    """The block is committed: only now are its ids this broker's."""

    __slots__ = ("_ids", "_start", "_then")

    def __init__(self, ids: ProducerIds, start: int, then: Answer) -> None:
        self._ids = ids
        self._start = start
        self._then = then

    def committed(self, image: Image) -> list[Effect]:
        self._ids._granted(self._start)
        return self._then.committed(image)

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        self._ids._granted(None)
        return self._then.refused(error, message)
