"""What a release of Kafka switches on: levels of features, by the release's metadata level.

`4.0` means the last level that belongs to it. Source: Kafka's feature levels as of 4.3.1.
"""

from typing import Final

from ottla.errors import LocalProtocolError

METADATA: Final = "metadata.version"
LEVEL_MIN: Final = 7
LEVELS: Final = (
    "3.3-IV3",
    "3.4-IV0",
    "3.5-IV0",
    "3.5-IV1",
    "3.5-IV2",
    "3.6-IV0",
    "3.6-IV1",
    "3.6-IV2",
    "3.7-IV0",
    "3.7-IV1",
    "3.7-IV2",
    "3.7-IV3",
    "3.7-IV4",
    "3.8-IV0",
    "3.9-IV0",
    "4.0-IV0",
    "4.0-IV1",
    "4.0-IV2",
    "4.0-IV3",
    "4.1-IV0",
    "4.1-IV1",
    "4.2-IV0",
    "4.2-IV1",
    "4.3-IV0",
    "4.4-IV0",
)
"""Names of metadata levels from LEVEL_MIN on; the last is not released."""
LATEST: Final = "4.3-IV0"
FEATURES: Final = {
    "kraft.version": (21, 1),
    "transaction.version": (24, 2),
    "group.version": (22, 1),
    "eligible.leader.replicas.version": (26, 1),
    "share.version": (28, 1),
    "streams.version": (29, 1),
}
"""From which metadata level on a release has which level of a feature; before it 0."""
NEEDS: Final = {("eligible.leader.replicas.version", 1): (METADATA, 23)}


def level_of(release: str) -> int:
    """`4.0`, or `4.0-IV1`. Raises LocalProtocolError."""
    for at in range(len(LEVELS) - 1, -1, -1):
        if LEVELS[at] == release or LEVELS[at].partition("-")[0] == ".".join(
            release.split(".")[:2]
        ):
            return LEVEL_MIN + at
    raise LocalProtocolError(
        f"Unknown metadata.version '{release}'. Supported metadata.version are: "
        + ", ".join(LEVELS)
    )


def name_of(level: int) -> str:
    if LEVEL_MIN <= level < LEVEL_MIN + len(LEVELS):
        return LEVELS[level - LEVEL_MIN]
    return f"UNKNOWN [{level}]"


def features_at(level: int) -> dict[str, int]:
    """What a release with this metadata level has."""
    return {name: (to if level >= since else 0) for name, (since, to) in FEATURES.items()}


def mapping_lines(release: str) -> list[str]:
    level = level_of(release)
    return [
        f"{METADATA}={level} ({release})",
        *(f"{name}={to}" for name, to in features_at(level).items()),
    ]
