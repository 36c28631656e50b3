"""The high watermark and the log's start never go back, except where a power cut may take records.

With ottla.flush=ack (or flush.messages=1) not even then: a consumer is shown only what is on the
disk. Without retention, the log's start moves only as it was asked to; it is checkpointed with the
answer to DeleteRecords: a killed process brings nothing back, a power cut may.

Source: C6, KIP-107, design D9. Elsewhere: acknowledged batches, `kept.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.floor import Claim, Cut, below_floor
from ottla.sim.checker.ledger import Ledger, Story, aging_topics
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import DeleteBefore, Outcome

PROMISE: Final = "watermarks never go back"

_END: Final = -1
_START: Final = -2


def check(ledger: Ledger) -> Iterator[Violation]:
    for story in ledger.stories.values():
        yield from _high_watermark(story)
        yield from _log_start(story)
    if ledger.history.retention:
        return
    asked = _asked_deletes(ledger)
    ages = aging_topics(ledger.history)
    for story in ledger.stories.values():
        topic = story.name.rpartition("-")[0]
        if topic not in ages and (topic, story.key[1]) not in ledger.flipped:
            # Behind damage in its first batch, a log begins where nothing was given out yet.
            yield from _only_as_asked(story, asked.get(story.name, []))


def _asked_deletes(ledger: Ledger) -> dict[str, list[DeleteBefore]]:
    """What may have been asked for, whether or not it was answered."""
    asked: dict[str, list[DeleteBefore]] = {}
    for entry in ledger.history.entries:
        if isinstance(entry, DeleteBefore) and entry.outcome is not Outcome.FAIL:
            asked.setdefault(f"{entry.topic}-{entry.partition}", []).append(entry)
    return asked


def _high_watermark(story: Story) -> Iterator[Violation]:
    claims = [
        Claim(read, at_least=read.high_watermark, found=read.high_watermark)
        for read in story.reads
        if not read.left_out
    ]
    claims += [
        Claim(one, at_least=one.offset, found=one.offset)
        for one in story.look_ups
        if one.asked_ms == _END
    ]
    for claim in below_floor(claims, story.record_cuts()):
        text = f"{story.name}: high watermark {claim.found}, after {claim.floor} was told"
        yield Violation(PROMISE, claim.ended_us, text)


def _log_start(story: Story) -> Iterator[Violation]:
    claims = [
        Claim(read, at_least=read.log_start_offset, found=read.log_start_offset)
        for read in story.reads
        if not read.left_out
    ]
    claims += [
        Claim(one, at_least=one.offset, found=one.offset)
        for one in story.look_ups
        if one.asked_ms == _START
    ]
    claims += [
        Claim(one, at_least=one.low_watermark, found=one.low_watermark) for one in story.deletes
    ]
    cuts: list[Cut] = [(t_us, 0) for t_us, _ in story.cuts]
    for claim in below_floor(claims, cuts):
        text = f"{story.name}: log start {claim.found}, after {claim.floor} was told"
        yield Violation(PROMISE, claim.ended_us, text)
    for one in story.deletes:
        if one.low_watermark < one.before_offset:
            text = f"{story.name}: records before {one.before_offset} are still there"
            yield Violation(PROMISE, one.ended_us, text)


def _only_as_asked(story: Story, deletes: list[DeleteBefore]) -> Iterator[Violation]:
    """Where nothing ages, the log's start is what somebody asked for, or 0."""
    if any(one.before_offset < 0 for one in deletes):
        return
    most = max((one.before_offset for one in deletes), default=0)
    for read in story.reads:
        if read.log_start_offset > most:
            text = f"{story.name}: log start {read.log_start_offset}; only {most} was asked for"
            yield Violation(PROMISE, read.ended_us, text)
            return
