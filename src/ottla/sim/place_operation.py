"""What a history says of log directories: that a partition was to move, and where partitions were.

Elsewhere: everything else in a history, `history.py`.
"""

from typing import final

from ottla.sim.operation import Op


@final
class MoveAsked(Op):
    """AlterReplicaLogDirs of one partition. OK: it is under way, or was there already."""

    __slots__ = ("partition", "path", "topic")

    def __init__(
        self, client: int, asked_us: int, *, topic: str, partition: int, path: str
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.partition = partition
        self.path = path


@final
class PlacesSeen(Op):
    """DescribeLogDirs of everything: (topic, partition) to the paths where it is, and where a copy
    of it is being made. `offline`: directories that say nothing but that they are."""

    __slots__ = ("coming", "final", "offline", "places")

    def __init__(self, client: int, asked_us: int, *, final: bool) -> None:
        super().__init__(client, asked_us)
        self.final = final
        self.places: dict[tuple[str, int], list[str]] = {}
        self.coming: dict[tuple[str, int], list[str]] = {}
        self.offline: list[str] = []
