"""Kafka's tools that move records, against our broker: what they print, end with, and leave behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla import Broker
from ottla.cli.kafka import console_producer, run_tool

SECONDS_MAX = 20


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with Broker(
        port=0, settings={"group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 1}
    ) as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What stands on standard input, in pieces."""
    pieces: list[bytes] = []

    async def read() -> bytes:
        return pieces.pop(0) if pieces else b""

    monkeypatch.setattr(console_producer, "_read", read)
    return pieces


Captured = pytest.CaptureFixture[bytes]


def ran(captured: Captured, tool: str, bootstrap: str, *words: str) -> tuple[int, str, str]:
    code = run_tool(tool, ["--bootstrap-server", bootstrap, *words])
    out, err = captured.readouterr()
    return code, out.decode(), err.decode()


def test_what_is_typed_is_read_back(
    bootstrap: str, typed: list[bytes], capsysbinary: Captured
) -> None:
    typed += [b"h:1\tk\tfirst\nN", b"\tk2\tN\n\tk3\t", b"last"]
    parts = [f"--reader-property=parse.{part}=true" for part in ("key", "headers")]
    marker = "--reader-property=null.marker=N"
    ignoring = "--reader-property=ignore.error=true"
    assert ran(
        capsysbinary, "console-producer", bootstrap, "--topic", "typed", *parts, marker, ignoring
    ) == (0, "", "")
    shown = ("--property", "print.key=true", "--property", "print.headers=true")
    where = ("--topic", "typed", "--partition", "0", "--offset", "earliest", "--max-messages", "3")
    assert ran(capsysbinary, "console-consumer", bootstrap, *where, *shown) == (
        0,
        "h:1\tk\tfirst\nNO_HEADERS\tk2\tnull\n:null\tk3\tlast\n",
        "Processed a total of 3 messages\n",
    )


def test_a_line_that_is_no_record_ends_it_and_those_before_are_sent(
    bootstrap: str, typed: list[bytes], capsysbinary: Captured
) -> None:
    typed += [b"a:1\nno separator\nb:2\n"]
    key = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    code, _, err = ran(capsysbinary, "console-producer", bootstrap, "--topic", "cut", *key)
    assert (code, err) == (1, "No key separator found on line number 2: 'no separator'\n")
    where = ("--topic", "cut", "--from-beginning", "--timeout-ms", "500")
    assert ran(capsysbinary, "console-consumer", bootstrap, *where)[1] == "1\n"


def test_a_group_goes_on_where_it_stopped(
    bootstrap: str, typed: list[bytes], capsysbinary: Captured
) -> None:
    typed += [b"1\n2\n3\n4\n"]
    assert ran(capsysbinary, "console-producer", bootstrap, "--topic", "grouped", "--sync")[0] == 0
    where = ("--topic", "grouped", "--group", "g", "--from-beginning")
    for count, expected in ((1, "1\n"), (2, "2\n3\n")):
        words = (*where, "--max-messages", str(count))
        assert ran(capsysbinary, "console-consumer", bootstrap, *words)[1] == expected
    words = ("--include", "group.*", "--group", "h", "--from-beginning", "--max-messages", "4")
    assert ran(capsysbinary, "console-consumer", bootstrap, *words)[1] == "1\n2\n3\n4\n"


def test_what_cannot_be_formatted_ends_it_or_is_skipped(
    bootstrap: str, typed: list[bytes], capsysbinary: Captured
) -> None:
    typed += [b"1234\nno\n5678\n"]
    assert ran(capsysbinary, "console-producer", bootstrap, "--topic", "odd")[0] == 0
    where = ("--topic", "odd", "--partition", "0", "--offset", "0", "--max-messages", "3")
    number = ("--value-deserializer", "org.apache.kafka.common.serialization.IntegerDeserializer")
    code, out, err = ran(capsysbinary, "console-consumer", bootstrap, *where, *number)
    assert (code, out) == (1, "825373492\n")
    assert "Size of data received by IntegerDeserializer is not 4" in err
    words = (*where, *number, "--skip-message-on-error")
    code, out, err = ran(capsysbinary, "console-consumer", bootstrap, *words)
    assert (code, out) == (0, "825373492\n892745528\n")
    assert err.endswith("Processed a total of 3 messages\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Exactly one of the following arguments is required: [topic], [include]"),
        (("--topic", "t", "--offset", "1"), "The partition is required when offset is specified."),
        (("--include", "t", "--partition", "1"), "The topic is required when partition"),
        (
            ("--topic", "t", "--partition", "1", "--group", "g"),
            "Options group and partition cannot be specified together.",
        ),
        (
            ("--topic", "t", "--partition", "1", "--offset", "-3"),
            "The provided offset value '-3' is incorrect.",
        ),
        (
            ("--topic", "t", "--group", "g", "--command-property", "group.id=h"),
            "Detected group ids: 'g', 'h'",
        ),
        (
            ("--topic", "t", "--from-beginning", "--consumer-property", "auto.offset.reset=latest"),
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest'",
        ),
    ],
)
def test_flags_that_make_no_sense_together_are_refused(
    words: tuple[str, ...], told: str, capsysbinary: Captured
) -> None:
    code: object
    try:
        code = run_tool("console-consumer", ["--bootstrap-server", "127.0.0.1:1", *words])
    except SystemExit as end:
        code = end.code
    assert code == 1
    assert told in capsysbinary.readouterr().err.decode()


def test_records_are_sent_and_read_against_the_clock(
    bootstrap: str, capsysbinary: Captured
) -> None:
    words = ("--topic", "perf", "--num-records", "200", "--record-size", "10", "--throughput", "-1")
    servers = ("--producer-props", f"bootstrap.servers={bootstrap}", "acks=1,linger.ms=1")
    assert run_tool("producer-perf-test", [*words, *servers]) == 0
    assert capsysbinary.readouterr().out.startswith(b"200 records sent, ")
    enough = ("--topic", "perf", "--num-records", "200", "--timeout", "2000")
    code, out, _ = ran(capsysbinary, "consumer-perf-test", bootstrap, *enough)
    header, line = out.splitlines()
    assert code == 0
    assert header.startswith("start.time, end.time, data.consumed.in.MB, MB.sec, ")
    columns = line.split(", ")
    assert (len(columns), columns[2], columns[4]) == (10, "0.0019", "200")


def test_too_few_records_are_warned_of(bootstrap: str, capsysbinary: Captured) -> None:
    words = ("--topic", "few", "--num-records", "5", "--timeout", "200", "--hide-header")
    code, out, _ = ran(capsysbinary, "consumer-perf-test", bootstrap, *words)
    assert code == 0
    assert out.startswith(
        "WARNING: Exiting before consuming the expected number of records: timeout (200 ms)"
    )


def test_a_record_comes_back_in_some_time(bootstrap: str, capsysbinary: Captured) -> None:
    words = ("--topic", "e2e", "--num-records", "3", "--producer-acks", "all", "--record-size", "9")
    more = ("--record-key-size", "2", "--num-headers", "2", "--record-header-size", "-1")
    code, out, _ = ran(capsysbinary, "e2e-latency", bootstrap, *words, *more)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith('Topic "e2e" does not exist. Will create topic with 1 partition(s)')
    assert lines[1].startswith("0\t")
    assert lines[2].startswith("Avg latency: ")
    assert lines[3].startswith("Percentiles: 50th = ")
    assert run_tool("e2e-latency", [bootstrap, "e2e", "2", "1", "5"]) == 0
    assert b"Positional argument usage is deprecated" in capsysbinary.readouterr().err


def events(out: str) -> list[dict[str, object]]:
    told: list[dict[str, object]] = [json.loads(line) for line in out.splitlines()]
    for event in told:
        assert list(event)[:2] == ["timestamp", "name"]
        del event["timestamp"]
    return told


def test_verifiable_tools_tell_each_others_records(bootstrap: str, capsysbinary: Captured) -> None:
    place = {"topic": "sure", "partition": 0}
    words = ("--topic", "sure", "--max-messages", "3")
    more = ("--repeating-keys", "2", "--value-prefix", "7", "--message-create-time", "5")
    code, out, _ = ran(capsysbinary, "verifiable-producer", bootstrap, *words, *more)
    told = events(out)
    rate = told[-1].pop("avg_throughput")
    assert isinstance(rate, float)
    success = {"name": "producer_send_success"}
    assert (code, told) == (
        0,
        [
            {"name": "startup_complete"},
            success | {"key": "0", "value": "7.0", "offset": 0} | place,
            success | {"key": "1", "value": "7.1", "offset": 1} | place,
            success | {"key": "0", "value": "7.2", "offset": 2} | place,
            {"name": "shutdown_complete"},
            {"name": "tool_data", "sent": 3, "acked": 3, "target_throughput": -1},
        ],
    )
    fewer = ("--topic", "sure", "--max-messages", "2", "--group-id", "sure", "--verbose")
    code, out, _ = ran(capsysbinary, "verifiable-consumer", bootstrap, *fewer)
    record = {"name": "record_data"}
    assert (code, events(out)) == (
        0,
        [
            {"name": "startup_complete"},
            {"name": "partitions_assigned", "partitions": [place]},
            record | {"key": "0", "value": "7.0"} | place | {"offset": 0},
            record | {"key": "1", "value": "7.1"} | place | {"offset": 1},
            {
                "name": "records_consumed",
                "count": 2,
                "partitions": [place | {"count": 2, "minOffset": 0, "maxOffset": 1}],
            },
            {"name": "offsets_committed", "offsets": [place | {"offset": 2}], "success": True},
            {"name": "partitions_revoked", "partitions": [place]},
            {"name": "shutdown_complete"},
            {"name": "shutdown_requested"},
        ],
    )


def test_a_record_that_is_refused_is_told_with_javas_exception(
    bootstrap: str, capsysbinary: Captured
) -> None:
    words = ("--topic", "no such name", "--max-messages", "1")
    _, out, _ = ran(capsysbinary, "verifiable-producer", bootstrap, *words)
    told = events(out)
    assert told[1]["name"] == "producer_send_error"
    assert told[1]["exception"] == "class org.apache.kafka.common.errors.InvalidTopicException"
    assert told[-1]["acked"] == 0


def test_no_broker_is_said_with_the_way_out(
    tmp_path: Path, capsysbinary: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ottla.cli.kafka import client_settings

    monkeypatch.setattr(client_settings, "_BOOTSTRAP_MS_MAX", 50)
    code, _, err = ran(capsysbinary, "console-consumer", "127.0.0.1:1", "--topic", "t")
    assert code == 1
    assert err.startswith("No broker answers at 127.0.0.1:1: ")
