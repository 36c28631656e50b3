"""All history checkers, and how a history is held against them."""

from collections.abc import Callable, Iterator
from typing import Final

from ottla.sim.checker import (
    answers,
    commits,
    compacted,
    configs,
    covered,
    delivered,
    gapless,
    groups,
    heritage,
    kept,
    places,
    producers,
    quotas_kept,
    rationed,
    sessions,
    times,
    told,
    topics,
    unchanged,
    unthrottled,
    watermarks,
)
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import History

CHECKERS: Final[tuple[Callable[[Ledger], Iterator[Violation]], ...]] = (
    answers.check,
    kept.check,
    compacted.check,
    unchanged.check,
    gapless.check,
    producers.check,
    watermarks.check,
    times.check,
    topics.check,
    sessions.check,
    configs.check,
    groups.check,
    commits.check,
    delivered.check,
    covered.check,
    heritage.check,
    quotas_kept.check,
    unthrottled.check,
    rationed.check,
    told.check,
    places.check,
)


def judge(history: History, *, producers_expire: bool = False) -> list[Violation]:
    """Every promise that was broken, in the order in which it showed.

    `producers_expire`: producer.id.expiration.ms is so short that a producer may be forgotten.
    """
    ledger = Ledger(history, producers_expire=producers_expire)
    violations = [one for checker in CHECKERS for one in checker(ledger)]
    return sorted(violations, key=lambda one: one.t_us)
