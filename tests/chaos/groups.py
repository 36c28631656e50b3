"""A group whose members and whose broker are killed, under load, again and again.

Four members of two clients share a topic that two producers write. Whatever dies, the group goes on;
what was committed stays committed, and every record that was acknowledged to its producer is read by
somebody: at least once, which is what a group promises.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from judge import PARTITIONS, PRODUCERS, TOPIC
from node import Load, Node, Outcome, loaded, say, stop_and_verify

ROUNDS: Final = 12
RATE: Final = 150
MEMBERS: Final = 4
GROUP: Final = "chaos-group"
HERE: Final = Path(__file__).resolve().parent
LIVES_SECONDS: Final = (1.0, 4.0)
# A killed member is missed when its session ends, after 6 s; then the others join again.
RESUME_SECONDS_MAX: Final = 60.0
DRAIN_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 30.0
FAULTS: Final = ("broker", "member", "leave", "both", "broker")


class Member:
    """A member process and what it wrote down."""

    def __init__(self, number: int, node: Node, work: Path) -> None:
        self._file = work / f"member-{number}"
        client = PRODUCERS[number % len(PRODUCERS)]
        words = (client, node.bootstrap, TOPIC, GROUP, str(self._file))
        with (work / f"member-{number}.log").open("w") as log:
            self._child = subprocess.Popen(
                [sys.executable, str(HERE / "member.py"), *words],
                stderr=log,
                start_new_session=True,
            )

    def lines(self, kind: str) -> list[list[str]]:
        """What it wrote of this kind so far, word by word."""
        text = self._file.read_text() if self._file.exists() else ""
        rows = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
        return [row[1:] for row in rows if row[0] == kind]

    def leave(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()


class Group:
    """All members there ever were; the last MEMBERS of them are there now."""

    def __init__(self, node: Node, work: Path) -> None:
        self._node = node
        self._work = work
        self._numbers = itertools.count()
        self._gone: list[Member] = []
        self.members: list[Member] = []
        self.committed: dict[int, int] = {}
        """The largest offsets whose commit was acknowledged, as last looked at."""
        while len(self.members) < MEMBERS:
            self.add()

    def add(self) -> None:
        self.members.append(Member(next(self._numbers), self._node, self._work))

    def take(self, member: Member) -> None:
        self.members.remove(member)
        self._gone.append(member)

    def read(self) -> Counter[tuple[int, int, str]]:
        """How often each record was read, by whomever."""
        return Counter(
            (int(part), int(offset), value)
            for member in (*self._gone, *self.members)
            for part, offset, value in member.lines("r")
        )

    def acknowledged(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for member in (*self._gone, *self.members):
            for part, offset in member.lines("c"):
                found[int(part)] = max(found.get(int(part), 0), int(offset))
        return found

    def judge_commits(self, outcome: Outcome, when: str) -> None:
        """What the broker says is committed is never less than what a member was told is."""
        told = self.acknowledged()
        stands = committed(self._node.bootstrap)
        for part, offset in told.items():
            if stands.get(part, -1) < offset:
                outcome.lost += 1
                outcome.problems.append(
                    f"{when}: partition {part} is at {stands.get(part)}, {offset} was acknowledged"
                )
        self.committed = stands

    def resumes(self, seconds_max: float) -> float | None:
        """Until commits have moved in every partition; the seconds, or None: not in time."""
        before = self.acknowledged()
        began = time.monotonic()
        while time.monotonic() - began < seconds_max:
            now = self.acknowledged()
            if len(now) == PARTITIONS and all(now[part] > before.get(part, -1) for part in now):
                return time.monotonic() - began
            time.sleep(0.2)
        return None

    def kill(self) -> None:
        for member in self.members:
            member.kill()


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("groups")
    node = Node(work / "data", work, {"group.initial.rebalance.delay.ms": "0"})
    slowest = 0.0
    with loaded(node, work, RATE) as load:
        group = Group(node, work)
        try:
            if group.resumes(RESUME_SECONDS_MAX) is None:
                outcome.problems.append("the group does not form")
                return outcome
            for number in range(1, rounds + 1):
                time.sleep(chance.uniform(*LIVES_SECONDS))
                what = chance.choice(FAULTS)
                strike(what, node, group, chance)
                outcome.faults += 1
                seconds = group.resumes(RESUME_SECONDS_MAX)
                if seconds is None:
                    outcome.problems.append(f"round {number}, {what}: the group does not go on")
                    break
                slowest = max(slowest, seconds)
                group.judge_commits(outcome, f"round {number}, {what}")
                say(f"  round {number}: {what}, goes on after {seconds:.1f} s")
            load.finish(outcome)
            drain(group, node, load, outcome)
            outcome.scan_log(node)
            stop_and_verify(node, outcome)
        finally:
            group.kill()
    outcome.figures.append(f"goes on after {slowest:.0f} s at most")
    return outcome


def strike(what: str, node: Node, group: Group, chance: random.Random) -> None:
    """A member that goes is followed by another one, of the other client perhaps."""
    if what != "broker":
        member = chance.choice(group.members)
        if what == "leave":
            member.leave()
        else:
            member.kill()
        group.take(member)
        group.add()
    if what in ("broker", "both"):
        node.kill()
        time.sleep(chance.uniform(0.0, 1.5))
        node.start()


def drain(group: Group, node: Node, load: Load, outcome: Outcome) -> None:
    """Nobody writes any more: the group reads to the end, and has read everything."""
    known = {
        (row.partition, row.offset, row.value)
        for one in load.producers
        for row in one.acknowledged()
    }
    missing = known
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while missing and time.monotonic() < deadline:
        time.sleep(0.5)
        missing = known - group.read().keys()
    for member in list(group.members):
        member.leave()
        group.take(member)
    read = group.read()
    outcome.read = sum(read.values())
    outcome.lost += len(missing)
    if missing:
        outcome.problems.append(f"{len(missing)} records nobody read, such as {min(missing)}")
    places = Counter((part, offset) for part, offset, _ in read)
    changed = [place for place, values in places.items() if values > 1]
    outcome.corrupt += len(changed)
    if changed:
        outcome.problems.append(f"different values were read at {changed[0]}")
    group.judge_commits(outcome, "at the end")
    again = sum(read.values()) - len(read)
    outcome.figures.append(f"{again} read again")


def committed(bootstrap: str) -> dict[int, int]:
    """What the broker says is committed, by partition."""
    from confluent_kafka import Consumer, TopicPartition

    options: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": GROUP}
    consumer = Consumer(options)
    try:
        parts = [TopicPartition(TOPIC, part) for part in range(PARTITIONS)]
        return {one.partition: one.offset for one in consumer.committed(parts, timeout=30)}
    finally:
        consumer.close()
