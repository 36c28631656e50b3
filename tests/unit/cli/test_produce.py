"""Lines become records."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import ClassVar

import pytest

from ottla.cli import produce
from ottla.cli.produce import Lines, Sending, Source, UnusableLine, split
from ottla.client.produce.batch import RecordBatch
from ottla.errors import ApiError, ErrorCode
from tests.unit.client.produce.rig import nobody_waits


def test_lines_come_whole_out_of_any_pieces() -> None:
    text = b"one\ntwo\r\n\nfour, and no end"
    for size in range(1, len(text) + 1):
        lines = Lines()
        got = []
        for at in range(0, len(text), size):
            got += list(lines.feed(text[at : at + size]))
        got += list(lines.end())
        assert got == [b"one", b"two", b"", b"four, and no end"]
        assert lines.number == 4


def test_an_end_after_a_line_end_is_no_line() -> None:
    lines = Lines()
    assert list(lines.feed(b"one\n")) == [b"one"]
    assert list(lines.end()) == []


def test_a_line_without_end_is_bounded() -> None:
    lines = Lines(bytes_max=10)
    list(lines.feed(b"ok\n12345"))
    with pytest.raises(UnusableLine, match="Line 2 has more than 10 bytes"):
        list(lines.feed(b"678901"))


def test_the_first_separator_ends_the_key() -> None:
    assert split(b"k:v:w", b":", 1) == (b"k", b"v:w")
    assert split(b"k:v", None, 1) == (None, b"k:v")
    with pytest.raises(UnusableLine, match=r"Line 3 has no key separator '\\t': 'kv'"):
        split(b"kv", b"\t", 3)


def test_options_are_read() -> None:
    parser = argparse.ArgumentParser()
    produce.add_arguments(parser)
    args = parser.parse_args(["t", "--key-separator", "\\t", "--header", "a=b=c", "--acks", "1"])
    assert (args.key_separator, args.header) == (b"\t", [("a", b"b=c")])
    for words in (["t", "--header", "a"], ["t", "--key-separator", ""], ["t", "--acks", "2"], []):
        with pytest.raises(SystemExit):
            parser.parse_args(words)


def test_files_and_pipes_are_both_read(tmp_path: Path) -> None:
    async def all_of(descriptor: int) -> bytes:
        source = Source(descriptor)
        got = b""
        while data := await source.read():
            got += data
        return got

    file = tmp_path / "lines"
    file.write_bytes(b"a\nb\n")
    with file.open("rb") as opened:
        assert asyncio.run(all_of(opened.fileno())) == b"a\nb\n"
    reading, writing = os.pipe()
    try:
        os.write(writing, b"c\n")
        os.close(writing)
        assert asyncio.run(all_of(reading)) == b"c\n"
    finally:
        os.close(reading)


def test_each_reason_is_told_once_and_how_many_records_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed: list[RecordBatch] = []

    class Refusing:
        async def send(self, topic: str, value: bytes, *_: object) -> None:
            batch = RecordBatch(topic, 0, (1,), nobody_waits)
            batch.add_rare(value, None, (), 1)
            batch.close()
            batch.fail(ApiError(ErrorCode.INVALID_RECORD, "t-0: it needs a key"))
            failed.append(batch)

        async def flush(self) -> None:
            pass

    class Typed:
        left: ClassVar = [b"", b"a\nb\n", b"c\n"]

        async def read(self) -> bytes:
            return self.left.pop()

    sending = Sending(Refusing(), "t", None, (), failed)  # type: ignore[arg-type]
    assert asyncio.run(sending.send_all(Typed(), None)) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err.splitlines() == [
        "ottla: Records for partition 0 not acknowledged: INVALID_RECORD: t-0: it needs a key",
        "ottla: In all, 3 records were not acknowledged.",
    ]
