"""The strategy "cooperative-sticky"; what it does: `ottla.assign`."""

from typing import ClassVar

from ottla.kafka.coordinator.assignors import AbstractPartitionAssignor


class CooperativeStickyAssignor(AbstractPartitionAssignor):
    name: ClassVar[str] = "cooperative-sticky"
