"""IncrementalAlterConfigs: single settings set, removed, or changed as lists. Row by resource.

What is changed is obeyed when the answer leaves.

Source: KIP-339, KIP-412 (loggers). Elsewhere: what is refused and why, see
`core/controller/configs.py`; loggers, see `broker/loggers.py`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, final

from ottla.broker import loggers
from ottla.core.controller.answer import RowByRow
from ottla.core.controller.configs import Change, ConfigChanger
from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import Refused
from ottla.core.effect import Effect
from ottla.errors import ErrorCode
from ottla.limits import bounded
from ottla.settings.alter import BROKER_LOGGER, Operation
from ottla.settings.in_force import InForce
from ottla.wire.message.incremental_alter_configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 44
VERSIONS: Final = (0, 1)
GAPS: Final[tuple[str, ...]] = (
    "a broker's listeners are read at the start: listeners, advertised.listeners are refused here",
    "settings that are accepted without a meaning here are kept and described, no more",
    "unclean.leader.election.enable elects at the next start, or when ElectLeaders asks for it",
)


@final
class HandleIncrementalAlterConfigs:
    __slots__ = ("controller", "in_force", "node_id")

    def __init__(self, *, controller: Controller, in_force: InForce, node_id: int) -> None:
        self.controller = controller
        self.in_force = in_force
        self.node_id = node_id

    def __call__(
        self, now_ms: int, call: Call, request: IncrementalAlterConfigsRequest
    ) -> list[Effect]:
        changer = ConfigChanger(self.controller.latest, self.in_force, self.node_id)
        times = Counter((one.resource_type, one.resource_name) for one in request.resources)
        rows = []
        for resource in request.resources:
            kind, name = resource.resource_type, resource.resource_name
            changes = [
                Change(config.name, config.config_operation, config.value)
                for config in resource.configs
            ]
            if times[kind, name] > 1:
                refused: Refused | None = Refused(
                    ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."
                )
            elif kind == BROKER_LOGGER:
                refused = self._alter_loggers(name, changes, dry=request.validate_only)
            else:
                refused = changer.alter(kind, name, changes)
            rows.append(_row(resource, refused))
        response = IncrementalAlterConfigsResponse(responses=rows)
        records = () if request.validate_only else tuple(changer.records)
        return self.controller.submit(now_ms, records, RowByRow(call, response, rows))

    def _alter_loggers(self, name: str, changes: Sequence[Change], *, dry: bool) -> Refused | None:
        """All of them or none, at once: levels are not kept in the metadata log."""
        problem = self._node_problem(name)
        if problem:
            return Refused(ErrorCode.INVALID_REQUEST, problem)
        if len({change.name for change in changes}) < len(changes):
            return Refused(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
        for change in changes:
            refused = _check_logger(change)
            if refused is not None:
                return refused
        for change in () if dry else changes:
            if change.operation == Operation.DELETE:
                loggers.inherit_level(change.name)
            else:
                loggers.set_level(change.name, change.value or "")
        return None

    def _node_problem(self, name: str) -> str:
        if name == str(self.node_id):
            return ""
        if not (name.isascii() and name.isdigit()):
            return f"Node id must be an integer, but it is: {name}"
        return f"Unexpected node id. Expected {self.node_id}, but received {name}"


def _check_logger(change: Change) -> Refused | None:
    name = change.name
    if change.operation not in (Operation.SET, Operation.DELETE):
        known = change.operation in list(Operation)
        word = Operation(change.operation).name if known else str(change.operation)
        return Refused(
            ErrorCode.INVALID_REQUEST,
            f"{word} operation is not allowed for the BROKER_LOGGER resource",
        )
    if not loggers.is_logger(name):
        return Refused(ErrorCode.INVALID_CONFIG, f"Logger {name} does not exist!")
    if change.operation == Operation.DELETE:
        if name == loggers.ROOT:
            return Refused(
                ErrorCode.INVALID_REQUEST,
                "Removing the log level of the root logger is not allowed",
            )
        return None
    if change.value is None:
        return Refused(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {name}")
    if change.value not in loggers.LEVELS:
        return Refused(
            ErrorCode.INVALID_CONFIG,
            f"Cannot set the log level of {name} to {change.value} as it is not a supported log "
            f"level. Valid log levels are {', '.join(loggers.LEVELS)}",
        )
    return None


def _row(resource: AlterConfigsResource, refused: Refused | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if refused is None else refused.error,
        error_message=None if refused is None else bounded(refused.message),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
