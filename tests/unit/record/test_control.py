"""Control batches that are damaged or new are refused or set aside, never misread."""

import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.batch import header_untrusted
from ottla.record.control import (
    ControlType,
    control_type_untrusted,
    control_untrusted,
    coordinator_epoch_untrusted,
)
from tests.unit.record.written import raw_batch, raw_record

COMMIT_KEY = b"\x00\x00\x00\x01"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (COMMIT_KEY, ControlType.COMMIT),
        (b"\x00\x00\x00\x00", ControlType.ABORT),
        (b"\x00\x00\x00\x06", ControlType.KRAFT_VOTERS),
        (b"\x00\x00\x00\x07", ControlType.UNKNOWN),
        (b"\x00\x00\xff\xff", ControlType.UNKNOWN),
        (b"\x00\x05\x00\x01more", ControlType.COMMIT),
    ],
)
def test_the_type_is_in_the_key(key: bytes, expected: ControlType) -> None:
    assert control_type_untrusted(key) is expected


@pytest.mark.parametrize("key", [None, b"", b"\x00\x00\x00", b"\xff\xff\x00\x01"])
def test_a_key_that_is_none_is_refused(key: bytes | None) -> None:
    with pytest.raises(RemoteProtocolError):
        control_type_untrusted(key)


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00\x00\x00", b"\x80\x00\x00\x00\x00\x00"])
def test_a_marker_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        coordinator_epoch_untrusted(value)


def test_one_record_in_a_control_batch_and_only_there() -> None:
    marker = raw_record(0, key=COMMIT_KEY, value=bytes(6))
    assert (
        control_untrusted(header_untrusted(raw_batch([marker], attributes=0x30))).control_type
        is ControlType.COMMIT
    )
    for data in (
        raw_batch([marker]),
        raw_batch([marker, raw_record(1, key=COMMIT_KEY)], attributes=0x30),
        raw_batch([], attributes=0x30),
    ):
        with pytest.raises(RemoteProtocolError):
            control_untrusted(header_untrusted(data))
