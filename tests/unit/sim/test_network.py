"""Bytes arrive in the order of their connection, late, or not at all; never changed."""

from collections.abc import Callable

from ottla.sim.clock import Events
from ottla.sim.network import Connection, Wire


class Ends:
    """Both ends of connections, writing down what reaches them."""

    def __init__(self) -> None:
        self.events = Events(1)
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.told: list[str] = []
        self.held: list[Callable[[], None]] | None = None
        self.wire = Wire(self.events.chance("wire"), 1_000)

    def connect(self) -> Connection:
        return Connection(self.events, self.wire, self, self, 1, lazy=False, ended=lambda *_: None)

    def accepts(self) -> bool:
        return True

    def holds(self, what: Callable[[], None]) -> bool:
        if self.held is not None:
            self.held.append(what)
        return self.held is not None

    def arrived(self, connection: Connection, data: bytes) -> None:
        self.up.append(data)

    def disconnected(self, connection: Connection) -> None:
        self.told.append("node")

    def answered(self, connection: Connection, data: bytes) -> None:
        self.down.append(data)

    def lost(self, connection: Connection, reason: str) -> None:
        self.told.append("client")

    def run(self) -> None:
        while self.events.next_us() is not None:
            self.events.run_next()


def test_order_holds_within_a_connection() -> None:
    ends = Ends()
    connection = ends.connect()
    sent = [b"%d" % number for number in range(200)]
    for data in sent:
        connection.send(data)
        connection.reply([data + b" and a longer answer"])
    ends.run()
    assert ends.up == sent
    assert b"".join(ends.down) == b"".join(one + b" and a longer answer" for one in sent)
    assert ends.told == []


def test_what_was_sent_before_a_close_still_arrives() -> None:
    ends = Ends()
    connection = ends.connect()
    connection.send(b"last words")
    connection.close_by_client()
    connection.send(b"never")
    ends.run()
    assert ends.up == [b"last words"]
    assert ends.told == ["node"]


def test_a_reset_takes_what_is_under_way_and_tells_both_ends() -> None:
    ends = Ends()
    connection = ends.connect()
    connection.reset()
    connection.send(b"lost")
    connection.reply([b"lost"])
    ends.run()
    assert (ends.up, ends.down) == ([], [])
    assert sorted(ends.told) == ["client", "node"]


def test_a_half_open_connection_swallows_one_direction_silently() -> None:
    ends = Ends()
    connection = ends.connect()
    connection.mute_up = True
    connection.send(b"vanishes")
    connection.reply([b"arrives"])
    ends.run()
    assert (ends.up, ends.down) == ([], [b"arrives"])
    connection.close_by_client()
    ends.run()
    assert ends.told == []  # the node never learns of it


def test_a_clogged_wire_delivers_after_a_newer_connection() -> None:
    ends = Ends()
    old = ends.connect()
    ends.wire.up_free_us = 500_000
    old.send(b"old")
    ends.wire.up_free_us = 0
    ends.connect().send(b"new")
    ends.run()
    assert ends.up == [b"new", b"old"]


def test_a_process_that_ends_tells_its_clients() -> None:
    ends = Ends()
    connection = ends.connect()
    connection.process_ended("killed", 0)
    connection.send(b"to nobody")
    ends.run()
    assert ends.up == []
    assert ends.told == ["client"]


def test_what_arrives_at_a_paused_process_waits_in_its_order() -> None:
    ends = Ends()
    connection = ends.connect()
    ends.held = []
    for data in (b"1", b"2"):
        connection.send(data)
    connection.close_by_client()
    ends.run()
    assert (ends.up, ends.told) == ([], [])
    held, ends.held = ends.held, None
    for what in held:
        what()
    assert (ends.up, ends.told) == ([b"1", b"2"], ["node"])
