"""`kafka-e2e-latency`: the time from sending a record to having read it, one at a time.

The producer lingers for nothing and the consumer waits for nothing. The words it once took in a fixed
order, without flags, are still understood.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import (
    Settings,
    consumer_options,
    producer_options,
    run_data,
    settings,
)
from ottla.cli.kafka.flags import FAILED, Flags, Refused, require
from ottla.cli.kafka.java_text import java_double, java_rounded
from ottla.errors import ErrorCode, LocalProtocolError, OttlaError
from ottla.limits import INT_MAX, LONG_MAX
from ottla.record.record import Headers
from ottla.types import TopicPartition

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.consumer import Consumer
    from ottla.client.consume.record import ConsumedRecord

_POLL_MS_MAX: Final = 60_000
_NANOSECONDS: Final = 1_000_000
_TOLD_EVERY: Final = 1_000
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORDS: Final = (
    "bootstrap_server",
    "topic",
    "num_records",
    "producer_acks",
    "record_size",
    "command_config",
)
_OLD: Final = (
    "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please "
    "use named arguments instead: --bootstrap-server, --topic, --num-records, --producer-acks, "
    "--record-size, --command-config"
)


class Sent(NamedTuple):
    key: bytes | None
    value: bytes
    headers: Headers


def add_flags(flags: Flags) -> None:
    flags.bootstrap(required=False)
    flags.value("--topic", help="the topic to use; made if it is not there")
    flags.value("--num-records", kind=whole_number(1, INT_MAX), help="how many records")
    flags.value("--producer-acks", help="1 or all")
    flags.value("--record-size", kind=whole_number(0, INT_MAX), help="of values, in bytes")
    for name, low, what in (
        ("record-key-size", 0, "of keys, in bytes; 0: there is none"),
        ("num-headers", 0, "how many headers"),
        ("record-header-key-size", 0, "of headers' names, in bytes"),
        ("record-header-size", -1, "of headers' values, in bytes; -1: null"),
    ):
        flags.value(f"--{name}", default="0", kind=whole_number(low, INT_MAX), help=what)
    flags.command_config()
    flags.words("words", help="the same without flags, as once: server topic n acks size [file]")


def run(args: argparse.Namespace) -> int:
    if args.words:
        _take_words(args, args.words)
    require(args, *(word.replace("_", "-") for word in _WORDS[:-1]))
    if args.producer_acks not in ("1", "all"):
        raise Refused(
            "Latency testing requires synchronous acknowledgement. Please use '1' or 'all'."
        )
    try:
        entries = settings(args.command_config)
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED

    async def work(client: "Client") -> int:
        return await _measure(client, entries, args)

    return run_data(args.bootstrap_server, entries, work, client_id="ottla")


def _take_words(args: argparse.Namespace, words: Sequence[str]) -> None:
    """The old form becomes the new one. Raises Refused."""
    if not 5 <= len(words) <= 6:
        raise Refused(
            f"Invalid number of arguments. Expected 5 or 6 positional arguments, but got {len(words)}. "
            "Usage: bootstrap-server topic num-records producer-acks record-size [optional] "
            "command-config"
        )
    print(_OLD, file=sys.stderr)
    try:
        counts = {at: whole_number(0, LONG_MAX)(words[at]) for at in (2, 4)}
    except argparse.ArgumentTypeError as error:
        raise Refused(str(error)) from None
    for at, (name, word) in enumerate(zip(_WORDS, words, strict=False)):
        setattr(args, name, counts.get(at, word))


async def _measure(client: "Client", entries: Settings, args: argparse.Namespace) -> int:
    from ottla.aio.consumer import Consumer
    from ottla.aio.producer import Producer

    topic: str = args.topic
    await _ensure(client, topic)
    reading = entries | {
        "group.id": f"test-group-{time.time_ns() // _NANOSECONDS}",
        "enable.auto.commit": "false",
        "fetch.max.wait.ms": "0",
    }
    sending = entries | {"linger.ms": "0", "acks": args.producer_acks}
    took_ns: list[int] = []
    async with (
        Consumer(client, consumer_options(reading)) as consumer,
        Producer(client, producer_options(sending)) as producer,
    ):
        view = await producer.topic(topic)
        places = [TopicPartition(topic, part.partition) for part in view.partitions]
        consumer.assign(places)
        consumer.seek_to_end(places)
        for place in places:
            await consumer.position(place)
        chance = random.Random(0)
        for index in range(args.num_records):
            sent = _draw(chance, args)
            began_ns = time.perf_counter_ns()
            await (await producer.send(topic, sent.value, sent.key, sent.headers))
            found = await consumer.poll(_POLL_MS_MAX)
            ended_ns = time.perf_counter_ns()
            await _check(consumer, sent, [one for some in found.values() for one in some])
            took_ns.append(ended_ns - began_ns)
            if index % _TOLD_EVERY == 0:
                print(f"{index}\t{java_double(took_ns[-1] / 1000.0 / 1000.0)}", flush=True)
        for line in results(took_ns):
            print(line)
        await consumer.commit()
    return 0


async def _ensure(client: "Client", topic: str) -> None:
    """The topic is there, made if need be."""
    from ottla.aio.admin import Admin
    from ottla.client.admin import NewTopic, check_created_untrusted, create_request
    from ottla.wire.message.create_topics import CreateTopicsResponse

    cluster = await client.refresh([topic], create_missing=False)
    view = cluster.topics.get(topic)
    if view is not None and view.error_code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return
    print(
        f'Topic "{topic}" does not exist. Will create topic with 1 partition(s) and replication '
        "factor = 1"
    )
    request = create_request(NewTopic(name=topic, partition_count=1, replication_factor=1), 30_000)
    try:
        response = await Admin(client).controller(request, CreateTopicsResponse)
        check_created_untrusted(topic, response)
    except OttlaError:
        print(f"Creation of topic {topic} failed")
        raise


def _draw(chance: random.Random, args: argparse.Namespace) -> Sent:
    def text(size: int) -> bytes:
        return bytes([chance.choice(_LETTERS)]) * size

    headers = tuple(
        (
            text(args.record_header_key_size).decode(),
            None if args.record_header_size < 0 else text(args.record_header_size),
        )
        for _ in range(args.num_headers)
    )
    return Sent(
        text(args.record_key_size) if args.record_key_size else None,
        text(args.record_size),
        headers,
    )


async def _check(consumer: "Consumer", sent: Sent, read: "Sequence[ConsumedRecord]") -> None:
    """What was sent is what was read, once. Raises LocalProtocolError, having committed."""
    problem = None
    if not read:
        problem = f"poll() timed out before finding a result (timeout:[{_POLL_MS_MAX}ms])"
    elif (read[0].key, read[0].value, tuple(read[0].headers)) != sent:
        problem = (
            f"The message read [{read[0].value!r}] did not match the message sent [{sent.value!r}]"
        )
    elif len(read) != 1:
        problem = f"Only one result was expected during this test. We found [{len(read)}]"
    if problem is not None:
        await consumer.commit()
        raise LocalProtocolError(problem)


def results(took_ns: Sequence[int]) -> list[str]:
    average_ms = sum(took_ns) / len(took_ns) / 1000.0 / 1000.0
    whole_ms = sorted(one // _NANOSECONDS for one in took_ns)
    p50, p99, p999 = (whole_ms[int(len(whole_ms) * part)] for part in (0.5, 0.99, 0.999))
    return [
        f"Avg latency: {java_rounded(average_ms, 4)} ms",
        f"Percentiles: 50th = {p50}, 99th = {p99}, 99.9th = {p999}",
    ]
