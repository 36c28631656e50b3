"""The strategy "range"; what it does: `ottla.assign`."""

from typing import ClassVar

from ottla.kafka.coordinator.assignors import AbstractPartitionAssignor


class RangePartitionAssignor(AbstractPartitionAssignor):
    name: ClassVar[str] = "range"
