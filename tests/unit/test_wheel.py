"""Which modules become machine code, and that what they say means the same there (ADR 19)."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

from compile import ASKED, Compile  # noqa: E402

HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
    "wheel"
]["hooks"]["custom"]


def found(glob: str) -> set[Path]:
    return set((ROOT / "src").glob(glob))


COMPILED = set[Path]().union(*map(found, HOOK["compiled"]))
LEFT = set[Path]().union(*map(found, HOOK["interpreted"]))


def hook() -> Compile:
    return Compile(str(ROOT), HOOK, None, None, str(ROOT / "dist"), "wheel")  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["standard", "editable"])
@pytest.mark.parametrize("asked", [None, "", "0"])
def test_who_does_not_ask_gets_a_pure_wheel(
    version: str, asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ASKED, raising=False)
    if asked is not None:
        monkeypatch.setenv(ASKED, asked)
    build_data: dict[str, object] = {}
    hook().initialize(version, build_data)
    assert (build_data, hook().dependencies()) == ({}, [])


def test_an_editable_install_is_pure_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED, "1")
    build_data: dict[str, object] = {}
    hook().initialize("editable", build_data)
    assert build_data == {}
    assert len(hook().dependencies()) == 1


def test_every_pattern_names_something() -> None:
    for glob in HOOK["compiled"]:
        assert found(glob) - LEFT, glob
    for glob in HOOK["interpreted"]:
        assert found(glob) & COMPILED, glob


def generators_that_clean_up(tree: ast.Module) -> Iterator[int]:
    """Lines of a `yield` whose generator still has something to do when it is forgotten."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) or (isinstance(node, ast.Try) and node.finalbody):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Yield | ast.YieldFrom):
                    yield inner.lineno


def operands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from operands(node.left)
        yield from operands(node.right)
    else:
        yield node


def unions_of_numbers(tree: ast.Module) -> Iterator[int]:
    """Lines where something is an `int` or an ErrorCode, which is one too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            names = {one.id for one in operands(node) if isinstance(one, ast.Name)}
            if {"int", "ErrorCode"} <= names:
                yield node.lineno


def test_what_is_compiled_means_the_same_natively() -> None:
    for path in sorted(COMPILED - LEFT):
        tree = ast.parse(path.read_text())
        assert not list(generators_that_clean_up(tree)), path
        assert not list(unions_of_numbers(tree)), path


def test_what_would_not_is_found() -> None:
    cleans_up = "def f():\n    try:\n        yield 1\n    finally:\n        done()\n"
    assert list(generators_that_clean_up(ast.parse(cleans_up))) == [3]
    union = "def f() -> int | ErrorCode | None: ...\n"
    assert set(unions_of_numbers(ast.parse(union))) == {1}
    assert not list(unions_of_numbers(ast.parse("both: list[int] | ErrorCode\n")))
