"""Brokers are asked in turns; what is dropped, kept and refused is what the question says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peer import Peer
from question import Figure, Question, Round, Unanswerable, _autogroup_niceness, run


def peer(name: str) -> Peer:
    def start(place: Path) -> object:
        raise AssertionError("nothing is started here")

    return Peer(title=name, version=lambda: "1", start=start)  # type: ignore[arg-type]


class Asked:
    """A question that counts."""

    def __init__(self, *, warm_up: int = 0) -> None:
        self.order: list[str] = []
        self.unprepared: set[str] = set()
        self.gives_up_at: dict[str, int] = {}
        self.breaks_at: dict[str, int] = {}
        self.question = Question(
            name="counted",
            title="Counted",
            how="",
            figures=(Figure(name="number", unit=""),),
            prepare=self._prepare,
            warm_up=warm_up,
            rounds=3,
        )

    @contextmanager
    def _prepare(self, peer: Peer, place: Path) -> Iterator[Round]:
        assert place.is_dir()
        if peer.title in self.unprepared:
            raise Unanswerable("not prepared")
        number = 0

        def once() -> dict[str, float]:
            nonlocal number
            self.order.append(peer.title)
            number += 1
            if self.gives_up_at.get(peer.title) == number:
                raise Unanswerable("no more")
            if self.breaks_at.get(peer.title) == number:
                raise ValueError("an unexpected answer")
            return {"number": number}

        yield once

    def run(self, *names: str) -> dict[str, dict[str, object]]:
        result = run(self.question, {name: peer(name) for name in names})
        return result["peers"]  # type: ignore[return-value]


def test_brokers_take_turns() -> None:
    asked = Asked()
    asked.run("a", "b")
    assert asked.order == ["a", "b", "a", "b", "a", "b"]


def test_a_part_is_put_to_everybody_before_the_next() -> None:
    order: list[str] = []

    @contextmanager
    def prepare(peer: Peer, place: Path) -> Iterator[list[Round]]:
        def part(name: str) -> Round:
            def once() -> dict[str, float]:
                order.append(peer.title + name)
                if peer.title + name == "b2":
                    raise Unanswerable("not that")
                return {name: len(order)}

            return once

        yield [part("1"), part("2"), part("3")]

    question = Question(name="parts", title="", how="", figures=(), prepare=prepare, rounds=2)
    result = run(question, {name: peer(name) for name in "abc"})
    peers: dict[str, dict[str, object]] = result["peers"]  # type: ignore[assignment]
    assert " ".join(order) == "a1 b1 c1 a2 b2 c2 a3 c3 a1 c1 a2 c2 a3 c3"
    assert peers["a"]["rounds"] == [{"1": 1, "2": 4, "3": 7}, {"1": 9, "2": 11, "3": 13}]
    assert peers["b"]["refused"] == "not that"


def test_the_first_round_is_kept_apart_and_those_of_the_warm_up_are_dropped() -> None:
    peers = Asked(warm_up=2).run("a")
    assert peers["a"]["cold"] == {"number": 1}
    assert peers["a"]["rounds"] == [{"number": 3}, {"number": 4}, {"number": 5}]


def test_who_cannot_be_asked_says_why_and_the_others_are() -> None:
    asked = Asked()
    asked.unprepared = {"a"}
    asked.gives_up_at = {"b": 2}
    peers = asked.run("a", "b", "c")
    assert (peers["a"]["refused"], peers["b"]["refused"]) == ("not prepared", "no more")
    assert "rounds" not in peers["b"]
    assert peers["c"]["rounds"] == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert asked.order.count("b") == 2


def test_a_peer_that_breaks_down_costs_only_its_own_answers() -> None:
    asked = Asked()
    asked.breaks_at = {"b": 2}
    peers = asked.run("a", "b")
    assert peers["b"]["refused"] == "it failed (an unexpected answer)"
    assert len(peers["a"]["rounds"]) == 3  # type: ignore[arg-type]


def test_ottla_breaking_down_ends_the_run() -> None:
    asked = Asked()
    asked.breaks_at = {"ottla": 1}
    with pytest.raises(ValueError, match="unexpected"):
        asked.run("ottla", "b")


def test_a_session_without_an_autogroup_stands_as_others_do(tmp_path: Path) -> None:
    told = tmp_path / "autogroup"
    assert _autogroup_niceness(told) == 0
    told.write_text("")
    assert _autogroup_niceness(told) == 0
    told.write_text("/autogroup-123 nice -5\n")
    assert _autogroup_niceness(told) == -5
