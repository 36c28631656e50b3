"""What a command has to tell, as a table for people or as JSON for programs.

A table: words to the left, numbers to the right, two spaces between, nothing cut off. JSON: one
object with a version, so that whoever reads it learns when its form has changed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

JSON_VERSION: Final = 1
NOTHING: Final = "-"

Cell: TypeAlias = str | int | None
Item: TypeAlias = Mapping[str, object]


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """The lines, a heading first. None is a dash."""
    texts = [[NOTHING if cell is None else str(cell) for cell in row] for row in rows]
    to_the_right = [
        any(isinstance(row[at], int) for row in rows)
        and not any(isinstance(row[at], str) for row in rows)
        for at in range(len(columns))
    ]
    widths = [
        max(len(column), *(len(row[at]) for row in texts), 0) for at, column in enumerate(columns)
    ]
    for row in ([*columns], *texts):
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, to_the_right, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def tell(
    kind: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, as_json: bool
) -> None:
    """Print them. In JSON a row is an object whose names are the columns', `LOG-END-OFFSET` being
    `log_end_offset`; no rows are an empty list, while a table without rows is not printed."""
    if as_json:
        names = [column.lower().replace("-", "_") for column in columns]
        tell_items(kind, [dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        for line in table(columns, rows):
            print(line)


def tell_items(kind: str, items: Sequence[Item]) -> None:
    """Print them as JSON."""
    print(json.dumps({"version": JSON_VERSION, "kind": kind, "items": items}, indent=2))
