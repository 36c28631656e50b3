"""kafka-leader-election: the preferred replica, or any that is left, becomes the leader."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, is_said, number
from ottla.cli.kafka.plans import places_untrusted, read_file
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_TYPES: Final = {"preferred": 0, "unclean": 1}
_SCOPES: Final = ("topic", "all-topic-partitions", "path-to-json-file")
_TIMEOUT_MS: Final = 30_000


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.command_config("--admin.config")
    flags.value("--election-type", help="preferred, or unclean")
    flags.value("--topic", help="of one partition")
    flags.value("--partition", kind=number, help="its number")
    flags.value("--path-to-json-file", help="which partitions")
    flags.switch("--all-topic-partitions", help="all that need one")


def run(args: argparse.Namespace) -> int:
    try:
        kind, places = wanted(args)
        return asked(args, lambda admin: _elect(admin, kind, places), api_ms_max=_TIMEOUT_MS)
    except OttlaError as error:
        print(said(error), file=sys.stderr)
        return FAILED


def wanted(args: argparse.Namespace) -> tuple[str, list[TopicPartition] | None]:
    """Raises LocalProtocolError for flags that do not say it. None: all partitions."""
    if args.election_type is None:
        raise LocalProtocolError("Missing required option(s): election-type")
    kind = args.election_type.lower()
    if kind not in _TYPES:
        raise LocalProtocolError(
            f"Cannot parse argument '{args.election_type}' of option election-type: preferred or "
            "unclean is expected"
        )
    if sum(is_said(args, name) for name in _SCOPES) != 1:
        raise LocalProtocolError(
            f"One and only one of the following options is required: {', '.join(_SCOPES)}"
        )
    if args.all_topic_partitions:
        return kind, None
    if args.path_to_json_file is not None:
        return kind, places_untrusted(read_file(args.path_to_json_file))
    if args.partition is None:
        raise LocalProtocolError("Missing required option(s): partition")
    return kind, [TopicPartition(args.topic, args.partition)]


async def _elect(admin: "Admin", kind: str, places: list[TopicPartition] | None) -> int:
    from ottla.wire.message.elect_leaders import (
        ElectLeadersRequest,
        ElectLeadersResponse,
        TopicPartitions,
    )

    topics: dict[str, list[int]] = {}
    for place in places or ():
        topics.setdefault(place.topic, []).append(place.partition)
    request = ElectLeadersRequest(
        election_type=_TYPES[kind],
        topic_partitions=None
        if places is None
        else [TopicPartitions(topic, ids) for topic, ids in topics.items()],
        timeout_ms=_TIMEOUT_MS,
    )
    answer = await admin.controller(request, ElectLeadersResponse)
    check(answer.error_code)
    results = {
        TopicPartition(topic.topic, part.partition_id): (part.error_code, part.error_message)
        for topic in answer.replica_election_results
        for part in topic.partition_result
    }
    done = [place for place, (code, _) in results.items() if code == ErrorCode.NONE]
    needless = [place for place, (code, _) in results.items() if code == _NOT_NEEDED]
    if done:
        print(
            f"Successfully completed leader election ({kind.upper()}) for partitions {_names(done)}"
        )
    if needless:
        print(f"Valid replica already elected for partitions {_names(needless)}")
    failed = sorted(results.keys() - {*done, *needless})
    for place in failed:
        code, message = results[place]
        print(
            f"Error completing leader election ({kind.upper()}) for partition: {_names([place])}: "
            f"{said_with_name(ApiError(code, message))}"
        )
    if failed:
        raise LocalProtocolError(f"{len(failed)} replica(s) could not be elected")
    return 0


_NOT_NEEDED: Final = ErrorCode.ELECTION_NOT_NEEDED


def _names(places: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{place.topic}-{place.partition}" for place in sorted(places))
