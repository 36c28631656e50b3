"""Who has no quota is never throttled: no answer says so, and no connection of his is muted.

Source: KIP-13, KIP-124, KIP-219, KIP-599. Elsewhere: those who have one, `rationed.py`, `told.py`.
"""

from collections.abc import Iterator
from typing import Final

from ottla.core.metadata.quota import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
)
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.quota_ledger import QuotaLedger
from ottla.sim.checker.verdict import Violation
from ottla.wire.api import (
    CREATE_PARTITIONS,
    CREATE_TOPICS,
    DELETE_TOPICS,
    FETCH,
    METADATA,
    PRODUCE,
)

PROMISE: Final = "who has no quota is not throttled"

CHANGES_TOPICS: Final = frozenset({CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS, METADATA})


def check(ledger: Ledger) -> Iterator[Violation]:
    history = ledger.history
    quotas = QuotaLedger(history)
    for one in history.metered:
        client_id = f"client-{one.client}"
        keys = keys_of(one.api_key)
        if one.throttle_ms > 0 and quotas.is_free(client_id, keys, one.sent_us, one.answered_us):
            text = (
                f"{client_id}, call {one.api_key}: throttled for {one.throttle_ms} ms, by no quota"
            )
            yield Violation(PROMISE, one.answered_us, text)
    for mark in history.mutes():
        if mark.api_key in CHANGES_TOPICS:
            continue  # decided when the request came; its answer tells
        if quotas.is_free(mark.client_id, keys_of(mark.api_key), mark.t_us, mark.t_us):
            text = f"{mark.client_id}, call {mark.api_key}: muted for {mark.duration_ms} ms, by no quota"
            yield Violation(PROMISE, mark.t_us, text)


def keys_of(api_key: int) -> tuple[str, ...]:
    """The quotas that a request may be above."""
    if api_key == PRODUCE:
        return PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE
    if api_key == FETCH:
        return CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE
    if api_key in CHANGES_TOPICS:
        return CONTROLLER_MUTATION_RATE, REQUEST_PERCENTAGE
    return (REQUEST_PERCENTAGE,)
