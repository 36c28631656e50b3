"""One Produce request on its way: which batches it carries, and how its answer is read.

Elsewhere: what goes into it, `schedule.py`; what an answer means, `sender.py`.
"""

from typing import Final, final

from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.lane import Lane
from ottla.errors import RemoteProtocolError
from ottla.types import ZERO_UUID
from ottla.wire.message.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

NAMED_TOPIC_VERSION_MAX: Final = 12
"""The last Produce version that names topics: from 13 on they have ids (KIP-516)."""


@final
class Outgoing:
    """One request to one broker."""

    __slots__ = ("_codec", "_level", "_request", "batches", "broker_id", "topic_ids")

    def __init__(self, broker_id: int, request: ProduceRequest, codec: int, level: int | None):
        self.broker_id = broker_id
        self.batches: list[tuple[Lane, RecordBatch]] = []
        self.topic_ids: dict[str, bytes] = {}
        self._request = request
        self._codec = codec
        self._level = level

    @property
    def version_max(self) -> int | None:
        """The highest version that can say it; None: any."""
        return NAMED_TOPIC_VERSION_MAX if ZERO_UUID in self.topic_ids.values() else None

    @property
    def is_overdue(self) -> bool:
        """Some of it got its fate while it waited to be sent: it is of no use as it is."""
        return any(batch.is_done for _, batch in self.batches)

    def request(self) -> ProduceRequest:
        """The request. Encodes and compresses; nothing else of the sender is touched meanwhile."""
        by_topic: dict[str, list[PartitionProduceData]] = {}
        for lane, batch in self.batches:
            records = memoryview(batch.build(self._codec, self._level))
            by_topic.setdefault(lane.topic, []).append(
                PartitionProduceData(lane.partition, records)
            )
        self._request.topic_data = [
            TopicProduceData(name, self.topic_ids[name], data) for name, data in by_topic.items()
        ]
        return self._request

    def answers_untrusted(
        self, response: ProduceResponse
    ) -> dict[tuple[str, int], PartitionProduceResponse]:
        """By topic and partition. Raises RemoteProtocolError if a partition was left out."""
        names = {topic_id: name for name, topic_id in self.topic_ids.items()}
        answers: dict[tuple[str, int], PartitionProduceResponse] = {}
        for topic in response.responses:
            name = topic.name or names.get(topic.topic_id, "")
            for part in topic.partition_responses:
                answers[name, part.index] = part
        for lane, _ in self.batches:
            if (lane.topic, lane.partition) not in answers:
                raise RemoteProtocolError(
                    f"the answer to Produce says nothing of partition {lane.topic}-{lane.partition}"
                )
        return answers
