"""Authentication over loopback, with a broker that knows alice and her password."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
from collections.abc import Callable, Coroutine

import pytest

from ottla.aio.client import AuthenticationFailed, Client
from ottla.aio.security import Protocol, Sasl, Security
from ottla.client.options import ConnectionOptions
from ottla.errors import ErrorCode, LocalProtocolError
from ottla.wire.api import METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE, Message
from ottla.wire.message.metadata import MetadataResponse
from ottla.wire.message.sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from ottla.wire.message.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20
SALT = b"salt"
ITERATIONS = 4096


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


class Script:
    """`password`: what the broker takes for alice's. `lifetime_ms`: of an authentication."""

    def __init__(self, enabled: tuple[str, ...] = ("PLAIN",), handshake_max: int = 1) -> None:
        self.enabled = enabled
        self.password = "secret"
        self.lifetime_ms = 0
        self.knows_verifier = True
        self.extensions: list[bytes] = []
        self.authenticated_count = 0
        self.mechanism = ""
        self.scram: list[str] = []
        self.metadata_count = 0
        self.broker = ScriptedBroker(
            {
                METADATA: self.metadata,
                SASL_HANDSHAKE: self.handshake,
                SASL_AUTHENTICATE: self.authenticate,
            },
            versions={SASL_HANDSHAKE: handshake_max},
        )

    def metadata(self, request: Message) -> Message:
        self.metadata_count += 1
        return MetadataResponse()

    def handshake(self, request: Message) -> Message:
        assert isinstance(request, SaslHandshakeRequest)
        self.mechanism = request.mechanism
        self.scram.clear()
        if not self.enabled:
            return SaslHandshakeResponse(ErrorCode.ILLEGAL_SASL_STATE, [])
        known = request.mechanism in self.enabled
        code = ErrorCode.NONE if known else ErrorCode.UNSUPPORTED_SASL_MECHANISM
        return SaslHandshakeResponse(code, list(self.enabled))

    def authenticate(self, request: Message) -> Message:
        assert isinstance(request, SaslAuthenticateRequest)
        said = request.auth_bytes
        if self.mechanism == "PLAIN":
            return self.end(said == f"\0alice\0{self.password}".encode())
        if self.mechanism == "OAUTHBEARER":
            if said == b"\x01":
                return self.end(False)
            if said.startswith(b"n,,\x01auth=Bearer good\x01"):
                self.extensions = said.split(b"\x01")[2:-2]
                return self.end(True)
            return SaslAuthenticateResponse(auth_bytes=b'{"status":"invalid_token"}')
        return self.scram_step(said.decode())

    def scram_step(self, said: str) -> Message:
        if not self.scram:
            bare = said.removeprefix("n,,")
            nonce = bare.partition(",r=")[2]
            answer = f"r={nonce}and,s={base64.b64encode(SALT).decode()},i={ITERATIONS}"
            self.scram += [bare, answer]
            return SaslAuthenticateResponse(auth_bytes=answer.encode())
        name = self.mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        salted = hashlib.pbkdf2_hmac(name, self.password.encode(), SALT, ITERATIONS)
        without_proof, _, proof = said.rpartition(",p=")
        signed = ",".join([*self.scram, without_proof]).encode()
        client_key = hmac.digest(salted, b"Client Key", name)
        stored_key = hashlib.new(name, client_key).digest()
        signature = hmac.digest(stored_key, signed, name)
        shown = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        if shown != client_key:
            return self.end(False)
        verifier = hmac.digest(hmac.digest(salted, b"Server Key", name), signed, name)
        if not self.knows_verifier:
            verifier = bytes(len(verifier))
        return self.end(True, f"v={base64.b64encode(verifier).decode()}".encode())

    def end(self, accepted: bool, said: bytes = b"") -> Message:
        if not accepted:
            code = ErrorCode.SASL_AUTHENTICATION_FAILED
            return SaslAuthenticateResponse(code, "wrong name or password")
        self.authenticated_count += 1
        return SaslAuthenticateResponse(auth_bytes=said, session_lifetime_ms=self.lifetime_ms)

    def client(self, sasl: Sasl) -> Client:
        return Client(
            ConnectionOptions(bootstrap=(self.broker.address,), reconnect_backoff_ms=1),
            Security(protocol=Protocol.SASL_PLAINTEXT, sasl=sasl),
        )


def alice(mechanism: str, password: str = "secret") -> Sasl:
    return Sasl(mechanism=mechanism, username="alice", password=password)


def bearer(token: Callable[[], object]) -> Sasl:
    return Sasl(mechanism="OAUTHBEARER", token=token)  # type: ignore[arg-type]


async def fetched() -> str:
    return "good"


GOOD = [
    alice("PLAIN"),
    alice("SCRAM-SHA-256"),
    alice("SCRAM-SHA-512"),
    bearer(lambda: "good"),
    bearer(fetched),
]


@pytest.mark.parametrize("sasl", GOOD, ids=lambda sasl: sasl.mechanism)
def test_who_is_known_is_let_in(sasl: Sasl) -> None:
    async def work() -> None:
        script = Script((sasl.mechanism,))
        async with script.broker, script.client(sasl) as client:
            await client.refresh(())
            assert script.authenticated_count == 1

    run(work())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_told_with_the_brokers_words(mechanism: str) -> None:
    async def work() -> None:
        script = Script((mechanism,))
        async with script.broker, script.client(alice(mechanism, "guessed")) as client:
            with pytest.raises(AuthenticationFailed, match="'alice' was refused: wrong name or"):
                await client.refresh(())
            assert script.metadata_count == 0

    run(work())


def test_a_token_that_is_refused_is_told_with_the_status() -> None:
    async def work() -> None:
        script = Script(("OAUTHBEARER",))
        async with script.broker, script.client(bearer(lambda: "bad")) as client:
            with pytest.raises(AuthenticationFailed, match="invalid_token"):
                await client.refresh(())

    run(work())


def test_what_a_provider_says_beside_its_token_is_asked_for_anew_each_time() -> None:
    async def work() -> None:
        count = iter(range(9))
        sasl = Sasl(
            mechanism="OAUTHBEARER",
            token=lambda: "good",
            extensions=lambda: {"logicalCluster": f"c{next(count)}"},
        )
        script = Script((sasl.mechanism,))
        async with script.broker:
            for number in range(2):
                async with script.client(sasl) as client:
                    await client.refresh(())
                assert script.extensions == [b"logicalCluster=c%d" % number]

    run(work())


@pytest.mark.parametrize("token", [lambda: 1 // 0, lambda: ""])
def test_a_provider_that_has_no_token_is_told(token: Callable[[], object]) -> None:
    async def work() -> None:
        script = Script(("OAUTHBEARER",))
        async with script.broker, script.client(bearer(token)) as client:
            with pytest.raises((AuthenticationFailed, LocalProtocolError), match="token provider"):
                await client.refresh(())

    run(work())


def test_a_broker_that_does_not_know_the_password_is_not_believed() -> None:
    async def work() -> None:
        script = Script(("SCRAM-SHA-256",))
        script.knows_verifier = False
        async with script.broker, script.client(alice("SCRAM-SHA-256")) as client:
            with pytest.raises(AuthenticationFailed, match="impostor"):
                await client.refresh(())

    run(work())


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (
            Script(("SCRAM-SHA-256", "GSSAPI")),
            "not enabled there; these are: SCRAM-SHA-256, GSSAPI",
        ),
        (Script(()), "this listener is without SASL"),
        (Script(handshake_max=0), "before 1.0"),
    ],
)
def test_no_common_mechanism_is_told(script: Script, complaint: str) -> None:
    async def work() -> None:
        async with script.broker, script.client(alice("PLAIN")) as client:
            with pytest.raises(AuthenticationFailed, match=complaint):
                await client.refresh(())

    run(work())


def test_an_authentication_is_renewed_before_it_ends_on_the_same_connection() -> None:
    async def work() -> None:
        script = Script(("SCRAM-SHA-256",))
        script.lifetime_ms = 30
        async with script.broker, script.client(alice("SCRAM-SHA-256")) as client:
            while script.authenticated_count < 3:
                await client.refresh(())
            assert script.broker.opened_count == 1

    run(work())


def test_a_renewal_that_is_refused_ends_the_connection() -> None:
    async def work() -> None:
        script = Script()
        script.lifetime_ms = 30
        async with script.broker, script.client(alice("PLAIN")) as client:
            await client.refresh(())
            script.password = "changed"
            while script.broker.opened_count == 1:
                with contextlib.suppress(AuthenticationFailed):
                    await client.refresh(())
            with pytest.raises(AuthenticationFailed, match="was refused"):
                await client.refresh(())

    run(work())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Sasl(mechanism="GSSAPI"), "Kerberos"),
        (lambda: Sasl(mechanism="plain", username="a", password="b"), "PLAIN, SCRAM"),
        (lambda: Sasl(mechanism="PLAIN", username="a"), "user name and a password"),
        (lambda: Sasl(mechanism="OAUTHBEARER", username="a", password="b"), "token provider"),
        (lambda: Security(protocol=Protocol.SASL_SSL), "needs a SASL mechanism"),
    ],
)
def test_what_cannot_authenticate_is_refused_at_once(
    make: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        make()


def test_secrets_are_not_shown() -> None:
    shown = repr(Security(protocol=Protocol.SASL_PLAINTEXT, sasl=alice("PLAIN")))
    assert "alice" in shown
    assert "secret" not in shown
