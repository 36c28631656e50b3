"""AlterClientQuotas: quotas set and taken away. A row per entity, in the order asked.

What is changed holds when the answer leaves.

Source: KIP-546, KIP-599, KIP-612. Elsewhere: what is refused and why, see `core/controller/quotas.py`.
"""

from collections import Counter
from typing import Final, final

from ottla.core.controller.answer import RowByRow
from ottla.core.controller.controller import Controller
from ottla.core.controller.quotas import QuotaChange, QuotaChanger
from ottla.core.controller.topics import Refused
from ottla.core.effect import Effect
from ottla.core.metadata.quota import entity_of
from ottla.errors import ErrorCode
from ottla.limits import bounded
from ottla.wire.message.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    AlterClientQuotasResponseEntryData,
)
from ottla.wire.server import Call

API_KEY: Final = 49
VERSIONS: Final = (0, 1)
GAPS: Final[tuple[str, ...]] = (
    "an ip entity is named by its address, not by a host's name",
    "request_percentage counts the node's thread in percent of one core, without what sending costs",
)


@final
class HandleAlterClientQuotas:
    __slots__ = ("controller",)

    def __init__(self, *, controller: Controller) -> None:
        self.controller = controller

    def __call__(self, now_ms: int, call: Call, request: AlterClientQuotasRequest) -> list[Effect]:
        changer = QuotaChanger(self.controller.latest)
        times = Counter(entity_of(entry.entity) for entry in request.entries)
        rows = []
        for entry in request.entries:
            if times[entity_of(entry.entity)] > 1:
                refused: Refused | None = Refused(
                    ErrorCode.INVALID_REQUEST, "Each entity must appear at most once."
                )
            else:
                changes = [QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops]
                refused = changer.alter(entry.entity, changes)
            rows.append(_row(entry, refused))
        response = AlterClientQuotasResponse(entries=rows)
        records = () if request.validate_only else tuple(changer.records)
        return self.controller.submit(now_ms, records, RowByRow(call, response, rows))


def _row(
    entry: AlterClientQuotasRequestEntryData, refused: Refused | None
) -> AlterClientQuotasResponseEntryData:
    return AlterClientQuotasResponseEntryData(
        error_code=ErrorCode.NONE if refused is None else refused.error,
        error_message=None if refused is None else bounded(refused.message),
        entity=entry.entity,
    )
