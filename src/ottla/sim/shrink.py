"""A failing plan made small: fewer faults, then fewer asks, clients and settings, while it still fails.

Delta debugging: leave out halves, then quarters, and so on down to single pieces, as long as what is
left breaks the same promise. A piece that is left out moves no other (`plan.py`), so most attempts
tell something. The result is a local minimum: no single piece of it can be left out.

Source: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (ddmin).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ottla.sim.plan import Fault, Plan

T = TypeVar("T")

Fails = Callable[[Plan], bool]


def shrunk(plan: Plan, fails: Fails) -> Plan:
    """The smallest plan that was found. `fails` may say False to everything to make an end."""
    plan = replace(plan, faults=reduced(plan.faults, lambda faults: fails(_with(plan, faults))))
    plan = _without_twice(plan, fails)
    plan = replace(plan, asks=reduced(plan.asks, lambda asks: fails(replace(plan, asks=asks))))
    # With fewer asks, a fault that was needed for its timing may not be any more.
    plan = replace(plan, faults=reduced(plan.faults, lambda faults: fails(_with(plan, faults))))
    asking = {ask.client for ask in plan.asks}
    used = tuple(client for client in plan.clients if client.number in asking)
    if used != plan.clients and fails(replace(plan, clients=used)):
        plan = replace(plan, clients=used)
    return replace(
        plan,
        settings=reduced(plan.settings, lambda settings: fails(replace(plan, settings=settings))),
    )


def reduced(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """A part of `items` that still fails and from which no single one can be left out."""
    kept = tuple(items)
    if kept and fails(()):
        return ()
    pieces = 2
    while len(kept) >= 2:
        size = max(1, len(kept) // pieces)
        for start in range(0, len(kept), size):
            without = kept[:start] + kept[start + size :]
            if without and fails(without):
                kept = without
                pieces = max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(kept), pieces * 2)
    return kept


def _with(plan: Plan, faults: tuple[Fault, ...]) -> Plan:
    return replace(plan, faults=faults)


def _without_twice(plan: Plan, fails: Fails) -> Plan:
    once = replace(plan, recover_twice=False)
    return once if plan.recover_twice and fails(once) else plan
