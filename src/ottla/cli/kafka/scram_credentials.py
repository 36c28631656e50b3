"""kafka-configs, passwords: what users prove by SCRAM, described and altered (KIP-554).

The broker never gets the password, but what SCRAM makes of it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import check
from ottla.cli.kafka.flags import Refused

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

MECHANISMS: Final = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
_HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_ITERATIONS: Final = 4_096
_ITERATIONS_MIN: Final = 4_096
_SALT_BYTES: Final = 24
_CREDENTIAL: Final = re.compile(r"(?:iterations=(-?\d*),)?password=(.*)")


async def described(admin: "Admin", user: str | None) -> list[str]:
    """A line for each user that has any; None: all users."""
    from ottla.errors import ErrorCode
    from ottla.wire.message.describe_user_scram_credentials import (
        DescribeUserScramCredentialsRequest,
        DescribeUserScramCredentialsResponse,
        UserName,
    )

    names = None if user is None else [UserName(user)]
    request = DescribeUserScramCredentialsRequest(names)
    answer = await admin.any(request, DescribeUserScramCredentialsResponse)
    check(answer.error_code, answer.error_message)
    spelled = {number: name for name, number in MECHANISMS.items()}
    lines = []
    for result in answer.results:
        if result.error_code == ErrorCode.RESOURCE_NOT_FOUND:
            continue
        check(result.error_code, result.error_message)
        infos = ", ".join(
            f"{spelled.get(info.mechanism, 'UNKNOWN')}=iterations={info.iterations}"
            for info in result.credential_infos
        )
        lines.append(f"SCRAM credential configs for user-principal '{result.user}' are {infos}")
    return lines


async def alter(
    admin: "Admin", user: str, adding: Mapping[str, str], deleting: Sequence[str]
) -> None:
    """Raises Refused for what is no credential, ApiError for what the broker refuses."""
    import hashlib
    import os

    from ottla.wire.message.alter_user_scram_credentials import (
        AlterUserScramCredentialsRequest,
        AlterUserScramCredentialsResponse,
        ScramCredentialDeletion,
        ScramCredentialUpsertion,
    )

    upsertions = []
    for mechanism, text in adding.items():
        iterations, password = parsed(mechanism, text)
        salt = os.urandom(_SALT_BYTES)
        salted = hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, iterations)
        number = MECHANISMS[mechanism]
        upsertions.append(ScramCredentialUpsertion(user, number, iterations, salt, salted))
    request = AlterUserScramCredentialsRequest(
        [ScramCredentialDeletion(user, MECHANISMS[mechanism]) for mechanism in deleting],
        upsertions,
    )
    answer = await admin.controller(request, AlterUserScramCredentialsResponse)
    for result in answer.results:
        check(result.error_code, result.error_message)


def parsed(mechanism: str, text: str) -> tuple[int, str]:
    """`[iterations=N,]password=P`, without brackets. Raises Refused."""
    found = _CREDENTIAL.fullmatch(text)
    if found is None:
        raise Refused(f"Invalid credential property {mechanism}={text}")
    said, password = found.groups()
    iterations = _ITERATIONS if said in (None, "", "-1") else int(said)
    if iterations < _ITERATIONS_MIN:
        raise Refused(
            f"Iterations {iterations} is less than the minimum {_ITERATIONS_MIN} required for "
            f"{mechanism}"
        )
    return iterations, password
