"""Sends records of one topic and waits for the acknowledgments.

`append` keeps, `flush` sends everything and comes back when the fate of each record is known: it was
acknowledged or it is in `failures`. With acks=all the producer is idempotent where the broker knows
how, so that trying again stores nothing twice (KIP-98).

Elsewhere: which batch goes where and what an answer means, `client/sender.py`.
"""

import asyncio
import os
from typing import Final, final

from ottla.aio.client import (
    REQUEST_MS_MAX,
    AdvertisedUnreachable,
    Client,
    ConnectionLost,
    Unreachable,
)
from ottla.client.accumulator import Accumulator, Draft
from ottla.client.metadata import TopicView
from ottla.client.sender import Failure, Identity, Outgoing, Sender
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError, RemoteProtocolError
from ottla.limits import INT_MAX
from ottla.wire.api import INIT_PRODUCER_ID, PRODUCE
from ottla.wire.client import CORRELATION_ID_MAX
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.produce import ProduceResponse

ACKS_ALL: Final = -1
FLUSH_BYTES: Final = 1024 * 1024
"""Above this an owner should flush: so much is in memory, and at most twice that on its way."""

_DELIVER_MS_MAX: Final = 30_000
_NAMED_TOPIC_MAX: Final = 12
"""The last Produce version that names topics: from 13 on they have ids (KIP-516)."""
_ADVERTISED_ATTEMPTS_MAX: Final = 3
_IDENTIFY_ATTEMPTS_MAX: Final = 10
_IDEMPOTENT: Final = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=INT_MAX)
"""Kafka's producer sends the largest time-out when there is no transaction to time out."""

_CREATION_MS_MAX: Final = 5_000
"""How long a broker that creates topics by itself may take for one."""


@final
class Producer:
    """Of one topic. `partition`: where all records go; None: by their keys."""

    def __init__(
        self,
        client: Client,
        topic: str,
        *,
        acks: int = ACKS_ALL,
        codec: int = 0,
        partition: int | None = None,
        deliver_ms_max: int = _DELIVER_MS_MAX,
    ) -> None:
        self._client = client
        self._topic = topic
        self._acks = acks
        self._partition = partition
        self._deliver_ms_max = deliver_ms_max
        self._accumulator = Accumulator(_below, partition)
        self._sender = Sender(topic, acks=acks, codec=codec, timeout_ms=REQUEST_MS_MAX)
        self._view: TopicView | None = None
        self._fatal: OttlaError | None = None
        self._advertised_failures = 0

    @property
    def failures(self) -> list[Failure]:
        """What was not acknowledged, since the beginning."""
        return self._sender.failures

    @property
    def acknowledged_count(self) -> int:
        return self._sender.acknowledged_count

    @property
    def is_full(self) -> bool:
        """Time to flush."""
        return self._accumulator.size_bytes >= FLUSH_BYTES

    async def start(self) -> None:
        """The topic is there; a broker that creates topics by itself is given the chance to.

        Raises ApiError if it is not, LocalProtocolError if it has no such partition.
        """
        self._view = view = await self._client.wait_for_topic(
            self._topic, create_missing=True, unknown_ms_max=_CREATION_MS_MAX
        )
        if self._partition is not None and not 0 <= self._partition < len(view.partitions):
            raise LocalProtocolError(
                f"topic '{self._topic}' has {len(view.partitions)} partitions, 0 to "
                f"{len(view.partitions) - 1}; there is no partition {self._partition}"
            )
        await self._identify()

    def append(self, draft: Draft) -> None:
        """Keep a record until `flush`."""
        assert self._view is not None, "start first"
        self._accumulator.append(self._view, draft)

    async def flush(self) -> None:
        """Nothing is pending. What could not be delivered in time is in `failures`."""
        sender = self._sender
        if self._accumulator.record_count == 0:
            return
        if sender.must_renew_identity:
            await self._identify()
        for partition, batches in self._accumulator.drain().items():
            sender.enqueue(partition, batches)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deliver_ms_max / 1000
        attempts = 0
        while sender.pending_count:
            pending_count = sender.pending_count
            await self._attempt()
            if sender.pending_count < pending_count:
                attempts = 0
                continue
            if loop.time() >= deadline:
                sender.give_up()
                return
            attempts += 1
            await self._client.pause(attempts)

    async def _attempt(self) -> None:
        """Send what can be sent once, and take the answers over."""
        if self._sender.must_refresh:
            try:
                cluster = await self._client.refresh([self._topic])
            except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
                self._sender.nobody_reached(str(error))
                return
            self._sender.must_refresh = False
            self._view = cluster.topic(self._topic) or self._view
        outgoing = self._sender.requests(self._client.cluster)
        async with asyncio.TaskGroup() as tasks:
            for one in outgoing:
                tasks.create_task(self._exchange(one))
        if self._fatal is not None:
            raise self._fatal

    async def _exchange(self, outgoing: Outgoing) -> None:
        version_max = CORRELATION_ID_MAX if outgoing.has_topic_id else _NAMED_TOPIC_MAX
        broker_id, request = outgoing.broker_id, outgoing.request
        try:
            if self._acks == 0:
                await self._client.tell(broker_id, PRODUCE, request, version_max=version_max)
                self._sender.answered_untrusted(outgoing, None)
            else:
                response = await self._client.ask(
                    broker_id, PRODUCE, request, version_max=version_max
                )
                assert isinstance(response, ProduceResponse)
                self._sender.answered_untrusted(outgoing, response)
            self._advertised_failures = 0
        except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
            self._sender.lost(outgoing, str(error))
            if isinstance(error, AdvertisedUnreachable):
                # It may have just been restarted; a wrong address stays wrong.
                self._advertised_failures += 1
                if self._advertised_failures >= _ADVERTISED_ATTEMPTS_MAX:
                    self._fatal = error
        except (ApiError, LocalProtocolError) as error:
            self._fatal = error

    async def _identify(self) -> None:
        """Become someone whose duplicates are recognized, if all acknowledge and the broker can."""
        if self._acks != ACKS_ALL or not await self._client.speaks(INIT_PRODUCER_ID):
            self._sender.renew(Identity())
            return
        for attempt in range(1, _IDENTIFY_ATTEMPTS_MAX + 1):
            response = await self._client.ask_any(INIT_PRODUCER_ID, _IDEMPOTENT)
            assert isinstance(response, InitProducerIdResponse)
            error = ApiError(response.error_code, "no producer id was assigned")
            if response.error_code == ErrorCode.NONE:
                self._sender.renew(
                    Identity(
                        producer_id=response.producer_id, producer_epoch=response.producer_epoch
                    )
                )
                return
            if not error.retriable or attempt == _IDENTIFY_ATTEMPTS_MAX:
                raise error
            await self._client.pause(attempt)


def _below(end: int) -> int:
    return int.from_bytes(os.urandom(8), "big") % end
