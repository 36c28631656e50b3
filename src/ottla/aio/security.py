"""Who a client is and whom it believes: TLS and SASL, as a user states them.

What holds foreign objects stands here: an `ssl.SSLContext`, a callable that fetches tokens. `ssl` is
imported when a context is made, not before: most programs never need it.

Elsewhere: the exchanges of SASL, `client/sasl.py`; how a socket gets its TLS, `dial.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias, final

from ottla.errors import LocalProtocolError

if TYPE_CHECKING:
    from ssl import SSLContext

Token: TypeAlias = Callable[[], str | Awaitable[str]]
"""Fetches an OAuth token, anew for each authentication. One that blocks may: it runs on a thread."""

Extensions: TypeAlias = Callable[[], Mapping[str, str]]
"""What is said beside each token (KIP-342); as `Token` in all else."""


class Protocol(Enum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def has_tls(self) -> bool:
        return self in (Protocol.SSL, Protocol.SASL_SSL)

    @property
    def has_sasl(self) -> bool:
        return self in (Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """`context`: a ready one, and then nothing else counts. Paths name PEM files; `ca_path` None:
    whatever this machine trusts."""

    context: "SSLContext | None" = None
    ca_path: str | None = None
    certificate_path: str | None = None
    key_path: str | None = None
    key_password: str | None = field(default=None, repr=False)
    crl_path: str | None = None
    ciphers: str | None = None
    must_match_hostname: bool = True
    must_verify: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sasl:
    """`mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 (with name and password) or OAUTHBEARER (with
    a token). Raises LocalProtocolError for one without what it needs, or one that is not there."""

    mechanism: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: Token | None = field(default=None, repr=False)
    extensions: Extensions = dict

    def __post_init__(self) -> None:
        if self.mechanism == "GSSAPI":
            raise LocalProtocolError(
                "SASL mechanism GSSAPI (Kerberos) is not there: it needs the system's Kerberos "
                f"libraries. There are {', '.join(MECHANISMS)}"
            )
        if self.mechanism not in MECHANISMS:
            raise LocalProtocolError(
                f"SASL mechanism {self.mechanism!r}: {', '.join(MECHANISMS)} are expected"
            )
        if self.mechanism == "OAUTHBEARER":
            if self.token is None:
                raise LocalProtocolError("SASL mechanism OAUTHBEARER needs a token provider")
        elif self.username is None or self.password is None:
            raise LocalProtocolError(
                f"SASL mechanism {self.mechanism} needs a user name and a password"
            )


MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Of all connections of one client. Raises LocalProtocolError for SASL without credentials."""

    protocol: Protocol = Protocol.PLAINTEXT
    tls: Tls = Tls()
    sasl: Sasl | None = None

    def __post_init__(self) -> None:
        if self.protocol.has_sasl and self.sasl is None:
            raise LocalProtocolError(
                f"security protocol {self.protocol.value} needs a SASL mechanism and credentials"
            )


PLAINTEXT: Final = Security()


def tls_context(tls: Tls) -> "SSLContext":
    """The context that `tls` describes. Raises LocalProtocolError naming the file that does not work."""
    if tls.context is not None:
        return tls.context
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.must_match_hostname and tls.must_verify
    context.verify_mode = ssl.CERT_REQUIRED if tls.must_verify else ssl.CERT_NONE
    at = tls.ca_path or "the system's certificates"
    try:
        if tls.ca_path is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(tls.ca_path)
        if tls.crl_path is not None:
            at = tls.crl_path
            context.load_verify_locations(at)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if tls.certificate_path is not None:
            at = f"{tls.certificate_path} with key {tls.key_path or 'in the same file'}"
            # Without a password openssl would ask for one at the terminal.
            context.load_cert_chain(
                tls.certificate_path, tls.key_path, password=tls.key_password or ""
            )
        if tls.ciphers is not None:
            at = f"ciphers {tls.ciphers!r}"
            context.set_ciphers(tls.ciphers)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise LocalProtocolError(f"TLS: {at}: {_said(error)}") from None
    return context


def _said(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return str(reason)
