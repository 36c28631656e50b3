"""The harness's end of the line contract (`drivers/contract.py`): one process per client, kept.

`ask` returns the answer's value or raises what the driver reported: `Refused` with the protocol's
error code, `Cannot` where the client has no such feature, `Failed` for everything else, a driver
that says nothing in time included. A silent driver is killed, and a new one started on the next
request, so that one hanging call costs one cell of the table.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import IO, Any, Final

ANSWER_SECONDS_MAX: Final = 90


class Refused(Exception):
    """The broker answered with an error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"error {code}: {message}")
        self.code = code


class Cannot(Exception):
    """The client has no such feature; the text says which."""


class Failed(Exception):
    """The client failed, or the driver did."""


class Driver:
    """One client, started when first asked."""

    def __init__(self, name: str, command: list[str], cwd: Path, log: Path) -> None:
        """The word BOOTSTRAP in `command` stands for the address; stderr goes to `log`."""
        self.name = name
        self._command = command
        self._cwd = cwd
        self._log = log
        self._bootstrap = ""
        self._child: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def aim_at(self, bootstrap: str) -> None:
        """From now on this client talks to the broker at `bootstrap`."""
        self.close()
        self._bootstrap = bootstrap

    def ask(self, op: str, **arguments: object) -> Any:
        if self._child is None or self._child.poll() is not None:
            self._start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            child.stdin.flush()
            answer = json.loads(self._answers.get(timeout=ANSWER_SECONDS_MAX))
        except queue.Empty:
            self._kill()
            raise Failed(f"{op}: no answer in {ANSWER_SECONDS_MAX} s") from None
        except (BrokenPipeError, json.JSONDecodeError) as problem:
            self._kill()
            raise Failed(f"{op}: the driver broke off ({problem!r}), see {self._log}") from None
        if "refused" in answer:
            raise Refused(answer["refused"]["code"], answer["refused"]["message"])
        if "cannot" in answer:
            raise Cannot(answer["cannot"])
        if "failed" in answer:
            raise Failed(f"{op}: {answer['failed']}")
        return answer["ok"]

    def close(self) -> None:
        """The driver has ended: its input ends, then, if need be, it is killed."""
        if self._child is None:
            return
        assert self._child.stdin is not None
        try:
            self._child.stdin.close()
            self._child.wait(5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._kill()
        self._child = None

    def _start(self) -> None:
        name, *arguments = self._command
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log:
            self._child = subprocess.Popen(
                [name, *(self._bootstrap if word == "BOOTSTRAP" else word for word in arguments)],
                cwd=self._cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._answers = queue.SimpleQueue()
        assert self._child.stdout is not None
        threading.Thread(
            target=_pump, args=(self._child.stdout, self._answers), daemon=True
        ).start()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


def _pump(lines: IO[str], answers: queue.SimpleQueue[str]) -> None:
    for line in lines:
        answers.put(line)
    answers.put("")  # not JSON: whoever waits learns that the driver has ended
