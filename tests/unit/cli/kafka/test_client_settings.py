"""Kafka's dotted names become options."""

from pathlib import Path

import pytest

from ottla.cli.kafka.client_settings import (
    consumer_options,
    producer_options,
    separated,
    settings,
)
from ottla.cli.kafka.flags import Refused
from ottla.client.consume.options import COOPERATIVE_STICKY, RANGE
from ottla.client.produce.partitioner import RoundRobin
from ottla.errors import LocalProtocolError


def test_words_count_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("# ours\nacks=1\nlinger.ms: 7\n")
    assert settings(str(file), ["acks=all"], ["a=b=c"]) == {
        "acks": "all",
        "linger.ms": "7",
        "a": "b=c",
    }
    with pytest.raises(Refused, match="Invalid command line properties: acks"):
        settings(None, ["acks"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a=1", "b=2"], ["a=1", "b=2"]),
        (["a=1,b=2"], ["a=1", "b=2"]),
        (["a=1 b=2"], ["a=1", "b=2"]),
        (["bootstrap.servers=x:1,y:2,acks=1"], ["bootstrap.servers=x:1,y:2", "acks=1"]),
    ],
)
def test_properties_are_told_apart_however_they_were_said(
    words: list[str], expected: list[str]
) -> None:
    assert separated(words) == expected


def test_a_producers_settings() -> None:
    options = producer_options(
        {
            "acks": "all",
            "linger.ms": "9",
            "compression.type": "gzip",
            "compression.gzip.level": "9",
            "max.in.flight.requests.per.connection": "2",
            "partitioner.class": "org.apache.kafka.clients.producer.RoundRobinPartitioner",
            "what.is.this": "passed over",
        }
    )
    assert (options.acks, options.linger_ms, options.codec, options.level) == (-1, 9, 1, 9)
    assert options.max_in_flight == 2
    assert isinstance(options.partitioner, RoundRobin)
    assert producer_options({}).linger_ms == 5


@pytest.mark.parametrize(
    "entries",
    [
        {"acks": "1"},
        {"retries": "0"},
        {"max.in.flight.requests.per.connection": "6"},
        {"enable.idempotence": "false"},
    ],
)
def test_idempotence_is_given_up_where_it_cannot_be(entries: dict[str, str]) -> None:
    assert producer_options({}).enable_idempotence
    assert not producer_options(entries).enable_idempotence


def test_a_consumers_settings() -> None:
    options = consumer_options(
        {
            "group.id": "g",
            "partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor, "
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            "enable.auto.commit": "FALSE",
            "max.poll.records": "3",
            "isolation.level": "read_committed",
            "session.timeout.ms": "6000",
        }
    )
    assert options.assignors == (RANGE, COOPERATIVE_STICKY)
    assert (options.group_id, options.auto_commit, options.poll_records_max) == ("g", False, 3)
    assert options.isolation == "read_committed"
    assert options.heartbeat_interval_ms == 2_000


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"acks": "foo"}, "Invalid value foo for configuration acks"),
        ({"linger.ms": "x"}, r"Invalid value x for configuration linger\.ms"),
        ({"compression.type": "rar"}, "one of none, gzip, snappy, lz4, zstd is expected"),
        ({"enable.idempotence": "yes"}, "true or false is expected"),
        ({"enable.idempotence": "true", "acks": "1"}, "enable_idempotence needs acks"),
        ({"transactional.id": "x"}, "no transactions"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(entries: dict[str, str], told: str) -> None:
    with pytest.raises(LocalProtocolError, match=told):
        producer_options(entries)
