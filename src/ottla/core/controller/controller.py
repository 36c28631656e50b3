"""The metadata log's only writer: decide, append, apply, reply.

Decisions are taken on `latest`: the committed image with every entry applied that is written but not
yet durable. So of two requests that create the same topic the second is refused, although the first
is not committed yet, and a reply is released only by the commit of everything it was decided on.

Promises: answers are given in the order of the decisions; an answer whose request wrote nothing waits
for what it saw to be committed. On one node the controller is active from its start to its end.

Source: KIP-500, KIP-631. Elsewhere: what is decided, see `topics.py`, `brokers.py`,
`producer_ids.py`; where the log is kept, see `core/metadata/log.py`.
"""

import logging
from collections import deque
from itertools import islice
from typing import Final, final

from ottla import probe
from ottla.core.controller.answer import Answer, Nobody
from ottla.core.controller.brokers import (
    Registration,
    check_metadata_version,
    decide_partitions,
    decide_registration,
    first_records,
)
from ottla.core.effect import Effect, Halt
from ottla.core.metadata.image import BrokerImage, Current, Image
from ottla.core.metadata.log import MetadataLog
from ottla.core.metadata.records import (
    AbortTransactionRecord,
    BrokerRegistrationChangeRecord,
    Entry,
    MetadataRecord,
)
from ottla.errors import ErrorCode
from ottla.limits import PARTITIONS_PER_REQUEST_MAX

_FENCE: Final = 1
_IN_CONTROLLED_SHUTDOWN: Final = 1

_logger = logging.getLogger(__name__)


@final
class Controller:
    """The active controller of a single node."""

    __slots__ = (
        "_current",
        "_failure",
        "_latest",
        "_log",
        "_lost_power",
        "_pending",
        "_registration",
        "_snapshot_bytes",
    )

    def __init__(
        self,
        log: MetadataLog,
        current: Current,
        registration: Registration,
        *,
        lost_power: bool,
        bytes_between_snapshots_max: int,
    ) -> None:
        """`lost_power`: the logs may have lost records that consumers have seen; partitions get a
        new leader epoch then, by which clients and followers notice (KIP-101, KIP-320).
        """
        self._log = log
        self._current = current
        self._latest = current.image
        self._registration = registration
        self._lost_power = lost_power and not (probe.MUTANTS and probe.mutant("M02-epoch-kept"))
        self._snapshot_bytes = bytes_between_snapshots_max
        self._pending: deque[tuple[int, Answer]] = deque()
        self._failure = ""

    @property
    def latest(self) -> Image:
        """The committed image with everything applied that is on its way: what decisions see."""
        return self._latest

    @property
    def broker(self) -> BrokerImage | None:
        """This node's registration as decisions see it."""
        return self._latest.brokers.get(self._registration.broker_id)

    @property
    def is_started(self) -> bool:
        """Is this process's registration committed? Before, clients would find no broker."""
        broker = self._current.image.brokers.get(self._registration.broker_id)
        return (
            broker is not None
            and broker.incarnation_id == self._registration.incarnation_id
            and broker.is_active
        )

    def start(self, now_ms: int) -> list[Effect]:
        """Claim the log, register this node, and see that every partition it can lead is led.

        The current image is what the log's replay folded into. Raises OSError when the log cannot
        be written, RemoteProtocolError when it is of a later Kafka than is known here.
        """
        self._latest = self._current.image
        effects = self._log.claim(now_ms)
        if self._log.open_transaction_since is not None:
            reason = "its writer stopped before it ended"
            effects += self._start_with(now_ms, (AbortTransactionRecord(reason=reason),))
        if self._latest.metadata_version == 0:
            effects += self._start_with(now_ms, first_records(self._log.bootstrap()))
        check_metadata_version(self._latest)
        registration = decide_registration(self._latest, self._registration, self._log.end_offset)
        effects += self._start_with(now_ms, registration)
        changes = decide_partitions(self._latest, self._registration, anew=self._lost_power)
        while batch := tuple(islice(changes, PARTITIONS_PER_REQUEST_MAX)):
            effects += self._start_with(now_ms, batch)
        return effects

    def _start_with(self, now_ms: int, records: tuple[MetadataRecord, ...]) -> list[Effect]:
        return self.submit(now_ms, records, _Indispensable())

    def leave(self, now_ms: int) -> list[Effect]:
        """Tell whoever opens this directory next that its broker went away in good order."""
        broker = self.broker
        if broker is None or broker.incarnation_id != self._registration.incarnation_id:
            return []
        record = BrokerRegistrationChangeRecord(
            broker_id=broker.broker_id,
            broker_epoch=broker.epoch,
            fenced=_FENCE,
            in_controlled_shutdown=_IN_CONTROLLED_SHUTDOWN,
        )
        return self.submit(now_ms, (record,), Nobody())

    def submit(
        self, now_ms: int, records: tuple[MetadataRecord, ...], answer: Answer
    ) -> list[Effect]:
        """Write `records` as one entry and answer when they are committed.

        Without records the answer waits for what is on its way, and is given at once if nothing is.
        """
        if self._failure and records:
            return answer.refused(ErrorCode.KAFKA_STORAGE_ERROR, self._failure)
        if not records:
            if not self._pending:
                return answer.committed(self._latest)
            self._pending.append((self._pending[-1][0], answer))
            return []
        if probe.MUTANTS and probe.mutant("M63-entry-in-pieces") and len(records) > 1:
            pieces = self.submit(now_ms, records[:1], Nobody())
            return pieces + self.submit(now_ms, records[1:], answer)
        try:
            entry, effects = self._log.append(
                records, now_ms=now_ms, metadata_version=self._latest.metadata_version
            )
        except OSError as error:
            _logger.error("the metadata log cannot be written", extra={"reason": str(error)})
            return answer.refused(
                ErrorCode.KAFKA_STORAGE_ERROR, f"the metadata log cannot be written: {error}"
            )
        self._latest, _ = self._latest.apply(entry)
        if probe.MUTANTS and probe.mutant("M63-answer-before-commit"):
            return [*effects, *answer.committed(self._latest)]
        self._pending.append((entry.end_offset, answer))
        return effects

    def committed(self, entry: Entry, image: Image) -> list[Effect]:
        """`entry` is durable and `image` holds it: give the answers that waited for it."""
        ready: list[Answer] = []
        while self._pending and self._pending[0][0] <= entry.end_offset:
            ready.append(self._pending.popleft()[1])
        if not self._pending:
            self._latest = image
        effects: list[Effect] = []
        for answer in ready:
            effects += answer.committed(image)
        if self._log.bytes_since_snapshot > self._snapshot_bytes:
            effects += self._log.snapshot(image)
        return effects

    def go_offline(self, why: str) -> list[Effect]:
        """The log's disk has failed: nothing more is decided, and what was not yet committed is
        refused. What of it is on the disk all the same, the next start finds out."""
        self._failure = f"the log directory is offline: {why}"
        self._latest = self._current.image
        effects: list[Effect] = []
        while self._pending:
            effects += self._pending.popleft()[1].refused(
                ErrorCode.KAFKA_STORAGE_ERROR, self._failure
            )
        return effects

    def check_invariants(self) -> None:
        offsets = [offset for offset, _ in self._pending]
        assert offsets == sorted(offsets)
        self._latest.check_invariants()


@final
class _Indispensable:
    """Without this entry the node cannot serve: it stops, and says why."""

    __slots__ = ()

    def committed(self, image: Image) -> list[Effect]:
        return []

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        return [Halt(message)]
