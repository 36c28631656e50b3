"""A few thousand hostile frames against a whole node, and proof that the harness sees what is wrong.

The same as `python -m tests.fuzz.frames` does at length.
"""

import logging
from random import Random

import pytest

from ottla.broker.handle.list_offsets import HandleListOffsets
from ottla.core.waiting import WaitList
from ottla.errors import RemoteProtocolError
from ottla.wire.api import APIS
from ottla.wire.header import decode_request_header_untrusted
from tests.fuzz import frames
from tests.fuzz.batches import Batches
from tests.fuzz.frames import Life, lived
from tests.fuzz.grammar import Grammar, joined, mutate
from tests.unit.wire.building import api_schemas

FRAMES = 2_000


def grammar(seed: str) -> Grammar:
    random = Random(seed)
    return Grammar(random, api_schemas(), Batches(random))


def test_what_is_drawn_of_every_version_is_read_to_its_last_byte() -> None:
    drawing = grammar("valid")
    for key, schema in drawing.schemas.items():
        for version in range(schema.version_min, schema.version_max + 1):
            for _ in range(4):
                data = memoryview(joined(drawing.request(key, version)))
                api, *_, at = decode_request_header_untrusted(data)
                _, end = api._loaded().read_request(data, at, version)
                assert end == len(data), (schema.name, version)


def test_mutations_of_every_version_raise_nothing_but_what_they_may() -> None:
    drawing = grammar("mutated")
    refused = read = 0
    for key, schema in drawing.schemas.items():
        for version in range(schema.version_min, schema.version_max + 1):
            valid = drawing.request(key, version)
            for _ in range(8):
                data = memoryview(joined(mutate(valid, drawing.random)))
                try:
                    api, said, _, _, at = decode_request_header_untrusted(data)
                    if api.knows(said):
                        api.decode_request_untrusted(data, at, said)
                    read += 1
                except RemoteProtocolError:
                    refused += 1
    assert refused > 500
    assert read > 500


@pytest.mark.parametrize("seed", range(4))
def test_a_life_under_attack_leaves_no_defect(seed: int) -> None:
    tally = lived(seed, FRAMES)
    assert tally.defects == []
    assert tally.frames >= FRAMES
    assert tally.outcomes["answered"] > 300
    assert tally.outcomes["refused"] > 300
    assert tally.outcomes["closed"] > 20
    assert tally.outcomes["silent"] > 0 or seed == 2  # whom no acks=0 reaches


def test_the_same_seed_is_the_same_life() -> None:
    assert lived(7, 700).outcomes == lived(7, 700).outcomes


def test_an_exception_in_a_handler_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *arguments: object) -> None:
        raise IndexError("planted")

    monkeypatch.setattr(HandleListOffsets, "__call__", broken)
    [defect] = lived(0, FRAMES).defects
    assert "IndexError: planted" in defect


@pytest.mark.interpreted
def test_a_reader_that_lets_an_index_error_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: object, data: memoryview, at: int, version: int) -> object:
        return type(self)._loaded(self).read_request(data, at, version)[0]  # type: ignore[attr-defined]

    monkeypatch.setattr(type(APIS[0]), "decode_request_untrusted", careless)
    [defect] = lived(0, FRAMES).defects
    assert "RemoteProtocolError" not in defect


@pytest.mark.interpreted
def test_a_call_that_is_never_answered_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WaitList, "park", lambda *arguments: None)
    found = [defect for seed in range(2) for defect in lived(seed, FRAMES).defects]
    assert any("of which 0 wait" in defect for defect in found)


def test_a_frame_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.target.FRAME_SECONDS_MAX", 0.0)
    with pytest.raises(Exception, match="an arrival of"):
        Life(0)


def test_a_changed_honest_record_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(1)
    life.live(300)
    assert life.honest.written
    life.honest.written[0] = b"another"
    with pytest.raises(Exception, match="honest records are not what was written"):
        life.honest.read()


def test_a_campaign_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "lived", lambda seed: lived(seed, 200))
    try:
        tally = frames._campaign(first=50, step=1, frames=1)
    finally:
        logging.disable(logging.NOTSET)
    assert tally.lives == 1
    assert f"{tally.frames:,} frames in 1 lives" in str(tally)
