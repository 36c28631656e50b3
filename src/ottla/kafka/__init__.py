"""kafka-python's API on Ottla's client: `from ottla.kafka import KafkaProducer`.

Names, signatures and defaults of its 3.x; the spellings of 2.x are taken too. Everything is imported
when it is first used, so that a program pays for what it needs.

Which of its methods does what: docs/reference/kafka-python-parity.md. Elsewhere: running a program
that says `import kafka`, `ottla.compat`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from ottla.version import __version__

if TYPE_CHECKING:
    from ottla.kafka.admin import KafkaAdminClient, NewPartitions, NewTopic
    from ottla.kafka.config import OttlaCompatWarning
    from ottla.kafka.consumer import KafkaConsumer
    from ottla.kafka.consumer.fetcher import ConsumerRecord
    from ottla.kafka.consumer.subscription_state import (
        AsyncConsumerRebalanceListener,
        ConsumerRebalanceListener,
    )
    from ottla.kafka.offset_spec import IsolationLevel, OffsetSpec
    from ottla.kafka.producer import KafkaProducer
    from ottla.kafka.serializer import (
        DefaultSerializer,
        Deserializer,
        JsonSerializer,
        Serializer,
    )
    from ottla.kafka.structs import (
        ConsumerGroupMetadata,
        OffsetAndMetadata,
        ProducerRecord,
        TopicPartition,
        TopicPartitionReplica,
    )

__all__ = [
    "AsyncConsumerRebalanceListener",
    "ConsumerGroupMetadata",
    "ConsumerRebalanceListener",
    "ConsumerRecord",
    "DefaultSerializer",
    "Deserializer",
    "IsolationLevel",
    "JsonSerializer",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaProducer",
    "NewPartitions",
    "NewTopic",
    "OffsetAndMetadata",
    "OffsetSpec",
    "OttlaCompatWarning",
    "ProducerRecord",
    "Serializer",
    "TopicPartition",
    "TopicPartitionReplica",
    "__version__",
]

_HOMES: Final = {
    "KafkaAdminClient": "admin",
    "NewPartitions": "admin",
    "NewTopic": "admin",
    "OttlaCompatWarning": "config",
    "KafkaConsumer": "consumer",
    "ConsumerRecord": "consumer.fetcher",
    "AsyncConsumerRebalanceListener": "consumer.subscription_state",
    "ConsumerRebalanceListener": "consumer.subscription_state",
    "IsolationLevel": "offset_spec",
    "OffsetSpec": "offset_spec",
    "KafkaProducer": "producer",
    "DefaultSerializer": "serializer",
    "Deserializer": "serializer",
    "JsonSerializer": "serializer",
    "Serializer": "serializer",
    "ConsumerGroupMetadata": "structs",
    "OffsetAndMetadata": "structs",
    "ProducerRecord": "structs",
    "TopicPartition": "structs",
    "TopicPartitionReplica": "structs",
}
_MODULES: Final = frozenset(
    (
        "admin",
        "cluster",
        "consumer",
        "coordinator",
        "errors",
        "future",
        "partitioner",
        "producer",
        "serializer",
        "structs",
        "version",
    )
)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is not None:
        found: object = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = found
        return found
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
