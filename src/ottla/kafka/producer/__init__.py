"""Sending: the producer, and what `send` returns."""

from ottla.kafka.producer.kafka import KafkaProducer

__all__ = ["KafkaProducer"]
