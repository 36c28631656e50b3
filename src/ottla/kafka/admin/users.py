"""Users that log in with SCRAM: who there is, and their passwords changed or taken away."""

import hashlib
import os
from collections.abc import Iterable
from enum import IntEnum

from ottla.kafka.admin.answer import Answer
from ottla.kafka.admin.asking import Asking, error_class, raise_if
from ottla.kafka.errors import BrokerResponseError
from ottla.kafka.translation import coded
from ottla.wire.message.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.wire.message.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    UserName,
)

_SALT_BYTES = 32


class ScramMechanism(IntEnum):
    UNKNOWN = 0
    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2

    @property
    def hash_name(self) -> str:
        if self is ScramMechanism.UNKNOWN:
            raise ValueError("SCRAM_SHA_256 or SCRAM_SHA_512 is expected")
        return "sha256" if self is ScramMechanism.SCRAM_SHA_256 else "sha512"


def _mechanism(given: ScramMechanism | int | str) -> ScramMechanism:
    if isinstance(given, str):
        return ScramMechanism[given.upper().replace("-", "_")]
    return ScramMechanism(given)


class UserScramCredentialDeletion:
    __slots__ = ("mechanism", "user")

    def __init__(self, user: str, mechanism: ScramMechanism | int | str) -> None:
        self.user = user
        self.mechanism = _mechanism(mechanism)


class UserScramCredentialUpsertion:
    """A new password; only what is derived from it leaves this process."""

    DEFAULT_ITERATIONS = 4096

    def __init__(
        self,
        user: str,
        mechanism: ScramMechanism | int | str,
        password: str | bytes,
        iterations: int | None = None,
        salt: bytes | None = None,
    ) -> None:
        self.user = user
        self.mechanism = _mechanism(mechanism)
        self.password = password.encode() if isinstance(password, str) else password
        self.iterations = iterations or self.DEFAULT_ITERATIONS
        self.salt = salt if salt is not None else os.urandom(_SALT_BYTES)

    @property
    def salted_password(self) -> bytes:
        return hashlib.pbkdf2_hmac(
            self.mechanism.hash_name, self.password, self.salt, self.iterations
        )


class UserCalls(Asking):
    def describe_user_scram_credentials(
        self, users: Iterable[str] | None = None
    ) -> dict[str, Answer]:
        """By user: mechanisms and iterations, or the error. None: all users."""
        asked = None if users is None else [UserName(name) for name in users]
        response = self._any(
            DescribeUserScramCredentialsRequest(asked), DescribeUserScramCredentialsResponse
        )
        raise_if(response.error_code, response.error_message)
        return {
            row.user: Answer(
                error=str(coded(row.error_code, row.error_message)) if row.error_code else None,
                credential_infos=[
                    Answer(mechanism=ScramMechanism(one.mechanism).name, iterations=one.iterations)
                    for one in row.credential_infos
                ],
            )
            for row in response.results
        }

    def alter_user_scram_credentials(
        self,
        alterations: "Iterable[UserScramCredentialUpsertion | UserScramCredentialDeletion]",
    ) -> dict[str, type[BrokerResponseError]]:
        """By user its error's class; NoError: it is done."""
        deletions, upsertions = [], []
        for one in alterations:
            if isinstance(one, UserScramCredentialDeletion):
                deletions.append(ScramCredentialDeletion(one.user, one.mechanism))
            else:
                upsertions.append(
                    ScramCredentialUpsertion(
                        one.user, one.mechanism, one.iterations, one.salt, one.salted_password
                    )
                )
        request = AlterUserScramCredentialsRequest(deletions, upsertions)
        response = self._controller(request, AlterUserScramCredentialsResponse)
        return {row.user: error_class(row.error_code) for row in response.results}
