"""What does a Produce of one 100-byte record cost the broker, five in flight?  Prints µs of CPU each.

One connection, acks=1, Produce 9, the broker's user and system time over a fixed number of requests;
the least of five rounds.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))
from process import BrokerProcess, broker
from wire import batch_of, create_topics, produce_frame, read_frame

REQUESTS: Final = 20_000
ROUNDS: Final = 5


def measure(process: BrokerProcess, in_flight: int) -> tuple[float, float]:
    """(CPU, wall) in µs per request."""
    request = produce_frame("small", 0, batch_of([b"x" * 100]))
    best_cpu = best_wall = float("inf")
    with process.connect() as connection:
        for _ in range(ROUNDS):
            cpu_s, wall_s = process.cpu_seconds(), time.perf_counter()
            connection.sendall(request * in_flight)
            for _ in range(REQUESTS - in_flight):
                read_frame(connection)
                connection.sendall(request)
            for _ in range(in_flight):
                read_frame(connection)
            best_cpu = min(best_cpu, process.cpu_seconds() - cpu_s)
            best_wall = min(best_wall, time.perf_counter() - wall_s)
    return best_cpu / REQUESTS * 1e6, best_wall / REQUESTS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as data, broker(Path(data)) as process:
        with process.connect() as connection:
            create_topics(connection, ["small"], 1)
        for in_flight in (1, 5):
            cpu_us, wall_us = measure(process, in_flight)
            print(
                f"produce 1x100B, {in_flight} in flight: {cpu_us:.1f} us CPU, {wall_us:.1f} us wall"
            )
        print(f"resident afterwards: {process.resident_mib():.1f} MiB")


if __name__ == "__main__":
    main()
