"""The registry of Kafka's tools, and the scripts that call them."""

import importlib
import os
from pathlib import Path

import pytest

from ottla.cli import shims
from ottla.cli.kafka import TOOLS, run_tool
from ottla.cli.main import main


def test_tools_are_sorted_by_name() -> None:
    assert list(TOOLS) == sorted(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_tells_its_flags(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"ottla.cli.kafka.{name.replace('-', '_')}")
    assert callable(module.run)
    with pytest.raises(SystemExit) as ended:
        run_tool(name, ["--help"])
    assert ended.value.code == 0
    assert f"usage: kafka-{name}" in capsys.readouterr().out


def test_a_refusal_of_a_tool_is_told_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kafka", "topics", "--bootstrap-server", "h:1", "--list", "--create"])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("Command must include exactly one action: --list, --describe, --create")
    assert "usage: kafka-topics" in told


def test_a_tool_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kafka", "topicz", "--list"])
    assert ended.value.code == 2
    assert "topicz" in capsys.readouterr().err


def test_shims_are_made_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "bin"
    assert main(["shims", "install", str(directory)]) == 0
    for name in ("kafka-topics", "kafka-topics.sh", "kafka-dump-log.sh"):
        assert os.access(directory / name, os.X_OK)
    assert ' -m ottla.cli.main kafka topics "$@"' in (directory / "kafka-topics.sh").read_text()
    capsys.readouterr()
    assert main(["shims", "list", str(directory)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * len(TOOLS) == len(shims.names())
    assert main(["shims", "remove", str(directory)]) == 0
    assert list(directory.iterdir()) == []


def test_shims_replace_nobody_elses_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "kafka-topics.sh"
    foreign.write_text("#!/bin/sh\n")
    assert main(["shims", "install", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [foreign]
    assert main(["shims", "remove", str(tmp_path)]) == 0
    assert foreign.exists()
    assert main(["shims", "install", str(tmp_path), "--force"]) == 0
    assert "kafka topics" in foreign.read_text()


def test_a_shim_does_not_write_through_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    (tmp_path / "kafka-topics").symlink_to(kept)
    assert main(["shims", "install", str(tmp_path), "--force"]) == 0
    assert kept.read_text() == "kept"
    assert not (tmp_path / "kafka-topics").is_symlink()
