"""A broker's replicas on a disk in memory, with an image that tests change as the controller would."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.unit.fakes.disk import MemoryDisk

from ottla.core.effect import Close, Effect, Flush, Reply, WriteWhole
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import (
    TOPIC_RESOURCE,
    Delta,
    Image,
    PartitionImage,
    TopicChange,
    TopicImage,
)
from ottla.core.metadata.partition import UNASSIGNED_DIRECTORY
from ottla.core.replica.fetch_session import Sessions
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import GivenDir, LogDirs
from ottla.core.replica.table import ReplicaTable
from ottla.core.waiting import WaitList
from ottla.record.builder import BatchBuilder
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved
from ottla.types import TopicPartition
from ottla.wire.server import Call, Origin

NOW_MS = 1_700_000_000_000
NODE_ID = 1


class Counting:
    """Entropy whose numbers count up: every run of a test is the same."""

    def __init__(self) -> None:
        self.drawn = 0

    def uuid(self) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(16, "big")

    def below(self, end: int) -> int:
        self.drawn += 1
        return self.drawn % end


def directory_id_of(number: int) -> bytes:
    return bytes([16 + number]) * 16


def topic_id_of(number: int) -> bytes:
    return b"topic" + number.to_bytes(11, "big")


def partition_image(
    *,
    leader: int = NODE_ID,
    leader_epoch: int = 0,
    replicas: tuple[int, ...] = (NODE_ID,),
    directory: bytes = UNASSIGNED_DIRECTORY,
) -> PartitionImage:
    return PartitionImage(
        replicas=replicas,
        isr=replicas,
        leader=leader,
        leader_epoch=leader_epoch,
        partition_epoch=leader_epoch,
        directories=(directory,) * len(replicas),
    )


def batch(
    *values: bytes,
    key: bytes | None = None,
    timestamp_ms: int = NOW_MS,
    codec: int = 0,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
) -> memoryview:
    """What a producer sends for one partition, in a frame that is overwritten afterwards."""
    builder = BatchBuilder()
    for value in values or (b"v",):
        builder.append(timestamp_ms, key, value)
    data = builder.build(
        codec=codec,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        transactional=transactional,
    )
    return memoryview(bytearray(data))


class House:
    """One node's data path. `now_ms` is its clock; `effects` collects what nobody took."""

    def __init__(
        self,
        disk: MemoryDisk | None = None,
        *,
        shutdown: Shutdown = Shutdown.CLEAN,
        settings: Mapping[str, str] | None = None,
        image: Image | None = None,
        others: Sequence[MemoryDisk | None] = (),
    ) -> None:
        """`others`: further log directories, numbered from 1; None: one that can't be opened."""
        self.others = list(others)
        self.now_ms = NOW_MS
        self.disk = MemoryDisk(NOW_MS) if disk is None else disk
        given = {"node.id": str(NODE_ID), **(settings or {})}
        self.settings = broker_settings({name: Resolved(text) for name, text in given.items()})
        self.waiting = WaitList()
        self.entropy = Counting()
        self.sessions = Sessions(self.entropy, self.settings.fetch.sessions_max)
        given = [
            GivenDir(path=path, disk=disk, directory_id=directory_id, shutdown=shutdown)
            for path, disk, directory_id in (
                ("/memory", self.disk, directory_id_of(0)),
                *(
                    (f"/memory-{number}", one, directory_id_of(number))
                    for number, one in enumerate(self.others, 1)
                ),
            )
        ]
        self.table = ReplicaTable(LogDirs(given, self.entropy), self.settings, self.waiting)
        self.image = Image() if image is None else image
        self.started = self.table.load(self.image, self.now_ms)
        self.calls = 0

    # --- the image --------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        partitions: int | Sequence[PartitionImage] = 1,
        configs: Mapping[str, str] | None = None,
        *,
        topic_id: bytes | None = None,
    ) -> bytes:
        made = (
            tuple(partition_image() for _ in range(partitions))
            if isinstance(partitions, int)
            else tuple(partitions)
        )
        known = len(self.image.topic_ids)
        topic = TopicImage(name, topic_id or topic_id_of(known + 1), made)
        self.image = with_topics(self.image, [*self.image.topics.values(), topic])
        if configs:
            self.image = self.image._replace(
                configs={**self.image.configs, (TOPIC_RESOURCE, name): configs}
            )
        self.table.follow(self.image, Delta(created=(topic,)), self.now_ms)
        return topic.topic_id

    def delete(self, name: str) -> list[Effect]:
        topic = self.image.topics[name]
        self.image = with_topics(
            self.image, [one for one in self.image.topics.values() if one is not topic]
        )
        return self.table.follow(self.image, Delta(deleted=(topic,)), self.now_ms)

    def change(self, name: str, number: int, partition: PartitionImage) -> list[Effect]:
        before = self.image.topics[name]
        partitions = list(before.partitions)
        partitions[number : number + 1] = [partition]
        after = TopicImage(name, before.topic_id, tuple(partitions))
        others = [one for one in self.image.topics.values() if one is not before]
        self.image = with_topics(self.image, [*others, after])
        delta = Delta(changed=(TopicChange(before, after, (number,)),))
        return self.table.follow(self.image, delta, self.now_ms)

    def configure(self, name: str, configs: Mapping[str, str]) -> list[Effect]:
        key = (TOPIC_RESOURCE, name)
        self.image = self.image._replace(configs={**self.image.configs, key: configs})
        return self.table.follow(self.image, Delta(configs_changed=(key,)), self.now_ms)

    # --- asking -----------------------------------------------------------------------------------

    def leader(self, topic: str, partition: int = 0) -> Leader:
        leader = self.table.leader(topic, partition)
        assert isinstance(leader, Leader), leader
        return leader

    def call(self, api_key: int, version: int, *, connection_id: int = 1) -> Call:
        self.calls += 1
        origin = Origin(
            connection_id=connection_id,
            listener="PLAINTEXT",
            peer_host="127.0.0.1",
            peer_port=40_000,
            local_host="127.0.0.1",
            local_port=9092,
        )
        return Call(origin, api_key, version, self.calls, "test", self.calls)

    def disk_of(self, log_dir: int) -> MemoryDisk:
        disk = self.others[log_dir - 1] if log_dir else self.disk
        assert disk is not None
        return disk

    def flush(self, effects: Iterable[Effect], *, error: str | None = None) -> list[Effect]:
        """Do what the shell does with the flushes among `effects`; what follows from them."""
        follow: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Flush):
                if error is not None:
                    follow += self.table.go_offline(error, self.now_ms, effect.log_dir)
                    continue
                self.disk_of(effect.log_dir).sync(effect.files, effect.directory)  # type: ignore[arg-type]
                follow += self.table.flushed(effect.partition, effect.end_offset, self.now_ms)
        return follow

    def write(self, effects: Iterable[Effect]) -> list[str]:
        """Do what the shell does with the small files among `effects`; their paths."""
        paths = []
        for effect in effects:
            if isinstance(effect, WriteWhole):
                self.disk_of(effect.log_dir).write_whole(effect.path, effect.data)
                paths.append(effect.path)
        return paths

    def restarted(self, shutdown: Shutdown, *, disk: MemoryDisk | None = None) -> "House":
        """The next process on this directory (or on `disk`), with the same image."""
        return House(
            self.disk.copy() if disk is None else disk,
            shutdown=shutdown,
            image=self.image,
            others=[None if one is None else one.copy() for one in self.others],
        )

    def stop(self) -> None:
        """A clean end."""
        self.flush(self.table.close(self.now_ms))
        self.write(self.table.close_logs(self.now_ms))

    def check_invariants(self) -> None:
        self.table.check_invariants()
        self.waiting.check_invariants()
        self.sessions.check_invariants()


def with_topics(image: Image, topics: Iterable[TopicImage]) -> Image:
    kept = list(topics)
    return image._replace(
        topics={topic.name: topic for topic in kept},
        topic_ids={topic.topic_id: topic for topic in kept},
    )


def replies(effects: Iterable[Effect]) -> list[Any]:
    return [effect.response for effect in effects if isinstance(effect, Reply)]


def closes(effects: Iterable[Effect]) -> list[Close]:
    return [effect for effect in effects if isinstance(effect, Close)]


def flushes(effects: Iterable[Effect]) -> list[TopicPartition]:
    return [effect.partition for effect in effects if isinstance(effect, Flush)]
