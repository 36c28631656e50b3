"""Answers as programs get them: a dict, as kafka-python 3 gives, whose keys are attributes too, as 2 gave.

Names that changed between the two find each other: `answer["leader"]`, `answer.leader` and
`answer["leader_id"]` are the same. Ids of 16 bytes are text in the usual form, or None for none.
"""

from collections.abc import Mapping
from typing import Final, final
from uuid import UUID

from ottla.types import ZERO_UUID
from ottla.wire.shape import Struct

_OLD: Final[Mapping[str, tuple[str, ...]]] = {
    "topic": ("name", "topic_name"),
    "partition": ("partition_index",),
    "leader": ("leader_id",),
    "replicas": ("replica_nodes",),
    "isr": ("isr_nodes",),
    "node_id": ("broker_id",),
    "group": ("group_id",),
    "state": ("group_state",),
    "protocol": ("protocol_data",),
    "topic_metadata": ("topics",),
}
_UNSAID: Final = frozenset(("throttle_time_ms", "topic_authorized_operations"))


@final
class Answer(dict[str, object]):
    """A dict whose keys are attributes."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"there is no {name!r} in this answer; there are {', '.join(map(repr, self))}"
            ) from None

    def __missing__(self, name: str) -> object:
        for now in _OLD.get(name, ()):
            if now in self:
                return self[now]
        match name:
            case "topic_errors":
                return [
                    (one["name"], one["error_code"], one["error_message"]) for one in self._rows()
                ]
            case "topic_error_codes":
                return [(one["name"], one["error_code"]) for one in self._rows()]
        raise KeyError(name)

    def _rows(self) -> "list[Answer]":
        rows = self.get("topics", self.get("results", ()))
        assert isinstance(rows, list | tuple)
        return list(rows)


def answer(struct: Struct) -> Answer:
    """A message or a part of one."""
    slots: tuple[str, ...] = type(struct).__slots__
    return Answer(
        {name: _value(name, getattr(struct, name)) for name in slots if name not in _UNSAID}
    )


def uuid_text(uuid: bytes) -> str | None:
    return None if uuid == ZERO_UUID else str(UUID(bytes=uuid))


def _value(name: str, value: object) -> object:
    if isinstance(value, Struct):
        return answer(value)
    if isinstance(value, list | tuple):
        return [_value(name, one) for one in value]
    if isinstance(value, bytes) and name.endswith("_id"):
        return uuid_text(value)
    return value
