"""Records become lines."""

import argparse
import io
from types import SimpleNamespace

import pytest

from ottla.aio.consumer import Start
from ottla.cli import consume
from ottla.cli.consume import Output, line, milliseconds
from ottla.client.fetcher import Fetched
from ottla.client.lookup import EARLIEST
from ottla.record.record import Headers, Record

ALL = ("timestamp", "partition", "offset", "headers", "key")


def fetched(
    key: bytes | None, value: bytes | None, headers: Headers = (), timestamp_ms: int = 123
) -> Fetched:
    return Fetched(2, Record(5, timestamp_ms, key, value, headers), False)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    consume.add_arguments(parser)
    return parser.parse_args(["t", *words])


def test_columns_stand_as_in_kafkas_console_consumer() -> None:
    record = fetched(b"k", b"v", (("h1", b"v1"), ("h2", None)))
    assert line(record, ALL) == b"CreateTime:123\tPartition:2\tOffset:5\th1:v1,h2:null\tk\tv\n"
    assert line(record, ()) == b"v\n"


def test_what_is_missing_has_its_words() -> None:
    record = fetched(None, None, timestamp_ms=-1)
    expected = b"NO_TIMESTAMP\tPartition:2\tOffset:5\tNO_HEADERS\tnull\tnull\n"
    assert line(record, ALL) == expected
    timed = Fetched(0, Record(5, 9, None, b"v"), True)
    assert line(timed, ("timestamp",)) == b"LogAppendTime:9\tv\n"


def test_what_is_no_text_is_replaced() -> None:
    assert line(fetched(None, b"a\xffb"), ()) == "a\N{REPLACEMENT CHARACTER}b\n".encode()


def test_columns_are_ordered_and_checked() -> None:
    assert parsed("--print", "key,offset , value").columns == ("offset", "key")
    with pytest.raises(SystemExit):
        parsed("--print", "keys")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1714550400000", 1_714_550_400_000),
        ("2024-05-01T08:00:00Z", 1_714_550_400_000),
        ("2024-05-01T10:00+02:00", 1_714_550_400_000),
    ],
)
def test_times_are_read(text: str, expected: int) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "1960-01-01T00:00Z", "9" * 30])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        milliseconds(text)


def test_where_to_begin_is_said_once() -> None:
    assert consume._start(parsed()) == Start()
    assert consume._start(parsed("--from-beginning")) == Start(timestamp_ms=EARLIEST)
    assert consume._start(parsed("--offset", "earliest")) == Start(timestamp_ms=EARLIEST)
    assert consume._start(parsed("--offset", "0")) == Start(offset=0)
    assert consume._start(parsed("--from-time", "7")) == Start(timestamp_ms=7)
    for words in (["--offset", "-1"], ["--offset", "1", "--from-beginning"]):
        with pytest.raises(SystemExit):
            parsed(*words)


def test_no_more_is_printed_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = SimpleNamespace(buffer=io.BytesIO())
    monkeypatch.setattr("sys.stdout", stdout)
    output = Output((), 3)
    assert not output.write([fetched(None, b"a"), fetched(None, b"b")])
    assert output.write([fetched(None, b"c"), fetched(None, b"d")])
    assert (stdout.buffer.getvalue(), output.count) == (b"a\nb\nc\n", 3)
