"""The client's half of SASL: what to say to a broker, and whether what it says back is right.

An exchange begins with `first()` and goes on with `next_untrusted(what the broker said)`, until that is
None: nothing is left to say, and the broker is believed. PLAIN (RFC 4616) and OAUTHBEARER (RFC 7628, KIP-255) say all in their first message. SCRAM (RFC 5802, RFC 7677)
never tells the password, and believes the broker only after it proved that it knows it too.

Promises: a challenge that is wrong in any part is a RemoteProtocolError; nothing here is ever logged
or repeated in a message but names, sizes and a server's own words. As in Kafka, names and passwords
are UTF-8 without SASLprep.

Elsewhere: how the messages travel (SaslHandshake, SaslAuthenticate), `aio/sasl.py`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Protocol, final

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.limits import shortened

SCRAM_HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

_ITERATIONS_MIN: Final = 4096
_ITERATIONS_MAX: Final = 262_144
"""Kafka's brokers store 16,384 at most; a hostile one must not keep a client computing."""
_SEPARATOR: Final = "\x01"
_RESERVED_EXTENSION: Final = "auth"


class Exchange(Protocol):
    def first(self) -> bytes: ...
    def next_untrusted(self, challenge: bytes) -> bytes | None: ...


@final
class Plain:
    __slots__ = ("_message",)

    def __init__(self, username: str, password: str) -> None:
        if "\0" in username or "\0" in password:
            raise LocalProtocolError("SASL PLAIN: name and password may not hold a NUL")
        self._message = f"\0{username}\0{password}".encode()

    def first(self) -> bytes:
        return self._message

    def next_untrusted(self, challenge: bytes) -> None:
        if challenge:
            raise RemoteProtocolError("SASL PLAIN: the broker asks where nothing is left to say")


@final
class OAuthBearer:
    """A refusal comes as a challenge (RFC 7628, 3.2.3): it is acknowledged, and then comes the end."""

    __slots__ = ("_message", "refusal")

    def __init__(self, token: str, extensions: Mapping[str, str]) -> None:
        if not token or not token.isascii() or any(c <= " " for c in token):
            raise LocalProtocolError("SASL OAUTHBEARER: the token provider gave no usable token")
        pairs = {_RESERVED_EXTENSION: f"Bearer {token}"}
        for name, value in extensions.items():
            if not (name.isascii() and name.isalpha()) or name.lower() == _RESERVED_EXTENSION:
                raise LocalProtocolError(f"SASL OAUTHBEARER: {name!r} is no name of an extension")
            if _SEPARATOR in value:
                raise LocalProtocolError(f"SASL OAUTHBEARER: extension {name!r} holds a separator")
            pairs[name] = value
        said = "".join(f"{name}={value}{_SEPARATOR}" for name, value in pairs.items())
        self._message = f"n,,{_SEPARATOR}{said}{_SEPARATOR}".encode()
        self.refusal: str | None = None

    def first(self) -> bytes:
        return self._message

    def next_untrusted(self, challenge: bytes) -> bytes | None:
        if self.refusal is not None:
            raise RemoteProtocolError("SASL OAUTHBEARER: the broker refuses, and goes on")
        if not challenge:
            return None
        self.refusal = shortened(challenge.decode("utf-8", "replace"))
        return _SEPARATOR.encode()


@final
class Scram:
    """`entropy`: at least 18 fresh random bytes, of which the client's nonce is made."""

    __slots__ = (
        "_first_bare",
        "_hash",
        "_mechanism",
        "_nonce",
        "_password",
        "_server_signature",
    )

    def __init__(self, mechanism: str, username: str, password: str, entropy: bytes) -> None:
        self._mechanism = mechanism
        self._hash = SCRAM_HASHES[mechanism]
        self._password = password.encode()
        self._nonce = base64.b64encode(entropy).decode("ascii")
        name = username.replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={name},r={self._nonce}"
        self._server_signature: bytes | None = None

    def first(self) -> bytes:
        return f"n,,{self._first_bare}".encode()

    def next_untrusted(self, challenge: bytes) -> bytes | None:
        try:
            text = challenge.decode()
        except UnicodeDecodeError:
            raise self._wrong("sends what is no text") from None
        if self._server_signature is not None:
            self._verify(text)
            return None
        return self._proof(text)

    def _proof(self, text: str) -> bytes:
        """The client's final message."""
        fields = self._fields(text)
        nonce, iterations_text = fields.get("r", ""), fields.get("i", "")
        if "m" in fields:
            raise self._wrong("wants an extension that this client does not know")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise self._wrong("does not repeat this client's nonce and add its own")
        if not (iterations_text.isascii() and iterations_text.isdigit()):
            raise self._wrong("tells no number of iterations")
        # A number of any length would be read; this one is bounded.
        iterations = int(iterations_text[:10])
        if not _ITERATIONS_MIN <= iterations <= _ITERATIONS_MAX:
            raise self._wrong(
                f"wants {iterations:,} iterations; {_ITERATIONS_MIN:,} to {_ITERATIONS_MAX:,} are "
                "expected"
            )
        salted = hashlib.pbkdf2_hmac(
            self._hash, self._password, self._base64(fields, "s"), iterations
        )
        client_key = self._keyed(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._first_bare},{text},{without_proof}".encode()
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = self._keyed(stored_key, signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = self._keyed(self._keyed(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode('ascii')}".encode()

    def _verify(self, text: str) -> None:
        fields = self._fields(text)
        if "e" in fields:
            raise self._wrong(f"refuses: {shortened(fields['e'])}")
        assert self._server_signature is not None
        if not hmac.compare_digest(self._base64(fields, "v"), self._server_signature):
            raise self._wrong("does not prove that it knows the password; it may be an impostor")

    def _fields(self, text: str) -> dict[str, str]:
        fields = {}
        for part in text.split(","):
            name, equals, value = part.partition("=")
            if not equals or len(name) != 1 or name in fields:
                raise self._wrong("sends fields that are none of SCRAM's")
            fields[name] = value
        return fields

    def _base64(self, fields: Mapping[str, str], name: str) -> bytes:
        try:
            value = base64.b64decode(fields.get(name, "").encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            value = b""
        if not value:
            raise self._wrong(f"sends no field {name!r} in base64")
        return value

    def _keyed(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)

    def _wrong(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"SASL {self._mechanism}: the broker {what}")
