"""What a terminal gets that a pipe does not: color, a width, a bar."""

import io

import pytest

from ottla.cli.terminal import Progress, bar, colored, height, width


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    return Terminal()


def test_color_is_for_terminals_whose_user_wants_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert colored("ok", "green", terminal) == "\x1b[32mok\x1b[0m"
    assert colored("ok", "green", io.StringIO()) == "ok"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colored("ok", "green", terminal) == "ok"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert colored("ok", "green", terminal) == "ok"


def test_only_a_terminal_has_a_width(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (width(terminal), height(terminal)) == (60, 20)
    assert width(io.StringIO()) is None
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("LINES")
    assert (width(terminal), height(terminal)) == (80, 24)


@pytest.mark.parametrize(
    ("done", "total", "columns", "expected"),
    [
        (0, 100, 60, "[                           ]   0 %  0 of 100 records  0/s"),
        (50, 100, 60, "[===========>             ]  50 %  50 of 100 records  50/s"),
        (100, 100, 60, "[=======================] 100 %  100 of 100 records  100/s"),
        (5, 0, 60, "[=============================] 100 %  5 of 0 records  5/s"),
        (50, 100, 20, " 50 %  50 of 100 re"),
        (5_000, None, 60, "5,000 records  5,000/s"),
        (5_000, None, 12, "5,000 recor"),
    ],
)
def test_a_bar_fits(done: int, total: int | None, columns: int, expected: str) -> None:
    assert bar(done, total, "records", done, columns) == expected


def test_progress_is_drawn_late_seldom_and_wiped(terminal: Terminal) -> None:
    now = 0.0
    progress = Progress(10, "records", terminal, lambda: now)
    progress.at(1)
    assert terminal.getvalue() == ""
    now = 1.0
    progress.at(2)
    progress.at(3)
    assert terminal.getvalue().count("\r") == 1
    assert "20 %  2 of 10 records  2/s" in terminal.getvalue()
    progress.wipe()
    assert terminal.getvalue().endswith("\r\x1b[K")
    progress.wipe()
    assert terminal.getvalue().count("\r") == 2


def test_a_pipe_gets_no_progress() -> None:
    now = 0.0
    pipe = io.StringIO()
    progress = Progress(10, "records", pipe, lambda: now)
    now = 9.0
    progress.at(5)
    progress.wipe()
    assert pipe.getvalue() == ""
