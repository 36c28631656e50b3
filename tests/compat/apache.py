"""Apache Kafka itself, as a process: the oracle the harness is judged by before it judges Ottla.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from broker import Process, free_port
from install import Java

NODE_ID: Final = 1
START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 60

SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


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
    ) -> None:
        """`work` gets the properties file and the log, never `data`.

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
        settings = {
            **SETTINGS,
            "node.id": str(node_id),
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
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

    def format_directory(self, cluster_id: str = "b3R0bGEtY29tcGF0LTAwMQ") -> None:
        """Make the directory an empty node's, as kafka-storage does."""
        command = self._java.command(
            "kafka.tools.StorageTool",
            *("format", "--config", str(self._properties), "--cluster-id", cluster_id),
            *(("--standalone",) if self._standalone else ()),
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """The node serves clients. Raises `NotStarted` with the last of its log otherwise."""
        self._process = Process(
            self._java.command(
                "kafka.Kafka", str(self._properties), options=("-Dcompat.log=INFO", "-Xms256m")
            ),
            self.log,
        )
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
