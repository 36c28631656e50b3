"""Records become lines."""

import argparse
import asyncio
import errno
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.client import Client
from ottla.aio.producer import Producer
from ottla.cli import consume
from ottla.cli.consume import Output, Patience, Start, line, milliseconds
from ottla.cli.terminal import Progress
from ottla.client.consume.record import ConsumedRecord, Headers
from ottla.client.lookup import EARLIEST
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.produce.options import ProducerOptions
from ottla.errors import OttlaError
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved

ALL = ("timestamp", "partition", "offset", "headers", "key")


def fetched(
    key: bytes | None,
    value: bytes | None,
    headers: Headers = (),
    timestamp_ms: int = 123,
    timestamp_type: int = 0,
) -> ConsumedRecord:
    return ConsumedRecord(
        "t", 2, 0, 5, timestamp_ms, timestamp_type, key, value, headers, None, -1, -1, -1
    )


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
    timed = fetched(None, b"v", timestamp_ms=9, timestamp_type=1)
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


def test_no_more_is_printed_than_asked_for() -> None:
    buffer = io.BytesIO()
    output = Output((), 3, buffer)
    assert not output.write([fetched(None, b"a"), fetched(None, b"b")])
    assert output.left == 1
    assert output.write([fetched(None, b"c"), fetched(None, b"d")])
    assert (buffer.getvalue(), output.count) == (b"a\nb\nc\n", 3)


def test_how_far_it_is_is_drawn_until_something_else_is_printed() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    now = 0.0
    progress = Progress(None, "records", terminal, lambda: now)
    output = Output((), 6, io.BytesIO(), progress)
    output.expects(20)
    output.write([fetched(None, b"v")] * 2)
    assert terminal.getvalue() == "", "it may be over at once"
    now = 2.0
    output.write([fetched(None, b"v")])
    assert "50 %  3 of 6 records  2/s" in terminal.getvalue()
    output.wipe()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_broker_that_is_away_is_named_once_and_given_up_after_a_while(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = iter((0.0, 500.0, 1_000.0, 40_000.0, 60_000.0, 80_000.0))
    patience = Patience(lambda: next(clock))
    for _ in range(3):
        patience.lose(OttlaError("it is away"))
    assert capsys.readouterr().err == "ottla: it is away. Trying again.\n"
    patience.restore()
    for _ in range(2):
        patience.lose(OttlaError("it is away"))
    with pytest.raises(OttlaError, match="away"):
        patience.lose(OttlaError("it is away"))


def consumed(directory: Path, *lines: Sequence[str]) -> list[str]:
    """What commands print, one after the other, of a topic `t` with records "0" to "4" in partition 0
    of two; the error of the last one, if it fails."""

    async def work() -> list[str]:
        given = {
            "listeners": Resolved("PLAINTEXT://127.0.0.1:0"),
            "log.dirs": Resolved(str(directory)),
            "group.initial.rebalance.delay.ms": Resolved("0"),
            "offsets.topic.num.partitions": Resolved("1"),
            "num.partitions": Resolved("2"),
        }
        broker = Broker(broker_settings(given), given=given)
        await broker.start()
        address = Address("127.0.0.1", broker.bound["PLAINTEXT"].port)
        printed = []
        try:
            async with Client(ConnectionOptions(bootstrap=(address,))) as client:
                async with Producer(client, ProducerOptions()) as producer:
                    for number in range(5):
                        await producer.send("t", b"%d" % number, partition=0)
                for words in lines:
                    printed.append(await printed_by(client, parsed(*words)))
        finally:
            assert await broker.stop()
        return printed

    return asyncio.run(asyncio.wait_for(work(), 30))


async def printed_by(client: Client, args: argparse.Namespace) -> str:
    buffer = io.BytesIO()
    output = Output(args.columns, args.max_messages, buffer)
    try:
        assert await consume.print_records(client, output, args) == 0
    except OttlaError as error:
        return str(error)
    return buffer.getvalue().decode().replace("\n", " ").strip()


def test_what_a_full_disk_did_not_take_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        is_full = True

        def write(self, data: object) -> int:
            if Full.is_full:
                Full.is_full = False
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    monkeypatch.setattr(consume, "_to_nowhere", lambda: None)
    monkeypatch.setattr(io, "BytesIO", Full)
    line = ["--group", "g", "--from-beginning", "--max-messages", "5"]
    assert consumed(tmp_path, line, line) == [
        "Standard output cannot be written: No space left on device",
        "0 1 2 3 4",
    ]


def test_everything_there_was_is_printed_and_then_it_ends(tmp_path: Path) -> None:
    assert consumed(
        tmp_path,
        ["--from-beginning", "--exit"],
        ["--offset", "3", "--partition", "0", "--exit", "--print", "offset"],
        ["--from-time", "2100-01-01T00:00Z", "--exit"],
        ["--from-time", "0", "--max-messages", "2"],
        ["--exit"],
        ["--timeout-ms", "1"],
    ) == ["0 1 2 3 4", "Offset:3\t3 Offset:4\t4", "", "0 1", "", ""]


def test_a_group_goes_on_behind_what_was_printed(tmp_path: Path) -> None:
    assert consumed(
        tmp_path,
        ["--group", "g", "--from-beginning", "--max-messages", "2"],
        ["--group", "g", "--exit"],
        ["--group", "g", "--exit"],
    ) == ["0 1", "2 3 4", ""]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--offset", "9"], "partition t-0 has offsets from 0 to below 5; 9 was asked for"),
        (["--partition", "2"], "topic 't' has 2 partitions, 0 to 1; there is no partition 2"),
    ],
)
def test_what_the_topic_does_not_have_is_named(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    [told] = consumed(tmp_path, [*words, "--exit"])
    assert expected in told
