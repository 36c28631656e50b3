"""Where a group shall go on reading: one rule, applied to every partition in scope.

As in Kafka's tool, an offset before the first record means the first one, an offset after the last
record means the end; what was moved so is told (`clamped`), since it is seldom what was meant. Times
are looked up by the leaders (`lookup.py`); a time after the last record means the end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from ottla.client.groups import Place
from ottla.errors import LocalProtocolError
from ottla.limits import LONG_MAX

_DURATION: Final = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,12})H)?(?:(?P<minutes>\d{1,12})M)?"
    r"(?:(?P<seconds>\d{1,12})(?:\.(?P<fraction>\d{1,9}))?S)?)?",
    re.ASCII | re.IGNORECASE,
)
_MS: Final = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1_000}


class Rule(Enum):
    EARLIEST = "to-earliest"
    LATEST = "to-latest"
    CURRENT = "to-current"
    OFFSET = "to-offset"
    SHIFT = "shift-by"
    TIME = "to-datetime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`number`: the offset, how far to shift (back if negative), or the time in ms."""

    rule: Rule
    number: int = 0


class Known(NamedTuple):
    """What is known of a partition: `committed` None: nothing; `at_time` None: not looked up, or a
    time after the last record."""

    first: int
    end: int
    committed: int | None
    at_time: int | None


class Move(NamedTuple):
    """`clamped`: the offset that was asked for, where the partition has none such."""

    old: int | None
    new: int
    clamped: int | None


def moves(wish: Wish, known: Mapping[Place, Known]) -> dict[Place, Move]:
    """Raises LocalProtocolError for a shift from where nothing was committed."""
    return {place: _move(wish, place, one) for place, one in sorted(known.items())}


def _move(wish: Wish, place: Place, known: Known) -> Move:
    match wish.rule:
        case Rule.EARLIEST:
            wanted = known.first
        case Rule.LATEST:
            wanted = known.end
        case Rule.CURRENT:
            wanted = known.end if known.committed is None else known.committed
        case Rule.OFFSET:
            wanted = wish.number
        case Rule.SHIFT:
            if known.committed is None:
                raise LocalProtocolError(
                    f"partition {place[0]}-{place[1]} has no committed offset to shift from: use "
                    "--to-earliest, --to-latest or --to-offset"
                )
            wanted = known.committed + wish.number
        case Rule.TIME:
            wanted = known.end if known.at_time is None else known.at_time
    new = min(max(wanted, known.first), known.end)
    return Move(known.committed, new, None if new == wanted else wanted)


def duration_ms(text: str) -> int:
    """`PT1H30M`, `P7D`: ISO 8601 without years and months. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    parts = {} if found is None else found.groupdict()
    if found is None or not any(parts[name] for name in _MS) or text[-1] in "Tt":
        raise ValueError(f"{text!r} is no duration: PT1H30M, PT90S or P7D are expected")
    total_ms = sum(int(parts[name] or 0) * unit_ms for name, unit_ms in _MS.items())
    total_ms += int(((parts["fraction"] or "") + "000")[:3])
    if total_ms > LONG_MAX:
        raise ValueError(f"{text!r} is longer than time is counted")
    return -total_ms if parts["sign"] else total_ms
