"""The least that a growing number may be, as time goes on.

Whoever is told "the end is 17" knows that from then on it is at least 17, until something happens
that may take it back. An observation counts from its end on; it is held against what was certain
when it was asked for. One that a cut falls into says nothing certain.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

from ottla.sim.history import Op

Cut: TypeAlias = tuple[int, int | None]
"""When, and what the number may have fallen to: None, nowhere."""


@final
class Claim:
    """An operation that says something about the number; -1: it does not say so."""

    __slots__ = ("asked_us", "at_least", "ended_us", "floor", "found", "op")

    def __init__(self, op: Op, *, at_least: int = -1, found: int = -1) -> None:
        self.op = op
        self.asked_us = op.asked_us
        self.ended_us = op.ended_us
        self.at_least = at_least
        self.found = found
        self.floor = 0


def below_floor(claims: Iterable[Claim], cuts: Sequence[Cut]) -> list[Claim]:
    """The claims that found less than was certain; `floor` says what that was."""
    events: list[tuple[int, int, Claim | None, int | None]] = []
    for one in claims:
        # At one instant: ends, then cuts, then asks.
        events.append((one.asked_us, 2, one, None))
        events.append((one.ended_us, 0, one, None))
    events.extend((t_us, 1, None, kept) for t_us, kept in cuts if kept is not None)
    events.sort(key=lambda event: event[:2])
    floor = 0
    open_claims: dict[Claim, bool] = {}
    wrong: list[Claim] = []
    for _, rank, claim, kept in events:
        if claim is None:
            assert kept is not None
            floor = min(floor, kept)
            for one in open_claims:
                one.floor = min(one.floor, kept)
                open_claims[one] = False
        elif rank == 2:
            if claim.ended_us == claim.asked_us:
                _settle(claim, floor, wrong)
                floor = max(floor, claim.at_least)
                continue
            claim.floor = floor
            open_claims[claim] = True
        elif claim in open_claims:
            is_certain = open_claims.pop(claim)
            _settle(claim, claim.floor, wrong)
            if is_certain:
                floor = max(floor, claim.at_least)
    return wrong


def _settle(claim: Claim, floor: int, wrong: list[Claim]) -> None:
    claim.floor = floor
    if 0 <= claim.found < floor:
        wrong.append(claim)
