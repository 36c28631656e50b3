"""One partition of a producer: its batches in order, and who the producer is to this partition.

Batches wait in `queue`, the open one last. With an identity (KIP-98) each batch gets its sequence when
it is first sent and keeps it however often it is sent; `unacked` holds those that have one and no
fate. After a batch that was given up the lane is in doubt: nothing new is sent until the broker's
answers to the others show whether it has that one. If not, the lane begins anew: once nothing is on
its way, what is unacknowledged gets sequences from 0 under a newer epoch (KIP-360), which the broker
accepts, while anything older that may still arrive is refused.

A batch that may be stored may be refused when it is sent again, because a limit was lowered meanwhile.
If it is halved, a broker that has not got it takes the halves, which have its sequences; one that has it
refuses them, as it knows whole batches only. If it is given up, it is no witness any more. What is
`is_untraceable` so fails in the end rather than be stored again. (Kafka's producer stores it twice.)

A broker that was started anew remembers a producer's last batch only. What may be stored and is
refused as out of line is therefore `passed` over, and the batches after it are tried: if the broker has
one of them, it has all before it, and if it has none, none is stored and the lane begins anew.

Promises: sequences have no gaps within an identity; a batch that was sent goes before those that were
not, and of those that are sent again only the oldest is under way. That nothing is stored twice holds
as long as a broker takes requests in the order in which they reach it, over two connections too.
"""

from collections import deque
from collections.abc import Sequence
from typing import final

from ottla.client.produce.batch import NOBODY, Identity, RecordBatch
from ottla.record.batch import SEQUENCE_MAX
from ottla.types import NO_SEQUENCE


@final
class Lane:
    """`is_ordered`: one batch at a time, because there are no sequences to keep the order."""

    __slots__ = (
        "identity",
        "in_doubt",
        "in_flight",
        "is_ordered",
        "last_acked_sequence",
        "next_sequence",
        "open",
        "partition",
        "passed",
        "queue",
        "topic",
        "unacked",
        "wants_beginning",
    )

    def __init__(self, topic: str, partition: int, *, is_ordered: bool) -> None:
        self.topic = topic
        self.partition = partition
        self.is_ordered = is_ordered
        self.queue: deque[RecordBatch] = deque()
        self.open: RecordBatch | None = None
        """The last of `queue`, while records may be added to it."""
        self.in_flight = 0
        """Requests with a batch of this lane that have no answer."""
        self.identity = NOBODY
        self.next_sequence = 0
        self.last_acked_sequence = -1
        self.unacked: list[RecordBatch] = []
        self.passed = 0
        """So many of `unacked` wait for what the broker says of those after them."""
        self.in_doubt = False
        """A batch that has a sequence was given up: the broker may have it or not."""
        self.wants_beginning = False

    def may_send(self, identity: Identity | None) -> RecordBatch | None:
        """The batch that may be sent next, as far as order goes; None: not now.

        `identity`: who the producer is; None: without identity. An open batch may be returned.
        """
        if not self.queue:
            return None
        head = self.queue[0]
        if identity is None:
            return None if self.is_ordered and self.in_flight else head
        if self.wants_beginning:
            return None
        if head.base_sequence != NO_SEQUENCE:
            # Tried again: the broker takes only the next in line.
            return head if head is self.next_in_line else None
        if self.in_doubt or (self.unacked and self.identity != identity):
            return None
        if self.unacked and self.last_acked_sequence < 0:
            # A broker that knows nothing of an identity takes any sequence for its first: if the
            # first batch were refused, the second would get in before it.
            return None
        return head

    @property
    def next_in_line(self) -> RecordBatch | None:
        """The batch that the broker is to take next, of those that have a sequence."""
        return self.unacked[self.passed] if self.passed < len(self.unacked) else None

    def take(self, identity: Identity | None) -> RecordBatch:
        """The batch that `may_send` told, no longer in the queue, with its sequence."""
        batch = self.queue.popleft()
        if self.open is batch:
            self.open = None
        assert batch.is_closed
        if identity is not None and batch.base_sequence == NO_SEQUENCE:
            if self.identity != identity:
                self._begin_as(identity)
            batch.identity = identity
            batch.base_sequence = self.next_sequence
            self.next_sequence = _after(self.next_sequence, batch.record_count)
            self.unacked.append(batch)
        batch.is_sent = True
        batch.attempts += 1
        self.in_flight += 1
        return batch

    def returned(self, batch: RecordBatch) -> None:
        """A request with this batch has its answer, or will never have one."""
        self.in_flight -= 1
        batch.is_sent = False

    def put_back(self, batches: Sequence[RecordBatch]) -> None:
        """To be sent (again), where their order says."""
        for batch in batches:
            at = 0
            for waiting in self.queue:
                if waiting.order > batch.order:
                    break
                at += 1
            self.queue.insert(at, batch)

    def pass_over(self, batch: RecordBatch) -> bool:
        """The next in line was refused as out of line. Can those after it tell whether it is stored?

        True: it waits for them, and is not to be sent meanwhile.
        """
        assert batch is self.next_in_line
        if not batch.is_uncertain and not self.passed:
            return False
        after = self.passed + 1
        if after == len(self.unacked):
            return False
        witness = self.unacked[after]
        if not (witness.is_sent or witness.is_uncertain):
            return False
        self.passed = after
        return True

    def has_acknowledged(self, batch: RecordBatch) -> bool:
        """The broker has one after it, and so this one too."""
        last = _after(batch.base_sequence, batch.record_count - 1)
        behind = _after(self.last_acked_sequence, -last)
        return self.last_acked_sequence >= 0 and behind <= SEQUENCE_MAX // 2

    def vouched_by(self, batch: RecordBatch) -> list[RecordBatch]:
        """Those that were passed over and are stored, because this one is."""
        if not self.passed or batch.identity != self.identity:
            return []
        stored, self.passed = self.unacked[: self.passed], 0
        return stored

    def untraceable(self) -> list[RecordBatch]:
        """Those up to the next in line of which nobody will ever tell whether they are stored."""
        return [one for one in self.unacked[: self.passed + 1] if one.is_untraceable]

    def begin_anew(self) -> None:
        """Nothing of `unacked` is stored; it gets another identity once nothing is on its way."""
        waiting, self.passed = self.unacked[: self.passed], 0
        self.put_back(waiting)
        self.wants_beginning = True

    def replace(self, batch: RecordBatch, parts: Sequence[RecordBatch]) -> None:
        """`parts` take over the records and the sequences of a batch that is not in the queue."""
        if batch in self.unacked:
            sequence = batch.base_sequence
            for part in parts:
                part.identity = batch.identity
                part.base_sequence = sequence
                sequence = _after(sequence, part.record_count)
            at = self.unacked.index(batch)
            self.unacked[at : at + 1] = parts
        self.put_back(parts)

    def acknowledged(self, batch: RecordBatch) -> None:
        """The broker has it, and with it everything before it."""
        if batch.base_sequence == NO_SEQUENCE or batch.identity != self.identity:
            return
        last = _after(batch.base_sequence, batch.record_count - 1)
        if _after(last, -self.last_acked_sequence) <= SEQUENCE_MAX // 2:
            self.last_acked_sequence = last

    def dropped(self, batch: RecordBatch) -> None:
        """It has its fate, whichever; it is neither sent nor waited for any more."""
        if batch in self.unacked:
            if self.unacked.index(batch) < self.passed:
                self.passed -= 1
            self.unacked.remove(batch)
        if batch in self.queue:
            self.queue.remove(batch)
        if self.open is batch:
            self.open = None

    def settle(self, identity: Identity) -> bool:
        """Where nothing is on its way: doubts are resolved, a new beginning is made.

        True: `identity` is the one that the lane cannot go on with, a newer one is needed first.
        """
        if self.in_flight:
            return False
        if self.in_doubt and not self.unacked:
            self.in_doubt = False
            if _after(self.last_acked_sequence, 1) != self.next_sequence:
                self.wants_beginning = True
        if not self.wants_beginning:
            return False
        if self.identity == identity:
            return True
        self._begin_as(identity)
        for batch in self.unacked:
            batch.identity = identity
            batch.is_uncertain = batch.is_untraceable = False
            batch.base_sequence = self.next_sequence
            self.next_sequence = _after(self.next_sequence, batch.record_count)
        return False

    def _begin_as(self, identity: Identity) -> None:
        self.identity = identity
        self.next_sequence = 0
        self.last_acked_sequence = -1
        self.in_doubt = self.wants_beginning = False

    def check_invariants(self) -> None:
        orders = [batch.order for batch in self.queue]
        assert orders == sorted(orders), orders
        assert self.in_flight >= 0
        assert 0 <= self.passed <= len(self.unacked)
        assert not any(batch in self.queue for batch in self.unacked[: self.passed])
        begins = [batch.base_sequence for batch in self.unacked]
        assert begins == sorted(begins) or begins[-1] < begins[0], "in order, but for a wrap"
        assert all(batch.identity == self.identity for batch in self.unacked)
        assert self.open is None or self.queue[-1] is self.open


def _after(sequence: int, count: int) -> int:
    return (sequence + count) % (SEQUENCE_MAX + 1)
