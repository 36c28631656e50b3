"""kafka-storage: ids made, log directories told and formatted.

`ottla serve` makes what is missing by itself; formatting decides the cluster's id beforehand, as Kafka's
quick start does.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from ottla.cli.kafka.flags import FAILED, Flags, Refused, require
from ottla.cli.kafka.properties import read_properties
from ottla.cli.kafka.refusals import said
from ottla.errors import LocalProtocolError, OttlaError
from ottla.types import uuid_to_text

_COMMANDS: Final = ("info", "format", "version-mapping", "feature-dependencies", "random-uuid")
_IDENTITY: Final = "meta.properties"


def add_flags(flags: Flags) -> None:
    flags.words("command", help=" | ".join(_COMMANDS))
    flags.value("--config", "-c", help="the broker's properties file")
    flags.value("--cluster-id", "-t", help="format: the cluster's id")
    flags.switch("--ignore-formatted", "-g", help="format: no fault if it is done")
    flags.value("--release-version", "-r", help="a release, as 4.3")
    flags.value("--feature", "-f", repeated=True, help="name=level")
    flags.value("--add-scram", "-S", repeated=True, help="format: a user's password")
    flags.switch("--standalone", "-s", help="format: the only controller")
    flags.switch("--no-initial-controllers", "-N", help="format: controllers are elsewhere")
    flags.value("--initial-controllers", "-I", help="format: the first controllers")


def run(args: argparse.Namespace) -> int:
    command = args.command[0] if args.command else ""
    if command not in _COMMANDS:
        raise Refused(f"invalid choice: '{command}' (choose from {', '.join(_COMMANDS)})")
    try:
        match command:
            case "random-uuid":
                print(random_uuid())
                return 0
            case "version-mapping":
                from ottla.cli.kafka.releases import LATEST, mapping_lines

                print("\n".join(mapping_lines(args.release_version or LATEST)))
                return 0
            case "feature-dependencies":
                from ottla.cli.kafka.features import dependency_lines

                print("\n".join(line for text in args.feature for line in dependency_lines(text)))
                return 0
            case "info":
                require(args, "config")
                return _info(directories(read_properties(args.config)))
            case _:
                require(args, "config", "cluster-id")
                return _format(args)
    except OttlaError as error:
        print(said(error), file=sys.stderr)
        return FAILED


def random_uuid() -> str:
    """As Kafka's: no reserved one, and none that looks like a flag."""
    while True:
        text = uuid_to_text(os.urandom(16))
        if not text.startswith("-") and any(
            uuid_number for uuid_number in text if uuid_number != "A"
        ):
            return text


def directories(settings: dict[str, str]) -> list[str]:
    """Of a broker's settings, without those named twice."""
    named = settings.get("log.dirs") or settings.get("log.dir") or "/tmp/kafka-logs"
    found = [part.strip() for part in named.split(",") if part.strip()]
    metadata = settings.get("metadata.log.dir")
    return sorted({*found, *([metadata] if metadata else [])})


def _info(paths: list[str]) -> int:
    there = [path for path in paths if Path(path).is_dir()]
    problems = []
    known: dict[str, dict[str, str]] = {}
    for path in paths:
        if path not in there:
            problems.append(f"{path} does not exist")
        elif not (Path(path) / _IDENTITY).exists():
            problems.append(f"{path} is not formatted.")
        else:
            known[path] = read_properties(str(Path(path) / _IDENTITY))
    if there:
        print(f"Found log director{'y' if len(there) == 1 else 'ies'}:")
        for path in there:
            print(f"  {path}")
        print()
    if known:
        entries = ", ".join(
            f"{key}={value}" for key, value in sorted(next(iter(known.values())).items())
        )
        print(f"Found metadata: {{{entries}}}")
        print()
    if problems:
        print(f"Found problem{'' if len(problems) == 1 else 's'}:")
        for problem in problems:
            print(f"  {problem}")
        print()
    return FAILED if problems else 0


def _format(args: argparse.Namespace) -> int:
    from ottla.aio.disk import SystemEntropy
    from ottla.aio.log_directory import CannotStart, claim
    from ottla.cli.kafka.releases import LATEST, level_of
    from ottla.types import uuid_from_text

    try:
        uuid_from_text(args.cluster_id)
    except ValueError as error:
        raise LocalProtocolError(f"--cluster-id: {error}") from None
    level_of(args.release_version or LATEST)
    settings = read_properties(args.config)
    paths = directories(settings)
    formatted = [path for path in paths if (Path(path) / _IDENTITY).exists()]
    if formatted and not args.ignore_formatted:
        raise LocalProtocolError(
            f"Log directory {formatted[0]} is already formatted. Use --ignore-formatted to ignore "
            "this directory and format the others."
        )
    missing = [path for path in paths if path not in formatted]
    if not missing:
        print("All of the log directories are already formatted.")
    for path in missing:
        try:
            directory = claim(path)
            try:
                directory.identify(
                    SystemEntropy(), node_id=_node_id(settings), cluster_id=args.cluster_id
                )
            finally:
                directory.release()
        except CannotStart as error:
            raise LocalProtocolError(str(error)) from None
        print(f"Formatting directory {path} with metadata.version {LATEST}.")
    return 0


def _node_id(settings: dict[str, str]) -> int | None:
    text = settings.get("node.id") or settings.get("broker.id")
    try:
        return None if text is None else int(text)
    except ValueError:
        raise LocalProtocolError(f"node.id={text}: a whole number is expected") from None
