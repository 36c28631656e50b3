"""Ottla: a Kafka broker, client and command-line tools in Python.

A broker for your own process and the drop-in client's names are here, imported when they are first used:
`from ottla import Broker, KafkaProducer`. Whoever imports a part of Ottla pays for that part.
"""

from typing import TYPE_CHECKING

from ottla.version import __version__

if TYPE_CHECKING:
    from ottla.aio.embedded import Broker
    from ottla.kafka import (
        KafkaAdminClient,
        KafkaConsumer,
        KafkaProducer,
        NewTopic,
        ProducerRecord,
        TopicPartition,
    )

__all__ = [
    "Broker",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaProducer",
    "NewTopic",
    "ProducerRecord",
    "TopicPartition",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name == "Broker":
        from ottla.aio.embedded import Broker

        return Broker
    if name in __all__:
        import ottla.kafka

        found: object = getattr(ottla.kafka, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
