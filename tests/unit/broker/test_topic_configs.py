"""What a topic's settings do to what is produced, on a whole node; and that each does something."""

import ast
from pathlib import Path
from typing import Any, Final

import pytest

import ottla
from ottla.errors import ErrorCode
from ottla.record.batch import Batch, batches_untrusted
from ottla.record.compress import CODEC_BY_NAME, CODECS, GZIP, NONE, ZSTD
from ottla.record.record import records_untrusted
from ottla.settings import topic
from ottla.settings.broker import broker_settings
from ottla.settings.definition import Setting, Type
from ottla.settings.documentation import NOT_YET
from ottla.settings.topic import topic_settings
from tests.unit.broker.test_old_clients import LIMIT, Clients
from tests.unit.broker.whole_node import NOW_MS
from tests.unit.core.replica.house import batch
from tests.unit.record.test_legacy import message

TEXT: Final = b" ".join(b"%d" % (number * number) for number in range(5_000))
DAY_MS: Final = 24 * 3_600_000


def topic_with(**configs: str) -> Clients:
    node = Clients()
    node.create(**configs)
    return node


def stored(node: Clients) -> Batch:
    (one,) = batches_untrusted(bytes(node.fetch(12).records))
    return one


@pytest.mark.parametrize("sent", sorted(CODECS))
@pytest.mark.parametrize(
    "name", ["producer", "uncompressed", *sorted(set(CODEC_BY_NAME) - {"none"})]
)
def test_compression_type(name: str, sent: int) -> None:
    node = topic_with(compression_type=name)
    assert (
        node.produce(
            batch(TEXT, b"second", codec=sent, producer_id=7, producer_epoch=0, base_sequence=0), 9
        ).error_code
        == 0
    )
    one = stored(node)
    assert one.codec == {"producer": sent, "uncompressed": NONE}.get(name, CODEC_BY_NAME.get(name))
    assert (one.producer_id, one.base_sequence, one.record_count) == (7, 0, 2)
    assert [record.value for record in records_untrusted(one, limit=LIMIT)] == [TEXT, b"second"]


@pytest.mark.parametrize(
    ("codec", "fast", "thorough"),
    [("gzip", "1", "9"), ("zstd", "-50", "19"), ("zstd", "-131072", "22")],
)
def test_compression_levels(codec: str, fast: str, thorough: str) -> None:
    sizes = []
    for level in (fast, thorough):
        node = topic_with(compression_type=codec, **{f"compression_{codec}_level": level})
        node.produce(batch(TEXT), 9)
        sizes.append(stored(node).size_bytes)
    assert sizes[0] > sizes[1]


def test_a_broker_has_levels_for_all_topics() -> None:
    sizes = []
    for level in ("1", "9"):
        node = Clients("compression.type=gzip", f"compression.gzip.level={level}")
        node.create()
        node.produce(batch(TEXT), 9)
        assert stored(node).codec == GZIP
        sizes.append(stored(node).size_bytes)
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("version", [2, 9])
def test_timestamps_have_bounds(version: int) -> None:
    node = topic_with(message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="2000")

    def error(at_ms: int) -> int:
        data = message(0, b"v", timestamp_ms=at_ms) if version < 3 else batch(timestamp_ms=at_ms)
        return int(node.produce(data, version).error_code)

    bad = ErrorCode.INVALID_TIMESTAMP
    assert [error(NOW_MS + ms) for ms in (-1001, -1000, 0, 2000, 2001)] == [bad, 0, 0, 0, bad]


@pytest.mark.parametrize("version", [2, 9])
def test_a_day_ahead_is_too_far_without_any_setting(version: int) -> None:
    node = topic_with()
    at_ms = NOW_MS + DAY_MS
    data = message(0, b"v", timestamp_ms=at_ms) if version < 3 else batch(timestamp_ms=at_ms)
    assert node.produce(data, version).error_code == ErrorCode.INVALID_TIMESTAMP


@pytest.mark.parametrize("policy", ["compact", "compact,delete", "delete"])
@pytest.mark.parametrize("version", [2, 9])
def test_compacted_topics_need_keys(version: int, policy: str) -> None:
    node = topic_with(cleanup_policy=policy)
    keyless = message(0, b"v") if version < 3 else batch(b"v")
    keyed = message(0, b"v", key=b"k") if version < 3 else batch(b"v", key=b"k")
    refused = node.produce(keyless, version)
    assert refused.error_code == (0 if policy == "delete" else ErrorCode.INVALID_RECORD)
    if version >= 8 and policy != "delete":
        assert [one.batch_index for one in refused.record_errors] == [0]
    assert node.produce(keyed, version).error_code == 0


@pytest.mark.parametrize("version", [2, 9])
def test_the_largest_batch_is_the_topics(version: int) -> None:
    node = topic_with(max_message_bytes="1000")
    node.create("large", max_message_bytes="3000000")

    def error(name: str, size_bytes: int) -> int:
        data = message(0, bytes(size_bytes)) if version < 3 else batch(bytes(size_bytes))
        return int(node.produce(data, version, topic=name).error_code)

    too_large = ErrorCode.MESSAGE_TOO_LARGE
    assert [error("t", size) for size in (900, 1_000)] == [0, too_large]
    assert [error("large", size) for size in (2_900_000, 3_000_000)] == [0, too_large]


def test_what_grows_above_the_limit_by_recompression_is_refused() -> None:
    node = topic_with(max_message_bytes="10000", compression_type="uncompressed")
    data = batch(bytes(20_000), codec=ZSTD)
    assert len(data) < 1_000
    assert node.produce(data, 9).error_code == ErrorCode.MESSAGE_TOO_LARGE


# --- every setting does something, or it is said why not -------------------------------------------


def other_value(setting: Setting) -> str:
    """A value that the setting may have and that is not its default."""
    match setting.name:
        case "cleanup.policy":
            return "compact"
        case "compression.type":
            return "gzip"
        case "message.timestamp.type":
            return "LogAppendTime"
    if setting.type is Type.BOOLEAN:
        return "false" if setting.default == "true" else "true"
    candidates: tuple[Any, ...] = (0.25,) if setting.type is Type.DOUBLE else (7, 2_000_000)
    return next(
        str(one) for one in candidates if setting.valid is None or setting.valid.allows(one)
    )


def words_of_machines() -> set[str]:
    """Every attribute that is read, and every text, in the packages that decide."""
    words: set[str] = set()
    source = Path(ottla.__file__).parent
    for package in ("core", "broker"):
        for path in (source / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    words.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words.add(node.value)
    return words


def test_every_setting_is_read_by_a_machine_or_has_a_reason() -> None:
    words = words_of_machines()
    broker = broker_settings({})
    plain = topic_settings({}, broker)
    fields = plain._fields
    for name, setting in topic.SETTINGS.items():
        if setting.gap:
            assert not setting.honored, name
            continue
        if name in NOT_YET or name == "internal.segment.bytes":
            continue
        changed = topic_settings({name: other_value(setting)}, broker)
        of_it = {one for one in fields if getattr(plain, one) != getattr(changed, one)}
        assert of_it, f"{name} changes no field"
        assert of_it <= words or name in words, f"{name} is {of_it}, which nobody reads"
