"""Runs of records of one layout: the same sizes, nothing but contents, times and offsets differ.

Producers of measurements send such, and many programs do: sensors, counters, keys alone. Whether
records are of one layout is seen by comparing byte k of all of them, one strided slice, which C
compares at once; what is asked of them is then cut out by C, too. Whoever finds no run reads one by
one; what that costs more stands with each who asks.

Promises: a run's records are what `record.py` reads, in its order and with offset deltas that go on
from the run's index. They have no headers.
"""

from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import Final, final

from ottla.errors import RemoteProtocolError
from ottla.record.record import Bytes, unsigned

RUN_MIN: Final = 8
"""Fewer records are read one by one faster than their columns are compared."""

_TOGETHER: Final = 64
"""So many records are cut by one call: a `Struct` that long has 4 KiB, and is soon made."""
_TWO_BYTES: Final = 2

# The zigzag varints of the offset deltas 0..63, and the two bytes of those of 64..8191, as columns.
_DELTAS_1: Final = bytes(range(0, 128, 2))
_DELTAS_2_LOW: Final = bytes(range(128, 256, 2)) * 127
_DELTAS_2_HIGH: Final = b"".join(bytes([high]) * 64 for high in range(1, 128))
_DELTAS_1_END: Final = 64
_DELTAS_2_END: Final = 8192


@final
class Run:
    """`count` records of `stride` bytes each. The places are bytes from a record's first one.

    `key_size`, `value_size`: -1, all are null. `time_size`: bytes of a timestamp delta; those of
    more than two bytes are all the same, the others end where they should.
    """

    __slots__ = (
        "count",
        "key_at",
        "key_size",
        "stride",
        "time_at",
        "time_size",
        "value_at",
        "value_size",
    )

    def __init__(
        self,
        stride: int,
        time_at: int,
        time_size: int,
        key_at: int,
        key_size: int,
        value_at: int,
        value_size: int,
    ) -> None:
        self.count = 0
        self.stride = stride
        self.time_at = time_at
        self.time_size = time_size
        self.key_at = key_at
        self.key_size = key_size
        self.value_at = value_at
        self.value_size = value_size


def run_untrusted(data: Bytes, at: int, index: int, count: int) -> Run | None:
    """The run that begins with the record at `at`, which is number `index` of a batch of `count`.

    None: there is none, or of fewer than `RUN_MIN` records. Offset deltas below 64 have one byte, those
    from there on two, so a run ends between them.

    Left whole on purpose: it is one comparison.
    """
    try:
        here = at
        length, here = unsigned(data, here, 5)
        stride = here - at + (length >> 1)
        constant = list(range(here - at))
        time_at = here + 1 - at
        here += 2
        if data[here - 1] > 0x7F:
            _, here = unsigned(data, here - 1, 10)
        offset_at = here - at
        time_size = offset_at - time_at
        if time_size > _TWO_BYTES:
            constant += range(time_at, offset_at)
        here += 1
        if data[here - 1] > 0x7F:
            _, here = unsigned(data, here - 1, 5)
        key_at = here - at
        key = data[here]
        here += 1
        if key > 0x7F:
            key, here = unsigned(data, here - 1, 5)
        constant += range(key_at, here - at)
        key_at = here - at
        value_at = key_at + (0 if key & 1 else key >> 1)
        value, here = unsigned(data, at + value_at, 5)
        constant += range(value_at, here - at)
        value_at = here - at
        headers_at = value_at + (0 if value & 1 else value >> 1)
        constant.append(headers_at)
        if length & 1 or headers_at + 1 != stride or data[at + headers_at]:
            return None
    except (IndexError, RemoteProtocolError):
        return None  # to be said, with the record's index, by whoever looks at each
    count = min(count - index, (len(data) - at) // stride)
    count = min(count, (_DELTAS_1_END if index < _DELTAS_1_END else _DELTAS_2_END) - index)
    for place in constant:
        if count < RUN_MIN:
            return None
        column = bytes(data[at + place : at + stride * count : stride])
        first = column[:1]
        # A twin is made and compared at once; stripping looks at byte after byte.
        if column != first * count:
            count -= len(column.lstrip(first))
    column = bytes(data[at + offset_at : at + stride * count : stride])
    if index < _DELTAS_1_END:
        count = _agreeing(column, _DELTAS_1[index : index + count])
    else:
        start = index - _DELTAS_1_END
        count = _agreeing(column, _DELTAS_2_LOW[start : start + count])
        column = bytes(data[at + offset_at + 1 : at + stride * count : stride])
        count = _agreeing(column, _DELTAS_2_HIGH[start : start + count])
    if time_size <= _TWO_BYTES:
        last = bytes(data[at + offset_at - 1 : at + stride * count : stride])
        if not last.isascii():
            count = next(index for index, byte in enumerate(last) if byte > 0x7F)
        if time_size == _TWO_BYTES and count:
            low = bytes(data[at + time_at : at + stride * count : stride])
            if min(low) < 0x80:
                count = next(index for index, byte in enumerate(low) if byte < 0x80)
    if count < RUN_MIN:
        return None
    key_size = -1 if key & 1 else key >> 1
    value_size = -1 if value & 1 else value >> 1
    run = Run(stride, time_at, time_size, key_at, key_size, value_at, value_size)
    run.count = count
    return run


def fields(form: str, block: memoryview, count: int) -> list[bytes]:
    """What `form` (of `struct`) says of one record, of all in `block`, in their order."""
    # Many records by one call: a call each takes longer than 100 bytes.
    together = min(count, _TOGETHER)
    end = len(block) // count * (count - count % together)
    found: list[bytes] = []
    for some in _layout(form, together).iter_unpack(block[:end]):
        found += some
    if end < len(block):
        found += chain.from_iterable(_layout(form, 1).iter_unpack(block[end:]))
    return found


@lru_cache(maxsize=256)
def _layout(form: str, count: int) -> Struct:
    return Struct(form * count)


def _agreeing(column: bytes, expected: bytes) -> int:
    """How many of the first are as expected."""
    if column == expected:
        return len(column)
    for index, (byte, wanted) in enumerate(zip(column, expected, strict=False)):
        if byte != wanted:
            return index
    return min(len(column), len(expected))
