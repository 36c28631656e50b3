"""Shrinking finds the few pieces that a failure needs, and scripts keep them."""

import pytest

from ottla import probe
from ottla.sim.draw import draw_plan
from ottla.sim.plan import Plan
from ottla.sim.script import MalformedScript, format_plan, parse_plan
from ottla.sim.shrink import reduced, shrunk
from ottla.sim.trial import try_plan

PLANTED = "D9-ack-before-flush"
RUNS_MAX = 200
FAULTS_MAX = 12


@pytest.mark.parametrize(
    "needed", [(), (3,), (0, 99), (17, 18, 60), tuple(range(0, 100, 9))], ids=str
)
def test_what_is_left_is_what_is_needed(needed: tuple[int, ...]) -> None:
    kept = reduced(range(100), lambda items: set(needed) <= set(items))
    assert kept == needed


def test_a_planted_mistake_shrinks_to_a_few_faults() -> None:
    probe.breed(PLANTED)
    try:
        plan = next(plan for plan in map(draw_plan, range(170, 500)) if _breaks(plan))
        runs = 0

        def fails(smaller: Plan) -> bool:
            nonlocal runs
            runs += 1
            return runs <= RUNS_MAX and _breaks(smaller)

        small = shrunk(plan, fails)
        assert _breaks(small)
        assert len(small.faults) <= FAULTS_MAX
        assert len(small.asks) < len(plan.asks)
    finally:
        probe.breed()
    assert not try_plan(small).problems  # it was the mistake, not the world


def _breaks(plan: Plan) -> bool:
    return "acknowledged is kept" in try_plan(plan).promises


@pytest.mark.parametrize("seed", [*range(20), 33, 67])  # two have a compacted topic
def test_a_script_says_all_of_a_plan(seed: int) -> None:
    plan = draw_plan(seed)
    assert parse_plan(format_plan(plan)) == plan


@pytest.mark.parametrize(
    "text",
    ["seed x", "at 5 fault thunder", "client 1 king", "sing", "at 1 fault kill loud=1"],
)
def test_a_malformed_script_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(MalformedScript, match="line 2"):
        parse_plan(f"# first\n{text}\n")
