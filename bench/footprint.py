"""How much memory and start-up time do partitions and idle connections cost?

Prints: start on an empty directory, 1,000 idle connections, creating 5,000 partitions, a restart
after a clean stop with them, and resident memory at each point.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))
from process import broker
from wire import batch_of, create_topics, produce_frame, read_frame

TOPICS: Final = 500
PARTITIONS: Final = 10
CONNECTIONS: Final = 1_000


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        with broker(data) as process:
            empty_mib = process.resident_mib()
            print(
                f"empty start: {process.start_seconds * 1e3:.0f} ms wall, "
                f"{process.cpu_seconds() * 1e3:.0f} ms CPU, {empty_mib:.1f} MiB"
            )
            connections = [process.connect() for _ in range(CONNECTIONS)]
            request = produce_frame("absent", 0, batch_of([b"x"]))
            for (
                connection
            ) in connections:  # each has been used once: what a request leaves behind counts
                connection.sendall(request)
                read_frame(connection)
            print(
                f"{CONNECTIONS:,} idle connections: +{process.resident_mib() - empty_mib:.1f} MiB"
            )
            for connection in connections:
                connection.close()
            with process.connect() as connection:
                started = time.perf_counter()
                for first in range(0, TOPICS, 50):
                    names = [f"topic-{number}" for number in range(first, first + 50)]
                    create_topics(connection, names, PARTITIONS)
                print(
                    f"creating {TOPICS * PARTITIONS:,} partitions: "
                    f"{time.perf_counter() - started:.1f} s, {process.resident_mib():.1f} MiB"
                )
                batch = batch_of([b"x" * 100])
                for number in range(TOPICS):
                    for partition in range(PARTITIONS):
                        connection.sendall(produce_frame(f"topic-{number}", partition, batch))
                        read_frame(connection)
            stopping = time.perf_counter()
        print(f"clean stop: {time.perf_counter() - stopping:.1f} s")
        with broker(data) as process:
            print(
                f"restart with {TOPICS * PARTITIONS:,} partitions: {process.start_seconds:.2f} s "
                f"wall, {process.cpu_seconds():.2f} s CPU, {process.resident_mib():.1f} MiB"
            )


if __name__ == "__main__":
    main()
