"""Transactions and producers, as coordinators and leaders see them; and ending one that hangs."""

import time
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from ottla.aio.admin import TRANSACTION
from ottla.kafka.admin.asking import Asking, partitions_by_topic, raise_if
from ottla.kafka.structs import TopicPartition
from ottla.wire.message import describe_producers as producers
from ottla.wire.message.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)
from ottla.wire.message.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from ottla.wire.message.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)


class TransactionState(StrEnum):
    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"
    DEAD = "Dead"
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"
    UNKNOWN = "Unknown"


class TransactionListing(NamedTuple):
    transactional_id: str
    producer_id: int
    state: TransactionState


class TransactionDescription(NamedTuple):
    coordinator_id: int
    state: TransactionState
    producer_id: int
    producer_epoch: int
    transaction_timeout_ms: int
    transaction_start_time_ms: int | None
    topic_partitions: set[TopicPartition]


class ProducerState(NamedTuple):
    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int
    current_transaction_start_offset: int


class PartitionProducerState(NamedTuple):
    active_producers: list[ProducerState]


class AbortTransactionSpec(NamedTuple):
    topic_partition: TopicPartition
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int


class TransactionCalls(Asking):
    def list_transactions(
        self,
        broker_ids: Iterable[int] | None = None,
        producer_id_filters: Iterable[int] | None = None,
        state_filters: "Iterable[TransactionState | str] | None" = None,
        duration_filter_ms: int | None = None,
        transactional_id_pattern: str | None = None,
    ) -> list[TransactionListing]:
        request = ListTransactionsRequest(
            [TransactionState(one).value for one in state_filters or ()],
            list(producer_id_filters or ()),
            -1 if duration_filter_ms is None else duration_filter_ms,
            transactional_id_pattern,
        )
        found = []
        for response in self._each(request, ListTransactionsResponse, broker_ids).values():
            raise_if(response.error_code)
            found += [
                TransactionListing(
                    one.transactional_id, one.producer_id, _state(one.transaction_state)
                )
                for one in response.transaction_states
            ]
        return found

    def describe_transactions(
        self, transactional_ids: Iterable[str]
    ) -> dict[str, TransactionDescription]:
        """Raises TransactionalIdNotFoundError for one that nobody knows."""
        found = {}
        ids = [transactional_ids] if isinstance(transactional_ids, str) else transactional_ids
        for name in ids:
            session = self._open()
            broker_id = self._run(session.admin.coordinator(name, TRANSACTION))
            response = self._broker(
                broker_id, DescribeTransactionsRequest([name]), DescribeTransactionsResponse
            )
            for one in response.transaction_states:
                raise_if(one.error_code, f"transactional id {one.transactional_id!r}")
                started_ms = one.transaction_start_time_ms
                found[one.transactional_id] = TransactionDescription(
                    broker_id,
                    _state(one.transaction_state),
                    one.producer_id,
                    one.producer_epoch,
                    one.transaction_timeout_ms,
                    None if started_ms < 0 else started_ms,
                    {
                        TopicPartition(topic.topic, number)
                        for topic in one.topics
                        for number in topic.partitions
                    },
                )
        return found

    def describe_producers(
        self, partitions: Iterable[TopicPartition], broker_id: int | None = None
    ) -> dict[TopicPartition, PartitionProducerState]:
        """Who wrote lately, and which transactions are open. `broker_id`: a replica, not the leader."""
        places = [TopicPartition(*place) for place in partitions]
        session = self._open()
        if broker_id is None:
            responses = self._run(
                session.admin.led(places, _producers, producers.DescribeProducersResponse)
            )
        else:
            request = _producers(partitions_by_topic(places))
            responses = [self._broker(broker_id, request, producers.DescribeProducersResponse)]
        found = {}
        for response in responses:
            for topic in response.topics:
                for part in topic.partitions:
                    place = TopicPartition(topic.name, part.partition_index)
                    raise_if(part.error_code, part.error_message or str(place), place=place)
                    found[place] = PartitionProducerState(
                        [_producer(p) for p in part.active_producers]
                    )
        return found

    def abort_transaction(self, spec: AbortTransactionSpec) -> None:
        """Write the mark that ends one hanging transaction on one partition."""
        place = TopicPartition(*spec.topic_partition)
        marker = WritableTxnMarker(
            spec.producer_id,
            spec.producer_epoch,
            transaction_result=False,
            topics=[WritableTxnMarkerTopic(place.topic, [place.partition])],
            coordinator_epoch=max(spec.coordinator_epoch, 0),
        )
        session = self._open()
        for response in self._run(
            session.admin.led(
                [place], lambda _: WriteTxnMarkersRequest([marker]), WriteTxnMarkersResponse
            )
        ):
            for one in response.markers:
                for topic in one.topics:
                    for part in topic.partitions:
                        raise_if(part.error_code, str(place), place=place)

    def find_hanging_transactions(
        self, broker_ids: Iterable[int] | None = None, max_transaction_timeout_ms: int = 900_000
    ) -> list[TransactionListing]:
        """Transactions that are open for longer than any may be."""
        now_ms = time.time() * 1000
        ongoing = self.list_transactions(broker_ids, state_filters=[TransactionState.ONGOING])
        described = self.describe_transactions([one.transactional_id for one in ongoing])
        return [
            one
            for one in ongoing
            if (started := described[one.transactional_id].transaction_start_time_ms) is not None
            and now_ms - started > max_transaction_timeout_ms
        ]


def _state(text: str) -> TransactionState:
    try:
        return TransactionState(text)
    except ValueError:
        return TransactionState.UNKNOWN


def _producers(parts: Mapping[str, list[int]]) -> producers.DescribeProducersRequest:
    return producers.DescribeProducersRequest(
        [producers.TopicRequest(topic, numbers) for topic, numbers in parts.items()]
    )


def _producer(one: producers.ProducerState) -> ProducerState:
    return ProducerState(
        one.producer_id,
        one.producer_epoch,
        one.last_sequence,
        one.last_timestamp,
        one.coordinator_epoch,
        one.current_txn_start_offset,
    )
