"""Many worlds, one world, or the smallest world that fails (`ottla.sim`).

    python tools/sim.py [--seeds 2000] [--first 0]    a campaign on all cores; 1 if a promise broke
    python tools/sim.py --seed 54                     one seed: its whole timeline and its trace hash
    python tools/sim.py --shrink 54                   fewer faults and asks that break the same promise
    python tools/sim.py --script FILE                 a script, as `--seed`; with --shrink FILE, smaller

`--from-ms` leaves out what happened before in a timeline; `--log` shows what the node logs; `--hash`
prints the hash alone. Worlds read no clock: what is measured here is measured outside of them.
"""

import argparse
import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ottla.sim.draw import draw_plan
from ottla.sim.plan import Plan
from ottla.sim.script import format_outcome, format_plan, parse_plan
from ottla.sim.shrink import shrunk
from ottla.sim.timeline import Timeline
from ottla.sim.trial import Trial, try_plan

_CHUNK: Final = 25  # worlds between two collections of garbage
_SHOWN_MAX: Final = 10
_LAST_LINES: Final = 40
_SHRINK_S: Final = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description="the deterministic simulator")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--script", type=Path)
    parser.add_argument("--shrink", nargs="?", const="", metavar="SEED or FILE")
    parser.add_argument("--from-ms", type=float, default=0.0)
    parser.add_argument("--log", action="store_true", help="what the node logs, too")
    parser.add_argument("--hash", action="store_true", help="print the trace hash alone")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, format="           - log          %(message)s")
    if not options.log:
        logging.disable(logging.CRITICAL)
    if options.shrink is not None:
        return shrink(_plan_of(options.shrink or options.script or options.seed))
    if options.seed is not None or options.script is not None:
        plan = _plan_of(options.script or options.seed)
        return show(plan, from_ms=options.from_ms, only_hash=options.hash)
    return campaign(options.first, options.seeds, options.jobs)


def _plan_of(what: str | int | Path) -> Plan:
    text = str(what)
    return draw_plan(int(text)) if text.isdigit() else parse_plan(Path(text).read_text())


def show(plan: Plan, *, from_ms: float, only_hash: bool) -> int:
    timeline = Timeline()
    trial = try_plan(plan, timeline)
    if only_hash:
        print(trial.trace_hash)
        return 0
    print(format_plan(plan))
    for line in timeline.lines(trial.history):
        head = line[:10].strip()
        if not head.replace(".", "").isdigit() or float(head) >= from_ms:
            print(line)
    print(f"\n{format_outcome(trial.problems)}trace {trial.trace_hash}, {trial.event_count} events")
    return 1 if trial.problems else 0


def shrink(plan: Plan) -> int:
    """Print the smaller script. What counts as the same failure: the first promise that broke."""
    trial = try_plan(plan)
    if not trial.problems:
        print("every promise is kept; there is nothing to shrink", file=sys.stderr)
        return 1
    promise = trial.promises[0]
    runs = 0
    ends_s = time.monotonic() + _SHRINK_S

    def fails(smaller: Plan) -> bool:
        nonlocal runs
        if time.monotonic() > ends_s:
            return False
        runs += 1
        return promise in try_plan(smaller).promises

    small = shrunk(plan, fails)
    spent_s = _SHRINK_S - (ends_s - time.monotonic())
    print(
        f"# faults {len(plan.faults)} -> {len(small.faults)}, asks {len(plan.asks)} -> "
        f"{len(small.asks)}, in {runs} runs and {spent_s:.0f} s"
    )
    print(f"{format_plan(small)}----\n{format_outcome(try_plan(small).problems)}", end="")
    return 0


def campaign(first: int, count: int, jobs: int) -> int:
    started_s = time.monotonic()
    chunks = [
        range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)
    ]
    seen: Counter[str] = Counter()
    events = done = 0
    cpu_s = 0.0
    failed: list[tuple[int, tuple[str, ...]]] = []
    for bad, chunk_seen, chunk_events, chunk_s in _all_chunks(chunks, jobs):
        failed += bad
        for seed, problems in bad:
            print(f"seed {seed}: {problems[0]}" + _and_more(problems), flush=True)
        seen.update(chunk_seen)
        events += chunk_events
        cpu_s += chunk_s
        done += _CHUNK
        if done % 20_000 == 0:
            print(f"  {done:,} seeds, {time.monotonic() - started_s:.0f} s", flush=True)
    spent_s = time.monotonic() - started_s
    print(
        f"{count:,} seeds from {first}, {len(failed)} broke a promise; {spent_s:.0f} s, "
        f"{count / spent_s:.0f} seeds/s, {1000 * cpu_s / count:.0f} ms CPU and "
        f"{events // count:,} events each"
    )
    print("  " + ", ".join(f"{what} {times:,}" for what, times in sorted(seen.items())))
    if failed:
        seed = min(failed)[0]
        print(f"\nthe first: make sim SEED={seed}; make sim-shrink SEED={seed}. Its end:")
        timeline = Timeline()
        trial = try_plan(draw_plan(seed), timeline)
        print("\n".join(timeline.lines(trial.history)[-_LAST_LINES:]))
    return 1 if failed else 0


def _and_more(problems: tuple[str, ...]) -> str:
    return f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""


Outcome = tuple[list[tuple[int, tuple[str, ...]]], Counter[str], int, float]


def _all_chunks(chunks: list[range], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(_run_chunk, chunks)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_run_chunk, chunks)


def _run_chunk(seeds: range) -> Outcome:
    # Nothing that a world makes is worth looking for before it has ended.
    gc.disable()
    started_s = time.process_time()
    bad = []
    seen: Counter[str] = Counter()
    events = 0
    for seed in seeds:
        trial: Trial = try_plan(draw_plan(seed))
        events += trial.event_count
        seen.update(trial.seen)
        if trial.problems:
            bad.append((seed, trial.problems[:_SHOWN_MAX]))
    gc.collect()
    return bad, seen, events, time.process_time() - started_s


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head`
    sys.exit(main())
