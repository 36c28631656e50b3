"""Where kafka-python 2 keeps ConfigResource and ConfigResourceType; here: `configs.py`."""

from ottla.kafka.admin.configs import ConfigResource, ConfigResourceType

__all__ = ["ConfigResource", "ConfigResourceType"]
