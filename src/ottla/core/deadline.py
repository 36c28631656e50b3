"""When somebody must be woken: one heap of deadlines, so that the shell sleeps until `next_ms()`.

A key has at most one deadline; setting it again moves it, and a moved or canceled entry stays in the
heap until it surfaces, where it is recognized and dropped. What lies on top always stands: the shell
asks after every turn, and most turns change nothing.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """Keys and when they are due, in milliseconds of the node's clock."""

    __slots__ = ("_heap", "_standing", "_turn")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, K]] = []
        # The turn in which each key was set: whatever else of it lies in the heap does not stand.
        self._standing: dict[K, int] = {}
        self._turn = 0  # breaks ties in the order of setting

    def set(self, key: K, at_ms: int) -> None:
        self._turn += 1
        moved = self._standing.get(key)
        self._standing[key] = self._turn
        heapq.heappush(self._heap, (at_ms, self._turn, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._standing):
            self._heap = [one for one in self._heap if self._standing.get(one[2]) == one[1]]
            heapq.heapify(self._heap)
        elif moved == self._heap[0][1]:
            self._surface()

    def cancel(self, key: K) -> None:
        """Fine when there is none."""
        canceled = self._standing.pop(key, None)
        if canceled is not None and canceled == self._heap[0][1]:
            self._surface()

    def _surface(self) -> None:
        """Drop what lies on top and stands no more."""
        heap, standing = self._heap, self._standing
        while heap and standing.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)

    def next_ms(self) -> int | None:
        """When the earliest is due; None when nothing is."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int) -> list[K]:
        """Take out all keys whose time has come, earliest first."""
        keys: list[K] = []
        while self._heap and self._heap[0][0] <= now_ms:
            key = self._heap[0][2]
            keys.append(key)
            del self._standing[key]
            self._surface()
        return keys

    def __len__(self) -> int:
        return len(self._standing)


def earliest(*times_ms: int | None) -> int | None:
    """The least of these; None where all are."""
    found: int | None = None
    for at_ms in times_ms:
        if at_ms is not None and (found is None or at_ms < found):
            found = at_ms
    return found
