"""Each producer's records stand in its order; an idempotent one's stand there once, without a gap.

Appends respect time: what was acknowledged before another batch was asked for stands before it. A
batch of an idempotent producer is in the log once, however often it was sent; its next sequence
follows on the one before. Of the others, only what was sent once is certain to be there once.

A power cut that may take records may take what is known of their producer with them; so may a short
producer.id.expiration.ms, and so may somebody who takes away the one file that tells of those whose
records are deleted. Then, and only then, sequences may begin anew.

Source: C4, KIP-98, KIP-360.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger, Sight, Story
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.history import FaultMark, LifeMark, Outcome, Send

PROMISE: Final = "order and idempotence"

_SEQUENCE_END: Final = 1 << 31
_OUT_OF_ORDER: Final = 45
_STANDSTILLS: Final = ("cut", "clog", "mute-up", "mute-down")
_STANDSTILL_US: Final = 5_000_000


def check(ledger: Ledger) -> Iterator[Violation]:
    for story in ledger.stories.values():
        yield from _order(story)
        yield from _twice(ledger, story)
        if not ledger.producers_expire:
            yield from _sequences(story)
            yield from _refused(ledger, story)


def _order(story: Story) -> Iterator[Violation]:
    """Acknowledged before asked: smaller offsets. Asked before asked, by one client, in one try."""
    sends = [
        send
        for send in story.sends
        if send.outcome is Outcome.OK and send.acks != 0 and send.base_offset >= 0
    ]
    by_end = sorted(sends, key=lambda send: send.ended_us)
    at = 0
    highest: Send | None = None
    for send in sorted(sends, key=lambda send: send.asked_us):
        while at < len(by_end) and by_end[at].ended_us < send.asked_us:
            ended = by_end[at]
            if highest is None or ended.base_offset > highest.base_offset:
                if not story.may_lose(ended.base_offset, ended.asked_us, send.ended_us):
                    highest = ended
            at += 1
        if highest is None:
            continue
        if story.may_lose(highest.base_offset, highest.asked_us, send.ended_us):
            highest = None
        elif send.base_offset < highest.base_offset + len(highest.records):
            if not _is_known_duplicate(send):
                yield Violation(PROMISE, send.ended_us, f"{story.name}: {_after(send, highest)}")


def _is_known_duplicate(send: Send) -> bool:
    """A retry may be answered with the place of the first try, only when there was one."""
    return send.attempts > 1


def _after(send: Send, earlier: Send) -> str:
    return (
        f"offset {send.base_offset} was given to a batch asked for after offset "
        f"{earlier.base_offset} was acknowledged"
    )


def _twice(ledger: Ledger, story: Story) -> Iterator[Violation]:
    """A value at two offsets, where its producer may not have written it twice."""
    places: dict[bytes, Sight] = {}
    for sight in story.sights:
        for record in sight.batch.records[:1]:
            other = places.setdefault(record.value, sight)
            if other is sight:
                continue
            send = ledger.senders.get(record.value)
            if send is None:
                continue
            remembered = send.producer_id >= 0 and not ledger.producers_expire
            if not remembered and send.attempts != 1:
                continue
            first, last = sorted((other, sight), key=lambda one: one.first.ended_us)
            offset = min(other.batch.base_offset, record.offset)
            if other.batch.base_offset == sight.batch.base_offset:
                continue  # the same place, other bytes: see `unchanged.py`
            if remembered and story.may_forget(offset, last.first.ended_us):
                continue
            if not story.may_lose(
                offset, min(send.asked_us, first.first.asked_us), last.last.ended_us
            ):
                text = (
                    f"{story.name}: {shown(record.value)} stands at offset {other.batch.base_offset} and "
                    f"at {record.offset}; producer {send.producer_id}, sent {send.attempts} time(s)"
                )
                yield Violation(PROMISE, last.first.ended_us, text)


def _sequences(story: Story) -> Iterator[Violation]:
    """In the order of offsets, a producer's sequences follow on each other in each epoch."""
    latest: dict[int, Sight] = {}
    end = last_base = 0
    for sight in story.sights:
        batch = sight.batch
        is_thinned = story.is_compacted and batch.base_offset == last_base and end > 0
        if batch.base_offset != end and not is_thinned:
            # Nobody saw what stood in between, or this was written where another one was lost.
            latest.clear()
            end = 0
        end, last_base = max(end, batch.last_offset + 1), batch.base_offset
        if batch.producer_id < 0 or batch.base_sequence < 0 or not batch.crc_is_right:
            continue
        before = latest.get(batch.producer_id)
        latest[batch.producer_id] = sight
        if before is None:
            continue
        if story.is_compacted and before.batch.base_offset == batch.base_offset:
            continue  # the same batch, with fewer records
        text = _sequence_problem(before, sight)
        if not text or story.may_forget(before.batch.last_offset, sight.first.ended_us):
            continue
        # What was lost may have stood before either of them.
        if not story.may_lose(1 << 62, 0, max(before.last.ended_us, sight.last.ended_us)):
            where = f"{story.name} offset {batch.base_offset}: producer {batch.producer_id} "
            yield Violation(PROMISE, sight.first.ended_us, where + text)


def _sequence_problem(before: Sight, sight: Sight) -> str:
    was, now = before.batch, sight.batch
    if now.producer_epoch < was.producer_epoch:
        return f"writes in epoch {now.producer_epoch} after epoch {was.producer_epoch}"
    if now.producer_epoch > was.producer_epoch:
        return "" if now.base_sequence == 0 else f"begins an epoch with {now.base_sequence}"
    count = was.last_offset - was.base_offset + 1
    expected = (was.base_sequence + count) % _SEQUENCE_END
    if now.base_sequence != expected:
        return f"writes sequence {now.base_sequence}; {expected} comes next"
    return ""


def _refused(ledger: Ledger, story: Story) -> Iterator[Violation]:
    """A batch that is in the log was refused as out of order when it was sent again.

    After a restart a producer's older batches may be forgotten, and what stood still on its way may
    have been written after the refusal: neither is held against anybody.
    """
    refused = [one for one in story.sends if one.error == _OUT_OF_ORDER and one.attempts > 1]
    if not refused:
        return
    marks = ledger.history.marks
    ends = [one.t_us for one in marks if isinstance(one, LifeMark)]
    stills = [one.t_us for one in marks if isinstance(one, FaultMark) and one.kind in _STANDSTILLS]
    for send in refused:
        asked_us, ended_us = send.asked_us, send.ended_us
        if any(asked_us < t_us < ended_us for t_us in ends):
            continue
        if any(asked_us - _STANDSTILL_US < t_us < ended_us for t_us in stills):
            continue
        for sight in story.sights:
            if any(one.value == send.records[0].value for one in sight.batch.records[:1]):
                text = (
                    f"{story.name}: {shown(send.records[0].value)} of producer {send.producer_id} is "
                    f"at offset {sight.batch.base_offset}, and was refused when it was sent again"
                )
                yield Violation(PROMISE, send.ended_us, text)
