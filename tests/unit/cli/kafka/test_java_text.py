"""Numbers and JSON, digit for digit as Java writes them."""

import math

import pytest

from ottla.cli.kafka.java_text import java_double, java_json, java_rounded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (0.001, "0.001"),
        (0.0009, "9.0E-4"),
        (1234567.5, "1234567.5"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-1.25e22, "-1.25E22"),
        (1024.0 * 1024 * 1024, "1.073741824E9"),
        (5.04201680672269, "5.04201680672269"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_a_double_reads_back_the_same(value: float, expected: str) -> None:
    assert java_double(value) == expected


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (0.125, 2, "0.13"),
        (2.5, 0, "3"),
        (92.807425, 1, "92.8"),
        (1.0, 4, "1.0000"),
        (1e-9, 2, "0.00"),
        (math.inf, 2, "Infinity"),
    ],
)
def test_halves_are_rounded_up(value: float, places: int, expected: str) -> None:
    assert java_rounded(value, places) == expected


def test_json_is_one_line_with_jacksons_escapes() -> None:
    shown = java_json(
        {"a": [1, None, True, 1.0], "b": 'q"\\\n\t\x1f/é\x7f', "c": {}, "d": [], "e": math.nan}
    )
    assert shown == (
        '{"a":[1,null,true,1.0],"b":"q\\"\\\\\\n\\t\\u001F/é\x7f","c":{},"d":[],"e":"NaN"}'
    )
