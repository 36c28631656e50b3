"""Reading: the consumer, and what it is given and gives."""

from ottla.kafka.consumer.group import KafkaConsumer

__all__ = ["KafkaConsumer"]
