"""What a consumer may be told, in our spelling: numbers carry their unit.

Kafka's own names and defaults (`fetch.min.bytes`, `auto.offset.reset`, …), of its 4.x consumer. What
concerns connections stands in `client/options.py`; what is Python's (deserializers) with the library
that asks for it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ottla.errors import LocalProtocolError

Isolation = Literal["read_uncommitted", "read_committed"]

RANGE: Final = "range"
ROUND_ROBIN: Final = "roundrobin"
STICKY: Final = "sticky"
COOPERATIVE_STICKY: Final = "cooperative-sticky"
ASSIGNORS: Final = (RANGE, ROUND_ROBIN, STICKY, COOPERATIVE_STICKY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """`group_id` None: nobody's member, and nothing can be committed.

    `offset_reset`: `earliest`, `latest`, `none`, or `by_duration:PT1H` (KIP-1106), where a partition has
    no committed offset or the one it has is gone. `assignors`: by their names in the protocol, the
    preferred one first; all members of a group must share one.
    """

    group_id: str | None = None
    group_instance_id: str | None = None
    client_rack: str = ""
    assignors: tuple[str, ...] = (RANGE, COOPERATIVE_STICKY)
    offset_reset: str = "latest"
    auto_commit: bool = True
    auto_commit_interval_ms: int = 5_000
    isolation: Isolation = "read_uncommitted"
    check_crcs: bool = True
    fetch_sessions: bool = True
    fetch_wait_ms_max: int = 500
    fetch_bytes_min: int = 1
    fetch_bytes_max: int = 52_428_800
    partition_fetch_bytes_max: int = 1_048_576
    poll_records_max: int = 500
    poll_interval_ms_max: int = 300_000
    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 3_000
    exclude_internal_topics: bool = True
    allow_auto_create: bool = True

    @property
    def isolation_level(self) -> int:
        """As the protocol says it."""
        return int(self.isolation == "read_committed")

    def __post_init__(self) -> None:
        if not self.assignors:
            raise LocalProtocolError("no assignor is named; a group needs at least one")
        for name in self.assignors:
            if name not in ASSIGNORS:
                raise LocalProtocolError(
                    f"there is no assignor {name!r}; there are {', '.join(ASSIGNORS)}"
                )
        if self.group_instance_id is not None and self.group_id is None:
            raise LocalProtocolError(
                "group_instance_id names a member of a group; group_id is None"
            )
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            raise LocalProtocolError(
                f"heartbeat_interval_ms {self.heartbeat_interval_ms} must be below session_timeout_ms "
                f"{self.session_timeout_ms}: a member that is silent for so long is thrown out"
            )
        if self.isolation not in ("read_uncommitted", "read_committed"):
            raise LocalProtocolError(
                f"isolation {self.isolation!r}; read_uncommitted or read_committed is expected"
            )
