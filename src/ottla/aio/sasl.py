"""Says to a broker who we are: SaslHandshake, SaslAuthenticate, and again before it expires.

A broker may give an authentication an end (`connections.max.reauth.ms`); before that the same is said
anew on the same connection, while nothing else is sent on it (KIP-368). As in Kafka's client, between
85 and 95 % of the time, so that clients that started together do not come together.

Elsewhere: what the messages hold, `client/sasl.py`; who we are, `security.py`.
"""

import asyncio
import inspect
import os
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from ottla.aio.client_connection import Connection
from ottla.aio.security import Sasl
from ottla.client.reach import AuthenticationFailed
from ottla.client.sasl import SCRAM_HASHES, Exchange, OAuthBearer, Plain, Scram
from ottla.errors import ErrorCode, OttlaError, RemoteProtocolError, error_name
from ottla.limits import shortened
from ottla.wire.api import SASL_AUTHENTICATE, SASL_HANDSHAKE
from ottla.wire.message.sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from ottla.wire.message.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse

T = TypeVar("T")

_NONCE_BYTES: Final = 24
_ROUNDS_MAX: Final = 4
_NAMED_MAX: Final = 20
_WRAPPED: Final = 1
"""The first SaslHandshake version after which messages travel as SaslAuthenticate requests."""
_LIFETIME_SHARE_MIN: Final = 0.85
_LIFETIME_SHARE_SPREAD: Final = 0.10


async def authenticate(connection: Connection, sasl: Sasl) -> None:
    """The broker has accepted us, and will be told again in time.

    Raises AuthenticationFailed, or what ended the connection.
    """
    address = str(connection.address)
    await _agree_on_mechanism(connection, sasl)
    exchange = await _exchange(sasl, address)
    message = exchange.first()
    for _ in range(_ROUNDS_MAX):
        response = await _say(connection, message)
        if response.error_code != ErrorCode.NONE:
            raise AuthenticationFailed(address, _refusal(sasl, exchange, response))
        try:
            answer = exchange.next_untrusted(response.auth_bytes)
        except RemoteProtocolError as error:
            raise AuthenticationFailed(address, str(error)) from None
        if answer is None:
            _again_in_time(connection, sasl, response.session_lifetime_ms)
            return
        message = answer
    raise AuthenticationFailed(address, f"SASL {sasl.mechanism}: no end after {_ROUNDS_MAX} rounds")


async def _agree_on_mechanism(connection: Connection, sasl: Sasl) -> None:
    address = str(connection.address)
    if connection.version_for(SASL_HANDSHAKE) < _WRAPPED or not connection.speaks(
        SASL_AUTHENTICATE
    ):
        raise AuthenticationFailed(address, "SASL with Kafka before 1.0 is not spoken here")
    response = await connection.post(SASL_HANDSHAKE, SaslHandshakeRequest(mechanism=sasl.mechanism))
    assert isinstance(response, SaslHandshakeResponse)
    match response.error_code:
        case ErrorCode.NONE:
            return
        case ErrorCode.UNSUPPORTED_SASL_MECHANISM:
            enabled = ", ".join(shortened(name) for name in response.mechanisms[:_NAMED_MAX])
            reason = f"SASL mechanism {sasl.mechanism} is not enabled there; these are: {enabled}"
        case ErrorCode.ILLEGAL_SASL_STATE:
            reason = "this listener is without SASL: say PLAINTEXT or SSL, or use another port"
        case code:
            reason = f"SaslHandshake: {error_name(code)}"
    raise AuthenticationFailed(address, reason)


async def _say(connection: Connection, message: bytes) -> SaslAuthenticateResponse:
    response = await connection.post(SASL_AUTHENTICATE, SaslAuthenticateRequest(auth_bytes=message))
    assert isinstance(response, SaslAuthenticateResponse)
    return response


async def _exchange(sasl: Sasl, address: str) -> Exchange:
    if sasl.token is not None and sasl.mechanism == "OAUTHBEARER":
        token = await _fetched(sasl.token, address)
        return OAuthBearer(token, await _fetched(sasl.extensions, address))
    assert sasl.username is not None
    assert sasl.password is not None
    if sasl.mechanism in SCRAM_HASHES:
        return Scram(sasl.mechanism, sasl.username, sasl.password, os.urandom(_NONCE_BYTES))
    return Plain(sasl.username, sasl.password)


async def _fetched(provide: Callable[[], T | Awaitable[T]], address: str) -> T:
    try:
        # A provider mostly asks a server, and blocks while it does.
        value = await asyncio.to_thread(provide)
        return await value if inspect.isawaitable(value) else value
    except OttlaError:
        raise
    except Exception as error:
        raise AuthenticationFailed(
            address, f"SASL OAUTHBEARER: the token provider failed: {error!r}"
        ) from error


def _refusal(sasl: Sasl, exchange: Exchange, response: SaslAuthenticateResponse) -> str:
    words = response.error_message or error_name(response.error_code)
    if isinstance(exchange, OAuthBearer) and exchange.refusal not in (None, words):
        words = f"{words} {exchange.refusal}"
    who = f" of user {sasl.username!r}" if sasl.username is not None else ""
    return f"SASL {sasl.mechanism} authentication{who} was refused: {shortened(words)}"


def _again_in_time(connection: Connection, sasl: Sasl, lifetime_ms: int) -> None:
    if lifetime_ms <= 0:
        return
    share = _LIFETIME_SHARE_MIN + _LIFETIME_SHARE_SPREAD * random.random()
    connection.renew_after(
        lifetime_ms * share / 1000, lambda: _authenticate_again(connection, sasl)
    )


async def _authenticate_again(connection: Connection, sasl: Sasl) -> None:
    """Nothing else is sent meanwhile. A refusal ends the connection, as the broker would."""
    connection.hold()
    try:
        await authenticate(connection, sasl)
    except OttlaError as error:
        connection.fail(error)
    finally:
        connection.release()
