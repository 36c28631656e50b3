"""Scripts of the simulator: worlds that once broke a promise, and what comes of them now.

Each was shrunk from a failing seed. What is expected stands below the rule; `REWRITE=1` writes what
came of it there instead, for the diff to be judged.
"""

import os
from pathlib import Path

import pytest

from ottla.sim.script import RULE, format_outcome, format_plan, parse_plan
from ottla.sim.trial import try_plan

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))


def test_there_are_scripts() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_ends_as_it_says(path: Path) -> None:
    text = path.read_text()
    before, _, expected = text.partition(f"{RULE}\n")
    found = format_outcome(try_plan(parse_plan(before)).problems)
    if os.environ.get("REWRITE"):
        path.write_text(f"{before}{RULE}\n{found}")
    else:
        assert found == expected


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_plan_survives_being_written_down(path: Path) -> None:
    plan = parse_plan(path.read_text())
    assert parse_plan(format_plan(plan)) == plan
