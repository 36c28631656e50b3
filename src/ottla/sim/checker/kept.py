"""What was acknowledged is there, as long as the durability that was asked for says so.

An acknowledged batch stays at its offsets, and the high watermark stays behind it. A killed process
loses nothing. A power cut loses nothing with ottla.flush=ack or flush.messages=1; without, it may
take what was not flushed, but only from an offset on: what is kept is a prefix. What a producer was
told to be there already, without a place, is there too.

Source: design D9, C1. Elsewhere: what consumers have seen, `unchanged.py` and `watermarks.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.floor import Claim, below_floor
from ottla.sim.checker.ledger import Ledger, Story, aging_topics
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.history import DeleteBefore, Outcome, Read, Send

_NEVER: Final = 1 << 62

PROMISE: Final = "acknowledged is kept"

_THERE_ALREADY: Final = 46


def check(ledger: Ledger) -> Iterator[Violation]:
    missing = thinned(ledger)
    for story in ledger.stories.values():
        if story.name not in missing:
            yield from _somewhere(ledger, story)
        acknowledged = [
            send
            for send in story.sends
            if send.outcome is Outcome.OK and send.acks != 0 and send.base_offset >= 0
        ]
        yield from _end_reached(story, acknowledged)
        for send in acknowledged:
            yield from _at_its_place(story, send)
        yield from _prefix(story, acknowledged)


def _end_reached(story: Story, acknowledged: list[Send]) -> Iterator[Violation]:
    """Whoever reads later is told of a high watermark behind the batch."""
    claims = [Claim(send, at_least=send.base_offset + len(send.records)) for send in acknowledged]
    claims += [Claim(read, found=read.high_watermark) for read in story.reads]
    claims += [Claim(one, found=one.offset) for one in story.look_ups if one.asked_ms == -1]
    for claim in below_floor(claims, story.record_cuts()):
        text = f"{story.name}: the end is {claim.found}; {claim.floor} was acknowledged before"
        yield Violation(PROMISE, claim.ended_us, text)


def _at_its_place(story: Story, send: Send) -> Iterator[Violation]:
    base = send.base_offset
    for sight in story.sights_of(base, base + len(send.records) - 1):
        for record in sight.batch.records:
            at = record.offset - base
            if not 0 <= at < len(send.records) or send.records[at].value == record.value:
                continue
            since_us = min(send.asked_us, sight.last.asked_us)
            until_us = max(send.ended_us, sight.last.ended_us)
            if not story.may_lose(record.offset, since_us, until_us):
                text = (
                    f"{story.name} offset {record.offset}: {shown(send.records[at].value)} was "
                    f"acknowledged there, {shown(record.value)} is read"
                )
                yield Violation(PROMISE, sight.last.ended_us, text)
            break


def thinned(ledger: Ledger) -> set[str]:
    """Partitions of which not everything is there at the end that was ever written."""
    aging = aging_topics(ledger.history)
    names = {one.name for one in ledger.stories.values() if one.is_compacted}
    names |= {one.name for one in ledger.stories.values() if one.name.rpartition("-")[0] in aging}
    return names | {
        f"{one.topic}-{one.partition}"
        for one in ledger.history.entries
        if isinstance(one, DeleteBefore) and one.outcome is not Outcome.FAIL
    }


def _somewhere(ledger: Ledger, story: Story) -> Iterator[Violation]:
    """Told to be there, nobody says where: the last reading of everything has seen it."""
    told = [one for one in story.sends if one.error == _THERE_ALREADY and one.acks != 0]
    last = [read for read in story.reads if read.final]
    if not told or not last or ledger.struck_us(story) is not None:
        return
    values = {record.value for sight in story.sights for record in sight.batch.records}
    for send in told:
        if story.may_lose(_NEVER, send.asked_us, last[-1].ended_us):
            continue
        missing = [record.value for record in send.records if record.value not in values]
        if missing:
            text = f"{story.name}: {shown(missing[0])} was said to be there, and is not"
            yield Violation(PROMISE, last[-1].ended_us, text)


def _prefix(story: Story, acknowledged: list[Send]) -> Iterator[Violation]:
    """A cut takes a suffix: nothing in front of what is kept is replaced."""
    before_us = -1
    ends_us = [*(cut_us for cut_us, _ in story.cuts[1:]), _NEVER]
    for (cut_us, uncertain), next_us in zip(story.cuts, ends_us, strict=False):
        there = [one for one in acknowledged if before_us < one.asked_us and one.ended_us < cut_us]
        before_us = cut_us
        if uncertain:
            continue  # a failed sync takes pages from the middle
        lost: Send | None = None
        for send in sorted(there, key=lambda one: one.base_offset):
            later = _read_between(story, send.base_offset, cut_us, next_us)
            if later is None:
                continue
            if later[1] != send.records[0].value:
                lost = lost or send
            elif lost is not None:
                text = (
                    f"{story.name}: offset {lost.base_offset} was lost, but offset "
                    f"{send.base_offset}, written later, was kept"
                )
                yield Violation(PROMISE, later[0].ended_us, text)
                break


def _read_between(
    story: Story, offset: int, after_us: int, until_us: int
) -> tuple[Read, bytes] | None:
    """What was first read at an offset in that time."""
    found: tuple[Read, bytes] | None = None
    for sight in story.sights_of(offset, offset):
        for read in (sight.first, sight.last):
            if not after_us <= read.asked_us <= read.ended_us <= until_us:
                continue
            if found and found[0].ended_us <= read.ended_us:
                continue
            for record in sight.batch.records:
                if record.offset == offset:
                    found = (read, record.value)
    return found
