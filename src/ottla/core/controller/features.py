"""Feature levels changed by requests: all of a request's updates, or none.

Of features there is one, metadata.version; what others switch on in Apache Kafka is not here. It can
be raised to what this broker writes. It can be lowered only where no level in between changed what
the records hold, as in Kafka.

Source: KIP-584, KIP-778. Elsewhere: the levels, see `brokers.py`.
"""

from typing import Final, NamedTuple, final

from ottla.core.controller.brokers import (
    METADATA_VERSION_MAX,
    METADATA_VERSION_MIN,
    SUPPORTED_FEATURES,
)
from ottla.core.metadata.image import METADATA_VERSION, Image
from ottla.core.metadata.records import FeatureLevelRecord

UPGRADE: Final = 1
SAFE_DOWNGRADE: Final = 2
UNSAFE_DOWNGRADE: Final = 3

_RECORDS_CHANGED_AT: Final = frozenset({8, 11, 13, 14, 15, 17, 23, 30, 32, 33})
"""Levels of metadata.version at which records got a new type or field."""

_RANGES: Final = {name: (low, high) for name, low, high in SUPPORTED_FEATURES}


@final
class FeatureUpdate(NamedTuple):
    feature: str
    level: int
    upgrade_type: int


def decide_feature(
    image: Image, update: FeatureUpdate, node_id: int
) -> FeatureLevelRecord | str | None:
    """The record that finalizes the level; None: it is finalized already; a text: why not."""
    problem = _problem(image, update, node_id)
    if problem is None:
        problem = _metadata_version_problem(image, update)
    else:
        problem = f"Invalid update version {update.level} for feature {update.feature}. {problem}"
    if problem is not None:
        return problem
    if image.features.get(update.feature) == update.level:
        return None
    return FeatureLevelRecord(name=update.feature, feature_level=update.level)


def _problem(image: Image, update: FeatureUpdate, node_id: int) -> str | None:
    name, level = update.feature, update.level
    if update.upgrade_type not in (UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
        return "The controller does not support the given upgrade type."
    if level < 0:
        return "A feature version cannot be less than 0."
    supported = _RANGES.get(name)
    if supported is None:
        return f"Local controller {node_id} does not support this feature."
    low, high = supported
    if not low <= level <= high:
        return f"Local controller {node_id} only supports versions {low}-{high}"
    current = image.features.get(name, 0)
    if level < current and update.upgrade_type == UPGRADE:
        return (
            "Can't downgrade the version of this feature without setting the upgrade type to "
            "either safe or unsafe downgrade."
        )
    if level > current and update.upgrade_type != UPGRADE:
        return "Can't downgrade to a newer version."
    return None


def _metadata_version_problem(image: Image, update: FeatureUpdate) -> str | None:
    assert update.feature == METADATA_VERSION
    assert METADATA_VERSION_MIN <= update.level <= METADATA_VERSION_MAX
    current = image.metadata_version
    lost = [level for level in _RECORDS_CHANGED_AT if update.level < level <= current]
    if not lost:
        return None
    why = (
        "Refusing to perform the requested downgrade because it might delete metadata information."
    )
    if update.upgrade_type == UNSAFE_DOWNGRADE:
        why = "Unsafe metadata downgrade is not supported in this version."
    return f"Unsupported metadata.version downgrade from {current} to {update.level}. {why}"
