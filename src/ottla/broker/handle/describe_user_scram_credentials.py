"""DescribeUserScramCredentials: which users have SCRAM credentials, told by mechanism, without secrets.

Nobody logs in here; but a directory of Apache Kafka's may hold credentials, and its tool asks for them
together with a user's quotas.

Source: KIP-554.
"""

from collections import Counter
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.core.metadata.records import UserScramCredentialRecord
from ottla.errors import ErrorCode
from ottla.limits import bounded, quoted
from ottla.wire.message.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from ottla.wire.server import Call

API_KEY: Final = 50
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleDescribeUserScramCredentials:
    __slots__ = ("current",)

    def __init__(self, *, current: Current) -> None:
        self.current = current

    def __call__(
        self, now_ms: int, call: Call, request: DescribeUserScramCredentialsRequest
    ) -> list[Effect]:
        held: dict[str, list[CredentialInfo]] = {}
        for record in self.current.image.kept.values():
            if isinstance(record, UserScramCredentialRecord):
                info = CredentialInfo(record.mechanism, record.iterations)
                held.setdefault(record.name, []).append(info)
        times = Counter(user.name for user in request.users or ()) or Counter(list(held))
        rows = [_row(name, count, held.get(name)) for name, count in times.items()]
        response = DescribeUserScramCredentialsResponse(error_message=None, results=rows)
        return [Reply(call, response)]


def _row(
    name: str, times: int, infos: list[CredentialInfo] | None
) -> DescribeUserScramCredentialsResult:
    error, message = ErrorCode.NONE, None
    if times > 1:
        error = ErrorCode.DUPLICATE_RESOURCE
        message = f"Cannot describe SCRAM credentials for the same user twice: {quoted(name)}"
    elif infos is None:
        error = ErrorCode.RESOURCE_NOT_FOUND
        message = f"Attempt to describe a user credential that does not exist: {quoted(name)}"
    return DescribeUserScramCredentialsResult(
        user=name,
        error_code=error,
        error_message=None if message is None else bounded(message),
        credential_infos=() if error or infos is None else infos,
    )
