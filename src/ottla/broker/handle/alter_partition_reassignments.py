"""AlterPartitionReassignments: where replicas shall be. Row by partition, all records as one entry.

Source: KIP-455, KIP-860. Elsewhere: what can be done on one node, see
`core/controller/reassignment.py`.
"""

from typing import Final, final

from ottla.core.controller.answer import RowByRow
from ottla.core.controller.controller import Controller
from ottla.core.controller.reassignment import decide_reassignment
from ottla.core.controller.topics import Refused
from ottla.core.effect import Effect
from ottla.core.metadata.records import MetadataRecord
from ottla.errors import ErrorCode
from ottla.limits import MESSAGES_PER_ANSWER_MAX, bounded
from ottla.wire.message.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 45
VERSIONS: Final = (0, 1)
GAPS: Final[tuple[str, ...]] = (
    "replicas can only be given to brokers that have a copy already: a single node copies to nobody",
)


@final
class HandleAlterPartitionReassignments:
    __slots__ = ("controller",)

    def __init__(self, *, controller: Controller) -> None:
        self.controller = controller

    def __call__(
        self, now_ms: int, call: Call, request: AlterPartitionReassignmentsRequest
    ) -> list[Effect]:
        image = self.controller.latest
        records: list[MetadataRecord] = []
        seen: set[tuple[str, int]] = set()
        topics = []
        told = 0
        for topic in request.topics:
            rows = []
            for partition in topic.partitions:
                number = partition.partition_index
                if (topic.name, number) in seen:
                    outcome: MetadataRecord | Refused | None = Refused(
                        ErrorCode.INVALID_REQUEST, f"{topic.name}-{number} stands here twice"
                    )
                else:
                    seen.add((topic.name, number))
                    outcome = decide_reassignment(
                        image,
                        topic.name,
                        number,
                        partition.replicas,
                        factor_may_change=request.allow_replication_factor_change,
                    )
                row = ReassignablePartitionResponse(partition_index=number, error_message=None)
                if isinstance(outcome, Refused):
                    told += 1
                    row.error_code = outcome.error
                    if told <= MESSAGES_PER_ANSWER_MAX:
                        row.error_message = bounded(outcome.message)
                elif outcome is not None:
                    records.append(outcome)
                rows.append(row)
            topics.append(ReassignableTopicResponse(name=topic.name, partitions=rows))
        response = AlterPartitionReassignmentsResponse(
            allow_replication_factor_change=request.allow_replication_factor_change,
            error_message=None,
            responses=topics,
        )
        every = [row for topic in topics for row in topic.partitions]
        return self.controller.submit(now_ms, tuple(records), RowByRow(call, response, every))
