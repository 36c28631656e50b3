"""Tables for people, JSON for programs."""

import json

import pytest

from ottla.cli.tabular import elided, table, tell

COLUMNS = ("NAME", "LAG", "LOG-END-OFFSET")
ROWS = [("a-long-name", 5, None), ("b", 1000, 7)]


def test_words_to_the_left_and_numbers_to_the_right() -> None:
    assert list(table(COLUMNS, ROWS)) == [
        "NAME          LAG  LOG-END-OFFSET",
        "a-long-name     5               -",
        "b            1000               7",
    ]


def test_lines_do_not_end_in_blanks() -> None:
    assert list(table(("A", "LONG"), [("x", "y"), ("x", None)])) == ["A  LONG", "x  y", "x  -"]


def test_json_has_a_version_and_names_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    tell("things", COLUMNS, ROWS, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["kind"]) == (1, "things")
    assert told["items"][0] == {"name": "a-long-name", "lag": 5, "log_end_offset": None}


def test_no_rows_are_no_table_but_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    tell("things", COLUMNS, [], as_json=False)
    assert capsys.readouterr().out == ""
    tell("things", COLUMNS, [], as_json=True)
    assert json.loads(capsys.readouterr().out)["items"] == []


def test_where_it_is_too_narrow_headings_break_first() -> None:
    assert list(table(COLUMNS, ROWS, 27)) == [
        "                   LOG-END-",
        "NAME          LAG    OFFSET",
        "a-long-name     5         -",
        "b            1000         7",
    ]


def test_then_columns_go_that_say_nothing() -> None:
    rows = [("a-name", None, "x" * 10, None), ("b", None, None, None)]
    assert list(table(("NAME", "HOST", "TOPIC", "ID"), rows, 20)) == [
        "NAME    TOPIC",
        "a-name  xxxxxxxxxx",
        "b       -",
    ]


def test_then_words_lose_their_middle_and_numbers_never() -> None:
    rows = [("a-very-long-name-of-a-group", 123456789)]
    assert list(table(("GROUP", "LAG"), rows, 24)) == [
        "GROUP                LAG",
        "a-very..group  123456789",
    ]


def test_as_wide_as_it_takes_where_nobody_said_how_wide() -> None:
    assert list(table(("NAME",), [("x" * 500,)])) == ["NAME", "x" * 500]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("orders", 6, "orders"), ("orders-service", 9, "orde..ice"), ("abcdef", 2, "..")],
)
def test_beginnings_and_ends_are_kept(text: str, width: int, expected: str) -> None:
    assert elided(text, width) == expected
