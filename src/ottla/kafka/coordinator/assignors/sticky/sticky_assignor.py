"""The strategy "sticky"; what it does: `ottla.assign`."""

from typing import ClassVar

from ottla.kafka.coordinator.assignors import AbstractPartitionAssignor


class StickyPartitionAssignor(AbstractPartitionAssignor):
    name: ClassVar[str] = "sticky"
