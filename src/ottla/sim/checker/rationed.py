"""What a client gets through is no more than its quota allows, over any stretch of time.

Allowed is the rate for that time and for the windows that use is counted in, which is the burst that a
client may save up. A fetch above that brings no records, for all that share the quota. A Produce is
taken and its connection muted afterwards, so each connection may exceed it by what was on its way
until then. Topics are made while nothing is owed, so by one request. Judged are stretches in which
one known quota held, in one process, whose clock did not jump.

Source: KIP-13, KIP-219, KIP-599. Elsewhere: how use is counted, `core/quota`.
"""

from collections.abc import Iterator
from typing import Final, final

from ottla.core.metadata.quota import (
    CLIENT_ID,
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    QuotaEntity,
)
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.quota_ledger import Held, QuotaLedger, Unsure
from ottla.sim.checker.verdict import Violation
from ottla.sim.history import Create, Outcome
from ottla.wire.api import FETCH, PRODUCE

PROMISE: Final = "quotas are kept"


@final
class _Use:
    """Something used by `client` at some time between. `lane`: the meter or connection it belongs to."""

    __slots__ = ("amount", "client", "from_us", "lane", "to_us")

    def __init__(self, client: int, lane: int, from_us: int, to_us: int, amount: int) -> None:
        self.client = client
        self.lane = lane
        self.from_us = from_us
        self.to_us = to_us
        self.amount = amount


def check(ledger: Ledger) -> Iterator[Violation]:
    history = ledger.history
    quotas = QuotaLedger(history)
    if not quotas.alters:
        return
    fetches = [
        _Use(one.client, 0, one.sent_us, one.answered_us, one.record_bytes)
        for one in history.metered
        if one.api_key == FETCH and one.record_bytes
    ]
    yield from _judge(quotas, CONSUMER_BYTE_RATE, fetches, history.quota_span_ms, strictly=True)
    sends = [
        _Use(one.client, one.connection, one.sent_us, one.answered_us, one.request_bytes)
        for one in history.metered
        if one.api_key == PRODUCE
    ]
    yield from _judge(quotas, PRODUCER_BYTE_RATE, sends, history.quota_span_ms, strictly=False)
    makes = [
        _Use(one.client, 0, one.asked_us, one.ended_us, one.partitions)
        for one in history.entries
        if isinstance(one, Create) and one.outcome is Outcome.OK
    ]
    yield from _judge(
        quotas, CONTROLLER_MUTATION_RATE, makes, history.mutation_span_ms, strictly=False
    )


def _judge(
    quotas: QuotaLedger, key: str, uses: list[_Use], span_ms: int, *, strictly: bool
) -> Iterator[Violation]:
    """`strictly`: what is too much is not given; else only what was over before counts."""
    by_meter: dict[tuple[QuotaEntity, float, int, int], list[_Use]] = {}
    for use in uses:
        try:
            held = quotas.held(f"client-{use.client}", key, use.from_us, use.to_us)
        except Unsure:
            continue
        if held is not None:
            entity, value = held
            own = use.client if not strictly or CLIENT_ID in dict(entity) else -1
            by_meter.setdefault((entity, value, own, use.lane), []).append(use)
    for (entity, value, _, _), of_one in by_meter.items():
        of_one.sort(key=lambda use: use.to_us)
        for at, last in enumerate(of_one):
            total, from_us = 0, last.from_us
            for use in reversed(of_one[: at + 1]):
                from_us = min(from_us, use.from_us)
                if not _is_same(quotas, key, last, from_us, (entity, value)):
                    break
                if not strictly and use.to_us > last.from_us:
                    continue
                total += use.amount
                allowed = value * ((last.to_us - from_us) / 1_000_000 + span_ms / 1_000)
                if total > allowed:
                    text = (
                        f"client-{last.client} got {total} through since {from_us / 1_000} ms, with "
                        f"{key} {value:g} of {dict(entity)}: {allowed:.0f} are allowed"
                    )
                    yield Violation(PROMISE, last.to_us, text)
                    return


def _is_same(quotas: QuotaLedger, key: str, last: _Use, from_us: int, known: Held) -> bool:
    if quotas.is_broken(from_us, last.to_us):
        return False
    try:
        return quotas.held(f"client-{last.client}", key, from_us, last.to_us) == known
    except Unsure:
        return False
