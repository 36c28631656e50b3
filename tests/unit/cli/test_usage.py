"""What is said of a line that makes no sense: the object, the nearest valid name, the way out."""

import argparse
import os
import sys

import pytest

from ottla.cli import main as command
from ottla.cli.main import main
from ottla.cli.usage import listed


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("topik", "there is no 'topik'. Did you mean topic? See: ottla --help"),
        ("topic lsit", "there is no 'lsit'. Did you mean list? See: ottla topic --help"),
        ("topic list --jsno", "there is no --jsno. Did you mean --json?"),
        ("topic list --zzz", "there is no --zzz. See: ottla topic list --help"),
        ("topic create orders --partition=x --zzz", "'x' is no whole number."),
        ("--vresion", "there is no --vresion. Did you mean --version?"),
        ("topic create", "NAME is missing. See: ottla topic create --help"),
        ("topic create a b", "'b' is one word too many."),
        ("produce t --compression gzpi", "there is no 'gzpi'. Did you mean gzip?"),
        ("completion tcsh", "There are bash, zsh and fish."),
        ("log list", "There is verify."),
        ("", "COMMAND is missing. See: ottla --help"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(line.split())
    told = capsys.readouterr()
    assert exit_info.value.code == 2
    assert said in told.err
    assert told.err.startswith("ottla")
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_every_command_is_described_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    parser, loaded = command.parser_of(command.COMMANDS)
    assert loaded.keys() == command.COMMANDS.keys()
    for name, entry in command.COMMANDS.items():
        assert entry.help in parser.format_help().replace("\n              ", " ")
        with pytest.raises(SystemExit) as exit_info:
            main([name, "--help"])
        assert exit_info.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: ottla {name}")


def test_help_fits_into_a_terminal_and_explains_names_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parsers = [command.parser_of(command.COMMANDS)[0]]
    while parsers:
        parser = parsers.pop()
        for line in parser.format_help().splitlines():
            assert len(line) <= 80, (parser.prog, line)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += {id(one): one for one in action.choices.values()}.values()
                listed = parser.format_help()
                for one in action._get_subactions():
                    assert f" {one.metavar or one.dest}  " in listed, (parser.prog, one.dest)


def test_a_command_that_is_not_asked_for_is_not_loaded() -> None:
    assert command.parser_of(())[1] == {}
    assert list(command.parser_of(["topic"])[1]) == ["topic"]


def test_a_reader_that_goes_away_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["completion", "bash"]) == 0


def test_a_list_of_names_reads_as_one() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
