"""Which faults strike a world, and how each does.

A quarter of all seeds are left in peace. The others draw a few packages of faults that go together
in practice; all of them end at `Plan.heal_us`, after which the world has to come to rest.

Elsewhere: what a fault means to bytes, `disk.py` and `network.py`; to a process, `process.py`.
"""

from collections.abc import Callable
from random import Random
from typing import Final, assert_never, final

from ottla.sim.clock import Events
from ottla.sim.history import FaultMark, History
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import Blow, ClientPlan, Fault
from ottla.sim.process import Process, State

_POLL_US: Final = 50_000

_PACKAGES: Final[tuple[tuple[tuple[Blow, ...], float], ...]] = (
    ((Blow.KILL, Blow.KILL_AT), 0.35),
    ((Blow.POWER, Blow.POWER_AT), 0.4),
    ((Blow.STOP,), 0.15),
    ((Blow.FULL,), 0.15),
    ((Blow.WRITE_ERROR, Blow.RENAME_ERROR), 0.2),
    ((Blow.SYNC_ERROR,), 0.12),
    ((Blow.SLOW_SYNC,), 0.15),
    ((Blow.RESET,), 0.3),
    ((Blow.MUTE_UP, Blow.MUTE_DOWN), 0.25),
    ((Blow.CUT, Blow.CLOG), 0.25),
    ((Blow.CLOCK,), 0.08),
)


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
        case Blow.KILL | Blow.POWER | Blow.STOP:
            lasts_us = chance.choice((1_000, 50_000, 600_000))
        case Blow.KILL_AT | Blow.POWER_AT:
            count = chance.choice((1, 2, 5, 15, 60))
        case Blow.FULL:
            count = chance.choice((0, 100, 2_000))
            lasts_us = chance.choice((50_000, 500_000, 2_000_000))
        case Blow.WRITE_ERROR | Blow.RENAME_ERROR | Blow.SYNC_ERROR:
            count = chance.choice((1, 1, 2, 10))
            lasts_us = 2_000_000
        case Blow.SLOW_SYNC:
            count = chance.choice((20, 200, 800))
            lasts_us = chance.choice((500_000, 2_000_000))
        case Blow.RESET | Blow.MUTE_UP | Blow.MUTE_DOWN:
            client = chance.choice(clients).number
        case Blow.CUT | Blow.CLOG:
            client = chance.choice(clients).number
            lasts_us = chance.choice((100_000, 1_000_000, 4_000_000))
        case Blow.CLOCK:
            count = chance.choice((100, 5_000))
        case Blow.FLIP:
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
        self._history.mark(
            FaultMark(self._events.now_us, fault.node, fault.blow.value, f"{fault.count}", None)
        )
        self._events.trace(f"fault {fault.blow.value}")
        if fault.client >= 0:
            self._strike_wire(fault)
        else:
            self._strike_node(fault, self._processes[fault.node])

    def heal(self) -> None:
        """Everything works from now on."""
        for process in self._processes:
            process.disk.mend()
            process.slow_sync_us = 0
        for wire in self._wires.values():
            wire.up_free_us = wire.down_free_us = 0

    def bring_back(self, process: Process) -> None:
        """Start it as soon as it has ended."""
        if process.state is State.DOWN:
            process.start()
        elif process.state is State.STOPPING:
            self._events.after(_POLL_US, self.bring_back, process)

    def _strike_node(self, fault: Fault, process: Process) -> None:
        disk = process.disk
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
            case Blow.SLOW_SYNC:
                process.slow_sync_us = fault.count * 1000
            case Blow.CLOCK:
                process.put_clock_ahead(fault.count)
            case Blow.FLIP:
                self._flip(fault, process)
            case Blow.RESET | Blow.MUTE_UP | Blow.MUTE_DOWN | Blow.CUT | Blow.CLOG:
                pass  # names no client, so it meets nobody
            case _:
                assert_never(fault.blow)
        if fault.blow in (Blow.KILL, Blow.POWER, Blow.STOP):
            self._events.after(fault.lasts_us, self.bring_back, process)
        elif fault.lasts_us:
            self._events.after(fault.lasts_us, self._relieve, fault, process)

    def _relieve(self, fault: Fault, process: Process) -> None:
        disk = process.disk
        if fault.blow is Blow.FULL:
            disk.full_bytes = None
        elif fault.blow is Blow.WRITE_ERROR:
            disk.refuse_writes = 0
        elif fault.blow is Blow.SYNC_ERROR:
            disk.refuse_syncs = 0
        elif fault.blow is Blow.RENAME_ERROR:
            disk.refuse_renames = 0
        elif fault.blow is Blow.SLOW_SYNC:
            process.slow_sync_us = 0

    def _flip(self, fault: Fault, process: Process) -> None:
        """In a file that can be made again from the log: an index."""
        paths = [
            path for path, _ in process.disk.inodes() if path.endswith((".index", ".timeindex"))
        ]
        if paths:
            process.disk.flip(paths[fault.salt % len(paths)], fault.count)

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
