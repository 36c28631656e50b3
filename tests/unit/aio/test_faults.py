"""Whose fault it was: what a peer that breaks the protocol loses, and what our own mistakes cost."""

import asyncio
import logging
import struct

import pytest

from ottla.errors import Bug
from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.server import Call
from tests.unit.aio.serving import (
    LIMIT_BYTES,
    Client,
    Run,
    request,
    run,
    serving,
    still_served,
    until,
)

__all__ = ["run"]


BAD_FRAMES = {
    "giant": struct.pack(">i", 2**31 - 1),
    "above the limit": struct.pack(">i", LIMIT_BYTES + 1),
    "negative": struct.pack(">i", -1),
    "zero": struct.pack(">i", 0),
    "unknown api": struct.pack(">ihhi", 8, 999, 0, 0),
    "garbage": bytes(range(200, 256)) * 3,
    "cut header": struct.pack(">ihhihb", 11, 18, 0, 0, 100, 65),
}


@pytest.mark.parametrize("name", list(BAD_FRAMES))
def test_a_bad_frame_ends_its_connection_and_no_other(
    run: Run, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            bystander = await Client.connected(world.port)
            await bystander.send(request(5))
            await until(lambda: len(world.calls) == 1)
            bad = await Client.connected(world.port)
            await bad.send(BAD_FRAMES[name])
            assert await bad.rest() == b""
            peer_port = bad.socket.getsockname()[1] if bad.socket.fileno() >= 0 else 0
            warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
            assert len(warnings) == 1
            assert f":{peer_port}" in warnings[0].getMessage()
            assert world.broken == []
            world.server.answer(world.calls[0], ApiVersionsResponse())
            assert (await bystander.response())[0] == 5
            bad.close()
            bystander.close()

    run(scenario)


def test_a_browser_is_told_what_this_is(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(b"GET /topics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = (await client.rest()).decode()
            head, _, text = answer.partition("\r\n\r\n")
            assert head.startswith("HTTP/1.1 400 Bad Request\r\n")
            assert f"Content-Length: {len(text)}" in head
            assert f"bootstrap.servers=127.0.0.1:{world.port}" in text
            assert "HTTP" in caplog.text
            client.close()
            assert await still_served(world)

    run(scenario)


def test_a_tls_client_gets_an_alert_and_the_log_says_why(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        import ssl

        async with serving() as world:
            context = ssl.create_default_context()
            with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
                await asyncio.open_connection("127.0.0.1", world.port, ssl=context)
            assert "TLS" in caplog.text
            assert "PLAINTEXT" in caplog.text
            assert await still_served(world)

    run(scenario)


def test_a_failed_request_costs_one_connection(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as world:

            def fail(call: Call) -> None:
                raise KeyError("a mistake of ours")

            world.on_call = fail
            client = await Client.connected(world.port)
            await client.send(request(0))
            assert await client.rest() == b""
            assert "a mistake of ours" in caplog.text
            assert world.broken == []
            client.close()
            assert await still_served(world)

    run(scenario)


@pytest.mark.parametrize("error", [AssertionError("a > b"), Bug("twice")])
def test_a_broken_invariant_is_reported_and_nothing_more_is_handed_over(
    run: Run, error: Exception
) -> None:
    async def scenario() -> None:
        async with serving() as world:

            def fail(call: Call) -> None:
                world.server.abort()  # what the broker does when it is told
                raise error

            world.on_call = fail
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1))
            await client.rest()
            assert world.broken == [error]
            assert len(world.calls) == 1
            client.close()

    run(scenario)


def test_ending_a_connection_warns_once_and_others_go_on(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.end(call.origin.connection_id, "no reason")
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1))
            assert await client.rest() == b""
            assert len(world.calls) == 1
            assert caplog.text.count("connection closed: no reason") == 1
            world.server.end(99, "nobody")
            world.server.answer(world.calls[0], ApiVersionsResponse())
            client.close()

    run(scenario)
