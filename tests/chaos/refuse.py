"""System calls that fail: EIO and ENOSPC on write and on fsync, injected by strace.

A refused write costs that write: once they work again, so does everything. After a refused fsync the
log directory is offline: nothing is acknowledged, all partitions say KAFKA_STORAGE_ERROR, metadata
is still answered, one ERROR line names file and reason, the stop is not clean, and the next start
loses nothing that was acknowledged.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

from node import Load, Node, Outcome, loaded, say, stop_and_verify

WRITES = "pwrite64,pwritev,pwritev2"
SYNCS = "fdatasync"
ROUNDS = 2
OFFLINE = "log directory is offline"


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("EIO, ENOSPC")
    for number in range(rounds):
        for error in ("EIO", "ENOSPC"):
            for calls in (WRITES, SYNCS):
                place = work / f"{number}-{error}-{calls.partition(',')[0]}"
                place.mkdir()
                _one(place, chance, error, calls, outcome)
                say(f"  {error} on {calls}: {outcome.problems or 'good'}")
    return outcome


def _one(work: Path, chance: random.Random, error: str, calls: str, outcome: Outcome) -> None:
    node = Node(work / "data", work, {"ottla.flush": "ack", "log.segment.bytes": "1048576"})
    one = Outcome(f"{error} on {calls}")
    with loaded(node, work, 300) as load:
        time.sleep(chance.uniform(0.2, 1.0))
        if calls == WRITES:
            with _Injected(
                node, calls, error, f"{chance.randint(1, 20)}..{chance.randint(21, 200)}"
            ):
                time.sleep(4)
            if "append failed" not in node.said() and "can't be written" not in node.said():
                one.problems.append("no write was refused: the fault hit nothing")
        else:
            _sync_fails(node, load, one, error, chance)
        one.faults += 1
        took = load.wait_for_progress(60)
        if took is None:
            one.problems.append("no progress within 60 s")
        load.finish(one)
        one.scan_log(node)
        stop_and_verify(node, one)
    outcome.faults += one.faults
    outcome.acknowledged += one.acknowledged
    outcome.read += one.read
    outcome.lost += one.lost
    outcome.twice += one.twice
    outcome.disorder += one.disorder
    outcome.problems += [f"{one.scenario}: {text}" for text in one.problems]


def _sync_fails(node: Node, load: Load, one: Outcome, error: str, chance: random.Random) -> None:
    with _Injected(node, SYNCS, error, f"{chance.randint(1, 10)}"):
        began = time.monotonic()
        while OFFLINE not in node.said() and time.monotonic() - began < 20:
            time.sleep(0.05)
    lines = [line for line in node.said().splitlines() if " ERROR " in line]
    if len(lines) != 1 or OFFLINE not in lines[0] or str(node.data) not in lines[0]:
        one.problems.append(f"one ERROR line that names the file is expected: {lines[:3]}")
    time.sleep(1.5)  # the clients write down what they were told before
    before = load.counts()
    time.sleep(1.5)  # strace is gone: the disk works again, and must not be believed
    if load.counts() != before:
        one.problems.append("something was acknowledged after the failed fsync")
    if not node.is_alive:
        one.problems.append("the broker has ended")
        node.kill()
    else:
        _answers_metadata(node, one)
        code = node.stop()
        if code != 1:
            one.problems.append(f"exit code {code} of the stop; 1 is expected")
    if (node.data / ".kafka_cleanshutdown").exists():
        one.problems.append("the stop left the marker of a clean one")
    node.start()


def _answers_metadata(node: Node, one: Outcome) -> None:
    from confluent_kafka.admin import AdminClient

    try:
        topics = AdminClient({"bootstrap.servers": node.bootstrap}).list_topics(timeout=10).topics
    except Exception as error:  # noqa: BLE001 - a client's own exceptions are many
        one.problems.append(f"metadata is not answered: {error}")
        return
    if "chaos" not in topics:
        one.problems.append(f"metadata knows only {sorted(topics)}")


class _Injected:
    """strace attached to the broker, refusing some calls until the end of the block."""

    def __init__(self, node: Node, calls: str, error: str, when: str) -> None:
        inject = f"inject={calls}:error={error}:when={when}"
        self._command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
        self._command += ["-e", inject, "-p", str(node.pid)]

    def __enter__(self) -> None:
        self._child = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.3)

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait()


def missing() -> str:
    return "" if shutil.which("strace") else "needs strace"
