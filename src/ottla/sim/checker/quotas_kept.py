"""Quotas are what was asked of them, entity by entity, each change whole or not at all, after a restart
as before; and what must be refused is.

Source: KIP-546. Elsewhere: what the same means for topics' settings, `configs.py`; who obeys,
`rationed.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.core.metadata.quota import USER, QuotaEntity
from ottla.sim.caller import bygone
from ottla.sim.checker import orders
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import Outcome
from ottla.sim.quota_operation import QuotaAlter, QuotasSeen

PROMISE: Final = "quotas are whole"

_ANN: Final[QuotaEntity] = ((USER, "ann"),)


def check(ledger: Ledger) -> Iterator[Violation]:
    changes: dict[QuotaEntity, list[QuotaAlter]] = {}
    sights: list[QuotasSeen] = []
    for entry in ledger.history.entries:
        if isinstance(entry, QuotasSeen) and entry.outcome is Outcome.OK:
            sights.append(entry)
        elif isinstance(entry, QuotaAlter) and entry.outcome is not Outcome.FAIL:
            if not entry.refusable:
                changes.setdefault(entry.entity, []).append(entry)
            elif entry.outcome is Outcome.OK:
                text = f"{dict(entry.entity)}: {entry.changes} was not refused"
                yield Violation(PROMISE, entry.ended_us, text)
    for seen in sights:
        for entity in sorted({*changes, *seen.quotas}, key=repr):
            until = [one for one in changes.get(entity, ()) if one.asked_us <= seen.ended_us]
            found = {key: f"{value:g}" for key, value in seen.quotas.get(entity, {}).items()}
            if not any(
                orders.can_lead(until, _after, start, found, seen.asked_us)
                for start in _starts(entity)
            ):
                asked = "; ".join(str(one.changes) for one in until)
                text = f"{dict(entity)} has quotas {found}; asked for were {asked or 'none'}"
                yield Violation(PROMISE, seen.ended_us, text)


def _starts(entity: QuotaEntity) -> Iterator[dict[str, str]]:
    """What it may have had when the world began."""
    yield {}
    if entity == _ANN:
        yield {key: f"{value:g}" for key, value in bygone.QUOTAS.items()}


def _after(change: QuotaAlter, quotas: dict[str, str] | None) -> dict[str, str]:
    after = dict(quotas or {})
    for key, value in change.changes.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = f"{value:g}"
    return after
