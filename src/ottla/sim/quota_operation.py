"""What a history says of quotas: how they were changed, which were seen, and what requests cost.

Elsewhere: operations at large, `history.py`; who judges, `checker/quota_ledger.py` and what reads it.
"""

from typing import final

from ottla.core.metadata.quota import QuotaEntity
from ottla.sim.operation import Op


@final
class QuotaAlter(Op):
    """AlterClientQuotas of one entity: value by key, None where the quota is taken away.

    `refusable`: it asks for something that must be refused, and then nothing of it holds. `final`:
    the world is at rest, and every quota is taken away.
    """

    __slots__ = ("changes", "entity", "final", "refusable")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        entity: QuotaEntity,
        changes: dict[str, float | None],
        refusable: bool,
        final: bool,
    ) -> None:
        super().__init__(client, asked_us)
        self.entity = entity
        self.changes = changes
        self.refusable = refusable
        self.final = final


@final
class QuotasSeen(Op):
    """DescribeClientQuotas of everybody."""

    __slots__ = ("final", "quotas")

    def __init__(self, client: int, asked_us: int, *, final: bool) -> None:
        super().__init__(client, asked_us)
        self.final = final
        self.quotas: dict[QuotaEntity, dict[str, float]] = {}


@final
class Metered:
    """A request that was answered, as its client saw it: what quotas count, and what it was told.

    `request_bytes`: without the frame's length. `record_bytes`: of a fetch's answer. `throttle_ms` -1:
    an answer of that version can't tell.
    """

    __slots__ = (
        "answered_us",
        "api_key",
        "client",
        "connection",
        "correlation_id",
        "record_bytes",
        "request_bytes",
        "sent_us",
        "throttle_ms",
        "version",
    )

    def __init__(
        self,
        client: int,
        connection: int,
        api_key: int,
        version: int,
        correlation_id: int,
        *,
        sent_us: int,
        request_bytes: int,
    ) -> None:
        self.client = client
        self.connection = connection
        self.api_key = api_key
        self.version = version
        self.correlation_id = correlation_id
        self.sent_us = sent_us
        self.request_bytes = request_bytes
        self.answered_us = -1
        self.record_bytes = 0
        self.throttle_ms = 0


@final
class MuteMark:
    """The node wants a connection to be muted. `answered`: the call's answer left before that.
    `correlation_id` None: there is no answer to this call (acks=0)."""

    __slots__ = (
        "answered",
        "api_key",
        "client_id",
        "connection",
        "correlation_id",
        "duration_ms",
        "t_us",
    )

    def __init__(
        self,
        t_us: int,
        *,
        connection: int,
        client_id: str,
        api_key: int,
        correlation_id: int | None,
        duration_ms: int,
        answered: bool,
    ) -> None:
        self.t_us = t_us
        self.connection = connection
        self.client_id = client_id
        self.api_key = api_key
        self.correlation_id = correlation_id
        self.duration_ms = duration_ms
        self.answered = answered
