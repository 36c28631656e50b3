"""What do Apache Kafka's own performance tools say?"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path
from typing import Final

from peer import Peer, install
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import delete_topic, make_topic

RECORDS: Final = 100_000
RECORD_BYTES: Final = 1_000
GB: Final = RECORDS * RECORD_BYTES / 1e9
"""Of records in a round."""
HEAP: Final = ("-Xmx512M",)
"""As bin/kafka-producer-perf-test.sh has it."""
SECONDS_MAX: Final = 180
# "100000 records sent, 31806.6 records/sec (30.33 MB/sec), 6.1 ms avg latency, …, 12 ms 99th, …"
SENT: Final = re.compile(rf"{RECORDS} records sent, ([\d.]+) records/sec .* ([\d.]+) ms 99th")


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    if peer.title == "librdkafka's mock":
        raise Unanswerable("it does not keep what was written")
    java = install.java()
    numbers = count()

    def tool(name: str, *arguments: str) -> str:
        command = java.command(f"org.apache.kafka.tools.{name}", *arguments, jvm=HEAP)
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
        if done.returncode:
            raise Unanswerable(f"{name}: {(done.stderr or done.stdout).strip()[-200:]}")
        return done.stdout

    def once() -> Answer:
        topic = f"perf-{next(numbers)}"
        make_topic(connection, topic)
        at_and_size = ("--bootstrap-server", process.bootstrap, "--topic", topic)
        records = ("--num-records", str(RECORDS))
        size = ("--record-size", str(RECORD_BYTES), "--throughput", "-1")
        cpu_s = [process.cpu_seconds()]
        sent = SENT.search(tool("ProducerPerformance", *at_and_size, *records, *size))
        if sent is None:
            raise Unanswerable("the producer's tool says nothing of all records")
        cpu_s.append(process.cpu_seconds())
        read = tool("ConsumerPerformance", *at_and_size, *records).splitlines()[-1]
        cpu_s.append(process.cpu_seconds())
        delete_topic(connection, topic)
        written, fetched = ((after - before) / GB for before, after in pairwise(cpu_s))
        return {
            "producer: rate": float(sent[1]),
            "producer: p99": float(sent[2]),
            "producer: broker's CPU": written,
            # start, end, MB, MB/s, records, records/s, …
            "consumer: rate": float(read.split(",")[5]),
            "consumer: broker's CPU": fetched,
        }

    with peer.running(place) as process, process.connect() as connection:
        yield once


QUESTION: Final = Question(
    name="perf_tools",
    title="Apache Kafka's performance tools",
    how=(
        f"kafka-producer-perf-test and kafka-consumer-perf-test with {RECORDS:,} records of "
        f"{RECORD_BYTES:,} bytes and their defaults (acks=all, idempotent), into one partition and out of "
        "it, a new virtual machine each time; the figures are the tools' own, their start-up included, "
        "and it is mostly the tools that limit them."
    ),
    figures=(
        Figure(name="producer: rate", unit="records/s", more_is_better=True),
        Figure(name="producer: p99", unit="ms"),
        Figure(name="producer: broker's CPU", unit="s/GB"),
        Figure(name="consumer: rate", unit="records/s", more_is_better=True),
        Figure(name="consumer: broker's CPU", unit="s/GB"),
    ),
    prepare=prepare,
    warm_up=1,
    rounds=3,
)

if __name__ == "__main__":
    main(QUESTION)
