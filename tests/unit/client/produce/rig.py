"""A producer's machine without a world: what it sends is looked at, answers are made up."""

from collections.abc import Awaitable

from ottla.backoff import Backoff
from ottla.client.metadata import ClusterView, cluster_untrusted
from ottla.client.produce.accumulator import Accumulator
from ottla.client.produce.batch import Identity, RecordBatch
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.client.produce.sender import Sender
from ottla.record.batch import crc_is_right, header_untrusted
from ottla.record.record import records_untrusted
from ottla.wire.message.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from tests.unit.client.clusters import described

ME = Identity(7, 0)


def nobody_waits(_: RecordBatch) -> Awaitable[None]:
    raise AssertionError("a machine does not wait")


def led_by(*leaders: int, epoch: int = 5) -> ClusterView:
    return cluster_untrusted(described(*leaders, epoch=epoch))


class Rig:
    """Topic `t`, whose partition i is led by leaders[i]. Draws are always 0, chances always 0.5."""

    def __init__(self, *leaders: int, options: ProducerOptions | None = None) -> None:
        self.options = options or ProducerOptions()
        self.now_ms = 1_000.0
        self.wakes = 0
        self.cluster = led_by(*leaders)
        self.records = Accumulator(
            self.options, below=lambda _: 0, wake=self._wake, wait=nobody_waits
        )
        self.sender = Sender(
            self.records,
            self.options,
            backoff=Backoff(initial_ms=100, max_ms=1_000),
            request_ms_max=30_000,
            chance=lambda: 0.5,
        )
        if self.options.enable_idempotence:
            self.sender.identified(ME)
        view = self.cluster.topic("t")
        if view is not None:
            self.records.learn(view)
            self.topic = self.records._topics["t"]

    def _wake(self) -> None:
        self.wakes += 1

    def introduced(self) -> "Rig":
        """The broker has acknowledged a record of each partition: sequences go on from 1."""
        for part in self.topic.view.partitions:
            self.append(b"", part.partition)
        self.sender.schedule.flushing += 1
        for sent in self.ready():
            self.answer(sent)
        self.sender.schedule.flushing -= 1
        self.finished()
        return self

    def append(
        self, value: bytes | None, partition: int | None = 0, key: bytes | None = None
    ) -> Delivery:
        return self.records.append("t", value, key, (), partition, int(self.now_ms))

    def ready(self, after_ms: float = 0) -> list[Outgoing]:
        self.now_ms += after_ms
        return self.sender.ready(self.now_ms, self.cluster)

    def answer(
        self,
        sent: Outgoing,
        *codes: int,
        base_offset: int = 0,
        errors: list[BatchIndexAndErrorMessage] | None = None,
    ) -> None:
        """One code per batch; the last one for the rest."""
        parts = []
        for place, (lane, _) in enumerate(sent.batches):
            code = codes[min(place, len(codes) - 1)] if codes else 0
            parts.append(
                PartitionProduceResponse(
                    lane.partition, code, base_offset, record_errors=errors or []
                )
            )
        response = ProduceResponse([TopicProduceResponse("t", partition_responses=parts)])
        self.sender.answered_untrusted(sent, response, self.now_ms)

    def lost(self, sent: Outgoing) -> None:
        self.sender.lost(sent, "the line is cut", self.now_ms)

    def finished(self) -> list[RecordBatch]:
        finished = self.sender.take_finished()
        for batch in finished:
            batch.announce()
        return finished


def seen(sent: Outgoing) -> dict[int, tuple[int, int, list[bytes | None]]]:
    """By partition: the producer's epoch, the first sequence, the values."""
    found = {}
    for topic in sent.request().topic_data:
        for part in topic.partition_data:
            assert isinstance(part.records, memoryview)
            batch = header_untrusted(part.records)
            assert crc_is_right(batch)
            values = [record.value for record in records_untrusted(batch, limit=1_000_000)]
            found[part.index] = (batch.producer_epoch, batch.base_sequence, values)
    return found
