"""kafka-log-dirs: what is in brokers' log directories, as one line of JSON after two of text."""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from ottla.cli.kafka.ask import asked
from ottla.cli.kafka.flags import FAILED, Flags, require
from ottla.cli.kafka.java_text import Json, java_json
from ottla.cli.kafka.refusals import exception_name, said
from ottla.errors import ErrorCode, LocalProtocolError, OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.describe_log_dirs import DescribeLogDirsResult


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.command_config()
    flags.switch("--describe", help="tell what is in the directories")
    flags.value("--topic-list", default="", help="names with commas between; else all")
    flags.value("--broker-list", default="", help="ids with commas between; else all")


def run(args: argparse.Namespace) -> int:
    require(args, "describe")
    try:
        return asked(args, lambda admin: _describe(admin, args), client_id="log-dirs-tool")
    except OttlaError as error:
        print(said(error), file=sys.stderr)
        return FAILED


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.describe_log_dirs import (
        DescribeLogDirsRequest,
        DescribeLogDirsResponse,
    )

    try:
        wanted = [int(part) for part in args.broker_list.split(",") if part]
    except ValueError:
        raise LocalProtocolError(
            f"--broker-list {args.broker_list}: broker ids are expected, with commas between"
        ) from None
    there = await admin.brokers()
    missing = [one for one in wanted if one not in there]
    if missing:
        raise LocalProtocolError(
            f"ERROR: The given brokers do not exist from --broker-list: {_listed(missing)}. Current "
            f"existent brokers: {_listed(there)}"
        )
    brokers = sorted(set(wanted)) or there
    print("Querying brokers for log directories information")
    answers = await admin.each(
        DescribeLogDirsRequest(topics=None), DescribeLogDirsResponse, brokers
    )
    print(f"Received log directory information from brokers {_listed(brokers)}")
    topics = {part for part in args.topic_list.split(",") if part}
    print(as_json({broker: answer.results for broker, answer in answers.items()}, topics))
    return 0


def as_json(
    directories: "Mapping[int, Sequence[DescribeLogDirsResult]]", topics: Collection[str]
) -> str:
    """`topics` empty: all."""
    brokers: list[Json] = []
    for broker, results in directories.items():
        log_dirs: list[Json] = []
        for result in results:
            partitions: list[Json] = [
                {
                    "partition": f"{topic.name}-{part.partition_index}",
                    "size": part.partition_size,
                    "offsetLag": part.offset_lag,
                    "isFuture": part.is_future_key,
                }
                for topic in sorted(result.topics, key=lambda one: one.name)
                for part in sorted(topic.partitions, key=lambda one: one.partition_index)
                if not topics or topic.name in topics
            ]
            code = result.error_code
            error = None if code == ErrorCode.NONE else exception_name(code)
            log_dirs.append({"partitions": partitions, "error": error, "logDir": result.log_dir})
        brokers.append({"broker": broker, "logDirs": log_dirs})
    return java_json({"brokers": brokers, "version": 1})


def _listed(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))
