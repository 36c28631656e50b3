"""Who is measured beside Ottla, each started as its users would, on loopback and an empty directory.

`compiled` is Ottla from the wheel with machine code, which is made of this checkout first;
`kafka` is Apache Kafka with the virtual machine's options and the settings that it is shipped with,
`kafka-256m` the same in a heap of 256 MB. `mock` is librdkafka's mock cluster, C, in memory, without
a checksum; `kfake` is franz-go's, Go, in memory. `floor` is no broker: it can only be asked `batches` and
`small_produce`, and does the least that one could do with them. What they need is fetched as the
compatibility checks fetch theirs (`tests/compat/install.py`).
"""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from process import BrokerProcess, NotStarted, free_port, ottla

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "compat"))

import install
from apache import ApacheKafka

HERE: Final = Path(__file__).resolve().parent

# As bin/kafka-server-start.sh starts it.
STOCK_JVM: Final = (
    *("-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"),
    "-Djava.awt.headless=true",
)
# What the compatibility checks set otherwise than the defaults are.
STOCK_SETTINGS: Final = {
    "offsets.topic.num.partitions": "50",
    "group.initial.rebalance.delay.ms": "3000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One broker that can be started as often as one likes. `start` takes a directory as it is."""

    title: str
    version: Callable[[], str]
    start: Callable[[Path], BrokerProcess]
    is_in_memory: bool = False

    @contextmanager
    def running(self, place: Path) -> Iterator[BrokerProcess]:
        process = self.start(place)
        try:
            yield process
        finally:
            process.stop()


def _ottla_version() -> str:
    from ottla.version import __version__

    return f"{__version__}, Python {platform.python_version()}"


@cache
def compiled_python() -> tuple[str, ...]:
    print("the wheel with machine code is made, if the sources are newer: some minutes")
    done = subprocess.run(
        ["make", "compiled"], cwd=HERE.parent, check=False, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        raise NotStarted("`make compiled` failed: is there a C compiler?")
    python = HERE.parent / "build" / "compiled" / "venv" / "bin" / "python"
    return str(python), "-I"  # and no source tree of PYTHONPATH


def _compiled(place: Path) -> BrokerProcess:
    return ottla(place, python=compiled_python())


def _kafka(heap: str) -> Callable[[Path], BrokerProcess]:
    def start(place: Path) -> BrokerProcess:
        work = place / "work"
        node = ApacheKafka(install.java(), place / "data", work, overrides=STOCK_SETTINGS)
        if not (place / "data" / "meta.properties").exists():
            node.format_directory()
        command = node.command((f"-Xmx{heap}", f"-Xms{heap}", *STOCK_JVM))
        return BrokerProcess(command, int(node.bootstrap.rpartition(":")[2]), node.log)

    return start


def _kafka_version() -> str:
    classpath = install.java().classpath.split(":")[-1]
    (jar,) = Path(classpath).parent.glob("kafka-clients-*.jar")
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    release = java.stderr.splitlines()[0].split('"')[1]
    return f"{jar.stem.rpartition('-')[2]}, Java {release}"


def _mock(place: Path) -> BrokerProcess:
    return BrokerProcess([sys.executable, str(HERE / "peers" / "mock.py")], None, place / "log")


def _mock_version() -> str:
    import confluent_kafka

    return f"librdkafka {confluent_kafka.libversion()[0]}"


def _floor(place: Path) -> BrokerProcess:
    port = free_port()
    command = [sys.executable, str(HERE / "peers" / "floor.py"), str(port), str(place)]
    return BrokerProcess(command, port, place / "log")


def _kfake(place: Path) -> BrokerProcess:
    program = install.go_program("kfake", HERE / "peers" / "kfake", "kfake")
    port = free_port()
    return BrokerProcess([str(program), str(port)], port, place / "log")


def _kfake_version() -> str:
    for line in (HERE / "peers" / "kfake" / "go.mod").read_text().splitlines():
        if "pkg/kfake" in line:
            return line.split()[-1]
    raise SystemExit("no version in go.mod")


PEERS: Final = {
    "ottla": Peer(title="Ottla", version=_ottla_version, start=ottla),
    "compiled": Peer(title="Ottla, compiled", version=_ottla_version, start=_compiled),
    "kafka": Peer(title="Apache Kafka", version=_kafka_version, start=_kafka("1G")),
    "kafka-256m": Peer(
        title="Apache Kafka, 256 MB heap", version=_kafka_version, start=_kafka("256m")
    ),
    "mock": Peer(title="librdkafka's mock", version=_mock_version, start=_mock, is_in_memory=True),
    "floor": Peer(title="receive, CRC and write", version=platform.python_version, start=_floor),
    "kfake": Peer(title="kfake", version=_kfake_version, start=_kfake, is_in_memory=True),
}
