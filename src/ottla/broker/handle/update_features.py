"""UpdateFeatures: finalize feature levels, all that are asked for or none.

Source: KIP-584, KIP-778, KIP-1022 (version 2: no rows). Elsewhere: which levels, see
`core/controller/features.py`.
"""

from typing import Final, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.features import (
    SAFE_DOWNGRADE,
    UPGRADE,
    FeatureUpdate,
    decide_feature,
)
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import FeatureLevelRecord, MetadataRecord
from ottla.errors import ErrorCode
from ottla.limits import bounded
from ottla.wire.message.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 57
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = (
    "metadata.version is the only feature; group.version, kraft.version and the others are unknown",
)

_UPGRADE_TYPES_SINCE: Final = 1


@final
class HandleUpdateFeatures:
    __slots__ = ("controller", "node_id")

    def __init__(self, *, controller: Controller, node_id: int) -> None:
        self.controller = controller
        self.node_id = node_id

    def __call__(self, now_ms: int, call: Call, request: UpdateFeaturesRequest) -> list[Effect]:
        image = self.controller.latest
        records: dict[str, MetadataRecord] = {}
        for asked in request.feature_updates:
            outcome = decide_feature(image, _update(asked, call.version), self.node_id)
            if isinstance(outcome, str):
                response = UpdateFeaturesResponse(
                    error_code=ErrorCode.INVALID_UPDATE_VERSION,
                    error_message=bounded(
                        "The update failed for all features since the following feature had an "
                        f"error: {outcome}"
                    ),
                )
                return [Reply(call, response)]
            if isinstance(outcome, FeatureLevelRecord):
                records[asked.feature] = outcome
        response = UpdateFeaturesResponse(
            error_message=None,
            results=[
                UpdatableFeatureResult(feature=asked.feature, error_message=None)
                for asked in request.feature_updates
            ],
        )
        dry = request.validate_only and call.version >= _UPGRADE_TYPES_SINCE
        wanted = () if dry else tuple(records.values())
        return self.controller.submit(now_ms, wanted, _Answer(call, response))


def _update(asked: FeatureUpdateKey, version: int) -> FeatureUpdate:
    upgrade_type = asked.upgrade_type
    if version < _UPGRADE_TYPES_SINCE:
        upgrade_type = SAFE_DOWNGRADE if asked.allow_downgrade else UPGRADE
    return FeatureUpdate(asked.feature, asked.max_version_level, upgrade_type)


@final
class _Answer:
    __slots__ = ("_call", "_response")

    def __init__(self, call: Call, response: UpdateFeaturesResponse) -> None:
        self._call = call
        self._response = response

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        return [Reply(self._call, UpdateFeaturesResponse(error_code=error, error_message=message))]
