"""`ottla doctor`: can clients on this machine use the cluster, and if not, why not?

It goes the way a client goes, step by step, up to every broker's advertised address, and says of each
step what it saw; of the first that fails, the way out. Exit code 0: healthy; 4: something is not.

Elsewhere: the steps, `diagnosis.py`.
"""

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import add_bootstrap, addresses, complain
from ottla.cli.tabular import tell_items
from ottla.cli.terminal import colored, width
from ottla.errors import LocalProtocolError

if TYPE_CHECKING:
    from ottla.cli.diagnosis import Finding

UNHEALTHY: Final = 4
_WRONG_USAGE: Final = 2
_COLORS: Final = {"ok": "green", "warning": "yellow", "failed": "red"}
_MARKS: Final = {"ok": "ok", "warning": "WARNING", "failed": "FAILED"}
_INDENT: Final = 21
_LINE_MIN: Final = 40
_LINE_MAX: Final = 100
"""Longer lines are hard to read."""

_EPILOG: Final = """\
examples:
  ottla doctor
  ottla doctor broker.example.com:9092
  ottla doctor broker.example.com:9093 --command-config client.properties
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "bootstrap",
        nargs="?",
        type=addresses,
        metavar="HOST:PORT[,...]",
        help="where to begin (else --bootstrap-server)",
    )
    add_bootstrap(parser)
    parser.add_argument(
        "--command-config", metavar="FILE", help="properties: security.protocol, ssl.*, sasl.*"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    import asyncio

    from ottla.cli.diagnosis import CONNECT_MS_MAX, FAILED, examine
    from ottla.cli.kafka.properties import connection, read_properties

    entries = {"socket.connection.setup.timeout.max.ms": str(CONNECT_MS_MAX)}
    try:
        if args.command_config is not None:
            entries |= read_properties(args.command_config)
        options, security = connection(args.bootstrap or args.bootstrap_server, entries)
    except LocalProtocolError as error:
        complain(f"{error}.")
        return _WRONG_USAGE
    findings: list[Finding] = []
    screen = Screen()

    def report(finding: "Finding") -> None:
        findings.append(finding)
        if not args.json:
            screen.show(finding)

    asyncio.run(examine(options, security, report))
    failures = sum(finding.status == FAILED for finding in findings)
    if args.json:
        tell_items("doctor", [finding._asdict() for finding in findings])
    elif failures:
        print(f"\nUnhealthy: {failures} {'step' if failures == 1 else 'steps'} failed.")
    else:
        print("\nHealthy.")
    return UNHEALTHY if failures else 0


class Screen:
    """Findings as lines; a heading where another address begins."""

    def __init__(self) -> None:
        self._heading: tuple[str, int | None] | None = None
        self._width = width(sys.stdout)

    def show(self, finding: "Finding") -> None:
        heading = (finding.target, finding.broker)
        if heading != self._heading:
            if self._heading is not None:
                print()
            self._heading = heading
            print(_heading(*heading))
        mark = colored(f"{_MARKS[finding.status]:<8}", _COLORS[finding.status], sys.stdout)
        head = f"  {mark} {finding.step:<9} "
        for line in self._wrapped(finding.detail):
            print(f"{head}{line}")
            head = " " * _INDENT
        for line in self._wrapped(f"-> {finding.way_out}" if finding.way_out else ""):
            print(f"{head}{line}")
        sys.stdout.flush()

    def _wrapped(self, text: str) -> list[str]:
        """For a terminal; whoever reads a pipe gets a line."""
        if self._width is None:
            return [text] if text else []
        room = min(_LINE_MAX, max(_LINE_MIN, self._width - _INDENT))
        return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _heading(target: str, broker: int | None) -> str:
    if target == "cluster":
        return "The cluster"
    if broker is None:
        return f"{target} (as asked for)"
    return f"{target} (broker {broker}'s advertised address)"
