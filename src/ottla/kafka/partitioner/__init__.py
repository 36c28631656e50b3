"""Which partition a record goes to."""

from ottla.kafka.partitioner.default import (
    DefaultPartitioner,
    Partitioner,
    StickyPartitioner,
    murmur2,
)

__all__ = ["DefaultPartitioner", "Partitioner", "StickyPartitioner", "murmur2"]
