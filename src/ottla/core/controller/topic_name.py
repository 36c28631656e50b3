"""What a topic may be called.

A name becomes a directory name, and in metrics `.` turns into `_`: so a name that differs from
another only in these two collides with it.
"""

import re
from typing import Final

from ottla.limits import TOPIC_NAME_LENGTH_MAX, quoted

_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")


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


def alike(name: str) -> str:
    """The same for all names that collide with `name`."""
    return name.replace(".", "_")
