"""A world: one queue of events, the nodes, their disks, the network, the clients, and what happens to
them, all from one plan.

It runs in two phases. Until `heal_us` the plan's asks and faults take place. Then every fault ends,
the node is started anew, and the world has to come to rest: every client's operation ends, every
topic can be read from its start to its end, and the node stops cleanly when told to. What doesn't
come to rest is a violation by itself.

Promises: the same plan gives the same events, byte for byte, whatever PYTHONHASHSEED is. Nothing here
reads a clock or a file. Elsewhere: who judges what was seen, `checker`; many worlds, `tools/sim.py`.
"""

import traceback
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final, final

from ottla.broker.node import Node
from ottla.core.metadata.quota import QuotaEntity
from ottla.errors import ErrorCode
from ottla.settings.broker import broker_settings
from ottla.settings.definition import Source
from ottla.settings.environment import topics_of
from ottla.settings.parse import Resolved
from ottla.sim.caller.administrator import Administrator
from ottla.sim.caller.bygone import leave_metadata
from ottla.sim.caller.client import Client, Party
from ottla.sim.caller.consumer import END, MAX_TIMESTAMP, START, Consumer
from ottla.sim.caller.member import Member
from ottla.sim.caller.own_consumer import OwnConsumer
from ottla.sim.caller.own_producer import OwnProducer
from ottla.sim.caller.producer import Producer
from ottla.sim.caller.stranger import Stranger
from ottla.sim.checker.places import disagreeing, misplaced
from ottla.sim.checker.scrubbed import scrubbed
from ottla.sim.clock import Events
from ottla.sim.history import (
    ConnectionEnd,
    FaultMark,
    History,
    LookUp,
    Outcome,
    PlacesSeen,
    Read,
)
from ottla.sim.nemesis import Nemesis
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import Ask, Blow, ClientPlan, Fault, Plan, Role
from ottla.sim.process import Inspect, Process, State
from ottla.sim.quota_operation import QuotasSeen
from ottla.sim.reading import Reader
from ottla.sim.timeline import Timeline
from ottla.types import TopicPartition

_REST_US_MAX: Final = 60_000_000
_EVENTS_MAX: Final = 200_000
_POLL_US: Final = 50_000
_PATIENCE_US: Final = 2_000_000
_READ_AGAIN_MAX: Final = 1_000
_READ_DAMAGED_MAX: Final = 60  # the end may be one of records that are gone
_ALL_BYTES: Final = 50_000_000
_SCRUBBED: Final = 0.3  # of the worlds in which nothing was damaged

_LAST_LOOK: Final = ClientPlan(number=90, role=Role.ADMINISTRATOR, latency_us=50)
_LAST_READER: Final = ClientPlan(number=91, role=Role.CONSUMER, latency_us=50)


def no_inspection(
    node: Node, connections: Collection[int], damaged: Collection[TopicPartition]
) -> list[str]:
    """For a world that is only to run."""
    return []


@final
class World:
    """`timeline`: where every change is written down, for reading; it changes nothing."""

    def __init__(
        self, plan: Plan, inspect: Inspect = no_inspection, timeline: Timeline | None = None
    ) -> None:
        self.plan = plan
        self.events = Events(plan.seed)
        settings = dict(plan.settings)
        given = {
            key: Resolved(text, Source.STATIC_BROKER, "plan") for key, text in settings.items()
        }
        flush_on_ack = settings.get("ottla.flush") == "ack"
        self.history = History(plan.seed, flush_on_ack=flush_on_ack)
        kept_minutes = settings.get("offsets.retention.minutes")
        if kept_minutes is not None:
            self.history.offsets_kept_ms = int(kept_minutes) * 60_000
        quotas = broker_settings(given).quotas
        self.history.quota_window_ms = quotas.window_ms
        # Use is forgotten when a window was last used so long ago, and it may have begun one earlier.
        self.history.quota_span_ms = (quotas.windows + 1) * quotas.window_ms
        self.history.mutation_span_ms = quotas.mutation_windows * quotas.mutation_window_ms
        self.history.members_max = int(settings.get("group.max.size", 1_000))
        self.history.groups_vanish = "offsets.retention.check.interval.ms" in settings
        self.processes = [
            Process(
                0,
                self.events,
                self.history,
                broker_settings(given),
                given,
                inspect,
                topics_wanted=topics_of({"KAFKA_CREATE_TOPICS": plan.wanted}),
                recover_twice=plan.recover_twice,
                timeline=timeline,
            )
        ]
        for process in self.processes:
            roots = [disk.root for disk in process.disks]
            leave_metadata(plan.seed, roots[0], roots[process.first_kept], process.now_ms())
        self.wires: dict[int, Wire] = {}
        self.clients: dict[int, Client | OwnConsumer] = {}
        self._reader = Reader()
        self._connections = 0
        self._ended_connections: list[Connection] = []
        self._open: dict[int, Connection] = {}
        self._askers: dict[int, Callable[[Ask], None]] = {}
        for client in plan.clients:
            self._add_client(client)
        self.nemesis = Nemesis(
            self.events, self.history, self.processes, self.wires, self._connection_of
        )
        self._scrubs = self.events.chance("scrub").random() < _SCRUBBED
        self.is_over = False

    def run(self) -> History:
        """To the end. What went wrong on the way is in `History.broken`."""
        plan, events = self.plan, self.events
        events.at(0, self.processes[0].start)
        for ask in plan.asks:
            events.at(ask.at_us, self._ask, ask)
        for fault in plan.faults:
            events.at(fault.at_us, self._strike, fault)
        events.at(plan.heal_us, self._heal)
        with _Breakage(self.history):
            limit_us = plan.heal_us + _REST_US_MAX
            while not self.is_over and not self.history.broken:
                next_us = events.next_us()
                if next_us is None or next_us > limit_us or events.count > _EVENTS_MAX:
                    self.history.broken.append(f"no rest: {self._what_goes_on()}")
                    break
                events.run_next()
            self._note_unanswered()
        for client in self.clients.values():
            if isinstance(client, OwnConsumer):
                client.end()
        return self.history

    # Clients

    def _add_client(self, plan: ClientPlan) -> None:
        events, history = self.events, self.history
        wire = Wire(events.chance(f"wire/{plan.number}"), plan.latency_us)
        self.wires[plan.number] = wire
        match plan.role:
            case Role.PRODUCER:
                producer = Producer(plan, events, wire, self._connect, history)
                self.clients[plan.number], self._askers[plan.number] = producer, producer.ask
            case Role.CONSUMER:
                consumer = Consumer(plan, events, wire, self._connect, history, self._reader)
                self.clients[plan.number], self._askers[plan.number] = consumer, consumer.ask
            case Role.ADMINISTRATOR:
                admin = Administrator(plan, events, wire, self._connect, history)
                self.clients[plan.number], self._askers[plan.number] = admin, admin.ask

            case Role.MEMBER:
                member = Member(plan, events, wire, self._connect, history)
                self.clients[plan.number], self._askers[plan.number] = member, member.ask
            case Role.OWN_PRODUCER:
                own = OwnProducer(plan, events, wire, self._connect, history)
                self.clients[plan.number], self._askers[plan.number] = own, own.ask
            case Role.OWN_CONSUMER:
                reading = OwnConsumer(plan, events, wire, self._connect, history, self._reader)
                self.clients[plan.number], self._askers[plan.number] = reading, reading.ask
            case Role.STRANGER:
                stranger = Stranger(plan, events, wire, self._connect, history)
                self.clients[plan.number], self._askers[plan.number] = stranger, stranger.ask

    def members(self) -> list[Member | OwnConsumer]:
        return [one for one in self.clients.values() if isinstance(one, Member | OwnConsumer)]

    def _connect(self, client: Party) -> Connection | None:
        process = self.processes[0]
        if not process.accepts() or client.wire.up_free_us > self.events.now_us:
            return None
        self._connections += 1
        connection = Connection(
            self.events,
            client.wire,
            client,
            process,
            self._connections,
            lazy=client.plan.lazy,
            ended=lambda ended, reason, by_node: self._ended(client, ended, reason, by_node),
        )
        self._open[connection.number] = connection
        process.accepted(connection)
        return connection

    def _ended(self, client: Party, connection: Connection, reason: str, by_node: bool) -> None:
        self._open.pop(connection.number, None)
        mark = ConnectionEnd(
            self.events.now_us, client.plan.number, by_node=by_node, reason=reason, unanswered=0
        )
        self.history.mark(mark)

    def _connection_of(self, number: int) -> Connection | None:
        client = self.clients.get(number)
        return None if client is None else client.connection

    def _ask(self, ask: Ask) -> None:
        asker = self._askers.get(ask.client)
        if asker is not None:
            asker(ask)

    def _strike(self, fault: Fault) -> None:
        if self.events.now_us < self.plan.heal_us:
            self.nemesis.strike(fault)

    # Coming to rest

    def _heal(self) -> None:
        self.nemesis.heal()
        for member in self.members():
            member.doubt()
        process = self.processes[0]
        match self.plan.heal:
            case Blow.STOP if process.state is State.UP:
                process.stop()
            case Blow.POWER:
                process.cut_power(self.plan.seed)
            case _:
                process.kill()
        self.nemesis.bring_back(process)
        self.events.after(_POLL_US, self._look_whether_at_rest)

    def _look_whether_at_rest(self) -> None:
        process = self.processes[0]
        asked = all(client.is_idle() for client in self.clients.values())
        if process.state is State.UP and asked:
            for member in self.members():
                member.retire()
            self._patient_until_us = self.events.now_us + _PATIENCE_US
            self._sweep = _Sweep(self, self._swept)
            self._sweep.begin()
        else:
            self.events.after(_POLL_US, self._look_whether_at_rest)

    def _swept(self) -> None:
        """Everything was read, and is where it belongs; left in peace, the node has to stop cleanly."""
        if self._unanswered() and self.events.now_us < self._patient_until_us:
            self.events.after(_POLL_US, self._swept)  # a fetch may wait for records yet
            return
        process = self.processes[0]
        process.inspect_now()
        if process.node is not None:
            self.history.broken += disagreeing(process.node)
        self._note_unanswered()
        process.stop()
        self._look_whether_stopped()

    def _look_whether_stopped(self) -> None:
        if self.processes[0].state is State.STOPPING:
            self.events.after(_POLL_US, self._look_whether_stopped)
            return
        process = self.processes[0]
        if self._scrubs or any(disk.damage() for disk in process.disks):
            for disk in process.disks:
                self.history.broken += scrubbed(disk, process.damaged)
        self.history.broken += misplaced(process.disks, self._sweep.places)
        self.is_over = True
        self.history.ended = True

    def _unanswered(self) -> list[int]:
        """Requests that wait for an answer, of each connection that has such."""
        if self.processes[0].state is not State.UP:
            return []
        counts = [connection.server.in_flight for connection in self._open.values()]
        return [count for count in counts if count]

    def _note_unanswered(self) -> None:
        for unanswered in self._unanswered():
            reason = "the world ended"
            mark = ConnectionEnd(
                self.events.now_us, -1, by_node=False, reason=reason, unanswered=unanswered
            )
            self.history.mark(mark)

    def _what_goes_on(self) -> str:
        busy = [str(number) for number, client in self.clients.items() if not client.is_idle()]
        return (
            f"node {self.processes[0].state.name.lower()}, clients {' '.join(busy) or 'none'} "
            f"have unfinished operations, {self.events.count} events"
        )

    def last_clients(self) -> tuple[Administrator, Consumer]:
        """Who looks at everything once the world is at rest."""
        events, history = self.events, self.history
        for plan in (_LAST_LOOK, _LAST_READER):
            wire = Wire(events.chance(f"wire/{plan.number}"), plan.latency_us)
            self.wires[plan.number] = wire
        look = Administrator(_LAST_LOOK, events, self.wires[90], self._connect, history)
        look.final = True
        read = Consumer(
            _LAST_READER, events, self.wires[91], self._connect, history, self._reader, final=True
        )
        return look, read


@final
class _Sweep:
    """The last look at everything: topics, their settings, every record, offsets by time, and in
    which directories they are."""

    def __init__(self, world: World, then: Callable[[], None]) -> None:
        self.places: dict[tuple[str, int], list[str]] = {}
        self._world = world
        self._then = then
        self._look, self._read = world.last_clients()
        self._left: list[tuple[str, int]] = []
        self._ends: dict[tuple[str, int], int] = {}
        self._again = 0
        self._pending = 0
        self._chance = world.events.chance("sweep")

    def begin(self) -> None:
        """Groups first: nobody beats any more, so sessions will end."""
        by_group: dict[str, list[str]] = {}
        for member in self._world.members():
            if member.plan.group:
                live = by_group.setdefault(member.plan.group, [])
                if member.is_in:
                    live.append(member.member_id)
        if not by_group:
            self._look_at_quotas()
            return
        for group, members in by_group.items():
            self._pending += 2
            self._look.steward.see(group, tuple(members), final=True, then=self._group_seen)
            self._look.steward.see_positions(group, self._group_seen)

    def _group_seen(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._look_at_quotas()

    def _look_at_quotas(self) -> None:
        """They are as they should be, and go: who reads everything must not have to wait."""
        self._look.quartermaster.see(self._quotas_seen, final=True)

    def _quotas_seen(self, op: QuotasSeen) -> None:
        if op.outcome is not Outcome.OK:
            self._fail(f"quotas can't be described: error {op.error}")
        rows: list[tuple[QuotaEntity, dict[str, float | None]]] = [
            (entity, dict.fromkeys(values)) for entity, values in op.quotas.items()
        ]
        if rows:
            self._look.quartermaster.alter(rows, final=True, then=self._list)
        else:
            self._list()

    def _list(self) -> None:
        self._look.list_topics(self._listed)

    def _listed(self) -> None:
        topics = self._look.topics
        self._read.topics = dict(topics)
        if not topics:
            self._look_for_places()
            return
        for name in topics:
            self._pending += 1
            self._look.see_configs(name, self._one_is_done)
            for partition in range(topics[name].partitions):
                for asked in (START, END):
                    self._look_up(name, partition, asked)

    def _look_up(self, name: str, partition: int, asked_ms: int) -> None:
        self._pending += 1
        known = self._look.topics[name]
        self._read.look_up(name, known, partition, asked_ms, self._looked_up)

    def _looked_up(self, op: LookUp) -> None:
        if self._is_damage(op.error, op.topic, op.partition):
            pass
        elif op.outcome is not Outcome.OK:
            self._fail(f"{op.topic}-{op.partition} can't be looked up: error {op.error}")
        elif op.asked_ms == START:
            self._read.positions[op.topic_id, op.partition] = op.offset
        elif op.asked_ms == END:
            self._ends[op.topic, op.partition] = op.offset
        self._one_is_done()

    def _one_is_done(self) -> None:
        self._pending -= 1
        if self._pending == 0:
            self._read_on()

    def _read_on(self) -> None:
        topics = self._look.topics
        behind = {
            name: topics[name]
            for (name, partition), end in sorted(self._ends.items())
            if not self._again
            or self._read.positions.get((topics[name].topic_id, partition), 0) < end
            if self._again < _READ_DAMAGED_MAX or not self._is_struck(name, partition)
        }
        if behind and self._again < _READ_AGAIN_MAX:
            self._again += 1
            self._read.fetch(behind, wait_ms=0, size_bytes=_ALL_BYTES, then=self._was_read)
            return
        for name in behind:
            self._fail(f"{name} can't be read to its end")
        self._look_for_places()

    def _look_for_places(self) -> None:
        self._look.mover.see_places(self._placed, final=True)

    def _placed(self, seen: PlacesSeen) -> None:
        """What is still on its way arrives."""
        if seen.coming:
            self._world.events.after(_POLL_US, self._look_for_places)
            return
        self.places = seen.places
        self._then()

    def _was_read(self, reads: list[Read]) -> None:
        for read in reads:
            if read.error == ErrorCode.OFFSET_OUT_OF_RANGE:
                continue  # retention was quicker; the reader looks up the start again
            if self._is_damage(read.error, read.topic, read.partition):
                continue  # the reader goes on behind it
            if read.outcome is not Outcome.OK:
                self._fail(f"{read.topic}-{read.partition} can't be read: error {read.error}")
                continue
            place = read.topic, read.partition
            # What nobody waited for may get to the disk, and so in front of readers, only now.
            self._ends[place] = max(self._ends.get(place, 0), read.high_watermark)
            records = [record for batch in read.batches for record in batch.records]
            asked = {MAX_TIMESTAMP} if records else set()
            for _ in range(min(2, len(records))):
                asked.add(self._chance.choice(records).timestamp_ms + self._chance.randrange(2))
            for asked_ms in sorted(asked):
                self._look_up(read.topic, read.partition, asked_ms)
        if not self._pending:
            self._read_on()

    def _is_damage(self, error: int, topic: str, partition: int) -> bool:
        """Whether the answer is the one of a partition that was struck."""
        is_refusal = error in (ErrorCode.CORRUPT_MESSAGE, ErrorCode.KAFKA_STORAGE_ERROR)
        return is_refusal and self._is_struck(topic, partition)

    def _is_struck(self, topic: str, partition: int) -> bool:
        return any(
            isinstance(mark, FaultMark) and mark.partition == (topic, partition)
            for mark in self._world.history.marks
        )

    def _fail(self, what: str) -> None:
        self._world.history.broken.append(f"after the healing, {what}")


@final
class _Breakage:
    """Whatever the node or the world itself raises ends the world and is what is wrong with it."""

    def __init__(self, history: History) -> None:
        self._history = history

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        frames = traceback.extract_tb(trace)[-3:]
        where = " < ".join(
            f"{frame.filename.rpartition('/ottla/')[2]}:{frame.lineno}"
            for frame in reversed(frames)
        )
        self._history.broken.append(f"{type(error).__name__}: {error} at {where}")
        return True
