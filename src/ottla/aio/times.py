"""Offsets of times, of the beginning and of the end, asked of all leaders until each has answered."""

from collections.abc import Mapping

from ottla.aio.client import Client, Lane
from ottla.aio.fetching import AWAY
from ottla.client.consume.record import OffsetAndTimestamp
from ottla.client.lookup import TimesAsk, times_asks, times_untrusted
from ottla.errors import ApiError, ErrorCode
from ottla.types import TopicPartition
from ottla.wire.api import LIST_OFFSETS
from ottla.wire.message.list_offsets import ListOffsetsResponse


async def look_up(
    client: Client, times_ms: Mapping[TopicPartition, int], isolation_level: int
) -> dict[TopicPartition, OffsetAndTimestamp]:
    """For each partition; goes on until the caller's time-out cancels it. Raises ApiError for what
    stays as it is."""
    found: dict[TopicPartition, OffsetAndTimestamp] = {}
    failures = 0
    while missing := {place: at for place, at in times_ms.items() if place not in found}:
        if failures:
            await client.pause(failures)
        unknown = {place.topic for place in missing if client.cluster.leader_of(*place) is None}
        if unknown or failures:
            try:
                await client.refresh(unknown or {place.topic for place in missing})
            except AWAY:
                pass
        for ask in times_asks(client.cluster, missing, isolation_level):
            try:
                found.update(await _answer(client, ask))
            except AWAY:
                pass
        failures += 1
    return found


async def _answer(client: Client, ask: TimesAsk) -> dict[TopicPartition, OffsetAndTimestamp]:
    response = await client.ask(ask.broker_id, LIST_OFFSETS, ask.request, lane=Lane.ANY)
    assert isinstance(response, ListOffsetsResponse)
    found = {}
    for place, (code, offset, timestamp, epoch) in times_untrusted(ask, response).items():
        error = ApiError(code, f"partition {place}")
        if code == ErrorCode.NONE:
            found[place] = OffsetAndTimestamp(offset, timestamp, epoch)
        elif not error.retriable:
            raise error
    return found
