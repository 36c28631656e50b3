"""An offset's bytes never change once somebody has seen them, and are what somebody sent.

After a power cut that may take records, an offset may be written again, but in a newer leader epoch:
(offset, epoch) belongs to one string of bytes for ever, which is how clients and followers notice.
What is read is whole, has a right checksum, was sent by somebody to that topic, did not fail, and
carries the producer's time or the time it was acknowledged with. Compaction may take records out of a
batch, and nothing else.

Source: C2, KIP-101, KIP-320. Elsewhere: what was acknowledged but not seen, `kept.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.sim.checker.ledger import Ledger, Sight, Story
from ottla.sim.checker.verdict import Violation, shown
from ottla.sim.history import Outcome, ReadBatch, Record, Send
from ottla.types import ZERO_UUID

PROMISE: Final = "bytes never change"


def check(ledger: Ledger) -> Iterator[Violation]:
    for story in ledger.stories.values():
        yield from _conflicts(ledger, story)
        for sight in story.sights:
            yield from _whole(ledger, story, sight)
            yield from _moved(ledger, story, sight)
            for record in sight.batch.records:
                text = _foreign(ledger, story, sight, record)
                if text:
                    where = f"{story.name} offset {record.offset}: "
                    yield Violation(PROMISE, sight.first.ended_us, where + text)


def _whole(ledger: Ledger, story: Story, sight: Sight) -> Iterator[Violation]:
    if sight.batch.crc_is_right:
        return
    text = f"{story.name} offset {sight.batch.base_offset}: the batch read has a wrong checksum"
    yield Violation(PROMISE, sight.first.ended_us, text)


def _moved(ledger: Ledger, story: Story, sight: Sight) -> Iterator[Violation]:
    untold_us = _untold_us(ledger, story)
    if ledger.struck_us(story) is None or not sight.batch.crc_is_right:
        return
    if untold_us is not None and untold_us <= sight.first.ended_us:
        return
    if _was_moved(ledger, sight.batch):
        offset = sight.batch.base_offset
        text = f"{story.name} offset {offset}: what is read was acknowledged at another offset"
        yield Violation(PROMISE, sight.first.ended_us, text)


def _conflicts(ledger: Ledger, story: Story) -> Iterator[Violation]:
    sights = story.sights
    for at, sight in enumerate(sights, start=1):
        for other in sights[at:]:
            if other.batch.base_offset > sight.batch.last_offset:
                break
            if story.is_compacted and _is_same_batch(sight.batch, other.batch):
                continue
            text = _conflict(ledger, story, sight, other)
            if text:
                where = f"{story.name} offset {other.batch.base_offset}: "
                yield Violation(PROMISE, other.first.ended_us, where + text)


def _is_same_batch(one: ReadBatch, other: ReadBatch) -> bool:
    """May both be what compaction left of one batch at different times?"""
    if not (one.crc_is_right and other.crc_is_right):
        return False
    heads = [
        (
            batch.base_offset,
            batch.last_offset,
            batch.leader_epoch,
            batch.producer_id,
            batch.producer_epoch,
            batch.base_sequence,
        )
        for batch in (one, other)
    ]
    known = {record.offset: record for record in one.records}
    return heads[0] == heads[1] and all(
        _is_same_record(known.get(record.offset, record), record) for record in other.records
    )


def _is_same_record(one: Record, other: Record) -> bool:
    return (one.timestamp_ms, one.key, one.value, one.is_tombstone) == (
        other.timestamp_ms,
        other.key,
        other.value,
        other.is_tombstone,
    )


def _conflict(ledger: Ledger, story: Story, one: Sight, other: Sight) -> str:
    """Two different batches of one offset: why that can't be."""
    if not (one.batch.crc_is_right and other.batch.crc_is_right):
        return ""
    if one.first.ended_us > other.first.ended_us:
        one, other = other, one
    untold_us = _untold_us(ledger, story)
    if untold_us is not None and untold_us <= max(one.last.ended_us, other.last.ended_us):
        is_apart = one.batch.base_offset != other.batch.base_offset
        # Where compaction left no record of a batch, nothing tells where it belongs.
        is_empty = not (one.batch.records and other.batch.records)
        if is_apart or is_empty or _was_moved(ledger, one.batch) or _was_moved(ledger, other.batch):
            return ""
    offset = max(one.batch.base_offset, other.batch.base_offset)
    if one.last.asked_us > other.first.ended_us:
        return "another batch was read there in between"
    if not story.may_lose(offset, one.last.asked_us, other.first.ended_us):
        return "a different batch was read there before"
    struck_us = ledger.struck_us(story)
    if struck_us is not None and struck_us <= other.first.ended_us:
        return ""  # after a kill, a damaged last batch passes for one that was being written
    if one.batch.leader_epoch >= other.batch.leader_epoch:
        return (
            f"written again after a cut, in epoch {other.batch.leader_epoch}; what was there "
            f"before was of epoch {one.batch.leader_epoch}"
        )
    return ""


def _untold_us(ledger: Ledger, story: Story) -> int | None:
    """Since when a batch may stand at another offset without anybody being able to tell; None: never.

    No checksum covers a base offset, but the batches around it tell a single flip. Another flip may
    take what tells it; in a compacted log what was between the batches is gone anyway.
    """
    return ledger.struck_us(story) if story.is_compacted else ledger.struck_twice_us(story)


def _was_moved(ledger: Ledger, batch: ReadBatch) -> bool:
    """Whether a batch stands elsewhere than where it was acknowledged."""
    for record in batch.records:
        send = ledger.senders.get(record.value)
        if send is None or send.base_offset < 0:
            continue
        if send.outcome is Outcome.OK and send.attempts == 1:
            end_offset = send.base_offset + len(send.records)
            if not send.base_offset <= record.offset < end_offset:
                return True
    return False


def _foreign(ledger: Ledger, story: Story, sight: Sight, record: Record) -> str:
    send = ledger.senders.get(record.value)
    if send is None and story.name.startswith("__"):
        return ""  # the broker's own records
    if send is None:
        return f"{shown(record.value)} is read, which nobody sent"
    if send.outcome is Outcome.FAIL:
        return f"{shown(record.value)} is read, whose sending failed with error {send.error}"
    if send.asked_us > sight.first.ended_us:
        return f"{shown(record.value)} is read before it was sent"
    name = story.name.rpartition("-")[0]
    if send.topic != name or send.partition != story.key[1]:
        return f"{shown(record.value)} is read, which was sent to {send.topic}-{send.partition}"
    if _is_of_another(ledger, story, name, send):
        return f"{shown(record.value)} is read, which was sent to another topic of that name"
    sent = next(one for one in send.records if one.value == record.value)
    if (sent.key, sent.is_tombstone) != (record.key, record.is_tombstone):
        return f"{shown(record.value)} has key {shown(record.key)}; sent with {shown(sent.key)}"
    return _time(sight, record, send)


def _is_of_another(ledger: Ledger, story: Story, name: str, send: Send) -> bool:
    """Was it certainly sent to a topic that had the name before or after this one?"""
    topic_id = story.key[0]
    ids = ledger.ids_of(name)
    if send.topic_id in (ZERO_UUID, topic_id) or topic_id not in ids:
        return False
    if send.by_name and send.attempts > 1:
        return False  # each attempt may have met another one, a belated one too
    if ledger.born_us(name, send.topic_id) > ids[topic_id]:
        return True  # nobody writes to what is gone
    acknowledged = send.outcome is Outcome.OK and send.acks != 0
    if acknowledged and send.ended_us < ledger.born_us(name, topic_id):
        return True  # it was done before this topic was thought of
    return send.attempts == 1 and not send.by_name


def _time(sight: Sight, record: Record, send: Send) -> str:
    if not sight.batch.is_log_append_time:
        sent = next(one for one in send.records if one.value == record.value)
        if sent.timestamp_ms != record.timestamp_ms:
            return f"has time {record.timestamp_ms}; it was sent with {sent.timestamp_ms}"
    elif send.outcome is Outcome.OK and send.log_append_time_ms >= 0 and send.attempts == 1:
        if send.base_offset <= record.offset < send.base_offset + len(send.records):
            if record.timestamp_ms != send.log_append_time_ms:
                told_ms = send.log_append_time_ms
                return f"has time {record.timestamp_ms}; its producer was told {told_ms}"
    return ""
