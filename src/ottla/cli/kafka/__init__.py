"""`ottla kafka TOOL`: Apache Kafka's own command-line tools, flag for flag and line for line.

What scripts and tutorials type works here as it stands: flags of every generation (`flags.py`), output
byte for byte where it is parsed, exit code 1 for what went wrong. A tool is a module with
`add_flags(flags)` and `run(args) -> exit code`, imported only when it is the one asked for.

Elsewhere: the same work in a form for people, `ottla topic`, `ottla group` and their like; files
named `kafka-*.sh` that call these, `ottla shims`.
"""

import argparse
import importlib
from collections.abc import Sequence
from typing import Final, Protocol

from ottla.cli.kafka.flags import Flags, Refused


class Tool(Protocol):
    """What a tool's module offers."""

    def add_flags(self, flags: Flags) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


TOOLS: Final[dict[str, str]] = {
    "acls": "add, remove and list access control lists",
    "broker-api-versions": "tell which versions of which requests each broker serves",
    "client-metrics": "look after subscriptions to clients' metrics",
    "cluster": "tell a cluster's id and its brokers, and unregister brokers",
    "configs": "describe and alter configurations of topics, brokers, clients, users, groups, ...",
    "console-consumer": "print the records of topics",
    "console-producer": "send lines from standard input to a topic",
    "consumer-groups": "list, describe and delete consumer groups, and reset their offsets",
    "consumer-perf-test": "measure how fast records are read",
    "delete-records": "delete records before given offsets",
    "dump-log": "print what segment files and indexes hold",
    "e2e-latency": "measure the time from sending a record to reading it",
    "features": "describe, raise and lower a cluster's feature levels",
    "get-offsets": "print the offsets of partitions",
    "groups": "list groups of all kinds",
    "leader-election": "have leaders of partitions elected",
    "log-dirs": "tell what is in brokers' log directories",
    "metadata-quorum": "describe the controllers",
    "producer-perf-test": "measure how fast records are sent",
    "reassign-partitions": "move replicas between brokers and log directories",
    "server-start": "run a broker",
    "server-stop": "stop the brokers of this machine",
    "storage": "make ids, and tell what log directories are",
    "topics": "list, create, describe, alter and delete topics",
    "transactions": "list and describe transactions, and find those that hang",
    "verifiable-consumer": "read records and tell it in JSON",
    "verifiable-producer": "send numbered records and tell it in JSON",
}
"""By the name without `kafka-` and `.sh`: what it is for. Its module has `_` for `-`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tool", metavar="TOOL", choices=TOOLS, help=", ".join(TOOLS))
    parser.add_argument(
        "words", metavar="...", nargs=argparse.REMAINDER, help="the tool's own flags; try --help"
    )


def run(args: argparse.Namespace) -> int:
    return run_tool(args.tool, args.words)


def run_tool(name: str, words: Sequence[str]) -> int:
    """Run a tool as its script would be run; returns the exit code."""
    tool: Tool = importlib.import_module(f"ottla.cli.kafka.{name.replace('-', '_')}")
    flags = Flags(name, TOOLS[name])
    tool.add_flags(flags)
    args = flags.read(words)
    try:
        return tool.run(args)
    except Refused as refusal:
        flags.refuse(str(refusal))
