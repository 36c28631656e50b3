"""Who is in sync with a partition's leader, as the metadata log agreed.

`Isr` holds what the image says and nothing else. It decides one thing: whether an append that every
in-sync replica must have (`acks=all`) may start at all. With one replica the answer only depends on
`min.insync.replicas`, which counts at most as many replicas as the partition has.

Source: KIP-497 for who may change it. Elsewhere: how far the log is safe, see `leader.py`.
"""

from typing import Final, final

from ottla.types import BrokerId

ACKS_ALL: Final = -1


@final
class Isr:
    """The agreed in-sync replicas of one partition, and its replicas."""

    __slots__ = ("members", "replicas")

    def __init__(self, members: tuple[BrokerId, ...], replicas: tuple[BrokerId, ...]) -> None:
        self.members = members
        self.replicas = replicas

    def suffices(self, insync_min: int) -> bool:
        """Whether enough replicas are in sync for an append with acks=all."""
        in_sync = len(self.members)
        return in_sync >= insync_min or in_sync >= len(self.replicas)
