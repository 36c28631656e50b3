"""A broker node: told events, it answers effects. The one entry, and the only match over events.

A node owns no state of its own: it hands each event to the machine it belongs to and puts their
effects in order. Metadata takes one more step: what the controller decided comes back as a flushed
end of the metadata log, is folded into the image, followed by the replicas, and only then are the
parked answers released, so that whoever is told "created" can use what was created. Coordinators
follow the replicas: they live on partitions, and wait for their flushes. While quotas are set, every
answer passes by them before it leaves.

Life: `start` once, `step` for every event, `stop` when it shall end (its flushes are performed), and
`close` after that. Elsewhere: who may ask what, see `route.py`; who builds a node, see `wiring.py`.
"""

from itertools import islice
from typing import Final, assert_never, final

from ottla import probe
from ottla.broker.route import Routes
from ottla.core.controller.answer import Nobody
from ottla.core.controller.brokers import decide_lost_directory, decide_places
from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import TopicDefaults
from ottla.core.controller.wanted import provide_topics
from ottla.core.deadline import earliest
from ottla.core.effect import COMPACTION, METADATA_PARTITION, Effect, Reconfigure
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.group.group import Groups
from ottla.core.metadata.image import BROKER_RESOURCE, Current, Image
from ottla.core.metadata.local import LocalMetadataLog
from ottla.core.port import Entropy, Stopwatch
from ottla.core.quota.quotas import Quotas
from ottla.core.replica.move import Moves
from ottla.core.replica.table import ReplicaTable
from ottla.core.shard.shards import Shards
from ottla.core.waiting import WaitList
from ottla.errors import ErrorCode
from ottla.limits import PARTITIONS_PER_REQUEST_MAX
from ottla.settings.environment import TopicToCreate
from ottla.settings.in_force import InForce
from ottla.types import BrokerId, TopicPartition, Uuid

_METADATA_DIR: Final = 0


@final
class Node:
    """`now_ms` is the wall clock in milliseconds and never runs backwards."""

    __slots__ = (
        "controller",
        "current",
        "defaults",
        "entropy",
        "groups",
        "in_force",
        "metadata_log",
        "node_id",
        "quotas",
        "replicas",
        "routes",
        "stopwatch",
        "topics_wanted",
        "waiting",
    )

    def __init__(
        self,
        *,
        node_id: BrokerId,
        in_force: InForce,
        routes: Routes,
        waiting: WaitList,
        current: Current,
        metadata_log: LocalMetadataLog,
        controller: Controller,
        replicas: ReplicaTable,
        groups: Shards[Groups],
        quotas: Quotas,
        topics_wanted: tuple[TopicToCreate, ...],
        defaults: TopicDefaults,
        entropy: Entropy,
        stopwatch: Stopwatch,
    ) -> None:
        self.node_id = node_id
        self.in_force = in_force
        self.routes = routes
        self.waiting = waiting
        self.current = current
        self.metadata_log = metadata_log
        self.controller = controller
        self.replicas = replicas
        self.groups = groups
        self.quotas = quotas
        self.topics_wanted = topics_wanted
        self.defaults = defaults
        self.entropy = entropy
        self.stopwatch = stopwatch

    def start(self, now_ms: int) -> list[Effect]:
        """Claim the metadata log; the partitions are opened once it is on the disk.

        A killed process may have left there what a power cut would still take back. Nothing is set
        aside, made or forgotten on the word of that.
        """
        self.current.image = self.current.image.fold(self.metadata_log.replay())
        effects = self._obey_configs(now_ms)
        if not (probe.MUTANTS and probe.mutant("KIP546-not-obeyed-after-start")):
            effects += self.quotas.follow(self.current.image.quotas)
        effects += self.controller.start(now_ms)
        effects += provide_topics(
            now_ms, self.controller, self.topics_wanted, self.defaults, self.entropy
        )
        return effects

    @property
    def is_ready(self) -> bool:
        """Whether this start is committed and what was found is flushed as far as it has to be.

        Before, a client would find no broker to talk to, or a log shorter than it knows.
        """
        return self.controller.is_started and self.replicas.is_open

    @property
    def is_examined(self) -> bool:
        """Whether the next process may believe the page cache, should this one be killed."""
        return self.replicas.is_examined

    @property
    def broker_epoch(self) -> int:
        """Under which epoch this process is registered; -1 before that."""
        broker = self.controller.broker
        return -1 if broker is None else broker.epoch

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        is_metered = self.quotas.is_set
        began_ns = self.stopwatch.spent_ns() if is_metered else 0
        match event:
            case Received():
                self.replicas.is_busy = True
                effects = self.routes.handle(now_ms, event.call, event.message)
            case Flushed():
                effects = self._flushed(now_ms, event)
            case Ticked():
                effects = self.waiting.expire(now_ms)
                effects += self.replicas.tick(now_ms)
                effects += self.groups.tick(now_ms)
                effects += self._tell_places(now_ms)
            case Disconnected():
                self.waiting.drop_connection(event.connection_id)
                effects = []
            case _:
                assert_never(event)
        if not is_metered:
            return effects
        received = event.call if isinstance(event, Received) else None
        spent_ns = self.stopwatch.spent_ns() - began_ns
        return self.quotas.charge(now_ms, effects, received, spent_ns)

    def next_deadline_ms(self) -> int | None:
        """When `Ticked` is wanted next; None: never."""
        return earliest(self.waiting.next_ms(), self.replicas.next_ms(), self.groups.next_ms())

    def stop(self, now_ms: int) -> list[Effect]:
        """Nothing new is decided any more; what is written goes to the disk. Then `close`."""
        return self.controller.leave(now_ms) + self.replicas.close(now_ms)

    def close(self, now_ms: int) -> list[Effect]:
        """The clean end of every log. `is_durable` tells whether it may be called clean."""
        effects = self.replicas.close_logs(now_ms)
        if not self.replicas.dirs[_METADATA_DIR].is_offline:
            self.metadata_log.close(now_ms)
        return effects

    @property
    def is_durable(self) -> bool:
        """Whether everything is on the disk, so that the next start may believe it unexamined."""
        return self.replicas.is_durable

    def is_dir_durable(self, log_dir: int) -> bool:
        """The same of one log directory: each has its own marker of a clean stop."""
        return self.replicas.is_dir_durable(log_dir)

    def _flushed(self, now_ms: int, event: Flushed) -> list[Effect]:
        if probe.MUTANTS and probe.mutant("M35-failed-flush-believed"):
            event.error = None
        if event.error is not None or self.replicas.dirs[event.log_dir].is_offline:
            return self._offline(now_ms, f"{event.partition}: {event.error}", event.log_dir)
        if event.partition == COMPACTION:
            return self.replicas.compaction_flushed(event.end_offset, now_ms)
        if event.partition != METADATA_PARTITION:
            return self._flushed_replica(now_ms, event)
        effects: list[Effect] = []
        if not self.replicas.is_loaded:
            effects += self.replicas.load(self.current.image, now_ms)
            effects += self.groups.load(now_ms)
        for entry in self.metadata_log.committed(event.end_offset):
            image, delta = self.current.image.apply(entry)
            self.current.image = image
            effects += self.replicas.follow(image, delta, now_ms)
            effects += self.groups.follow(delta, now_ms)
            if any(kind == BROKER_RESOURCE for kind, _ in delta.configs_changed):
                effects += self._obey_configs(now_ms)
            if delta.quotas_changed:
                effects += self.quotas.follow(image.quotas)
            effects += self.controller.committed(entry, image)
        effects += self._tell_places(now_ms)
        return effects

    def _flushed_replica(self, now_ms: int, event: Flushed) -> list[Effect]:
        effects = self.replicas.flushed(event.partition, event.end_offset, now_ms, event.log_dir)
        effects += self.groups.flushed(event.partition)
        effects += self._tell_places(now_ms)
        return effects

    def _offline(self, now_ms: int, why: str, log_dir: int) -> list[Effect]:
        """A log directory has failed. If the metadata log is in it, the node goes on with the
        metadata it has, and tells everybody who asks for more that the disk has failed."""
        lost = self.replicas.dirs[log_dir]
        if lost.is_offline:
            return []
        effects = self.replicas.go_offline(why, now_ms, log_dir)
        if log_dir == _METADATA_DIR:
            effects += self.controller.go_offline(why)
        else:
            records = decide_lost_directory(self.controller.latest, self.node_id, lost.directory_id)
            effects += self.controller.submit(now_ms, records, Nobody())
        effects += self.groups.drop_lost()
        effects += self._tell_places(now_ms)
        return effects

    def _tell_places(self, now_ms: int) -> list[Effect]:
        """Where partitions are in another directory than the metadata says, it is told."""
        moves = self.replicas.moves
        told = moves.told
        if not told:
            return []
        places = dict(islice(told.items(), PARTITIONS_PER_REQUEST_MAX))
        for key in places:
            del told[key]
        latest = self.controller.latest
        records = decide_places(latest, self.node_id, places)
        keys = [(record.topic_id, record.partition_id) for record in records]
        answer = _Told(moves, {key: places.pop(key) for key in keys}, now_ms)
        if latest is not self.current.image:
            told.update(places)  # what is on its way may still be refused
            places.clear()
        for (topic_id, number), directory_id in places.items():
            topic = latest.topic_ids.get(topic_id)
            if topic is not None:
                partition = TopicPartition(topic.name, number)
                moves.placed(partition, directory_id, now_ms)
        return self.controller.submit(now_ms, records, answer) if records else []

    def _obey_configs(self, now_ms: int) -> list[Effect]:
        """The broker's own settings are those the image says, from the next event on."""
        image = self.current.image
        own = image.configs.get((BROKER_RESOURCE, str(self.node_id)), {})
        of_all = image.configs.get((BROKER_RESOURCE, ""), {})
        if not self.in_force.follow(own, of_all):
            return []
        settings = self.in_force.settings
        return [Reconfigure(settings), *self.replicas.obey(settings, image, now_ms)]


@final
class _Told:
    """Nobody asked where the partitions are; what could not be written is written later."""

    __slots__ = ("_moves", "_now_ms", "_places")

    def __init__(self, moves: Moves, places: dict[tuple[Uuid, int], Uuid], now_ms: int) -> None:
        self._moves = moves
        self._places = places
        self._now_ms = now_ms

    def committed(self, image: Image) -> list[Effect]:
        return []

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        for key, directory_id in self._places.items():
            self._moves.tell_later(key, directory_id, self._now_ms)
        return []
