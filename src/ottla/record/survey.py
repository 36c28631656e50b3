"""Are all records of a batch well formed, and what are their extremes? The Produce path's question.

Two strategies give the same answer. Runs of records of one layout are compared column by column
(`uniform.py`), 0.03 µs per record. Whatever is not so uniform is parsed one by one, 0.6 µs per record
in plain Python and 0.02 compiled. Huge records are walked without a copy.

Promises: records that are accepted here can be decoded by `record.py`, which reads the same layout.
"""

from typing import Final, NamedTuple

from ottla.errors import RemoteProtocolError
from ottla.record.record import Bytes, after_headers, unsigned, walk_untrusted
from ottla.record.uniform import Run, run_untrusted

_UNIFORM_MIN: Final = 32
"""Fewer records are parsed one by one faster than their columns are cut out."""

_LARGE_BYTES_MEAN: Final = 32 * 1024
"""Records this large are walked where they lie: smaller ones are cheaper to copy, because a loop
over `bytes` is many times as fast as one over a view."""

_TWO_BYTES: Final = 2
_BEYOND: Final = 1 << 65
"""Larger than any timestamp delta."""


class Survey(NamedTuple):
    """What a leader needs to know of all records. Timestamp deltas are the records' own."""

    timestamp_delta_min: int
    timestamp_delta_max: int
    index_of_max: int
    """The first record with the largest timestamp."""
    has_null_key: bool


def survey_untrusted(data: Bytes, count: int) -> Survey:
    """Check that `data` is exactly `count` well-formed records (at least one), and survey them.

    Their offset deltas must be 0, 1, 2, … Where they are not it ends at once: a million equal records
    compress to next to nothing, and looking at them all would cost a second.
    """
    if count <= 0:
        raise RemoteProtocolError(f"{count} records; at least 1 is expected")
    if len(data) >= count * _LARGE_BYTES_MEAN:
        return _where_they_lie(data, count)
    if count < _UNIFORM_MIN:
        return _one_by_one(bytes(data), 0, 0, count)
    at = index = 0
    survey = Survey(_BEYOND, -_BEYOND, 0, False)
    while count - index >= _UNIFORM_MIN:
        run = run_untrusted(data, at, index, count)
        if run is None or run.count < _UNIFORM_MIN:
            break
        survey = _joined(survey, _of_run(data, at, index, run))
        at += run.stride * run.count
        index += run.count
    if index < count:
        survey = _joined(survey, _one_by_one(bytes(data[at:]), 0, index, count))
    elif at != len(data):
        raise _bytes_behind(data, at, count)
    return survey


def _where_they_lie(data: Bytes, count: int) -> Survey:
    visits = []
    for index, visit in enumerate(walk_untrusted(data, count)):
        if visit.offset_delta != index:
            raise _out_of_order(index, count)
        visits.append(visit)
    deltas = [visit.timestamp_delta for visit in visits]
    largest = max(deltas)
    return Survey(
        min(deltas),
        largest,
        deltas.index(largest),
        any(visit.key_is_null for visit in visits),
    )


def _joined(first: Survey, then: Survey) -> Survey:
    later = then.timestamp_delta_max > first.timestamp_delta_max
    return Survey(
        min(first.timestamp_delta_min, then.timestamp_delta_min),
        then.timestamp_delta_max if later else first.timestamp_delta_max,
        then.index_of_max if later else first.index_of_max,
        first.has_null_key or then.has_null_key,
    )


def _out_of_order(index: int, count: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"record {index} of {count} has another offset delta; they are 0, 1, 2, …"
    )


def _bytes_behind(data: Bytes, at: int, count: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"{len(data) - at:,} bytes follow the last of {count} records")


def _of_run(data: Bytes, at: int, index: int, run: Run) -> Survey:
    """The run begins at `at`, with record `index`."""
    first, _ = unsigned(data, at + run.time_at, 10)
    places = {first: 0}  # of zigzags of timestamp deltas
    end = at + run.stride * run.count
    if run.time_size == 1:
        column = bytes(data[at + run.time_at : end : run.stride])
        if column.strip(column[:1]):
            places = {byte: column.index(byte) for byte in set(column)}
    elif run.time_size == _TWO_BYTES:
        low = bytes(data[at + run.time_at : end : run.stride])
        high = bytes(data[at + run.time_at + 1 : end : run.stride])
        zigzags = [(more << 7) + byte - 128 for byte, more in zip(low, high, strict=True)]
        # From the last to the first, which stays.
        places = {zigzag: run.count - 1 - back for back, zigzag in enumerate(reversed(zigzags))}
    deltas = {(zigzag >> 1) ^ -(zigzag & 1): place for zigzag, place in places.items()}
    largest = max(deltas)
    return Survey(min(deltas), largest, index + deltas[largest], run.key_size < 0)


def _one_by_one(data: bytes, at: int, first: int, count: int) -> Survey:
    """Survey the records `first`..`count`-1, which begin at `at` and must end where `data` does.

    Longer than a screen on purpose: one- and two-byte varints are unrolled, because a call per
    field would cost three times as much as the whole loop.
    """
    zigzag = -1  # of the previous record's timestamp delta: mostly, they are equal
    delta_min, delta_max = _BEYOND, -_BEYOND
    index = index_of_max = first
    null_key = False
    try:
        for index in range(first, count):
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
            if size & 1:
                raise RemoteProtocolError(f"record {index} of {count} has a negative length")
            end = at + (size >> 1)
            at += 1  # attributes, which mean nothing yet
            delta = data[at]
            if delta < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    delta += (high << 7) - 128
                    at += 2
                else:
                    delta, at = unsigned(data, at, 10)
            if delta != zigzag:
                zigzag = delta
                delta = (delta >> 1) ^ -(delta & 1)
                if delta > delta_max:
                    delta_max = delta
                    index_of_max = index
                if delta < delta_min:
                    delta_min = delta
            offset = data[at]
            if offset < 128:
                at += 1
            else:
                high = data[at + 1]
                if high < 128:
                    offset += (high << 7) - 128
                    at += 2
                else:
                    offset, at = unsigned(data, at, 5)
            if offset != index + index:
                raise _out_of_order(index, count)
            # Key, then value. An odd zigzag is a negative length: null.
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
            if size & 1:
                null_key = True
            else:
                at += size >> 1
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
            if not size & 1:
                at += size >> 1
            if data[at]:
                at = after_headers(data, at, end)
            else:
                at += 1
            if at != end:
                raise RemoteProtocolError(f"record {index} of {count} has a wrong length")
    except IndexError as error:
        raise RemoteProtocolError(f"record {index} of {count} is cut") from error
    if at != len(data):
        raise _bytes_behind(data, at, count)
    return Survey(delta_min, delta_max, index_of_max, null_key)
