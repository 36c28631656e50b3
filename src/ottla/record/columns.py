"""Many records at once, column by column -> the record bytes of one batch.

A producer knows all records of a batch before the first is encoded, and most batches are alike:
few timestamps, no headers. So what stands between the values is made once for each length that
occurs and laid between them by slices, instead of record by record. Other batches go by rows.

`encode_columns` gives the bytes that `BatchBuilder` gives for the same records, in a quarter of the
time. Offset deltas are 0, 1, 2, …

Elsewhere: one record after another, `builder.py`; the header, there too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ottla.record.builder import SHORT_VARINTS, varint
from ottla.record.record import Headers

_SMALL: Final = len(SHORT_VARINTS)

_DELTA_EDGES: Final = (1 << 6, 1 << 13, 1 << 20)
"""Where the varint of an offset delta gets longer, so that runs on one side are alike."""

_RUN_RECORDS_MIN: Final = 4
"""Shorter stretches of one timestamp are not worth columns."""

Lengths = list[int]


def lengths_of(column: Sequence[bytes | None]) -> Lengths:
    """How long each is; -1: it is None."""
    try:
        return list(map(len, column))  # type: ignore[arg-type]  # where there is None, it raises
    except TypeError:
        return [-1 if one is None else len(one) for one in column]


def encode_columns(
    values: Sequence[bytes | None],
    value_lengths: Lengths,
    keys: Sequence[bytes | None] | None,
    key_lengths: Lengths | None,
    headers: Mapping[int, Headers],
    timestamps: Sequence[tuple[int, int]],
) -> list[bytes]:
    """The records' bytes, in pieces.

    `keys` None: nobody has one. `headers`: of those that have any. `timestamps`: (index of the first
    record, timestamp) of each run, the first index being 0.
    """
    base_timestamp = timestamps[0][1]
    pieces: list[bytes] = []
    by_rows = bool(headers) or len(timestamps) * _RUN_RECORDS_MIN > len(values)
    for first, end, timestamp in _runs(timestamps, len(values)):
        since = _varint(timestamp - base_timestamp)
        if by_rows:
            for index in range(first, end):
                key = keys[index] if keys is not None else None
                named = _headers(headers[index]) if index in headers else b"\0"
                body = b"".join(
                    (b"\0", since, _varint(index), _sized(key), _sized(values[index]), named)
                )
                pieces.append(_varint(len(body)))
                pieces.append(body)
        elif keys is None or key_lengths is None:
            _keyless(pieces, since, first, values[first:end], value_lengths[first:end])
        else:
            _keyed(
                pieces,
                since,
                first,
                (keys[first:end], key_lengths[first:end]),
                (values[first:end], value_lengths[first:end]),
            )
    return pieces


def _runs(timestamps: Sequence[tuple[int, int]], count: int) -> Iterator[tuple[int, int, int]]:
    """(first, end, timestamp) of stretches with one timestamp and one length of the delta."""
    for place, (first, timestamp) in enumerate(timestamps):
        end = timestamps[place + 1][0] if place + 1 < len(timestamps) else count
        for edge in _DELTA_EDGES:
            if first < edge < end:
                yield first, edge, timestamp
                first = edge
        if first < end:
            yield first, end, timestamp


def _deltas(first: int, end: int) -> Sequence[bytes]:
    if end <= _SMALL:
        return SHORT_VARINTS[first:end]
    return [varint(delta) for delta in range(first, end)]


def _keyless(
    pieces: list[bytes],
    since: bytes,
    first: int,
    values: Sequence[bytes | None],
    lengths: Lengths,
) -> None:
    """Per record: length, attributes, time · delta · no key, length · value · no headers."""
    count = len(values)
    deltas = _deltas(first, first + count)
    # What a record has besides value and value's length: attributes, time, delta, no key, headers.
    fixed = 3 + len(since) + len(deltas[-1])
    # The last byte of a record, no headers, is one with what the next begins with.
    block: list[bytes | None] = [None] * (4 * count)
    length = lengths[0]
    is_even = lengths.count(length) == count
    if is_even:
        head, middle = _form(length, fixed, since)
        block[0::4] = [head] * count
        block[2::4] = [middle] * count
    else:
        forms = {length: _form(length, fixed, since) for length in set(lengths)}
        both = list(map(forms.__getitem__, lengths))
        block[0::4] = [head for head, _ in both]
        block[2::4] = [middle for _, middle in both]
    block[1::4] = deltas
    block[3::4] = values
    first_head = block[0]
    assert first_head is not None
    block[0] = first_head[1:]
    block.append(b"\0")
    pieces += _without_none(block, length < 0 if is_even else min(lengths) < 0)


def _form(length: int, fixed: int, since: bytes) -> tuple[bytes, bytes]:
    """What stands before the delta, and between it and a value of that length."""
    sized = _varint(length)
    size = fixed + len(sized) + max(length, 0)
    return b"\0" + _varint(size) + b"\0" + since, b"\x01" + sized


def _keyed(
    pieces: list[bytes],
    since: bytes,
    first: int,
    keyed: tuple[Sequence[bytes | None], Lengths],
    valued: tuple[Sequence[bytes | None], Lengths],
) -> None:
    """Per record: length, attributes, time · delta · length · key · length · value · no headers."""
    keys, key_lengths = keyed
    values, value_lengths = valued
    count = len(values)
    deltas = _deltas(first, first + count)
    fixed = 2 + len(since) + len(deltas[-1])
    block: list[bytes | None] = [b"\0"] * (7 * count)
    pair = (key_lengths[0], value_lengths[0])
    if key_lengths.count(pair[0]) == value_lengths.count(pair[1]) == count:
        head, key_sized, value_sized = _keyed_form(pair, fixed, since)
        block[0::7] = [head] * count
        block[2::7] = [key_sized] * count
        block[4::7] = [value_sized] * count
    else:
        pairs = list(zip(key_lengths, value_lengths, strict=True))
        forms = {pair: _keyed_form(pair, fixed, since) for pair in set(pairs)}
        made = list(map(forms.__getitem__, pairs))
        block[0::7] = [head for head, _, _ in made]
        block[2::7] = [sized for _, sized, _ in made]
        block[4::7] = [sized for _, _, sized in made]
    block[1::7] = deltas
    block[3::7] = keys
    block[5::7] = values
    pieces += _without_none(block, min(key_lengths) < 0 or min(value_lengths) < 0)


def _keyed_form(pair: tuple[int, int], fixed: int, since: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the delta, before a key and before a value of these lengths."""
    key_length, value_length = pair
    key_sized, value_sized = _varint(key_length), _varint(value_length)
    size = fixed + len(key_sized) + len(value_sized)
    size += max(key_length, 0) + max(value_length, 0)
    return _varint(size) + b"\0" + since, key_sized, value_sized


def _without_none(block: list[bytes | None], has_none: bool) -> list[bytes]:
    if has_none:
        return [b"" if piece is None else piece for piece in block]
    return block  # type: ignore[return-value]  # only values and keys can be None


def _headers(headers: Headers) -> bytes:
    pieces = [_varint(len(headers))]
    for name, content in headers:
        pieces.append(_sized(name.encode()))
        pieces.append(_sized(content))
    return b"".join(pieces)


def _sized(data: bytes | None) -> bytes:
    return b"\x01" if data is None else _varint(len(data)) + data


def _varint(value: int) -> bytes:
    return SHORT_VARINTS[value] if 0 <= value < _SMALL else varint(value)
