"""What the clients of a world saw, and when: the only thing that a history checker may look at.

An operation (`Op`) has the time it was asked, the time it ended and how. `OK` and `FAIL` are
certain: what failed has no effect, now or later. `INFO` is uncertain: the connection was lost or
nobody answered in time, so it may have happened, may not, and, until the connection's requests are
gone, may still happen. An operation that never ended stays `OPEN`, which says the same as `INFO`.

One `Send` is one batch for one partition as its application sees it, however often the producer
sent it: it is `FAIL` only if every attempt certainly had no effect. Values are unique in a world.

Beside operations stand `Mark`s: what happened to the node that its promises depend on. Who says what
must hold between them, see `checker`.
"""

from collections.abc import Iterator
from enum import Enum
from typing import TypeAlias, final

from ottla.sim.group_operation import (
    Beat,
    Committing,
    Forgetting,
    GroupDeletion,
    GroupSeen,
    GroupsListed,
    Joining,
    Leaving,
    Place,
    Positions,
    Syncing,
)
from ottla.sim.operation import Op as Op
from ottla.sim.operation import Outcome as Outcome
from ottla.sim.place_operation import MoveAsked as MoveAsked
from ottla.sim.place_operation import PlacesSeen as PlacesSeen
from ottla.sim.quota_operation import Metered, MuteMark, QuotaAlter, QuotasSeen
from ottla.sim.topic_operation import Alter as Alter
from ottla.sim.topic_operation import ConfigsSeen as ConfigsSeen
from ottla.sim.topic_operation import Create as Create
from ottla.sim.topic_operation import Delete as Delete
from ottla.sim.topic_operation import DeleteBefore as DeleteBefore
from ottla.sim.topic_operation import Grow as Grow
from ottla.sim.topic_operation import Listing as Listing
from ottla.sim.topic_operation import TopicSeen as TopicSeen
from ottla.types import Uuid


@final
class Record:
    """A record as produced or as read. `timestamp_ms`: the producer's, or as served.

    A tombstone, which has no value, is told from all others by its header: `value` is that.
    """

    __slots__ = ("is_tombstone", "key", "offset", "timestamp_ms", "value")

    def __init__(
        self,
        offset: int,
        timestamp_ms: int,
        value: bytes,
        key: bytes = b"",
        *,
        is_tombstone: bool = False,
    ) -> None:
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.value = value
        self.key = key
        self.is_tombstone = is_tombstone


@final
class Send(Op):
    """One batch for one partition. `records`' offsets are 0, 1, ... within the batch.

    `acks`: 0, 1, -1. With acks=0, OK means "handed to the network" and promises nothing.
    `topic_id`: of the topic as the producer knew it when it first sent; ZERO_UUID: never sent.
    `producer_id` -1: not idempotent. `base_offset`, `log_append_time_ms`: as acknowledged, else -1.
    `attempts`: how often the batch went into a connection. A producer without idempotence that
    sends twice may well write twice. `by_name`: the request named the topic, not its id, so that it
    may have met a successor of the same name. `in_order`: this producer and partition had no other
    batch on its way at the same time, so its batches stand in the order of their sending (a late
    duplicate of one without idempotence excepted).
    """

    __slots__ = (
        "acks",
        "attempts",
        "base_offset",
        "base_sequence",
        "by_name",
        "codec",
        "in_order",
        "log_append_time_ms",
        "partition",
        "producer_epoch",
        "producer_id",
        "records",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        topic: str,
        topic_id: Uuid,
        partition: int,
        acks: int,
        codec: int,
        records: tuple[Record, ...],
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.acks = acks
        self.codec = codec
        self.records = records
        self.by_name = False
        self.in_order = True
        self.producer_id = -1
        self.producer_epoch = -1
        self.base_sequence = -1
        self.attempts = 0
        self.base_offset = -1
        self.log_append_time_ms = -1


@final
class ReadBatch:
    """A batch as it was served. `data` is all its bytes; equal bytes share one object in a world."""

    __slots__ = (
        "base_offset",
        "base_sequence",
        "crc_is_right",
        "data",
        "is_log_append_time",
        "last_offset",
        "leader_epoch",
        "max_timestamp_ms",
        "producer_epoch",
        "producer_id",
        "records",
    )

    def __init__(
        self,
        data: bytes,
        *,
        base_offset: int,
        last_offset: int,
        leader_epoch: int,
        max_timestamp_ms: int,
        producer_id: int,
        producer_epoch: int,
        base_sequence: int,
        is_log_append_time: bool,
        crc_is_right: bool,
        records: tuple[Record, ...],
    ) -> None:
        self.data = data
        self.base_offset = base_offset
        self.last_offset = last_offset
        self.leader_epoch = leader_epoch
        self.max_timestamp_ms = max_timestamp_ms
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.base_sequence = base_sequence
        self.is_log_append_time = is_log_append_time
        self.crc_is_right = crc_is_right
        self.records = records  # empty when the checksum is wrong


@final
class Read(Op):
    """One partition of one Fetch. OK with `error` 0 carries what was served, whole batches only.

    `topic_id`: what was asked for by id, or ZERO_UUID when asked by name. `session_id` 0: a full
    fetch outside sessions. In a session's later fetches (`session_epoch` > 0) a partition without
    news is left out of the answer: `left_out` is then true, and the watermarks are -1.
    `final`: part of the last reading of everything, after all faults are healed and the load is over.
    """

    __slots__ = (
        "batches",
        "fetch_offset",
        "final",
        "high_watermark",
        "last_stable_offset",
        "left_out",
        "log_start_offset",
        "partition",
        "session_epoch",
        "session_id",
        "topic",
        "topic_id",
        "truncated",
    )

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        topic: str,
        topic_id: Uuid,
        partition: int,
        fetch_offset: int,
        final: bool,
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.fetch_offset = fetch_offset
        self.final = final
        self.session_id = 0
        self.session_epoch = -1
        self.left_out = False
        self.high_watermark = -1
        self.last_stable_offset = -1
        self.log_start_offset = -1
        self.batches: tuple[ReadBatch, ...] = ()
        self.truncated = False  # the served bytes did not end with a whole batch


@final
class Following(Op):
    """The product's own consumer from its start to its end: OK: closed in order; else it vanished, or
    was there to the end. `read`: if so, what it was assigned then, and had read to its end.

    `from_first`: where nothing is committed it begins with the first record there is.
    """

    __slots__ = ("from_first", "group", "is_cooperative", "read")

    def __init__(
        self, client: int, asked_us: int, *, group: str, is_cooperative: bool, from_first: bool
    ) -> None:
        super().__init__(client, asked_us)
        self.group = group  # empty: none
        self.is_cooperative = is_cooperative
        self.from_first = from_first
        self.read: tuple[Place, ...] = ()


@final
class Delivery(Op):
    """What an application was handed of one partition: polled when it was asked, and done when it ended.

    `sought`: where the application had said before that it wants to go on; None: nothing.
    """

    __slots__ = ("following", "partition", "records", "sought", "topic")

    def __init__(
        self,
        following: Following,
        polled_us: int,
        done_us: int,
        *,
        topic: str,
        partition: int,
        records: tuple[Record, ...],
        sought: int | None,
    ) -> None:
        super().__init__(following.client, polled_us)
        self.following = following
        self.topic = topic
        self.partition = partition
        self.records = records
        self.sought = sought
        self.end(done_us, Outcome.OK)


@final
class LookUp(Op):
    """ListOffsets of one partition. `asked_ms`: a timestamp, or -1 end, -2 start, -3 max timestamp."""

    __slots__ = ("asked_ms", "found_ms", "offset", "partition", "topic", "topic_id")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        topic: str,
        topic_id: Uuid,
        partition: int,
        asked_ms: int,
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.topic_id = topic_id  # whom the client means; the request itself only has the name
        self.partition = partition
        self.asked_ms = asked_ms
        self.offset = -1
        self.found_ms = -1


@final
class Inquiry(Op):
    """A question about the cluster. `about`: the topic. `problem`: what can't be true of the answer,
    whatever happens, as its asker found."""

    __slots__ = ("about", "api_key", "partitions", "problem", "topic_id")

    def __init__(self, client: int, asked_us: int, *, api_key: int, about: str) -> None:
        super().__init__(client, asked_us)
        self.api_key = api_key
        self.about = about
        self.topic_id: Uuid = bytes(16)
        self.partitions = -1  # of the topic, where the answer says it
        self.problem = ""


@final
class Insult(Op):
    """Bytes that are no request, or one that must be refused, on a connection of its own.

    `must_close`: the only right answer. OK: the node closed it or answered; `answered_bytes` of it.
    INFO: the caller lost its patience.
    """

    __slots__ = ("answered_bytes", "kind", "must_close")

    def __init__(self, client: int, asked_us: int, *, kind: str, must_close: bool) -> None:
        super().__init__(client, asked_us)
        self.kind = kind
        self.must_close = must_close
        self.answered_bytes = 0


@final
class ProducerIdGiven(Op):
    """InitProducerId without a transactional id."""

    __slots__ = ("producer_epoch", "producer_id")

    def __init__(self, client: int, asked_us: int) -> None:
        super().__init__(client, asked_us)
        self.producer_id = -1
        self.producer_epoch = -1


class Life(Enum):
    """What happens to a node's process."""

    STARTED = "started"  # its start is committed; it answers from now on
    STOPPED = "stopped"  # cleanly, with the marker
    KILLED = "killed"  # the page cache lives on
    POWER_CUT = "power cut"  # what was not synced may be lost
    HALTED = "halted"  # it stopped itself: a Halt, or a disk that refuses
    STOPPED_UNCLEANLY = "stopped uncleanly"  # a stop that leaves no marker


@final
class LifeMark:
    """`uncertain_disk`: faults have hit this disk that a node need not survive unharmed (a flipped
    bit, pages dropped after a failed fsync): acknowledged records may be gone, wrong ones never shown.
    """

    __slots__ = ("life", "node", "t_us", "uncertain_disk")

    def __init__(self, t_us: int, node: int, life: Life, *, uncertain_disk: bool) -> None:
        self.t_us = t_us
        self.node = node
        self.life = life
        self.uncertain_disk = uncertain_disk


@final
class FlushMark:
    """The node was told that the partition's log is on the disk up to `end_offset` (exclusive)."""

    __slots__ = ("end_offset", "node", "partition", "t_us", "topic", "topic_id")

    def __init__(
        self, t_us: int, node: int, *, topic: str, topic_id: Uuid, partition: int, end_offset: int
    ) -> None:
        self.t_us = t_us
        self.node = node
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.end_offset = end_offset


@final
class FaultMark:
    """The nemesis struck. `partition`: (topic, partition) for a fault that hit one file. `unopened`:
    no node had its log open, so whoever opens it next finds what was done to it meanwhile.
    """

    __slots__ = ("kind", "node", "note", "partition", "t_us", "unopened")

    def __init__(
        self,
        t_us: int,
        node: int,
        kind: str,
        note: str,
        partition: tuple[str, int] | None,
        *,
        unopened: bool = False,
    ) -> None:
        self.t_us = t_us
        self.node = node
        self.kind = kind
        self.note = note
        self.partition = partition
        self.unopened = unopened


@final
class ProducersLost:
    """The only producer snapshot of a log was taken away. Of producers whose batches all stood in
    front of `begin_offset`, where the log begins by now, nothing is left to tell it."""

    __slots__ = ("begin_offset", "node", "partition", "t_us", "topic")

    def __init__(
        self, t_us: int, node: int, *, topic: str, partition: int, begin_offset: int
    ) -> None:
        self.t_us = t_us
        self.node = node
        self.topic = topic
        self.partition = partition
        self.begin_offset = begin_offset


@final
class ConnectionEnd:
    """A connection ended. `by_node`: the node closed it. `unanswered`: requests that had reached the
    node and awaited an answer on a connection that was still open when the world ended; 0 otherwise.
    """

    __slots__ = ("by_node", "client", "reason", "t_us", "unanswered")

    def __init__(
        self, t_us: int, client: int, *, by_node: bool, reason: str, unanswered: int
    ) -> None:
        self.t_us = t_us
        self.client = client
        self.by_node = by_node
        self.reason = reason
        self.unanswered = unanswered


Entry: TypeAlias = (
    Send
    | Read
    | Following
    | Delivery
    | LookUp
    | Create
    | Delete
    | Grow
    | DeleteBefore
    | Listing
    | ConfigsSeen
    | ProducerIdGiven
    | Alter
    | Inquiry
    | MoveAsked
    | PlacesSeen
    | Insult
    | Joining
    | Syncing
    | Beat
    | Leaving
    | Committing
    | Positions
    | Forgetting
    | GroupDeletion
    | GroupSeen
    | GroupsListed
    | QuotaAlter
    | QuotasSeen
)
Mark: TypeAlias = LifeMark | FlushMark | FaultMark | ProducersLost | ConnectionEnd | MuteMark


@final
class History:
    """Everything of one world, in the order in which operations were asked and marks were made.

    `flush_on_ack`: the broker runs with ottla.flush=ack. Topics may have flush.messages=1 in their
    configs, which promises the same for them. `retention`: whether any topic may lose old records by
    retention. `offsets_kept_ms`: for how long a group without members keeps what it committed;
    `groups_vanish`: whether one of which nothing is left may be forgotten in this world;
    `members_max`: of one group. `metered`: what quotas count, of every request with an answer; with the
    windows that they are counted in. `ended`: the world ran to its end, final reading included; if not, `broken` says why
    (a broken invariant, an exception in the node, no progress), and that is a violation by itself.
    """

    __slots__ = (
        "broken",
        "ended",
        "entries",
        "flush_on_ack",
        "groups_vanish",
        "marks",
        "members_max",
        "metered",
        "mutation_span_ms",
        "offsets_kept_ms",
        "order",
        "quota_span_ms",
        "quota_window_ms",
        "retention",
        "seed",
    )

    def __init__(self, seed: int, *, flush_on_ack: bool) -> None:
        self.seed = seed
        self.flush_on_ack = flush_on_ack
        self.retention = False
        self.offsets_kept_ms = 7 * 24 * 3_600_000
        self.groups_vanish = False
        self.members_max = 1_000
        self.metered: list[Metered] = []
        self.quota_window_ms = 1_000
        self.quota_span_ms = 11_000
        self.mutation_span_ms = 11_000
        self.entries: list[Entry] = []
        self.marks: list[Mark] = []
        self.order: list[Entry | Mark] = []
        self.ended = False
        self.broken: list[str] = []

    def mutes(self) -> Iterator[MuteMark]:
        return (mark for mark in self.marks if isinstance(mark, MuteMark))

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.order.append(entry)

    def mark(self, mark: Mark) -> None:
        self.marks.append(mark)
        self.order.append(mark)
