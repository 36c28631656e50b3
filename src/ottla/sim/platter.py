"""Files and directories with two images: what a process reads, and what survives a power cut.

A file has a volatile image and a durable one; a page differs until its file is synced. A directory
has volatile and durable names, which differ until the directory itself is synced: a new directory's
own name is its parent's affair. A killed process leaves the volatile images as they are. A power cut
keeps any subset of the unsynced pages, some torn between sectors, a size anywhere between the durable
one and the last, and of each directory's unsynced changes of names the first so many: journals keep
the order within a directory, and nobody promises one between names and pages.

A bit that was flipped is remembered until what it stands in is cut off, removed or written anew.
"""

from random import Random
from typing import Final, final

PAGE_BYTES: Final = 4096
SECTOR_BYTES: Final = 512


@final
class Inode:
    """A file's content, whatever its name. `dirty`: pages that differ, or may, from the platter.

    `flipped`: what stands, by position, where a bit was flipped, and what stood there before.
    """

    __slots__ = ("data", "dirty", "durable", "flipped", "lost", "modified_ms", "removed", "resized")

    def __init__(self, now_ms: int) -> None:
        self.data = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        self.lost: set[int] = set()  # a sync failed on them: they count as clean and are not
        self.resized = False  # cut since the last sync
        self.modified_ms = now_ms
        self.removed = False
        self.flipped: dict[int, tuple[int, int]] = {}

    def touch(self, start: int, end: int) -> None:
        first, last = start // PAGE_BYTES, (end - 1) // PAGE_BYTES
        self.dirty.add(first)
        if last > first:
            self.dirty.update(range(first + 1, last + 1))

    def cut(self, size_bytes: int) -> None:
        del self.data[size_bytes:]
        self.resized = True
        self.dirty = {page for page in self.dirty if page * PAGE_BYTES < size_bytes}
        self.lost = {page for page in self.lost if page * PAGE_BYTES < size_bytes}
        if self.flipped:
            self.flipped = {at: was for at, was in self.flipped.items() if at < size_bytes}

    def flip(self, bit: int) -> None:
        """Flip one bit, in the cache and on the platter. Twice is never."""
        data = self.data
        at = (bit >> 3) % len(data)
        before = self.flipped.get(at, (0, data[at]))[1]
        data[at] ^= 1 << (bit & 7)
        if at < len(self.durable):
            self.durable[at] = data[at]
        if data[at] == before:
            del self.flipped[at]
        else:
            self.flipped[at] = (data[at], before)

    def damage(self) -> list[int]:
        """Where flipped bits stand still."""
        size_bytes = len(self.data)
        return sorted(
            at
            for at, (flipped, _) in self.flipped.items()
            if at < size_bytes and self.data[at] == flipped
        )

    def sync(self) -> None:
        """What is dirty reaches the platter; what a failed sync has lost does not."""
        durable, data = self.durable, self.data
        if len(durable) > len(data):
            del durable[len(data) :]
        elif len(durable) < len(data):
            durable += bytes(len(data) - len(durable))
        for page in self.dirty:
            at = page * PAGE_BYTES
            durable[at : at + PAGE_BYTES] = data[at : at + PAGE_BYTES]
        self.lost -= self.dirty
        self.dirty.clear()
        self.resized = False

    def fail_sync(self) -> None:
        """The kernel gave up on the dirty pages and calls them clean."""
        self.lost |= self.dirty
        self.dirty.clear()

    def forget(self) -> None:
        """What counts as clean is read from the platter again."""
        for page in self.lost - self.dirty:
            at = page * PAGE_BYTES
            end = min(at + PAGE_BYTES, len(self.data))
            platter = self.durable[at:end]
            self.data[at:end] = platter + bytes(end - at - len(platter))
        self.lost.clear()

    def lose_power(self, chance: Random) -> None:
        """The durable image becomes what is found afterwards, and the volatile one with it."""
        self.removed = False  # whoever finds it again finds it whole
        unsure = sorted(self.dirty)
        if not (unsure or self.lost or self.resized or len(self.data) != len(self.durable)):
            return
        size_bytes = self._size_found(chance)
        found = self.durable[:size_bytes]
        found += bytes(size_bytes - len(found))
        mood = chance.random()
        keep = 0.0 if mood < 0.25 else 1.0 if mood < 0.45 else 0.5
        for page in unsure:
            at = page * PAGE_BYTES
            end = min(at + PAGE_BYTES, size_bytes, len(self.data))
            if chance.random() < keep:
                found[at:end] = self.data[at:end]
            elif keep > 0.0 and chance.random() < 0.3:
                for sector in range(at, end, SECTOR_BYTES):
                    if chance.random() < 0.5:
                        stop = min(sector + SECTOR_BYTES, end)
                        found[sector:stop] = self.data[sector:stop]
        self.data = found
        self.durable = bytearray(found)
        self.dirty.clear()
        self.lost.clear()
        self.resized = False

    def _size_found(self, chance: Random) -> int:
        low, high = sorted((len(self.durable), len(self.data)))
        mood = chance.random()
        if mood < 0.4:
            return len(self.data)
        if mood < 0.7:
            return len(self.durable)
        return chance.randint(low, high)


@final
class Folder:
    """A directory. `changes`: what happened to its names since they were last synced, in order.

    A change is (old name or "", new name or "", what): a creation has no old name, a removal no new.
    """

    __slots__ = ("changes", "durable", "names")

    def __init__(self) -> None:
        self.names: dict[str, Inode | Folder] = {}
        self.durable: dict[str, Inode | Folder] = {}
        self.changes: list[tuple[str, str, Inode | Folder]] = []

    def put(self, name: str, what: "Inode | Folder") -> None:
        self.names[name] = what
        self.changes.append(("", name, what))

    def rename(self, old: str, new: str) -> None:
        what = self.names.pop(old)
        self.names[new] = what
        self.changes.append((old, new, what))

    def remove(self, name: str) -> None:
        self.changes.append((name, "", self.names.pop(name)))

    def sync(self) -> None:
        self.durable = dict(self.names)
        self.changes.clear()

    def lose_power(self, chance: Random) -> None:
        if self.changes:
            mood = chance.random()
            count = len(self.changes)
            kept = 0 if mood < 0.3 else count if mood < 0.6 else chance.randint(0, count)
            for old, new, what in self.changes[:kept]:
                if old:
                    self.durable.pop(old, None)
                if new:
                    self.durable[new] = what
        self.names = dict(self.durable)
        self.changes.clear()
        for name in sorted(self.names):
            self.names[name].lose_power(chance)
