"""Compaction's two questions to the records of a batch: which keys, and which records stay.

Both go over the bytes once and make no object per record, and where records are of one layout C cuts
their keys out (`uniform.py`, less than half the time); what stays is copied as it is. Offsets and
timestamps are relative to what the batch's header says, and compaction leaves that alone, so the
bytes stay right. Only where a delete horizon takes the place of the base timestamp (KIP-534) are the
timestamps written anew, by `rebased_untrusted`.

Elsewhere: what is done with the answers, `core/log/compaction.py`; the layout, `record.py`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ottla.errors import RemoteProtocolError
from ottla.record.builder import varint
from ottla.record.record import unsigned
from ottla.record.uniform import fields, run_untrusted

_UNIFORM_MIN: Final = 16
"""Fewer records are read one by one faster than their columns are compared."""


class Sifted(NamedTuple):
    """What stays of a batch. `payload` None: all of it."""

    payload: bytes | None
    record_count: int
    timestamp_delta_max: int
    has_tombstone: bool


def keys_untrusted(data: bytes, count: int, base_offset: int) -> tuple[list[bytes], list[int]]:
    """Key and offset of every record that has a key, in order."""
    keys: list[bytes] = []
    offsets: list[int] = []
    at = index = 0
    while count - index >= _UNIFORM_MIN:
        run = run_untrusted(data, at, index, count)
        if run is None or run.count < _UNIFORM_MIN:
            break
        end = at + run.stride * run.count
        if run.key_size > 0:
            rest = run.stride - run.key_at - run.key_size
            form = f"{run.key_at}x{run.key_size}s{rest}x"
            keys += fields(form, memoryview(data)[at:end], run.count)
        elif run.key_size == 0:
            keys += [b""] * run.count
        if run.key_size >= 0:
            offsets += range(base_offset + index, base_offset + index + run.count)
        at = end
        index += run.count
    _one_by_one(data, at, count - index, base_offset, keys, offsets)
    return keys, offsets


def _one_by_one(
    data: bytes, at: int, count: int, base_offset: int, keys: list[bytes], offsets: list[int]
) -> None:
    """Add those of the last `count` records, which begin at `at`. Hot, hence a plain loop."""
    add_key, add_offset = keys.append, offsets.append
    try:
        for _ in range(count):
            size = data[at]
            if size < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    size += (high << 7) - 128
                    at += 2
                else:
                    size, at = unsigned(data, at, 5)
            end = at + (size >> 1)
            at += 2
            while data[at - 1] > 127:  # the timestamp
                at += 1
            delta = data[at]
            if delta < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    delta += (high << 7) - 128
                    at += 2
                else:
                    delta, at = unsigned(data, at, 5)
            size = data[at]
            if size < 128:
                at += 1
            else:
                size, at = unsigned(data, at, 5)
            if not size & 1:
                add_key(data[at : at + (size >> 1)])
                add_offset(base_offset + (delta >> 1))
            at = end
    except IndexError as error:
        raise RemoteProtocolError(f"one of the last {count:,} records is cut") from error
    if at != len(data):
        raise RemoteProtocolError("records do not end where their batch does")


def sift_untrusted(
    data: bytes,
    count: int,
    base_offset: int,
    newest: Callable[[bytes], int],
    *,
    drop_tombstones: bool,
) -> Sifted:
    """Leave out what has a newer record of its key, or no key at all, and tombstones if told so.

    `newest`: the offset of the newest record of a key, as far as known, else less than any.

    Longer than a screen on purpose: hot, one plain loop over bytes.
    """
    chunks: list[bytes] = []
    kept = at = 0
    run_at = -1  # where a run of records begins that stay
    delta_max = -(1 << 65)
    has_tombstone = False
    try:
        for _ in range(count):
            start = at
            size = data[at]
            if size < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    size += (high << 7) - 128
                    at += 2
                else:
                    size, at = unsigned(data, at, 5)
            end = at + (size >> 1)
            time_delta = data[at + 1]
            if time_delta < 128:
                at += 2
            else:
                time_delta, at = unsigned(data, at + 1, 10)
            delta = data[at]
            if delta < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    delta += (high << 7) - 128
                    at += 2
                else:
                    delta, at = unsigned(data, at, 5)
            size = data[at]
            if size < 128:
                at += 1
            else:
                size, at = unsigned(data, at, 5)
            stays = False
            if not size & 1:
                size >>= 1
                if base_offset + (delta >> 1) >= newest(data[at : at + size]):
                    stays = True
                    if data[at + size] & 1:  # the value's length is negative: null
                        if drop_tombstones:
                            stays = False
                        else:
                            has_tombstone = True
            at = end
            if stays:
                kept += 1
                if run_at < 0:
                    run_at = start
                time_delta = (time_delta >> 1) ^ -(time_delta & 1)
                if time_delta > delta_max:
                    delta_max = time_delta
            elif run_at >= 0:
                chunks.append(data[run_at:start])
                run_at = -1
    except IndexError as error:
        raise RemoteProtocolError(f"one of {count:,} records is cut") from error
    if at != len(data):
        raise RemoteProtocolError(f"{count:,} records do not end where their batch does")
    if kept == count:
        return Sifted(None, kept, delta_max, has_tombstone)
    if run_at >= 0:
        chunks.append(data[run_at:])
    return Sifted(b"".join(chunks), kept, delta_max, has_tombstone)


def rebased_untrusted(data: bytes, count: int, shift_ms: int, time_ms: int | None = None) -> bytes:
    """The records with `shift_ms` added to every timestamp delta: their base has moved so far back.

    `time_ms`: all have that delta instead, as the batch has one time for all.
    """
    chunks: list[bytes] = []
    at = 0
    try:
        for _ in range(count):
            size, at = unsigned(data, at, 5)
            end = at + (size >> 1)
            delta, after = unsigned(data, at + 1, 10)
            delta = ((delta >> 1) ^ -(delta & 1)) + shift_ms if time_ms is None else time_ms
            time = varint(delta)
            rest = data[after:end]
            chunks += (varint(1 + len(time) + len(rest)), data[at : at + 1], time, rest)
            at = end
    except IndexError as error:
        raise RemoteProtocolError(f"one of {count:,} records is cut") from error
    if at != len(data):
        raise RemoteProtocolError(f"{count:,} records do not end where their batch does")
    return b"".join(chunks)
