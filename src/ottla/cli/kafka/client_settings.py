"""Kafka's client configurations, by their dotted names, as our producer and consumer take them.

They come from a file, from `key=value` words and from flags of their own; what is nearest to the user
counts. Names without meaning here are passed over, as Kafka passes over what it does not know.

`run_data` runs what moves records: until it is done, or until Ctrl-C or SIGTERM, after which it may
tidy up; the exit code is then that of a Java process (130, 143).

Elsewhere: TLS, SASL and time-outs, `properties.py`.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ottla.cli.bootstrap import addresses, explained
from ottla.cli.kafka.flags import FAILED, Refused
from ottla.cli.kafka.properties import connection, read_properties
from ottla.cli.kafka.refusals import said
from ottla.client.consume.options import (
    COOPERATIVE_STICKY,
    RANGE,
    ROUND_ROBIN,
    STICKY,
    ConsumerOptions,
    Isolation,
)
from ottla.client.produce.options import ACKS_ALL, IN_FLIGHT_MAX, ProducerOptions
from ottla.client.produce.partitioner import RoundRobin
from ottla.errors import LocalProtocolError, OttlaError

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.options import ConnectionOptions

Settings = dict[str, str]

_BOOTSTRAP_MS_MAX: Final = 4_000
"""How long the first answer of any broker may take; then there is none, and that is said."""
_SIGNALED: Final = 128
_LINGER_MS: Final = 5
"""Of Kafka's producer since 4.0."""
_CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_ACKS: Final = {"all": ACKS_ALL, "-1": ACKS_ALL, "0": 0, "1": 1}
_ASSIGNORS: Final = {
    "RangeAssignor": RANGE,
    "RoundRobinAssignor": ROUND_ROBIN,
    "StickyAssignor": STICKY,
    "CooperativeStickyAssignor": COOPERATIVE_STICKY,
}


def settings(file: str | None, *words: Iterable[str]) -> Settings:
    """The entries of a file, and over them `key=value` words. Raises LocalProtocolError, Refused."""
    found: Settings = {} if file is None else read_properties(file)
    for some in words:
        for word in some:
            name, equals, value = word.partition("=")
            if not equals or not name:
                raise Refused(f"Invalid command line properties: {word}")
            found[name] = value
    return found


def separated(words: Iterable[str]) -> list[str]:
    """`key=value` words, however they were said: apart, in one word with commas, or with blanks.

    A comma divides where a name and an equals sign follow: `a=1,b=2` is two, `a=1,2` one.
    """
    found: list[str] = []
    for word in words:
        for part in word.split():
            for piece in part.split(","):
                if "=" in piece or not found:
                    found.append(piece)
                else:
                    found[-1] += f",{piece}"
    return found


def producer_options(entries: Mapping[str, str]) -> ProducerOptions:
    """Raises LocalProtocolError for a value that cannot be.

    Idempotence is given up, as in Kafka, where other settings rule it out and nobody asked for it.
    """
    plain = ProducerOptions()
    codec = entries.get("compression.type", "none")
    level = f"compression.{codec}.level"
    acks = _choice(entries, "acks", "all", _ACKS)
    retries = _number(entries, "retries", plain.retries)
    in_flight = _number(entries, "max.in.flight.requests.per.connection", plain.max_in_flight)
    can_be_idempotent = acks == ACKS_ALL and retries > 0 and in_flight <= IN_FLIGHT_MAX
    partitioner = entries.get("partitioner.class", "")
    return ProducerOptions(
        acks=acks,
        codec=_choice(entries, "compression.type", "none", _CODECS),
        level=_number(entries, level, 0) if level in entries else None,
        retries=retries,
        max_in_flight=in_flight,
        enable_idempotence=_switch(entries, "enable.idempotence", can_be_idempotent),
        partitioner=RoundRobin() if partitioner.endswith("RoundRobinPartitioner") else None,
        transactional_id=entries.get("transactional.id"),
        linger_ms=_number(entries, "linger.ms", _LINGER_MS),
        batch_size=_number(entries, "batch.size", plain.batch_size),
        buffer_memory=_number(entries, "buffer.memory", plain.buffer_memory),
        max_request_size=_number(entries, "max.request.size", plain.max_request_size),
        delivery_timeout_ms=_number(entries, "delivery.timeout.ms", plain.delivery_timeout_ms),
        max_block_ms=_number(entries, "max.block.ms", plain.max_block_ms),
    )


def consumer_options(entries: Mapping[str, str]) -> ConsumerOptions:
    """Raises LocalProtocolError for a value that cannot be."""
    plain = ConsumerOptions()
    protocol = entries.get("group.protocol", "classic")
    if protocol.lower() != "classic":
        print(f"group.protocol={protocol} is not there; classic is used", file=sys.stderr)
    strategy = entries.get("partition.assignment.strategy")
    session_ms = _number(entries, "session.timeout.ms", plain.session_timeout_ms)
    return ConsumerOptions(
        group_id=entries.get("group.id"),
        group_instance_id=entries.get("group.instance.id"),
        client_rack=entries.get("client.rack", ""),
        assignors=plain.assignors if strategy is None else _assignors(strategy),
        offset_reset=entries.get("auto.offset.reset", "latest"),
        # Whether it is one is looked at there.
        isolation=cast(Isolation, entries.get("isolation.level", "read_uncommitted")),
        auto_commit=_switch(entries, "enable.auto.commit", plain.auto_commit),
        auto_commit_interval_ms=_number(
            entries, "auto.commit.interval.ms", plain.auto_commit_interval_ms
        ),
        check_crcs=_switch(entries, "check.crcs", plain.check_crcs),
        exclude_internal_topics=_switch(entries, "exclude.internal.topics", True),
        allow_auto_create=_switch(entries, "allow.auto.create.topics", plain.allow_auto_create),
        fetch_wait_ms_max=_number(entries, "fetch.max.wait.ms", plain.fetch_wait_ms_max),
        fetch_bytes_min=_number(entries, "fetch.min.bytes", plain.fetch_bytes_min),
        fetch_bytes_max=_number(entries, "fetch.max.bytes", plain.fetch_bytes_max),
        partition_fetch_bytes_max=_number(
            entries, "max.partition.fetch.bytes", plain.partition_fetch_bytes_max
        ),
        poll_records_max=_number(entries, "max.poll.records", plain.poll_records_max),
        poll_interval_ms_max=_number(entries, "max.poll.interval.ms", plain.poll_interval_ms_max),
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=_number(
            entries, "heartbeat.interval.ms", min(plain.heartbeat_interval_ms, session_ms // 3)
        ),
    )


def run_data(
    bootstrap: str,
    entries: Mapping[str, str],
    work: "Callable[[Client], Coroutine[object, object, int]]",
    *,
    client_id: str,
) -> int:
    """Run `work` with a client; its exit code. What goes wrong is told on stderr, exit code 1."""
    # Here and not above, so that --help does not pay for them.
    import asyncio

    from ottla.aio.admin import Admin
    from ottla.aio.client import Client, Unreachable

    try:
        servers = addresses(bootstrap)
    except argparse.ArgumentTypeError as error:
        raise Refused(str(error)) from None

    async def connected() -> int:
        options, security = connection(servers, entries, client_id=client_id)
        async with Client(_tuned(options, entries), security) as client:
            await Admin(client).reach(_BOOTSTRAP_MS_MAX)
            return await work(client)

    try:
        return asyncio.run(_stoppable(connected()))
    except Unreachable as error:
        print(explained(error, servers, ""), file=sys.stderr)
    except OttlaError as error:
        print(said(error), file=sys.stderr)
    return FAILED


async def _stoppable(work: Coroutine[object, object, int]) -> int:
    """What `work` returns; after a signal, once `work` has tidied up, what a shell expects then."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    came: list[int] = []

    def stop(number: int) -> None:
        came.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop, number)
        except (NotImplementedError, RuntimeError):
            pass  # no such signals here, or not the main thread: the process then just ends
    try:
        code = await task
    except asyncio.CancelledError:
        if not came:
            raise
        code = 0
    return _SIGNALED + came[0] if came else code


def _tuned(options: "ConnectionOptions", entries: Mapping[str, str]) -> "ConnectionOptions":
    """Buffers and pauses too."""
    retry_ms = _number(entries, "retry.backoff.ms", options.retry_backoff_ms)
    reconnect_ms = _number(entries, "reconnect.backoff.ms", options.reconnect_backoff_ms)
    retry_ms_max = _number(entries, "retry.backoff.max.ms", options.retry_backoff_ms_max)
    reconnect_ms_max = _number(
        entries, "reconnect.backoff.max.ms", options.reconnect_backoff_ms_max
    )
    try:
        return replace(
            options,
            send_buffer_bytes=_buffer(entries, "send.buffer.bytes"),
            receive_buffer_bytes=_buffer(entries, "receive.buffer.bytes"),
            retry_backoff_ms=max(1, retry_ms),
            retry_backoff_ms_max=max(retry_ms, retry_ms_max),
            reconnect_backoff_ms=max(1, reconnect_ms),
            reconnect_backoff_ms_max=max(reconnect_ms, reconnect_ms_max),
        )
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None


def _buffer(entries: Mapping[str, str], name: str) -> int | None:
    """None, which Kafka writes as -1: the system's choice."""
    size_bytes = _number(entries, name, -1)
    return size_bytes if size_bytes > 0 else None


def _assignors(text: str) -> tuple[str, ...]:
    """By Kafka's class names, or by their names in the protocol."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(_ASSIGNORS.get(name.rpartition(".")[2], name) for name in names)


def _number(entries: Mapping[str, str], name: str, default: int) -> int:
    text = entries.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise LocalProtocolError(
            f"Invalid value {text} for configuration {name}: a whole number is expected"
        ) from None


def _switch(entries: Mapping[str, str], name: str, default: bool) -> bool:
    text = entries.get(name)
    if text is None:
        return default
    if text.strip().lower() not in ("true", "false"):
        raise LocalProtocolError(
            f"Invalid value {text} for configuration {name}: true or false is expected"
        )
    return text.strip().lower() == "true"


def _choice(entries: Mapping[str, str], name: str, default: str, known: Mapping[str, int]) -> int:
    text = entries.get(name, default)
    if text not in known:
        raise LocalProtocolError(
            f"Invalid value {text} for configuration {name}: one of {', '.join(known)} is expected"
        )
    return known[text]
