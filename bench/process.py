"""A broker process to measure from outside: started on an empty directory, read through /proc.

CPU seconds are what to trust; wall time on a shared machine swings by 40 %.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX: Final = 60


class BrokerProcess:
    """`ottla serve` on a loopback port."""

    def __init__(self, data: Path, overrides: tuple[str, ...] = ()) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        settings = (f"listeners=PLAINTEXT://127.0.0.1:{self.port}", *overrides)
        command = [sys.executable, "-m", "ottla.cli.main", "serve", "--data", str(data)]
        for setting in settings:
            command += ["--override", setting]
        started = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.connect().close()
                break
            except ConnectionRefusedError:
                if self._process.poll() is not None:
                    raise SystemExit("the broker did not start") from None
                if time.perf_counter() - started > START_SECONDS_MAX:
                    raise SystemExit("the broker does not listen") from None
                time.sleep(0.002)
        self.start_seconds = time.perf_counter() - started

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def resident_mib(self) -> float:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("no VmRSS in /proc")

    def stop(self) -> None:
        """A clean stop; returns when the process has ended."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=120)


@contextmanager
def broker(data: Path, *overrides: str) -> Iterator[BrokerProcess]:
    process = BrokerProcess(data, overrides)
    try:
        yield process
    finally:
        process.stop()
