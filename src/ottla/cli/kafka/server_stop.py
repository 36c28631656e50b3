"""kafka-server-stop: every broker of this user on this machine is asked to stop, as Kafka's script does.

Found in /proc by their command line; where there is no /proc, nothing is found.
"""

import argparse
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from ottla.cli.kafka.flags import FAILED, Flags


def add_flags(flags: Flags) -> None:
    flags.may_be_bare()
    flags.value("--node-id", help="only brokers of this node id, where their command line says it")
    flags.value("--process-role", help="broker, or controller; both are one process here")


def run(args: argparse.Namespace) -> int:
    found = [pid for pid, words in processes() if is_broker(words) and _is_meant(words, args)]
    if not found:
        print("No kafka server to stop")
        return FAILED
    for pid in found:
        os.kill(pid, signal.SIGTERM)
    return 0


def processes() -> Iterator[tuple[int, list[str]]]:
    """This user's, but for this one: ids and command lines."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid != os.getuid() or int(path.name) == os.getpid():
                continue
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        yield int(path.name), words


def is_broker(words: list[str]) -> bool:
    """`ottla serve`, `python -m ottla.cli.main serve`, or one started by kafka-server-start."""
    names = [Path(word).name for word in words[:4]]
    for at, name in enumerate(names):
        if name in ("ottla", "ottla.cli.main"):
            rest = words[at + 1 :]
            return rest[:1] == ["serve"] or rest[:2] == ["kafka", "server-start"]
    return False


def _is_meant(words: list[str], args: argparse.Namespace) -> bool:
    return args.node_id is None or any(
        word in (f"node.id={args.node_id}", f"broker.id={args.node_id}") for word in words
    )
