"""What a command has to tell, as a table for people or as JSON for programs.

A table: words to the left, numbers to the right, two spaces between. In a terminal it is made to fit:
headings break at their last dash, then columns go that say nothing, then the longest words lose their
middle, never numbers. In a pipe or a file nothing is cut off. JSON: one object with a version, so that whoever reads it learns when its form has
changed.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Final, TypeAlias

from ottla.cli.terminal import width

JSON_VERSION: Final = 1
NOTHING: Final = "-"

_GAP: Final = "  "
_LEFT_OUT: Final = ".."
_WORD_WIDTH_MIN: Final = 8

Cell: TypeAlias = str | int | None
Item: TypeAlias = Mapping[str, object]


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], width_max: int | None = None
) -> Iterator[str]:
    """The lines, a heading first. None is a dash. `width_max` None: as wide as it takes."""
    texts = [[NOTHING if cell is None else str(cell) for cell in row] for row in rows]
    to_the_right = [
        any(isinstance(row[at], int) for row in rows)
        and not any(isinstance(row[at], str) for row in rows)
        for at in range(len(columns))
    ]
    heads = [[*columns]]
    widths = _widths(heads, texts)
    if width_max is not None and _total(widths) > width_max:
        heads = _broken(columns, texts)
        if _total(_widths(heads, texts)) > width_max:
            telling = [any(row[at] is not None for row in rows) for at in range(len(columns))]
            if not all(telling):
                told = [list(compress(row, telling)) for row in rows]
                yield from table(list(compress(columns, telling)), told, width_max)
                return
        least = _widths(heads, [])
        widths = _shrunk(_widths(heads, texts), least, to_the_right, width_max)
    for row in (*heads, *texts):
        cells = [
            elided(text, width).rjust(width) if right else elided(text, width).ljust(width)
            for text, width, right in zip(row, widths, to_the_right, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def elided(text: str, width: int) -> str:
    """Without its middle, if it is too long: beginnings and ends tell names apart."""
    if len(text) <= width:
        return text
    kept = max(0, width - len(_LEFT_OUT))
    return text[: kept - kept // 2] + _LEFT_OUT + text[len(text) - kept // 2 :]


def _widths(heads: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, cells)) for cells in zip(*heads, *texts, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _broken(columns: Sequence[str], texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """`LOG-END-OFFSET` as `LOG-END-` above `OFFSET`, where the heading is what makes a column wide."""
    above, below = [], []
    for at, column in enumerate(columns):
        first, dash, last = column.rpartition("-")
        is_widest = all(len(row[at]) < len(column) for row in texts)
        above.append(first + dash if is_widest else "")
        below.append(last if is_widest else column)
    return [above, below] if any(above) else [below]


def _shrunk(
    widths: Sequence[int], least: Sequence[int], is_number: Sequence[bool], width_max: int
) -> list[int]:
    """The widest words give way, one character at a time, as far as they can."""
    found = list(widths)
    while _total(found) > width_max:
        can = [
            (width, at)
            for at, width in enumerate(found)
            if not is_number[at] and width > max(least[at], _WORD_WIDTH_MIN)
        ]
        if not can:
            break
        found[max(can)[1]] -= 1
    return found


def tell(
    kind: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, as_json: bool
) -> None:
    """Print them. In JSON a row is an object whose names are the columns', `LOG-END-OFFSET` being
    `log_end_offset`; no rows are an empty list, while a table without rows is not printed."""
    if as_json:
        names = names_of(columns)
        tell_items(kind, [dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        for line in table(columns, rows, width(sys.stdout)):
            print(line)


def names_of(columns: Sequence[str]) -> list[str]:
    """How they are called in JSON."""
    return [column.lower().replace("-", "_") for column in columns]


def tell_items(kind: str, items: Sequence[Item]) -> None:
    """Print them as JSON."""
    import json

    print(json.dumps({"version": JSON_VERSION, "kind": kind, "items": items}, indent=2))
