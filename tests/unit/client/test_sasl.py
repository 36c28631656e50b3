"""What the client says in SASL's exchanges, and which brokers it does not believe."""

import base64

import pytest

from ottla.client.sasl import OAuthBearer, Plain, Scram
from ottla.errors import LocalProtocolError, RemoteProtocolError

NONCE = "rOprNGfwEbeRWgbNEkqO"

# RFC 7677, section 3; for SHA-512, which no RFC has, the one that libraries test with.
EXCHANGES = {
    "SCRAM-SHA-256": (
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
    "SCRAM-SHA-512": (
        "02431b08-2f89-4bad-a4e6-80c0564ec865",
        "Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=",
        "Hc5yec3NmCD7t+kFRw4/3yD6/F3SQHc7AVYschRja+Bc3sbdjlA0eH1OjJc0DD4ghn1tnXN5/Wr6qm9xmaHt4A==",
        "BQuhnKHqYDwQWS5jAw4sZed+C9KFUALsbrq81bB0mh+bcUUbbMPNNmBIupnS2AmyyDnG5CTBQtkjJ9kyY4kzmw==",
    ),
}
FIRST_256 = f"r={NONCE}{EXCHANGES['SCRAM-SHA-256'][0]},s={EXCHANGES['SCRAM-SHA-256'][1]},i=4096"


def scram(mechanism: str = "SCRAM-SHA-256", username: str = "user") -> Scram:
    return Scram(mechanism, username, "pencil", base64.b64decode(NONCE))


@pytest.mark.parametrize("mechanism", EXCHANGES)
def test_scram_says_what_the_standard_says(mechanism: str) -> None:
    nonce, salt, proof, signature = EXCHANGES[mechanism]
    exchange = scram(mechanism)
    assert exchange.first() == f"n,,n=user,r={NONCE}".encode()
    said = exchange.next_untrusted(f"r={NONCE}{nonce},s={salt},i=4096".encode())
    assert said == f"c=biws,r={NONCE}{nonce},p={proof}".encode()
    assert exchange.next_untrusted(f"v={signature}".encode()) is None


def test_scram_escapes_what_separates() -> None:
    assert scram(username="a=b,c").first() == f"n,,n=a=3Db=2Cc,r={NONCE}".encode()


@pytest.mark.parametrize(
    ("challenge", "complaint"),
    [
        (b"", "none of SCRAM's"),
        (b"\xff", "no text"),
        (b"r", "none of SCRAM's"),
        (FIRST_256.replace("r=r", "r=s").encode(), "nonce"),
        (f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode(), "nonce"),
        (FIRST_256.replace("i=4096", "i=4095").encode(), "4,095 iterations"),
        (FIRST_256.replace("i=4096", "i=" + "9" * 400).encode(), "iterations"),
        (FIRST_256.replace("i=4096", "i=-1").encode(), "no number of iterations"),
        (FIRST_256.replace(",i=4096", "").encode(), "no number of iterations"),
        (FIRST_256.replace("s=W22Z", "s=*").encode(), "'s'"),
        (FIRST_256.replace(",s=W22ZaJ0SNY7soEsUEjb6gQ==", "").encode(), "'s'"),
        (b"m=x," + FIRST_256.encode(), "extension"),
        (FIRST_256.encode() + b",i=4097", "none of SCRAM's"),
    ],
)
def test_scram_refuses_a_first_answer_that_is_wrong(challenge: bytes, complaint: str) -> None:
    with pytest.raises(RemoteProtocolError, match=complaint):
        scram().next_untrusted(challenge)


@pytest.mark.parametrize(
    ("challenge", "complaint"),
    [
        (b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "impostor"),
        (b"v=6rri", "impostor"),
        (b"v=", "'v'"),
        (b"e=other-error", "refuses: other-error"),
        (b"", "none of SCRAM's"),
    ],
)
def test_scram_does_not_believe_a_broker_without_the_password(
    challenge: bytes, complaint: str
) -> None:
    exchange = scram()
    exchange.next_untrusted(FIRST_256.encode())
    with pytest.raises(RemoteProtocolError, match=complaint):
        exchange.next_untrusted(challenge)


def test_plain_says_all_at_once() -> None:
    exchange = Plain("alice", "geheim ß")
    assert exchange.first() == "\0alice\0geheim ß".encode()
    assert exchange.next_untrusted(b"") is None
    with pytest.raises(RemoteProtocolError):
        exchange.next_untrusted(b"?")
    with pytest.raises(LocalProtocolError, match="NUL"):
        Plain("a\0b", "c")


def test_a_token_goes_with_its_extensions() -> None:
    exchange = OAuthBearer("abc.def", {"logicalCluster": "lkc-1"})
    assert exchange.first() == b"n,,\x01auth=Bearer abc.def\x01logicalCluster=lkc-1\x01\x01"
    assert exchange.next_untrusted(b"") is None


def test_a_refused_token_is_acknowledged_once() -> None:
    exchange = OAuthBearer("abc", {})
    assert exchange.next_untrusted(b'{"status":"invalid_token"}') == b"\x01"
    assert exchange.refusal == '{"status":"invalid_token"}'
    with pytest.raises(RemoteProtocolError):
        exchange.next_untrusted(b"")


@pytest.mark.parametrize(
    ("token", "extensions"),
    [("", {}), ("a b", {}), ("a\x01b", {}), ("é", {}), ("t", {"auth": "x"}), ("t", {"a1": "x"})],
)
def test_what_cannot_be_said_as_a_token_is_refused(token: str, extensions: dict[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        OAuthBearer(token, extensions)
    with pytest.raises(LocalProtocolError, match="separator"):
        OAuthBearer("t", {"a": "\x01"})
