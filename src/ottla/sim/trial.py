"""One plan, run and judged."""

from dataclasses import dataclass
from typing import final

from ottla.sim.checker.inside import check_all
from ottla.sim.checker.judge import judge
from ottla.sim.history import History
from ottla.sim.plan import Plan
from ottla.sim.timeline import Timeline
from ottla.sim.world import World


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`problems`: broken promises as text, in the order in which they showed. `promises`: whose."""

    plan: Plan
    history: History
    problems: tuple[str, ...]
    promises: tuple[str, ...]
    trace_hash: str
    event_count: int
    seen: dict[str, int]


def try_plan(plan: Plan, timeline: Timeline | None = None) -> Trial:
    world = World(plan, check_all, timeline)
    history = world.run()
    violations = judge(history)
    return Trial(
        plan=plan,
        history=history,
        problems=tuple(str(one) for one in violations),
        promises=tuple(one.promise for one in violations),
        trace_hash=world.events.trace_hash(),
        event_count=world.events.count,
        seen=world.processes[0].seen.counts,
    )
