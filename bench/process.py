"""A broker process to measure from outside: started, asked until it answers, read through /proc.

CPU seconds are what to trust; wall time on a shared machine swings by 40 %. A broker of these
benchmarks is kept on the first core, and who measures it on the last, so that neither is moved about
and the one does not wait for the other.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from wire import is_answered

START_SECONDS_MAX: Final = 600
STOP_SECONDS_MAX: Final = 120
ANSWER_SECONDS_MAX: Final = 60
CORES: Final = sorted(os.sched_getaffinity(0))
BROKER_CORE: Final = CORES[0]
LOAD_CORE: Final = CORES[-1]
# Whoever installs Ottla has it compiled to bytecode, whatever a developer's shell says.
ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
SCHEDULED: Final = 2
"""Of the clocks that a process has: all its threads' time on a core (`clock_getcpuclockid`)."""


class NotStarted(Exception):
    """A broker ended, or did not answer in time; the text ends with the last of its log."""


class BrokerProcess:
    """One child that answers on a loopback port. `port` None: it prints its port as a line."""

    def __init__(self, command: list[str], port: int | None, log: Path) -> None:
        self._log = log
        started = time.perf_counter()
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if port is None else out,
                stderr=out,
                env=ENVIRONMENT,
                preexec_fn=lambda: os.sched_setaffinity(0, {BROKER_CORE}),
            )
        if self._process.stdout is not None:
            port = int(self._process.stdout.readline() or "0")
        assert port is not None
        self.port: int = port
        try:
            while not self._answers():
                if self._process.poll() is not None:
                    raise NotStarted(f"ended at once: {self._last_words()}")
                if time.perf_counter() - started > START_SECONDS_MAX:
                    raise NotStarted(f"does not answer: {self._last_words()}")
                time.sleep(0.002)
        except BaseException:
            self.kill()
            raise
        self.start_seconds = time.perf_counter() - started

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self, source: str = "") -> socket.socket:
        """`source`: the address that the client is to have; the system's choice if empty."""
        return connect(self.port, source)

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, to the nanosecond."""
        return time.clock_gettime((~self._process.pid << 3) | SCHEDULED)

    def move_to(self, core: int) -> None:
        """All its threads run there from now on."""
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    def resident_mib(self) -> float:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("no VmRSS in /proc")

    def disk_bytes(self) -> int:
        """What was read from disks for it so far, and not from the page cache."""
        for line in Path(f"/proc/{self._process.pid}/io").read_text().splitlines():
            if line.startswith("read_bytes:"):
                return int(line.split()[1])
        raise SystemExit("no read_bytes in /proc")

    def stop(self) -> None:
        """The process has ended, by a clean stop if that does not take too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """The process is gone, as after `kill -9`."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                return is_answered(connection)
        except (ConnectionError, TimeoutError):
            return False

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])


def connect(port: int, source: str = "") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX, source_address=(source, 0)
    )
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def free_port() -> int:
    """A port nobody listens on now, below those that outgoing connections are given: who asks one of
    those again and again until somebody listens meets himself on it one day, and then it is taken."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def ottla(place: Path, *overrides: str, python: Sequence[str] = (sys.executable,)) -> BrokerProcess:
    """`ottla serve`, its data and its log in this directory. Of this checkout, if `python` has no other."""
    port = free_port()
    command = [*python, "-m", "ottla.cli.main", "serve", "--data", str(place / "data")]
    for setting in (f"listeners=PLAINTEXT://127.0.0.1:{port}", *overrides):
        command += ["--override", setting]
    return BrokerProcess(command, port, place / "log")


@contextmanager
def broker(place: Path, *overrides: str) -> Iterator[BrokerProcess]:
    process = ottla(place, *overrides)
    try:
        yield process
    finally:
        process.stop()
