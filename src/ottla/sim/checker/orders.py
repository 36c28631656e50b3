"""Is there an order of changes that leads to what was seen?

One in which none that had ended stands behind one that was asked for later, and in which all stand
that had ended before somebody looked. What nobody knows the outcome of may have happened, or not, or
may come late.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar, final

from ottla.sim.operation import Op, Outcome

_NEVER: Final = 1 << 62

C = TypeVar("C", bound=Op)


def can_lead(
    changes: Sequence[C],
    after: Callable[[C, dict[str, str] | None], dict[str, str] | None],
    start: dict[str, str] | None,
    wanted: dict[str, str],
    looked_us: int,
) -> bool:
    """`changes`: in the order of asking. None: there is nothing that anything could be set of."""
    return _Search(changes, after, wanted, looked_us).reaches(frozenset(), start)


@final
class _Search(Generic[C]):
    def __init__(
        self,
        changes: Sequence[C],
        after: Callable[[C, dict[str, str] | None], dict[str, str] | None],
        wanted: dict[str, str],
        looked_us: int,
    ) -> None:
        self._changes = changes
        self._after = after
        self._wanted = wanted
        self._ends_us = [one.ended_us if one.outcome is Outcome.OK else _NEVER for one in changes]
        self._must = frozenset(at for at, end_us in enumerate(self._ends_us) if end_us < looked_us)
        self._tried: set[tuple[frozenset[int], str]] = set()

    def reaches(self, done: frozenset[int], found: dict[str, str] | None) -> bool:
        state = (done, "" if found is None else repr(sorted(found.items())))
        if state in self._tried:
            return False
        self._tried.add(state)
        if found == self._wanted and done >= self._must:
            return True
        left = [at for at in range(len(self._changes)) if at not in done]
        first_end_us = min((self._ends_us[at] for at in left), default=_NEVER)
        for at in left:
            change = self._changes[at]
            if change.asked_us <= first_end_us and self.reaches(
                done | {at}, self._after(change, found)
            ):
                return True
        return False
