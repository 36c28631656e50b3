"""Outcomes, and the tables that show them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Color(Enum):
    GREEN = "green"
    RED = "RED"
    NOT_APPLICABLE = "–"


@dataclass(frozen=True, slots=True)
class Outcome:
    color: Color
    note: str | None = None


ANSI: Final = {Color.GREEN: "32", Color.RED: "1;31", Color.NOT_APPLICABLE: "2"}


class Table:
    """Rows by columns, filled in any order; what is not filled prints empty."""

    def __init__(self, title: str, columns: list[str]) -> None:
        self.title = title
        self._columns = columns
        self._cells: dict[tuple[str, str], Outcome] = {}

    def put(self, row: str, column: str, outcome: Outcome) -> None:
        self._cells[row, column] = outcome
        note = f"  {outcome.note}" if outcome.note else ""
        print(f"{row}: {column}: {outcome.color.value}{note}", file=sys.stderr, flush=True)

    def reds(self) -> int:
        return sum(outcome.color is Color.RED for outcome in self._cells.values())

    def render(self, *, colored: bool) -> str:
        """The table, then a line for each red cell, then the distinct notes on the others."""
        rows = list(dict.fromkeys(row for row, _ in self._cells))
        first = max((len(text) for text in [self.title, *rows]), default=0)
        widths = [max(len(column), len(Color.GREEN.value)) for column in self._columns]
        lines = ["  ".join([self.title.ljust(first), *self._headings(widths)])]
        for row in rows:
            cells = [
                self._cell(row, column, width, colored=colored)
                for column, width in zip(self._columns, widths, strict=True)
            ]
            lines.append("  ".join([row.ljust(first), *cells]).rstrip())
        return "\n".join([*lines, *self._reasons()])

    def _headings(self, widths: list[int]) -> list[str]:
        return [column.ljust(width) for column, width in zip(self._columns, widths, strict=True)]

    def _cell(self, row: str, column: str, width: int, *, colored: bool) -> str:
        outcome = self._cells.get((row, column))
        if outcome is None:
            return " " * width
        text = outcome.color.value.ljust(width)
        return f"\x1b[{ANSI[outcome.color]}m{text}\x1b[0m" if colored else text

    def _reasons(self) -> list[str]:
        grouped: dict[tuple[Color, str, str], list[str]] = {}
        for (row, column), outcome in self._cells.items():
            if outcome.note:
                grouped.setdefault((outcome.color, row, outcome.note), []).append(column)
        return [
            f"  {color.value} {row}, {', '.join(columns)}: {note}"
            for (color, row, note), columns in sorted(
                grouped.items(), key=lambda item: item[0][0] is not Color.RED
            )
        ]
