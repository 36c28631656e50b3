"""What clients use, and what they have to wait for it: every answer passes here while any quota is set.

An answer that is above a quota is sent at once and says for how long its client is throttled; the client's
connection is muted for as long, so that one that does not listen waits too. A fetch that would be above
it is answered without records instead; its bytes are not counted then.

Of several quotas the longest wait holds. Time is that of the node's thread while a request is worked
on, in percent of one core; what sending costs is not in it. Waiting for time is never longer than one
window. A request that is answered by nothing (acks=0) is not charged with its time.

Every client is the user ANONYMOUS here. Source: KIP-13, KIP-124, KIP-219, KIP-599. Elsewhere: which quota
holds, see `limits.py`; new connections, `accepts.py`; the settings of quotas, `core/controller/quotas.py`.
"""

from collections.abc import Mapping
from typing import Final, final

from ottla import probe
from ottla.core.effect import Effect, LimitAccepts, Mute, Reply
from ottla.core.metadata.quota import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    QuotaEntity,
)
from ottla.core.quota.accepts import accept_rates
from ottla.core.quota.limits import Limits
from ottla.core.quota.mutation import UNMETERED, MutationQuota
from ottla.core.quota.rate import Rate
from ottla.core.quota.tokens import TokenBucket
from ottla.limits import INT_MAX
from ottla.settings.broker import QuotaSettings
from ottla.wire.api import PRODUCE
from ottla.wire.server import Call

_USER: Final = "ANONYMOUS"
_PERCENT_PER_NS: Final = 100 / 1_000_000_000


@final
class Quotas:
    """A node's quotas. `is_set`: there is one that concerns requests."""

    __slots__ = (
        "_accept_rates",
        "_fetched",
        "_mutated",
        "_produced",
        "_settings",
        "_spent",
        "is_set",
    )

    def __init__(self, settings: QuotaSettings) -> None:
        def rate() -> Rate:
            return Rate(settings.windows, settings.window_ms)

        def bucket() -> TokenBucket:
            return TokenBucket(settings.mutation_windows, settings.mutation_window_ms)

        self._settings = settings
        self._produced = Limits(PRODUCER_BYTE_RATE, rate)
        self._fetched = Limits(CONSUMER_BYTE_RATE, rate)
        self._spent = Limits(REQUEST_PERCENTAGE, rate)
        self._mutated = Limits(CONTROLLER_MUTATION_RATE, bucket)
        self._accept_rates: Mapping[str | None, float] = {}
        self.is_set = False

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> list[Effect]:
        """These quotas hold from now on."""
        limits = (self._produced, self._fetched, self._spent, self._mutated)
        are_set = [one.follow(quotas) for one in limits]
        self.is_set = any(are_set)
        rates = accept_rates(quotas)
        if rates == self._accept_rates:
            return []
        self._accept_rates = rates
        return [LimitAccepts(rates)]

    # --- what handlers ask ------------------------------------------------------------------------

    def fetch_bytes_max(self, call: Call) -> int | None:
        """The most that one fetch may bring and not be throttled even if it is the first; None: all."""
        limit = self._fetched.limit(_USER, call.client_id or "")
        if limit is None:
            return None
        windows = self._settings.windows - 1
        return int(min(INT_MAX, limit * windows * self._settings.window_ms / 1000))

    def fetch(self, now_ms: int, call: Call, size_bytes: int) -> int:
        """Count the bytes of a fetch's answer; not 0: it has to wait so long, and is not counted."""
        client_id = call.client_id or ""
        wait_ms = 0
        spent = self._spent.meter(_USER, client_id)
        if spent is not None:
            meter, limit = spent
            wait_ms = min(meter.wait_ms(now_ms, limit), self._settings.window_ms)
        fetched = self._fetched.meter(_USER, client_id)
        if probe.MUTANTS and probe.mutant("KIP13-fetch-served-above"):
            fetched = None
        if fetched is not None:
            meter, limit = fetched
            wait_ms = max(wait_ms, meter.wait_ms(now_ms, limit, size_bytes))
            if not wait_ms:
                meter.record(now_ms, size_bytes)
        return wait_ms

    def mutations(self, now_ms: int, call: Call, *, strict: bool) -> MutationQuota:
        """What this request may change of topics."""
        if not self.is_set:
            return UNMETERED
        found = self._mutated.meter(_USER, call.client_id or "")
        if found is None:
            return UNMETERED
        bucket, limit = found
        return MutationQuota(bucket, limit, now_ms, strict=strict)

    # --- what answers cost ------------------------------------------------------------------------

    def charge(
        self, now_ms: int, effects: list[Effect], received: Call | None, spent_ns: int
    ) -> list[Effect]:
        """The same effects, their answers throttled as they have to be.

        `received`: the request that this step worked on, for `spent_ns`.
        """
        charged: list[Effect] = []
        for effect in effects:
            charged.append(effect)
            if not isinstance(effect, Reply):
                continue
            call = effect.call
            wait_ms = self._charge_one(now_ms, effect, spent_ns if call is received else 0)
            if call is received:
                received = None
            if probe.MUTANTS and probe.mutant("KIP219-told-not-muted"):
                continue
            if wait_ms:
                charged.append(Mute(call.origin.connection_id, wait_ms))
        if received is not None and spent_ns:
            found = self._spent.meter(_USER, received.client_id or "")
            if found is not None:  # it is parked: what it cost counts, whoever comes next waits
                found[0].record(now_ms, spent_ns * _PERCENT_PER_NS)
        return charged

    def _charge_one(self, now_ms: int, reply: Reply, spent_ns: int) -> int:
        call, response = reply.call, reply.response
        client_id = call.client_id or ""
        wait_ms = 0
        if call.api_key == PRODUCE:
            found = self._produced.meter(_USER, client_id)
            if found is not None:
                meter, limit = found
                wait_ms = meter.charge(now_ms, call.size_bytes, limit)
        if response is None:
            return wait_ms
        found = self._spent.meter(_USER, client_id)
        if found is not None:
            meter, limit = found
            for_time_ms = meter.charge(now_ms, spent_ns * _PERCENT_PER_NS, limit)
            if not (probe.MUTANTS and probe.mutant("KIP124-longer-than-a-window")):
                for_time_ms = min(for_time_ms, self._settings.window_ms)
            wait_ms = max(wait_ms, for_time_ms)
        if hasattr(response, "throttle_time_ms"):
            # What its handler has found: bytes of a fetch, changes of topics.
            wait_ms = max(wait_ms, response.throttle_time_ms)
            response.throttle_time_ms = wait_ms
        return wait_ms

    def check_invariants(self) -> None:
        for limits in (self._produced, self._fetched, self._spent):
            limits.check_invariants()
        self._mutated.check_invariants()
