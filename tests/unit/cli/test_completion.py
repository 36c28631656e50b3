"""What bash completes, asked of bash; and that the other shells know the same words."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ottla.cli.completion import SCRIPTS, places
from ottla.cli.main import COMMANDS, main, parser_of

BASH = shutil.which("bash")

_ASK = """\
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_ottla
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "ottla.bash"
    path.write_text("\n".join(SCRIPTS["bash"](dict(places("ottla", parser_of(COMMANDS)[0])))))
    return path


@pytest.mark.skipif(BASH is None, reason="asks bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["to"], {"topic"}),
        (["topic", "cr"], {"create"}),
        (["topic", "list", "--js"], {"--json"}),
        (["topic", "create", "topic", "--par"], {"--partitions"}),
        (["produce", "--compression", ""], {"none", "gzip", "snappy", "lz4", "zstd"}),
        (["produce", "orders", "--compression", "z"], {"zstd"}),
        (["group", "reset-offsets", "g", "--to-e"], {"--to-earliest"}),
        (["completion", "f"], {"fish"}),
        (["kafka", "top"], {"topics"}),
        (["topic", "create", "--partitions", ""], set()),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], script: Path) -> None:
    assert BASH is not None
    asked = [BASH, "--norc", "-c", _ASK, "bash", str(script), "ottla", *words]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


@pytest.mark.skipif(BASH is None, reason="asks bash")
def test_bash_completes_files_where_a_file_is_expected(script: Path) -> None:
    assert BASH is not None
    begun = str(script)[:-3]
    words = ["ottla", "group", "reset-offsets", "g", "--from-file", begun]
    asked = [BASH, "--norc", "-c", _ASK, "bash", str(script), *words]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == [str(script)]


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_every_shell_is_told_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    for name in (*COMMANDS, "reset-offsets", "watch"):
        assert re.search(rf"[ '(]{name}[ ':)]", told), name


def test_help_texts_break_no_quotes() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--of", help="the broker's: 50 %% of 'it'")
    parser.add_argument("--at", metavar="FILE", help="where")
    found = dict(places("ottla", parser))["ottla"]
    assert found.words["--of"] == "the brokers, 50 % of it"
    assert found.takes == {"--of": (), "--at": None}
