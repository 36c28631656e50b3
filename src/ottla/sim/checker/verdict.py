"""What a checker says when a promise is broken."""

from dataclasses import dataclass
from typing import Final, final

_SHOWN_BYTES: Final = 24


@final
@dataclass(frozen=True, slots=True)
class Violation:
    """`promise`: the checker. `text` names object, offset and values. `t_us`: when it showed."""

    promise: str
    t_us: int
    text: str

    def __str__(self) -> str:
        return f"{self.promise} at {self.t_us / 1000:.3f} ms: {self.text}"


def shown(value: bytes) -> str:
    """A value as it is printed: its beginning tells it from all others."""
    if len(value) <= _SHOWN_BYTES:
        return repr(value)
    return f"{value[:_SHOWN_BYTES]!r}+{len(value) - _SHOWN_BYTES}"
