"""Assignors, by the names that `partition_assignment_strategy` takes. What they do: `ottla.assign`."""

from typing import ClassVar


class AbstractPartitionAssignor:
    """A strategy that the client has; one of a program's own is not taken."""

    name: ClassVar[str]
