"""Answers: in their order, together, from files in pieces."""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from ottla.aio import connection as connection_module
from ottla.aio.connection import LEAN_PIECE_BYTES, PIECE_BYTES
from ottla.aio.disk import RealDisk
from ottla.aio.past_transport import SENT_AS_FILE_BYTES_MIN
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


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="sendfile is used on Linux only")
def test_long_stretches_leave_without_being_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also to a reader that leaves the socket full again and again, and short ones do not."""
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    data = os.urandom(6_000_000)
    file.append([data])
    sent: list[tuple[int, int]] = []
    full = 0
    really_send = os.sendfile

    def counted(there: int, here: int, position: int, size_bytes: int) -> int:
        nonlocal full
        sent_bytes = really_send(there, here, position, size_bytes)
        sent.append((position, sent_bytes))
        full += sent_bytes < size_bytes
        return sent_bytes

    really_write = os.write

    def partly(there: int, chunk: bytes) -> int:
        return really_write(there, chunk[: len(chunk) // 2 + 1])

    monkeypatch.setattr(os, "sendfile", counted)
    monkeypatch.setattr(os, "write", partly)
    small = SENT_AS_FILE_BYTES_MIN - 1
    slices = [(7, 5_000_000), (0, small), (small, SENT_AS_FILE_BYTES_MIN), (9, 3_000_000)]

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call, fetched(*(FileSlice(file, *one) for one in slices), b"last")
            )
            whole = fetched(*(data[at : at + size_bytes] for at, size_bytes in slices), b"last")
            expected = joined(APIS[FETCH].encode_response(whole, 4))
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(3) + fetch_request(4))
            assert await client.response() == (3, expected)
            assert await client.response() == (4, expected)
            await until(lambda: world.server.held_bytes == 0)
            client.close()

    run(scenario)
    assert full > 0
    assert sum(sent_bytes for _, sent_bytes in sent) > 2_000_000
    assert not [position for position, _ in sent if position == 0]
    disk.close()


def test_a_stretch_does_not_overtake_what_the_transport_has(run: Run, tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([b"f" * SENT_AS_FILE_BYTES_MIN])

    async def scenario() -> None:
        async with serving() as world:
            short = fetched(b"s" * 10_000)
            world.on_call = lambda call: None
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0))
            await until(lambda: len(world.calls) == 1)
            (connection,) = world.server._connections.values()
            while not connection._transport.get_write_buffer_size():
                world.server.answer(world.calls[-1], short)
                await asyncio.sleep(0)
                calls = len(world.calls)
                await client.send(fetch_request(calls))
                await until(lambda calls=calls: len(world.calls) == calls + 1)  # type: ignore[misc]
            came = b""
            with suppress(
                BlockingIOError
            ):  # there is room again, of which the loop knows nothing yet
                while True:
                    came += client.socket.recv(1 << 20)
            whole = fetched(FileSlice(file, 0, SENT_AS_FILE_BYTES_MIN))
            world.server.answer(world.calls[-1], whole)
            await asyncio.sleep(0)
            numbers = range(len(world.calls) - 1)
            bodies = [joined(APIS[FETCH].encode_response(short, 4))] * len(numbers)
            bodies.append(
                joined(APIS[FETCH].encode_response(fetched(b"f" * SENT_AS_FILE_BYTES_MIN), 4))
            )
            expected = b"".join(
                struct.pack(">ii", 4 + len(body), number) + body
                for number, body in enumerate(bodies)
            )
            came += await client.read(len(expected) - len(came))
            assert came == expected
            client.close()

    run(scenario)
    disk.close()


def test_who_leaves_in_the_middle_of_a_stretch_leaves_the_others_alone(
    run: Run, tmp_path: Path
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([bytes(8_000_000)])

    async def scenario() -> None:
        async with serving() as world:
            part = FileSlice(file, 0, 8_000_000)
            world.on_call = lambda call: world.server.answer(call, fetched(part))
            for number in range(1, 4):
                client = await Client.connected(world.port, receive_buffer_bytes=4096)
                client.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                await client.send(fetch_request(1))
                await client.read(1_000_000 * number)
                client.close()  # by a reset
                await until(lambda number=number: len(world.gone) == number)  # type: ignore[misc]
            assert world.server.held_bytes == 0
            world.on_call = None
            assert await still_served(world)

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
            for name, times in product(("removed", "short"), (1, SENT_AS_FILE_BYTES_MIN)):
                file = disk.open(f"{name}-{times}")
                file.append([b"0123456789" * times])
                part = FileSlice(file, 0, (20 if name == "short" else 10) * times)
                said = f"ends before byte {20 * times:,}"
                if name == "removed":
                    disk.remove(file.path)
                    said = "cannot be read"
                world.on_call = lambda call, part=part: world.server.answer(call, fetched(part))
                client = await Client.connected(world.port)
                await client.send(fetch_request(1))
                assert len(await client.rest()) <= 10 * times + 100
                assert f"{file.path} {said}" in caplog.text
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
