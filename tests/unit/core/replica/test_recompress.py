"""compression.type decides what a log is written in, and changes nothing else of a batch."""

import pytest
from tests.unit.core.replica.house import NOW_MS, House, batch

from ottla.core.log.producer_state import Refused
from ottla.core.replica.policy import policy_of
from ottla.core.replica.recompress import CODEC_OF, recompressed
from ottla.errors import ErrorCode
from ottla.record.batch import crc_is_right
from ottla.record.record import records_untrusted
from ottla.record.validate import AppendChecks, ValidBatch, validate_untrusted
from ottla.settings.broker import broker_settings
from ottla.settings.topic import topic_settings

CHECKS = AppendChecks(
    bytes_max=1 << 20,
    compacted=False,
    timestamp_type_log_append=False,
    before_max_ms=1 << 60,
    after_max_ms=1 << 60,
    decompressed_bytes_max=1 << 24,
)
CODECS = [codec for codec in CODEC_OF.values() if codec is not None]


def valid(data: memoryview) -> ValidBatch:
    verdict = validate_untrusted(data, api_version=9, now_ms=NOW_MS, settings=CHECKS)
    assert isinstance(verdict, ValidBatch)
    return verdict


@pytest.mark.parametrize("source", CODECS)
@pytest.mark.parametrize("target", CODECS)
def test_only_the_codec_changes(source: int, target: int) -> None:
    data = batch(
        b"a" * 50, b"b", key=b"k", codec=source, producer_id=3, producer_epoch=1, base_sequence=5
    )
    before = valid(data)
    after = recompressed(before, target, CHECKS.decompressed_bytes_max)
    assert after.batch.codec == target
    assert crc_is_right(after.batch)
    for name in ("producer_id", "producer_epoch", "base_sequence", "record_count", "max_timestamp"):
        assert getattr(after.batch, name) == getattr(before.batch, name)
    assert after.batch.data is not None
    valid(after.batch.data)
    assert [(one.key, one.value) for one in records_untrusted(after.batch, limit=1 << 20)] == [
        (b"k", b"a" * 50),
        (b"k", b"b"),
    ]


@pytest.mark.parametrize(("name", "codec"), CODEC_OF.items())
def test_a_topic_is_written_in_its_codec(name: str, codec: int | None) -> None:
    house = House()
    house.create("t", configs={"compression.type": name})
    leader = house.leader("t")
    for source in (0, 1):
        leader.append(valid(batch(b"x" * 100, codec=source)), NOW_MS)
    codecs = [one.codec for one in leader.log.batches(0, leader.log.end_offset)]
    assert codecs == ([0, 1] if codec is None else [codec, codec])


def test_what_gets_too_large_by_it_is_refused() -> None:
    house = House()
    house.create("t", configs={"compression.type": "uncompressed", "max.message.bytes": "1000"})
    outcome = house.leader("t").append(valid(batch(b"x" * 5000, codec=1)), NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.error is ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("overrides", "level"),
    [
        ({"compression.type": "gzip", "compression.gzip.level": "9"}, 9),
        ({"compression.type": "zstd", "compression.zstd.level": "-7"}, -7),
        ({"compression.type": "zstd"}, 3),
        ({"compression.type": "lz4", "compression.lz4.level": "9"}, None),
        ({"compression.type": "producer", "compression.gzip.level": "9"}, None),
    ],
)
def test_the_level_is_that_of_the_topics_codec(
    overrides: dict[str, str], level: int | None
) -> None:
    broker = broker_settings({})
    assert policy_of(topic_settings(overrides, broker), broker).codec_level == level


def test_the_level_decides_how_small_it_gets() -> None:
    before = valid(batch(b" ".join(b"%d" % (n * n) for n in range(5_000))))
    sizes = [recompressed(before, 1, 1 << 24, level).batch.size_bytes for level in (1, 9)]
    assert sizes[1] < sizes[0]
