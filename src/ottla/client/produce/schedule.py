"""Which batch is sent when, and which batches go together.

A lane's turn comes when its order allows it (`lane.py`), when its first batch is full, has lingered, or
has waited for its retry, and when its leader has fewer than `max_in_flight` requests under way. A
request has one batch per partition and up to `max_request_size`; lanes take turns.

Who does not linger does so all the same for a moment while the broker is busy. A retry does not wait
where the partition has a new leader (KIP-951).

Elsewhere: what an answer means, `sender.py`.
"""

from collections.abc import Container
from typing import Final, final

from ottla.client.metadata import ClusterView
from ottla.client.produce.accumulator import Accumulator
from ottla.client.produce.batch import RECORD_OVERHEAD_BYTES, Identity, RecordBatch
from ottla.client.produce.lane import Lane
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.errors import ErrorCode, error_name
from ottla.wire.message.produce import ProduceRequest

NEVER_MS: Final = float("inf")

_BUSY_MS: Final = 1
"""How long a batch that is not full may gather while its broker has something to do anyway. Without
it whoever does not linger sends records nearly one by one, at ten times the cost."""


@final
class Schedule:
    """`request_ms_max`: how long a broker may wait for replicas."""

    __slots__ = (
        "_options",
        "_records",
        "_request_ms_max",
        "flushing",
        "in_flight",
        "must_refresh",
        "next_ms",
    )

    def __init__(self, records: Accumulator, options: ProducerOptions, request_ms_max: int) -> None:
        self._records = records
        self._options = options
        self._request_ms_max = request_ms_max
        self.in_flight: dict[int, int] = {}
        """Requests without an answer, by broker."""
        self.next_ms: float = NEVER_MS
        """When to look again, if nothing happens before."""
        self.must_refresh = False
        """The picture of the cluster is not what it should be."""
        self.flushing = 0
        """As long as it is not 0, nothing lingers."""

    def requests(
        self,
        now_ms: float,
        cluster: ClusterView,
        identity: Identity | None,
        blocked: Container[int],
    ) -> list[Outgoing]:
        """What can be sent now; it counts as sent. `blocked`: brokers that take nothing now."""
        by_broker: dict[int, list[Lane]] = {}
        for lane in self._records.busy:
            leader = self._leader_for(lane, now_ms, cluster, identity)
            if leader is not None and leader not in blocked:
                by_broker.setdefault(leader, []).append(lane)
        outgoing: list[Outgoing] = []
        for broker_id, lanes in by_broker.items():
            self._fill(outgoing, broker_id, lanes, now_ms, cluster, identity)
        return outgoing

    def _leader_for(
        self, lane: Lane, now_ms: float, cluster: ClusterView, identity: Identity | None
    ) -> int | None:
        """Whom the lane's first batch may go to now; None: it may not, or to nobody."""
        batch = lane.may_send(identity)
        if batch is None:
            return None
        leader = cluster.leader_of(lane.topic, lane.partition)
        if leader is None:
            code = cluster.obstacle(lane.topic) or ErrorCode.LEADER_NOT_AVAILABLE
            batch.reason = error_name(code)
            self.must_refresh = True
            return None
        in_flight = self.in_flight.get(leader, 0)
        due_ms = batch.retry_at_ms
        if not self._is_full(batch):
            due_ms = batch.created_ms + max(self._options.linger_ms, _BUSY_MS if in_flight else 0)
        elif due_ms > now_ms and _is_led_anew(lane, batch, cluster):
            due_ms = now_ms
        if due_ms > now_ms:
            self.next_ms = min(self.next_ms, due_ms)
            return None
        return leader if in_flight < self._options.max_in_flight else None

    def _is_full(self, batch: RecordBatch) -> bool:
        """It gains nothing by waiting."""
        return (
            batch.room <= RECORD_OVERHEAD_BYTES
            or self.flushing > 0
            or self._records.is_starved
            or self._records.refusal is not None
        )

    def _fill(
        self,
        outgoing: list[Outgoing],
        broker_id: int,
        lanes: list[Lane],
        now_ms: float,
        cluster: ClusterView,
        identity: Identity | None,
    ) -> None:
        """Requests for one broker, with one batch of each lane at most, as many as may be."""
        busy = self._records.busy
        while lanes and self.in_flight.get(broker_id, 0) < self._options.max_in_flight:
            request = ProduceRequest(None, self._options.acks, self._request_ms_max)
            one = Outgoing(broker_id, request, self._options.codec, self._options.level)
            size_bytes = 0
            left: list[Lane] = []
            again: list[Lane] = []
            for lane in lanes:
                head = lane.queue[0]
                if size_bytes and size_bytes + head.wire_bytes_max > self._options.max_request_size:
                    left.append(lane)
                    continue
                if not head.is_closed:
                    self._records.close(head)
                batch = lane.take(identity)
                size_bytes += batch.wire_bytes_max
                one.batches.append((lane, batch))
                topic = cluster.topic(lane.topic)
                assert topic is not None, "its leader is known"
                one.topic_ids[lane.topic] = topic.topic_id
                batch.leader_epoch = topic.partitions[lane.partition].leader_epoch
                # The others come first next time.
                del busy[lane]
                if lane.queue:
                    busy[lane] = None
                    again.append(lane)
            self.in_flight[broker_id] = self.in_flight.get(broker_id, 0) + 1
            outgoing.append(one)
            lanes = left
            for lane in again:
                if not self._is_full(lane.queue[0]):
                    # It has just begun to gather: it may go on until all have had their turn.
                    self.next_ms = now_ms
                elif self._leader_for(lane, now_ms, cluster, identity) == broker_id:
                    lanes.append(lane)


def _is_led_anew(lane: Lane, batch: RecordBatch, cluster: ClusterView) -> bool:
    topic = cluster.topic(lane.topic)
    return (
        topic is not None
        and lane.partition < len(topic.partitions)
        and topic.partitions[lane.partition].leader_epoch > batch.leader_epoch >= 0
    )
