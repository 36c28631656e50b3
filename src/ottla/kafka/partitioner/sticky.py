"""Where kafka-python 3 keeps StickyPartitioner; here: `default.py`."""

from ottla.kafka.partitioner.default import StickyPartitioner

__all__ = ["StickyPartitioner"]
