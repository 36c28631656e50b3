"""An application is handed what was served, in order, nothing left out, and only of what is its own.

Within one reading of a partition, offsets rise, and between two records none was passed over that could
have been read; after a seek the first one is the first there is. A member is handed records of what its
last assignment gave it; one that gives up everything before it joins, of nothing while it joins.

Whoever lost its place and has not heard of it may go on: what it is handed others are handed too.

Source: KIP-227, KIP-320, KIP-429. Elsewhere: what was served, `unchanged.py` and `gapless.py`; what passes
from one member to the next, `covered.py`.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.reading_ledger import ReadingLedger, Seen
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.group_operation import Place
from ottla.sim.history import Delivery, Following, Record

PROMISE: Final = "consumers are handed everything"


def check(ledger: Ledger) -> Iterator[Violation]:
    reading = ReadingLedger(ledger)
    for following, deliveries in reading.deliveries.items():
        last: dict[Place, Delivery] = {}
        for one in deliveries:
            place = one.topic, one.partition
            problem = (
                _unserved(reading, place, one.records)
                or _out_of_order(one)
                or _passed_over(reading, following, last.get(place), one)
                or (_not_its_own(reading, following, one) if following.group else "")
            )
            if problem:
                text = f"client {following.client}, {one.topic}-{one.partition}: {problem}"
                yield Violation(PROMISE, one.ended_us, text)
            last[place] = one


def _unserved(reading: ReadingLedger, place: Place, records: tuple[Record, ...]) -> str:
    if reading.is_struck(place) or reading.is_ambiguous(place[0]):
        return ""
    for record in records:
        seen = reading.seen(place, record)
        if seen is None:
            return f"{shown(record.value)} is handed out at {record.offset}; nobody was served that"
        served = seen.record
        if (served.key, served.is_tombstone) != (record.key, record.is_tombstone):
            return f"{shown(record.value)} is handed out with key {shown(record.key)}"
        if served.timestamp_ms != record.timestamp_ms:
            return f"{shown(record.value)} is handed out with time {record.timestamp_ms}"
    return ""


def _out_of_order(one: Delivery) -> str:
    offsets = [record.offset for record in one.records]
    for before, after in pairwise(offsets):
        if after <= before:
            return f"offset {after} is handed out after {before}"
    return ""


def _passed_over(
    reading: ReadingLedger, following: Following, last: Delivery | None, one: Delivery
) -> str:
    place = one.topic, one.partition
    first = reading.seen(place, one.records[0])
    if not following.from_first:
        return ""  # where its rule sends it, nothing need be
    if first is None or reading.is_struck(place) or first.story.name in reading.thinned:
        return ""
    if one.sought is not None:
        since, sent_us = one.sought, one.asked_us
    elif last is not None:
        before = reading.seen(place, last.records[-1])
        if before is None or before.story is not first.story:
            return ""  # another topic of that name
        joins = reading.joins.get(following.client, ())
        if any(last.asked_us <= join.asked_us <= one.asked_us for join in joins):
            return ""  # where it goes on after a rebalance, the group's commits say
        since, sent_us = before.record.offset + 1, before.sight.first.asked_us
    else:
        return ""
    if first.record.offset < since:
        if any(sent_us <= cut_us <= one.asked_us for cut_us, _ in first.story.cuts):
            return ""  # what it had read may be gone
        return f"offset {first.record.offset} is handed out after {since - 1}"
    for skipped in reading.in_between(first.story, since, first.record.offset):
        if not _may_be_gone(skipped, one.asked_us):
            return (
                f"{shown(skipped.record.value)} at {skipped.record.offset} is passed over: "
                f"offset {first.record.offset} is handed out after {since - 1}"
            )
    return ""


def _may_be_gone(seen: Seen, now_us: int) -> bool:
    since_us = min(now_us, seen.sight.first.asked_us)
    until_us = max(now_us, seen.sight.first.ended_us)
    return seen.story.may_lose(seen.record.offset, since_us, until_us)


def _not_its_own(reading: ReadingLedger, following: Following, one: Delivery) -> str:
    place = one.topic, one.partition
    told = [
        sync
        for sync in reading.syncs.get(following.client, ())
        if following.asked_us <= sync.ended_us <= one.asked_us
    ]
    told.sort(key=lambda sync: sync.ended_us)
    # Of two that were told in the same moment it may have looked at the first.
    valid = [sync for sync in told if sync is told[-1] or sync.ended_us == one.asked_us]
    valid += told[-2:-1] if told and told[-1].ended_us == one.asked_us else []
    if not any(place in sync.got for sync in valid):
        return "records are handed out, and its last assignment does not give it that"
    if not following.is_cooperative:
        told_us = told[-1].ended_us
        for join in reading.joins.get(following.client, ()):
            if told_us < join.asked_us < one.asked_us:
                return "records are handed out while it joins, for which it gave up everything"
    return ""
