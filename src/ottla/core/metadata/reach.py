"""How a client that came in through a listener reaches the brokers, and which replicas it cannot.

A broker is told under the address it advertises for the listener the client uses; this broker, where
nothing was configured to be advertised, under the address the client's connection arrived on: that
one is known to work.

Source: KIP-103 (listeners), KIP-112 and KIP-858 (offline directories).
"""

from typing import Final, NamedTuple, final

from ottla.core.metadata.broker import BrokerImage
from ottla.core.metadata.image import Image
from ottla.core.metadata.partition import (
    LOST_DIRECTORY,
    MIGRATING_DIRECTORY,
    UNASSIGNED_DIRECTORY,
    PartitionImage,
)
from ottla.wire.server import Origin

_MAPPED: Final = "::ffff:"
"""How an IPv6 socket writes an IPv4 address."""

# Bits of what a client may do, when nobody checks: every operation the resource has (KIP-430).
_READ, _WRITE, _CREATE, _DELETE, _ALTER, _DESCRIBE = 3, 4, 5, 6, 7, 8
_CLUSTER_ACTION, _DESCRIBE_CONFIGS, _ALTER_CONFIGS, _IDEMPOTENT_WRITE = 9, 10, 11, 12


def _bits(*operations: int) -> int:
    return sum(1 << operation for operation in operations)


TOPIC_OPERATIONS: Final = _bits(
    _READ, _WRITE, _CREATE, _DELETE, _ALTER, _DESCRIBE, _DESCRIBE_CONFIGS, _ALTER_CONFIGS
)
CLUSTER_OPERATIONS: Final = _bits(
    _CREATE,
    _ALTER,
    _DESCRIBE,
    _CLUSTER_ACTION,
    _DESCRIBE_CONFIGS,
    _ALTER_CONFIGS,
    _IDEMPOTENT_WRITE,
)
GROUP_OPERATIONS: Final = _bits(_READ, _DELETE, _DESCRIBE, _DESCRIBE_CONFIGS, _ALTER_CONFIGS)
NOT_ASKED: Final = -(1 << 31)
"""In place of such bits, when the client did not want them."""


class Node(NamedTuple):
    """A broker as a client is told of it."""

    broker_id: int
    host: str
    port: int
    rack: str | None
    fenced: bool


@final
class Reach(NamedTuple):
    """`auto_listeners`: those of broker `node_id` for which no address was configured."""

    node_id: int
    auto_listeners: frozenset[str]

    def nodes(self, image: Image, origin: Origin, *, fenced_too: bool = False) -> list[Node]:
        """The brokers that have an address for this client, by id; fenced ones only if asked for."""
        found = []
        for _, broker in sorted(image.brokers.items()):
            if broker.fenced and not fenced_too:
                continue
            node = self._node(broker, origin)
            if node is not None:
                found.append(node)
        return found

    def node(self, image: Image, broker_id: int, origin: Origin) -> Node | None:
        """One broker; None when it is not registered or has no such listener."""
        broker = image.brokers.get(broker_id)
        return None if broker is None else self._node(broker, origin)

    def _node(self, broker: BrokerImage, origin: Origin) -> Node | None:
        endpoint = broker.endpoint(origin.listener)
        if endpoint is None:
            return None
        host, port = endpoint.host, endpoint.port
        if broker.broker_id == self.node_id and origin.listener in self.auto_listeners:
            host, port = origin.local_host.removeprefix(_MAPPED), origin.local_port
        return Node(broker.broker_id, host, port, broker.rack, broker.fenced)


def offline_replicas(image: Image, partition: PartitionImage, listener: str) -> list[int]:
    """The replicas this client cannot use: broker away, without the listener, or without its disk."""
    offline = []
    for index, broker_id in enumerate(partition.replicas):
        broker = image.brokers.get(broker_id)
        if (
            broker is None
            or broker.fenced
            or broker.endpoint(listener) is None
            or (
                index < len(partition.directories)
                and not _is_online(broker, partition.directories[index])
            )
        ):
            offline.append(broker_id)
    return offline


def _is_online(broker: BrokerImage, directory: bytes) -> bool:
    if directory in (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY) or not broker.log_dirs:
        return True
    return directory != LOST_DIRECTORY and directory in broker.log_dirs
