"""Where kafka-python 2 keeps NewPartitions; here: `partitions.py`."""

from ottla.kafka.admin.partitions import NewPartitions

__all__ = ["NewPartitions"]
