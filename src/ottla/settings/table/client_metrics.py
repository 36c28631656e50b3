"""What a client metrics subscription may set (KIP-714). Its ranges are checked in `alter.py`."""

from typing import Final

from ottla.settings.definition import CLUSTER_WIDE, INT, LIST, MEDIUM, Setting, setting

SETTINGS: Final[tuple[Setting, ...]] = (
    setting("interval.ms", INT, 300_000, None, MEDIUM, CLUSTER_WIDE),
    setting("match", LIST, "", None, MEDIUM, CLUSTER_WIDE),
    setting("metrics", LIST, "", None, MEDIUM, CLUSTER_WIDE),
)
