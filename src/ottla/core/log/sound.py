"""Are these still the bytes that were appended? Asked of every stretch of a segment that is served.

Disks and memory flip bits, and not all clients look at checksums. So every batch's checksum is
tested before it is handed out, unless that was done a moment ago. What stands before the checksummed
part is held against what is known otherwise: the length by the checksum itself, the leader epoch by the epoch history,
the base offset by the batches around it. In a log without gaps a changed base offset overlaps a
neighbor on one side and leaves a gap on the other; so neighbors must not overlap, and where there is
a gap (compaction leaves some) the batches before it are looked at as well.

The price: most of a microsecond a batch and a tenth of a millisecond a mebibyte; one answer
therefore holds a bounded number of batches. Batches of magic 0 and 1 have a checksum of their own.

Elsewhere: what need not be tested, `tested.py`; what a client is told of damage, the replica's leader;
whole directories, `scrub.py`.
"""

from struct import Struct
from typing import Final, final

from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.epoch_history import EpochHistory
from ottla.core.log.segment import Entry, Segment
from ottla.limits import TESTED_BYTES_MAX
from ottla.record.batch import CRC_FROM, HEADER_BYTES, LOG_OVERHEAD_BYTES, Batch, crc_is_right
from ottla.record.crc import crc32c
from ottla.record.legacy import entry_crc_is_right

BATCHES_MAX: Final = 2_000
"""What one answer holds of a partition: a millisecond's worth of tests."""

BYTES_MAX: Final = 4 * 1024 * 1024
"""The same in bytes: a thousand consumers that ask 50 MiB each must not stop the rest for seconds. A
batch that reaches beyond it is still served whole."""

# Base offset, length, leader epoch, magic, checksum, last offset delta.
_FRONT: Final = Struct(">qiibI2xi")
_LENGTH_MIN: Final = HEADER_BYTES - LOG_OVERHEAD_BYTES


def is_sound(entry: Entry) -> bool:
    """Is the checksum of a whole batch right?"""
    return crc_is_right(entry) if isinstance(entry, Batch) else entry_crc_is_right(entry)


@final
class Sound:
    """`damage` None: all up to `limit`, where `next_offset` begins. Else `limit` is before it.

    `head`: what was tested first, as it was read.
    """

    __slots__ = ("damage", "head", "limit", "next_offset")

    def __init__(
        self,
        limit: int,
        next_offset: int,
        damage: CorruptSegment | None,
        head: bytes | memoryview = b"",
    ) -> None:
        self.limit = limit
        self.next_offset = next_offset
        self.damage = damage
        self.head = head


@final
class Inspection:
    """Goes through one stretch of a segment, batch by batch. Used once."""

    __slots__ = (
        "_end_offset",
        "_epoch",
        "_epoch_until",
        "_epochs",
        "_expected",
        "_first_base",
        "_first_position",
        "_gap",
        "_last_base",
        "_last_follows",
        "_last_position",
        "_left",
        "_segment",
        "_start",
    )

    def __init__(
        self, segment: Segment, position: int, start: int, *, end_offset: int, epochs: EpochHistory
    ) -> None:
        """The batch at `position` is the first that could hold offset `start`; no offset of the
        segment reaches `end_offset`."""
        self._segment = segment
        self._end_offset = end_offset
        self._epochs = epochs
        self._epoch = -1
        self._epoch_until = -1
        self._start = start
        self._expected = start
        self._first_position = position
        self._first_base = -1
        self._gap = False
        self._last_position = position
        self._last_base = start
        self._last_follows = False  # it begins where the one before it ended
        self._left = BATCHES_MAX

    def run(self, limit: int) -> Sound:
        """Test the batches that end at or before `limit`, or as many as one answer may hold."""
        file = self._segment.file
        position = self._first_position
        enough = position + BYTES_MAX
        head: bytes | memoryview = b""
        behind = b""
        damage: CorruptSegment | None = None
        try:
            while position < limit and position < enough and self._left:
                left_bytes = limit - position
                # And the front of what follows, for `_look_around`.
                block = file.read(position, min(TESTED_BYTES_MAX, left_bytes) + _FRONT.size)
                passed_bytes = self._block(block, position, min(len(block), left_bytes))
                behind = block[passed_bytes : passed_bytes + _FRONT.size]
                if position == self._first_position and 2 * passed_bytes >= len(block):
                    head = memoryview(block)[:passed_bytes]  # else too much would be kept with it
                if not passed_bytes:
                    passed_bytes = self._single(position, limit)
                    behind = b""
                if passed_bytes == 0:
                    break
                position += passed_bytes
        except CorruptSegment as found:
            damage, position, behind = found, found.position, b""
        try:
            # Also what stands before damage: it is served, and may be damaged in another way.
            if position > self._first_position:
                self._look_around(position, behind)
        except CorruptSegment as nearer:
            damage = nearer
        return self._before(damage) if damage else Sound(position, self._expected, None, head)

    def _before(self, damage: CorruptSegment) -> Sound:
        """Serve what stands before the damage."""
        if damage.position == self._last_position:
            return Sound(damage.position, self._last_base, damage)
        return Sound(damage.position, self._expected, damage)

    def _block(self, block: bytes, position: int, size_bytes: int) -> int:
        """Test the whole batches of magic 2 that the first `size_bytes` of `block` begin with; how many
        bytes they have."""
        view = memoryview(block)
        at = 0
        while size_bytes - at >= HEADER_BYTES and self._left:
            base, length, epoch, magic, crc, delta = _FRONT.unpack_from(block, at)
            size = length + LOG_OVERHEAD_BYTES
            if magic != 2 or not HEADER_BYTES <= size <= size_bytes - at:
                break
            if crc32c(view[at + CRC_FROM : at + size]) != crc:
                raise self._damage(position + at, "the checksum is wrong")
            self._passed(position + at, base, base + delta + 1)
            self._check_epoch(position + at, base + delta, epoch)
            at = self._following(view, position, at + size, size_bytes)
        return at

    def _following(self, view: memoryview, position: int, at: int, size_bytes: int) -> int:
        """Test the batches that go on from `at` as most do: of the same epoch, each where the one before
        it ended. The end of the last one; what is otherwise, or damaged, is left to the longer way.

        Hot: a plain loop on local names, one unpack and one checksum per batch.
        """
        unpack_from = _FRONT.unpack_from
        expected, known_epoch, left = self._expected, self._epoch, self._left
        until = min(self._end_offset, self._epoch_until)
        last = -1
        while left and size_bytes - at >= HEADER_BYTES:
            base, length, epoch, magic, crc, delta = unpack_from(view, at)
            end = at + length + LOG_OVERHEAD_BYTES
            if (
                base != expected
                or not 0 <= delta < until - base
                or epoch != known_epoch
                or magic != 2
                or length < _LENGTH_MIN
                or end > size_bytes
                or crc32c(view[at + CRC_FROM : end]) != crc
            ):
                break
            last, last_base = at, base
            expected = base + delta + 1
            at = end
            left -= 1
        if last >= 0:
            self._last_position, self._last_base = position + last, last_base
            self._last_follows = True
            self._expected, self._left = expected, left
        return at

    def _check_epoch(self, position: int, last_offset: int, epoch: int) -> None:
        """By the last offset: a log, and the history with it, may begin inside its first batch."""
        if last_offset >= self._epoch_until:
            self._epoch, self._epoch_until = self._epochs.stretch_of(last_offset)
        if epoch != self._epoch and self._epoch >= 0:
            raise self._damage(position, f"leader epoch {epoch} instead of {self._epoch}")

    def _single(self, position: int, limit: int) -> int:
        """Test one batch that is larger than a block, of another magic, or damaged; its size, or 0
        when it reaches behind `limit`."""
        segment = self._segment
        _, header = next(segment.walk(position, strictly=True))
        entry = segment.entry_at(position, header.size_bytes)
        if not is_sound(entry):
            raise self._damage(position, "the checksum is wrong")
        if position + entry.size_bytes > limit:
            return 0
        if isinstance(entry, Batch):
            self._passed(position, entry.base_offset, entry.next_offset)
            self._check_epoch(position, entry.last_offset, entry.partition_leader_epoch)
        else:
            if entry.last_offset < self._expected and self._first_base >= 0:
                raise self._damage(position, "offsets do not grow")
            self._passed(position, max(self._expected, self._last_base), entry.next_offset)
        return entry.size_bytes

    def _passed(self, position: int, base: int, following: int) -> None:
        """Take note of a batch, unless it does not fit to the one before it."""
        expected = self._expected
        follows = base == expected
        if self._first_base < 0:
            if base < self._segment.base_offset:
                raise self._damage(position, f"offset {base} does not belong in this segment")
            self._first_base = base
            if base > expected:
                self._gap = True
        elif base < expected:
            raise self._overlap(position)
        elif base > expected:
            self._gap = True
        if following > self._end_offset or following <= base:
            raise self._damage(position, f"its offsets {base}..{following - 1} do not belong here")
        self._last_position, self._last_base, self._last_follows = position, base, follows
        self._expected = following
        self._left -= 1

    def _look_around(self, position: int, front: bytes) -> None:
        """Hold the stretch against what stands after it, and, where it has gaps, before it. `front`: what
        is at `position`, or a part of it."""
        after = self._after(position, front)
        if after < self._expected:
            overlap = self._overlap(position)
            if overlap.position < position:
                raise overlap
        elif after > self._expected:
            self._gap = True
        if self._gap:
            self._look_before()

    def _after(self, position: int, front: bytes) -> int:
        """Where the offsets behind the stretch begin, as far as that can be told."""
        segment = self._segment
        if position == self._last_position:
            return self._expected  # the stretch's own last batch is the damage
        if position >= segment.size_bytes:
            return self._end_offset
        if len(front) < _FRONT.size:
            front = segment.file.read(position, _FRONT.size)
        if len(front) < _FRONT.size or front[16] != 2:
            return self._expected
        return int.from_bytes(front[:8], "big", signed=True)

    def _look_before(self) -> None:
        """A gap is believed when the batch before it is sound: it could have held what is missing,
        or have been moved away from here."""
        found = self._segment.before(self._first_position)
        if found is None:
            return
        position, entry = found
        if not is_sound(entry):
            # Nothing of this stretch: `start` may have been in the damaged batch.
            raise self._damage(
                self._first_position, f"the batch before it, at {position}, is damaged"
            )
        if self._first_base > self._start < entry.next_offset:
            # A length that is damaged has led here, past what was asked for.
            raise self._damage(self._first_position, f"offset {self._start} stands before it")
        if entry.next_offset > self._first_base:
            raise self._damage(self._first_position, f"offset {self._first_base} is out of order")

    def _overlap(self, position: int) -> CorruptSegment:
        """The last batch, or the one at `position` behind it, has a wrong offset: which?"""
        last = self._last_position
        if self._last_follows and last > self._first_position:
            return self._damage(position, "its offset is out of order")
        before = self._segment.before(last)
        end_offset = self._segment.base_offset if before is None else before[1].next_offset
        at = position if end_offset == self._last_base else last
        return self._damage(at, "its offset is out of order")

    def _damage(self, position: int, problem: str) -> CorruptSegment:
        return CorruptSegment(self._segment.path(), position, problem)
