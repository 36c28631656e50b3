"""`ottla topic offsets` and `ottla topic trim`: where the records of partitions begin and end.

Trimming is what Kafka's DeleteRecords does: readers begin behind what was trimmed at once, and nothing
brings it back. Elsewhere: everything else about topics, `topic.py`.
"""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, complain, whole_number
from ottla.cli.coordinated import insisting
from ottla.cli.positions import Named, named, offsets_at, places_of
from ottla.cli.tabular import tell
from ottla.client.lookup import EARLIEST, LATEST
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
from ottla.limits import LONG_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_TIMEOUT_MS: Final = 30_000


def add_arguments(offsets: argparse.ArgumentParser, trim: argparse.ArgumentParser) -> None:
    offsets.add_argument(
        "topics", nargs="+", type=named, metavar="NAME[:0,1]", help="which topics or partitions"
    )
    trim.add_argument("topics", nargs="+", type=named, metavar="NAME[:0,1]")
    before = trim.add_mutually_exclusive_group(required=True)
    before.add_argument(
        "--before", type=whole_number(0, LONG_MAX), metavar="N", help="all before this offset"
    )
    before.add_argument("--all", action="store_true", help="all there are")


async def offsets(client: "Client", args: argparse.Namespace) -> int:
    places = await _places(client, args.topics)
    if places is None:
        return FAILED
    firsts = await offsets_at(client, places, EARLIEST)
    ends = await offsets_at(client, places, LATEST)
    rows = [(*place, firsts.get(place), ends.get(place)) for place in places]
    tell("offsets", ("TOPIC", "PARTITION", "FIRST", "END"), rows, as_json=args.json)
    return 0


async def trim(client: "Client", args: argparse.Namespace) -> int:
    places = await _places(client, args.topics)
    if places is None:
        return FAILED
    ends: Mapping[Place, int | None] = {}
    if args.all:
        ends = await offsets_at(client, places, LATEST)
    exit_code = 0
    for topic, partition in places:
        before = args.before if args.before is not None else ends.get((topic, partition)) or 0
        try:
            first = await insisting(
                client,
                lambda: _trimmed(client, topic, partition, before),  # noqa: B023
            )
        except ApiError as error:
            reason = str(error)
            if error.code == ErrorCode.OFFSET_OUT_OF_RANGE:
                reason = f"it has no offset {before}. See: ottla topic offsets {topic}"
            complain(f"{topic}-{partition} was not trimmed: {reason}")
            exit_code = FAILED
        else:
            print(f"{topic}-{partition} begins with offset {first}.")
    return exit_code


async def _trimmed(client: "Client", topic: str, partition: int, before: int) -> int:
    """The first offset afterwards."""
    from ottla.client.admin import delete_records_request, first_offset_untrusted
    from ottla.wire.api import DELETE_RECORDS
    from ottla.wire.message.delete_records import DeleteRecordsResponse

    leader_id = client.cluster.leader_of(topic, partition)
    if leader_id is None:
        await client.refresh([topic])
        raise ApiError(ErrorCode.LEADER_NOT_AVAILABLE)
    request = delete_records_request(topic, partition, before, _TIMEOUT_MS)
    response = await client.ask(leader_id, DELETE_RECORDS, request)
    assert isinstance(response, DeleteRecordsResponse)
    return first_offset_untrusted(topic, partition, response)


async def _places(client: "Client", wanted: list[Named]) -> "list[Place] | None":
    try:
        return await places_of(client, wanted)
    except LocalProtocolError as error:
        complain(f"{_sentence(str(error))}.")
    except ApiError as error:
        if error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise
        complain(f"{_sentence(str(error.message))} does not exist. See: ottla topic list")
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
