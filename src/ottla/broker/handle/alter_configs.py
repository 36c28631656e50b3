"""AlterConfigs: all settings of a resource replaced at once. Old tools ask this; row by resource.

Source: KIP-133; KIP-339 says why IncrementalAlterConfigs is the better one. Elsewhere: what is
refused and why, see `core/controller/configs.py`.
"""

from collections import Counter
from typing import Final, final

from ottla.core.controller.answer import RowByRow
from ottla.core.controller.configs import Change, ConfigChanger
from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import Refused
from ottla.core.effect import Effect
from ottla.errors import ErrorCode
from ottla.limits import bounded
from ottla.settings.alter import Operation
from ottla.settings.in_force import InForce
from ottla.wire.message.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 33
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = ("as IncrementalAlterConfigs",)


@final
class HandleAlterConfigs:
    __slots__ = ("controller", "in_force", "node_id")

    def __init__(self, *, controller: Controller, in_force: InForce, node_id: int) -> None:
        self.controller = controller
        self.in_force = in_force
        self.node_id = node_id

    def __call__(self, now_ms: int, call: Call, request: AlterConfigsRequest) -> list[Effect]:
        changer = ConfigChanger(self.controller.latest, self.in_force, self.node_id)
        times = Counter((one.resource_type, one.resource_name) for one in request.resources)
        rows = []
        for resource in request.resources:
            kind, name = resource.resource_type, resource.resource_name
            changes = [
                Change(config.name, Operation.SET, config.value) for config in resource.configs
            ]
            if times[kind, name] > 1:
                refused: Refused | None = Refused(
                    ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."
                )
            else:
                refused = changer.replace(kind, name, changes)
            rows.append(_row(resource, refused))
        response = AlterConfigsResponse(responses=rows)
        records = () if request.validate_only else tuple(changer.records)
        return self.controller.submit(now_ms, records, RowByRow(call, response, rows))


def _row(resource: AlterConfigsResource, refused: Refused | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if refused is None else refused.error,
        error_message=None if refused is None else bounded(refused.message),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
