"""Which quota a client had, and when: as far as it is certain.

Between a change's request and its answer nobody knows which one holds, nor ever after one whose end
nobody knows, until all are taken away at the end of a world. A checker never guesses.

Source: KIP-55 (which of several holds). Elsewhere: what must follow, `unthrottled.py`, `rationed.py`,
`told.py`, `quotas_kept.py`.
"""

from bisect import bisect_left
from typing import Final, TypeAlias, final

from ottla.core.metadata.quota import CLIENT_ID, USER, QuotaEntity
from ottla.sim.history import FaultMark, History, Life, LifeMark, Outcome
from ottla.sim.quota_operation import QuotaAlter, QuotasSeen

_NEVER: Final = 1 << 62
_ANONYMOUS: Final = "ANONYMOUS"

Held: TypeAlias = tuple[QuotaEntity, float] | None
"""Whose quota holds, and how much it is; None: there is none."""


class Unsure(Exception):
    """Nobody can tell."""


@final
class QuotaLedger:
    """Every change of quotas, by entity and key, in the order in which they were asked for."""

    def __init__(self, history: History) -> None:
        self.alters: list[QuotaAlter] = []
        self._changes: dict[tuple[QuotaEntity, str], list[QuotaAlter]] = {}
        self.cleared_us = _NEVER
        """When everything was taken away, for good."""
        for entry in history.entries:
            if isinstance(entry, QuotaAlter) and entry.outcome is not Outcome.FAIL:
                self.alters.append(entry)
                for key in entry.changes:
                    self._changes.setdefault((entry.entity, key), []).append(entry)
            if isinstance(entry, QuotaAlter | QuotasSeen) and entry.final:
                is_ok = entry.outcome is Outcome.OK
                self.cleared_us = entry.ended_us if is_ok else _NEVER
        self._breaks_us = _breaks_us(history)

    def held(self, client_id: str, key: str, from_us: int, to_us: int) -> Held:
        """The one that holds all that time. Raises Unsure."""
        for entity in _entities(client_id):
            value = self._value(entity, key, from_us, to_us)
            if value is not None:
                return entity, value
        return None

    def is_free(self, client_id: str, keys: tuple[str, ...], from_us: int, to_us: int) -> bool:
        """Whether there certainly was no such quota at any time between."""
        try:
            return all(self.held(client_id, key, from_us, to_us) is None for key in keys)
        except Unsure:
            return False

    def is_broken(self, from_us: int, to_us: int) -> bool:
        """Whether what was used before may be forgotten, or the clock has jumped, in between."""
        at = bisect_left(self._breaks_us, from_us)
        return at < len(self._breaks_us) and self._breaks_us[at] <= to_us

    def _value(self, entity: QuotaEntity, key: str, from_us: int, to_us: int) -> float | None:
        if from_us > self.cleared_us:
            return None
        known: QuotaAlter | None = None
        for change in self._changes.get((entity, key), ()):
            if change.asked_us > to_us:
                break
            if change.outcome is not Outcome.OK or change.ended_us >= from_us:
                raise Unsure
            if known is not None and known.ended_us > change.asked_us:
                raise Unsure  # in which order?
            known = change
        return None if known is None else known.changes[key]


def _entities(client_id: str) -> list[QuotaEntity]:
    """Of all that may hold for the client, the most specific one first."""
    whose: list[QuotaEntity] = []
    for user in ((USER, _ANONYMOUS), (USER, None)):
        whose += [((CLIENT_ID, client_id), user), ((CLIENT_ID, None), user), (user,)]
    return [*whose, ((CLIENT_ID, client_id),), ((CLIENT_ID, None),)]


def _breaks_us(history: History) -> list[int]:
    """Ends and starts of processes; after a clock's jump, all the time to the next one."""
    breaks = []
    jumped_us: int | None = None
    for mark in history.marks:
        if isinstance(mark, FaultMark) and mark.kind == "clock" and jumped_us is None:
            jumped_us = mark.t_us
        elif isinstance(mark, LifeMark):
            breaks.append(mark.t_us)
            if jumped_us is not None and mark.life is Life.STARTED:
                breaks += range(jumped_us, mark.t_us, 1_000)
                jumped_us = None
    if jumped_us is not None:
        breaks += range(jumped_us, jumped_us + 100_000_000, 1_000)
    return sorted(breaks)
