"""The lines of the tools that measure, and what they are made of."""

import argparse
from collections.abc import Callable

import pytest

from ottla.cli.kafka.consumer_perf_test import date
from ottla.cli.kafka.e2e_latency import results
from ottla.cli.kafka.producer_perf_test import Journeys, _payload
from ottla.cli.kafka.send_stats import SendStats
from ottla.cli.kafka.throttle import Throttle
from ottla.client.produce.batch import RecordBatch
from ottla.errors import LocalProtocolError, OttlaError


def test_the_total_tells_rates_and_percentiles() -> None:
    stats = SendStats(1_000, 5_000)
    for latency_ms in range(1, 101):
        assert stats.record(latency_ms, 10, 1_000, 1_500) == []
    assert stats.total_line(2_000) == (
        "1000 records sent, 1000.000000 records/sec (0.10 MB/sec), 50.50 ms avg latency, "
        "100.00 ms max latency, 51 ms 50th, 96 ms 95th, 100 ms 99th, 100 ms 99.9th."
    )


def test_a_window_is_told_when_it_is_over() -> None:
    stats = SendStats(0, 2_000)
    assert stats.record(7, 100, 1_048_576, 1_999) == []
    assert stats.record(9, 100, 1_048_576, 2_000) == [
        (
            "200 records sent, 100.0 records/sec (1.00 MB/sec), 8.0 ms avg latency, "
            "9.0 ms max latency."
        )
    ]
    assert stats.record(1, 1, 1, 4_000)[0].startswith("1 records sent, 0.5 records/sec (0.00 MB")


def test_nothing_in_no_time_is_no_failure() -> None:
    line = SendStats(5, 1_000).total_line(5)
    assert line.startswith("0 records sent, NaN records/sec (NaN MB/sec), NaN ms avg latency, 0.00")


def done(count: int, error: OttlaError | None = None) -> RecordBatch:
    async def wait(batch: RecordBatch) -> None:
        raise AssertionError("nobody waits")

    batch = RecordBatch("t", 0, (0,), wait)
    batch.record_count = count
    batch.error = error
    return batch


def test_steady_state_is_told_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    journeys = Journeys(SendStats(0, 1))
    for _ in range(2):
        journeys.began(0, 1, 10)
    journeys.become_steady(SendStats(0, 1, is_steady=True))
    for _ in range(3):
        journeys.began(0, 1, 10)
    journeys.ended(done(5))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "In steady state."
    assert second.startswith("3 records sent, ")
    both = journeys.totals(1_000_000)
    assert both[0].startswith("5 records sent, ")
    assert both[1].startswith("3 steady state records sent, ")


def test_what_failed_is_counted_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    journeys = Journeys(SendStats(0, 1 << 60))
    for _ in range(3):
        journeys.began(0, 1, 10)
    journeys.ended(done(2, OttlaError("no luck")))
    journeys.ended(done(1))
    assert capsys.readouterr().err == "2 records: no luck\n"
    assert journeys.has_failed
    assert journeys.totals(1_000)[0].startswith("1 records sent, ")


@pytest.mark.parametrize(
    ("per_second", "sent", "now_ms", "expected"),
    [
        (-1, 1_000_000, 0, 0),
        (10, 1, 0, 100),
        (10, 1, 100, 0),
        (1_000, 1, 0, 0),
        (1_000, 5, 0, 5),
        (0, 1, 0, float("inf")),
    ],
)
def test_a_throttle_waits_as_long_as_it_takes(
    per_second: float, sent: int, now_ms: float, expected: float
) -> None:
    assert Throttle(per_second, 0).pause_ms(sent, now_ms) == expected


def payload(**said: object) -> Callable[[int], bytes]:
    usual = {"record_size": None, "payload_file": None, "payload_monotonic": False}
    return _payload(argparse.Namespace(**usual | {"payload_delimiter": "\\n"} | said))


def test_payloads_are_letters_numbers_or_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = payload(record_size=100)
    assert {len(letters(index)) for index in range(5)} == {100}
    assert letters(0) != letters(1)
    assert letters(0).isupper()
    assert len(payload(record_size=2_000_000)(3)) == 2_000_000
    assert payload(payload_monotonic=True)(12) == b"12"
    file = tmp_path_factory.mktemp("payloads") / "lines"
    file.write_text("a\nb\n\n")
    one = payload(payload_file=str(file))
    assert {one(index) for index in range(50)} == {b"a", b"b"}
    assert capsys.readouterr().out == (
        f"Reading payloads from: {file}\nNumber of messages read: 2\n"
    )


def test_dates_follow_javas_patterns() -> None:
    shown = date("yyyy-MM-dd HH:mm:ss:SSS", 1_795_318_719_042)
    assert len(shown) == len("2026-11-22 03:38:39:042")
    assert shown[-4:] == ":042"
    assert date("'at' yy ''SSS", 7)[:3] == "at "
    assert date("''SSS", 7) == "'007"
    with pytest.raises(LocalProtocolError, match="'EEE' is not there"):
        date("EEE", 0)


def test_latencies_are_averaged_and_ranked() -> None:
    assert results([1_500_000, 2_000_000, 9_900_000]) == [
        "Avg latency: 4.4667 ms",
        "Percentiles: 50th = 2, 99th = 9, 99.9th = 9",
    ]
