"""Too few file descriptors: many partitions, many connections, and a limit that is far below both."""

from __future__ import annotations

import random
import shutil
import socket
import time
from pathlib import Path

from judge import create_topic
from node import Node, Outcome, loaded, stop_and_verify

ROUNDS = 3
DESCRIPTORS_MAX = 96
CONNECTIONS = 150


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("descriptors")
    node = Node(work / "data", work, {"log.segment.bytes": "1048576", "ottla.flush": "ack"})
    node.descriptors_max = DESCRIPTORS_MAX
    with loaded(node, work, 300) as load:
        create_topic(node.bootstrap, name="many", partitions=100)
        for number in range(1, rounds + 1):
            crowd: list[socket.socket] = []
            for _ in range(CONNECTIONS):
                try:
                    crowd.append(socket.create_connection(("127.0.0.1", node.port), timeout=0.2))
                except OSError:
                    pass
            time.sleep(chance.uniform(1, 2))
            for one in crowd:
                one.close()
            outcome.faults += 1
            if load.wait_for_progress(60) is None:
                outcome.problems.append(f"round {number}: no progress within 60 s")
            load.judge(outcome, f"round {number}")
        load.finish(outcome)
        outcome.scan_log(node)
        if "log directory is offline" in node.said():
            outcome.problems.append("the log directory went offline for want of a descriptor")
        stop_and_verify(node, outcome)
    return outcome


def missing() -> str:
    return "" if shutil.which("prlimit") else "needs prlimit"
