"""A broker under faults: `ottla serve` as a child, perhaps with small limits, and a load on it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from judge import PRODUCERS, Findings, Producer, compare, create_topic, read_topic
from judge import sequences as sequences_of

ROOT: Final = Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 40.0
ADDRESS_IN_LOG: Final = re.compile(r"Kafka Server started")


class NotStarted(Exception):
    """The broker did not come up; the text ends with its last lines."""


class Node:
    """One broker on one directory and one port, started as often as a scenario likes."""

    def __init__(self, data: Path, work: Path, overrides: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.log = work / "ottla.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.overrides = dict(overrides or {})
        self.descriptors_max = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def start(self) -> float:
        """Until it accepts connections; how many seconds that took."""
        settings = {"listeners": f"PLAINTEXT://{self.bootstrap}", **self.overrides}
        command = [str(ROOT / ".venv/bin/ottla"), "serve", "--data", str(self.data)]
        for key, value in settings.items():
            command += ["--override", f"{key}={value}"]
        if self.descriptors_max:
            command = ["prlimit", f"--nofile={self.descriptors_max}", *command]
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        began = time.monotonic()
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        while time.monotonic() - began < START_SECONDS_MAX:
            code = self._child.poll()
            if code is not None:
                self._child = None
                raise NotStarted(f"exit code {code}: {self.said()[-500:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return time.monotonic() - began
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise NotStarted(f"not in time: {self.said()[-500:]}")

    def stop(self) -> int | None:
        """SIGTERM; the exit code, or None: it had to be killed."""
        if self._child is None:
            return None
        child, self._child = self._child, None
        child.send_signal(signal.SIGTERM)
        try:
            return child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return None

    def kill(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            child.kill()
            child.wait()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def said(self) -> str:
        """What this process has logged so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def said_ever(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass(slots=True)
class Outcome:
    """What a scenario amounts to: a row of the table."""

    scenario: str
    faults: int = 0
    acknowledged: int = 0
    read: int = 0
    lost: int = 0
    twice: int = 0
    disorder: int = 0
    corrupt: int = 0
    problems: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.disorder or self.corrupt or self.problems)

    def take(self, found: Findings, when: str) -> None:
        self.lost += found.missing
        self.twice += found.twice
        self.disorder += found.disorder
        if not found.clean():
            self.problems.append(f"{when}: {found.first}")

    def scan_log(self, node: Node) -> None:
        """No traceback and no broken invariant may stand in the broker's log."""
        for line in node.said_ever().splitlines():
            if "Traceback" in line or "broken invariant" in line:
                self.problems.append(f"in the broker's log: {line[:160]}")


class Load:
    """Both producers at work on one topic, and the judgment of what they were told."""

    def __init__(self, node: Node, work: Path, rate: int) -> None:
        self.node = node
        self.producers = [Producer(name, node.bootstrap, rate, work) for name in PRODUCERS]

    def counts(self) -> list[int]:
        return [len(one.acknowledged()) for one in self.producers]

    def wait_for_progress(self, seconds_max: float) -> float | None:
        """Until both have something new acknowledged; the seconds, or None: not in time."""
        known = self.counts()
        began = time.monotonic()
        while time.monotonic() - began < seconds_max:
            if all(now > then for now, then in zip(self.counts(), known, strict=True)):
                return time.monotonic() - began
            time.sleep(0.05)
        return None

    def judge(self, outcome: Outcome, when: str) -> None:
        """Everything that was acknowledged until now is there, once, in order."""
        known = [row for one in self.producers for row in one.acknowledged()]
        try:
            seen = read_topic(self.node.bootstrap)
        except Exception as error:  # noqa: BLE001 - a client's own exceptions are many
            outcome.problems.append(f"{when}: the topic can't be read: {error}")
            return
        found = compare(known, seen)
        outcome.acknowledged, outcome.read = len(known), found.records
        outcome.take(found, when)

    def finish(self, outcome: Outcome) -> None:
        """Stop the producers, and judge once more, with the files' sequence numbers."""
        ends = [one.finish() for one in self.producers]
        self.judge(outcome, "at the end")
        seen = read_topic(self.node.bootstrap)
        for one, (sent, failed) in zip(self.producers, ends, strict=True):
            _, broken = sequences_of(self.node.data, one.client, seen)
            if failed or broken or not sent:
                outcome.problems.append(
                    f"{one.client}: sent {sent}, {failed} reported failed, {broken} sequence breaks"
                )

    def kill(self) -> None:
        for one in self.producers:
            one.kill()


@contextmanager
def loaded(
    node: Node, work: Path, rate: int, configs: dict[str, str] | None = None
) -> Iterator[Load]:
    """A running node with a topic and producers on it, all of them gone afterwards."""
    load: Load | None = None
    try:
        node.start()
        create_topic(node.bootstrap, configs)
        load = Load(node, work, rate)
        if load.wait_for_progress(30) is None:
            raise NotStarted("the producers do not get through")
        yield load
    finally:
        if load is not None:
            load.kill()
        node.kill()


def stop_and_verify(node: Node, outcome: Outcome) -> None:
    """The stop is clean, and what it leaves behind is sound."""
    code = node.stop()
    if code != 0:
        outcome.problems.append(f"the stop was not clean: exit code {code}")
    done = verified(node.data)
    if done.returncode != 0:
        outcome.problems.append(f"ottla log verify: {(done.stdout + done.stderr)[:300]}")


def verified(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / ".venv/bin/ottla"), "log", "verify", str(data), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
