"""The load keeps so many requests in flight, times each, and believes no answer that is an error."""

import socket
import threading
from collections.abc import Iterator
from itertools import repeat

import pytest
import wire
from load import drive, drive_many, everybody

from ottla.wire.api import APIS, FETCH, PRODUCE
from ottla.wire.header import encode_response
from ottla.wire.message.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from ottla.wire.message.produce import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)

REQUEST = b"\x00\x00\x00\x01?"
GOOD = b"\x00\x00\x00\x03yes"


class Answering:
    """Answers every REQUEST in pieces; remembers how many were ahead."""

    def __init__(self, answers: Iterator[bytes], ahead: int = 1) -> None:
        self.near, self._far = socket.socketpair()
        self.near.settimeout(10)
        self._answers = answers
        self._ahead = ahead
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._far as far:
            waiting = 0
            while got := far.recv(len(REQUEST) * self._ahead, socket.MSG_WAITALL):
                waiting += len(got) // len(REQUEST)
                self._ahead = 1
                for byte in next(self._answers):
                    far.sendall(bytes((byte,)))

    def close(self) -> None:
        self.near.close()
        self._thread.join(10)


@pytest.fixture
def answering() -> Iterator[type[Answering]]:
    made: list[Answering] = []

    class Remembered(Answering):
        def __init__(self, answers: Iterator[bytes], ahead: int = 1) -> None:
            super().__init__(answers, ahead)
            made.append(self)

    yield Remembered
    for one in made:
        one.close()


def test_every_request_is_timed(answering: type[Answering]) -> None:
    far = answering(repeat(GOOD))
    took_ns = drive(far.near, repeat(REQUEST, 7), in_flight=1, begins=b"ye")
    assert len(took_ns) == 7
    assert all(took > 0 for took in took_ns)


def test_so_many_requests_go_ahead_of_the_first_answer(answering: type[Answering]) -> None:
    # It answers nothing before three have come: with two in flight nobody would go on.
    far = answering(iter([GOOD * 3, *repeat(GOOD, 4)]), ahead=3)
    assert len(drive(far.near, repeat(REQUEST, 7), in_flight=3, begins=b"yes")) == 7


def test_an_answer_that_begins_otherwise_ends_the_measurement(answering: type[Answering]) -> None:
    far = answering(iter([GOOD, b"\x00\x00\x00\x02no"]))
    with pytest.raises(ValueError, match="unexpected"):
        drive(far.near, repeat(REQUEST, 3), in_flight=1, begins=b"yes")


class Whole(Answering):
    def _run(self) -> None:
        with self._far as far:
            while far.recv(len(REQUEST), socket.MSG_WAITALL):
                far.sendall(next(self._answers))


def test_many_connections_take_turns() -> None:
    counts = [0] * 4

    def counting(at: int) -> Iterator[bytes]:
        while True:
            counts[at] += 1
            yield GOOD

    far = [Whole(counting(at)) for at in range(4)]
    try:
        connections = [one.near for one in far]
        took_ns = drive_many(connections, REQUEST, 12, begins=b"yes", at_once=1)
        assert (len(took_ns), counts) == (12, [3, 3, 3, 3])
        assert len(drive_many(connections, REQUEST, 8, begins=b"yes")) == 8
        for connection in connections:
            connection.sendall(REQUEST)
        assert everybody(connections) == [b"yes"] * 4
    finally:
        for one in far:
            one.close()


def produce_answer(topic: str, error_code: int) -> bytes:
    rows = [PartitionProduceResponse(0, error_code, 42)]
    response = ProduceResponse([TopicProduceResponse(topic, partition_responses=rows)])
    body = APIS[PRODUCE].encode_response(response, wire.PRODUCE_VERSION)
    return b"".join(map(bytes, encode_response(APIS[PRODUCE], wire.PRODUCE_VERSION, 1, body)))[4:]


def fetch_answer(topic: str, error_code: int) -> bytes:
    rows = [PartitionData(0, error_code, 42, records=b"batch")]
    response = FetchResponse(responses=[FetchableTopicResponse(topic, partitions=rows)])
    body = APIS[FETCH].encode_response(response, wire.FETCH_VERSION)
    return b"".join(map(bytes, encode_response(APIS[FETCH], wire.FETCH_VERSION, 1, body)))[4:]


def test_how_a_success_begins_is_how_our_own_codec_writes_it() -> None:
    assert produce_answer("topic", 0).startswith(wire.produced("topic"))
    assert not produce_answer("topic", 3).startswith(wire.produced("topic"))
    assert fetch_answer("topic", 0).startswith(wire.fetched("topic"))
    assert not fetch_answer("topic", 3).startswith(wire.fetched("topic"))
    assert wire.fetched_bytes(fetch_answer("topic", 0)) == 5
    assert wire.fetched_bytes(fetch_answer("topic", 3)) == 0
