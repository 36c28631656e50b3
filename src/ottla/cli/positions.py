"""Offsets of partitions, looked up for a tool, and how a user names partitions: `orders:0,2`."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ottla.errors import RETRIABLE, ApiError, ErrorCode, LocalProtocolError
from ottla.limits import INT_MAX

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_ATTEMPTS_MAX: Final = 10
_UNKNOWN: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


class Named(NamedTuple):
    """A topic; `partitions` None: all it has."""

    topic: str
    partitions: tuple[int, ...] | None


def named(text: str) -> Named:
    """`orders` or `orders:0,2`, for argparse."""
    topic, colon, listed = text.partition(":")
    if not topic:
        raise argparse.ArgumentTypeError(f"{text!r}: TOPIC or TOPIC:0,1 is expected")
    if not colon:
        return Named(topic, None)
    parts = [part.strip() for part in listed.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 11]
    if len(numbers) != len(parts) or any(number > INT_MAX for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: TOPIC:0,1 with partition numbers is expected")
    return Named(topic, tuple(dict.fromkeys(numbers)))


async def places_of(client: "Client", wanted: Iterable[Named]) -> list["Place"]:
    """The partitions. Raises ApiError for an unknown topic, LocalProtocolError for a partition that
    a topic does not have."""
    asked = list(wanted)
    cluster = await client.refresh({one.topic for one in asked})
    found: dict[Place, None] = {}
    for topic, partitions in asked:
        view = cluster.topic(topic)
        if view is None:
            raise ApiError(cluster.obstacle(topic), f"topic '{topic}'")
        count = len(view.partitions)
        for partition in range(count) if partitions is None else partitions:
            if partition >= count:
                raise LocalProtocolError(
                    f"topic '{topic}' has {count} partitions, 0 to {count - 1}; there is no "
                    f"partition {partition}"
                )
            found[topic, partition] = None
    return list(found)


async def offsets_at(
    client: "Client", places: Iterable["Place"], timestamp_ms: int
) -> Mapping["Place", int | None]:
    """By partition, the first offset at or after a time (or LATEST, EARLIEST); None: all records
    are older. Partitions of topics that are gone are left out."""
    from ottla.client.groups import by_topic
    from ottla.client.lookup import NO_OFFSET

    found: dict[Place, int | None] = {}
    left = by_topic(places)
    for failures in range(_ATTEMPTS_MAX):
        if failures:
            await client.pause(failures)
        cluster = await client.refresh(left)
        left = {t: parts for t, parts in left.items() if cluster.obstacle(t) != _UNKNOWN}
        again: dict[str, list[int]] = {}
        code: int = ErrorCode.LEADER_NOT_AVAILABLE
        for topic, partitions in left.items():
            missing = dict.fromkeys(partitions)
            for partition, answer in (
                await _asked(client, topic, partitions, timestamp_ms)
            ).items():
                if answer[0] in RETRIABLE and answer[0] != _UNKNOWN:
                    code = answer[0]
                    continue
                del missing[partition]
                if answer[0] == ErrorCode.NONE:
                    found[topic, partition] = None if answer[1] == NO_OFFSET else answer[1]
                elif answer[0] != _UNKNOWN:
                    raise ApiError(answer[0], f"partition {topic}-{partition}")
            if missing:
                again[topic] = list(missing)
        left = again
        if not left:
            return found
    topic = min(left)
    raise ApiError(code, f"partition {topic}-{left[topic][0]}")


async def _asked(
    client: "Client", topic: str, partitions: Iterable[int], timestamp_ms: int
) -> Mapping[int, tuple[int, int]]:
    from ottla.client.lookup import found_untrusted, lookups
    from ottla.wire.api import LIST_OFFSETS
    from ottla.wire.message.list_offsets import ListOffsetsResponse

    answers: dict[int, tuple[int, int]] = {}
    for lookup in lookups(client.cluster, topic, partitions, timestamp_ms):
        response = await client.ask(lookup.broker_id, LIST_OFFSETS, lookup.request)
        assert isinstance(response, ListOffsetsResponse)
        answers.update(found_untrusted(lookup, response))
    return answers
