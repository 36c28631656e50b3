"""A record that was read, where kafka-python keeps its own."""

from ottla.client.consume.record import ConsumedRecord as ConsumerRecord

__all__ = ["ConsumerRecord"]
