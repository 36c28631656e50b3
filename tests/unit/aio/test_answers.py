"""Answers: in their order, together, from files in pieces."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from ottla.aio import connection as connection_module
from ottla.aio.connection import LEAN_PIECE_BYTES, PIECE_BYTES
from ottla.aio.disk import RealDisk
from ottla.core.port import FileSlice
from ottla.limits import FETCH_ANSWERS_BYTES_MAX
from ottla.wire.api import APIS, FETCH
from ottla.wire.message.api_versions import ApiVersionsResponse
from tests.unit.aio.serving import (
    Client,
    Run,
    fetch_request,
    fetched,
    joined,
    request,
    run,
    serving,
    still_served,
    until,
)

__all__ = ["run"]


def test_requests_are_answered_in_their_order(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(b"".join(request(number) for number in range(50)))
            assert [(await client.response())[0] for _ in range(50)] == list(range(50))
            assert 1 <= world.turns <= 50
            client.close()
            await until(lambda: world.gone == [1])
            assert world.server.connections == 0
            assert world.server.held_bytes == 0

    run(scenario)


def test_an_earlier_call_without_an_answer_holds_later_ones_back(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1) + request(2))
            await until(lambda: len(world.calls) == 3)
            world.server.answer(world.calls[2], ApiVersionsResponse())
            world.server.answer(world.calls[1], ApiVersionsResponse())
            world.server.answer(world.calls[0], ApiVersionsResponse())
            assert [(await client.response())[0] for _ in range(3)] == [0, 1, 2]
            client.close()

    run(scenario)


def test_a_call_answered_by_nothing_keeps_its_place(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call, None if call.correlation_id == 1 else ApiVersionsResponse()
            )
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1) + request(2))
            assert [(await client.response())[0] for _ in range(2)] == [0, 2]
            client.close()

    run(scenario)


def test_a_request_may_come_byte_by_byte(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(7) + request(8):
                await client.send(bytes((byte,)))
                await asyncio.sleep(0)
            assert [(await client.response())[0] for _ in range(2)] == [7, 8]
            client.close()

    run(scenario)


def test_answers_given_outside_a_turn_leave_together(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty answers of one event are one write."""
    pumps: list[int] = []
    really_pump = connection_module.Connection.pump

    def counted(connection: connection_module.Connection) -> None:
        pumps.append(connection.connection_id)
        really_pump(connection)

    monkeypatch.setattr(connection_module.Connection, "pump", counted)

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            await client.send(b"".join(request(number) for number in range(20)))
            await until(lambda: len(world.calls) == 20)
            assert pumps == []
            for call in world.calls:
                world.server.answer(call, ApiVersionsResponse())
            assert [(await client.response())[0] for _ in range(20)] == list(range(20))
            assert pumps == [1]
            client.close()
            pumps.clear()

    run(scenario)


def test_answers_from_files_arrive_whole_and_in_place(run: Run, tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    data = os.urandom(3_000_000)
    file.append([data])

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call,
                fetched(b"first", FileSlice(file, 5, 2_500_000), FileSlice(file, 0, 3), b"last"),
            )
            client = await Client.connected(world.port)
            await client.send(fetch_request(3) + fetch_request(4))
            expected = joined(
                APIS[FETCH].encode_response(
                    fetched(b"first", data[5:2_500_005], data[:3], b"last"), 4
                )
            )
            assert await client.response() == (3, expected)
            assert await client.response() == (4, expected)
            client.close()

    run(scenario)
    disk.close()


@pytest.mark.parametrize("is_lean", [False, True])
def test_what_was_kept_from_being_tested_is_not_read_again(
    run: Run, tmp_path: Path, is_lean: bool
) -> None:
    """But where all together hold too much it is: a slow reader would hold all of it."""
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([b"f" * 3_000_000])
    head = memoryview(b"h" * (1024 * 1024))

    async def scenario() -> None:
        async with serving() as world:
            if is_lean:
                world.server.held_bytes = FETCH_ANSWERS_BYTES_MAX + 1  # as if others held it
            world.on_call = lambda call: world.server.answer(
                call,
                fetched(
                    FileSlice(file, 0, len(head), head), FileSlice(file, 0, 2_000_000, head[:9])
                ),
            )
            client = await Client.connected(world.port)
            await client.send(fetch_request(3))
            kept = b"f" * len(head) if is_lean else head
            expected = fetched(kept, b"h" * 9 + b"f" * 1_999_991)
            assert await client.response() == (3, joined(APIS[FETCH].encode_response(expected, 4)))
            client.close()

    run(scenario)
    disk.close()


def test_a_reader_that_does_not_read_holds_a_piece_and_not_its_answer(
    run: Run, tmp_path: Path
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([bytes(1_000_000)])
    whole = fetched(*(FileSlice(file, 0, 1_000_000) for _ in range(60)))

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(call, whole)
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(1))
            await until(lambda: world.server.held_bytes > 0)
            assert world.server.held_bytes <= PIECE_BYTES + 64 * 1024
            correlation_id, body = await client.response()
            assert (correlation_id, len(body) > 60_000_000) == (1, True)
            await until(lambda: world.server.held_bytes == 0)
            client.close()

    run(scenario)
    disk.close()


def test_when_all_together_hold_too_much_pieces_become_small(run: Run, tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([bytes(8_000_000)])

    async def scenario() -> None:
        async with serving() as world:
            world.server.held_bytes = FETCH_ANSWERS_BYTES_MAX + 1  # as if others held it
            world.on_call = lambda call: world.server.answer(
                call, fetched(FileSlice(file, 0, 8_000_000))
            )
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(1))
            await until(lambda: world.server.held_bytes > FETCH_ANSWERS_BYTES_MAX + 1)
            held_bytes = world.server.held_bytes - FETCH_ANSWERS_BYTES_MAX - 1
            assert held_bytes <= 2 * 64 * 1024 + LEAN_PIECE_BYTES
            assert len((await client.response())[1]) > 8_000_000
            client.close()

    run(scenario)
    disk.close()


def test_a_file_that_cannot_be_read_ends_the_connection_midway(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)

    async def scenario() -> None:
        async with serving() as world:
            for name, said in (("removed", "cannot be read"), ("short", "ends before byte 20")):
                file = disk.open(name)
                file.append([b"0123456789"])
                part = FileSlice(file, 0, 20 if name == "short" else 10)
                if name == "removed":
                    disk.remove(name)
                world.on_call = lambda call, part=part: world.server.answer(call, fetched(part))
                client = await Client.connected(world.port)
                await client.send(fetch_request(1))
                assert b"0123456789" not in await client.rest()
                assert f"{name} {said}" in caplog.text
                client.close()
            assert await still_served(world)

    run(scenario)
    disk.close()


def test_an_answer_that_cannot_be_encoded_costs_its_connection(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call, ApiVersionsResponse(error_code=1_000_000)
            )
            client = await Client.connected(world.port)
            await client.send(request(0))
            assert await client.rest() == b""
            assert "cannot be encoded" in caplog.text
            client.close()
            assert await still_served(world)

    run(scenario)
