"""Over what the cost of a request is followed, and at which points: `growth.py` measures, `plots.py` draws."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of request at several points. `unit` is what a point counts."""

    request: str
    unit: str
    points: tuple[int, ...]

    def figure(self, point: int) -> str:
        """The name of what is measured there: "Produce, five in flight: 1,000 partitions"."""
        return f"{self.request}: {counted(point, self.unit)}"

    @property
    def first(self) -> str:
        return self.figure(self.points[0])

    @property
    def last(self) -> str:
        return self.figure(self.points[-1])


def counted(point: int, unit: str) -> str:
    """1 partition, 1,000 partitions, 11 KB."""
    if unit == "B":
        for size, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")):
            if point >= size:
                return f"{point // size} {name}"
        return f"{point} B"
    return f"{point:,} {unit}" if point != 1 else f"1 {unit.removesuffix('s')}"


SIZES: Final = (1, 10, 100, 1_000, 5_000)
"""A broker of each: so many partitions, and as many connections and groups, up to 1,000 of them."""
MANY: Final = SIZES[:-1]
LOG_BYTES: Final = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
BATCH_BYTES: Final = (100, 1_000, 10_000, 100_000, 1_000_000)

PARTITIONS: Final = tuple(
    Line(request=f"Produce, {ahead} in flight", unit="partitions", points=SIZES)
    for ahead in ("one", "five")
)
CONNECTIONS: Final = tuple(
    Line(request=f"Produce, {ahead} in flight", unit="connections", points=MANY)
    for ahead in ("one", "five")
)
GROUPS: Final = tuple(
    Line(request=f"OffsetCommit, {ahead} in flight", unit="groups", points=MANY)
    for ahead in ("one", "five")
)
LOG: Final = (
    Line(request="Produce to a log", unit="B", points=LOG_BYTES),
    Line(request="Fetch of 11 KB anywhere from a log", unit="B", points=LOG_BYTES),
)
BATCH: Final = (
    Line(request="Produce of a batch", unit="B", points=BATCH_BYTES),
    Line(request="Fetch of a batch", unit="B", points=BATCH_BYTES),
)
LINES: Final = (*PARTITIONS, *CONNECTIONS, *GROUPS, *LOG, *BATCH)
