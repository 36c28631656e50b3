"""kafka-delete-records: records before given offsets are deleted, as a JSON file says."""

import argparse
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import told
from ottla.cli.kafka.flags import Flags
from ottla.cli.kafka.plans import offsets_untrusted, read_file
from ottla.cli.kafka.refusals import said_with_name
from ottla.errors import ApiError, ErrorCode
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ottla.aio.admin import Admin
    from ottla.wire.message.delete_records import DeleteRecordsRequest

_TIMEOUT_MS: Final = 30_000


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.value("--offset-json-file", required=True, help="which partitions, before which offset")
    flags.command_config()


def run(args: argparse.Namespace) -> int:
    return told(args, lambda admin: _delete(admin, args.offset_json_file))


async def _delete(admin: "Admin", path: str) -> int:
    from ottla.wire.message.delete_records import (
        DeleteRecordsPartition,
        DeleteRecordsRequest,
        DeleteRecordsResponse,
        DeleteRecordsTopic,
    )

    before = offsets_untrusted(read_file(path))

    def make(parts: "Mapping[str, list[int]]") -> "DeleteRecordsRequest":
        topics = [
            DeleteRecordsTopic(
                topic,
                [DeleteRecordsPartition(one, before[TopicPartition(topic, one)]) for one in ids],
            )
            for topic, ids in parts.items()
        ]
        return DeleteRecordsRequest(topics, _TIMEOUT_MS)

    print("Executing records delete operation")
    print("Records delete operation completed:")
    for place in sorted(before):
        name = f"{place.topic}-{place.partition}"
        try:
            for answer in await admin.led([place], make, DeleteRecordsResponse):
                part = answer.topics[0].partitions[0]
                if part.error_code != ErrorCode.NONE:
                    raise ApiError(part.error_code)
                print(f"partition: {name}\tlow_watermark: {part.low_watermark}")
        except ApiError as error:
            print(f"partition: {name}\terror: {said_with_name(error)}")
    return 0
