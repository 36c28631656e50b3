"""Our client at Apache Kafka's listeners with TLS and SASL: what must work, and what must be refused.

Every listener is visited with what it expects and with what it does not; a refusal counts only if it
says what is wrong. The certificates are made anew for each run, by openssl.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from apache import ApacheKafka
from checks import Wrong
from install import CannotInstall, java

from ottla.aio.client import Client
from ottla.aio.dial import Dialer
from ottla.aio.security import Protocol, Sasl, Security, Tls
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.errors import OttlaError
from ottla.kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from ottla.kafka.admin import NewTopic
from ottla.wire.api import CREATE_TOPICS, METADATA
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.metadata import MetadataRequest

TABLE: Final = "our client, secured"
WORKS: Final = "works"
DROP_IN: Final = "works by kafka-python's arguments"
REFUSED: Final = "is refused, with the reason"
Row = tuple[str, str, Callable[[], str | None]]

LOGIN: Final = "org.apache.kafka.common.security"
LISTENERS: Final = {
    "TLS": "SSL",
    "MTLS": "SSL",
    "ASTRAY": "SSL",
    "SASLPLAIN": "SASL_PLAINTEXT",
    "SASLTLS": "SASL_SSL",
    "BRIEF": "SASL_PLAINTEXT",
}
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
LIFETIME_MS: Final = 3_000
SECONDS_MAX: Final = 30
AUTHORITY: Final = """\
[ca]
default_ca = it
[it]
database = index
default_md = sha256
default_crl_days = 2
"""
Answer = TypeVar("Answer")
SCRAM_USERS: Final = (
    "SCRAM-SHA-256=[name=alice,password=alice-secret]",
    "SCRAM-SHA-512=[name=alice,password=alice-secret]",
    "SCRAM-SHA-256=[name=o=hara,password=pass-öß]",
)


class Certificates:
    """An authority, what it signed, and one that signed nothing, as PEM files."""

    def __init__(self, home: Path) -> None:
        if shutil.which("openssl") is None:
            raise CannotInstall("openssl is not on this machine")
        home.mkdir(parents=True)
        self._home = home
        for authority in ("ca", "other-ca"):
            self._openssl(
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", f"/CN={authority}", "-keyout", f"{authority}.key"),
                *("-out", f"{authority}.pem"),
            )
        for name, hosts in {
            "broker": "DNS:localhost,IP:127.0.0.1",
            "client": "DNS:client",
            "elsewhere": "DNS:elsewhere",
        }.items():
            self._sign(name, hosts)
        # Kafka wants key and chain in one file, the key in PKCS 8, as openssl makes it.
        for name in ("broker", "elsewhere"):
            pair = (home / f"{name}.key").read_text() + (home / f"{name}.pem").read_text()
            (home / f"{name}-pair.pem").write_text(pair)
        (home / "ca.conf").write_text(AUTHORITY)
        (home / "index").touch()
        authority = ("ca", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key")
        self._openssl(*authority, "-gencrl", "-out", "none.crl")
        self._openssl(*authority, "-revoke", "broker.pem")
        self._openssl(*authority, "-gencrl", "-out", "broker.crl")
        self._openssl(
            *("pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:open"),
            *("-out", "client-locked.key"),
        )

    def path(self, name: str) -> str:
        return str(self._home / name)

    def _sign(self, name: str, hosts: str) -> None:
        (self._home / "names").write_text(f"subjectAltName={hosts}\n")
        self._openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.pem"),
        )

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self._home, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def overrides(certificates: Certificates) -> dict[str, str]:
    """The settings of the listeners."""
    settings = {}
    for name, protocol in LISTENERS.items():
        prefix = f"listener.name.{name.lower()}."
        if protocol.endswith("SSL"):
            settings |= {
                f"{prefix}ssl.keystore.type": "PEM",
                f"{prefix}ssl.keystore.location": certificates.path("broker-pair.pem"),
                f"{prefix}ssl.truststore.type": "PEM",
                f"{prefix}ssl.truststore.location": certificates.path("ca.pem"),
            }
        if protocol.startswith("SASL"):
            settings[f"{prefix}sasl.enabled.mechanisms"] = ",".join(MECHANISMS)
            for mechanism, login in {
                "plain": 'plain.PlainLoginModule required user_alice="alice-secret"',
                "scram-sha-256": "scram.ScramLoginModule required",
                "scram-sha-512": "scram.ScramLoginModule required",
                "oauthbearer": "oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="broker"',
            }.items():
                settings[f"{prefix}{mechanism}.sasl.jaas.config"] = f"{LOGIN}.{login};"
    settings["listener.name.astray.ssl.keystore.location"] = certificates.path("elsewhere-pair.pem")
    settings["listener.name.mtls.ssl.client.auth"] = "required"
    for mechanism in MECHANISMS:
        prefix = f"listener.name.brief.{mechanism.lower()}."
        settings[f"{prefix}connections.max.reauth.ms"] = str(LIFETIME_MS)
    return settings


def token(subject: str, seconds: int = 3_600) -> str:
    """One that Kafka's unsecured validator takes: signed by nobody (RFC 7515, appendix A.5)."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + seconds})
    texts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join((*texts, ""))


class Secured:
    def __init__(self, broker: ApacheKafka, certificates: Certificates) -> None:
        self._broker = broker
        self._certificates = certificates
        self._count = 0
        self._tls = Tls(ca_path=certificates.path("ca.pem"))

    def rows(self) -> list[Row]:
        file = self._certificates.path
        tls = self._tls
        ca = file("ca.pem")
        with_key = {"ca_path": ca, "certificate_path": file("client.pem")}
        alice = {"username": "alice", "password": "alice-secret"}
        works: dict[str, tuple[str, Security]] = {
            "SSL": ("TLS", Security(protocol=Protocol.SSL, tls=tls)),
            "SSL, its own certificate": (
                "MTLS",
                Security(protocol=Protocol.SSL, tls=Tls(**with_key, key_path=file("client.key"))),
            ),
            "SSL, a key with a password": (
                "MTLS",
                Security(
                    protocol=Protocol.SSL,
                    tls=Tls(**with_key, key_path=file("client-locked.key"), key_password="open"),
                ),
            ),
            "SASL, a name to escape": (
                "SASLPLAIN",
                _sasl(Sasl(mechanism="SCRAM-SHA-256", username="o=hara", password="pass-öß")),
            ),
        }
        for words, crl in {"with nobody": "none.crl", "without it": "broker.crl"}.items():
            at = "TLS" if crl == "none.crl" else "ASTRAY"
            works[f"SSL, a list of revoked certificates {words}"] = (
                at,
                Security(
                    protocol=Protocol.SSL,
                    tls=Tls(ca_path=ca, crl_path=file(crl), must_match_hostname=at == "TLS"),
                ),
            )
        for mechanism in MECHANISMS[:3]:
            sasl = Sasl(mechanism=mechanism, **alice)
            works[f"SASL_PLAINTEXT, {mechanism}"] = ("SASLPLAIN", _sasl(sasl))
            works[f"SASL_SSL, {mechanism}"] = ("SASLTLS", _sasl(sasl, tls))
        bearer = Sasl(
            mechanism="OAUTHBEARER",
            token=lambda: token("alice"),
            extensions=lambda: {"logicalCluster": "one"},
        )
        works["SASL_SSL, OAUTHBEARER"] = ("SASLTLS", _sasl(bearer, tls))
        refused: dict[str, tuple[str, Security, str]] = {
            "TLS at a listener without": (
                "PLAINTEXT",
                Security(protocol=Protocol.SSL, tls=tls),
                "Is it a listener without TLS",
            ),
            "no TLS at a listener with": ("TLS", Security(), "TLS"),
            "an authority nobody knows": (
                "TLS",
                Security(protocol=Protocol.SSL, tls=Tls(ca_path=file("other-ca.pem"))),
                "certificate is not believed",
            ),
            "a certificate of another host": (
                "ASTRAY",
                Security(protocol=Protocol.SSL, tls=tls),
                "certificate is not believed: IP address mismatch",
            ),
            "a revoked certificate": (
                "TLS",
                Security(protocol=Protocol.SSL, tls=Tls(ca_path=ca, crl_path=file("broker.crl"))),
                "certificate is not believed: certificate revoked",
            ),
            "no certificate where one is wanted": (
                "MTLS",
                Security(protocol=Protocol.SSL, tls=tls),
                "Does it want a certificate of this client",
            ),
            "no SASL where it is wanted": ("SASLPLAIN", Security(), "SASL"),
            "SASL where it is not": (
                "PLAINTEXT",
                _sasl(Sasl(mechanism="PLAIN", **alice)),
                "without SASL",
            ),
            "a refused token": (
                "SASLPLAIN",
                _sasl(Sasl(mechanism="OAUTHBEARER", token=lambda: token("alice", -60))),
                "OAUTHBEARER authentication was refused",
            ),
        }
        for mechanism in MECHANISMS[:3]:
            wrong = Sasl(mechanism=mechanism, username="alice", password="guessed")
            refused[f"a wrong password, {mechanism}"] = (
                "SASLPLAIN",
                _sasl(wrong),
                f"SASL {mechanism} authentication of user 'alice' was refused",
            )
        rows: list[Row] = [
            (row, WORKS, lambda at=at, security=security: self.works(at, security))
            for row, (at, security) in works.items()
        ]
        rows += [
            (row, DROP_IN, lambda at=at, security=security: self.drops_in(at, security))
            for row, (at, security) in works.items()
        ]
        rows += [
            (row, REFUSED, lambda at=at, who=who, says=says: self.refused(at, who, says))
            for row, (at, who, says) in refused.items()
        ]
        for mechanism in MECHANISMS:
            sasl = bearer if mechanism == "OAUTHBEARER" else Sasl(mechanism=mechanism, **alice)
            rows.append(
                (
                    f"again in time (KIP-368), {mechanism}",
                    WORKS,
                    lambda sasl=sasl: self.stays(_sasl(sasl)),
                )
            )
        return rows

    def works(self, at: str, security: Security) -> None:
        """A topic is made, and seen."""
        self._count += 1
        topic = f"secured-{self._count}"

        async def work() -> None:
            async with self._client(at, security) as client:
                await _create(client, topic)
                view = await client.wait_for_topic(
                    topic, create_missing=False, unknown_ms_max=10_000
                )
                if view.led != [0]:
                    raise Wrong(f"{topic} is led by nobody")

        _run(work())

    def drops_in(self, at: str, security: Security) -> None:
        """A record is written and read by the classes of `ottla.kafka`."""
        self._count += 1
        topic = f"dropped-in-{self._count}"
        arguments = {"bootstrap_servers": self._place(at), **_arguments(security)}
        with KafkaAdminClient(**arguments) as admin:
            admin.create_topics([NewTopic(topic, 1, 1)])
        with KafkaProducer(**arguments) as producer:
            producer.send(topic, b"value").get(SECONDS_MAX)
        with KafkaConsumer(
            topic, auto_offset_reset="earliest", consumer_timeout_ms=10_000, **arguments
        ) as consumer:
            if next(iter(consumer)).value != b"value":
                raise Wrong("another record came")

    def refused(self, at: str, security: Security, says: str) -> None:
        async def work() -> str:
            async with self._client(at, security) as client:
                try:
                    await client.refresh(())
                except OttlaError as error:
                    return str(error)
                raise Wrong("it was let in")

        started = time.monotonic()
        said = _run(work())
        if says not in said:
            raise Wrong(f"{says!r} is not in {said!r}")
        if time.monotonic() - started > 5:
            raise Wrong(f"it took {time.monotonic() - started:.1f} s to say {said!r}")

    def stays(self, security: Security) -> None:
        """One connection outlives the time that the broker gives an authentication."""

        async def work() -> None:
            options = self._options("BRIEF")
            connection = await Dialer(options, security).dial(options.bootstrap[0])
            ends = time.monotonic() + 2.5 * LIFETIME_MS / 1000
            try:
                while time.monotonic() < ends:
                    await connection.ask(METADATA, MetadataRequest())
                    await asyncio.sleep(0.05)
            finally:
                await connection.close()

        _run(work())

    def _client(self, at: str, security: Security) -> Client:
        return Client(self._options(at), security)

    def _place(self, at: str) -> str:
        return self._broker.bootstrap if at == "PLAINTEXT" else self._broker.at[at]

    def _options(self, at: str) -> ConnectionOptions:
        host, _, port = self._place(at).rpartition(":")
        return ConnectionOptions(bootstrap=(Address(host, int(port)),))


class Provider:
    """kafka-python's: an object with two methods."""

    def __init__(self, sasl: Sasl) -> None:
        self._sasl = sasl

    def token(self) -> object:
        assert self._sasl.token is not None
        return self._sasl.token()

    def extensions(self) -> object:
        return self._sasl.extensions()


def _arguments(security: Security) -> dict[str, Any]:
    """The same, as kafka-python has it."""
    tls, sasl = security.tls, security.sasl
    arguments = {
        "security_protocol": security.protocol.value,
        "ssl_cafile": tls.ca_path,
        "ssl_certfile": tls.certificate_path,
        "ssl_keyfile": tls.key_path,
        "ssl_password": tls.key_password,
        "ssl_crlfile": tls.crl_path,
        "ssl_check_hostname": tls.must_match_hostname,
    }
    if sasl is not None:
        arguments["sasl_mechanism"] = sasl.mechanism
        if sasl.mechanism == "OAUTHBEARER":
            arguments["sasl_oauth_token_provider"] = Provider(sasl)
        else:
            arguments["sasl_plain_username"] = sasl.username
            arguments["sasl_plain_password"] = sasl.password
    return arguments


def _sasl(sasl: Sasl, tls: Tls | None = None) -> Security:
    protocol = Protocol.SASL_PLAINTEXT if tls is None else Protocol.SASL_SSL
    return Security(protocol=protocol, tls=tls or Tls(), sasl=sasl)


async def _create(client: Client, topic: str) -> None:
    wanted = CreatableTopic(name=topic, num_partitions=1, replication_factor=1)
    response = await client.ask_controller(
        CREATE_TOPICS, CreateTopicsRequest(topics=[wanted], timeout_ms=10_000)
    )
    assert isinstance(response, CreateTopicsResponse)
    (row,) = response.topics
    if row.error_code:
        raise Wrong(f"{topic}: error {row.error_code} {row.error_message}")


def _run(work: Coroutine[None, None, Answer]) -> Answer:
    async def bounded() -> Answer:
        async with asyncio.timeout(SECONDS_MAX):
            return await work

    try:
        return asyncio.run(bounded())
    except OttlaError as error:
        raise Wrong(str(error)) from None
    except TimeoutError:
        raise Wrong(f"no end after {SECONDS_MAX} s") from None


def rows(work: Path) -> tuple[list[Row], Callable[[], None]]:
    """The checks, and how to end what they need."""
    certificates = Certificates(work / "certificates")
    broker = ApacheKafka(
        java(),
        work / "secured-data",
        work / "secured",
        listeners=LISTENERS,
        overrides=overrides(certificates),
    )
    broker.format_directory(scram=SCRAM_USERS)
    broker.start()
    return Secured(broker, certificates).rows(), broker.stop
