"""`ottla serve --log explain`: what clients do and what the broker does about it, a line each.

    14:03:05  my-producer           produces   2 records (141 bytes) to greetings-1, at offsets 0 to 1
    14:03:06  my-consumer           fetches    greetings-1 from offset 0: 2 records

For people who learn how Kafka works, so in words, and without what only keeps things going: heartbeats,
answers that bring nothing new. `ExplainedNode` stands around the node and sees what goes in and what
comes out; where nobody asked for it nothing is there, and costs nothing.

Elsewhere: how a line looks, `log_lines.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, final

from ottla.aio.broker import ServedNode
from ottla.client.lookup import EARLIEST, LATEST
from ottla.client.member.protocol import assigned_untrusted
from ottla.core.effect import Effect, Reply
from ottla.core.event import Disconnected, Event, Received
from ottla.core.port import FileSlice
from ottla.errors import ErrorCode, RemoteProtocolError, error_name
from ottla.record.batch import HEADER_BYTES, Batch, header_untrusted
from ottla.types import Payload, TopicPartition, Uuid, uuid_to_text
from ottla.wire.api import Message
from ottla.wire.message.create_topics import CreateTopicsResponse
from ottla.wire.message.delete_topics import DeleteTopicsResponse
from ottla.wire.message.fetch import FetchRequest, FetchResponse
from ottla.wire.message.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.init_producer_id import InitProducerIdResponse
from ottla.wire.message.join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.message.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse
from ottla.wire.message.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.message.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from ottla.wire.message.produce import ProduceRequest, ProduceResponse
from ottla.wire.message.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.server import Call

Tell: TypeAlias = Callable[[str, str, str], None]
"""A line: who, does, what."""

Explain: TypeAlias = Callable[[Message], None]
"""What is said when the answer is there."""

Place: TypeAlias = tuple[str, int]

_LISTED_MAX: Final = 4
_NEW_SESSIONS: Final = (0, -1)
_MADE_NOW: Final = (ErrorCode.LEADER_NOT_AVAILABLE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


@final
class _Peer:
    """A connection: what must be known of it to say what an answer means."""

    __slots__ = ("asked", "fetches_from", "is_waiting", "number", "who")

    def __init__(self, who: str, number: int) -> None:
        self.who = who
        self.number = number
        self.asked: dict[int, Explain] = {}  # by slot
        self.fetches_from: dict[Place, int] = {}
        self.is_waiting = False


@final
class ExplainedNode:
    """The node, and somebody who watches and tells."""

    def __init__(self, node: ServedNode, tell: Tell) -> None:
        self._node = node
        self._narrator = Narrator(tell)

    def start(self, now_ms: int) -> list[Effect]:
        return self._node.start(now_ms)

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        if not isinstance(event, Received):
            if isinstance(event, Disconnected):
                self._narrator.gone(event.connection_id)
            return self._told(self._node.step(now_ms, event))
        self._narrator.asked(event.call, event.message)
        effects = self._told(self._node.step(now_ms, event), event.call)
        self._narrator.waits(event.call, event.message)
        return effects

    def stop(self, now_ms: int) -> list[Effect]:
        return self._told(self._node.stop(now_ms))

    def close(self, now_ms: int) -> list[Effect]:
        return self._told(self._node.close(now_ms))

    def next_deadline_ms(self) -> int | None:
        return self._node.next_deadline_ms()

    def is_dir_durable(self, log_dir: int) -> bool:
        return self._node.is_dir_durable(log_dir)

    @property
    def is_ready(self) -> bool:
        return self._node.is_ready

    @property
    def is_examined(self) -> bool:
        return self._node.is_examined

    @property
    def broker_epoch(self) -> int:
        return self._node.broker_epoch

    def _told(self, effects: list[Effect], cause: Call | None = None) -> list[Effect]:
        """First what was asked, then who else gets an answer for it: a record is fetched because it
        was produced."""
        replies = [effect for effect in effects if isinstance(effect, Reply)]
        for reply in sorted(replies, key=lambda reply: reply.call is not cause):
            if reply.response is not None:
                self._narrator.answered(reply.call, reply.response)
        return effects


@final
class Narrator:
    """Requests and their answers, as lines. Views in a request are not kept: numbers are."""

    def __init__(self, tell: Tell) -> None:
        self._tell_line = tell
        self._peers: dict[int, _Peer] = {}
        self._names: dict[Uuid, str] = {}

    def asked(self, call: Call, message: Message | None) -> None:
        peer = self._peers.get(call.origin.connection_id)
        if peer is None:
            peer = self._met(call)
        peer.who = call.client_id or peer.who
        if message is None:
            return
        explain = self._explain_later(peer, message)
        if explain is not None:
            peer.asked[call.slot] = explain

    def answered(self, call: Call, response: Message) -> None:
        peer = self._peers.get(call.origin.connection_id)
        explain = None if peer is None else peer.asked.pop(call.slot, None)
        if explain is not None:
            explain(response)

    def waits(self, call: Call, message: Message | None) -> None:
        """Called after the step that brought the request: a Metadata that has no answer yet waits for a
        topic that was made because somebody asked for it."""
        peer = self._peers.get(call.origin.connection_id)
        if peer is None or call.slot not in peer.asked or not isinstance(message, MetadataRequest):
            return
        known = set(self._names.values())
        for topic in message.topics or ():
            if topic.name is not None and topic.name not in known:
                self._tell(peer, "asks", f"for topic {topic.name}, which is made now")

    def gone(self, connection_id: int) -> None:
        peer = self._peers.pop(connection_id, None)
        if peer is not None:
            self._tell(peer, "hangs up", f"connection {peer.number}")

    def _met(self, call: Call) -> _Peer:
        origin = call.origin
        who = call.client_id or f"{origin.peer_host}:{origin.peer_port}"
        peer = self._peers[origin.connection_id] = _Peer(who, origin.connection_id)
        self._tell(
            peer,
            "connects",
            f"from {origin.peer_host}:{origin.peer_port} to {origin.local_host}:{origin.local_port}"
            f" (connection {peer.number})",
        )
        return peer

    def _tell(self, peer: _Peer, does: str, what: str) -> None:
        self._tell_line(peer.who, does, what)

    def _explain_later(self, peer: _Peer, message: Message) -> Explain | None:
        """What an answer to `message` will mean; None: nothing that is worth a line."""
        match message:
            case ProduceRequest():
                return self._produces(peer, message)
            case FetchRequest():
                return self._fetches(peer, message)
            case MetadataRequest():
                return partial(self._asks_for_topics, peer, message)
            case ListOffsetsRequest():
                return partial(self._looks_up, peer, message)
            case FindCoordinatorRequest():
                return partial(self._asks_for_coordinator, peer, message)
            case JoinGroupRequest():
                return partial(self._joins, peer, message)
            case SyncGroupRequest():
                return partial(self._is_given, peer, message)
            case HeartbeatRequest():
                return partial(self._is_alive, peer, message)
            case LeaveGroupRequest():
                return partial(self._leaves, peer, message)
            case OffsetFetchRequest():
                return partial(self._goes_on, peer)
            case OffsetCommitRequest():
                return partial(self._commits, peer, message)
            case _:
                return partial(self._others, peer)

    # Records

    def _produces(self, peer: _Peer, request: ProduceRequest) -> Explain | None:
        sent: dict[Place, tuple[int, int]] = {}
        for topic in request.topic_data:
            for part in topic.partition_data:
                place = self._name(topic.name, topic.topic_id), part.index
                data = part.records
                sent[place] = 0 if data is None else len(data), _count(data)
        if request.acks == 0:
            for place, (size_bytes, count) in sent.items():
                what = f"{_records(count)} ({size_bytes:,} bytes) to {_at(place)}"
                self._tell(peer, "produces", f"{what} and wants no answer (acks=0)")
            return None
        return partial(self._produced, peer, sent)

    def _produced(
        self, peer: _Peer, sent: Mapping[Place, tuple[int, int]], response: Message
    ) -> None:
        if not isinstance(response, ProduceResponse):
            return
        for topic in response.responses:
            for part in topic.partition_responses:
                place = self._name(topic.name, topic.topic_id), part.index
                size_bytes, count = sent.get(place, (0, 0))
                what = f"{_records(count)} ({size_bytes:,} bytes) to {_at(place)}"
                if part.error_code:
                    said = f"{what}: refused, {error_name(part.error_code)}"
                else:
                    said = f"{what}: appended at {_offsets(part.base_offset, count)}"
                self._tell(peer, "produces", said)

    def _fetches(self, peer: _Peer, request: FetchRequest) -> Explain:
        if request.session_epoch in _NEW_SESSIONS:
            peer.fetches_from.clear()
        for topic in request.topics:
            name = self._name(topic.topic, topic.topic_id)
            for part in topic.partitions:
                peer.fetches_from[name, part.partition] = part.fetch_offset
        for forgotten in request.forgotten_topics_data:
            name = self._name(forgotten.topic, forgotten.topic_id)
            for number in forgotten.partitions:
                peer.fetches_from.pop((name, number), None)
        return partial(self._fetched, peer)

    def _fetched(self, peer: _Peer, response: Message) -> None:
        if not isinstance(response, FetchResponse):
            return
        is_news = False
        for topic in response.responses:
            for part in topic.partitions:
                place = self._name(topic.topic, topic.topic_id), part.partition_index
                start = peer.fetches_from.get(place, 0)
                what = f"{_at(place)} from offset {start}"
                count, last = _count_from(part.records, start)
                if part.error_code:
                    self._tell(peer, "fetches", f"{what}: {error_name(part.error_code)}")
                elif count:
                    left = part.high_watermark - 1 - last
                    more = f"; {left:,} more are there" if left > 0 else ""
                    self._tell(peer, "fetches", f"{what}: {_records(count)}{more}")
                is_news = is_news or bool(count or part.error_code)
        if response.error_code:
            self._tell(peer, "fetches", f"and is told {error_name(response.error_code)}")
        elif not is_news and not peer.is_waiting and peer.fetches_from:
            places = [f"{_at(place)} (offset {at})" for place, at in peer.fetches_from.items()]
            self._tell(peer, "waits", f"for new records at the end of {_list(places)}")
        peer.is_waiting = not is_news

    def _looks_up(self, peer: _Peer, request: ListOffsetsRequest, response: Message) -> None:
        if not isinstance(response, ListOffsetsResponse):
            return
        wanted = {
            (topic.name, part.partition_index): part.timestamp
            for topic in request.topics
            for part in topic.partitions
        }
        for topic in response.topics:
            for part in topic.partitions:
                place = topic.name, part.partition_index
                match wanted.get(place):
                    case 0 | None:
                        what = f"an offset of {_at(place)}"
                    case known if known == EARLIEST:
                        what = f"where {_at(place)} begins"
                    case known if known == LATEST:
                        what = f"where {_at(place)} ends"
                    case _:
                        what = f"the offset of a time in {_at(place)}"
                offset = part.old_style_offsets[0] if part.old_style_offsets else part.offset
                found = "there is none" if offset < 0 else f"at offset {offset}"
                said = error_name(part.error_code) if part.error_code else found
                self._tell(peer, "looks up", f"{what}: {said}")

    # Topics

    def _asks_for_topics(self, peer: _Peer, request: MetadataRequest, response: Message) -> None:
        if not isinstance(response, MetadataResponse):
            return
        for topic in response.topics:
            if topic.name is not None and any(topic.topic_id):
                self._names[topic.topic_id] = topic.name
        brokers = f"{len(response.brokers)} broker{_s(len(response.brokers))}"
        if not request.topics:
            everything = request.topics is None or bool(response.topics)
            known = f" and {_topics(len(response.topics))}" if everything else ""
            self._tell(peer, "asks", f"what there is: {brokers}{known}")
            return
        for topic in response.topics:
            name = topic.name or uuid_to_text(topic.topic_id)
            count = len(topic.partitions)
            if not topic.error_code:
                leaders = sorted({part.leader_id for part in topic.partitions})
                led = _list(str(leader) for leader in leaders)
                said = f"{count} partition{_s(count)}, led by broker {led}"
            elif topic.error_code in _MADE_NOW and request.allow_auto_topic_creation:
                said = f"not there yet, it is made now ({error_name(topic.error_code)})"
            else:
                said = error_name(topic.error_code)
            self._tell(peer, "asks", f"for topic {name}: {said}")

    def _others(self, peer: _Peer, response: Message) -> None:
        match response:
            case CreateTopicsResponse():
                for made in response.topics:
                    self._names[made.topic_id] = made.name
                    said = _unless(made.error_code, "done")
                    self._tell(peer, "creates", f"topic {made.name}: {said}")
            case DeleteTopicsResponse():
                for deleted in response.responses:
                    name = deleted.name or self._name("", deleted.topic_id)
                    self._tell(
                        peer, "deletes", f"topic {name}: {_unless(deleted.error_code, 'done')}"
                    )
            case InitProducerIdResponse():
                said = _unless(response.error_code, f"it is producer {response.producer_id}")
                what = "for a number, so that what it repeats is not stored twice"
                self._tell(peer, "asks", f"{what}: {said}")
            case _:
                pass

    # Groups

    def _asks_for_coordinator(
        self, peer: _Peer, request: FindCoordinatorRequest, response: Message
    ) -> None:
        if not isinstance(response, FindCoordinatorResponse):
            return
        found = [(c.key, c.error_code, c.node_id) for c in response.coordinators]
        found = found or [(request.key, response.error_code, response.node_id)]
        for key, error_code, node_id in found:
            said = _unless(error_code, f"broker {node_id}")
            self._tell(peer, "asks", f"who coordinates group {key}: {said}")

    def _joins(self, peer: _Peer, request: JoinGroupRequest, response: Message) -> None:
        if not isinstance(response, JoinGroupResponse):
            return
        group = f"group {request.group_id}"
        if response.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            said = f"it is member {response.member_id} from now on, and asks again"
        elif response.error_code:
            said = error_name(response.error_code)
        elif response.leader == response.member_id:
            count = len(response.members)
            said = f"generation {response.generation_id}; it leads {count} member{_s(count)}"
            said += f", and assigns by {response.protocol_name}"
        else:
            said = f"generation {response.generation_id}; another member leads"
        self._tell(peer, "joins", f"{group}: {said}")

    def _is_given(self, peer: _Peer, request: SyncGroupRequest, response: Message) -> None:
        if not isinstance(response, SyncGroupResponse):
            return
        try:
            places = [_at(place) for place in assigned_untrusted(response.assignment)]
            given = _list(places) or "nothing"
        except RemoteProtocolError:
            given = "its part"  # of another protocol than the consumers'
        said = _unless(response.error_code, given)
        self._tell(peer, "is given", f"by group {request.group_id}: {said}")

    def _is_alive(self, peer: _Peer, request: HeartbeatRequest, response: Message) -> None:
        """The group's members change, most of the time. That all is well is nothing to tell."""
        if isinstance(response, HeartbeatResponse) and response.error_code:
            said = error_name(response.error_code)
            self._tell(peer, "hears", f"that group {request.group_id} has changed: {said}")

    def _leaves(self, peer: _Peer, request: LeaveGroupRequest, response: Message) -> None:
        if isinstance(response, LeaveGroupResponse):
            said = f": {error_name(response.error_code)}" if response.error_code else ""
            self._tell(peer, "leaves", f"group {request.group_id}{said}")

    def _goes_on(self, peer: _Peer, response: Message) -> None:
        if not isinstance(response, OffsetFetchResponse):
            return
        for old in response.topics:
            for one in old.partitions:
                place = old.name, one.partition_index
                self._goes_on_at(peer, place, one.committed_offset, one.error_code)
        for group in response.groups:
            for topic in group.topics:
                for part in topic.partitions:
                    place = self._name(topic.name, topic.topic_id), part.partition_index
                    self._goes_on_at(peer, place, part.committed_offset, part.error_code)

    def _goes_on_at(self, peer: _Peer, place: Place, offset: int, error_code: int) -> None:
        found = "nowhere yet" if offset < 0 else f"offset {offset}"
        said = _unless(error_code, found)
        self._tell(peer, "asks", f"where its group goes on in {_at(place)}: {said}")

    def _commits(self, peer: _Peer, request: OffsetCommitRequest, response: Message) -> None:
        if not isinstance(response, OffsetCommitResponse):
            return
        offsets = {
            (self._name(topic.name, topic.topic_id), part.partition_index): part.committed_offset
            for topic in request.topics
            for part in topic.partitions
        }
        for topic in response.topics:
            for part in topic.partitions:
                place = self._name(topic.name, topic.topic_id), part.partition_index
                refused = f": {error_name(part.error_code)}" if part.error_code else ""
                what = f"group {request.group_id} goes on in {_at(place)} at offset"
                self._tell(peer, "commits", f"{what} {offsets.get(place)}{refused}")

    def _name(self, name: str, topic_id: Uuid) -> str:
        """Newer clients say a topic's id where older ones say its name."""
        return name or self._names.get(topic_id) or uuid_to_text(topic_id)


def _headers(data: Payload | None) -> Iterator[Batch]:
    """The batches of an answer or a request, by their headers alone; an older format has none."""
    at = 0
    while data is not None and at + HEADER_BYTES <= len(data):
        try:
            batch = header_untrusted(_piece(data, at))
        except RemoteProtocolError:
            return
        yield batch
        at += batch.size_bytes


def _piece(data: Payload, at: int) -> bytes:
    if isinstance(data, FileSlice):
        return data.file.read(data.position + at, HEADER_BYTES)
    assert isinstance(data, (bytes, bytearray, memoryview))
    return bytes(data[at : at + HEADER_BYTES])


def _count(data: Payload | None) -> int:
    return sum(batch.record_count for batch in _headers(data))


def _count_from(data: Payload | None, start: int) -> tuple[int, int]:
    """How many records there are from `start` on, and the offset of the last one. Whole batches are
    fetched: the consumer skips what comes before."""
    count, last = 0, start
    for batch in _headers(data):
        count += batch.record_count - max(0, start - batch.base_offset)
        last = batch.last_offset
    return max(0, count), last


def _at(place: Place | TopicPartition) -> str:
    return f"{place[0]}-{place[1]}"


def _records(count: int) -> str:
    return f"{count:,} record{_s(count)}" if count else "records"


def _topics(count: int) -> str:
    return f"{count:,} topic{_s(count)}"


def _offsets(base: int, count: int) -> str:
    return f"offset {base}" if count < 2 else f"offsets {base} to {base + count - 1}"


def _unless(error_code: int, said: str) -> str:
    return error_name(error_code) if error_code else said


def _list(words: Iterable[str]) -> str:
    """`a, b, c, d and 12 more`"""
    every: Sequence[str] = list(words)
    more = len(every) - _LISTED_MAX
    return ", ".join(every[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")


def _s(count: int) -> str:
    return "" if count == 1 else "s"
