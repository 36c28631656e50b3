"""The strategy "roundrobin"; what it does: `ottla.assign`."""

from typing import ClassVar

from ottla.kafka.coordinator.assignors import AbstractPartitionAssignor


class RoundRobinPartitionAssignor(AbstractPartitionAssignor):
    name: ClassVar[str] = "roundrobin"
