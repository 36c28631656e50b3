"""A table as Kafka's newer tools print it: each cell as wide as its column, and a tab after each."""

from collections.abc import Iterator, Sequence


def lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [
        max(len(column), *(len(row[at]) for row in rows), 0) for at, column in enumerate(columns)
    ]
    for row in (columns, *rows):
        yield "".join(f"{cell.ljust(width)}\t" for cell, width in zip(row, widths, strict=True))
