"""What is asked of Ottla: one table of limits, which `page.py` holds the results against.

A `must` is a promise, an `aim` what would be good. Both are limits of a figure of Ottla's: as it is,
as so many times a peer's in the same run, or as so many times another figure of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lines import CONNECTIONS, PARTITIONS

MB_IN_MIB: Final = 1_000_000 / (1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """At most `must` (or at least) times the figure of `peer`, or of our own `base`, or of one.

    `of`: whose figure it is, where it isn't the one that everybody installs.
    """

    question: str
    figure: str
    must: float | None = None
    aim: float | None = None
    at_least: bool = False
    peer: str = ""
    base: str = ""
    of: str = "ottla"

    def holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


def _start_and_memory() -> Iterator[Asked]:
    yield Asked(question="start", figure="until the first answer", must=0.1, peer="kafka")
    yield Asked(question="start", figure="until the first answer", must=150, aim=60)
    for figure, must_mb, aim_mb in (("idle", 45, 30), ("after work", 80, 45)):
        yield Asked(question="memory", figure=figure, must=1 / 8, peer="kafka")
        must, aim = must_mb * MB_IN_MIB, aim_mb * MB_IN_MIB
        yield Asked(question="memory", figure=figure, must=must, aim=aim)


def _small_requests() -> Iterator[Asked]:
    small, cpu = "small_produce", "five in flight: CPU per request"
    yield Asked(question=small, figure=cpu, must=1, peer="kafka")
    for of in ("ottla", "compiled"):
        figure = "one in flight: CPU per request"
        yield Asked(question=small, figure=figure, must=1, peer="kafka", of=of)
        yield Asked(
            question=small, figure="one in flight: p50", must=1, aim=0.7, peer="kafka", of=of
        )
        yield Asked(question=small, figure="one in flight: p99", must=1, peer="kafka", of=of)
    yield Asked(question=small, figure=cpu, must=0.6, aim=0.35, peer="mock")
    yield Asked(question=small, figure=cpu, must=0.35, peer="mock", of="compiled")


def _batches() -> Iterator[Asked]:
    for acks in ("acks=1", "acks=all"):
        for size in ("11 KB", "100 KB", "1 MB"):
            figure = f"{size}, {acks}: CPU"
            yield Asked(question="batches", figure=figure, must=1, peer="kafka")
    yield Asked(question="batches", figure="11 KB, acks=1: CPU", aim=0.65, peer="mock")
    for size in ("100 KB", "1 MB"):
        figure = f"{size}, acks=1: CPU"
        yield Asked(question="batches", figure=figure, must=1.2, aim=1.0, peer="floor")


def _reading_and_rates() -> Iterator[Asked]:
    yield Asked(question="fetch", figure="1 MB: CPU", must=1, peer="kafka")
    yield Asked(question="fetch", figure="1 MB: CPU", must=0.30, aim=0.16)
    yield Asked(question="end_to_end", figure="p99", must=1, peer="kafka")
    for what in ("produce, 100 B", "produce, 1,000 B", "consume, 1,000 B"):
        yield Asked(
            question="librdkafka",
            figure=f"{what}: rate",
            must=1,
            aim=1.3,
            at_least=True,
            peer="kafka",
        )


def _whole_brokers() -> Iterator[Asked]:
    together = "64 producers, against one"
    yield Asked(question="group_commit", figure=together, must=20, at_least=True)
    figure = "from the first join to the last assignment"
    yield Asked(question="join_storm", figure=figure, must=60)
    yield Asked(question="restart", figure="10 GiB: until every topic takes records", must=5)
    yield Asked(question="two_brokers", figure="two, against one", must=1.7, aim=1.9, at_least=True)
    for size in ("1,000 B", "100 B"):
        rate, beside = f"{size}: input per second of CPU", f"{size}: p99 of a Produce beside it"
        without = f"{size}: p99 of a Produce without it"
        yield Asked(question="compaction", figure=rate, must=50, at_least=True)
        yield Asked(question="compaction", figure=beside, must=1.5, base=without)


def _clients() -> Iterator[Asked]:
    for size in ("100 B", "1,000 B"):
        for mode in ("produce", "consume"):
            figure = f"{mode}, {size}: CPU per record"
            for of in ("ottla", "compiled", "batches", "batches_compiled"):
                yield Asked(
                    question="clients", figure=figure, must=1, aim=0.7, peer="confluent", of=of
                )
            yield Asked(question="clients", figure=figure, must=1 / 8, peer="kafka_python")


def _flat_lines() -> Iterator[Asked]:
    for line in (*PARTITIONS, CONNECTIONS[0]):
        yield Asked(question="growth", figure=line.last, must=1.2, aim=1.1, base=line.first)
    # One connection's five share a read and a write; only who has several can have more of them.
    line = CONNECTIONS[1]
    several = line.figure(line.points[1])
    yield Asked(question="growth", figure=line.last, must=1.2, aim=1.1, base=several)


ASKED: Final = (
    *_start_and_memory(),
    *_small_requests(),
    *_batches(),
    *_reading_and_rates(),
    *_whole_brokers(),
    *_clients(),
    *_flat_lines(),
)
