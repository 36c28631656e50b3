"""The small text files: Kafka's text in both directions, and every damage is named."""

import pytest

from ottla.core.log import checkpoint
from ottla.core.log.checkpoint import MalformedFile
from ottla.types import TopicPartition

TOPIC_ID = bytes.fromhex("0102030405060708090a0b0c0d0e0f10")
TOPIC_ID_TEXT = "AQIDBAUGBwgJCgsMDQ4PEA"


def test_offsets_are_written_as_kafka_writes_them() -> None:
    offsets = {
        TopicPartition("b", 10): 5,
        TopicPartition("b", 2): 1 << 40,
        TopicPartition("a", 0): 0,
    }
    text = b"0\n3\na 0 0\nb 2 1099511627776\nb 10 5\n"
    assert checkpoint.format_offsets(offsets) == text
    assert checkpoint.parse_offsets("x", text) == offsets
    assert checkpoint.format_offsets({}) == b"0\n0\n"
    assert checkpoint.parse_offsets("x", b"0\n0\n") == {}


def test_epochs_are_written_as_kafka_writes_them() -> None:
    assert checkpoint.format_epochs([(0, 0), (3, 17)]) == b"0\n2\n0 0\n3 17\n"
    assert checkpoint.parse_epochs("x", b"0\n2\n0 0\n3 17\n") == [(0, 0), (3, 17)]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"", 1, "version 0 is expected"),
        (b"1\n0\n", 1, "version 0 is expected"),
        (b"0", 2, "a number in"),
        (b"0\n", 2, "a number in"),
        (b"0\n-1\n", 2, "a number in"),
        (b"0\n1\n", 2, "1 entries are announced, 0 are there"),
        (b"0\n2\nt 0 1\n", 2, "2 entries are announced, 1 are there"),
        (b"0\n1\nt 0 1\nt 1 1\n", 2, "1 entries are announced, 2 are there"),
        (b"0\n1\nt 0\n", 3, "3 fields are expected, not 2"),
        (b"0\n2\nt 0 1\nt x 1\n", 4, "a number in"),
        (b"0\n1\nt 0 1_0\n", 3, "a number in"),
        (b"0\n1\nt 0 9223372036854775808\n", 3, "a number in"),
        (b"0\n1\nt 2147483648 0\n", 3, "a number in"),
        (b"0\n1\nt 0 12", 3, "the file is cut"),
        (b"0\n1\n\xff 0 12\n", 3, "no UTF-8"),
        (bytes(50), 1, "version 0 is expected"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_file_and_line(
    text: bytes, line: int, problem: str
) -> None:
    with pytest.raises(MalformedFile, match=problem) as caught:
        checkpoint.parse_offsets("dir/recovery-point", text)
    assert str(caught.value).startswith(f"dir/recovery-point, line {line}: ")


@pytest.mark.parametrize("text", [b"0\n2\n3 0\n3 4\n", b"0\n2\n3 9\n4 8\n", b"0\n1\n-1 0\n"])
def test_epochs_that_do_not_grow_are_refused(text: bytes) -> None:
    with pytest.raises(MalformedFile):
        checkpoint.parse_epochs("x", text)


def test_every_cut_of_a_checkpoint_is_noticed() -> None:
    text = b"0\n2\nt 0 10\nt 1 200\n"
    for cut in range(len(text)):
        with pytest.raises(MalformedFile):
            checkpoint.parse_offsets("x", text[:cut])


def test_partition_metadata() -> None:
    text = b"version: 0\ntopic_id: " + TOPIC_ID_TEXT.encode()
    assert checkpoint.format_partition_metadata(TOPIC_ID) == text
    assert checkpoint.parse_partition_metadata("x", text) == TOPIC_ID
    assert checkpoint.parse_partition_metadata("x", text + b"\n") == TOPIC_ID
    for bad in (b"", b"version: 0\n", b"version: 1\n" + text[11:], text[:-1], b"topic_id: x"):
        with pytest.raises(MalformedFile):
            checkpoint.parse_partition_metadata("x", bad)
