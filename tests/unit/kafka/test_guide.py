"""The examples of docs/guide run as they are printed."""

import contextlib
import io
import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guide"
EXAMPLES = [
    pytest.param(example, id=f"{page.stem}-{number}")
    for page in sorted(GUIDE.glob("*.md"))
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_prints_what_stands_beside_it(example: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(example, "example", "exec"), {})
    assert said.getvalue().splitlines() == re.findall(r"print\(.*\)  # (.*)", example)
