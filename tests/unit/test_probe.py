"""Nothing is watched, nothing is tripped and no mistake is made, unless a test world asks for it."""

import re
from pathlib import Path

from ottla import probe


def test_every_point_is_off() -> None:
    probe.mark("a rare branch")
    assert not probe.trips("a short read")
    assert not probe.MUTANTS
    assert not probe.mutant("an old mistake")


def test_a_world_breeds_what_it_names_and_nothing_else() -> None:
    try:
        probe.breed("an old mistake")
        assert probe.mutant("an old mistake")
        assert not probe.mutant("another")
    finally:
        probe.breed()
    assert not probe.MUTANTS


def test_every_mistake_in_the_code_has_its_row_in_the_page_of_mutants() -> None:
    root = Path(__file__).resolve().parents[2]
    switches: set[str] = set()
    for path in (root / "src" / "ottla").rglob("*.py"):
        if path.name != "probe.py":
            switches.update(re.findall(r'probe\.mutant\(\s*"([^"]+)"', path.read_text("utf-8")))
    page = (root / "docs" / "reference" / "mutants.md").read_text("utf-8")
    assert switches == set(re.findall(r"^\| ([A-Z]\S+) \|", page, re.MULTILINE))
