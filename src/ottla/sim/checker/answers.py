"""Every request is answered, or its connection is closed; and a world comes to its end.

A request that is still waiting on an open connection when everything is healed and calm, a node that
broke an invariant, an exception that left it, or a world that makes no progress: each is a violation.

Source: C16 (liveness), reliability of D2.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import ConnectionEnd, Inquiry, Insult, Listing, LookUp, Outcome, Read

PROMISE: Final = "every request is answered"
SOUND: Final = "machines are sound"

START: Final = -2


def check(ledger: Ledger) -> Iterator[Violation]:
    history = ledger.history
    last_us = max((entry.ended_us for entry in history.entries), default=0)
    for why in history.broken:
        yield Violation(SOUND, last_us, why)
    for entry in history.entries:
        if isinstance(entry, Inquiry) and entry.problem:
            text = f"call {entry.api_key} about {entry.about} is answered with {entry.problem}"
            yield Violation(PROMISE, entry.ended_us, text)
        elif isinstance(entry, Insult) and entry.must_close and entry.answered_bytes:
            text = f"{entry.kind}: answered with {entry.answered_bytes} bytes"
            yield Violation(PROMISE, entry.ended_us, text)
    for mark in history.marks:
        if isinstance(mark, ConnectionEnd) and mark.unanswered:
            text = f"client {mark.client}: {mark.unanswered} requests were never answered"
            yield Violation(PROMISE, mark.t_us, text)
    if not history.ended:
        if not history.broken:
            yield Violation(PROMISE, last_us, "the world did not come to its end")
        return
    yield from _final_reading(ledger)


def _final_reading(ledger: Ledger) -> Iterator[Violation]:
    """The last reading brought everything, up to the high watermark it was told."""
    reached: dict[tuple[str, int], tuple[int, Read]] = {}
    listed: Listing | None = None
    for entry in ledger.history.entries:
        if isinstance(entry, Listing) and entry.final and entry.outcome is Outcome.OK:
            listed = entry
        if isinstance(entry, Read) and entry.final and entry.outcome is Outcome.OK:
            key = (entry.topic, entry.partition)
            end = max((batch.last_offset + 1 for batch in entry.batches), default=-1)
            end = max(end, entry.fetch_offset)
            known = reached.get(key)
            reached[key] = (end if known is None else max(end, known[0]), entry)
        elif isinstance(entry, LookUp) and entry.asked_ms == START and entry.outcome is Outcome.OK:
            # What retention took meanwhile needs no reading.
            started = (entry.topic, entry.partition)
            if started in reached and entry.offset > reached[started][0]:
                reached[started] = (entry.offset, reached[started][1])
    for (topic, partition), (end, read) in reached.items():
        if end < read.high_watermark and (topic, partition) not in ledger.flipped:
            text = f"{topic}-{partition}: the last reading ends at {end} of {read.high_watermark}"
            yield Violation(PROMISE, read.ended_us, text)
    if listed is None:
        yield Violation(PROMISE, 0, "the topics were not listed at the end")
