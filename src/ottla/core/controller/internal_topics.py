"""How a topic looks that is created because somebody named it.

Ordinary topics get the broker's defaults; the topics in which coordinators keep their state get what
these need, whoever names them first.
"""

from collections.abc import Mapping
from typing import Final

from ottla.core.controller.topics import DEFAULT, NewTopic
from ottla.core.metadata.partition import OFFSETS_TOPIC
from ottla.settings.broker import BrokerSettings

_TRANSACTIONS: Final = "__transaction_state"
_NO_CONFIGS: Final[Mapping[str, str | None]] = {}


def auto_created(name: str, settings: BrokerSettings) -> NewTopic:
    """The topic that `name` becomes when it is created without being asked for in detail."""
    if name == OFFSETS_TOPIC:
        return NewTopic(
            name=name,
            partitions=settings.groups.offsets_partitions,
            replication_factor=settings.groups.offsets_replication_factor,
            configs={
                "cleanup.policy": "compact",
                "compression.type": "producer",
                "segment.bytes": str(settings.groups.offsets_segment_bytes),
            },
        )
    if name == _TRANSACTIONS:
        return NewTopic(
            name=name,
            partitions=settings.transactions.partitions,
            replication_factor=settings.transactions.replication_factor,
            configs={
                "cleanup.policy": "compact",
                "compression.type": "uncompressed",
                "min.insync.replicas": str(settings.transactions.min_insync_replicas),
                "segment.bytes": str(settings.transactions.segment_bytes),
                "unclean.leader.election.enable": "false",
            },
        )
    return NewTopic(name=name, partitions=DEFAULT, replication_factor=DEFAULT, configs=_NO_CONFIGS)
