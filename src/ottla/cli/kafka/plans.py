"""The JSON files that Kafka's tools take: which partitions, and what with them.

Foreign text: what is missing, of another type or said twice raises LocalProtocolError, naming it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ottla.errors import LocalProtocolError
from ottla.types import TopicPartition

ANY_DIRECTORY: Final = "any"


class Wanted(NamedTuple):
    """Where a partition's replicas shall be: brokers, and the log directory on each."""

    place: TopicPartition
    replicas: tuple[int, ...]
    directories: tuple[str, ...]


def read_file(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        raise LocalProtocolError(f"Unable to read file {path}") from None


def offsets_untrusted(text: str) -> dict[TopicPartition, int]:
    """`{"partitions": [{"topic": t, "partition": 0, "offset": 7}], "version": 1}`."""
    found = []
    for row in _rows(_object(text), "partitions"):
        found.append((_place(row), _number(row, "offset")))
    _refuse_twice(
        "Offset json file contains duplicate topic partitions: ", (place for place, _ in found)
    )
    return dict(found)


def places_untrusted(text: str) -> list[TopicPartition]:
    """`{"partitions": [{"topic": t, "partition": 0}]}`."""
    found = [_place(row) for row in _rows(_object(text), "partitions")]
    _refuse_twice("Replica election data contains duplicate partitions: ", found)
    return found


def topics_untrusted(text: str) -> list[str]:
    """`{"topics": [{"topic": t}], "version": 1}`."""
    return [_text(row, "topic") for row in _rows(_object(text), "topics")]


def reassignment_untrusted(text: str) -> list[Wanted]:
    """`{"version": 1, "partitions": [{"topic": t, "partition": 0, "replicas": [1], "log_dirs":
    ["any"]}]}`."""
    found = []
    for row in _rows(_object(text), "partitions"):
        place = _place(row)
        replicas = [one for one in _list(row, "replicas") if isinstance(one, int)]
        if len(replicas) != len(_list(row, "replicas")):
            raise LocalProtocolError(f"{_name(place)}: replicas are broker ids, [1, 2, 3]")
        said = _list(row, "log_dirs") if "log_dirs" in row else [ANY_DIRECTORY] * len(replicas)
        directories = [str(one) for one in said]
        if len(directories) != len(replicas):
            raise LocalProtocolError(
                f"Size of replicas list {replicas} is different from size of log dirs list "
                f"[{', '.join(directories)}] for partition {_name(place)}"
            )
        found.append(Wanted(place, tuple(replicas), tuple(directories)))
    return found


def _object(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        raise LocalProtocolError("The input string is not a valid JSON") from None
    if not isinstance(found, dict):
        raise LocalProtocolError("The input string is not a JSON object")
    version = found.get("version", 1)
    if version != 1:
        raise LocalProtocolError(f"Not supported version field value {version}")
    return found


def _rows(found: Mapping[str, object], name: str) -> Iterable[Mapping[str, object]]:
    if name not in found:
        raise LocalProtocolError(f"Missing {name} field")
    for row in _list(found, name):
        if not isinstance(row, dict):
            raise LocalProtocolError(f"{name}: objects are expected, {json.dumps(row)} is none")
        yield row


def _list(row: Mapping[str, object], name: str) -> Sequence[object]:
    value = row.get(name)
    if not isinstance(value, list):
        raise LocalProtocolError(f"{name}: a list is expected in {json.dumps(row)}")
    return value


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise LocalProtocolError(f"{name}: a string is expected in {json.dumps(row)}")
    return value


def _number(row: Mapping[str, object], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise LocalProtocolError(f"{name}: a whole number is expected in {json.dumps(row)}")
    return value


def _place(row: Mapping[str, object]) -> TopicPartition:
    return TopicPartition(_text(row, "topic"), _number(row, "partition"))


def _refuse_twice(text: str, places: Iterable[TopicPartition]) -> None:
    seen: set[TopicPartition] = set()
    twice: dict[TopicPartition, None] = {}
    for place in places:
        if place in seen:
            twice[place] = None
        seen.add(place)
    if twice:
        raise LocalProtocolError(text + ",".join(_name(place) for place in twice))


def _name(place: TopicPartition) -> str:
    return f"{place.topic}-{place.partition}"
