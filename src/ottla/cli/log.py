"""`ottla log verify DIR`: is everything in a log directory what was once written there?

Reads every batch, index, snapshot and checkpoint, and prints a line for each that is not as it must
be: file, position, offset, what is wrong. It writes nothing, and may run while a broker serves the
directory. Exit code 0: all is well; 1: something is not, or could not be read.

Elsewhere: what is tested, `core/log/scrub.py`.
"""

import argparse
import os
from collections.abc import Iterator
from typing import Final

from ottla.aio.disk import RealDisk
from ottla.cli.bootstrap import FAILED, complain
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
        return _verify(disk, directory, topics)
    finally:
        disk.close()


def _verify(disk: Disk, root: str, topics: list[str]) -> int:
    names = [name for name in disk.names("") if _is_asked_for(name, topics)]
    if not names:
        wanted = f" of {', '.join(topics)}" if topics else ""
        complain(f"log: there is no partition{wanted} in {root}")
        return FAILED
    findings = batches = size_bytes = 0
    if not topics:
        for finding in _checkpoints(disk):
            findings += 1
            _show(root, finding)
    for name in names:
        try:
            scrubbed = scrub(disk, name)
        except OSError as error:
            findings += 1
            _show(root, Finding(name, 0, -1, f"it cannot be read: {error}"))
            continue
        batches += scrubbed.batches
        size_bytes += scrubbed.size_bytes
        findings += len(scrubbed.findings)
        for finding in scrubbed.findings:
            _show(root, finding)
    print(
        f"{len(names):,} partitions, {batches:,} sound batches, {size_bytes / _MEBIBYTE:,.1f} MiB: "
        + (f"{findings:,} findings" if findings else "all is well")
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


def _show(root: str, finding: Finding) -> None:
    offset = "-" if finding.offset < 0 else str(finding.offset)
    print(
        f"{os.path.join(root, finding.path)}  position {finding.position}  offset {offset}  "
        f"{finding.problem}"
    )
