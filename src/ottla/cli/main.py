"""The `ottla` command: finds the subcommand and runs it.

A subcommand is a module with `add_arguments(parser)` and `run(args) -> exit code`. It is imported
only when it is the one asked for, so that `ottla topic` never loads a broker. Exit codes: 0 done,
1 it could not be done, 2 wrong usage, 130 interrupted.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from ottla import __version__

_INTERRUPTED: Final = 130


class Command(Protocol):
    """What a subcommand's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


class Entry(NamedTuple):
    help: str
    load: Callable[[], Command]


def _serve() -> Command:
    gc.disable()  # imports make no garbage; `serve` turns it on again
    from ottla.cli import serve

    return serve


def _topic() -> Command:
    from ottla.cli import topic

    return topic


def _config() -> Command:
    from ottla.cli import config

    return config


def _produce() -> Command:
    from ottla.cli import produce

    return produce


def _consume() -> Command:
    from ottla.cli import consume

    return consume


def _group() -> Command:
    from ottla.cli import group

    return group


def _log() -> Command:
    from ottla.cli import log

    return log


COMMANDS: Final[dict[str, Entry]] = {
    "serve": Entry("run a broker", _serve),
    "topic": Entry("create, list, describe, alter and delete topics", _topic),
    "config": Entry("describe and alter settings of topics, brokers and groups", _config),
    "produce": Entry("send lines from standard input to a topic", _produce),
    "consume": Entry("print the records of a topic", _consume),
    "group": Entry("list, describe, reset and delete consumer groups", _group),
    "log": Entry("verify what a log directory holds", _log),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="ottla",
        description="Apache Kafka, in Python: a broker and its tools.",
        epilog="ottla COMMAND --help tells more about one command.",
    )
    parser.add_argument("--version", action="version", version=f"ottla {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if word in COMMANDS), None)
    command: Command | None = None
    for name, entry in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=entry.help, description=f"Ottla: {entry.help}."
        )
        if name == asked:
            command = entry.load()
            command.add_arguments(subparser)
    args = parser.parse_args(words)
    assert command is not None, "argparse has refused a line without a command"
    try:
        return command.run(args)
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
