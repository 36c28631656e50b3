"""Ottla: a Kafka broker, client and command-line tools in Python."""

__version__ = "0.1.0"
