"""A look-up by time finds the first record at or after that time, exact to the record.

The model is a list of all records that were read. A record counts where it certainly was in the log
when the look-up was asked: it was read or acknowledged before, and the log's start never passed it.
Offsets that were written again after a power cut are left out. Where retention or compaction may have taken a
record, nothing is certain to be there: of those topics only what was found is judged.

Source: KIP-33, KIP-79, KIP-734.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger, Story, aging_topics
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import LookUp, Outcome

PROMISE: Final = "times are found"

START: Final = -2
MAX_TIMESTAMP: Final = -3
_NOTHING_CERTAIN: Final = 1 << 62


class _Model:
    """The records of a partition, by offset: time, certain from when on, and asked for when."""

    __slots__ = ("asked_us", "offsets", "since_us", "times_ms")

    def __init__(self, story: Story) -> None:
        known: dict[int, tuple[int, int]] = {}
        asked: dict[int, int] = {}
        values: dict[int, bytes] = {}
        twice: set[int] = set()
        for sight in story.sights:
            for record in sight.batch.records:
                if record.offset in known:
                    is_same = values[record.offset] == record.value
                    if story.is_compacted and is_same:
                        continue  # compaction has taken others out of its batch
                    twice.add(record.offset)
                known[record.offset] = (record.timestamp_ms, sight.first.ended_us)
                asked[record.offset] = sight.first.asked_us
                values[record.offset] = record.value
        for send in story.sends:
            if send.outcome is Outcome.OK and send.acks != 0 and send.base_offset >= 0:
                for at, record in enumerate(send.records):
                    offset = send.base_offset + at
                    if values.get(offset) == record.value:
                        time_ms, since_us = known[offset]
                        known[offset] = (time_ms, min(since_us, send.ended_us))
                        asked[offset] = min(asked[offset], send.asked_us)
        self.offsets = [offset for offset in sorted(known) if offset not in twice]
        self.times_ms = [known[offset][0] for offset in self.offsets]
        self.since_us = [known[offset][1] for offset in self.offsets]
        self.asked_us = [asked[offset] for offset in self.offsets]


def check(ledger: Ledger) -> Iterator[Violation]:
    ages = aging_topics(ledger.history)
    for story in ledger.stories.values():
        look_ups = [one for one in story.look_ups if one.asked_ms >= 0]
        largest = [one for one in story.look_ups if one.asked_ms == MAX_TIMESTAMP]
        if not look_ups and not largest:
            continue
        struck_us = ledger.struck_us(story)
        if struck_us is not None:  # records that are damaged are found no more
            look_ups = [one for one in look_ups if one.ended_us < struck_us]
            largest = [one for one in largest if one.ended_us < struck_us]
        model = _Model(story)
        start = max((read.log_start_offset for read in story.reads), default=0)
        start = max([start, *(one.low_watermark for one in story.deletes)])
        start = max([start, *(one.offset for one in story.look_ups if one.asked_ms == START)])
        if story.is_compacted or ledger.history.retention or story.name.rpartition("-")[0] in ages:
            start = _NOTHING_CERTAIN
        for one in look_ups:
            text = _first_since(story, model, start, one)
            if text:
                yield Violation(PROMISE, one.ended_us, f"{story.name}: {text}")
        for one in largest:
            text = _largest(story, model, start, one)
            if text:
                yield Violation(PROMISE, one.ended_us, f"{story.name}: {text}")


def _certain(story: Story, model: _Model, start: int, one: LookUp) -> Iterator[tuple[int, int]]:
    """(offset, time) of what was there for certain when it was looked up."""
    for at in range(bisect_left(model.offsets, start), len(model.offsets)):
        since_us = model.since_us[at]
        if since_us < one.asked_us:
            if not story.may_lose(model.offsets[at], model.asked_us[at], one.ended_us):
                yield model.offsets[at], model.times_ms[at]


def _found_text(story: Story, model: _Model, one: LookUp) -> str:
    """Is the record found what the answer says?"""
    at = bisect_left(model.offsets, one.offset)
    if at == len(model.offsets) or model.offsets[at] != one.offset:
        return ""
    if model.times_ms[at] != one.found_ms:
        if not story.may_lose(one.offset, 0, 1 << 62):
            return (
                f"offset {one.offset} was found for time {one.asked_ms} with time {one.found_ms}; "
                f"it has {model.times_ms[at]}"
            )
    return ""


def _first_since(story: Story, model: _Model, start: int, one: LookUp) -> str:
    if one.offset >= 0:
        if one.found_ms < one.asked_ms:
            return f"time {one.asked_ms} was asked for, {one.found_ms} was found"
        text = _found_text(story, model, one)
        if text:
            return text
    for offset, time_ms in _certain(story, model, start, one):
        if 0 <= one.offset <= offset:
            break
        if time_ms >= one.asked_ms:
            found = f"offset {one.offset}" if one.offset >= 0 else "nothing"
            return f"time {one.asked_ms}: {found} was found; offset {offset} has {time_ms}"
    return ""


def _largest(story: Story, model: _Model, start: int, one: LookUp) -> str:
    if one.offset >= 0:
        text = _found_text(story, model, one)
        if text:
            return text
    for offset, time_ms in _certain(story, model, start, one):
        if time_ms > one.found_ms or (time_ms == one.found_ms and offset < one.offset):
            found = f"offset {one.offset} with {one.found_ms}"
            return f"the largest time: {found} was found; offset {offset} has {time_ms}"
    return ""
