"""Topics are there whole or not at all, and what was confirmed stays.

A topic that was created has the partitions of one request, from the answer on and after every
restart, whatever the flush policy: metadata is confirmed when it is on the disk. A deleted
topic's id is never seen again, nor anything read from it. Ids of topics and producers are given once.

Source: C12, C19, KIP-516, M60-M63. Elsewhere: their settings, `configs.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import (
    Create,
    Delete,
    Grow,
    Inquiry,
    LifeMark,
    Listing,
    Outcome,
    ProducerIdGiven,
    Read,
)
from ottla.types import ZERO_UUID, Uuid

PROMISE: Final = "topics are whole"

_NEVER: Final = 1 << 62


def check(ledger: Ledger) -> Iterator[Violation]:
    changes = _Changes(ledger)
    owners: dict[Uuid, str] = {}
    for entry in ledger.history.entries:
        if entry.outcome is not Outcome.OK:
            continue
        match entry:
            case Listing():
                yield from _listed(changes, owners, entry)
            case Inquiry() if entry.partitions >= 0:
                yield from _described(changes, entry)
            case Read() if entry.topic_id != ZERO_UUID and entry.error == 0:
                gone_us = changes.deleted_us.get(entry.topic_id, _NEVER)
                if gone_us < entry.asked_us:
                    text = f"{entry.topic} {entry.topic_id.hex()} is read after it was deleted"
                    yield Violation(PROMISE, entry.ended_us, text)
    yield from _producer_ids(ledger)


class _Changes:
    """What was asked of the topics, by name, and when an id was certainly gone."""

    __slots__ = ("creates", "deleted_us", "deletes", "grows", "shaken_us")

    def __init__(self, ledger: Ledger) -> None:
        self.creates: dict[str, list[Create]] = {}
        self.deletes: dict[str, list[Delete]] = {}
        self.grows: dict[str, list[Grow]] = {}
        self.deleted_us: dict[Uuid, int] = {}
        for entry in ledger.history.entries:
            if entry.outcome is Outcome.FAIL:
                continue
            match entry:
                case Create():
                    self.creates.setdefault(entry.topic, []).append(entry)
                case Grow():
                    self.grows.setdefault(entry.topic, []).append(entry)
                case Delete():
                    self.deletes.setdefault(entry.topic, []).append(entry)
                    if entry.outcome is Outcome.OK and not entry.by_name:
                        known_us = self.deleted_us.get(entry.topic_id, _NEVER)
                        self.deleted_us[entry.topic_id] = min(known_us, entry.ended_us)
        self.shaken_us = min(
            (
                mark.t_us
                for mark in ledger.history.marks
                if isinstance(mark, LifeMark) and mark.uncertain_disk
            ),
            default=_NEVER,
        )
        """From then on the metadata's own files may be damaged."""

    def may_be_deleted(self, name: str, until_us: int) -> bool:
        return any(one.asked_us <= until_us for one in self.deletes.get(name, ()))


def _listed(changes: _Changes, owners: dict[Uuid, str], listing: Listing) -> Iterator[Violation]:
    for name, seen in listing.topics.items():
        where = f"topic {name} {seen.topic_id.hex()}"
        if owners.setdefault(seen.topic_id, name) != name:
            text = f"{where}: the id is also that of {owners[seen.topic_id]}"
            yield Violation(PROMISE, listing.ended_us, text)
        if changes.deleted_us.get(seen.topic_id, _NEVER) < listing.asked_us:
            yield Violation(PROMISE, listing.ended_us, f"{where} is listed after its deletion")
        counts = {one.partitions for one in changes.creates.get(name, ())}
        counts |= {one.partitions for one in changes.grows.get(name, ())}
        if counts and seen.partitions not in counts:
            text = f"{where} has {seen.partitions} partitions; asked for were {sorted(counts)}"
            yield Violation(PROMISE, listing.ended_us, text)
        if listing.final and seen.leaderless and listing.ended_us < changes.shaken_us:
            text = f"{where}: {seen.leaderless} of {seen.partitions} partitions have no leader"
            yield Violation(PROMISE, listing.ended_us, text)
    if listing.ended_us >= changes.shaken_us:
        return
    for name, creates in changes.creates.items():
        if changes.may_be_deleted(name, listing.ended_us):
            continue
        for create in creates:
            if create.outcome is Outcome.OK and create.ended_us < listing.asked_us:
                yield from _still_there(changes, listing, create)


def _described(changes: _Changes, inquiry: Inquiry) -> Iterator[Violation]:
    """DescribeTopicPartitions says what Metadata says."""
    where = f"topic {inquiry.about} {inquiry.topic_id.hex()}"
    if changes.deleted_us.get(inquiry.topic_id, _NEVER) < inquiry.asked_us:
        yield Violation(PROMISE, inquiry.ended_us, f"{where} is described after its deletion")
    counts = {one.partitions for one in changes.creates.get(inquiry.about, ())}
    counts |= {one.partitions for one in changes.grows.get(inquiry.about, ())}
    if counts and inquiry.partitions not in counts:
        text = f"{where} has {inquiry.partitions} partitions; asked for were {sorted(counts)}"
        yield Violation(PROMISE, inquiry.ended_us, text)


def _still_there(changes: _Changes, listing: Listing, create: Create) -> Iterator[Violation]:
    """Nobody asked to delete the topic."""
    where = f"topic {create.topic}"
    found = listing.topics.get(create.topic)
    if found is None:
        yield Violation(PROMISE, listing.ended_us, f"{where} was created and is not listed")
        return
    if create.topic_id not in (ZERO_UUID, found.topic_id):
        text = (
            f"{where} was created as {create.topic_id.hex()}, is listed as {found.topic_id.hex()}"
        )
        yield Violation(PROMISE, listing.ended_us, text)
    confirmed = [
        grow.partitions
        for grow in changes.grows.get(create.topic, ())
        if grow.outcome is Outcome.OK and grow.ended_us < listing.asked_us
    ]
    least = max([create.partitions, *confirmed])
    if found.partitions < least:
        text = f"{where} was given {least} partitions and has {found.partitions}"
        yield Violation(PROMISE, listing.ended_us, text)


def _producer_ids(ledger: Ledger) -> Iterator[Violation]:
    given: dict[int, ProducerIdGiven] = {}
    for entry in ledger.history.entries:
        if isinstance(entry, ProducerIdGiven) and entry.outcome is Outcome.OK:
            other = given.setdefault(entry.producer_id, entry)
            if other is not entry:
                text = (
                    f"producer id {entry.producer_id} is given to client {entry.client}; "
                    f"client {other.client} has it since {other.ended_us / 1000:.3f} ms"
                )
                yield Violation(PROMISE, entry.ended_us, text)
