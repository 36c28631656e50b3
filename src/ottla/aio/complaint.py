"""Warnings that peers can cause without end: of each kind and listener at most one line a second.

The first of a kind is told at once. Those that follow within the second are counted, and when it is
over the last of them is told with their number, so that nothing that happened goes unsaid for long.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, final

INTERVAL_S: Final = 1.0


@final
class _Kind:
    """What was told of one kind lately."""

    __slots__ = ("last_peer", "last_what", "untold")

    def __init__(self) -> None:
        self.untold = 0
        self.last_what = ""
        self.last_peer = ""


@final
class Complaints:
    """One server's."""

    __slots__ = ("_call_later", "_kinds")

    def __init__(self, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self._call_later = call_later
        self._kinds: dict[tuple[str, str], _Kind] = {}  # told within the last second

    def tell(
        self, log: logging.Logger, listener: str, kind: str, what: str, peer: str = ""
    ) -> None:
        """Warn `<kind>: <what>`, now or with others of that kind when the second is over."""
        told = self._kinds.get((listener, kind))
        if told is None:
            log.warning("%s: %s", kind, what, extra={"peer": peer, "listener": listener})
            self._wait(log, listener, kind)
            return
        told.untold += 1
        told.last_what = what
        told.last_peer = peer

    def _wait(self, log: logging.Logger, listener: str, kind: str) -> None:
        self._kinds[listener, kind] = _Kind()
        self._call_later(INTERVAL_S, partial(self._second_over, log, listener, kind))

    def _second_over(self, log: logging.Logger, listener: str, kind: str) -> None:
        told = self._kinds.pop((listener, kind))
        if not told.untold:
            return
        log.warning(
            "%s: %d more since the last line; the last: %s",
            kind,
            told.untold,
            told.last_what,
            extra={"peer": told.last_peer, "listener": listener},
        )
        self._wait(log, listener, kind)
