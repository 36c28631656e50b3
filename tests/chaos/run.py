"""Real processes under real faults: `make chaos`.

    tests/chaos/run.py [--only kill,flip] [--rounds N] [--seed N]

Third-party clients carry the load, and one set of checks judges all scenarios: nothing acknowledged
is lost, nothing of an idempotent producer comes twice, no changed byte is served. The broker's log
must be free of tracebacks. Exit code 1 when anything is not so; what can't run on this machine says
why. Whatever happens, processes end and file systems are unmounted.
"""

from __future__ import annotations

import argparse
import importlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "compat")]

from node import Outcome  # noqa: E402

sys.path.insert(0, str(HERE))  # `groups` is the one here: what was imported has put others in front

SCENARIOS: Final = ("kill", "pause", "power", "full", "refuse", "flip", "descriptors", "groups")
COLUMNS: Final = "{:<13} {:>6} {:>9} {:>9} {:>5} {:>5} {:>8} {:>7} {:>7}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(description="real faults, real clients")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, with commas")
    parser.add_argument("--rounds", type=int, default=0, help="of each scenario (else its own)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    print(f"seed {options.seed}", file=sys.stderr)
    outcomes = []
    for name in names:
        began = time.monotonic()
        outcome = run(name, options.seed, options.rounds)
        outcome.figures.append(f"{time.monotonic() - began:.0f} s")
        outcomes.append(outcome)
        if len(outcomes) == 1:
            show_header()
        show(outcome)
    return 0 if all(outcome.good for outcome in outcomes) else 1


def run(name: str, seed: int, rounds: int) -> Outcome:
    scenario = importlib.import_module(name)
    why_not = scenario.missing() if hasattr(scenario, "missing") else ""
    if why_not:
        return Outcome(name, skipped=why_not)
    work = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-"))
    print(f"{name}: working in {work}", file=sys.stderr)
    chance = random.Random(f"{seed}/{name}")
    try:
        outcome: Outcome = scenario.run(work, chance, rounds or scenario.ROUNDS)
    except Exception as error:  # noqa: BLE001 - a scenario that breaks is a red row, not the end
        traceback.print_exc()
        outcome = Outcome(name, problems=[f"{type(error).__name__}: {error}"])
    if outcome.good:
        shutil.rmtree(work, ignore_errors=True)
    else:
        outcome.figures.append(f"see {work}")
    return outcome


def show_header() -> None:
    print(
        COLUMNS.format(
            "scenario",
            "faults",
            "acked",
            "read",
            "lost",
            "twice",
            "disorder",
            "corrupt",
            "verdict",
            "figures",
        )
    )


def show(outcome: Outcome) -> None:
    verdict = "skipped" if outcome.skipped else "good" if outcome.good else "BAD"
    print(
        COLUMNS.format(
            outcome.scenario,
            outcome.faults,
            outcome.acknowledged,
            outcome.read,
            outcome.lost,
            outcome.twice,
            outcome.disorder,
            outcome.corrupt,
            verdict,
            outcome.skipped or "; ".join(outcome.figures),
        ),
        flush=True,
    )
    for problem in outcome.problems[:10]:
        print(f"    {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
