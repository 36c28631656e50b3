"""The checker of settings, shown what no order of requests makes, says so; and else it doesn't."""

import pytest

from ottla.sim.checker import answers, configs
from ottla.sim.history import Alter, ConfigsSeen, Inquiry, Insult, Outcome
from tests.unit.sim.checker.tale import TOPIC, Tale


def altered(
    tale: Tale,
    asked: int,
    changes: dict[str, str | None],
    outcome: Outcome = Outcome.OK,
    *,
    whole: bool = False,
    refusable: bool = False,
) -> None:
    one = Alter(1, asked * 1000, topic=TOPIC, changes=changes, whole=whole, refusable=refusable)
    one.end(asked * 1000 + 500, outcome)
    tale.history.note(one)


def seen(tale: Tale, asked: int, settings: dict[str, str]) -> None:
    one = ConfigsSeen(1, asked * 1000, topic=TOPIC, final=False)
    one.configs = settings
    one.end(asked * 1000 + 500, Outcome.OK)
    tale.history.note(one)


def test_what_was_altered_is_what_is_seen() -> None:
    tale = Tale()
    seen(tale, 5, {})
    altered(tale, 10, {"a": "1", "b": "2"})
    seen(tale, 15, {"a": "1", "b": "2"})
    altered(tale, 20, {"a": None})
    seen(tale, 25, {"b": "2"})
    altered(tale, 30, {"c": "3"}, whole=True)
    seen(tale, 35, {"c": "3"})
    assert tale.judged() == []


@pytest.mark.parametrize("settings", [{}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"a": "2"}])
def test_half_of_what_was_altered_or_something_else_is_seen(settings: dict[str, str]) -> None:
    tale = Tale()
    altered(tale, 10, {"a": "1", "b": "2"})
    seen(tale, 15, settings)
    assert tale.judged() == [configs.PROMISE]


def test_what_was_refused_is_not_seen() -> None:
    tale = Tale()
    altered(tale, 10, {"a": "1", "b": "bad"}, Outcome.FAIL, refusable=True)
    seen(tale, 15, {})
    assert tale.judged() == []
    seen(tale, 16, {"a": "1"})
    assert tale.judged() == [configs.PROMISE]


def test_what_must_be_refused_is_not_confirmed() -> None:
    tale = Tale()
    altered(tale, 10, {"a": "bad"}, refusable=True)
    assert tale.judged() == [configs.PROMISE]


def test_a_change_that_nobody_knows_of_may_come_late_but_whole() -> None:
    tale = Tale()
    altered(tale, 10, {"a": "1", "b": "2"}, Outcome.INFO)
    seen(tale, 15, {})
    altered(tale, 20, {"a": "3"})
    seen(tale, 25, {"a": "3"})
    seen(tale, 30, {"a": "1", "b": "2"})
    seen(tale, 35, {"a": "3", "b": "2"})
    assert tale.judged() == []
    seen(tale, 40, {"a": "1"})
    assert tale.judged() == [configs.PROMISE]


def test_a_question_that_the_node_could_make_nothing_of() -> None:
    tale = Tale()
    one = Inquiry(1, 10_000, api_key=60, about=TOPIC)
    one.end(11_000, Outcome.OK)
    tale.history.note(one)
    assert tale.judged() == []
    one.problem = "UNKNOWN_SERVER_ERROR"
    assert tale.judged() == [answers.PROMISE]


def test_bytes_that_are_no_request_are_not_answered() -> None:
    tale = Tale()
    one = Insult(1, 10_000, kind="negative size", must_close=True)
    one.end(11_000, Outcome.OK)
    tale.history.note(one)
    assert tale.judged() == []
    one.answered_bytes = 9
    assert tale.judged() == [answers.PROMISE]
