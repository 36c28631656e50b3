"""The same seed is the same world, byte for byte, in another process and under another hash seed."""

import os
import subprocess
import sys
from pathlib import Path

from ottla.sim.draw import draw_plan
from ottla.sim.timeline import Timeline
from ottla.sim.trial import try_plan

ROOT = Path(__file__).parents[3]
SEEDS = (7, 54, 165, 4)


def test_a_seed_gives_one_trace_under_every_hash_seed() -> None:
    code = (
        "import logging, sys; logging.disable(logging.CRITICAL)\n"
        "from ottla.sim.draw import draw_plan\n"
        "from ottla.sim.trial import try_plan\n"
        "for seed in sys.argv[1:]: print(try_plan(draw_plan(int(seed))).trace_hash)\n"
    )
    traces = set()
    for hash_seed in ("0", "4711"):
        ran = subprocess.run(
            [sys.executable, "-c", code, *map(str, SEEDS)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        traces.add(ran.stdout)
    (trace,) = traces
    assert len(set(trace.split())) == len(SEEDS)
    # Those processes ran the sources; this one may run machine code.
    assert trace.split() == [try_plan(draw_plan(seed)).trace_hash for seed in SEEDS]


def test_a_timeline_changes_nothing() -> None:
    timeline = Timeline()
    trial = try_plan(draw_plan(SEEDS[1]), timeline)
    assert trial.trace_hash == try_plan(draw_plan(SEEDS[1])).trace_hash
    lines = timeline.lines(trial.history)
    assert lines[0].split()[:3] == ["ms", "node", "event"]
    assert len(lines) > 50
