"""The small text files of a log directory: read with suspicion, written whole.

Checkpoints have a version line, a count line and that many entries. A file whose count does not
match its entries was half written, and is refused as a whole: half a checkpoint is worse than none,
because what is missing in it would be taken for 0. Every refusal names the file and the line;
whoever asked knows whether the fact can be rebuilt (epochs: yes, from the batches).

Only text here. Writing it so that it survives a power cut is the `WriteWhole` effect; what each
number means is said where it is used.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ottla.types import TopicPartition, Uuid, uuid_from_text, uuid_to_text

RECOVERY_POINTS: Final = "recovery-point-offset-checkpoint"
HIGH_WATERMARKS: Final = "replication-offset-checkpoint"
LOG_STARTS: Final = "log-start-offset-checkpoint"
CLEANED_OFFSETS: Final = "cleaner-offset-checkpoint"
EPOCHS: Final = "leader-epoch-checkpoint"
PARTITION_METADATA: Final = "partition.metadata"

_INT64_MAX: Final = (1 << 63) - 1
_INT32_MAX: Final = (1 << 31) - 1


class MalformedFile(Exception):
    """A small file is not what its name says. The message names file, line and what is expected."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}, line {line}: {problem}")
        self.path = path
        self.line = line


def format_offsets(offsets: Mapping[TopicPartition, int]) -> bytes:
    """A checkpoint of one offset per partition, in the partitions' order."""
    return _format(
        f"{name} {number} {offset}" for (name, number), offset in sorted(offsets.items())
    )


def parse_offsets(path: str, data: bytes) -> dict[TopicPartition, int]:
    """The reverse of `format_offsets`. Raises MalformedFile."""
    offsets: dict[TopicPartition, int] = {}
    for line, fields in _entries(path, data, 3):
        number = _number(path, line, fields[1], _INT32_MAX)
        offset = _number(path, line, fields[2], _INT64_MAX)
        offsets[TopicPartition(fields[0], number)] = offset
    return offsets


def format_epochs(epochs: Iterable[tuple[int, int]]) -> bytes:
    """A leader-epoch checkpoint: (epoch, start offset), ascending."""
    return _format(f"{epoch} {start_offset}" for epoch, start_offset in epochs)


def parse_epochs(path: str, data: bytes) -> list[tuple[int, int]]:
    """The reverse of `format_epochs`; both columns must grow. Raises MalformedFile."""
    epochs: list[tuple[int, int]] = []
    for line, fields in _entries(path, data, 2):
        epoch = _number(path, line, fields[0], _INT32_MAX)
        start_offset = _number(path, line, fields[1], _INT64_MAX)
        if epochs and (epoch <= epochs[-1][0] or start_offset < epochs[-1][1]):
            raise MalformedFile(
                path, line, f"epoch {epoch} at {start_offset} does not follow {epochs[-1]}"
            )
        epochs.append((epoch, start_offset))
    return epochs


def format_partition_metadata(topic_id: Uuid) -> bytes:
    return f"version: 0\ntopic_id: {uuid_to_text(topic_id)}".encode()


def parse_partition_metadata(path: str, data: bytes) -> Uuid:
    """Which topic the directory belongs to. Raises MalformedFile."""
    lines = _text(path, data).splitlines()
    for line, (name, expected) in enumerate((("version", "0"), ("topic_id", "")), start=1):
        if line > len(lines):
            raise MalformedFile(path, line, f"`{name}: …` is expected, but the file ends")
        key, _, value = lines[line - 1].partition(":")
        if key.strip() != name or (expected and value.strip() != expected):
            problem = f"`{name}: {expected or '<uuid>'}` is expected, not {lines[line - 1]!r}"
            raise MalformedFile(path, line, problem)
    return _uuid(path, 2, lines[1].partition(":")[2].strip())


def _format(entries: Iterable[str]) -> bytes:
    lines = list(entries)
    return "\n".join(["0", str(len(lines)), *lines, ""]).encode()


def _entries(path: str, data: bytes, width: int) -> list[tuple[int, list[str]]]:
    """(line number, fields) of every entry."""
    lines = _text(path, data).splitlines()
    if not lines or lines[0].strip() != "0":
        raise MalformedFile(path, 1, f"version 0 is expected, not {lines[0] if lines else ''!r}")
    count = _number(path, 2, lines[1] if len(lines) > 1 else "", _INT32_MAX)
    entries = [(line, text.split()) for line, text in enumerate(lines[2:], start=3) if text.strip()]
    if len(entries) != count:
        raise MalformedFile(path, 2, f"{count} entries are announced, {len(entries)} are there")
    for line, fields in entries:
        if len(fields) != width:
            raise MalformedFile(path, line, f"{width} fields are expected, not {len(fields)}")
    if not data.endswith(b"\n"):
        raise MalformedFile(path, len(lines), "the line is not ended: the file is cut")
    return entries


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise MalformedFile(path, line, f"byte {error.start} is no UTF-8") from error


def _number(path: str, line: int, text: str, number_max: int) -> int:
    text = text.strip()
    # Not int(): it takes underscores, other scripts' digits, and minutes for a million digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > number_max:
        raise MalformedFile(path, line, f"a number in 0..{number_max} is expected, not {text!r}")
    return int(text)


def _uuid(path: str, line: int, text: str) -> Uuid:
    try:
        return uuid_from_text(text)
    except ValueError as error:
        raise MalformedFile(path, line, str(error)) from error
