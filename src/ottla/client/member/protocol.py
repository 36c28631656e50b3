"""What members tell each other through the coordinator: the "consumer" protocol (KIP-54, 429, 792, 881).

A member joins with a `Subscription` per assignor, the leader answers with an assignment per member. Both
are written as Kafka's consumer writes them, in the newest version, whose additions older readers skip;
whatever version comes is read. Assignors may add words of their own (user data): `sticky` carries its
last assignment, since eager members own nothing when they join, `cooperative-sticky` its generation.

Elsewhere: the fields themselves, `wire/stored`; what is made of them, `ottla.assign`.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from ottla.assign.in_turn import assign_in_turn, assign_ranges
from ottla.assign.member import NO_GENERATION, Assignment, GroupMember
from ottla.assign.sticky import assign_cooperative, assign_sticky
from ottla.client.consume.options import COOPERATIVE_STICKY, RANGE, ROUND_ROBIN, STICKY
from ottla.errors import RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.join_group import JoinGroupResponseMember
from ottla.wire.primitive import numbers, read_count, read_numbers, read_string, string
from ottla.wire.stored import consumer_protocol_assignment as assignment_form
from ottla.wire.stored import consumer_protocol_subscription as subscription_form
from ottla.wire.stored.consumer_protocol_assignment import ConsumerProtocolAssignment
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription

Assignor = Callable[[Mapping[str, int], Sequence[GroupMember]], Assignment]

ASSIGN: Final[Mapping[str, Assignor]] = {
    RANGE: assign_ranges,
    ROUND_ROBIN: assign_in_turn,
    STICKY: assign_sticky,
    COOPERATIVE_STICKY: assign_cooperative,
}

_VERSION: Final = struct.Struct(">h")
_INT: Final = struct.Struct(">i")
_VERSION_MAX: Final = 3


def subscription(
    assignor: str,
    topics: Iterable[str],
    *,
    owned: Iterable[TopicPartition],
    previous: Sequence[TopicPartition],
    generation: int,
    rack: str,
) -> bytes:
    """What a member joins with. `previous`: what it had last, also if it gave that back since."""
    user_data = None
    if assignor == STICKY and previous:
        user_data = _previous_assignment(previous, generation)
    elif assignor == COOPERATIVE_STICKY:
        user_data = _INT.pack(generation)
    body = ConsumerProtocolSubscription(
        topics=sorted(topics),
        user_data=user_data,
        owned_partitions=[
            subscription_form.TopicPartition(topic=topic, partitions=parts)
            for topic, parts in _by_topic(owned).items()
        ],
        generation_id=generation,
        rack_id=rack or None,
    )
    return _VERSION.pack(_VERSION_MAX) + body.encode(_VERSION_MAX)


def assignment(partitions: Iterable[TopicPartition]) -> bytes:
    body = ConsumerProtocolAssignment(
        assigned_partitions=[
            assignment_form.TopicPartition(topic=topic, partitions=parts)
            for topic, parts in _by_topic(partitions).items()
        ],
        user_data=None,
    )
    return _VERSION.pack(_VERSION_MAX) + body.encode(_VERSION_MAX)


def assigned_untrusted(data: bytes | memoryview) -> tuple[TopicPartition, ...]:
    """The partitions in an assignment; empty bytes, as from a leader that skipped a member: none."""
    if not len(data):
        return ()
    version, body = _split_untrusted(bytes(data), "an assignment")
    read = ConsumerProtocolAssignment.decode_untrusted(body, version)
    return tuple(
        TopicPartition(one.topic, part)
        for one in read.assigned_partitions
        for part in one.partitions
    )


def member_untrusted(assignor: str, joined: JoinGroupResponseMember) -> GroupMember:
    """A member as the assignor wants to see it."""
    version, body = _split_untrusted(bytes(joined.metadata), "a subscription")
    read = ConsumerProtocolSubscription.decode_untrusted(body, version)
    owned = tuple(
        TopicPartition(one.topic, part) for one in read.owned_partitions for part in one.partitions
    )
    generation = read.generation_id
    user_data = read.user_data or b""
    if assignor == STICKY:
        owned, generation = _previous_untrusted(bytes(user_data))
    elif assignor == COOPERATIVE_STICKY and generation == NO_GENERATION:
        if len(user_data) >= _INT.size:
            (generation,) = _INT.unpack_from(user_data)
    return GroupMember(
        member_id=joined.member_id,
        topics=tuple(dict.fromkeys(read.topics)),
        instance_id=joined.group_instance_id,
        owned=owned,
        generation=generation,
    )


def _split_untrusted(data: bytes, what: str) -> tuple[int, bytes]:
    """The version to read the rest as, and the rest."""
    if len(data) < _VERSION.size:
        raise RemoteProtocolError(f"{what} of {len(data)} bytes has no version")
    (version,) = _VERSION.unpack_from(data)
    if version < 0:
        raise RemoteProtocolError(f"{what} of version {version}")
    return min(version, _VERSION_MAX), data[_VERSION.size :]


def _previous_assignment(partitions: Sequence[TopicPartition], generation: int) -> bytes:
    """`sticky`'s user data: array of (topic, array of partitions), generation."""
    topics = _by_topic(partitions)
    parts = [_INT.pack(len(topics))]
    for topic, numbered in topics.items():
        parts += [string(topic), _INT.pack(len(numbered)), numbers(numbered, "i")]
    return b"".join([*parts, _INT.pack(generation)])


def _previous_untrusted(data: bytes) -> tuple[tuple[TopicPartition, ...], int]:
    """The reverse; what cannot be read counts for nothing, as in Kafka."""
    view = memoryview(data)
    found: list[TopicPartition] = []
    try:
        count, at = read_count(view, 0, 6, "topics", False)
        for _ in range(count):
            topic, at = read_string(view, at, "topic")
            length, at = read_count(view, at, _INT.size, "partitions", False)
            parts, at = read_numbers(view, at, length, "i", _INT.size)
            found += [TopicPartition(topic, part) for part in parts]
        generation = NO_GENERATION
        if len(view) >= at + _INT.size:
            (generation,) = _INT.unpack_from(view, at)
    except (struct.error, IndexError, RemoteProtocolError):
        return (), NO_GENERATION
    return tuple(found), generation


def _by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        found.setdefault(topic, []).append(partition)
    return found
