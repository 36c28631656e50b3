"""Apache Kafka itself, as a process: the oracle the harness is judged by before it judges Ottla.

`OldKafka` is a release that keeps its metadata in ZooKeeper, with the ZooKeeper: for our client, which
speaks with brokers since 2.1.

One node, broker and controller in one process, on a directory the caller owns: to run the clients
against, to write directories for Ottla to open, and to open directories that Ottla wrote. The jars
come from Maven (`install.py`); nothing of Apache Kafka's is kept in the repository.

A directory is formatted once (`format_directory`); `start` then takes it as it finds it, with
whatever cluster id, topics and leftovers are in it, which is what makes the check of Ottla's own
directories mean something.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from broker import NotStarted, Process, free_port
from install import HERE, QUICK_JVM, Java

NODE_ID: Final = 1
START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 60
SESSION_SECONDS: Final = 4
TICK_MS: Final = 1_000

SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
OF_KRAFT: Final = frozenset({"process.roles", "controller.listener.names"})


class ApacheKafka:
    """One node on one directory. `start` and `stop` may alternate as often as one likes."""

    def __init__(
        self,
        java: Java,
        data: Path,
        work: Path,
        *,
        node_id: int = NODE_ID,
        overrides: Mapping[str, str] | None = None,
        standalone: bool = False,
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        """`work` gets the properties file and the log, never `data`.

        `listeners` are more of them: names and security protocols; `at` has their addresses.

        `standalone` names the controller by `controller.quorum.bootstrap.servers`, as directories
        formatted with `--standalone` want it; otherwise by `controller.quorum.voters`.
        """
        self.data_dir = data
        self.log = work / "apache.log"
        self._java = java
        self._properties = work / "server.properties"
        self._process: Process | None = None
        port, controller_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        controller = f"127.0.0.1:{controller_port}"
        self.at = {name: f"127.0.0.1:{free_port()}" for name in listeners or {}}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **(listeners or {})}
        addresses = {"PLAINTEXT": self.bootstrap, "CONTROLLER": controller, **self.at}
        settings = {
            **SETTINGS,
            "node.id": str(node_id),
            "listeners": ",".join(f"{name}://{place}" for name, place in addresses.items()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in protocols.items()
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(data),
            **(overrides or {}),
        }
        if standalone:
            settings["controller.quorum.bootstrap.servers"] = controller
        else:
            settings["controller.quorum.voters"] = f"{node_id}@{controller}"
        self._standalone = standalone
        work.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def format_directory(
        self, cluster_id: str = "b3R0bGEtY29tcGF0LTAwMQ", scram: tuple[str, ...] = ()
    ) -> None:
        """Make the directory an empty node's, as kafka-storage does.

        `scram`: users to begin with, as `SCRAM-SHA-256=[name=alice,password=...]`.
        """
        command = self._java.command(
            "kafka.tools.StorageTool",
            *("format", "--config", str(self._properties), "--cluster-id", cluster_id),
            *(("--standalone",) if self._standalone else ()),
            *(word for user in scram for word in ("--add-scram", user)),
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self, jvm: tuple[str, ...]) -> list[str]:
        """What runs the node on a virtual machine with these options."""
        return self._java.command(
            "kafka.Kafka", str(self._properties), jvm=jvm, options=("-Dcompat.log=INFO",)
        )

    def start(self) -> None:
        """The node serves clients. Raises `NotStarted` with the last of its log otherwise."""
        self._process = Process(self.command((*QUICK_JVM, "-Xms256m")), self.log)
        self._process.wait_until_logged(re.compile("Kafka Server started"), START_SECONDS_MAX)

    def stop(self) -> None:
        """The node has stopped cleanly."""
        if self._process is not None:
            self._process.terminate(STOP_SECONDS_MAX)
            self._process = None

    def kill(self) -> None:
        """The node is gone as after `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process = None


class OldKafka:
    """One broker of an old release and its ZooKeeper, which stays while the broker comes and goes.

    `LACKS`: capabilities that came later. `INVALID_CONFIG`: its error code for a value that is none.
    """

    LACKS: Final = {"static": "static members came with Kafka 2.3 (KIP-345)"}
    INVALID_CONFIG: Final = 42  # INVALID_REQUEST

    def __init__(
        self, java: Java, data: Path, work: Path, *, overrides: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data
        self.log = work / "apache.log"
        self._java = java
        self._work = work
        self._properties = work / "server.properties"
        self._process: Process | None = None
        self._zookeeper: Process | None = None
        self._free_at = 0.0
        self._zookeeper_port = free_port()
        self.bootstrap = f"127.0.0.1:{free_port()}"
        settings = {
            **{key: value for key, value in SETTINGS.items() if key not in OF_KRAFT},
            "broker.id": str(NODE_ID),
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "zookeeper.connect": f"127.0.0.1:{self._zookeeper_port}",
            "zookeeper.session.timeout.ms": str(SESSION_SECONDS * 1000),
            "log.dirs": str(data),
            **(overrides or {}),
        }
        work.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def start(self) -> None:
        if self._zookeeper is None:
            self._zookeeper = self._run(
                *("org.apache.zookeeper.server.ZooKeeperServerMain", str(self._zookeeper_port)),
                *(str(self._work / "zookeeper"), str(TICK_MS)),
                log=self._work / "zookeeper.log",
            )
            self._zookeeper.wait_until_accepting(
                "127.0.0.1", self._zookeeper_port, START_SECONDS_MAX
            )
        # A broker that was killed is still registered until its session has expired; until then
        # nobody may take its place.
        time.sleep(max(0.0, self._free_at - time.monotonic()))
        self._process = self._run("kafka.Kafka", str(self._properties), log=self.log)
        started = re.compile(rf"KafkaServer id={NODE_ID}\] started")
        try:
            self._process.wait_until_logged(started, START_SECONDS_MAX)
        except NotStarted:
            self.kill()
            self.end()
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate(STOP_SECONDS_MAX)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
            self._free_at = time.monotonic() + 1.5 * SESSION_SECONDS

    def end(self) -> None:
        """ZooKeeper is gone too."""
        self.stop()
        if self._zookeeper is not None:
            self._zookeeper.terminate(STOP_SECONDS_MAX)
            self._zookeeper = None

    def _run(self, main_class: str, *arguments: str, log: Path) -> Process:
        options = (
            f"-Dlog4j.configuration=file:{HERE / 'java' / 'log4j.properties'}",
            "-Dzookeeper.jmx.log4j.disable=true",
            "-Dzookeeper.admin.enableServer=false",
        )
        return Process(self._java.command(main_class, *arguments, options=options), log)
