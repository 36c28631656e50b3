"""The `ottla` command: finds the subcommand and runs it.

A subcommand is a module with `add_arguments(parser)` and `run(args) -> exit code`. It is imported
only when it is the one asked for, so that `ottla topic` never loads a broker. Exit codes: 0 done,
1 it could not be done, 2 wrong usage, 4 unhealthy (`doctor`), 130 interrupted.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, Protocol

from ottla.cli.usage import Parser
from ottla.version import __version__

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


def _up() -> Command:
    gc.disable()  # as for `serve`
    from ottla.cli import up

    return up


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


def _kafka() -> Command:
    from ottla.cli import kafka

    return kafka


def _shims() -> Command:
    from ottla.cli import shims

    return shims


def _doctor() -> Command:
    from ottla.cli import doctor

    return doctor


def _offsets() -> Command:
    from ottla.cli import offsets

    return offsets


def _completion() -> Command:
    from ottla.cli import completion

    return completion


def _log() -> Command:
    from ottla.cli import log

    return log


COMMANDS: Final[dict[str, Entry]] = {
    "serve": Entry("run a broker", _serve),
    "up": Entry("run the broker of a docker-compose file, without Docker", _up),
    "topic": Entry("create, list, describe, alter and delete topics", _topic),
    "config": Entry("describe and alter settings of topics, brokers and groups", _config),
    "produce": Entry("send lines from standard input to a topic", _produce),
    "consume": Entry("print the records of a topic", _consume),
    "group": Entry("list, describe, reset and delete consumer groups", _group),
    "offsets": Entry("print where the records of partitions begin and end", _offsets),
    "doctor": Entry("find out why clients cannot use a cluster", _doctor),
    "log": Entry("verify what a log directory holds", _log),
    "kafka": Entry("Apache Kafka's own tools, with their flags and their output", _kafka),
    "shims": Entry("make kafka-topics.sh and the others, which call these", _shims),
    "completion": Entry("print what completes these words in a shell", _completion),
}


def parser_of(wanted: Collection[str]) -> tuple[Parser, dict[str, Command]]:
    """The parser, which knows everything of the wanted commands, and names the others."""
    parser = Parser(
        prog="ottla",
        description="Apache Kafka, in Python: a broker and its tools.",
        epilog="ottla COMMAND --help tells more about one command.",
    )
    parser.add_argument("--version", action="version", version=f"ottla {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    loaded: dict[str, Command] = {}
    for name, entry in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=entry.help, description=f"Ottla: {entry.help}."
        )
        if name in wanted:
            loaded[name] = command = entry.load()
            command.add_arguments(subparser)
        if name == "completion":
            subparser.set_defaults(tree=lambda: parser_of(COMMANDS)[0])
    return parser, loaded


def _kafka_tool(words: Sequence[str]) -> Callable[[], int] | None:
    """`kafka TOOL ...`, whose words are the tool's own: no parser but the tool's is made."""
    if len(words) < 2 or words[0] != "kafka":
        return None
    from ottla.cli.kafka import TOOLS, run_tool

    name, *rest = words[1:]
    return (lambda: run_tool(name, rest)) if name in TOOLS else None


def _parsed(words: Sequence[str]) -> Callable[[], int]:
    """Exits with 2 for words that make no sense."""
    asked = next((word for word in words if word in COMMANDS), None)
    parser, loaded = parser_of(() if asked is None else (asked,))
    args = parser.parse_args(words)
    assert asked is not None, "argparse has refused a line without a command"
    command = loaded[asked]
    return lambda: command.run(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    run = _kafka_tool(words) or _parsed(words)
    try:
        exit_code = run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read (`| head`) has what they wanted. Python flushes once more at its end: to nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return 0
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
