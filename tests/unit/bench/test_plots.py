"""The page of growth says what is flat, draws what was measured, and names every figure once."""

from xml.etree import ElementTree

import page
import plots
import pytest
from lines import LINES, PARTITIONS, Line, counted

LINE = PARTITIONS[0]


def result(ours: dict[str, float] | None = None) -> page.Result:
    """All cost 100 µs, but for what `ours` says; Apache Kafka twice as much."""
    names = [line.figure(point) for line in LINES for point in line.points]
    flat = dict.fromkeys(names, 100.0)
    return {
        "question": "growth",
        "title": "Growth",
        "how": "So.",
        "figures": [{"name": name, "unit": "µs", "more_is_better": False} for name in names],
        "run": {
            "when": "then",
            "commit": "c",
            "rounds": 1,
            "warm_up": 0,
            "others": 0.0,
            "priority": 0,
        },
        "machine": {},
        "peers": {
            "kafka": {
                "title": "Apache Kafka",
                "version": "4",
                "rounds": [dict.fromkeys(names, 200.0)],
            },
            "mock": {"title": "A mock", "version": "0", "refused": "it can't"},
            "ottla": {"title": "Ottla", "version": "1", "rounds": [flat | (ours or {})]},
        },
    }


@pytest.mark.parametrize(
    ("point", "unit", "text"),
    [
        (1, "partitions", "1 partition"),
        (5_000, "partitions", "5,000 partitions"),
        (100, "B", "100 B"),
        (10_000, "B", "10 KB"),
        (1_000_000_000, "B", "1 GB"),
    ],
)
def test_points_are_counted_in_words(point: int, unit: str, text: str) -> None:
    assert counted(point, unit) == text


def test_no_two_points_have_one_name() -> None:
    names = [line.figure(point) for line in LINES for point in line.points]
    assert len(names) == len(set(names))


def test_a_line_that_stays_near_its_first_point_is_flat() -> None:
    told = plots.verdict(LINE, result({LINE.figure(100): 119.0, LINE.last: 110.0}))
    assert "in flight: flat." in told
    assert "5,000 partitions cost 1.10 times what 1 partition did" in told
    assert "the dearest point, 1.19 times, is 100 partitions" in told


def test_one_dear_point_makes_a_line_not_flat() -> None:
    assert "**not flat**" in plots.verdict(LINE, result({LINE.figure(100): 121.0}))


def test_everything_that_the_page_shows_is_a_file_and_every_figure_is_in_a_table() -> None:
    files = plots.files(result())
    text = files[plots.PAGE]
    for path, content in files.items():
        if path != plots.PAGE:
            assert f"({path.relative_to(plots.PAGE.parent)})" in text
            ElementTree.fromstring(content)
    for line in LINES:
        for point in line.points:
            assert text.count(f"| {line.figure(point)} |") == 1


def test_who_was_not_asked_is_not_drawn_and_ottla_comes_first() -> None:
    for path, content in plots.files(result()).items():
        if path != plots.PAGE:
            assert "A mock" not in content
            assert content.index(">Ottla<") < content.index(">Apache Kafka<")


def test_a_figure_that_a_peer_has_not_is_left_out_of_its_line() -> None:
    partly = result()
    del partly["peers"]["kafka"]["rounds"][0][LINE.last]
    assert plots.files(partly)


def test_what_grows_by_nature_is_not_judged() -> None:
    batch: Line = plots.PLOTS[-1].lines[0]
    text = plots.files(result({batch.last: 10_000.0}))[plots.PAGE]
    assert f"- {batch.request}" not in text
