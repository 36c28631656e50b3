"""A topic's settings are what was asked of them, request by request, each whole or not at all.

What DescribeConfigs shows is what some order of the confirmed requests makes, an order in which none
that had ended stands behind one that was asked for later. Requests that nobody knows the outcome of
may have happened, or not, or may come late. A refused one has changed nothing, and one with a value
that no setting takes must be refused.

Source: C12, KIP-133, KIP-339. Elsewhere: that the topics themselves are there, `topics.py`.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from ottla.sim.checker import orders
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import Alter, ConfigsSeen, Create, Delete, Outcome

PROMISE: Final = "settings are whole"

_Change: TypeAlias = Create | Alter | Delete
_Settings: TypeAlias = dict[str, str] | None
"""What is set on a topic; None: there is no such topic."""


def check(ledger: Ledger) -> Iterator[Violation]:
    changes: dict[str, list[_Change]] = {}
    for entry in ledger.history.entries:
        if isinstance(entry, Create | Alter | Delete) and entry.outcome is not Outcome.FAIL:
            if isinstance(entry, Alter) and entry.refusable:
                if entry.outcome is Outcome.OK:
                    text = f"topic {entry.topic}: {entry.changes} was not refused"
                    yield Violation(PROMISE, entry.ended_us, text)
                continue
            changes.setdefault(entry.topic, []).append(entry)
    for entry in ledger.history.entries:
        if not isinstance(entry, ConfigsSeen) or entry.outcome is not Outcome.OK:
            continue
        known = changes.get(entry.topic)
        if known is None or entry.topic.startswith("__"):
            continue  # the broker itself made it, with settings of its own
        changes_until = [one for one in known if one.asked_us <= entry.ended_us]
        if not orders.can_lead(changes_until, _after, None, entry.configs, entry.asked_us):
            asked = "; ".join(_shown(one) for one in changes_until)
            text = f"topic {entry.topic} has settings {entry.configs}; asked for were {asked}"
            yield Violation(PROMISE, entry.ended_us, text)


def _after(change: _Change, settings: _Settings) -> _Settings:
    match change:
        case Create():
            if settings is not None and change.outcome is not Outcome.OK:
                return settings  # there was such a topic
            return dict(change.configs)
        case Delete():
            return None
        case Alter():
            if settings is None:
                return None
            after = {} if change.whole else dict(settings)
            for key, text in change.changes.items():
                if text is None:
                    after.pop(key, None)
                else:
                    after[key] = text
            return after


def _shown(change: _Change) -> str:
    match change:
        case Create():
            return f"made with {change.configs}"
        case Delete():
            return "deleted"
        case Alter():
            return f"{'replaced by' if change.whole else 'altered by'} {change.changes}"
