"""How fast is a log compacted, in how much memory, and what does a producer notice of it?

    python bench/compaction.py [GiB]

First one round over a log of so many GiB (1 by default) in this process, of which 1 % are distinct
keys, in records of 11 KB, of 1 KB and of 100 bytes: MiB of input per second of CPU, and by how much
the resident memory has grown. Then a broker: the 99th percentile of a paced Produce before compaction
and while it goes on.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))
from process import BrokerProcess, broker
from wire import ask, create_topics, produce_frame, read_frame

from ottla.aio.disk import RealDisk
from ottla.core.log.compaction import Compaction
from ottla.core.log.dirty import cleanable
from ottla.core.log.log import Log
from ottla.core.log.offset_map import OffsetMap
from ottla.core.log.recovery import Shutdown
from ottla.record.batch import header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.validate import ValidBatch
from ottla.settings.broker import broker_settings
from ottla.settings.topic import topic_settings
from ottla.wire.api import CREATE_TOPICS
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)

GIB: Final = 1 << 30
MIB: Final = 1 << 20
NOW_MS: Final = 1_700_000_000_000
BATCH_BYTES: Final = 16 * 1024
BUFFER_BYTES: Final = 134_217_728
PRODUCES: Final = 4_000
PACE_S: Final = 0.002


def batches(total_bytes: int, record_bytes: int, chance: random.Random) -> Iterator[bytes]:
    value = chance.randbytes(record_bytes - 20)
    keys = max(1, total_bytes // record_bytes // 100)
    per_batch = max(1, BATCH_BYTES // record_bytes)
    for _ in range(total_bytes // record_bytes // per_batch):
        builder = BatchBuilder()
        for _ in range(per_batch):
            builder.append(NOW_MS, b"%011d" % chance.randrange(keys), value)
        yield bytes(builder.build())


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


def throughput(total_bytes: int, record_bytes: int) -> None:
    settings = topic_settings(
        {"cleanup.policy": "compact", "segment.bytes": str(256 * MIB)}, broker_settings({})
    )
    with tempfile.TemporaryDirectory() as data:
        disk = RealDisk(data, descriptors_max=1000)
        log = Log.open(
            disk,
            "t-0",
            settings=settings,
            now_ms=NOW_MS,
            shutdown=Shutdown.CLEAN,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
        )
        for batch in batches(total_bytes, record_bytes, random.Random(1)):
            header = header_untrusted(memoryview(batch))
            log.append(ValidBatch(header, NOW_MS, 0), leader_epoch=0, now_ms=NOW_MS)
        size_bytes, rounds, longest_s, resident = log.size_bytes, 0, 0.0, resident_mib()
        grown = 0.0
        cpu_s = time.process_time()
        while (found := cleanable(log, log.end_offset, NOW_MS)) is not None:
            rounds += 1
            offset_map = OffsetMap(BUFFER_BYTES, 0.9, found.offset_count)
            compaction = Compaction(disk, log, found, offset_map, NOW_MS)
            steps = compaction.steps()
            at_s = time.perf_counter()
            for _ in steps:
                longest_s = max(longest_s, time.perf_counter() - at_s)
                at_s = time.perf_counter()
            grown = max(grown, resident_mib() - resident)
            log.cleaned_offset = compaction.cleaned_offset
        cpu_s = time.process_time() - cpu_s
        print(
            f"{record_bytes:,}-byte records, {size_bytes / GIB:.2f} GiB in {rounds} round(s): "
            f"{size_bytes / MIB / cpu_s:.0f} MiB of input per CPU second, "
            f"{log.size_bytes / MIB:.1f} MiB left, {grown:.0f} MiB of memory, "
            f"longest step {longest_s * 1000:.1f} ms"
        )
        disk.close()


def latencies_ms(process: BrokerProcess, count: int) -> list[float]:
    """A Produce of one 100-byte record every 2 ms, to a topic that is not compacted."""
    builder = BatchBuilder()
    builder.append(NOW_MS, b"k", b"x" * 100)
    request = produce_frame("other", 0, bytes(builder.build()))
    found = []
    with process.connect() as connection:
        due_s = time.perf_counter()
        for _ in range(count):
            due_s += PACE_S
            time.sleep(max(0.0, due_s - time.perf_counter()))
            at_s = time.perf_counter()
            connection.sendall(request)
            read_frame(connection)
            found.append((time.perf_counter() - at_s) * 1000)
    return sorted(found)


def at_percent(found: list[float], percent: float) -> float:
    return found[min(len(found) - 1, int(len(found) * percent / 100))]


def noticed(total_bytes: int, record_bytes: int) -> None:
    with (
        tempfile.TemporaryDirectory() as data,
        broker(
            Path(data), "log.cleaner.backoff.ms=500", "log.cleaner.min.cleanable.ratio=0"
        ) as process,
    ):
        with process.connect() as connection:
            create_topics(connection, ["other"], 1)
            configs = [
                CreatableTopicConfig("cleanup.policy", "compact"),
                CreatableTopicConfig("segment.bytes", str(64 * MIB)),
                CreatableTopicConfig("min.compaction.lag.ms", "0"),
            ]
            topic = CreatableTopic("compacted", 1, 1, configs=configs)
            ask(connection, CREATE_TOPICS, 7, CreateTopicsRequest([topic], 60_000))
            before = latencies_ms(process, PRODUCES)
            for batch in batches(total_bytes, record_bytes, random.Random(2)):
                connection.sendall(produce_frame("compacted", 0, batch))
                read_frame(connection)
        cpu_s = process.cpu_seconds()
        during = latencies_ms(process, PRODUCES)
        cpu_s = process.cpu_seconds() - cpu_s
        segments = list(Path(data, "data", "compacted-0").glob("*.log"))
        left = sum(one.stat().st_size for one in segments)
        print(
            f"Produce every 2 ms, {record_bytes}-byte records compacted beside it: "
            f"p50 {at_percent(before, 50):.2f} -> {at_percent(during, 50):.2f} ms, "
            f"p99 {at_percent(before, 99):.2f} -> {at_percent(during, 99):.2f} ms, "
            f"max {before[-1]:.1f} -> {during[-1]:.1f} ms; "
            f"broker busy {cpu_s / PRODUCES / PACE_S * 100:.0f} %, {left / MIB:.0f} MiB left, "
            f"resident {process.resident_mib():.0f} MiB"
        )


def main() -> None:
    total_bytes = int(float(sys.argv[1] if len(sys.argv) > 1 else "1") * GIB)
    for record_bytes in (11_000, 1_000, 100):
        throughput(total_bytes, record_bytes)
    for record_bytes in (11_000, 100):
        noticed(total_bytes // 2, record_bytes)


if __name__ == "__main__":
    main()
