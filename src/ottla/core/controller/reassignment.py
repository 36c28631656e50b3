"""Where a partition's replicas shall be: changed, cancelled, told.

On one node no replica can be copied to another broker, so a reassignment is either done with its
record or refused. What Apache Kafka left unfinished in a directory is told as it stands, and can be
cancelled, or ended by naming the brokers that are there.

Source: KIP-455, KIP-860 (keeping the replication factor).
"""

from collections import Counter
from collections.abc import Sequence

from ottla.core.controller.election import elect
from ottla.core.controller.topics import Refused
from ottla.core.metadata.image import Image, TopicImage
from ottla.core.metadata.partition import PartitionImage, changed
from ottla.core.metadata.records import DIRECTORIES_SINCE, PartitionChangeRecord
from ottla.errors import ErrorCode
from ottla.types import NO_LEADER


def is_under_way(partition: PartitionImage) -> bool:
    return bool(partition.adding or partition.removing)


def decide_reassignment(
    image: Image,
    name: str,
    number: int,
    replicas: Sequence[int] | None,
    *,
    factor_may_change: bool,
) -> PartitionChangeRecord | Refused | None:
    """The record that gives the partition these replicas; `replicas` None: that cancels what is
    under way. None: it is as asked for already."""
    topic = image.topics.get(name)
    if topic is None:
        return Refused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}."
        )
    if not topic.has(number):
        return Refused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{number}."
        )
    partition = topic.partitions[number]
    if replicas is not None:
        refused = _check(image, partition, replicas)
        if refused is not None:
            return refused
        wanted = tuple(replicas)
        have = len(_replicas_before(partition))
        if not factor_may_change and len(wanted) != have:
            return Refused(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"The replication factor is changed from {have} to {len(wanted)}",
            )
        if wanted == partition.replicas and not is_under_way(partition):
            return None
    elif not is_under_way(partition):
        return Refused(
            ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, f"{name}-{number} is not being reassigned"
        )
    else:
        wanted = _replicas_before(partition)
    return _record(image, topic, number, wanted)


def _replicas_before(partition: PartitionImage) -> tuple[int, ...]:
    """The replicas as they were before the reassignment that is under way, if one is."""
    return tuple(one for one in partition.replicas if one not in partition.adding)


def _check(image: Image, partition: PartitionImage, replicas: Sequence[int]) -> Refused | None:
    text = ""
    twice = [one for one, count in Counter(replicas).items() if count > 1]
    strangers = [one for one in replicas if one not in image.brokers]
    dead = [
        one
        for one in replicas
        if one not in partition.isr and (one not in partition.replicas or one in partition.adding)
    ]
    if not replicas:
        text = "an empty replica list."
    elif twice:
        text = f"the broker {twice[0]} more than once."
    elif strangers:
        text = f"broker {strangers[0]}, but no such broker is registered."
    elif dead:
        text = f"broker {dead[0]}, which has no copy, and none can be made on a single node."
    elif not any(image.brokers[one].is_active and one in partition.isr for one in replicas):
        text = f"{list(replicas)}, none of which is alive and in sync."
    if not text:
        return None
    return Refused(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"The manual partition assignment includes {text}"
    )


def _record(
    image: Image, topic: TopicImage, number: int, wanted: tuple[int, ...]
) -> PartitionChangeRecord | Refused:
    """Replicas that are not wanted leave the in-sync replicas, and the lead."""
    partition = topic.partitions[number]
    isr = tuple(one for one in wanted if one in partition.isr)
    if not isr:
        return Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{topic.name}-{number}: none of the replicas {list(wanted)} is in sync: it would "
            "require an unclean leader election",
        )
    by_broker = dict(zip(partition.replicas, partition.directories, strict=True))
    record = PartitionChangeRecord(
        partition_id=number,
        topic_id=topic.topic_id,
        isr=None if isr == partition.isr else isr,
        replicas=None if wanted == partition.replicas else wanted,
        adding_replicas=() if partition.adding else None,
        removing_replicas=() if partition.removing else None,
    )
    if image.metadata_version >= DIRECTORIES_SINCE and wanted != partition.replicas:
        record.directories = tuple(by_broker[one] for one in wanted)
    active = {broker.broker_id for broker in image.brokers.values() if broker.is_active}
    after = changed(partition, record)
    if after.leader not in wanted or after.leader == NO_LEADER:
        change = elect(after, active, unclean=False, anew=False)
        if change is not None and change.leader is not None:
            record.leader = change.leader
    elif not set(partition.replicas) <= set(wanted):
        # A new epoch, so that a replica that was taken off is fenced when it comes back.
        record.leader = partition.leader
    return record
