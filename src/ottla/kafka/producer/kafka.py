"""KafkaProducer: kafka-python's, on the producer of `ottla.aio`.

`send` serializes, takes a lock, appends and returns; the client's thread does the rest. It waits only
where it must: for the partitions of a topic that is new to it, and for room when `buffer_memory` is
used up, each up to `max_block_ms`.

Promises: nothing that was taken is dropped in silence. `close` raises what it could not deliver; at the
end of the process what is left is sent within seconds, and what could not be is logged. After a
fork the child begins with an empty buffer; what was in it is the parent's.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time_ns
from types import TracebackType
from typing import ClassVar, Final, TypeAlias, Unpack, cast, final

from ottla.aio.producer import Producer
from ottla.client.metadata import TopicView
from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.fate import BufferFull, RecordTooLarge, TopicUnknown, Undelivered
from ottla.errors import LocalProtocolError, OttlaError
from ottla.kafka import loop
from ottla.kafka.arguments import ProducerArguments
from ottla.kafka.cluster import ClusterMetadata
from ottla.kafka.config import For, configured, defaults, number
from ottla.kafka.errors import (
    IllegalStateError,
    InvalidConfigValueError,
    KafkaError,
    KafkaTimeoutError,
    UnknownTopicOrPartitionError,
)
from ottla.kafka.loop import Logged, close_at_exit, forget_at_exit
from ottla.kafka.options import own_partitioner, producer_options
from ottla.kafka.producer.future import FutureRecordMetadata, futures_of, refused
from ottla.kafka.serializer import serializing
from ottla.kafka.session import Session
from ottla.kafka.structs import (
    ConsumerGroupMetadata,
    OffsetAndMetadata,
    ProducerRecord,
    TopicPartition,
)
from ottla.kafka.translation import translated
from ottla.record.record import Headers

_MAGIC: Final = 2
_UNSAID: Final = -1
_TOPIC_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)

_Append: TypeAlias = Callable[[str, object, object, Headers, int | None, int], FutureRecordMetadata]

_log: Final = logging.getLogger(__name__)


@final
class _Line:
    """What a producer has open. It lives until it is closed, though its KafkaProducer may be gone."""

    def __init__(self, config: Mapping[str, object], given: frozenset[str]) -> None:
        try:
            options = producer_options(config, given)
        except LocalProtocolError as error:
            raise InvalidConfigValueError(str(error)) from None
        self.session: Final = Session(config)
        self.guard: Final = threading.Lock()
        self.futures: Final = futures_of(self)
        self.producer: Final = Producer(
            self.session.client,
            options,
            guard=self.guard,
            delivery=self.futures,
            on_done=self._ended,
        )
        self.lost: Final[dict[str, int]] = {}
        """Records by topic that failed; their futures say so, if anybody keeps them."""
        self._reason: str | None = None
        self.is_stale = False
        """It is closed, or the parent's."""
        self.session.run(self.producer.start())
        close_at_exit(self)

    def forked(self) -> None:
        """This is another process now: what was open stays with the first."""
        self.is_stale = True

    def close(self, timeout_ms: float | None) -> None:
        """Raises Undelivered."""
        self.is_stale = True
        forget_at_exit(self)
        try:
            self.session.thread.run(self.producer.close(timeout_ms))
        finally:
            self.session.close()

    def close_soon(self) -> None:
        """Nobody waits for it; at the end of the process somebody will."""
        self.is_stale = True
        self.session.thread.begin(self._end("a producer that nobody closed", None))

    async def at_exit(self) -> None:
        await self._end("the process ends", loop.EXIT_S_MAX * 1000)

    async def _end(self, why: str, timeout_ms: float | None) -> None:
        """Closed; what nobody else will say is logged."""
        self.is_stale = True
        self.lost.clear()
        try:
            await self.producer.close(timeout_ms)
        except Undelivered as error:
            _log.warning("%s: %s", why, error)
        else:
            if self.lost:
                _log.warning("%s: %s", why, Undelivered(self.lost, self._reason))
        finally:
            await self.session.client.close()
            forget_at_exit(self)

    def _ended(self, batch: RecordBatch) -> None:
        if batch.error is not None:
            self.lost[batch.topic] = self.lost.get(batch.topic, 0) + batch.record_count
            self._reason = str(batch.error)


@final
class KafkaProducer:
    """Sends records. May be shared by threads. The constructor has reached a broker."""

    DEFAULT_CONFIG: ClassVar[Mapping[str, object]] = defaults(For.PRODUCER)
    DEPRECATED_CONFIGS: ClassVar[tuple[str, ...]] = ("buffer_memory",)

    def __init__(self, **configs: Unpack[ProducerArguments]) -> None:
        self._closed = True  # until it is open
        self.config = configured(For.PRODUCER, configs)
        self._given = frozenset(configs)
        self._serialize_key = serializing("key_serializer", self.config["key_serializer"])
        self._serialize_value = serializing("value_serializer", self.config["value_serializer"])
        self._choose = own_partitioner(self.config)
        self._is_plain = (
            self._serialize_key is None and self._serialize_value is None and self._choose is None
        )
        self._max_block_s = number(self.config, "max_block_ms") / 1000
        self._open()
        self._closed = False

    def _open(self) -> None:
        self._line = line = _Line(self.config, self._given)
        self._guard = line.guard
        # It looks at the types itself, and returns the class that it was given.
        self._append = cast(_Append, line.producer.take)

    # ---- sending

    def send(
        self,
        topic: str,
        value: object = None,
        key: object = None,
        headers: Iterable[tuple[str, bytes | None]] | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> FutureRecordMetadata:
        """Take a record; what it comes to is told by the future.

        Raises KafkaTimeoutError when there is no room, or no word of the topic, within
        `max_block_ms`; TypeError for what no serializer made bytes of; ValueError for a partition
        that is not there. A record that is too large is a failed future, as in kafka-python.
        """
        if self._line.is_stale:
            self._reopen()
        wire_headers: Headers = () if headers is None else _headers(headers)
        if timestamp_ms is None:
            timestamp_ms = time_ns() // 1_000_000
        wire_key, wire_value = key, value
        if not self._is_plain:
            if isinstance(value, ProducerRecord):
                return self._send_record(topic, value, wire_headers, partition)
            if self._serialize_key is not None:
                wire_key = self._serialize_key(topic, wire_headers, key)
            if self._serialize_value is not None:
                wire_value = self._serialize_value(topic, wire_headers, value)
            if self._choose is not None and partition is None:
                partition = self._chosen(topic, key, wire_key, value, wire_value)
        if wire_value is None and wire_key is None:
            raise ValueError("a record needs a key or a value")
        try:
            with self._guard:
                return self._append(
                    topic, wire_value, wire_key, wire_headers, partition, timestamp_ms
                )
        except (OttlaError, TypeError) as error:
            return self._send_rare(
                error, topic, wire_value, wire_key, wire_headers, partition, timestamp_ms
            )

    def flush(self, timeout: float | None = None) -> None:
        """The fate of all that was sent before is known. Raises KafkaTimeoutError after `timeout`
        seconds; then sending goes on."""
        self._ensure_open()
        line = self._line
        line.session.run(line.producer.flush(None if timeout is None else timeout * 1000))

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        """Everything is delivered, and nothing is open. A second time is no mistake.

        Raises KafkaTimeoutError for what could not be delivered within `timeout` seconds, with the
        counts per topic; None: `delivery_timeout_ms` is the limit.
        """
        if self._closed:
            return
        self._closed = True
        if not self._line.session.is_ours:
            return  # the parent's
        if self._line.session.thread.is_current:
            self._line.close_soon()  # from a callback: it cannot wait for itself
            return
        try:
            self._line.close(None if timeout is None else max(0.0, timeout * 1000))
        except Undelivered as error:
            _log.warning("%s", error)
            raise KafkaTimeoutError(str(error)) from error

    def __enter__(self) -> "KafkaProducer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # What the body raised is what counts; what was lost is logged.
        try:
            self.close(timeout=loop.EXIT_S_MAX)
        except KafkaTimeoutError:
            pass

    def __del__(self) -> None:
        if not self._closed and self._line.session.is_ours:
            with Logged("producer that nobody closed"):
                self._line.close_soon()

    # ---- asked

    def partitions_for(self, topic: str) -> set[int]:
        """The topic's partitions; waits until they are known."""
        self._ensure_open()
        _check_topic(topic)
        view = self._learn(topic, self._max_block_s * 1000)
        return {part.partition for part in view.partitions}

    def bootstrap_connected(self) -> bool:
        """Has a broker answered?"""
        return not self._closed and bool(self._line.session.client.cluster.brokers)

    def metrics(self, raw: bool = False) -> dict[str, dict[str, float]]:
        """Numbers by group. `raw` is taken and means nothing here."""
        producer = self._line.producer
        return {
            "producer-metrics": {
                "record-send-total": producer.acknowledged_count,
                "buffer-total-bytes": number(self.config, "buffer_memory"),
                "buffer-available-bytes": number(self.config, "buffer_memory")
                - producer.buffered_bytes,
                "batches-in-progress": producer.pending_batch_count,
            },
            "kafka-metrics-count": {"count": 4},
        }

    @staticmethod
    def max_usable_produce_magic(api_version: object = None) -> int:
        """The format of record batches: always the third one."""
        return _MAGIC

    # ---- transactions

    def init_transactions(self) -> None:
        raise self._no_transactions()

    def begin_transaction(self) -> None:
        raise self._no_transactions()

    def send_offsets_to_transaction(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        group_metadata: ConsumerGroupMetadata | str,
    ) -> None:
        raise self._no_transactions()

    def commit_transaction(self) -> None:
        raise self._no_transactions()

    def abort_transaction(self) -> None:
        raise self._no_transactions()

    def _no_transactions(self) -> KafkaError:
        self._ensure_open()
        return IllegalStateError("a transactional method of a producer without transactional_id")

    # ---- inside

    def _ensure_open(self) -> None:
        if self._line.is_stale:
            self._reopen()

    def _reopen(self) -> None:
        if self._closed:
            raise IllegalStateError("this KafkaProducer is closed")
        self._open()

    def _send_rare(
        self,
        problem: Exception,
        topic: str,
        value: object,
        key: object,
        headers: Headers,
        partition: int | None,
        timestamp_ms: int,
    ) -> FutureRecordMetadata:
        """`send`, after `problem` kept the record from being taken at once."""
        deadline = monotonic() + self._max_block_s
        producer, session = self._line.producer, self._line.session
        while True:
            left_ms = (deadline - monotonic()) * 1000
            match problem:
                case TopicUnknown():
                    _check_topic(topic)
                    self._must_not_wait(f"the partitions of topic {topic!r} are not known yet")
                    self._learn(topic, max(1.0, left_ms))
                case BufferFull():
                    self._must_not_wait(str(problem))
                    session.run(producer.room(max(0.0, left_ms)))
                case RecordTooLarge():
                    place = _UNSAID if partition is None else partition
                    return refused(self._line.futures, topic, place, problem)
                case LocalProtocolError():
                    raise ValueError(str(problem)) from problem
                case TypeError() if isinstance(value, ProducerRecord):
                    return self._send_record(topic, value, headers, partition)
                case TypeError():
                    _check_topic(topic)
                    raise TypeError(
                        f"{problem}; give a key_serializer or value_serializer for what is not bytes"
                    ) from problem
                case _:
                    raise translated(problem) from problem
            if self._choose is not None and partition is None:
                partition = self._chosen(topic, key, key, value, value)
            try:
                with self._guard:
                    return self._append(topic, value, key, headers, partition, timestamp_ms)
            except (OttlaError, TypeError) as error:
                problem = error

    def _send_record(
        self, topic: str, record: ProducerRecord, headers: Headers, partition: int | None
    ) -> FutureRecordMetadata:
        return self.send(topic, record.value, record.key, headers, partition, record.timestamp)

    def _learn(self, topic: str, timeout_ms: float) -> TopicView:
        """The topic's partitions are known. Raises KafkaTimeoutError when nobody can be asked."""
        session = self._line.session
        try:
            return session.run(self._line.producer.topic(topic, timeout_ms))
        except UnknownTopicOrPartitionError as error:
            trouble = session.client.trouble
            if trouble is None:
                raise
            raise KafkaTimeoutError(
                f"nothing is known of topic {topic!r} after {timeout_ms:,.0f} ms: {trouble}"
            ) from error

    def _must_not_wait(self, what: str) -> None:
        if self._line.session.thread.is_current:
            raise IllegalStateError(
                f"{what}, and a callback cannot wait for it: send from a thread"
            )

    def _chosen(
        self, topic: str, key: object, wire_key: object, value: object, wire_value: object
    ) -> int:
        """What the program's own partitioner says."""
        assert self._choose is not None
        session = self._line.session
        if session.client.cluster.topic(topic) is None:
            _check_topic(topic)
            self._must_not_wait(f"the partitions of topic {topic!r} are not known yet")
            self._learn(topic, self._max_block_s * 1000)
        cluster = ClusterMetadata(session.client.cluster)
        return self._choose(topic, key, wire_key, value, wire_value, cluster)


def _headers(given: Iterable[tuple[str, bytes | None]]) -> Headers:
    made = tuple(given)
    for one in made:
        if not (
            isinstance(one, tuple)
            and len(one) == 2
            and isinstance(one[0], str)
            and (one[1] is None or isinstance(one[1], bytes))
        ):
            raise TypeError(f"header {one!r}: a tuple of text and bytes is expected")
    return made


def _check_topic(topic: object) -> None:
    if not isinstance(topic, str):
        raise TypeError(f"topic {topic!r}: a name is expected")
    if not _TOPIC_NAME.fullmatch(topic) or topic in (".", ".."):
        raise ValueError(
            f"topic {topic!r}: a name has 1 to 249 letters, digits, '.', '_' and '-' (ASCII)"
        )
