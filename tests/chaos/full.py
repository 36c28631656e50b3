"""A disk that fills up and gets room again: writes are refused, reads go on, and it ends by itself.

Half of the rounds kill the broker while the disk is full, and start it when there is room again.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

from node import Node, NotStarted, Outcome, loaded, say, stop_and_verify

ROUNDS = 4
SMALL_MIB = 12
STEP_MIB = 6
NOTHING_BYTES = 64 * 1024
RESUME_SECONDS_MAX = 10.0


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("disk full")
    mounted = work / "disk"
    mounted.mkdir()
    size_mib = SMALL_MIB
    _call("mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(mounted))
    node = Node(mounted / "data", work, {"log.segment.bytes": "1048576"})
    resumed: list[float] = []
    try:
        with loaded(node, work, 3000) as load:
            for number in range(1, rounds + 1):
                if not _fills_up(mounted):
                    outcome.problems.append(f"round {number}: the disk did not fill up")
                    break
                outcome.faults += 1
                time.sleep(1)
                if "append failed" not in node.said():
                    outcome.problems.append(f"round {number}: nobody said that it is full")
                load.judge(outcome, f"round {number}, full")
                if not node.is_alive:
                    outcome.problems.append(f"round {number}: the broker has ended")
                    break
                killed = number % 2 == 0
                if killed:
                    node.kill()
                    _starts_full(node, outcome)
                size_mib += STEP_MIB
                _call("mount", "-o", f"remount,size={size_mib}m", str(mounted))
                if killed and not node.is_alive:
                    node.start()
                took = load.wait_for_progress(60)
                if took is None:
                    outcome.problems.append(f"round {number}: no progress within 60 s of room")
                    break
                resumed.append(took)
                say(f"  full {number}: {outcome.acknowledged} acknowledged, back in {took:.1f} s")
            _call("mount", "-o", "remount,size=400m", str(mounted))
            load.finish(outcome)
            outcome.scan_log(node)
            stop_and_verify(node, outcome)
        if resumed:
            outcome.figures.append(f"writes again {max(resumed):.1f} s after room at most")
            if max(resumed) > RESUME_SECONDS_MAX:
                outcome.problems.append(f"writes took {max(resumed):.1f} s to come back")
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=False, capture_output=True)
    return outcome


def _fills_up(mounted: Path) -> bool:
    began = time.monotonic()
    while time.monotonic() - began < 90:
        if shutil.disk_usage(mounted).free < NOTHING_BYTES:
            return True
        time.sleep(0.1)
    return False


def _starts_full(node: Node, outcome: Outcome) -> None:
    """On a full disk it starts, or says in one sentence why not."""
    try:
        node.start()
        outcome.figures.append("starts on a full disk")
    except NotStarted as error:
        if "No space left" not in str(error) or "Traceback" in str(error):
            outcome.problems.append(f"start on a full disk: {error}")


def missing() -> str:
    return "" if os.geteuid() == 0 else "needs root, to mount"


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
