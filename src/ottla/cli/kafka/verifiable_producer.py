"""`kafka-verifiable-producer`: sends 0, 1, 2, ... and tells the fate of each in JSON.

Nothing is sent twice: retries are off. It ends when all are sent, or when told to; then it says how many
were sent and acknowledged.
"""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final, final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.client_settings import (
    Settings,
    producer_options,
    run_data,
    settings,
)
from ottla.cli.kafka.events import event
from ottla.cli.kafka.flags import FAILED, Flags
from ottla.cli.kafka.refusals import said, said_with_name
from ottla.cli.kafka.throttle import Throttle
from ottla.errors import LocalProtocolError, OttlaError
from ottla.limits import INT_MAX, LONG_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.aio.producer import Producer
    from ottla.client.produce.delivery import Delivery

_KAFKA_EXCEPTION: Final = "org.apache.kafka.common.KafkaException"


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.removed("--broker-list", "--bootstrap-server")
    flags.value("--topic", required=True, help="where the records go")
    flags.value(
        "--max-messages",
        default="-1",
        kind=whole_number(-1, INT_MAX),
        help="end after so many; -1: never",
    )
    flags.value(
        "--throughput",
        default="-1",
        kind=whole_number(-1, INT_MAX),
        help="at most so many in a second; -1: no limit",
    )
    flags.value("--acks", default="-1", help="who must have a record: -1 (default), 1 or 0")
    flags.value(
        "--message-create-time",
        default="-1",
        kind=whole_number(-1, LONG_MAX),
        help="the first record's time; -1: now",
    )
    flags.value("--value-prefix", kind=whole_number(0, INT_MAX), help="stands before each value")
    flags.value(
        "--repeating-keys", kind=whole_number(1, INT_MAX), help="keys from 0 up to this, and again"
    )
    flags.command_config("--producer.config")


def run(args: argparse.Namespace) -> int:
    entries: Settings = {"acks": args.acks, "retries": "0"}
    try:
        entries |= settings(args.command_config)
    except LocalProtocolError as error:
        print(error, file=sys.stderr)
        return FAILED

    async def work(client: "Client") -> int:
        from ottla.aio.producer import Producer

        sending = Sending(Producer(client, producer_options(entries)), args)
        return await sending.send_all()

    return run_data(args.bootstrap_server, entries, work, client_id="producer-1")


@final
class Sending:
    """The records of one run."""

    def __init__(self, producer: "Producer", args: argparse.Namespace) -> None:
        self._producer = producer
        self._topic: str = args.topic
        self._count_max: int | None = None if args.max_messages < 0 else args.max_messages
        self._per_second: int = args.throughput
        self._prefix = "" if args.value_prefix is None else f"{args.value_prefix}."
        self._keys: int | None = args.repeating_keys
        self._create_ms: int | None = (
            None if args.message_create_time < 0 else args.message_create_time
        )
        self._sent = self._acked = 0

    async def send_all(self) -> int:
        """Everything is sent and told; 0."""
        await self._producer.start()
        event("startup_complete")
        started_ms = _now_ms()
        throttle = Throttle(self._per_second, started_ms)
        try:
            while self._count_max is None or self._sent < self._count_max:
                now_ms = _now_ms()
                await self._send(started_ms, now_ms)
                await throttle.wait(self._sent, now_ms)
        finally:
            await self._producer.close()
            event("shutdown_complete")
            elapsed_ms = max(1, _now_ms() - started_ms)
            event(
                "tool_data",
                sent=self._sent,
                acked=self._acked,
                target_throughput=self._per_second,
                avg_throughput=1000 * (self._acked / elapsed_ms),
            )
        return 0

    async def _send(self, started_ms: int, now_ms: int) -> None:
        value = f"{self._prefix}{self._sent}"
        key = None if self._keys is None else str(self._sent % self._keys)
        create_ms = self._create_ms
        if create_ms is not None:
            self._create_ms = create_ms + now_ms - started_ms
        self._sent += 1
        try:
            delivery = await self._producer.send(
                self._topic,
                value.encode(),
                None if key is None else key.encode(),
                timestamp_ms=create_ms,
            )
        except OttlaError as error:
            self._tell_failure(key, value, error)
            return
        delivery.add_done_callback(lambda delivery: self._tell(delivery, key, value))

    def _tell(self, delivery: "Delivery", key: str | None, value: str) -> None:
        error = delivery.error
        if error is not None:
            self._tell_failure(key, value, error)
            return
        self._acked += 1
        event(
            "producer_send_success",
            key=key,
            value=value,
            offset=delivery.result().offset,
            topic=self._topic,
            partition=delivery.partition,
        )

    def _tell_failure(self, key: str | None, value: str, error: OttlaError) -> None:
        name = said_with_name(error).partition(": ")[0]
        event(
            "producer_send_error",
            topic=self._topic,
            key=key,
            value=value,
            exception=f"class {name if name.startswith('org.apache') else _KAFKA_EXCEPTION}",
            message=said(error),
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
