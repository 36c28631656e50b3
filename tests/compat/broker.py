"""The broker under test, as a process of its own on a directory of its own.

Three kinds stand behind one shape (`Broker`): Ottla, started through its command line as a user
would; Apache Kafka (`apache.py`); and a broker that somebody else runs (`Elsewhere`), whose files
the harness can't see. Processes are ended by their own id and by nothing else.
"""

from __future__ import annotations

import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX: Final = 20
STOP_SECONDS_MAX: Final = 20
POLL_SECONDS: Final = 0.02


class NotStarted(Exception):
    """A broker did not come up; the text ends with the last lines of its log."""


class Broker(Protocol):
    """What the checks need of a broker."""

    bootstrap: str
    data_dir: Path | None

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Restartable(Broker, Protocol):
    """A broker that is ours, on one port."""

    def kill(self) -> None: ...


class Process:
    """One child process with its output in a file. `environ` None: this process's."""

    def __init__(
        self, command: list[str], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start_bytes = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            # Its own session: a Ctrl-C at the harness ends the harness, which then stops its broker.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env=environ,
            )
        self.pid = self._child.pid

    def output(self) -> str:
        """What this process (not an earlier one with the same log) has written so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start_bytes)
            return file.read().decode(errors="replace")

    def is_running(self) -> bool:
        return self._child.poll() is None

    def wait_until_logged(self, line: re.Pattern[str], seconds_max: float) -> None:
        deadline = time.monotonic() + seconds_max
        while not line.search(self.output()):
            self._still_starting(deadline)

    def wait_until_accepting(self, host: str, port: int, seconds_max: float) -> None:
        deadline = time.monotonic() + seconds_max
        while True:
            self._still_starting(deadline)
            try:
                socket.create_connection((host, port), timeout=1).close()
            except OSError:
                continue
            return

    def terminate(self, seconds_max: float) -> int:
        """Ask it to stop (SIGTERM), kill it if it doesn't in time. The exit code."""
        self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotStarted(f"did not stop within {seconds_max} s of SIGTERM") from None

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def _still_starting(self, deadline: float) -> None:
        code = self._child.poll()
        if code is not None:
            raise NotStarted(f"ended with exit code {code}:\n{self._last_words()}")
        if time.monotonic() > deadline:
            self.kill()
            raise NotStarted(f"not ready in time:\n{self._last_words()}")
        time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        return "\n".join(self.output().splitlines()[-12:])


class Ottla:
    """`ottla serve` from this checkout's environment."""

    def __init__(
        self, data: Path, work: Path, *, overrides: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir: Path | None = data
        self.log = work / "ottla.log"
        self._port = free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._overrides = dict(overrides or {})
        self._process: Process | None = None

    def start(self) -> None:
        settings = {"listeners": f"PLAINTEXT://{self.bootstrap}", **self._overrides}
        command = [str(ROOT / ".venv" / "bin" / "ottla"), "serve"]
        if "log.dirs" not in self._overrides:
            command += ["--data", str(self.data_dir)]
        for key, value in settings.items():
            command += ["--override", f"{key}={value}"]
        self._process = Process(command, self.log)
        self._process.wait_until_accepting("127.0.0.1", self._port, START_SECONDS_MAX)

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """As after `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None


class Elsewhere:
    """A broker somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.data_dir: Path | None = None

    def start(self) -> None:
        host, _, port = self.bootstrap.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as problem:
            raise NotStarted(f"nobody accepts connections at {self.bootstrap}: {problem}") from None

    def stop(self) -> None:
        pass


def free_port() -> int:
    """A port nobody listens on now, below those that outgoing connections are given: who asks one of
    those again and again until somebody listens meets himself on it one day, and then it is taken."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
