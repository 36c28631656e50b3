"""A node's process in the world: what `aio/broker.py` is in production, with invented time and disk.

It hands events to the node, performs what the node asks for, and mirrors the shell where the shell
makes promises: flushes of one partition that wait together are one, a sync is on the platter some
time before anybody is told, a stop brings everything to the disk before the clean marker stands.

A process may end anywhere: by a signal between two events, or in the middle of a disk call. How the
next one finds each of its directories is told to it as `Shutdown`, as `aio/log_directory.py` would. It may be
paused: time passes, and what comes in piles up until it goes on.

It is long and left whole on purpose: every line of it stands for one of the shell's.

Elsewhere: the disk itself, `disk.py`; a directory's markers and flushes, `log_dir.py`; when processes end, `nemesis.py`.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from enum import Enum, auto
from random import Random
from typing import Final, Protocol, assert_never, final

from ottla.broker.node import Node
from ottla.broker.wiring import Premises, assemble
from ottla.core.effect import (
    COMPACTION,
    METADATA_PARTITION,
    STRAYS,
    Close,
    Effect,
    Flush,
    Halt,
    LimitAccepts,
    Mute,
    Reconfigure,
    Reply,
    WriteWhole,
)
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.quota.accepts import Accepts
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.settings.broker import BrokerSettings
from ottla.settings.environment import TopicToCreate
from ottla.settings.parse import Resolved
from ottla.sim.checker.recovered import Portrait, differences
from ottla.sim.clock import Events, NodeClock
from ottla.sim.disk import Fuse, ProcessEnds, SimDisk
from ottla.sim.entropy import SeededEntropy
from ottla.sim.history import FlushMark, History, Life, LifeMark
from ottla.sim.log_dir import Group, LogDir, paths_of
from ottla.sim.network import CLIENT_HOST, Connection
from ottla.sim.plan import EPOCH_MS
from ottla.sim.quota_operation import MuteMark
from ottla.sim.timeline import Timeline
from ottla.types import TopicPartition
from ottla.wire.api import Message
from ottla.wire.server import Call

CLUSTER_ID: Final = "5L6g3nShT-eMCtK--X86sw"

_FAILED_START_PAUSE_US: Final = 500_000
_UNWRITTEN_PAUSE_US: Final = 5_000_000
_INSPECTED_EVERY: Final = 16  # steps; also after every start and at the end


class State(Enum):
    DOWN = auto()
    STARTING = auto()
    UP = auto()
    STOPPING = auto()


class Inspect(Protocol):
    """What must hold of a node at any time, with these connections open: returns what does not."""

    def __call__(
        self, node: Node, connections: Collection[int], damaged: Collection[TopicPartition]
    ) -> list[str]: ...


@final
class SteadyStopwatch:
    """`core.port.Stopwatch` of a world in which all work takes the same time."""

    def __init__(self) -> None:
        self._spent_ns = 0

    def spent_ns(self) -> int:
        self._spent_ns += 50_000
        return self._spent_ns


@final
class Process:
    """One node, and the processes that are it one after the other."""

    def __init__(
        self,
        number: int,
        events: Events,
        history: History,
        settings: BrokerSettings,
        given: dict[str, Resolved],
        inspect: Inspect,
        *,
        topics_wanted: tuple[TopicToCreate, ...] = (),
        recover_twice: bool,
        timeline: Timeline | None,
    ) -> None:
        self.number = number
        self._events = events
        self._history = history
        self._settings = settings
        self._given = given
        self._inspect = inspect
        self._topics_wanted = topics_wanted
        self._recover_twice = recover_twice
        self._timeline = timeline
        self._entropy = SeededEntropy(events.chance(f"entropy/{number}"))
        self._disk_chance = events.chance(f"disk/{number}")
        self._slow_chance = events.chance(f"slow/{number}")
        self._clock = NodeClock(events, EPOCH_MS)
        self._is_paused = False
        self._resumed_us = 0
        self._held: list[Callable[[], None]] = []  # what came in since
        self.slow_sync_us = 0
        self._fuse = Fuse()
        paths, self._keeps_partitions = paths_of(settings)
        self.dirs = [
            LogDir(at, number, path, self.now_ms, self._fuse) for at, path in enumerate(paths)
        ]
        self.state = State.DOWN
        self.life = 0  # how many processes there were; what belongs to an earlier one is void
        self.node: Node | None = None
        self.uncertain_disk = False
        self.damaged: set[TopicPartition] = set()  # bits of them were flipped
        self.seen = Seen()
        self._boot = 0  # counts power cuts
        self._connections: dict[int, Connection] = {}
        self._accepts = Accepts(settings.quotas)
        self._muted: dict[int, tuple[int, list[bytes]]] = {}  # until when, and what came since
        self._timer_ms = 0
        self._steps = 0
        self._after_flushes: Callable[[], None] | None = None
        self._ends_by_power: int | None = None  # an armed crash takes the power with it: the salt

    @property
    def disk(self) -> SimDisk:
        """The one that the metadata log is on."""
        return self.dirs[0].disk

    @property
    def first_kept(self) -> int:
        """The first directory that partitions may be in."""
        return 0 if self._keeps_partitions else 1

    @property
    def disks(self) -> Iterator[SimDisk]:
        return (one.disk for one in self.dirs)

    def _open_dirs(self) -> list[LogDir]:
        return [one for one in self.dirs if one.is_open]

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def put_clock(self, by_ms: int) -> None:
        """The machine's clock jumps, forward or back."""
        self._clock.put(by_ms)
        if not self.holds(self._look_at_clock):
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        self._timer_ms = 0
        self._end_turn()

    # Pauses

    def pause(self) -> None:
        """SIGSTOP: nothing is handled until `resume`."""
        if self.state is not State.DOWN:
            self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self._resumed_us = self._events.now_us
        held, self._held = self._held, []
        for what in held:
            what()

    def holds(self, what: Callable[[], None]) -> bool:
        """Whether the process is paused; what is to happen to it then happens afterwards."""
        if self._is_paused:
            self._held.append(what)
        return self._is_paused

    # Life

    def start(self) -> None:
        """A new process on the directories as they are. Does nothing when one is there."""
        if self.state is not State.DOWN:
            return
        self.life += 1
        self.state = State.STARTING
        self._accepts = Accepts(self._settings.quotas)
        self._timer_ms = 0
        self._clock.begin()
        for one in self.dirs:
            one.begin(self._boot)
        if any(one.lost_power for one in self.dirs):
            # After a failed sync this comes to the same as a power cut: what was not flushed may go.
            self._mark_life(Life.POWER_CUT)
        self._trace("start", " ".join(_name(one) for one in self.dirs))
        try:
            if self._recover_twice and any(one.ended_badly for one in self.dirs):
                self._try_recovering_twice()
            self.node = self._assemble(list(self.disks), self._entropy)
            self._perform(self.node.start(self.now_ms()))
        except ProcessEnds:
            self._end_in_a_call()
            return
        except OSError as error:
            self.seen.add(f"start failed: {error.strerror}")
            self._died(Life.HALTED)
            self._events.after(_FAILED_START_PAUSE_US, self.start)
            return
        self._look_whether_ready()
        self._end_turn()
        self.inspect_now()
        if self._timeline is not None and self.node is not None:
            self._timeline.look(self._events.now_us, self.number, self.node)

    def kill(self) -> None:
        if self.state is not State.DOWN:
            self._died(Life.KILLED)

    def cut_power(self, salt: int) -> None:
        """Also when no process is there: the page cache is gone."""
        self._lose_power(salt)
        self._died(Life.POWER_CUT)

    def stop(self) -> None:
        """A clean stop, which takes its time."""
        self.resume()
        if self.state is not State.UP or self.node is None:
            return
        self.state = State.STOPPING
        self._trace("stop", "")
        self._after_flushes = self._close
        if self._guarded(lambda node: node.stop(self.now_ms())):
            self._end_turn()
            self._look_whether_idle()

    def _close(self) -> None:
        self._after_flushes = self._leave
        if self._guarded(lambda node: node.close(self.now_ms())):
            self._write_again(self.life)
            self._end_turn()
            self._look_whether_idle()

    def _leave(self) -> None:
        node = self.node
        assert node is not None
        clean = 0
        for one in self._open_dirs():
            if not node.is_dir_durable(one.number):
                continue
            try:
                one.disk.sync_all()
            except OSError:
                continue
            one.clean_marker = True
            clean += 1
        self._died(Life.STOPPED if clean == len(self.dirs) else Life.STOPPED_UNCLEANLY)

    def arm_crash(self, changes: int, torn_percent: int, power_salt: int | None) -> None:
        """The process ends in the middle of its so-many-th change of the disk from now on."""
        self._fuse.crash_in = changes
        self._fuse.torn_percent = torn_percent
        self._ends_by_power = power_salt

    def _end_in_a_call(self) -> None:
        salt, self._ends_by_power = self._ends_by_power, None
        self.seen.add(f"ended in a disk call while {self.state.name.lower()}")
        if salt is None:
            self._died(Life.KILLED)
        else:
            self._lose_power(salt)
            self._died(Life.POWER_CUT)
        self._events.after(_FAILED_START_PAUSE_US, self.start)

    def _lose_power(self, salt: int) -> None:
        for one in self.dirs:
            of_dir = f"/{one.number}" if one.number else ""
            one.disk.lose_power(self._events.chance(f"power/{self.number}/{salt}{of_dir}"))
        self._boot += 1  # a marker of a clean stop is on its disk, and survives

    def _died(self, life: Life) -> None:
        was = self.state
        self.life += 1
        self.state = State.DOWN
        self.node = None
        for one in self.dirs:
            one.process_ended()
        self._is_paused = False
        self._held.clear()
        self._after_flushes = None
        self._trace("end", life.value)
        if self._timeline is not None:
            self._timeline.process_ended(self.number)
        mark = LifeMark(self._events.now_us, self.number, life, uncertain_disk=self.uncertain_disk)
        if was is not State.DOWN or life is Life.POWER_CUT:
            self._history.mark(mark)
        for connection in list(self._connections.values()):
            slow = life is Life.POWER_CUT
            notice_us = int(self._disk_chance.random() * 1_000_000) if slow else 0
            connection.process_ended(f"the process ended: {life.value}", notice_us)
        self._connections.clear()
        self._muted.clear()

    def _halt(self, reason: str) -> None:
        self.seen.add("halted")
        self._trace("halt", reason)
        self._died(Life.HALTED)
        self._events.after(_FAILED_START_PAUSE_US, self.start)

    def _assemble(self, disks: list[SimDisk], entropy: SeededEntropy) -> Node:
        first, *others = self.dirs
        return assemble(
            Premises(
                settings=self._settings,
                given=self._given,
                topics_wanted=self._topics_wanted,
                cluster_id=CLUSTER_ID,
                directory_id=first.directory_id,
                shutdown=first.shutdown,
                disk=disks[0],
                entropy=entropy,
                stopwatch=SteadyStopwatch(),
                now_ms=self.now_ms(),
                keeps_partitions=self._keeps_partitions,
                other_dirs=tuple(
                    one.given(disk) for one, disk in zip(others, disks[1:], strict=True)
                ),
            )
        )

    def _try_recovering_twice(self) -> None:
        """Opening what a crash has left, and opening it again, must come to the same."""
        twins = [disk.twin() for disk in self.disks]
        portraits = []
        for attempt in range(2):
            entropy = SeededEntropy(Random(f"twice/{attempt}"))
            try:
                node = self._assemble(twins, entropy)
                node.start(self.now_ms())
                portraits.append(Portrait(node))
            except (OSError, RemoteProtocolError) as error:
                self._history.broken.append(f"a copy of the directory can't be opened: {error}")
                return
            for twin in twins:
                twin.end_process()
        for difference in differences(*portraits):
            if any(difference.startswith(f"{one}:") for one in self.damaged):
                continue  # each start takes one damaged batch from the end
            self._history.broken.append(f"recovering twice: {difference}")

    # Connections

    def accepts(self) -> bool:
        """A connection that is welcome is counted: where they are limited, all have one address."""
        if self.state is not State.UP:
            return False
        return self._accepts.hold_ms(self._events.now_us // 1_000, CLIENT_HOST) == 0

    def accepted(self, connection: Connection) -> None:
        self._connections[connection.number] = connection

    def arrived(self, connection: Connection, data: bytes) -> None:
        if self.state is not State.UP or self.node is None:
            return
        server = connection.server
        view = memoryview(data)
        life = self.life
        try:
            self._take(server.left(), connection)
            while view and self.life == life and connection.node_open:
                muted = self._muted.get(connection.number)
                if muted is not None:
                    muted[1].append(bytes(view))
                    break
                buffer = server.get_buffer()
                size = min(len(buffer), len(view))
                buffer[:size] = view[:size]
                view = view[size:]
                self._take(server.received(size), connection)
        except RemoteProtocolError as error:
            connection.close_by_node(str(error))
        if self.life == life:
            self._end_turn()

    def _take(self, calls: Iterator[tuple[Call, Message | None]], connection: Connection) -> None:
        """One call after the other, until the connection is muted; the rest is left for later."""
        life = self.life
        while connection.number not in self._muted:
            taken = next(calls, None)
            if taken is None or self.life != life:
                return
            call, message = taken
            self.seen.request(call.api_key)
            self._step(Received(call, message), connection)
        connection.server.leave()

    def _note_mute(self, mute: Mute, reply: Reply | None) -> None:
        assert reply is not None  # charged is what is answered
        call = reply.call
        self.seen.add("muted")
        self._history.mark(
            MuteMark(
                self._events.now_us,
                connection=mute.connection_id,
                client_id=call.client_id or "",
                api_key=call.api_key,
                correlation_id=None if reply.response is None else call.correlation_id,
                duration_ms=mute.duration_ms,
                answered=call.origin.connection_id == mute.connection_id,
            )
        )

    def _mute(self, connection_id: int, duration_ms: int) -> None:
        connection = self._connections.get(connection_id)
        if connection is None:
            return
        until_us = self._events.now_us + duration_ms * 1000
        earlier_us, unread = self._muted.get(connection_id, (0, []))
        if until_us > earlier_us:
            self._muted[connection_id] = (until_us, unread)
            self._events.at(until_us, self._unmute, self.life, connection, until_us)

    def _unmute(self, life: int, connection: Connection, until_us: int) -> None:
        if self.life == life and self.holds(lambda: self._unmute(life, connection, until_us)):
            return
        muted_until_us, unread = self._muted.get(connection.number, (0, []))
        if self.life == life and muted_until_us == until_us:
            del self._muted[connection.number]
            self.arrived(connection, b"".join(unread))

    def disconnected(self, connection: Connection) -> None:
        self._muted.pop(connection.number, None)
        if self._connections.pop(connection.number, None) is not None:
            if self.state in (State.UP, State.STOPPING):
                self._step(Disconnected(connection.number), None)
                self._end_turn()

    # Steps

    def _step(self, event: Event, connection: Connection | None) -> bool:
        """False: the process is gone."""
        done = self._guarded(lambda node: node.step(self.now_ms(), event), connection)
        self._steps += 1
        if self._timeline is not None and self.node is not None:
            self._timeline.look(self._events.now_us, self.number, self.node)
        if done and self._steps % _INSPECTED_EVERY == 0:
            self.inspect_now()
        return done

    def _guarded(
        self, act: Callable[[Node], list[Effect]], connection: Connection | None = None
    ) -> bool:
        node = self.node
        if node is None:
            return False
        life = self.life
        try:
            self._perform(act(node))
        except ProcessEnds:
            self._end_in_a_call()
        except OSError as error:
            if connection is None:
                self._halt(f"the disk refuses: {error}")
            else:
                self.seen.add("a request failed with OSError")
                connection.close_by_node(f"a request failed: {error}")
        return self.life == life

    def _perform(self, effects: list[Effect]) -> None:
        replied: Reply | None = None
        for effect in effects:
            match effect:
                case Reply():
                    replied = effect
                    self._reply(effect)
                case Flush():
                    self._gather(effect)
                case WriteWhole():
                    self.dirs[effect.log_dir].wholes[effect.path] = effect.data
                case Close():
                    connection = self._connections.get(effect.connection_id)
                    if connection is not None:
                        connection.close_by_node(effect.reason)
                case LimitAccepts():
                    self._accepts.follow(effect.rates)
                case Reconfigure():
                    pass  # bounds of a shell that has sockets
                case Mute():
                    self._note_mute(effect, replied)
                    self._mute(effect.connection_id, effect.duration_ms)
                case Halt():
                    self._halt(effect.reason)
                    return
                case _:
                    assert_never(effect)

    def _reply(self, reply: Reply) -> None:
        connection = self._connections.get(reply.call.origin.connection_id)
        if connection is not None and connection.node_open:
            connection.reply(connection.server.reply(reply.call, reply.response))

    def inspect_now(self) -> None:
        if self.node is not None:
            with ExitStack() as stack:
                for disk in self.disks:
                    stack.enter_context(disk.at_rest())
                problems = self._inspect(self.node, self._connections, self.damaged)
            self._history.broken += problems
            now_us = self._events.now_us
            if (
                not self._is_paused and now_us > self._resumed_us
            ):  # else a mute's end is still among what was held
                self._history.broken += [
                    f"connection {number} is still muted"
                    for number, (until_us, _) in self._muted.items()
                    if until_us < now_us
                ]

    # Time and the disk

    def _end_turn(self) -> None:
        """What the turn gathered for the disk goes there; the next deadline is known."""
        if self.node is None:
            return
        for log_dir in self.dirs:
            self._dispatch(log_dir)
        deadline_ms = self.node.next_deadline_ms()
        if deadline_ms is None:
            return
        if self._timer_ms == 0 or deadline_ms < self._timer_ms:
            self._timer_ms = deadline_ms
            delay_us = max(0, deadline_ms - self.now_ms()) * 1000 + 500
            self._events.after(delay_us, self._tick, self.life, deadline_ms)

    def _dispatch(self, log_dir: LogDir) -> None:
        running = log_dir.running
        for partition in [one for one in log_dir.groups if one not in running]:
            running.add(partition)
            group = log_dir.groups.pop(partition)
            group.begin()
            self._events.after(self._sync_us(), self._sync, self.life, log_dir, partition, group)
        for path in [one for one in log_dir.wholes if one not in running]:
            running.add(path)
            data = log_dir.wholes.pop(path)
            turn = log_dir.disk.whole_turns.get(path, 0)
            self._events.after(
                self._sync_us(), self._write_whole, self.life, log_dir, path, data, turn
            )

    def _tick(self, life: int, for_ms: int) -> None:
        if life != self.life or for_ms != self._timer_ms:
            return
        if self.holds(lambda: self._tick(life, for_ms)):
            return
        self._timer_ms = 0
        if self._step(Ticked(), None):
            self._end_turn()

    def _gather(self, flush: Flush) -> None:
        groups = self.dirs[flush.log_dir].groups
        group = groups.get(flush.partition)
        if group is None:
            node = self.node
            hosted = None if node is None else node.replicas.topic(flush.partition.topic)
            topic_id = bytes(16) if hosted is None else hosted.topic_id
            group = groups[flush.partition] = Group(topic_id)
        group.join(flush)

    def _sync_us(self) -> int:
        draw = self._disk_chance.random()
        usual_us = 200 + int(draw * 2000)
        return usual_us + self._slow_us() + (40_000 if draw > 0.97 else 0)

    def _slow_us(self) -> int:
        """What a slow disk takes longer for one sync: now nothing, now a lot."""
        if not self.slow_sync_us:
            return 0
        return int(self.slow_sync_us * max(0.0, self._slow_chance.random() * 1.25 - 0.25))

    def _sync(
        self,
        life: int,
        log_dir: LogDir,
        partition: TopicPartition,
        group: Group,
        done: int = 0,
    ) -> None:
        """The data reaches the platter now; the node hears of it later.

        A slow disk takes one file after the other, and the names last: much may happen in between.
        """
        if life != self.life:
            return
        error: str | None = None
        files = list(group.files)
        try:
            if self.slow_sync_us and done < len(files):
                log_dir.disk.sync(files[done : done + 1], None)
                self._events.after(
                    self._slow_us(), self._sync, life, log_dir, partition, group, done + 1
                )
                return
            log_dir.disk.sync(files[done:], group.directory)
        except OSError as refusal:
            error = f"{refusal.strerror} ({partition})"
            self.seen.add("sync refused")
        delay_us = int(self._disk_chance.random() * 1000)
        self._events.after(delay_us, self._synced, life, log_dir, partition, group, error)

    def _synced(
        self,
        life: int,
        log_dir: LogDir,
        partition: TopicPartition,
        group: Group,
        error: str | None,
    ) -> None:
        if life != self.life:
            return
        if self.holds(lambda: self._synced(life, log_dir, partition, group, error)):
            return
        log_dir.running.discard(partition)
        if error is not None:
            log_dir.noted_boot = (
                None  # the page cache is not to be believed, not by the next either
            )
        if error is None and self._lives_in(partition, log_dir.number):
            self._history.mark(
                FlushMark(
                    self._events.now_us,
                    self.number,
                    topic=partition.topic,
                    topic_id=group.topic_id,
                    partition=partition.partition,
                    end_offset=group.end_offset,
                )
            )
        if self._step(Flushed(partition, group.end_offset, error, log_dir.number), None):
            self._look_whether_ready()
            self._end_turn()
            self._look_whether_idle()

    def _lives_in(self, partition: TopicPartition, log_dir: int) -> bool:
        """Whether what is flushed there is the partition's own, and not a copy of it on its way; where a
        sync has failed, one that did not says nothing: the node does not listen any more."""
        nobodys = (METADATA_PARTITION.topic, COMPACTION.topic, STRAYS)
        if partition.topic in nobodys or self.node is None:
            return False
        hosted = self.node.replicas.topic(partition.topic)
        if hosted is None or partition.partition >= len(hosted.leaders):
            return True
        leader = hosted.leaders[partition.partition]
        return not isinstance(leader, Leader) or (
            leader.log_dir == log_dir and leader.error is not ErrorCode.KAFKA_STORAGE_ERROR
        )

    def leader_of(self, partition: TopicPartition) -> Leader | None:
        """Where there is a process that has opened the partition's log."""
        hosted = None if self.node is None else self.node.replicas.topic(partition.topic)
        if hosted is None or partition.partition >= len(hosted.leaders):
            return None
        leader = hosted.leaders[partition.partition]
        return leader if isinstance(leader, Leader) else None

    def _write_whole(self, life: int, log_dir: LogDir, path: str, data: bytes, turn: int) -> None:
        if life != self.life:
            return
        if self.holds(lambda: self._write_whole(life, log_dir, path, data, turn)):
            return
        disk = log_dir.disk
        log_dir.running.discard(path)
        try:
            if disk.whole_turns.get(path, 0) == turn:  # else the node wrote it meanwhile
                disk.write_whole_durably(path, data)
            log_dir.unwritten.pop(path, None)
        except ProcessEnds:
            self._end_in_a_call()
            return
        except OSError:
            self.seen.add("checkpoint refused")
            log_dir.unwritten[path] = data
            self._events.after(_UNWRITTEN_PAUSE_US, self._write_again, life)
        self._end_turn()
        self._look_whether_idle()

    def _write_again(self, life: int) -> None:
        """What could not be written is tried with whatever is newer."""
        if life == self.life and not self.holds(lambda: self._write_again(life)):
            for one in self.dirs:
                for path, data in one.unwritten.items():
                    one.wholes.setdefault(path, data)
                one.unwritten.clear()
            self._end_turn()

    def _look_whether_idle(self) -> None:
        is_idle = all(one.is_idle for one in self.dirs)
        if self.state is State.STOPPING and is_idle and self._after_flushes is not None:
            then, self._after_flushes = self._after_flushes, None
            then()

    def _look_whether_ready(self) -> None:
        if self.state is State.STARTING and self.node is not None and self.node.is_ready:
            self.state = State.UP
            if self.node.is_examined:
                for one in self._open_dirs():
                    one.noted_boot = self._boot
            self._trace("ready", "")
            self._mark_life(Life.STARTED)

    def _mark_life(self, life: Life) -> None:
        now_us = self._events.now_us
        self._history.mark(LifeMark(now_us, self.number, life, uncertain_disk=self.uncertain_disk))

    def _trace(self, what: str, note: str) -> None:
        self._events.trace(f"node {self.number} {what} {note}")


def _name(log_dir: LogDir) -> str:
    return log_dir.shutdown.name if log_dir.is_open else "-"


@final
class Seen:
    """What a world came across, counted: for knowing what a campaign has exercised."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def request(self, api_key: int) -> None:
        self.add(f"api {api_key}")
