"""A single node's metadata machinery on a disk in memory, with the shell's part played by the test.

`flush` does what the shell and `Node` do: sync, hand back what is committed, fold it, release the
answers. Nothing is flushed by itself, so that a test can look at what is on its way.
"""

from dataclasses import dataclass, field
from random import Random

from ottla.core.controller.brokers import Registration
from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import TopicDefaults
from ottla.core.effect import Effect, Flush, Reply, WriteWhole
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.broker import Endpoint
from ottla.core.metadata.image import Current, Delta, Image
from ottla.core.metadata.local import LocalMetadataLog, metadata_log_settings
from ottla.settings.broker import BrokerSettings, broker_settings
from ottla.settings.definition import Source
from ottla.settings.describe import BrokerLayers
from ottla.settings.in_force import InForce
from ottla.settings.parse import Resolved
from ottla.types import Uuid
from ottla.wire.server import Call, Origin
from tests.unit.fakes.disk import MemoryDisk

NODE_ID = 1
DIRECTORY_ID = bytes(range(16))
CLUSTER_ID = "b3R0bGEtdW5pdC10ZXN0cw"
DEFAULTS = TopicDefaults(partitions=1, replication_factor=1)


class SeededEntropy:
    """`core/port.py`'s Entropy, the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)

    def uuid(self) -> Uuid:
        return self._random.randbytes(16)

    def below(self, end: int) -> int:
        return self._random.randrange(end)


def layers(**given: str) -> BrokerLayers:
    """Settings as an operator gave them; `_` stands for `.` in a name."""
    return BrokerLayers(
        static={
            name.replace("_", "."): Resolved(text, Source.STATIC_BROKER, "test")
            for name, text in given.items()
        }
    )


def settings(**given: str) -> BrokerSettings:
    return broker_settings(layers(**given).static)


def in_force(**given: str) -> InForce:
    return InForce(layers(**given).static, settings(**given))


def registration(incarnation: int = 1, *, port: int = 9092) -> Registration:
    return Registration(
        broker_id=NODE_ID,
        incarnation_id=incarnation.to_bytes(16, "big"),
        endpoints=(
            Endpoint(listener="PLAINTEXT", host="localhost", port=port, security_protocol=0),
            Endpoint(listener="OUTSIDE", host="example.org", port=443, security_protocol=0),
        ),
        rack="r1",
        log_dirs=(DIRECTORY_ID,),
    )


def call(api_key: int, version: int, *, listener: str = "PLAINTEXT", slot: int = 0) -> Call:
    origin = Origin(
        connection_id=7,
        listener=listener,
        peer_host="127.0.0.1",
        peer_port=50000,
        local_host="127.0.0.1",
        local_port=19092,
    )
    return Call(origin, api_key, version, 1, "test", slot)


@dataclass
class OneNode:
    """Made by `start`; a further `start` on the same disk is the next process."""

    disk: MemoryDisk
    log: LocalMetadataLog
    current: Current
    controller: Controller
    unperformed: list[Effect]
    deltas: list[Delta] = field(default_factory=list)
    now_ms: int = 1_000_000

    @property
    def image(self) -> Image:
        return self.current.image

    def perform(self, effects: list[Effect]) -> list[Effect]:
        """Keep what the shell would do; the replies come back."""
        self.unperformed += [one for one in effects if not isinstance(one, Reply)]
        return [one for one in effects if isinstance(one, Reply)]

    def flush(self) -> list[Effect]:
        """Perform what is to be performed, and what follows from it. The replies come back."""
        replies: list[Effect] = []
        while self.unperformed:
            effect = self.unperformed.pop(0)
            if isinstance(effect, WriteWhole):
                self.disk.write_whole(effect.path, effect.data)
            else:
                assert isinstance(effect, Flush), effect
                self.disk.sync(effect.files, effect.directory)  # type: ignore[arg-type]
                replies += self.perform(self._committed(effect.end_offset))
        self.log.check_invariants()
        self.controller.check_invariants()
        self.image.check_invariants()
        return replies

    def _committed(self, end_offset: int) -> list[Effect]:
        effects: list[Effect] = []
        for entry in self.log.committed(end_offset):
            self.current.image, delta = self.current.image.apply(entry)
            self.deltas.append(delta)
            effects += self.controller.committed(entry, self.current.image)
        return effects


def start(
    disk: MemoryDisk | None = None,
    *,
    shutdown: Shutdown = Shutdown.CLEAN,
    incarnation: int = 1,
    flush: bool = True,
    bytes_between_snapshots_max: int = 20 * 1024 * 1024,
) -> OneNode:
    """A process on `disk`: replayed, claimed, registered."""
    disk = MemoryDisk() if disk is None else disk
    log = LocalMetadataLog.open(
        disk,
        settings=metadata_log_settings(settings()),
        node_id=NODE_ID,
        now_ms=1_000_000,
        shutdown=shutdown,
    )
    current = Current(Image())
    controller = Controller(
        log,
        current,
        registration(incarnation),
        lost_power=shutdown is Shutdown.POWER_LOST,
        bytes_between_snapshots_max=bytes_between_snapshots_max,
    )
    current.image = current.image.fold(log.replay())
    node = OneNode(disk, log, current, controller, [])
    node.perform(controller.start(node.now_ms))
    if flush:
        assert node.flush() == []
        assert controller.is_started
    return node
