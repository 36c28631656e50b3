"""The clients under test: how each is installed and started, and what it can't express by nature.

A trait here is a fact about the client, found in its own documentation or source, never a way to
excuse a broker: what a client can express is checked in full.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import install
from driver import Driver

DRIVERS: Final = Path(__file__).resolve().parent / "drivers"
PYTHON_CODECS: Final = ("python-snappy", "lz4", "zstandard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    name: str
    command: Callable[[], list[str]]  # installs what is missing; may raise CannotInstall
    working_directory: Path = DRIVERS
    text_only: bool = False  # writes text keys and headers, no nulls, no timestamps; prints headers
    unique_headers: bool = False  # headers are a mapping; repeats sit together, in order
    null_headers: bool = True
    commits_by_itself: bool = False  # also what it took and did not print before it was ended
    ends_with_broker: bool = False  # its consumer in a group gives up when no broker is left

    def driver(self, logs: Path) -> Driver:
        return Driver(self.name, self.command(), self.working_directory, logs / f"{self.name}.log")


def _python(name: str, program: str, *requirements: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        interpreter = install.python_environment(name, *requirements)
        return [str(interpreter), str(DRIVERS / program), "BOOTSTRAP"]

    return command


def _node() -> list[str]:
    install.node_modules()
    return ["node", str(DRIVERS / "drive_kafkajs.js"), "BOOTSTRAP"]


def _kcat() -> list[str]:
    return [sys.executable, str(DRIVERS / "drive_kcat.py"), "BOOTSTRAP", *install.kcat()]


def _franz() -> list[str]:
    return [str(install.franz()), "BOOTSTRAP"]


def _ottla() -> list[str]:
    return [sys.executable, str(DRIVERS / "drive_ottla.py"), "BOOTSTRAP"]


def _ottla_kafka() -> list[str]:
    """kafka-python's own driver, with `import kafka` meaning `ottla.kafka`."""
    program = str(DRIVERS / "drive_kafka_python.py")
    return [sys.executable, "-m", "ottla.compat", program, "BOOTSTRAP"]


def _java() -> list[str]:
    return install.java().command("Drive", "BOOTSTRAP")


KAFKA_PYTHON_3: Final = Client(
    name="kafka-python-3",
    command=_python(
        "kafka-python-3", "drive_kafka_python.py", "kafka-python>=3.0.12,<4", *PYTHON_CODECS
    ),
    null_headers=False,
)
CLIENTS: Final = (
    Client(
        name="kafka-python-2",
        command=_python(
            "kafka-python-2", "drive_kafka_python.py", "kafka-python>=2.2.15,<3", *PYTHON_CODECS
        ),
        null_headers=False,
    ),
    KAFKA_PYTHON_3,
    Client(
        name="confluent-kafka",
        command=_python("confluent-kafka", "drive_confluent.py", "confluent-kafka>=2.12,<3"),
    ),
    Client(
        name="aiokafka",
        command=_python("aiokafka", "drive_aiokafka.py", "aiokafka[snappy,lz4,zstd]>=0.14,<0.15"),
    ),
    Client(
        name="kcat", command=_kcat, text_only=True, commits_by_itself=True, ends_with_broker=True
    ),
    Client(
        name="kafkajs",
        command=_node,
        working_directory=install.CACHE / "node",
        unique_headers=True,
        null_headers=False,
    ),
    Client(name="java", command=_java),
    Client(name="franz-go", command=_franz),
    Client(name="ottla", command=_ottla),
    Client(name="ottla.kafka", command=_ottla_kafka),
)
# Writes and reads what a check needs beside the client it is about.
REFERENCE: Final = KAFKA_PYTHON_3
