"""A chart is well-formed, has every point in its place, and an axis that holds all of them."""

from xml.etree import ElementTree

import pytest
from svg import BOTTOM, HEIGHT, LEFT, PANEL_WIDTH, RIGHT, TOP, Panel, chart

SVG = "{http://www.w3.org/2000/svg}"


def panel(
    ours: dict[int, float], *, band: tuple[float, float] | None = None, is_log: bool = False
) -> Panel:
    return Panel(
        title="A <title> & more",
        unit="µs",
        across="partitions",
        points={1: "1", 10: "10", 1000: "1,000"},
        lines={"Ottla": ours, "another": {1: 30.0, 10: 40.0}},
        band=band,
        is_log=is_log,
    )


def circles(text: str) -> list[tuple[int, int]]:
    found = ElementTree.fromstring(text).iter(f"{SVG}circle")
    return [(int(one.attrib["cx"]), int(one.attrib["cy"])) for one in found]


def words(text: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(text).iter(f"{SVG}text")]


def test_every_point_of_every_line_has_a_place_inside_the_panel() -> None:
    places = circles(chart([panel({1: 80.0, 10: 100.0, 1000: 135.0})]))
    assert len(places) == 5
    assert all(LEFT <= x <= PANEL_WIDTH - RIGHT for x, _ in places)
    assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in places)


def test_more_is_higher_and_a_thousand_is_three_times_as_far_as_ten() -> None:
    drawn = panel({1: 80.0, 10: 100.0, 1000: 135.0})
    assert drawn.y(135) < drawn.y(100) < drawn.y(80) < drawn.y(0) == HEIGHT - BOTTOM
    assert drawn.x(1) == LEFT
    assert drawn.x(1000) - LEFT == pytest.approx(3 * (drawn.x(10) - LEFT), abs=2)


def test_ours_is_drawn_over_the_others() -> None:
    drawn = panel({1: 80.0})
    assert circles(chart([drawn]))[-1] == (drawn.x(1), drawn.y(80))


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (135.0, [0, 20, 40, 60, 80, 100, 120, 140]),
        (40.0, [0, 10, 20, 30, 40]),
        (7.0, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_an_axis_begins_at_nothing_and_has_round_numbers(highest: float, ticks: list[int]) -> None:
    drawn = Panel(
        title="", unit="", across="", points={1: "", 2: ""}, lines={"Ottla": {1: highest}}
    )
    assert drawn.ticks() == ticks


def test_a_logarithmic_axis_has_powers_of_ten_around_all_values() -> None:
    drawn = panel({1: 80.0, 10: 1_200.0}, is_log=True)
    assert drawn.ticks() == [10, 100, 1_000, 10_000]
    assert drawn.y(100) - drawn.y(1_000) == pytest.approx(drawn.y(1_000) - TOP, abs=1)


def test_the_band_is_inside_the_axis_though_no_line_is_as_high() -> None:
    drawn = panel({1: 100.0, 10: 100.0}, band=(80.0, 120.0))
    assert drawn.ticks()[-1] >= 120
    (_, band) = ElementTree.fromstring(chart([drawn])).iter(f"{SVG}rect")
    assert int(band.attrib["y"]) == drawn.y(120)
    assert int(band.attrib["height"]) == drawn.y(80) - drawn.y(120)


def test_words_are_escaped_and_a_second_panel_stands_beside_the_first() -> None:
    text = chart([panel({1: 1.0}), panel({1: 1.0})])
    assert words(text).count("A <title> & more") == 2
    assert words(text).count("Ottla") == 1
    assert f'viewBox="0 0 {2 * PANEL_WIDTH} {HEIGHT}"' in text
    assert f'translate({PANEL_WIDTH} 0)"' in text
