"""Which faults strike a world, and how each does.

A quarter of all seeds are left in peace. The others draw a few packages of faults that go together
in practice; all of them end at `Plan.heal_us`, after which the world has to come to rest.

Elsewhere: what a fault means to bytes, `disk.py` and `network.py`; to a process, `process.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, assert_never, final

from ottla.core.log.snapshot import SNAPSHOT, base_offset_of, snapshot_offsets
from ottla.core.metadata.partition import INTERNAL_TOPICS
from ottla.core.replica.directory import partition_of
from ottla.record.batch import LOG_OVERHEAD_BYTES
from ottla.sim import heritage
from ottla.sim.clock import Events
from ottla.sim.disk import SimDisk
from ottla.sim.history import FaultMark, History, ProducersLost
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import Blow, ClientPlan, Fault
from ottla.sim.process import Process, State
from ottla.types import METADATA_TOPIC, TopicPartition

_POLL_US: Final = 50_000

_PACKAGES: Final[tuple[tuple[tuple[Blow, ...], float], ...]] = (
    ((Blow.KILL, Blow.KILL_AT), 0.35),
    ((Blow.POWER, Blow.POWER_AT), 0.4),
    ((Blow.STOP,), 0.15),
    ((Blow.FULL,), 0.15),
    ((Blow.WRITE_ERROR, Blow.RENAME_ERROR, Blow.REMOVE_ERROR), 0.2),
    ((Blow.READ_ERROR, Blow.NO_DESCRIPTOR), 0.15),
    ((Blow.SYNC_ERROR,), 0.12),
    ((Blow.SLOW_SYNC,), 0.15),
    ((Blow.RESET,), 0.3),
    ((Blow.MUTE_UP, Blow.MUTE_DOWN), 0.25),
    ((Blow.CUT, Blow.CLOG), 0.25),
    ((Blow.CLOCK,), 0.1),
    ((Blow.PAUSE,), 0.15),
    ((Blow.FLIP,), 0.1),
    ((Blow.FLIP_LOG,), 0.1),
    ((Blow.LOSE_FILE, Blow.LEAVE_FILE), 0.1),
)

_CACHES: Final = (".index", ".timeindex", ".snapshot")
_REMADE: Final = (*_CACHES, "leader-epoch-checkpoint", "replication-offset-checkpoint")
_FRONT_BYTES: Final = 17
_HALF_DONE: Final = (".deleted", ".cleaned", ".swap")


def draw_faults(chance: Random, clients: tuple[ClientPlan, ...], end_us: int) -> tuple[Fault, ...]:
    if chance.random() < 0.25:
        return ()
    faults = []
    for blows, likely in _PACKAGES:
        if chance.random() < likely:
            for _ in range(chance.choice((1, 1, 2, 4))):
                faults.append(_fault(chance, chance.choice(blows), clients, end_us))
    return tuple(sorted(faults, key=lambda fault: fault.at_us))


def _fault(chance: Random, blow: Blow, clients: tuple[ClientPlan, ...], end_us: int) -> Fault:
    at_us = chance.randrange(end_us)
    client = -1
    count = 0
    lasts_us = 0
    match blow:
        case Blow.KILL | Blow.POWER | Blow.STOP | Blow.LOSE_FILE | Blow.LEAVE_FILE:
            lasts_us = chance.choice((1_000, 50_000, 600_000))
        case Blow.KILL_AT | Blow.POWER_AT:
            count = chance.choice((1, 2, 5, 15, 60))
        case Blow.FULL:
            count = chance.choice((0, 100, 2_000))
            lasts_us = chance.choice((50_000, 500_000, 2_000_000))
        case (
            Blow.WRITE_ERROR
            | Blow.RENAME_ERROR
            | Blow.REMOVE_ERROR
            | Blow.SYNC_ERROR
            | Blow.READ_ERROR
            | Blow.NO_DESCRIPTOR
        ):
            count = chance.choice((1, 1, 2, 10))
            lasts_us = 2_000_000
        case Blow.INHERIT:
            pass
        case Blow.AWAY:
            lasts_us = chance.choice((300_000, 2_000_000))
        case Blow.PAUSE:
            lasts_us = chance.choice((30_000, 400_000, 3_000_000))
        case Blow.SLOW_SYNC:
            count = chance.choice((20, 200, 800))
            lasts_us = chance.choice((500_000, 2_000_000))
        case Blow.RESET | Blow.MUTE_UP | Blow.MUTE_DOWN:
            client = chance.choice(clients).number
        case Blow.CUT | Blow.CLOG:
            client = chance.choice(clients).number
            lasts_us = chance.choice((100_000, 1_000_000, 4_000_000))
        case Blow.CLOCK:
            count = chance.choice((100, 5_000, 200_000, -300, -5_000))
        case Blow.FLIP | Blow.FLIP_LOG:
            count = chance.randrange(1 << 20)
        case _:
            assert_never(blow)
    return Fault(
        at_us=at_us,
        blow=blow,
        client=client,
        lasts_us=lasts_us,
        count=count,
        salt=chance.randrange(1 << 30),
    )


@final
@dataclass(frozen=True, slots=True)
class _Found:
    disk: SimDisk
    path: str
    partition: TopicPartition


def _of_partitions(process: Process, suffixes: tuple[str, ...]) -> list[_Found]:
    """Files of the partitions of users' topics that are not empty."""
    found = []
    files = [(disk, *one) for disk in process.disks for one in disk.inodes()]
    for disk, path, inode in files:
        partition = partition_of(path.partition("/")[0])
        if partition is None or partition.topic in (
            METADATA_TOPIC,
            *INTERNAL_TOPICS,
            heritage.TOPIC,
        ):
            continue
        if inode.data and path.endswith(suffixes):
            found.append(_Found(disk, path, partition))
    return found


def _bit_in_front(disk: SimDisk, path: str, fault: Fault) -> int:
    """Half of all flips in segments hit what no checksum covers: there is less of it, and it is
    harder to tell from what is right."""
    if fault.blow is not Blow.FLIP_LOG or fault.salt & 1:
        return fault.count
    with disk.at_rest():
        data = disk.read_whole(path) or b""
    fronts = []
    at = 0
    while at + LOG_OVERHEAD_BYTES <= len(data):
        fronts.append(at)
        at += LOG_OVERHEAD_BYTES + int.from_bytes(data[at + 8 : at + 12], "big")
    return fronts[(fault.salt >> 1) % len(fronts)] * 8 + fault.count % (_FRONT_BYTES * 8)


@final
class Nemesis:
    """Strikes, and heals what it struck."""

    def __init__(
        self,
        events: Events,
        history: History,
        processes: list[Process],
        wires: dict[int, Wire],
        connection_of: Callable[[int], Connection | None],
    ) -> None:
        self._events = events
        self._history = history
        self._processes = processes
        self._wires = wires
        self._connection_of = connection_of

    def strike(self, fault: Fault) -> None:
        if fault.blow is not Blow.FLIP_LOG:
            self._mark(fault, f"{fault.count}", None)
        self._events.trace(f"fault {fault.blow.value}")
        if fault.client >= 0:
            self._strike_wire(fault)
        else:
            self._strike_node(fault, self._processes[fault.node])

    def _mark(
        self,
        fault: Fault,
        note: str,
        partition: tuple[str, int] | None,
        *,
        unopened: bool = False,
    ) -> None:
        now_us, kind = self._events.now_us, fault.blow.value
        mark = FaultMark(now_us, fault.node, kind, note, partition, unopened=unopened)
        self._history.mark(mark)

    def heal(self) -> None:
        """Everything works from now on."""
        for process in self._processes:
            for disk in process.disks:
                disk.mend()
            process.slow_sync_us = 0
            process.resume()
        for wire in self._wires.values():
            wire.up_free_us = wire.down_free_us = 0

    def bring_back(self, process: Process) -> None:
        """Start it as soon as it has ended."""
        if process.state is State.DOWN:
            process.start()
        elif process.state is State.STOPPING:
            self._events.after(_POLL_US, self.bring_back, process)

    def _strike_node(self, fault: Fault, process: Process) -> None:
        disk = process.dirs[fault.log_dir % len(process.dirs)].disk
        torn_percent = fault.salt % 4 * 33
        match fault.blow:
            case Blow.KILL:
                process.kill()
            case Blow.POWER:
                process.cut_power(fault.salt)
            case Blow.STOP:
                process.stop()
            case Blow.KILL_AT:
                process.arm_crash(max(1, fault.count), torn_percent, None)
            case Blow.POWER_AT:
                process.arm_crash(max(1, fault.count), torn_percent, fault.salt)
            case Blow.FULL:
                disk.full_bytes = disk.used_bytes + fault.count
            case Blow.WRITE_ERROR:
                disk.refuse_writes = fault.count
            case Blow.SYNC_ERROR:
                disk.refuse_syncs = fault.count
            case Blow.RENAME_ERROR:
                disk.refuse_renames = fault.count
            case Blow.REMOVE_ERROR:
                disk.refuse_removals = fault.count
            case Blow.READ_ERROR:
                disk.refuse_reads = fault.count
            case Blow.NO_DESCRIPTOR:
                disk.refuse_opens = fault.count
            case Blow.SLOW_SYNC:
                process.slow_sync_us = fault.count * 1000
            case Blow.AWAY:
                disk.is_away = True
            case Blow.CLOCK:
                process.put_clock(fault.count)
            case Blow.PAUSE:
                process.pause()
            case Blow.INHERIT:
                if not disk.exists(heritage.DIRECTORY):
                    files = {f"{base:020d}.log": data for base, data in heritage.SEGMENTS.items()}
                    disk.inherit(heritage.DIRECTORY, files)
            case Blow.FLIP | Blow.FLIP_LOG:
                self._flip(fault, process)
            case Blow.LOSE_FILE | Blow.LEAVE_FILE:
                self._tamper(fault, process)
            case Blow.RESET | Blow.MUTE_UP | Blow.MUTE_DOWN | Blow.CUT | Blow.CLOG:
                pass  # names no client, so it meets nobody
            case _:
                assert_never(fault.blow)
        if fault.blow in (Blow.KILL, Blow.POWER, Blow.STOP, Blow.LOSE_FILE, Blow.LEAVE_FILE):
            self._events.after(fault.lasts_us, self.bring_back, process)
        elif fault.lasts_us:
            self._events.after(fault.lasts_us, self._relieve, fault, process)

    def _relieve(self, fault: Fault, process: Process) -> None:
        disk = process.dirs[fault.log_dir % len(process.dirs)].disk
        match fault.blow:
            case Blow.AWAY:
                disk.is_away = False
            case Blow.FULL:
                disk.full_bytes = None
            case Blow.WRITE_ERROR:
                disk.refuse_writes = 0
            case Blow.SYNC_ERROR:
                disk.refuse_syncs = 0
            case Blow.RENAME_ERROR:
                disk.refuse_renames = 0
            case Blow.REMOVE_ERROR:
                disk.refuse_removals = 0
            case Blow.READ_ERROR:
                disk.refuse_reads = 0
            case Blow.NO_DESCRIPTOR:
                disk.refuse_opens = 0
            case Blow.SLOW_SYNC:
                process.slow_sync_us = 0
            case Blow.PAUSE:
                process.resume()
            case _:
                pass

    def _flip(self, fault: Fault, process: Process) -> None:
        """In a topic's segment, which is damage, or in what can be made again from segments."""
        wanted = (".log",) if fault.blow is Blow.FLIP_LOG else _CACHES
        found = _of_partitions(process, wanted)
        if fault.blow is Blow.FLIP_LOG:  # a damaged coordinator refuses, and its groups never rest
            found = [one for one in found if not one.partition.topic.startswith("__")]
        if not found:
            return
        one = found[fault.salt % len(found)]
        path, partition = one.path, one.partition
        if fault.blow is Blow.FLIP_LOG:
            leader = process.leader_of(partition)
            self._mark(fault, path, (partition.topic, partition.partition), unopened=leader is None)
            if leader is not None:
                # What was tested may be served for longer than a world lasts.
                leader.log.tested.clear()
        process.damaged.add(partition)
        process.seen.add(f"flipped in a{path[path.rindex('.') :]}")
        one.disk.flip(path, _bit_in_front(one.disk, path, fault))

    def _tamper(self, fault: Fault, process: Process) -> None:
        """The process is gone; what it had in its hands is gone as well, or half done."""
        if fault.salt & 1:
            process.kill()
        else:
            process.cut_power(fault.salt)
        lose = fault.blow is Blow.LOSE_FILE
        found = _of_partitions(process, _REMADE if lose else (".log",))
        if not found:
            return
        one = found[(fault.salt >> 1) % len(found)]
        if lose:
            one.disk.take_away(one.path)
            if one.path.endswith(SNAPSHOT):
                self._mark_producers(fault, one)
            return
        suffix = _HALF_DONE[fault.salt % len(_HALF_DONE)]
        one.disk.leave_copy(one.path, suffix, half=suffix != ".swap")

    def _mark_producers(self, fault: Fault, lost: _Found) -> None:
        """Where no other snapshot is left, the log's batches alone say who has written."""
        directory = lost.path.partition("/")[0]
        names = [
            path.rpartition("/")[2]
            for path, _ in lost.disk.inodes()
            if path.startswith(f"{directory}/")
        ]
        bases = [base_offset_of(name, ".log") for name in names]
        begin_offset = min((base for base in bases if base is not None), default=0)
        if begin_offset and not snapshot_offsets(names):
            self._history.mark(
                ProducersLost(
                    self._events.now_us,
                    fault.node,
                    topic=lost.partition.topic,
                    partition=lost.partition.partition,
                    begin_offset=begin_offset,
                )
            )

    def _strike_wire(self, fault: Fault) -> None:
        now_us = self._events.now_us
        wire = self._wires.get(fault.client)
        connection = self._connection_of(fault.client)
        if wire is None:
            return
        if fault.blow is Blow.CUT:
            wire.up_free_us = wire.down_free_us = now_us + fault.lasts_us
        elif fault.blow is Blow.CLOG:
            wire.up_free_us = now_us + fault.lasts_us
        elif connection is None:
            return
        elif fault.blow is Blow.RESET:
            connection.reset()
        elif fault.blow is Blow.MUTE_UP:
            connection.mute_up = True
        elif fault.blow is Blow.MUTE_DOWN:
            connection.mute_down = True
