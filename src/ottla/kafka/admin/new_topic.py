"""Where kafka-python 2 keeps NewTopic; here: `topics.py`."""

from ottla.kafka.admin.topics import NewTopic

__all__ = ["NewTopic"]
