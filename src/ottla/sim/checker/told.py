"""Who is throttled is told so at once and gets the answer all the same; his connection is muted for
just as long, and for time that was used never longer than one window.

Source: KIP-124, KIP-219. Elsewhere: that a mute ends is looked at while a world runs (`process.py`).
"""

from collections.abc import Iterator
from typing import Final

from ottla.core.metadata.quota import REQUEST_PERCENTAGE
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.quota_ledger import QuotaLedger
from ottla.sim.checker.unthrottled import keys_of
from ottla.sim.checker.verdict import Violation

PROMISE: Final = "who is throttled is told and muted"


def check(ledger: Ledger) -> Iterator[Violation]:
    history = ledger.history
    quotas = QuotaLedger(history)
    muted_ms: dict[tuple[int, int], int] = {}
    for mark in history.mutes():
        if not mark.answered:
            text = f"{mark.client_id}, call {mark.api_key}: muted without an answer"
            yield Violation(PROMISE, mark.t_us, text)
        if mark.correlation_id is not None:
            muted_ms[mark.connection, mark.correlation_id] = mark.duration_ms
    for one in history.metered:
        mute_ms = muted_ms.get((one.connection, one.correlation_id), 0)
        who = f"client-{one.client}, call {one.api_key}"
        if one.throttle_ms not in (mute_ms, -1):
            text = f"{who}: told {one.throttle_ms} ms, muted for {mute_ms} ms"
            yield Violation(PROMISE, one.answered_us, text)
        if one.throttle_ms <= history.quota_window_ms:
            continue
        others = tuple(key for key in keys_of(one.api_key) if key != REQUEST_PERCENTAGE)
        if quotas.is_free(f"client-{one.client}", others, one.sent_us, one.answered_us):
            text = f"{who}: throttled for {one.throttle_ms} ms, by time alone"
            yield Violation(PROMISE, one.answered_us, text)
