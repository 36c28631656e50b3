"""Lines become records in the form of Kafka's line reader."""

import pytest

from ottla.cli.kafka.line_reader import Line, LineReader, UnreadableLine
from ottla.errors import LocalProtocolError


def reader(*settings: str) -> LineReader:
    return LineReader(dict(word.split("=", 1) for word in settings))


KEY = "parse.key=true"
HEADERS = "parse.headers=true"


@pytest.mark.parametrize(
    ("settings", "line", "expected"),
    [
        ([], b"", Line(None, b"", ())),
        ([], b"a\tb", Line(None, b"a\tb", ())),
        ([], b"a\xff", Line(None, "a\N{REPLACEMENT CHARACTER}".encode(), ())),
        ([KEY], b"k\tv\tw", Line(b"k", b"v\tw", ())),
        ([KEY, "key.separator=::"], b"k::v", Line(b"k", b"v", ())),
        (
            [KEY, HEADERS],
            b"h:1,g:2:3\tk\tv",
            Line(b"k", b"v", (("h", b"1"), ("g", b"2:3"))),
        ),
        (
            [HEADERS, "headers.delimiter=|", "headers.separator=;", "headers.key.separator=="],
            b"h=1;g=|v",
            Line(None, b"v", (("h", b"1"), ("g", b""))),
        ),
        (
            [KEY, HEADERS, "null.marker=N"],
            b"h:N\tN\tN",
            Line(None, None, (("h", None),)),
        ),
        ([KEY, HEADERS, "null.marker=N"], b"N\tk\tv", Line(b"k", b"v", ())),
        ([KEY, "ignore.error=true"], b"v", Line(None, b"v", ())),
        ([HEADERS, "ignore.error=true"], b"h\tv", Line(None, b"v", (("h", None),))),
        ([HEADERS], b"a:1,\tv", Line(None, b"v", (("a", b"1"),))),
    ],
)
def test_a_line_is_taken_apart(settings: list[str], line: bytes, expected: Line) -> None:
    assert reader(*settings).read(line) == expected


@pytest.mark.parametrize(
    ("settings", "line", "told"),
    [
        ([KEY], b"v", "No key separator found on line number 2: 'v'"),
        ([HEADERS], b"v", "No headers delimiter found on line number 2: 'v'"),
        ([KEY, HEADERS], b"h:1\tv", "No key separator found on line number 2: 'h:1\tv'"),
        ([HEADERS], b"h\tv", "No header key separator found in pair 'h' on line number 2"),
        (
            [HEADERS, "null.marker=N"],
            b"N:1\tv",
            "Header keys should not be equal to the null marker",
        ),
    ],
)
def test_what_lacks_a_part_is_refused_by_its_number(
    settings: list[str], line: bytes, told: str
) -> None:
    reading = reader(*settings)
    reading.read(b"h:1\tk\tv")
    with pytest.raises(UnreadableLine) as error:
        reading.read(line)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["headers.separator=:"], "headers.separator and headers.key.separator may not be equal"),
        (["headers.delimiter=,"], "headers.delimiter and headers.separator may not be equal"),
        (["null.marker=:"], "null.marker and headers.key.separator may not be equal"),
        (["headers.separator=("], "no regular expression"),
    ],
)
def test_separators_that_clash_are_refused(settings: list[str], told: str) -> None:
    with pytest.raises(LocalProtocolError, match=told):
        reader(*settings)
