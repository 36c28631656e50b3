"""What the client below raises becomes an exception of the public tree: one table.

A broker's code finds its class by number. Everything else is looked up by its class, nearest base
first. The address, the partition and the way out go with it, where the message below knows them.

Elsewhere: the tree, `errors.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError, RemoteProtocolError
from ottla.kafka import errors
from ottla.types import TopicPartition

_HINTS: Final[dict[int, str]] = {
    ErrorCode.MESSAGE_TOO_LARGE: (
        "The topic takes records up to its max.message.bytes: raise it there, or send less."
    ),
    ErrorCode.NOT_ENOUGH_REPLICAS: (
        "Fewer replicas are in sync than the topic's min.insync.replicas asks for."
    ),
    ErrorCode.INVALID_REPLICATION_FACTOR: (
        "A topic cannot have more replicas than there are brokers."
    ),
    ErrorCode.UNSUPPORTED_VERSION: "The broker is too old, or cannot do this.",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "The user may not read the group: see its ACLs.",
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "The user may not do this with the topic: see its ACLs.",
    ErrorCode.PRODUCER_FENCED: (
        "Another producer with the same transactional_id has started since: close this one."
    ),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: (
        "Create it first, or let the broker: auto.create.topics.enable."
    ),
    ErrorCode.FENCED_INSTANCE_ID: (
        "Another consumer with the same group_instance_id has joined: give each its own."
    ),
    ErrorCode.SASL_AUTHENTICATION_FAILED: "The broker refuses the user name or the password.",
}


def coded(code: int, message: str | None = None) -> errors.BrokerResponseError:
    """The exception of a broker's code."""
    kind = errors.for_code(code)
    if code == ErrorCode.UNSUPPORTED_VERSION:
        kind = errors.IncompatibleBrokerVersion
    made = kind(*(() if message is None else (message,)))
    made.hint = _HINTS.get(code)
    return made


def translated(error: Exception) -> Exception:
    """The public exception for one from below; what is public already stays."""
    if isinstance(error, errors.KafkaError) or not isinstance(error, OttlaError | TimeoutError):
        return error
    made = _made(error)
    broker = getattr(error, "broker", None) or getattr(error, "address", None)
    made.broker = None if broker is None else str(broker)
    place = getattr(error, "topic_partition", None)
    made.topic_partition = place if isinstance(place, TopicPartition) else None
    hint = getattr(error, "hint", None)
    if isinstance(hint, str):
        made.hint = hint
    return made


@contextmanager
def public() -> Iterator[None]:
    """Inside it, whatever comes from below leaves as an exception of the public tree."""
    try:
        yield
    except (OttlaError, TimeoutError) as error:
        raise translated(error) from error


def _made(error: OttlaError | TimeoutError) -> errors.KafkaError:
    if isinstance(error, ApiError):
        return coded(error.code, error.message)
    if type(error).__name__ == "Truncated":
        return errors.LogTruncationError(getattr(error, "diverged", {}), str(error))
    for kind in type(error).__mro__:
        target = _BY_NAME.get(kind.__name__)
        if target is not None:
            return target(*((str(error),) if str(error) else ()))
    return errors.KafkaError(str(error))


_BY_NAME: Final[dict[str, type[errors.KafkaError]]] = {
    # By name, so that an error is no reason to import what raises it.
    "Unreachable": errors.KafkaConnectionError,
    "ConnectionLost": errors.KafkaConnectionError,
    "BufferFull": errors.KafkaTimeoutError,
    "RecordTooLarge": errors.MessageSizeTooLargeError,
    "TimeoutError": errors.KafkaTimeoutError,
    RemoteProtocolError.__name__: errors.KafkaProtocolError,
    LocalProtocolError.__name__: errors.IllegalStateError,
    "ProducerFenced": errors.ProducerFencedError,
    "ProducerClosed": errors.KafkaConnectionError,
    "AuthenticationFailed": errors.SaslAuthenticationFailedError,
    "CommitFailed": errors.CommitFailedError,
    "Rebalancing": errors.CommitWhileRebalancingError,
    "Fenced": errors.FencedInstanceIdError,
    "Corrupt": errors.CorruptRecordError,
    "TopicUnknown": errors.UnknownTopicOrPartitionError,
    "NoOffset": errors.NoOffsetForPartitionError,
    "OutOfRange": errors.OffsetOutOfRangeError,
    "DeliveryTimedOut": errors.KafkaTimeoutError,
    "FlushTimedOut": errors.KafkaTimeoutError,
    "Undelivered": errors.KafkaTimeoutError,
}
