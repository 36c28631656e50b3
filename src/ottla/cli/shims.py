"""`ottla shims`: files named as Apache Kafka's scripts that run `ottla kafka TOOL`.

Two names for each: with `.sh` as in Apache Kafka's folder and most images, and without as in others.
Nothing that somebody else has put there is replaced, unless told to; what is removed was made here.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ottla.cli.bootstrap import FAILED, complain
from ottla.cli.kafka import TOOLS

_MADE_BY: Final = "# made by: ottla shims install"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    install = actions.add_parser("install", help="make the files")
    install.add_argument("--force", action="store_true", help="replace what somebody else made")
    listing = actions.add_parser("list", aliases=["ls"], help="print those that are there")
    remove = actions.add_parser("remove", aliases=["rm"], help="remove those that were made here")
    for action in (install, listing, remove):
        action.add_argument(
            "directory",
            metavar="DIR",
            nargs="?",
            type=Path,
            default=Path(sys.executable).parent,
            help="where (else beside this Python, which an active environment has on its PATH)",
        )


def run(args: argparse.Namespace) -> int:
    match args.action:
        case "install":
            return _install(args.directory, force=args.force)
        case "list" | "ls":
            for path in _made(args.directory):
                print(path)
            return 0
        case _:
            removed = list(_made(args.directory))
            for path in removed:
                path.unlink()
            print(f"Removed {len(removed)} files from {args.directory}.")
            return 0


def names() -> list[str]:
    return [f"kafka-{tool}{suffix}" for tool in TOOLS for suffix in ("", ".sh")]


def _install(directory: Path, *, force: bool) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        others = [path for path in _paths(directory) if path.exists() and not _is_ours(path)]
        if others and not force:
            complain(
                f"{others[0]} is there already and is not from here; nothing was made. "
                "Name another directory, or replace it with --force."
            )
            return FAILED
        for tool in TOOLS:
            for suffix in ("", ".sh"):
                path = directory / f"kafka-{tool}{suffix}"
                path.unlink(missing_ok=True)  # a link would be written through
                path.write_text(_script(tool))
                path.chmod(0o755)
    except OSError as error:
        complain(f"{error.filename or directory}: {error.strerror}.")
        return FAILED
    print(f"Made {len(names())} files in {directory}, kafka-topics.sh among them.")
    return 0


def _script(tool: str) -> str:
    python = shlex.quote(sys.executable)
    return f'#!/bin/sh\n{_MADE_BY}\nexec {python} -m ottla.cli.main kafka {tool} "$@"\n'


def _paths(directory: Path) -> Iterator[Path]:
    for name in names():
        yield directory / name


def _made(directory: Path) -> Iterator[Path]:
    for path in _paths(directory):
        if path.exists() and _is_ours(path):
            yield path


def _is_ours(path: Path) -> bool:
    try:
        return _MADE_BY.encode() in path.read_bytes()[:200]
    except OSError:
        return False
