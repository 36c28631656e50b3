"""What a terminal may get that a pipe or a file must not: color, lines of its width, a progress bar.

Color is for a terminal alone, and NO_COLOR (https://no-color.org) turns it off. Progress is drawn on
stderr if that is a terminal, over itself, and wiped when the work is done.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO, final

_CODES: Final = {"green": "32", "red": "31", "yellow": "33"}
_BAR_WIDTH_MAX: Final = 30
_REDRAWN_AFTER_MS: Final = 100
_FIRST_AFTER_MS: Final = 500
"""Work that is done before needs no bar."""
_WIDTH: Final = 80
_HEIGHT: Final = 24


def width(stream: TextIO) -> int | None:
    """Columns of a terminal; None: it is none, and nothing is to be wrapped or cut."""
    if not _is_terminal(stream):
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said[:5]):
        return int(said[:5])
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except OSError:
        return _WIDTH


def height(stream: TextIO) -> int:
    """Lines of a terminal."""
    said = os.environ.get("LINES", "")
    if said.isascii() and said.isdigit() and int(said[:5]):
        return int(said[:5])
    try:
        return os.get_terminal_size(stream.fileno()).lines or _HEIGHT
    except OSError:
        return _HEIGHT


def colored(text: str, color: str, stream: TextIO) -> str:
    if not _is_terminal(stream) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[color]}m{text}\x1b[0m"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def bar(done: int, total: int | None, noun: str, per_second: float, columns: int) -> str:
    """`[=======>      ]  48 %  2,400 of 5,000 records  12,000/s`, no wider than `columns`; without
    `total`: `2,400 records  12,000/s`."""
    if total is None:
        return f"{done:,} {noun}  {per_second:,.0f}/s"[: columns - 1]
    share = 1.0 if total <= 0 else min(1.0, done / total)
    said = f"{share * 100:3.0f} %  {done:,} of {total:,} {noun}  {per_second:,.0f}/s"
    room = min(_BAR_WIDTH_MAX, columns - len(said) - 5)
    if room < 5:
        return said[: columns - 1]
    filled = int(share * room)
    head = ">" if 0 < filled < room else ""
    return f"[{('=' * (filled - len(head)) + head).ljust(room)}] {said}"


@final
class Progress:
    """`noun`: of what there are `total`; None: nobody knows yet. Whoever prints in between, or is
    done, calls `wipe` first."""

    def __init__(
        self,
        total: int | None,
        noun: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self._noun = noun
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = clock()
        self._next = self._began + _FIRST_AFTER_MS / 1000
        self._columns = width(self._stream)
        self._is_drawn = False

    def at(self, done: int) -> None:
        """So much is done by now."""
        now = self._clock()
        if self._columns is None or now < self._next:
            return
        self._next = now + _REDRAWN_AFTER_MS / 1000
        per_second = done / max(now - self._began, 0.001)
        line = bar(done, self.total, self._noun, per_second, self._columns)
        self._stream.write(f"\r{line}\x1b[K")
        self._stream.flush()
        self._is_drawn = True

    def wipe(self) -> None:
        """Nothing of it is on the screen; it may be drawn again."""
        if self._is_drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_drawn = False
