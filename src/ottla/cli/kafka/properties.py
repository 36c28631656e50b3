"""A properties file as Kafka's tools take it: how to connect, and who one is.

`--command-config FILE` (once `--consumer.config`, `--admin.config`) is read here, for every tool. Its
`security.protocol`, `ssl.*` and `sasl.*` become a `Security`, its time-outs `ConnectionOptions`; names
without meaning here stand in most such files and are passed over.

TLS: PEM files (`ssl.truststore.type=PEM`) work; a JKS or PKCS12 store is Java's own, and refused with the
way to export it. SASL: user name and password come from `sasl.jaas.config`, as everywhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.client.metadata import Address
from ottla.errors import LocalProtocolError

if TYPE_CHECKING:
    from ottla.aio.security import Sasl, Security
    from ottla.client.options import ConnectionOptions

_JAAS: Final = re.compile(r"""(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;"']+))""")


def read_properties(path: str) -> dict[str, str]:
    """The entries of a file; the last of one name counts. Raises LocalProtocolError."""
    from ottla.settings.definition import ConfigurationError
    from ottla.settings.parse import properties

    try:
        text = Path(path).read_text()
    except OSError as error:
        raise LocalProtocolError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LocalProtocolError(f"{path}: is not a text file") from None
    try:
        return {entry.key: entry.value.strip() for entry in properties(text)}
    except ConfigurationError as error:
        raise LocalProtocolError(f"{path}: {error}") from None


def connection(
    bootstrap: Sequence[Address], entries: Mapping[str, str], *, client_id: str = "ottla"
) -> "tuple[ConnectionOptions, Security]":
    """How to connect. Raises LocalProtocolError for an entry that cannot work, naming it."""
    from ottla.client.options import ConnectionOptions

    plain = ConnectionOptions(bootstrap=tuple(bootstrap))

    def number(name: str, default: int) -> int:
        return _number(name, entries[name]) if name in entries else default

    try:
        options = replace(
            plain,
            client_id=entries.get("client.id") or client_id,
            request_ms_max=number("request.timeout.ms", plain.request_ms_max),
            api_ms_max=number("default.api.timeout.ms", plain.api_ms_max),
            metadata_age_ms_max=number("metadata.max.age.ms", plain.metadata_age_ms_max),
            connect_ms_max=number("socket.connection.setup.timeout.max.ms", plain.connect_ms_max),
            idle_ms_max=number("connections.max.idle.ms", plain.idle_ms_max),
        )
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None
    return options, security(entries)


def security(entries: Mapping[str, str]) -> "Security":
    """Who one is and whom one believes. Raises LocalProtocolError naming the entry."""
    from ottla.aio.security import PLAINTEXT, Protocol, Security, Tls

    named = entries.get("security.protocol", "PLAINTEXT").upper()
    try:
        protocol = Protocol(named)
    except ValueError:
        known = ", ".join(one.value for one in Protocol)
        raise LocalProtocolError(f"security.protocol={named}: {known} are expected") from None
    if protocol is Protocol.PLAINTEXT:
        return PLAINTEXT
    tls = Tls()
    if protocol.has_tls:
        certificate = _pem(entries, "ssl.keystore")
        tls = Tls(
            ca_path=_pem(entries, "ssl.truststore"),
            certificate_path=certificate,
            key_password=entries.get("ssl.key.password"),
            # An empty algorithm is how Kafka is told not to compare host names.
            must_match_hostname=entries.get("ssl.endpoint.identification.algorithm", "https") != "",
        )
    return Security(protocol=protocol, tls=tls, sasl=_sasl(entries) if protocol.has_sasl else None)


def jaas(text: str) -> dict[str, str]:
    """The options of a login module: `...PlainLoginModule required username="a" password="b";`."""
    found = {}
    for name, double, single, bare in _JAAS.findall(text):
        found[name] = re.sub(r"\\(.)", r"\1", double) or single or bare
    return found


def _sasl(entries: Mapping[str, str]) -> "Sasl":
    from ottla.aio.security import Sasl

    login = jaas(entries.get("sasl.jaas.config", ""))
    return Sasl(
        mechanism=entries.get("sasl.mechanism", "GSSAPI"),
        username=login.get("username"),
        password=login.get("password"),
    )


def _pem(entries: Mapping[str, str], store: str) -> str | None:
    path = entries.get(f"{store}.location")
    if path is None:
        return None
    kind = entries.get(f"{store}.type", "JKS").upper()
    if kind != "PEM" and not path.endswith((".pem", ".crt", ".cer")):
        raise LocalProtocolError(
            f"{store}.type={kind} is Java's own format. Export {path} as PEM (keytool "
            f"-exportcert -rfc, or openssl pkcs12), and say {store}.type=PEM"
        )
    return path


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise LocalProtocolError(f"{name}={text}: a whole number is expected") from None
