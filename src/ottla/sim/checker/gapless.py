"""Offsets have no gaps: whoever reads on from where a batch ended misses nothing.

A read begins with the batch that holds the offset asked for, each batch follows on the one before,
nothing reaches beyond the high watermark, and only whole batches are served. A compacted log has gaps,
but its offsets rise, and the batch that holds or follows the offset asked for comes first.

Source: C3, C6. Elsewhere: offsets that are used again, `unchanged.py`; the least that must be there,
`kept.py`; what may be missing from a compacted log, `compacted.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import Read, ReadBatch

PROMISE: Final = "offsets without gaps"


def check(ledger: Ledger) -> Iterator[Violation]:
    for story in ledger.stories.values():
        for read in story.reads:
            struck_us = ledger.struck_us(story)
            damaged = struck_us is not None and struck_us <= read.ended_us
            text = _problem(read, damaged=damaged, gaps=story.is_compacted)
            if text:
                yield Violation(PROMISE, read.ended_us, f"{story.name}: {text}")


def _problem(read: Read, *, damaged: bool, gaps: bool) -> str:
    """`damaged`: batches may be left out, and a base offset that no checksum covers be wrong.
    `gaps`: so may batches and records; the reading is only to go on where it stopped."""
    if read.truncated:
        return f"a fetch of offset {read.fetch_offset} ended inside a batch"
    if read.high_watermark >= 0 and read.log_start_offset > read.high_watermark:
        return f"log start {read.log_start_offset}, high watermark {read.high_watermark}"
    if not read.left_out and read.last_stable_offset > read.high_watermark:
        return f"stable end {read.last_stable_offset}, high watermark {read.high_watermark}"
    next_offset = -1
    for batch in read.batches:
        first = batch.base_offset
        asked_first = min(first, read.fetch_offset) if damaged or gaps else first
        if next_offset < 0 and not asked_first <= read.fetch_offset <= batch.last_offset:
            return f"offset {read.fetch_offset} was asked for, {first}..{batch.last_offset} came"
        if (
            next_offset >= 0
            and first != next_offset
            and not ((damaged or gaps) and first > next_offset)
        ):
            return f"after offset {next_offset - 1} came {first}"
        next_offset = batch.last_offset + 1
        offsets = [record.offset for record in batch.records]
        within = list(range(first, next_offset))
        if gaps:
            within = [offset for offset in within if offset in offsets]
        if batch.crc_is_right and offsets != within:
            return f"the batch of {first}..{batch.last_offset} holds records {_span(batch)}"
    if next_offset > read.high_watermark and not read.left_out and not damaged:
        return f"read up to offset {next_offset - 1}, high watermark {read.high_watermark}"
    return ""


def _span(batch: ReadBatch) -> str:
    offsets = [record.offset for record in batch.records]
    return f"{min(offsets)}..{max(offsets)} ({len(offsets)})" if offsets else "none"
