"""`ottla topic trim`: the oldest records of partitions are gone.

It is what Kafka's DeleteRecords does: readers begin behind what was trimmed at once, and nothing
brings it back. Elsewhere: where records begin and end, `offsets.py`; everything else about topics, `topic.py`.
"""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, complain, whole_number
from ottla.cli.coordinated import insisting
from ottla.cli.offsets import asked_places
from ottla.cli.positions import named, offsets_at
from ottla.cli.tabular import tell_items
from ottla.cli.terminal import Progress
from ottla.errors import ApiError, ErrorCode
from ottla.limits import LONG_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_TIMEOUT_MS: Final = 30_000


def add_arguments(trim: argparse.ArgumentParser) -> None:
    trim.add_argument("topics", nargs="+", type=named, metavar="NAME[:0,1]")
    before = trim.add_mutually_exclusive_group(required=True)
    before.add_argument(
        "--before", type=whole_number(0, LONG_MAX), metavar="N", help="all before this offset"
    )
    before.add_argument("--all", action="store_true", help="all there are")


async def trim(client: "Client", args: argparse.Namespace) -> int:
    from ottla.client.lookup import LATEST

    places = await asked_places(client, args.topics)
    if places is None:
        return FAILED
    ends: Mapping[Place, int | None] = {}
    if args.all:
        ends = await offsets_at(client, places, LATEST)
    exit_code = 0
    items = []
    progress = Progress(len(places), "partitions")
    for number, (topic, partition) in enumerate(places):
        progress.at(number)
        before = args.before if args.before is not None else ends.get((topic, partition)) or 0
        try:
            first = await insisting(
                client,
                lambda: _trimmed(client, topic, partition, before),  # noqa: B023
            )
        except ApiError as error:
            progress.wipe()
            reason = str(error)
            if error.code == ErrorCode.OFFSET_OUT_OF_RANGE:
                reason = f"it has no offset {before}. See: ottla topic offsets {topic}"
            complain(f"{topic}-{partition} was not trimmed: {reason}")
            exit_code = FAILED
        else:
            progress.wipe()
            items.append({"topic": topic, "partition": partition, "first": first})
            if not args.json:
                print(f"{topic}-{partition} begins with offset {first}.")
    progress.wipe()
    if args.json:
        tell_items("trimmed", items)
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
