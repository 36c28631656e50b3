"""Properties files that say how to connect."""

from pathlib import Path

import pytest

from ottla.aio.security import PLAINTEXT, Protocol
from ottla.cli.kafka.properties import connection, jaas, read_properties, security
from ottla.client.metadata import Address
from ottla.errors import LocalProtocolError

LOGIN = (
    'org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" '
    r'password="a \"b\" c";'
)


def test_a_file_is_read_and_the_last_entry_counts(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("# words\na=1\nb : two \na=\\\n  3\n")
    assert read_properties(str(path)) == {"a": "3", "b": "two"}
    with pytest.raises(LocalProtocolError, match=r"none\.properties: No such file"):
        read_properties(str(tmp_path / "none.properties"))


def test_time_outs_and_the_client_id_are_taken() -> None:
    bootstrap = [Address("h", 1)]
    options, who = connection(
        bootstrap, {"request.timeout.ms": "7", "client.id": "me", "unknown": "x"}
    )
    assert (options.request_ms_max, options.client_id, who) == (7, "me", PLAINTEXT)
    assert connection(bootstrap, {}, client_id="tool")[0].client_id == "tool"
    for value in ("soon", "0"):
        with pytest.raises(LocalProtocolError):
            connection(bootstrap, {"request.timeout.ms": value})


def test_a_login_is_read() -> None:
    assert jaas(LOGIN) == {"username": "alice", "password": 'a "b" c'}
    assert jaas("") == {}


def test_sasl_over_tls() -> None:
    found = security(
        {
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": LOGIN,
            "ssl.truststore.location": "/ca.pem",
            "ssl.truststore.type": "PEM",
            "ssl.endpoint.identification.algorithm": "",
        }
    )
    assert found.protocol is Protocol.SASL_SSL
    assert (found.tls.ca_path, found.tls.must_match_hostname) == ("/ca.pem", False)
    assert found.sasl is not None
    assert (found.sasl.mechanism, found.sasl.username) == ("SCRAM-SHA-512", "alice")
    assert found.sasl.password == 'a "b" c'


def test_tls_with_a_certificate_of_ones_own() -> None:
    found = security(
        {
            "security.protocol": "SSL",
            "ssl.keystore.location": "/me.pem",
            "ssl.key.password": "secret",
        }
    )
    assert (found.tls.certificate_path, found.tls.key_password) == ("/me.pem", "secret")
    assert found.tls.must_match_hostname
    assert found.sasl is None


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ({"security.protocol": "TLS"}, "security.protocol=TLS: PLAINTEXT, SSL, "),
        (
            {"security.protocol": "SSL", "ssl.truststore.location": "/a.jks"},
            "ssl.truststore.type=JKS is Java's own format. Export /a.jks as PEM",
        ),
        (
            {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"},
            "PLAIN needs a user name and a password",
        ),
        ({"security.protocol": "SASL_SSL"}, "GSSAPI"),
    ],
)
def test_what_cannot_work_is_refused(entries: dict[str, str], refusal: str) -> None:
    with pytest.raises(LocalProtocolError, match=refusal):
        security(entries)
