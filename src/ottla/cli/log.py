"""`ottla log verify DIR`: is everything in a log directory what was once written there?

Reads every batch, index, snapshot and checkpoint, and prints a line for each that is not as it must
be: file, position, offset, what is wrong; then how much was read, with `--json` on stderr. It writes
nothing, and may run while a broker serves the directory. Exit code 0: all is well; 1: something is not,
or could not be read.

Elsewhere: what is tested, `core/log/scrub.py`.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Final

from ottla.aio.disk import RealDisk
from ottla.cli.bootstrap import FAILED, complain
from ottla.cli.tabular import NOTHING, Item, tell_items
from ottla.core.log.checkpoint import (
    HIGH_WATERMARKS,
    LOG_STARTS,
    RECOVERY_POINTS,
    MalformedFile,
    parse_offsets,
)
from ottla.core.log.scrub import Finding, scrub
from ottla.core.port import Disk
from ottla.core.replica.directory import partition_of

_FILES_OPEN_MAX: Final = 16
_MEBIBYTE: Final = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="test every batch and index of a log directory")
    verify.add_argument("directory", metavar="DIR", help="what --data or log.dirs names")
    verify.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="NAME",
        help="only this topic; may be given several times",
    )
    verify.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Verify, and say what was found."""
    directory: str = os.path.abspath(args.directory)
    topics: list[str] = list(args.topic)
    try:
        disk = RealDisk(directory, descriptors_max=_FILES_OPEN_MAX, read_only=True)
    except OSError as error:
        complain(f"log: {directory} cannot be read: {error.strerror}")
        return FAILED
    try:
        return _verify(disk, directory, topics, as_json=args.json)
    finally:
        disk.close()


def _verify(disk: Disk, root: str, topics: list[str], *, as_json: bool) -> int:
    names = [name for name in disk.names("") if _is_asked_for(name, topics)]
    if not names:
        wanted = f" of {', '.join(topics)}" if topics else ""
        complain(f"log: there is no partition{wanted} in {root}")
        return FAILED
    findings: list[Item] = []
    batches = size_bytes = 0

    def found(finding: Finding) -> None:
        findings.append(_item(root, finding))
        if not as_json:
            print(_line(findings[-1]))

    if not topics:
        for finding in _checkpoints(disk):
            found(finding)
    for name in names:
        try:
            scrubbed = scrub(disk, name)
        except OSError as error:
            found(Finding(name, 0, -1, f"it cannot be read: {error}"))
            continue
        batches += scrubbed.batches
        size_bytes += scrubbed.size_bytes
        for finding in scrubbed.findings:
            found(finding)
    if as_json:
        tell_items("findings", findings)
    partitions = "1 partition" if len(names) == 1 else f"{len(names):,} partitions"
    said = f"{len(findings):,} findings" if len(findings) > 1 else "1 finding"
    print(
        f"{partitions}, {batches:,} sound batches, {size_bytes / _MEBIBYTE:,.1f} MiB: "
        + (said if findings else "all is well"),
        file=sys.stderr if as_json else sys.stdout,
    )
    return FAILED if findings else 0


def _is_asked_for(name: str, topics: list[str]) -> bool:
    partition = partition_of(name)
    return partition is not None and (not topics or partition.topic in topics)


def _checkpoints(disk: Disk) -> Iterator[Finding]:
    for name in (RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS):
        data = disk.read_whole(name)
        if data is not None:
            try:
                parse_offsets(name, data)
            except MalformedFile as error:
                yield Finding(name, 0, -1, str(error))


def _item(root: str, finding: Finding) -> Item:
    return {
        "file": os.path.join(root, finding.path),
        "position": finding.position,
        "offset": None if finding.offset < 0 else finding.offset,
        "problem": finding.problem,
    }


def _line(item: Item) -> str:
    offset = NOTHING if item["offset"] is None else item["offset"]
    return f"{item['file']}  position {item['position']}  offset {offset}  {item['problem']}"
