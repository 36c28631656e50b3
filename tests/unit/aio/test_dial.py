"""Connections with TLS: which are made, and what is said of those that are not."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path

import pytest

from ottla.aio.client import AuthenticationFailed, Client, ConnectionLost, Unreachable
from ottla.aio.security import Protocol, Security, Tls, tls_context
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.errors import LocalProtocolError
from ottla.wire.api import METADATA
from ottla.wire.message.metadata import MetadataResponse
from tests.unit.fakes.certificates import (
    ANOTHER,
    AUTHORITY,
    BROKER,
    BROKER_KEY,
    LOCKED_KEY,
    written,
)
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


def broker(tmp_path: Path, *, with_tls: bool, wants_certificate: bool = False) -> ScriptedBroker:
    context = None
    if with_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            written(BROKER, tmp_path / "broker.pem"), written(BROKER_KEY, tmp_path / "broker.key")
        )
        if wants_certificate:
            context.load_verify_locations(cadata=AUTHORITY)
            context.verify_mode = ssl.CERT_REQUIRED
    return ScriptedBroker({METADATA: lambda _: MetadataResponse()}, context=context)


def client(address: Address, tls: Tls | None) -> Client:
    security = None if tls is None else Security(protocol=Protocol.SSL, tls=tls)
    return Client(ConnectionOptions(bootstrap=(address,), connect_ms_max=5_000), security)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_broker_whose_certificate_names_it_is_believed(tmp_path: Path, host: str) -> None:
    async def work() -> None:
        tls = Tls(ca_path=written(AUTHORITY, tmp_path / "ca.pem"))
        async with broker(tmp_path, with_tls=True) as peer:
            one = client(Address(host, peer.address.port), tls)
            await one.refresh(())
            await one.close()

    run(work())


def test_a_ready_context_counts_alone(tmp_path: Path) -> None:
    async def work() -> None:
        context = ssl.create_default_context(cadata=AUTHORITY)
        tls = Tls(context=context, ca_path="nowhere")
        async with broker(tmp_path, with_tls=True) as peer, client(peer.address, tls) as one:
            await one.refresh(())

    run(work())


def test_a_certificate_that_nobody_known_signed_is_not_believed(tmp_path: Path) -> None:
    async def work() -> None:
        tls = Tls(ca_path=written(ANOTHER, tmp_path / "other.pem"))
        async with broker(tmp_path, with_tls=True) as peer, client(peer.address, tls) as one:
            with pytest.raises(AuthenticationFailed, match=r"not believed.*ssl_cafile"):
                await one.refresh(())

    run(work())


def test_a_client_shows_its_certificate_where_one_is_wanted(tmp_path: Path) -> None:
    async def work() -> None:
        ca_path = written(AUTHORITY, tmp_path / "ca.pem")
        with_one = Tls(
            ca_path=ca_path,
            certificate_path=written(ANOTHER, tmp_path / "client.pem"),
            key_path=written(LOCKED_KEY, tmp_path / "client.key"),
            key_password="open",
        )
        peer = broker(tmp_path, with_tls=True, wants_certificate=True)
        async with peer:
            async with client(peer.address, with_one) as one:
                await one.refresh(())
            async with client(peer.address, Tls(ca_path=ca_path)) as one:
                # The alert that says why may be lost with the connection.
                with pytest.raises((AuthenticationFailed, ConnectionLost), match="ssl_certfile"):
                    await one.refresh(())

    run(work())


def test_tls_at_a_listener_without_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with broker(tmp_path, with_tls=False) as peer, client(peer.address, Tls()) as one:
            with pytest.raises(Unreachable, match="Is it a listener without TLS"):
                await one.refresh(())

    run(work())


def test_no_tls_at_a_listener_with_it_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with broker(tmp_path, with_tls=True) as peer, client(peer.address, None) as one:
            with pytest.raises(ConnectionLost, match="TLS"):
                await one.refresh(())

    run(work())


def test_an_answer_in_tls_is_recognized(tmp_path: Path) -> None:
    async def work() -> None:
        async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes.fromhex("15030300020250"))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(alert, "127.0.0.1", 0)
        async with server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            async with client(address, None) as one:
                with pytest.raises(ConnectionLost, match="speaks TLS, and this client does not"):
                    await one.refresh(())

    run(work())


def test_an_address_of_a_name_that_does_not_answer_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with (
            socket.create_server(("127.0.0.1", 0), backlog=0) as deaf,
            contextlib.ExitStack() as held,
        ):
            # Once its queue is full nobody hears from it again.
            for _ in range(2):
                one = held.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            async with broker(tmp_path, with_tls=False) as peer:
                places = [deaf.getsockname(), tuple(peer.address)]

                async def found(*_: object, **__: object) -> list[tuple[object, ...]]:
                    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
                    return [(*kind, place) for place in places]

                monkeypatch.setattr(loop, "getaddrinfo", found)
                options = ConnectionOptions(bootstrap=(Address("name", 1),), connect_ms_max=400)
                async with Client(options) as one_client:
                    await one_client.refresh(())
                places.pop()
                async with Client(options) as one_client:
                    with pytest.raises(Unreachable, match="no answer within 400 ms"):
                        await one_client.refresh(())

    run(work())


def test_who_accepts_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(wait, "127.0.0.1", 0)
        async with server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            options = ConnectionOptions(bootstrap=(address,), connect_ms_max=100)
            async with Client(options) as one:
                with pytest.raises(Unreachable, match="says nothing within 100 ms"):
                    await one.refresh(())
            async with Client(options, Security(protocol=Protocol.SSL)) as one:
                with pytest.raises(Unreachable, match="no end of the TLS handshake within 100 ms"):
                    await one.refresh(())

    run(work())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda at: Tls(ca_path=f"{at}/nowhere.pem"), "nowhere.pem: No such file"),
        (lambda at: Tls(crl_path=f"{at}/nowhere.pem"), "nowhere.pem: No such file"),
        (lambda at: Tls(certificate_path=written(BROKER, at / "b")), "b with key in the same file"),
        (lambda at: Tls(ciphers="NONSENSE"), "ciphers 'NONSENSE'"),
        (
            lambda at: Tls(
                certificate_path=written(ANOTHER, at / "c"), key_path=written(LOCKED_KEY, at / "k")
            ),
            "c with key .*k",
        ),
    ],
)
def test_files_that_do_not_work_are_named(make: object, complaint: str, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(LocalProtocolError, match=complaint):
        tls_context(make(tmp_path))
