"""Ottla: a Kafka broker, client and command-line tools in Python.

The drop-in client's names are here too, imported when they are first used: `from ottla import
KafkaProducer`. Whoever imports a part of Ottla pays for that part.
"""

from typing import TYPE_CHECKING

from ottla.version import __version__

if TYPE_CHECKING:
    from ottla.kafka import (
        KafkaAdminClient,
        KafkaConsumer,
        KafkaProducer,
        NewTopic,
        TopicPartition,
    )

__all__ = [
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaProducer",
    "NewTopic",
    "TopicPartition",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        import ottla.kafka

        found: object = getattr(ottla.kafka, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
