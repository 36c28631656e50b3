"""Client quotas as Apache Kafka's tools set and feel them: a producer and a consumer held to a rate.

Time is real here, and a rate is met within a fifth. A client gets on in bursts, each what the windows but
the present one allow; the broker has few of them (`run.py`), so that a run has many bursts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from checks import World, Wrong
from records import record

CONFIGS: Final = "kafka.admin.ConfigCommand"
PERF: Final = "org.apache.kafka.tools."
RATE_BYTES: Final = 200_000
RECORD_BYTES: Final = 1_000
RECORDS: Final = 5_000
TOLERANCE: Final = 0.2


class Run(Protocol):
    def __call__(
        self,
        main_class: str,
        *arguments: str,
        says: str = "",
        server: tuple[str, ...] | None = None,
    ) -> str: ...


class Quotas:
    """The checks; `server` is how a tool is told the broker's address."""

    def __init__(self, run: Run, world: World, server: tuple[str, str]) -> None:
        self._run = run
        self._world = world
        self._server = server

    def checks(self) -> tuple[Callable[[], str | None], ...]:
        return (
            self.kafka_configs_quotas,
            self.kafka_producer_perf_throttled,
            self.kafka_consumer_perf_throttled,
        )

    def kafka_configs_quotas(self) -> None:
        rows: tuple[tuple[tuple[str, ...], str, str], ...] = (
            (("--client", "tool-quota"), "producer_byte_rate=1024", "client-id 'tool-quota'"),
            (("--client-defaults",), "consumer_byte_rate=9000000000", "the default client-id"),
            (
                ("--user", "tool-quota", "--client", "tool-quota"),
                "request_percentage=12.5",
                "user-principal 'tool-quota', client-id 'tool-quota'",
            ),
            (
                ("--user", "tool-quota"),
                "controller_mutation_rate=3.5",
                "user-principal 'tool-quota'",
            ),
            (("--ip", "10.1.2.3"), "connection_creation_rate=7", "ip '10.1.2.3'"),
        )
        for entity, quota, told in rows:
            key, _, value = quota.partition("=")
            self._alter(*entity, "--add-config", quota)
            self._run(CONFIGS, "--describe", *entity, says=rf"{told} are {key}=")
            printed = self._run(CONFIGS, "--describe", *entity)
            if float(printed.rpartition("=")[2]) != float(value):
                raise Wrong(f"{quota} was set, and is told as {printed}")
            self._alter(*entity, "--delete-config", key)
            printed = self._run(CONFIGS, "--describe", *entity)
            if key in printed:
                raise Wrong(f"{key} was taken away, and is told: {printed}")
        self._refused("fractional", "--client", "x", "--add-config", "producer_byte_rate=1.5")
        self._refused(
            "greater than 0", "--ip-defaults", "--add-config", "connection_creation_rate=-1"
        )

    def kafka_producer_perf_throttled(self) -> str:
        topic = client = "tool-throttled-producer"
        self._world.create(topic)
        with_quota = ("--client", client)
        self._alter(*with_quota, "--add-config", f"producer_byte_rate={RATE_BYTES}")
        printed = self._run(
            PERF + "ProducerPerformance",
            *("--topic", topic, "--num-records", str(RECORDS), "--throughput", "-1"),
            *("--record-size", str(RECORD_BYTES)),
            says=rf"(?m)^{RECORDS} records sent, .*99.9th",
            server=(
                "--command-property",
                f"bootstrap.servers={self._server[1]}",
                f"client.id={client}",
            ),
        )
        self._alter(*with_quota, "--delete-config", "producer_byte_rate")
        (per_second,) = re.findall(
            rf"(?m)^{RECORDS} records sent, ([\d.]+) records/sec.*99.9th", printed
        )
        return _expect_rate(RECORDS / float(per_second), "records sent")

    def kafka_consumer_perf_throttled(self) -> str:
        topic = client = "tool-throttled-consumer"
        self._world.create(topic)
        records = [record(bytes(RECORD_BYTES)) for _ in range(RECORDS)]
        self._world.reference.ask("produce", topic=topic, codec="none", records=records)
        with_quota = ("--client", client)
        self._alter(*with_quota, "--add-config", f"consumer_byte_rate={RATE_BYTES}")
        printed = self._run(
            PERF + "ConsumerPerformance",
            *("--topic", topic, "--num-records", str(RECORDS), "--group", client),
            *("--command-property", f"client.id={client}"),
            *("--fetch-size", "16384", "--timeout", "30000"),
            says=rf"(?m)^\d{{4}}-.*, {RECORDS}, ",
        )
        self._alter(*with_quota, "--delete-config", "consumer_byte_rate")
        # start.time, end.time, MB, MB.sec, records, records.sec, rebalance.ms, fetch.ms, ...
        (line,) = re.findall(r"(?m)^\d{4}-.*$", printed)
        return _expect_rate(int(line.split(", ")[7]) / 1000, "records fetched")

    def _alter(self, *arguments: str) -> None:
        self._run(CONFIGS, "--alter", *arguments, says="Completed updating")

    def _refused(self, why: str, *arguments: str) -> None:
        try:
            self._run(CONFIGS, "--alter", *arguments)
        except Wrong as refusal:
            if why not in str(refusal):
                raise
        else:
            raise Wrong(f"{' '.join(arguments)}: was not refused")


def _expect_rate(seconds: float, what: str) -> str:
    rate = RECORDS * RECORD_BYTES / seconds
    if abs(rate - RATE_BYTES) > TOLERANCE * RATE_BYTES:
        raise Wrong(f"{what} at {rate:,.0f} bytes/s, the quota is {RATE_BYTES:,}")
    return f"{rate / 1000:.0f} kB/s of {RATE_BYTES // 1000} allowed"
