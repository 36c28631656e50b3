"""What an administrator asks of quotas: that they are set, altered or taken away, and which there are.

Elsewhere: when and what, `rationing.py`; who feels it, `client.py`.
"""

from collections.abc import Callable
from typing import Final, final

from ottla.core.metadata.quota import QuotaEntity, entity_of
from ottla.errors import ErrorCode
from ottla.sim.caller.client import Client, expect
from ottla.sim.history import Outcome
from ottla.sim.plan import Ask, Verb
from ottla.sim.quota_operation import QuotaAlter, QuotasSeen
from ottla.wire.api import ALTER_CLIENT_QUOTAS, DESCRIBE_CLIENT_QUOTAS, Message
from ottla.wire.message.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
)
from ottla.wire.message.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

_VERSION: Final = 1

UNCERTAIN: Final = frozenset({ErrorCode.REQUEST_TIMED_OUT, ErrorCode.KAFKA_STORAGE_ERROR})

IMPOSSIBLE: Final = "-1"
"""What no quota may be."""


def parsed_entity(text: str) -> QuotaEntity:
    """`client-id:client-1/user:` → the default user with client-1."""
    parts = (part.partition(":") for part in text.split("/"))
    return tuple(sorted((kind, name or None) for kind, _, name in parts))


@final
class Quartermaster:
    """An administrator's third part, on the same connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, ask: Ask) -> None:
        if ask.verb is Verb.QUOTAS:
            self.see()
            return
        changes = {key: float(text) if text else None for key, text in ask.configs}
        self.alter([(parsed_entity(ask.entity), changes)])

    def alter(
        self,
        rows: list[tuple[QuotaEntity, dict[str, float | None]]],
        *,
        final: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        entries = [
            AlterClientQuotasRequestEntryData(
                [EntityData(*part) for part in entity],
                [OpData(key, value or 0.0, value is None) for key, value in changes.items()],
            )
            for entity, changes in rows
        ]
        request = AlterClientQuotasRequest(entries)
        ops = self.noted(request, final=final)

        def done(message: Message | None) -> None:
            self.end(ops, message)
            if then is not None:
                then()

        self._client.request(ALTER_CLIENT_QUOTAS, _VERSION, request, done)

    def noted(self, request: AlterClientQuotasRequest, *, final: bool = False) -> list[QuotaAlter]:
        """What a request asks for, in the history; a world's odd questions may change quotas too."""
        client = self._client
        ops = []
        for entry in request.entries:
            changes = {op.key: None if op.remove else op.value for op in entry.ops}
            op = QuotaAlter(
                client.number,
                client.events.now_us,
                entity=entity_of(entry.entity),
                changes=changes,
                refusable=float(IMPOSSIBLE) in changes.values(),
                final=final,
            )
            ops.append(op)
            if not request.validate_only:
                client.history.note(op)
        return ops

    def end(self, ops: list[QuotaAlter], message: Message | None) -> None:
        now_us = self._client.events.now_us
        answer = expect(message, AlterClientQuotasResponse)
        for at, op in enumerate(ops):
            if answer is None:
                op.end(now_us, Outcome.INFO)
            else:
                error = answer.entries[at].error_code
                refused = Outcome.INFO if error in UNCERTAIN else Outcome.FAIL
                op.end(now_us, refused if error else Outcome.OK, error)

    def see(self, then: Callable[[QuotasSeen], None] | None = None, *, final: bool = False) -> None:
        """All that are set."""
        client = self._client
        op = QuotasSeen(client.number, client.events.now_us, final=final)
        client.history.note(op)

        def done(message: Message | None) -> None:
            answer = expect(message, DescribeClientQuotasResponse)
            if answer is None:
                op.end(client.events.now_us, Outcome.INFO)
            else:
                for entry in answer.entries or ():
                    values = {one.key: one.value for one in entry.values}
                    op.quotas[entity_of(entry.entity)] = values
                error = answer.error_code
                op.end(client.events.now_us, Outcome.FAIL if error else Outcome.OK, error)
            if then is not None:
                then(op)

        request = DescribeClientQuotasRequest([], strict=False)
        client.request(DESCRIBE_CLIENT_QUOTAS, _VERSION, request, done)
