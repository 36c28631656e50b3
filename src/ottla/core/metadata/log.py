"""The port behind which the one ordered log of metadata is kept.

Promises of every implementation: entries have one order and no gaps; an entry is whole or not there;
what `committed` has told will be told again after any restart; a writer whose epoch was taken over
cannot append.

Implementations: `local.py` (Kafka's `__cluster_metadata-0`, one node). Elsewhere: who may write and
what, see `controller/`.
"""

from collections.abc import Iterator
from typing import Protocol

from ottla.core.effect import Effect
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import Entry, MetadataRecord


class MetadataLog(Protocol):
    @property
    def end_offset(self) -> int:
        """The offset the next record will have."""

    @property
    def epoch(self) -> int:
        """The epoch this writer holds."""

    def replay(self) -> Iterator[Entry]:
        """Everything committed before this process came, oldest first."""

    def claim(self, now_ms: int) -> list[Effect]:
        """Take the writer's epoch over from whoever had it. Once, after `replay`."""

    def bootstrap(self) -> tuple[MetadataRecord, ...]:
        """What a log without any entry is to begin with."""

    @property
    def open_transaction_since(self) -> int | None:
        """Where a transaction begins that the last writer did not end; its records do not count."""

    def append(
        self, records: tuple[MetadataRecord, ...], *, now_ms: int, metadata_version: int
    ) -> tuple[Entry, list[Effect]]:
        """Ask for one more entry; `committed` tells when it stands. OSError: nothing was written."""

    def committed(self, end_offset: int) -> list[Entry]:
        """The entries that became durable because everything below `end_offset` is."""

    @property
    def bytes_since_snapshot(self) -> int: ...

    def snapshot(self, image: Image) -> list[Effect]:
        """Write `image` down, so that a later start need not read what it covers."""
