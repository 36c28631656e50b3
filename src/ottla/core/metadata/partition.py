"""What the cluster has agreed on about one topic and its partitions.

Promises: a partition's leader epoch grows with every change that names a leader, its partition
epoch with every change. A topic's partitions are numbered 0..n-1 without gaps.

Source: KIP-500 (records), KIP-858 (directories), KIP-966 (eligible leader replicas). Elsewhere: who
should lead, see `controller/election.py`; the whole picture, see `image.py`.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, final

from ottla.core.metadata.records import PartitionChangeRecord, PartitionRecord
from ottla.types import NO_LEADER, Uuid

# Directory ids with a meaning of their own (KIP-858).
MIGRATING_DIRECTORY: Final[Uuid] = bytes(16)
UNASSIGNED_DIRECTORY: Final[Uuid] = bytes(15) + b"\x01"
LOST_DIRECTORY: Final[Uuid] = bytes(15) + b"\x02"

_LEADER_UNCHANGED: Final = -2

OFFSETS_TOPIC: Final = "__consumer_offsets"
"""Where group coordinators keep their state."""

INTERNAL_TOPICS: Final = frozenset({OFFSETS_TOPIC, "__transaction_state", "__share_group_state"})


@final
class PartitionImage(NamedTuple):
    """One partition. `leader` is -1 while nobody leads; `directories` goes along with `replicas`."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int
    directories: tuple[Uuid, ...]
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    adding: tuple[int, ...] = ()
    removing: tuple[int, ...] = ()
    recovering: bool = False  # elected out of sync: what the leader had is what there is

    @property
    def has_leader(self) -> bool:
        return self.leader != NO_LEADER

    def directory_of(self, broker_id: int) -> Uuid | None:
        """Where the replica of a broker is; None: nobody says (a log from before KIP-858)."""
        if not self.directories or broker_id not in self.replicas:
            return None
        return self.directories[self.replicas.index(broker_id)]


@final
class TopicImage(NamedTuple):
    name: str
    topic_id: Uuid
    partitions: tuple[PartitionImage, ...]

    @property
    def is_internal(self) -> bool:
        return self.name in INTERNAL_TOPICS

    @property
    def replication_factor(self) -> int:
        return len(self.partitions[0].replicas) if self.partitions else 0

    def has(self, partition: int) -> bool:
        return 0 <= partition < len(self.partitions)


def made(record: PartitionRecord) -> PartitionImage:
    """The partition as its first record has it."""
    replicas = tuple(record.replicas)
    isr = tuple(record.isr)
    return PartitionImage(
        replicas=replicas,
        isr=replicas if isr == replicas else isr,  # mostly equal: one tuple in memory
        leader=record.leader,
        leader_epoch=record.leader_epoch,
        partition_epoch=record.partition_epoch,
        directories=_directories(record.directories, replicas),
        elr=tuple(record.eligible_leader_replicas or ()),
        last_known_elr=tuple(record.last_known_elr or ()),
        adding=tuple(record.adding_replicas),
        removing=tuple(record.removing_replicas),
        recovering=record.leader_recovery_state == 1,
    )


def changed(old: PartitionImage, record: PartitionChangeRecord) -> PartitionImage:
    """A change that names a leader bumps the leader epoch, even if it is the old leader."""
    replicas = old.replicas if record.replicas is None else tuple(record.replicas)
    given = old.directories if record.directories is None else record.directories
    elects = record.leader != _LEADER_UNCHANGED
    recovering = old.recovering
    if record.leader_recovery_state in (0, 1):
        recovering = record.leader_recovery_state == 1
    elr, last_known = record.eligible_leader_replicas, record.last_known_elr
    adding, removing = record.adding_replicas, record.removing_replicas
    return PartitionImage(
        replicas=replicas,
        isr=old.isr if record.isr is None else tuple(record.isr),
        leader=record.leader if elects else old.leader,
        leader_epoch=old.leader_epoch + 1 if elects else old.leader_epoch,
        partition_epoch=old.partition_epoch + 1,
        directories=_directories(given, replicas),
        elr=old.elr if elr is None else tuple(elr),
        last_known_elr=old.last_known_elr if last_known is None else tuple(last_known),
        adding=old.adding if adding is None else tuple(adding),
        removing=old.removing if removing is None else tuple(removing),
        recovering=recovering,
    )


def _directories(given: Iterable[Uuid], replicas: tuple[int, ...]) -> tuple[Uuid, ...]:
    """Records from before KIP-858 name no directories: every replica is still to be assigned."""
    directories = tuple(given)
    if len(directories) != len(replicas):
        return (MIGRATING_DIRECTORY,) * len(replicas)
    return directories
