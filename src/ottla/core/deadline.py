"""When somebody must be woken: one heap of deadlines, so that the shell sleeps until `next_ms()`.

A key has at most one deadline; setting it again moves it, and a moved or canceled entry stays in the
heap until it surfaces, where it is recognized by its age and dropped.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """Keys and when they are due, in milliseconds of the node's clock."""

    __slots__ = ("_due_ms", "_heap", "_turn")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, K]] = []
        self._due_ms: dict[K, tuple[int, int]] = {}
        self._turn = (
            0  # breaks ties in the order of setting, and tells live entries from stale ones
        )

    def set(self, key: K, at_ms: int) -> None:
        self._turn += 1
        self._due_ms[key] = (at_ms, self._turn)
        heapq.heappush(self._heap, (at_ms, self._turn, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._due_ms):
            self._heap = [(at, turn, k) for k, (at, turn) in self._due_ms.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Fine when there is none."""
        self._due_ms.pop(key, None)

    def next_ms(self) -> int | None:
        """When the earliest is due; None when nothing is."""
        heap = self._heap
        while heap:
            at_ms, turn, key = heap[0]
            if self._due_ms.get(key) == (at_ms, turn):
                return at_ms
            heapq.heappop(heap)
        return None

    def due(self, now_ms: int) -> list[K]:
        """Take out all keys whose time has come, earliest first."""
        keys: list[K] = []
        while (at_ms := self.next_ms()) is not None and at_ms <= now_ms:
            _, _, key = heapq.heappop(self._heap)
            del self._due_ms[key]
            keys.append(key)
        return keys

    def __len__(self) -> int:
        return len(self._due_ms)
