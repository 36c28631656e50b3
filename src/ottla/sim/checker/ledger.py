"""A history put in order: per topic id and partition, what was sent, read, flushed, and cut.

Most requests name a topic by its name, and a name may have had several topics one after the other.
What can't be ascribed to one of them for certain stays out of the ledger: a checker never guesses.

Elsewhere: what the entries mean, see `history.py`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, final

from ottla.core.metadata.partition import INTERNAL_TOPICS
from ottla.sim import heritage
from ottla.sim.checker.floor import Cut
from ottla.sim.history import (
    Alter,
    Create,
    Delete,
    DeleteBefore,
    FaultMark,
    FlushMark,
    History,
    Life,
    LifeMark,
    Listing,
    LookUp,
    Op,
    Outcome,
    ProducersLost,
    Read,
    ReadBatch,
    Send,
)
from ottla.types import ZERO_UUID, Uuid

_NEVER: Final = 1 << 62

_OF_OTHERS: Final = INTERNAL_TOPICS | {heritage.TOPIC}
"""What stands in them is not what producers of the world have sent."""

Key: TypeAlias = tuple[Uuid, int]


@final
class Sight:
    """A batch as it was served, and when: of all reads that brought it, the first and the last."""

    __slots__ = ("batch", "first", "last")

    def __init__(self, batch: ReadBatch, read: Read) -> None:
        self.batch = batch
        self.first = read
        self.last = read

    def see(self, read: Read) -> None:
        if read.ended_us < self.first.ended_us:
            self.first = read
        if read.asked_us > self.last.asked_us:
            self.last = read


@final
class Story:
    """One partition of one topic. Reads, look-ups and deletions are those that were answered."""

    __slots__ = (
        "_ends",
        "_flush_ends",
        "_flush_us",
        "_forgets",
        "cuts",
        "deletes",
        "flushes_on_ack",
        "is_compacted",
        "key",
        "look_ups",
        "name",
        "reads",
        "sends",
        "sights",
    )

    def __init__(self, key: Key, topic: str) -> None:
        self.key = key
        self.name = f"{topic}-{key[1]}"
        self.flushes_on_ack = False
        self.is_compacted = False
        """At any time, under this name: offsets may be missing, and batches come in several forms."""
        self.sends: list[Send] = []
        self.reads: list[Read] = []
        self.look_ups: list[LookUp] = []
        self.deletes: list[DeleteBefore] = []
        self.sights: list[Sight] = []
        """By base offset; more than one where an offset was written again."""
        self.cuts: list[tuple[int, bool]] = []
        self._forgets: list[tuple[int, int]] = []
        self._flush_us: list[int] = []
        self._flush_ends: list[int] = []
        self._ends: list[int] = []

    def flushed(self, mark: FlushMark) -> None:
        known = self._flush_ends[-1] if self._flush_ends else 0
        self._flush_us.append(mark.t_us)
        self._flush_ends.append(max(known, mark.end_offset))

    def kept_at(self, t_us: int, *, uncertain: bool) -> int | None:
        """From which offset on a cut may have taken records; None: from none on."""
        if uncertain:
            return 0
        if self.flushes_on_ack:
            return None
        at = bisect_left(self._flush_us, t_us)
        return self._flush_ends[at - 1] if at else 0

    def may_lose(self, offset: int, since_us: int, until_us: int) -> bool:
        """Was there anything in that time that may take the record at `offset`?"""
        for t_us, uncertain in self.cuts:
            if since_us <= t_us <= until_us:
                kept = self.kept_at(t_us, uncertain=uncertain)
                if kept is not None and kept <= offset:
                    return True
        return False

    def forgets(self, mark: ProducersLost) -> None:
        self._forgets.append((mark.t_us, mark.begin_offset))

    def may_forget(self, offset: int, until_us: int) -> bool:
        """Was it lost by then what was known of the producer whose last batch was at `offset`?"""
        return any(t_us <= until_us and offset < begin for t_us, begin in self._forgets)

    def record_cuts(self) -> list[Cut]:
        """The cuts, and what they leave of the end."""
        return [(t_us, self.kept_at(t_us, uncertain=uncertain)) for t_us, uncertain in self.cuts]

    def note_reads(self) -> None:
        """Gather the batches of all reads. Equal bytes are one object in a history."""
        seen: dict[int, Sight] = {}
        for read in self.reads:
            for batch in read.batches:
                sight = seen.get(id(batch.data))
                if sight is None:
                    seen[id(batch.data)] = Sight(batch, read)
                else:
                    sight.see(read)
        self.sights = sorted(seen.values(), key=lambda one: (one.batch.base_offset, _order(one)))
        end = 0
        for sight in self.sights:
            end = max(end, sight.batch.last_offset)
            self._ends.append(end)

    def sights_of(self, base_offset: int, last_offset: int) -> Iterator[Sight]:
        """What was served of a stretch of offsets (both inclusive)."""
        for at in range(bisect_left(self._ends, base_offset), len(self.sights)):
            sight = self.sights[at]
            if sight.batch.base_offset > last_offset:
                return
            if sight.batch.last_offset >= base_offset:
                yield sight


def _order(sight: Sight) -> tuple[int, int]:
    return sight.first.ended_us, sight.first.asked_us


@final
class Ledger:
    """All stories of a history, and whose values there are."""

    __slots__ = (
        "_creates",
        "_deletes",
        "_ids",
        "flipped",
        "history",
        "producers_expire",
        "senders",
        "stories",
    )

    def __init__(self, history: History, *, producers_expire: bool) -> None:
        self.history = history
        self.producers_expire = producers_expire
        self.stories: dict[Key, Story] = {}
        self.senders: dict[bytes, Send] = {}
        self._ids: dict[str, dict[Uuid, int]] = {}  # name -> id -> since when it surely was there
        self._creates: dict[str, list[Create]] = {}
        self._deletes: dict[str, list[Delete]] = {}
        self._identify(history)
        for entry in history.entries:
            match entry:
                case Send():
                    self._add_send(entry)
                case Read() | LookUp() | DeleteBefore():
                    if entry.topic in _OF_OTHERS:
                        continue
                    if entry.outcome is Outcome.OK and entry.error == 0:
                        self._add(entry)
        for mark in history.marks:
            if isinstance(mark, FlushMark):
                self._story(mark.topic, mark.topic_id, mark.partition).flushed(mark)
        cuts, ack_cuts = _cuts(history)
        flushing = _flushing_topics(history)
        compacting = _compacting_topics(history)
        self.flipped = _flipped(history)
        asleep = _flipped_before_opening(history)
        forgotten = [one for one in history.marks if isinstance(one, ProducersLost)]
        ends = [(one.t_us, True) for one in history.marks if isinstance(one, LifeMark)]
        for story in self.stories.values():
            name = story.name.rpartition("-")[0]
            for lost in forgotten:
                if self._place(story) == (lost.topic, lost.partition):
                    story.forgets(lost)
            story.is_compacted = name in compacting
            story.flushes_on_ack = history.flush_on_ack or name in flushing
            struck_us = self.struck_us(story)
            story.cuts = ack_cuts if story.flushes_on_ack else cuts
            if struck_us is not None:
                # Damage in the last batch looks like one that a kill has torn.
                story.cuts = [cut for cut in story.cuts if cut[0] < struck_us]
                story.cuts += [cut for cut in ends if cut[0] >= struck_us]
                story.cuts += [(t_us, True) for t_us in asleep.get(self._place(story), ())]
                story.cuts.sort()
            # Sound when it was looked at, and not any more when it was sent: nobody's promise.
            story.reads = [one for one in story.reads if not self._struck_under_way(story, one)]
            story.note_reads()

    @staticmethod
    def _place(story: Story) -> tuple[str, int]:
        return story.name.rpartition("-")[0], story.key[1]

    def struck_us(self, story: Story) -> int | None:
        """When a bit of the partition's segments was flipped first."""
        times_us = self.flipped.get(self._place(story))
        return None if times_us is None else times_us[0]

    def struck_twice_us(self, story: Story) -> int | None:
        """When a bit of the partition's segments was flipped for the second time."""
        times_us = self.flipped.get(self._place(story), ())
        return times_us[1] if len(times_us) > 1 else None

    def _struck_under_way(self, story: Story, read: Read) -> bool:
        """Whether a bit was flipped while the answer was on its way."""
        times_us = self.flipped.get(self._place(story), ())
        return any(read.asked_us <= t_us <= read.ended_us for t_us in times_us)

    def _identify(self, history: History) -> None:
        for entry in history.entries:
            match entry:
                case Create() | Send():
                    self._heard(entry.topic, entry.topic_id, entry.ended_us)
                    if isinstance(entry, Create) and entry.outcome is not Outcome.FAIL:
                        self._creates.setdefault(entry.topic, []).append(entry)
                case Delete():
                    self._heard(entry.topic, entry.topic_id, entry.ended_us)
                    if entry.outcome is not Outcome.FAIL:
                        self._deletes.setdefault(entry.topic, []).append(entry)
                case Listing():
                    for name, seen in entry.topics.items():
                        self._heard(name, seen.topic_id, entry.ended_us)

    def _heard(self, name: str, topic_id: Uuid, t_us: int) -> None:
        if topic_id != ZERO_UUID:
            ids = self._ids.setdefault(name, {})
            ids[topic_id] = min(t_us if t_us >= 0 else _NEVER, ids.get(topic_id, _NEVER))

    def losses_us(self) -> list[int]:
        """When something may have been lost that was confirmed, of topics without settings."""
        cuts, ack_cuts = _cuts(self.history)
        if self.history.flush_on_ack:
            return [t_us for t_us, uncertain in ack_cuts if uncertain]
        return [t_us for t_us, _ in cuts]

    def ids_of(self, name: str) -> dict[Uuid, int]:
        return self._ids.get(name, {})

    def born_us(self, name: str, topic_id: Uuid) -> int:
        """Before that time, nobody had asked for this topic to be created."""
        unknown_us = _NEVER
        for create in self._creates.get(name, ()):
            if create.topic_id == topic_id:
                return create.asked_us
            if create.outcome is not Outcome.OK:
                unknown_us = min(unknown_us, create.asked_us)
        return 0 if unknown_us == _NEVER else unknown_us

    def identity(self, op: Op, name: str, topic_id: Uuid) -> Uuid | None:
        """Whose name it certainly was while the operation lasted; None: that can't be told."""
        ended_us = op.ended_us if op.ended_us >= 0 else _NEVER
        known: Uuid | None = None
        for create in self._creates.get(name, ()):
            if create.outcome is Outcome.OK and create.ended_us < op.asked_us:
                if not any(_may_hit(one, create, ended_us) for one in self._deletes.get(name, ())):
                    known = create.topic_id
        ids = self._ids.get(name)
        if known is None and ids and len(ids) == 1 and name not in self._deletes:
            known = next(iter(ids))
        return known if topic_id in (ZERO_UUID, known) else None

    def _story(self, topic: str, topic_id: Uuid, partition: int) -> Story:
        key = (topic_id, partition)
        story = self.stories.get(key)
        if story is None:
            story = self.stories[key] = Story(key, topic)
        return story

    def _add_send(self, send: Send) -> None:
        for record in send.records:
            self.senders[record.value] = send
        topic_id = self.identity(send, send.topic, send.topic_id)
        if send.attempts == 1 and not send.by_name and send.topic_id != ZERO_UUID:
            topic_id = send.topic_id  # the one request named it
        if topic_id is not None:
            self._story(send.topic, topic_id, send.partition).sends.append(send)

    def _add(self, entry: Read | LookUp | DeleteBefore) -> None:
        topic_id: Uuid | None
        if isinstance(entry, Read) and entry.topic_id != ZERO_UUID:
            topic_id = entry.topic_id  # the request itself named the id
        else:
            topic_id = self.identity(entry, entry.topic, entry.topic_id)
        if topic_id is None:
            return
        story = self._story(entry.topic, topic_id, entry.partition)
        match entry:
            case Read():
                story.reads.append(entry)
            case LookUp():
                story.look_ups.append(entry)
            case DeleteBefore():
                story.deletes.append(entry)


def _may_hit(delete: Delete, create: Create, until_us: int) -> bool:
    """May the deletion have ended the topic that was created there, by that time?"""
    if delete.asked_us > until_us or not (delete.by_name or delete.topic_id == create.topic_id):
        return False
    return not (delete.outcome is Outcome.OK and delete.ended_us < create.asked_us)


def _cuts(history: History) -> tuple[list[tuple[int, bool]], list[tuple[int, bool]]]:
    """(when, whether anything may be gone): the ends of processes that may cost records.

    First as topics are that promise less, then as those are whose acknowledgments wait for the disk.
    A failed sync takes nothing from the latter: what it should have brought to the disk was not yet
    acknowledged. Only a process that is started after it can't know that the page cache lies.
    """
    cuts: list[tuple[int, bool]] = []
    ack_cuts: list[tuple[int, bool]] = []
    sync_failed = believes_cache = False
    for mark in history.marks:
        if isinstance(mark, FaultMark) and mark.kind == "sync-error":
            sync_failed = True
        elif isinstance(mark, LifeMark):
            if mark.life is Life.STARTED:
                believes_cache = sync_failed
            elif mark.life is Life.POWER_CUT or mark.uncertain_disk:
                cuts.append((mark.t_us, mark.uncertain_disk))
                ack_cuts.append((mark.t_us, mark.uncertain_disk and believes_cache))
    return cuts, ack_cuts


def aging_topics(history: History) -> set[str]:
    """Topics that may lose old records by retention, unasked."""
    return {
        entry.topic
        for entry in history.entries
        if (isinstance(entry, Create) and _ages(entry.configs))
        or (isinstance(entry, Alter) and _ages(entry.changes))
    }


def _compacting_topics(history: History) -> set[str]:
    return {
        entry.topic
        for entry in history.entries
        if (isinstance(entry, Create) and _compacts(entry.configs))
        or (isinstance(entry, Alter) and _compacts(entry.changes))
    }


def _compacts(configs: Mapping[str, str | None]) -> bool:
    return "compact" in (configs.get("cleanup.policy") or "")


def _ages(keys: Iterable[str]) -> bool:
    return any(key.startswith("retention.") for key in keys)


def _flushing_topics(history: History) -> set[str]:
    """Topics that promise what ottla.flush=ack promises, whichever creation made them."""
    asked: dict[str, list[bool]] = {}
    for entry in history.entries:
        if isinstance(entry, Create) and entry.outcome is not Outcome.FAIL:
            asked.setdefault(entry.topic, []).append(entry.configs.get("flush.messages") == "1")
        elif isinstance(entry, Alter) and (entry.whole or "flush.messages" in entry.changes):
            asked.setdefault(entry.topic, []).append(entry.changes.get("flush.messages") == "1")
    return {name for name, answers in asked.items() if all(answers)}


def _flipped(history: History) -> dict[tuple[str, int], list[int]]:
    """Partitions some of whose batches a fault has changed, and when."""
    struck: dict[tuple[str, int], list[int]] = {}
    for mark in history.marks:
        if isinstance(mark, FaultMark) and mark.partition is not None and ".log" in mark.note:
            struck.setdefault(mark.partition, []).append(mark.t_us)
    return struck


def _flipped_before_opening(history: History) -> dict[tuple[str, int], list[int]]:
    """Those that were flipped while no log was open on them, and the process before had not stopped
    cleanly. Who opens the log then sees what the kill itself might have left, however late that is: a
    disk that refuses puts it off behind the start."""
    struck: dict[tuple[str, int], list[int]] = {}
    was_stopped = False
    for mark in history.marks:
        if isinstance(mark, LifeMark):
            if mark.life is not Life.STARTED:
                was_stopped = mark.life is Life.STOPPED
        elif isinstance(mark, FaultMark) and mark.partition is not None:
            if mark.unopened and not was_stopped and ".log" in mark.note:
                struck.setdefault(mark.partition, []).append(mark.t_us)
    return struck
