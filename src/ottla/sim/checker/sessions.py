"""A fetch session shows what full fetches would show.

What is left out of an incremental answer is as the client was told: no high watermark that is
certainly higher than that was kept from it. A partition that has records for the client is served
within a few fetches of the session, however busy the others are.

Source: C14, KIP-227, M95. Elsewhere: the bytes served are compared with everybody else's in
`unchanged.py` and `gapless.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger, Story
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import Outcome, Read

PROMISE: Final = "sessions show what full fetches show"

_TURNS_BESIDE: Final = 3
"""Fetches a partition may wait beside one for each partition of its session."""


def check(ledger: Ledger) -> Iterator[Violation]:
    sizes = _sizes(ledger)
    for story in ledger.stories.values():
        by_session: dict[tuple[int, int], list[Read]] = {}
        for read in story.reads:
            if read.session_id:
                by_session.setdefault((read.client, read.session_id), []).append(read)
        if by_session:
            certain = _Certain(story)
            for key, reads in by_session.items():
                yield from _session(story, certain, sizes[key], reads)


def _sizes(ledger: Ledger) -> dict[tuple[int, int], int]:
    partitions: dict[tuple[int, int], set[tuple[str, int]]] = {}
    for entry in ledger.history.entries:
        if isinstance(entry, Read) and entry.outcome is Outcome.OK and entry.session_id:
            key = (entry.client, entry.session_id)
            partitions.setdefault(key, set()).add((entry.topic, entry.partition))
    return {key: len(found) for key, found in partitions.items()}


class _Certain:
    """The high watermark that was told to somebody by a time, no cut since then."""

    __slots__ = ("_story", "_told")

    def __init__(self, story: Story) -> None:
        self._story = story
        self._told = sorted(
            (read.ended_us, read.asked_us, read.high_watermark)
            for read in story.reads
            if not read.left_out
        )

    def at(self, read: Read) -> int:
        highest = 0
        for ended_us, asked_us, high_watermark in self._told:
            if ended_us >= read.asked_us:
                break
            if high_watermark > highest:
                if not self._story.may_lose(high_watermark - 1, asked_us, read.ended_us):
                    highest = high_watermark
        return highest


def _session(story: Story, certain: _Certain, size: int, reads: list[Read]) -> Iterator[Violation]:
    told = -1
    hungry = 0
    epoch = 0
    for read in sorted(reads, key=lambda one: one.session_epoch):
        if read.session_epoch != epoch + 1:
            told, hungry = -1, 0  # an answer is left out of account: a bit flipped on its way
        epoch = read.session_epoch
        if not read.left_out:
            told = read.high_watermark
        if read.batches:
            hungry = 0
            continue
        least = certain.at(read)
        if read.left_out and 0 <= told < least:
            text = f"{story.name}: high watermark {told} was told, {least} is kept from the session"
            yield Violation(PROMISE, read.ended_us, text)
        hungry = hungry + 1 if read.fetch_offset < least else 0
        if hungry > size + _TURNS_BESIDE:
            text = f"{story.name}: records from {read.fetch_offset} on, none in {hungry} fetches"
            yield Violation(PROMISE, read.ended_us, text)
            return
