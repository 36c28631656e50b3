"""What a topic may be called.

A name becomes a directory name, and in metrics `.` turns into `_`: so a name that differs from
another only in these two collides with it.
"""

import re
from collections.abc import Collection
from itertools import product
from typing import Final

from ottla.limits import TOPIC_NAME_LENGTH_MAX, quoted

_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")
_MARKS: Final = re.compile(r"[._]")

_VARIANTS_MARKS_MAX: Final = 12
"""Up to 4,096 names that a name could collide with are looked up one by one."""


def name_problem(name: str) -> str | None:
    """Why `name` cannot be a topic's name; None when it can."""
    if not name:
        return "a topic's name is empty; it needs at least one character"
    if name in (".", ".."):
        return f"a topic cannot be called {name!r}: it would be a directory of another meaning"
    if len(name) > TOPIC_NAME_LENGTH_MAX:
        return (
            f"topic name of {len(name):,} characters; at most {TOPIC_NAME_LENGTH_MAX} are allowed: "
            f"{name[:40]!r}..."
        )
    if _LEGAL.fullmatch(name) is None:
        return f"topic name {quoted(name)} has a character other than ASCII letters, digits, '.', '_' and '-'"
    return None


def colliding(name: str, topics: Collection[str]) -> str | None:
    """A topic other than `name` that differs from it only in `.` and `_`."""
    marks = _MARKS.findall(name)
    if not marks:
        return None
    if len(marks) <= _VARIANTS_MARKS_MAX and 1 << len(marks) < len(topics):
        parts = _MARKS.split(name)
        for chosen in product("._", repeat=len(marks)):
            variant = parts[0] + "".join(map("".join, zip(chosen, parts[1:], strict=True)))
            if variant != name and variant in topics:
                return variant
        return None
    plain = name.replace(".", "_")
    for other in topics:
        if other != name and other.replace(".", "_") == plain:
            return other
    return None
