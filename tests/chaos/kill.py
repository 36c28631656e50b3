"""`kill -9` under load, restart, again and again. A killed process keeps its page cache."""

from __future__ import annotations

import random
import time
from pathlib import Path

from node import Node, Outcome, loaded, say, stop_and_verify

ROUNDS = 50
LIVES_SECONDS = (0.4, 1.6)


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("kill -9")
    node = Node(work / "data", work)
    backs: list[float] = []
    with loaded(node, work, 400) as load:
        for number in range(1, rounds + 1):
            time.sleep(chance.uniform(*LIVES_SECONDS))
            node.kill()
            backs.append(node.start())
            outcome.faults += 1
            if load.wait_for_progress(60) is None:
                outcome.problems.append(f"round {number}: no progress within 60 s")
                break
            if number % 5 == 0:
                load.judge(outcome, f"round {number}")
                say(f"  kill {number}: {outcome.acknowledged} acknowledged, {outcome.lost} lost")
        load.finish(outcome)
        outcome.scan_log(node)
        stop_and_verify(node, outcome)
    outcome.figures.append(f"back in {max(backs):.2f} s at most")
    return outcome
