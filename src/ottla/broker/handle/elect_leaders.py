"""ElectLeaders: give partitions their preferred leader, or any leader. All of them, or those named.

Asked for all, those that need no election are left out of the answer, as in Kafka.

Source: KIP-183, KIP-460. Elsewhere: who is elected, see `core/controller/leadership.py`.
"""

from collections.abc import Iterator
from typing import Final, final

from ottla.core.controller.answer import RowByRow
from ottla.core.controller.controller import Controller
from ottla.core.controller.leadership import PREFERRED, UNCLEAN, elect_on_request
from ottla.core.controller.topics import Refused
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import MetadataRecord
from ottla.errors import ErrorCode
from ottla.limits import MESSAGES_PER_ANSWER_MAX, bounded
from ottla.wire.message.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from ottla.wire.server import Call

API_KEY: Final = 43
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = (
    "TimeoutMs is not looked at: an election is over when its record is committed",
)


@final
class HandleElectLeaders:
    __slots__ = ("controller",)

    def __init__(self, *, controller: Controller) -> None:
        self.controller = controller

    def __call__(self, now_ms: int, call: Call, request: ElectLeadersRequest) -> list[Effect]:
        image = self.controller.latest
        kind = request.election_type if call.version > 0 else PREFERRED
        response = ElectLeadersResponse()
        if kind not in (PREFERRED, UNCLEAN):
            return [Reply(call, _unknown_kind(request, kind))]
        records: list[MetadataRecord] = []
        rows: dict[str, dict[int, PartitionResult]] = {}
        told = 0
        for topic, partitions in _asked(request, image):
            of_topic = rows.setdefault(topic, {})
            for number in partitions:
                if number in of_topic:
                    continue
                outcome = elect_on_request(image, topic, number, unclean=kind == UNCLEAN)
                if not isinstance(outcome, Refused):
                    records.append(outcome)
                    of_topic[number] = PartitionResult(number, ErrorCode.NONE, None)
                elif request.topic_partitions is not None or (
                    outcome.error is not ErrorCode.ELECTION_NOT_NEEDED
                ):
                    told += 1
                    text = bounded(outcome.message) if told <= MESSAGES_PER_ANSWER_MAX else None
                    of_topic[number] = PartitionResult(number, outcome.error, text)
        response.replica_election_results = [
            ReplicaElectionResult(topic, list(of_topic.values()))
            for topic, of_topic in rows.items()
        ]
        every = [row for of_topic in rows.values() for row in of_topic.values()]
        return self.controller.submit(now_ms, tuple(records), RowByRow(call, response, every))


def _asked(request: ElectLeadersRequest, image: Image) -> Iterator[tuple[str, list[int]]]:
    if request.topic_partitions is None:
        for name, topic in image.topics.items():
            yield name, list(range(len(topic.partitions)))
    else:
        for asked in request.topic_partitions:
            yield asked.topic, list(asked.partitions)


def _unknown_kind(request: ElectLeadersRequest, kind: int) -> ElectLeadersResponse:
    text = f"Unknown election type {kind}"
    error = ErrorCode.INVALID_REQUEST
    return ElectLeadersResponse(
        error_code=error,
        replica_election_results=[
            ReplicaElectionResult(
                topic.topic, [PartitionResult(number, error, text) for number in topic.partitions]
            )
            for topic in request.topic_partitions or ()
        ],
    )
