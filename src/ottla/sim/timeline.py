"""What happened in a world, one line per change of state, in columns that stay where they are.

      ms     node event         partition  role  epoch  log end  high wm  isr      note
      12.480 0    append        t0-0       L     4      31       18       0        +13, start 0

A partition's line is written when its log, its watermark or its leader changed in a step; clients'
operations (`c1`) stand at the time they ended. Two runs can be compared with diff.
"""

from collections.abc import Iterable
from typing import Final, final

from ottla.broker.node import Node
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.sim.group_operation import (
    Committing,
    Forgetting,
    GroupSeen,
    GroupsListed,
    Joining,
    OfGroup,
    OfMember,
    Place,
    Positions,
    Syncing,
)
from ottla.sim.history import (
    Alter,
    ConfigsSeen,
    ConnectionEnd,
    Create,
    Delete,
    DeleteBefore,
    Delivery,
    Entry,
    FaultMark,
    FlushMark,
    Following,
    Grow,
    History,
    Inquiry,
    Insult,
    LifeMark,
    Listing,
    LookUp,
    Mark,
    MoveAsked,
    Outcome,
    PlacesSeen,
    ProducerIdGiven,
    ProducersLost,
    Read,
    Send,
)
from ottla.sim.quota_operation import MuteMark, QuotaAlter, QuotasSeen

HEADING: Final = (
    "        ms node event         partition  role  epoch  log end  high wm  isr      note"
)

_State = tuple[int, int, int, int, int, int, str, str, int]


@final
class Timeline:
    """Filled while a world runs; `lines` afterwards."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str]] = []
        self._known: dict[tuple[int, str], _State] = {}

    def look(self, t_us: int, number: int, node: Node) -> None:
        """After a step: note every partition that is not as it was."""
        for name in sorted(node.current.image.topics):
            for partition in range(len(node.current.image.topics[name].partitions)):
                label = f"{name}-{partition}"
                state = _state(node.replicas.leader(name, partition), node)
                before = self._known.get((number, label))
                if state != before:
                    self._known[number, label] = state
                    self._note_state(t_us, number, label, before, state)

    def process_ended(self, number: int) -> None:
        for key in [key for key in self._known if key[0] == number]:
            del self._known[key]

    def lines(self, history: History) -> list[str]:
        rows = list(self._rows)
        for one in history.order:
            row = _mark(one) if isinstance(one, Mark) else _operation(one)
            rows.append(row)
        rows.sort(key=lambda row: row[0])
        return [HEADING, *(line for _, line in rows)]

    def _note_state(
        self, t_us: int, number: int, label: str, before: _State | None, state: _State
    ) -> None:
        end, high_watermark, epoch, start, flushed, _, role, isr, _ = state
        event, note = _event(before, state)
        columns = (f"{role:5} {epoch:<6} {end:<8} {high_watermark:<8} {isr:8}",)
        note = f"{note} start {start}, flushed {flushed}".strip()
        self._add(t_us, str(number), event, label, columns[0], note)

    def _add(
        self, t_us: int, node: str, event: str, partition: str, columns: str, note: str
    ) -> None:
        self._rows.append((t_us, _line(t_us, node, event, partition, columns, note)))


def _state(leader: Leader | ErrorCode, node: Node) -> _State:
    if isinstance(leader, ErrorCode):
        return -1, -1, -1, -1, -1, 0, leader.name[:5], "", 0
    log = leader.log
    isr = ",".join(str(member) for member in leader.isr.members)
    return (
        log.end_offset,
        leader.high_watermark,
        leader.leader_epoch,
        log.start_offset,
        log.flushed_offset,
        leader.segment_count,
        "L",
        isr,
        leader.log_dir,
    )


def _event(before: _State | None, state: _State) -> tuple[str, str]:
    if before is None:
        return "open", ""
    grown = state[0] - before[0]
    if state[6] != before[6]:
        return "role", f"was {before[6]}"
    if state[8] != before[8]:
        return "moves", f"from directory {before[8]} to {state[8]}"
    if state[2] != before[2]:
        return "lead", f"epoch was {before[2]}"
    if grown > 0:
        return "append", f"+{grown}" + (" rolled" if state[5] > before[5] else "")
    if grown < 0:
        return "cut", f"{grown}"
    if state[3] != before[3]:
        return "start moves", f"was {before[3]}"
    return ("commit", "") if state[1] != before[1] else ("flushed", "")


def _line(t_us: int, node: str, event: str, partition: str, columns: str, note: str) -> str:
    text = f"{t_us / 1000:10.3f} {node:4} {event:13} {partition:10} {columns:40} {note}"
    return text.rstrip()


def _of_a_group(op: OfMember | OfGroup) -> str:
    if isinstance(op, OfMember):
        who = op.member_id[:12] or "nobody"
        note = f"{op.instance} as {who}, generation {op.generation}".lstrip()
    match op:
        case Joining():
            return f"{note}, given {op.given_id[:12]}, led by {op.leader[:12]}"
        case Syncing():
            return f"{note}, {op.naming} -> {op.named}: {_places(op.got)}"
        case Committing():
            return f"{note}, {_places([op.place])} at {op.offset} ({op.metadata})"
        case OfMember():
            return note
        case Positions():
            found = op.found.items()
            return " ".join(f"{_places([place])} at {at} ({name})" for place, (at, name) in found)
        case Forgetting():
            return _places([op.place])
        case GroupSeen():
            parts = [f"{one[:12]}: {_places(places)}" for one, (_, places) in op.members.items()]
            return f"{op.state}, {'; '.join(parts)}"
        case _:
            return ""


def _places(places: Iterable[Place]) -> str:
    return " ".join(f"{topic}-{partition}" for topic, partition in places) or "nothing"


def _mark(mark: Mark) -> tuple[int, str]:
    match mark:
        case LifeMark():
            return mark.t_us, _line(mark.t_us, str(mark.node), mark.life.value, "", "", "")
        case FlushMark():
            label = f"{mark.topic}-{mark.partition}"
            note = f"on the disk up to {mark.end_offset}"
            return mark.t_us, _line(mark.t_us, str(mark.node), "sync", label, "", note)
        case FaultMark():
            return mark.t_us, _line(mark.t_us, "-", f"! {mark.kind}", "", "", mark.note)
        case ProducersLost():
            label = f"{mark.topic}-{mark.partition}"
            note = f"nothing tells any more who wrote in front of {mark.begin_offset}"
            return mark.t_us, _line(mark.t_us, "-", "! forgotten", label, "", note)
        case ConnectionEnd():
            node = f"c{mark.client}"
            return mark.t_us, _line(mark.t_us, node, "disconnect", "", "", mark.reason)
        case MuteMark():
            note = f"{mark.client_id}, connection {mark.connection}, for {mark.duration_ms} ms"
            note = f"{note}, after call {mark.api_key}"
            return mark.t_us, _line(mark.t_us, "-", "mute", "", "", note)


def _operation(op: Entry) -> tuple[int, str]:
    t_us = op.ended_us if op.ended_us >= 0 else op.asked_us
    label, note = "", ""
    match op:
        case Send() | Read() | Delivery():
            label, note = f"{op.topic}-{op.partition}", _of_records(op)
        case Following():
            label, note = op.group, f"in the end {_places(op.read)}"
        case LookUp():
            label = f"{op.topic}-{op.partition}"
            note = f"{op.asked_ms} is at {op.offset}"
        case DeleteBefore():
            label = f"{op.topic}-{op.partition}"
            note = f"before {op.before_offset}: start {op.low_watermark}"
        case Create():
            configs = " ".join(f"{key}={text}" for key, text in op.configs.items())
            label = op.topic
            note = f"{op.partitions} partitions, id {op.topic_id.hex()[:8]} {configs}"
        case Delete():
            label, note = op.topic, f"id {op.topic_id.hex()[:8]}"
        case Grow():
            label, note = op.topic, f"to {op.partitions}"
        case Listing():
            note = " ".join(f"{name}:{seen.partitions}" for name, seen in op.topics.items())
        case ConfigsSeen():
            label = op.topic
        case ProducerIdGiven():
            note = f"id {op.producer_id}"
        case Alter():
            how = "all" if op.whole else "some"
            label, note = op.topic, f"{how}: {op.changes}"
        case Inquiry():
            label, note = op.about, f"call {op.api_key}"
        case MoveAsked():
            label, note = f"{op.topic}-{op.partition}", f"to {op.path}"
        case PlacesSeen():
            where = [f"{_places([one])} {'+'.join(at)}" for one, at in op.places.items()]
            where += [f"{_places([one])} on its way to {at}" for one, at in op.coming.items()]
            note = ", ".join([*where, *(f"{path} is offline" for path in op.offline)])
        case Insult():
            note = f"{op.kind}, {op.answered_bytes} bytes came back"
        case QuotaAlter():
            note = f"{dict(op.entity)}: {op.changes}"
        case QuotasSeen():
            note = "; ".join(f"{dict(entity)}: {one}" for entity, one in op.quotas.items())
        case OfMember() | OfGroup():
            label, note = op.group, _of_a_group(op)
        case GroupsListed():
            note = " ".join(f"{name}:{state}" for name, state in op.states.items())
    name = type(op).__name__.lower()
    return t_us, _line(t_us, f"c{op.client}", name, label, "", _outcome(op) + note + _asked(op))


def _of_records(op: Send | Read | Delivery) -> str:
    match op:
        case Send():
            return (
                f"{len(op.records)} at {op.base_offset}, pid {op.producer_id}/{op.producer_epoch} "
                f"seq {op.base_sequence}, acks {op.acks}, sent {op.attempts}x, "
                f"{op.records[0].value[:12].rstrip(b'.').decode()}"
            )
        case Read():
            got = [f"{one.base_offset}..{one.last_offset}" for one in op.batches]
            return f"from {op.fetch_offset}: {' '.join(got) or 'nothing'}, wm {op.high_watermark}"
        case Delivery():
            sought = "" if op.sought is None else f", after a seek to {op.sought}"
            return f"{op.records[0].offset}..{op.records[-1].offset}, {len(op.records)}{sought}"


def _outcome(op: Entry) -> str:
    error = f" error {op.error}" if op.error else ""
    return "" if op.outcome is Outcome.OK else f"{op.outcome.value}{error}; "


def _asked(op: Entry) -> str:
    return f" (asked {op.asked_us / 1000:.3f})"
