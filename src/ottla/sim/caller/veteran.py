"""What clients of long ago ask: Fetch in the versions that know only messages of magic 0 and 1.

What is sent to them is converted on the way (`core/replica/old_reader.py`); that the records are
right is tested elsewhere, here that they are answered whatever the disk does.
"""

from typing import Final

from ottla.sim.heritage import TOPIC
from ottla.wire.api import FETCH, Message
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic


def _fetching(
    topic: str, offset: int, *, bytes_max: int = 5_000, wait_ms: int = 0, partition: int = 0
) -> Message:
    rows = [
        FetchPartition(
            partition=number,
            current_leader_epoch=-1,
            fetch_offset=offset,
            last_fetched_epoch=-1,
            log_start_offset=-1,
            partition_max_bytes=bytes_max,
        )
        for number in {0, partition}
    ]
    request = FetchRequest(replica_id=-1, max_wait_ms=wait_ms, min_bytes=1)
    request.topics = [FetchTopic(topic, partitions=rows)]
    return request


REQUESTS: Final[tuple[tuple[int, int, Message], ...]] = (
    (FETCH, 0, _fetching("t0", 0)),
    (FETCH, 1, _fetching("t0", 3, wait_ms=100, partition=1)),
    (FETCH, 2, _fetching("t0", 0, bytes_max=100, partition=1)),
    (FETCH, 2, _fetching("t1", 2, wait_ms=300)),
    (FETCH, 3, _fetching("t0", 1, bytes_max=1_000_000)),
    (FETCH, 3, _fetching("t2", 1 << 40)),
    (FETCH, 3, _fetching("nobody", 0)),
    (FETCH, 0, _fetching(TOPIC, 0, bytes_max=100_000)),
    (FETCH, 3, _fetching(TOPIC, 21, bytes_max=200)),
)
"""API key, version, and the request."""
