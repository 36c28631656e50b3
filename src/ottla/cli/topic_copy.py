"""`ottla topic copy FROM TO`: the records that a topic has now are in another topic too.

Keys, values, headers and timestamps are kept, and partitions, unless `--by-key` lets the keys choose
them anew; offsets are not, because a log counts its own. Records of aborted or open transactions are not
copied. A topic that is not there is made, with as many partitions and the same settings.

What was copied when something goes wrong stays; the command says how many records that are.
"""

import argparse
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, addresses, complain
from ottla.cli.terminal import Progress
from ottla.errors import ApiError, ErrorCode
from ottla.limits import FRAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.aio.producer import Producer
    from ottla.client.metadata import TopicView
    from ottla.client.produce.batch import RecordBatch
    from ottla.types import TopicPartition

_POLL_MS: Final = 500
_POLL_RECORDS: Final = 5_000
_CREATION_MS_MAX: Final = 30_000
_UNKNOWN_MS_MAX: Final = 1_000
_BATCH_BYTES: Final = 256 * 1024
_SILENCE_MS_MAX: Final = 30_000
_WRONG_USAGE: Final = 2

_EPILOG: Final = """\
examples:
  ottla topic copy orders orders-backup
  ottla topic copy orders orders --to test.example.com:9092
  ottla topic copy orders orders-by-key --by-key
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    parser.add_argument(
        "--to",
        type=addresses,
        metavar="HOST:PORT[,...]",
        help="the cluster of the copy (else the same)",
    )
    parser.add_argument(
        "--by-key",
        action="store_true",
        help="let the keys choose the partitions, where there are more or fewer than before",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


async def copy(client: "Client", args: argparse.Namespace) -> int:
    """The exit code."""
    if args.to is None:
        if args.source == args.target:
            complain("A topic cannot be copied onto itself: name another one, or --to HOST:PORT.")
            return _WRONG_USAGE
        return await _copied(client, client, args)
    from ottla.aio.client import Client
    from ottla.client.options import ConnectionOptions

    async with Client(ConnectionOptions(bootstrap=tuple(args.to))) as other:
        await other.refresh(())
        await client.refresh(())
        is_one = other.cluster.cluster_id == client.cluster.cluster_id is not None
        if is_one and args.source == args.target:
            complain("A topic cannot be copied onto itself: --to is the same cluster.")
            return _WRONG_USAGE
        return await _copied(client, other, args)


async def _copied(client: "Client", other: "Client", args: argparse.Namespace) -> int:
    from ottla.aio.consumer import Consumer
    from ottla.aio.producer import Producer
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.produce.options import ProducerOptions
    from ottla.types import TopicPartition

    view = await _existing(client, args.source)
    if view is None:
        complain(f"Topic '{args.source}' does not exist. See: ottla topic list")
        return FAILED
    target = await _existing(other, args.target)
    if target is None:
        target = await _made(client, other, view, args.target)
        if not args.json:
            complain(f"Topic '{args.target}' did not exist; it was made like '{view.name}'.")
    count = len(target.partitions)
    if len(view.partitions) > count and not args.by_key:
        complain(
            f"'{view.name}' has {len(view.partitions)} partitions, '{args.target}' {count}: the records "
            "of the others have no place. Say --by-key to let their keys choose."
        )
        return FAILED
    failed: list[RecordBatch] = []

    def keep(batch: "RecordBatch") -> None:
        if batch.error is not None:
            failed.append(batch)

    reads = ConsumerOptions(
        isolation="read_committed", offset_reset="earliest", poll_records_max=_POLL_RECORDS
    )
    writes = ProducerOptions(batch_size=_BATCH_BYTES, max_request_size=FRAME_BYTES_MAX)
    places = [TopicPartition(view.name, part.partition) for part in view.partitions]
    async with (
        Consumer(client, reads) as consumer,
        Producer(other, writes, on_done=keep) as producer,
    ):
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        firsts = await consumer.beginning_offsets(places)
        for place, first in firsts.items():
            consumer.seek(place, first)
        reason = await _moved(consumer, producer, firsts, ends, args, failed)
        acknowledged = producer.acknowledged_count
    _tell(args, acknowledged, len(places))
    if failed and reason is None:
        reason = str(failed[0].error)
    if reason is not None:
        complain(f"The copy is not complete: {reason}.")
    return FAILED if reason is not None else 0


def _tell(args: argparse.Namespace, count: int, partitions: int) -> None:
    if args.json:
        from ottla.cli.tabular import tell_items

        item = {"from": args.source, "to": args.target, "records": count, "partitions": partitions}
        tell_items("copy", [item])
    else:
        print(f"Copied {count:,} records of {args.source} to {args.target}.")


async def _moved(
    consumer: "Consumer",
    producer: "Producer",
    firsts: "Mapping[TopicPartition, int]",
    ends: "Mapping[TopicPartition, int]",
    args: argparse.Namespace,
    failed: "list[RecordBatch]",
) -> str | None:
    """Everything below `ends` was sent, and its fate is known; else why not."""
    import asyncio

    from ottla.client.produce.batch import Draft

    loop = asyncio.get_running_loop()
    total = sum(ends[place] - first for place, first in firsts.items())
    left = {place for place, end in ends.items() if firsts[place] < end}
    progress = Progress(total, "offsets")
    heard_at = loop.time()
    reason = None
    while left and not failed:
        found = await consumer.poll(_POLL_MS)
        for place, records in found.items():
            drafts = [
                Draft(one.value, one.key, tuple(one.headers), one.timestamp)
                for one in records
                if one.offset < ends[place]
            ]
            if drafts:
                partition = None if args.by_key else place.partition
                await producer.send_batch(args.target, drafts, partition)
        before = len(left)
        at = {place: await consumer.position(place) for place in left}
        left = {place for place, offset in at.items() if offset < ends[place]}
        consumer.pause(at.keys() - left)
        waiting = sum(ends[place] - at[place] for place in left)
        progress.at(total - waiting)
        if found or len(left) < before:
            heard_at = loop.time()
        elif (loop.time() - heard_at) * 1000 > _SILENCE_MS_MAX:
            place = min(left)
            reason = (
                f"{place} gave nothing from offset {at[place]} for {_SILENCE_MS_MAX:,} ms "
                f"({consumer.trouble or 'is a transaction still open there?'})"
            )
            break
    await producer.flush()
    progress.wipe()
    return reason


async def _existing(client: "Client", name: str) -> "TopicView | None":
    """Raises ApiError for what else keeps it from being used."""
    try:
        return await client.wait_for_topic(
            name, create_missing=False, unknown_ms_max=_UNKNOWN_MS_MAX
        )
    except ApiError as error:
        if error.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            return None
        raise


async def _made(client: "Client", other: "Client", like: "TopicView", name: str) -> "TopicView":
    from ottla.cli.topic_describe import overrides
    from ottla.client.admin import BROKER_DEFAULT, NewTopic, check_created_untrusted, create_request
    from ottla.wire.api import CREATE_TOPICS
    from ottla.wire.message.create_topics import CreateTopicsResponse

    configs = await overrides(client, [like.name])
    topic = NewTopic(
        name=name,
        partition_count=len(like.partitions),
        replication_factor=BROKER_DEFAULT,
        configs=dict(configs.get(like.name, ())),
    )
    response = await other.ask_controller(CREATE_TOPICS, create_request(topic, _CREATION_MS_MAX))
    assert isinstance(response, CreateTopicsResponse)
    check_created_untrusted(name, response)
    return await other.wait_for_topic(name, create_missing=False, unknown_ms_max=_CREATION_MS_MAX)
