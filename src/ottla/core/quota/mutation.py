"""What one request may change: partitions made and deleted, taken one topic after the other.

A client that knows of THROTTLING_QUOTA_EXCEEDED is refused while it owes tokens (strict); an older one
is served, and told to wait afterwards.

Source: KIP-599. Elsewhere: who asks, see `core/controller/topics.py`.
"""

from typing import Final, final

from ottla.core.quota.tokens import TokenBucket
from ottla.errors import ErrorCode

EXCEEDED: Final = (
    ErrorCode.THROTTLING_QUOTA_EXCEEDED,
    "The throttling quota has been exceeded.",
)


@final
class MutationQuota:
    """`throttle_ms`: how long the client has to wait, as far as this request knows."""

    __slots__ = ("_bucket", "_limit", "_now_ms", "_strict", "throttle_ms")

    def __init__(
        self, bucket: TokenBucket | None, limit: float, now_ms: int, *, strict: bool
    ) -> None:
        self._bucket = bucket
        self._limit = limit
        self._now_ms = now_ms
        self._strict = strict
        self.throttle_ms = 0

    def take(self, partitions: int) -> bool:
        """Whether so many more partitions may be made or deleted; False: none is."""
        bucket = self._bucket
        if bucket is None:
            return True
        if self._strict:
            self.throttle_ms = bucket.wait_ms(self._now_ms, self._limit)
            if self.throttle_ms:
                return False
            bucket.take(self._now_ms, self._limit, partitions)
        else:
            self.throttle_ms = bucket.take(self._now_ms, self._limit, partitions)
        return True


UNMETERED: Final = MutationQuota(None, 0.0, 0, strict=False)
