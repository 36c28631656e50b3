"""A compacted log keeps the newest record of every key, and what is gone from it stays gone.

A record that was acknowledged or seen may be missing from a read only if a later one of its key may
stand behind it, or if it is a tombstone that is older than delete.retention.ms. In the last reading
of everything, that later record is there, or was a tombstone, which goes only after everything it has
deleted. Only a power cut may bring a missing record back.

Source: Kafka's documentation of log compaction, KIP-534; ADR 16. Elsewhere: order and whole batches,
`gapless.py`; the bytes of what is left, `unchanged.py`; sequences, `producers.py` and `inside.py`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, final

from ottla.sim.checker.ledger import Ledger, Story
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.history import Alter, Create, FaultMark, Life, LifeMark, Outcome, Read, Record, Send

PROMISE: Final = "the newest of every key is kept"

_A_DAY_MS: Final = 86_400_000


@final
class _Fact:
    """A record that was certainly in the log from `since_us` on."""

    __slots__ = ("asked_us", "key", "offset", "record", "sent_us", "since_us")

    def __init__(
        self, offset: int, record: Record, *, sent_us: int, asked_us: int, since_us: int
    ) -> None:
        self.offset = offset
        self.record = record
        self.key = record.key
        self.sent_us = sent_us
        self.asked_us = asked_us
        self.since_us = since_us


@final
class _Model:
    """What is known of one partition besides what its reads show."""

    __slots__ = ("_sent", "_tombstones_kept_us", "facts", "power_us")

    def __init__(self, ledger: Ledger, story: Story) -> None:
        history = ledger.history
        self.facts = _facts(ledger, story)
        self.power_us = [
            one.t_us
            for one in history.marks
            if isinstance(one, LifeMark) and (one.life is Life.POWER_CUT or one.uncertain_disk)
        ]
        self._tombstones_kept_us = _tombstones_kept_us(ledger, story)
        places = {one.record.value: one.offset for one in self.facts}
        name = story.name.rpartition("-")[0]
        sent: dict[bytes, list[tuple[int, int, bool]]] = defaultdict(list)
        for entry in history.entries:
            if not isinstance(entry, Send) or (entry.topic, entry.partition) != (
                name,
                story.key[1],
            ):
                continue
            if entry.outcome is Outcome.FAIL or not entry.attempts:
                continue
            for record in entry.records:
                offset = places.get(record.value, -1)
                sent[record.key].append((offset, entry.asked_us, record.is_tombstone))
        self._sent = dict(sent)

    def has_newer(self, fact: _Fact, read: Read) -> bool:
        """May there have been a later record of its key?"""
        return any(
            sent_us < read.ended_us and not 0 <= offset <= fact.offset
            for offset, sent_us, _ in self._sent.get(fact.key, ())
        )

    def deleted_since(self, fact: _Fact, t_us: int) -> bool:
        """May a tombstone, its own or a later one, have come and gone?"""
        return any(
            is_tombstone
            and not 0 <= offset < fact.offset
            and t_us - sent_us >= self._tombstones_kept_us
            for offset, sent_us, is_tombstone in self._sent.get(fact.key, ())
        )

    def had_power(self, since_us: int, until_us: int) -> bool:
        return not any(since_us <= t_us <= until_us for t_us in self.power_us)


def check(ledger: Ledger) -> Iterator[Violation]:
    for story in ledger.stories.values():
        if story.is_compacted and ledger.struck_us(story) is None:
            model = _Model(ledger, story)
            seen = [_Seen(read) for read in story.reads if read.batches]
            for fact in model.facts:
                yield from _missing(story, model, fact, seen)
                yield from _back(story, model, fact, seen)
            yield from _in_the_end(story, model)


def _facts(ledger: Ledger, story: Story) -> list[_Fact]:
    found: dict[tuple[int, bytes], _Fact] = {}
    for send in story.sends:
        if send.outcome is Outcome.OK and send.acks != 0 and send.base_offset >= 0:
            for at, record in enumerate(send.records):
                offset = send.base_offset + at
                found[offset, record.value] = _Fact(
                    offset,
                    record,
                    sent_us=send.asked_us,
                    asked_us=send.asked_us,
                    since_us=send.ended_us,
                )
    for sight in story.sights:
        for record in sight.batch.records:
            known = found.get((record.offset, record.value))
            sent = ledger.senders.get(record.value)
            if known is not None:
                known.since_us = min(known.since_us, sight.first.ended_us)
            elif sent is not None:
                found[record.offset, record.value] = _Fact(
                    record.offset,
                    record,
                    sent_us=sent.asked_us,
                    asked_us=sight.first.asked_us,
                    since_us=sight.first.ended_us,
                )
    return sorted(found.values(), key=lambda one: one.offset)


def _tombstones_kept_us(ledger: Ledger, story: Story) -> int:
    """How long they are kept at least; 0 where the wall clock has jumped."""
    name = story.name.rpartition("-")[0]
    kept_ms = _A_DAY_MS
    for entry in ledger.history.entries:
        changes: Mapping[str, str | None] = {}
        if isinstance(entry, Create) and entry.topic == name:
            changes = entry.configs
        elif isinstance(entry, Alter) and entry.topic == name:
            changes = entry.changes
        text = changes.get("delete.retention.ms") or ""
        kept_ms = min(kept_ms, int(text) if text.isdigit() else _A_DAY_MS)
    marks = ledger.history.marks
    jumped = any(isinstance(one, FaultMark) and one.kind == "clock" for one in marks)
    return 0 if jumped else kept_ms * 1000


@final
class _Seen:
    """What one read shows: from the first offset that it might have held to the last one."""

    __slots__ = ("first", "last", "read", "values")

    def __init__(self, read: Read) -> None:
        self.read = read
        self.first = max(read.fetch_offset, read.log_start_offset)
        self.last = read.batches[-1].last_offset
        self.values = {one.offset: one.value for batch in read.batches for one in batch.records}

    def lacks(self, fact: _Fact) -> bool:
        return self.first <= fact.offset <= self.last and fact.offset not in self.values


def _missing(story: Story, model: _Model, fact: _Fact, seen: list[_Seen]) -> Iterator[Violation]:
    for one in seen:
        read = one.read
        if fact.since_us >= read.asked_us or not one.lacks(fact):
            continue
        if model.has_newer(fact, read) or story.may_lose(fact.offset, fact.asked_us, read.ended_us):
            continue
        if fact.record.is_tombstone and model.deleted_since(fact, read.ended_us):
            continue
        text = f"{_named(story, fact)}, the newest of its key, is missing"
        yield Violation(PROMISE, read.ended_us, text)
        return


def _back(story: Story, model: _Model, fact: _Fact, seen: list[_Seen]) -> Iterator[Violation]:
    gone = [one.read for one in seen if fact.since_us < one.read.asked_us and one.lacks(fact)]
    for one in seen:
        if one.values.get(fact.offset) != fact.record.value:
            continue
        for read in gone:
            if read.ended_us < one.read.asked_us and model.had_power(
                read.asked_us, one.read.ended_us
            ):
                text = f"{_named(story, fact)} was compacted away and is read again"
                yield Violation(PROMISE, one.read.ended_us, text)
                return


def _in_the_end(story: Story, model: _Model) -> Iterator[Violation]:
    seen = [_Seen(read) for read in story.reads if read.final and read.batches]
    if not seen:
        return
    starts = [one.read.log_start_offset for one in seen]
    first, last = max(seen[0].first, *starts), max(one.last for one in seen)
    t_us = seen[-1].read.ended_us
    values: dict[int, bytes] = {}
    for one in seen:
        values.update(one.values)
    there: dict[bytes, list[int]] = defaultdict(list)
    for read in (one.read for one in seen):
        for batch in read.batches:
            for record in batch.records:
                there[record.key].append(record.offset)
    for fact in model.facts:
        if not first <= fact.offset <= last or fact.offset in values:
            continue
        if fact.since_us >= t_us or story.may_lose(fact.offset, fact.asked_us, t_us):
            continue
        if max(there[fact.key], default=-1) > fact.offset:
            continue
        if not model.deleted_since(fact, t_us):
            text = f"{_named(story, fact)} is gone, and nothing newer of its key is there"
            yield Violation(PROMISE, t_us, text)
        elif fact.record.is_tombstone and there[fact.key]:
            older = max(there[fact.key])
            text = f"{_named(story, fact)} is gone, and what it has deleted stands at {older}"
            yield Violation(PROMISE, t_us, text)


def _named(story: Story, fact: _Fact) -> str:
    what = "tombstone " if fact.record.is_tombstone else ""
    return f"{story.name} offset {fact.offset}: {what}{shown(fact.record.value)}"
