"""SIGSTOP, then SIGCONT: clients time out and retry, and nothing may come twice."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from node import Node, Outcome, loaded, stop_and_verify

ROUNDS = 5
PAUSE_SECONDS = (0.5, 14.0)  # kafka-python gives a request 10 s


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("pause")
    node = Node(work / "data", work)
    with loaded(node, work, 400) as load:
        for number in range(1, rounds + 1):
            time.sleep(chance.uniform(0.3, 1.0))
            node.send(signal.SIGSTOP)
            time.sleep(chance.uniform(*PAUSE_SECONDS))
            node.send(signal.SIGCONT)
            outcome.faults += 1
            if load.wait_for_progress(60) is None:
                outcome.problems.append(f"round {number}: no progress within 60 s")
        load.finish(outcome)
        outcome.scan_log(node)
        stop_and_verify(node, outcome)
    return outcome
