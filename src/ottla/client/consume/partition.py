"""What a consumer knows of one partition that it reads.

A partition goes through stages: where to begin is asked of the group (`COMMITTED`) or of the leader
(`RESET`); a position from another leader's time is checked (`VALIDATE`, KIP-320); then it is fetched.
`position` is the next offset to hand out; `fetch_offset`, the next to ask for, may be ahead of it by
what is held.
"""

from collections import deque
from enum import Enum
from itertools import count
from typing import Final, final

from ottla.client.consume.batch import ConsumedBatch
from ottla.client.consume.held import Held
from ottla.errors import OttlaError
from ottla.types import NO_EPOCH, TopicPartition

NO_POSITION: Final = -1

_seeks: Final = count(1)
"""Of all partitions: one that was given back and came again is no longer asked for by the same number."""


class Stage(Enum):
    COMMITTED = "asks the group"
    RESET = "asks for a first offset"
    VALIDATE = "asks whether the log still has what was read"
    FETCH = "fetches"
    STUCK = "waits for a seek"


@final
class Reading:
    """One assigned partition. `seeks` tells answers from before a seek, or an assignment, from those
    after it."""

    __slots__ = (
        "batch",
        "epoch",
        "fetch_epoch",
        "fetch_offset",
        "held",
        "held_bytes",
        "high_watermark",
        "is_paused",
        "last_stable",
        "leader_epoch",
        "log_start",
        "place",
        "position",
        "replica",
        "replica_until_ms",
        "reset_ms",
        "retry_at_ms",
        "seeks",
        "stage",
        "trouble",
    )

    def __init__(self, place: TopicPartition, stage: Stage) -> None:
        self.place = place
        self.stage = stage
        self.position = NO_POSITION
        self.epoch = NO_EPOCH
        """The leader epoch of the last record handed out."""
        self.fetch_offset = NO_POSITION
        self.fetch_epoch = NO_EPOCH
        self.leader_epoch = NO_EPOCH
        """Of the leader that the position was last found good for."""
        self.batch: ConsumedBatch | None = None
        """What is being handed out."""
        self.held: deque[Held] = deque()
        self.held_bytes = 0
        self.is_paused = False
        self.high_watermark: int | None = None
        self.last_stable: int | None = None
        self.log_start: int | None = None
        self.replica: int | None = None
        """A follower to read from rather than the leader (KIP-392), for a while."""
        self.replica_until_ms = 0
        self.reset_ms = 0
        """Where RESET begins: a time, or EARLIEST or LATEST."""
        self.retry_at_ms = 0
        self.seeks = next(_seeks)
        self.trouble: OttlaError | None = None
        """To be raised by the next `poll` that has no records to give before it."""

    def seek(self, offset: int, epoch: int = NO_EPOCH) -> None:
        """Hand out from `offset` on, whatever was handed out before. `epoch`: of what lies before."""
        self.forget_held()
        self.position = offset
        self.epoch = epoch
        self.fetch_offset, self.fetch_epoch = offset, epoch
        self.stage = Stage.FETCH if epoch == NO_EPOCH else Stage.VALIDATE
        self.trouble = None
        self.retry_at_ms = 0

    def seek_to(self, reset_ms: int) -> None:
        """Begin where a time, or EARLIEST or LATEST, turns out to be."""
        self.forget_held()
        self.position = self.fetch_offset = NO_POSITION
        self.epoch = self.fetch_epoch = NO_EPOCH
        self.reset_ms = reset_ms
        self.stage = Stage.RESET
        self.trouble = None
        self.retry_at_ms = 0

    def forget_held(self) -> None:
        """What was fetched ahead is fetched again, and answers under way are for nothing."""
        self.seeks = next(_seeks)
        self.batch = None
        self.held.clear()
        self.held_bytes = 0
        self.fetch_offset, self.fetch_epoch = self.position, self.epoch

    def stop(self, trouble: OttlaError) -> None:
        """Nothing is fetched until somebody seeks; the next poll says why."""
        self.stage = Stage.STUCK
        self.trouble = trouble
