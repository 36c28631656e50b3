"""OffsetFetch, API key 9: how far groups have read.

Of a group that is not there, no offset is known either: -1, without an error, as it always was.

What is named twice is told once: a partition is named in four bytes, and told in thousands where its
commit has metadata. (Kafka tells it twice.) So a group that is named twice has one row, with all that
was asked of it.

Source: KIP-88 (all partitions of a group), KIP-320 (leader epochs), KIP-447 (stable offsets), KIP-709
(several groups), KIP-848 (topic ids). Elsewhere: `core/group/offsets.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

from ottla.core.effect import Effect
from ottla.core.group.group import Fetched, Groups
from ottla.core.group.journal import CommittedOffset
from ottla.core.metadata.image import Current, Image
from ottla.core.shard.decision import Asked, Gathering, asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.types import NO_EPOCH, ZERO_UUID, Uuid
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ottla.wire.server import Call

API_KEY: Final = 9
VERSIONS: Final = (0, 10)
GAPS: Final[tuple[str, ...]] = (
    "RequireStable (7 and later) is always fulfilled: no transaction can be begun that commits offsets",
)

WHOLE_ERROR_SINCE: Final = 2
SEVERAL_GROUPS_SINCE: Final = 8
TOPIC_IDS_SINCE: Final = 10

_NONE_KNOWN: Final = CommittedOffset(-1, NO_EPOCH, "", -1)


class _Asked(NamedTuple):
    """A topic, and which of its partitions are asked for."""

    name: str
    topic_id: Uuid
    partitions: Sequence[int]


@final
class HandleOffsetFetch:
    __slots__ = ("current", "groups")

    def __init__(self, groups: Shards[Groups], current: Current) -> None:
        self.groups = groups
        self.current = current

    def __call__(self, now_ms: int, call: Call, request: OffsetFetchRequest) -> list[Effect]:
        if call.version < SEVERAL_GROUPS_SINCE:
            return self._one(now_ms, call, request)
        image = self.current.image
        by_id = call.version >= TOPIC_IDS_SINCE
        asked_for = _by_group(request.groups)

        def render(parts: list[Fetched]) -> OffsetFetchResponse:
            rows = [
                _group(image, group_id, topics, fetched, by_id=by_id)
                for (group_id, topics), fetched in zip(asked_for.items(), parts, strict=True)
            ]
            return OffsetFetchResponse(groups=rows)

        gathering: Gathering[Fetched] = Gathering(call, len(asked_for), render)
        if not asked_for:
            return gathering.complete()
        effects: list[Effect] = []
        for number, (group_id, topics) in enumerate(asked_for.items()):
            wanted = _wanted(image, topics, by_id=by_id)
            part = gathering.part(number, Fetched)
            effects += self._fetch(now_ms, group_id, wanted, part)
        return effects

    def _one(self, now_ms: int, call: Call, request: OffsetFetchRequest) -> list[Effect]:
        topics = request.topics
        wanted = None
        if topics is not None:
            once = _each_once((one.name, ZERO_UUID, one.partition_indexes) for one in topics)
            wanted = [(one.name, one.partitions) for one in once]
        version = call.version

        def render(fetched: Fetched) -> OffsetFetchResponse:
            return _whole(version, wanted, fetched)

        return self._fetch(now_ms, request.group_id, wanted, asked(call, render, Fetched))

    def _fetch(
        self,
        now_ms: int,
        group_id: str,
        wanted: Sequence[tuple[str, Sequence[int]]] | None,
        answer: Asked[Fetched],
    ) -> list[Effect]:
        return self.groups.ask(
            now_ms, group_id, answer, lambda one: one.decide_fetch(group_id, wanted, answer)
        )


def _by_group(groups: Sequence[OffsetFetchRequestGroup]) -> dict[str, list[_Asked] | None]:
    """What is asked of each; None: all that is committed."""
    named: dict[str, list[tuple[str, Uuid, Sequence[int]]]] = {}
    whole: set[str] = set()
    for group in groups:
        topics = named.setdefault(group.group_id, [])
        if group.topics is None:
            whole.add(group.group_id)
        else:
            topics += ((one.name, one.topic_id, one.partition_indexes) for one in group.topics)
    return {name: None if name in whole else _each_once(named[name]) for name in named}


def _each_once(topics: Iterable[tuple[str, Uuid, Iterable[int]]]) -> list[_Asked]:
    merged: dict[tuple[str, Uuid], dict[int, None]] = {}
    for name, topic_id, partitions in topics:
        merged.setdefault((name, topic_id), {}).update(dict.fromkeys(partitions))
    return [_Asked(*topic, tuple(partitions)) for topic, partitions in merged.items()]


def _wanted(
    image: Image, topics: Sequence[_Asked] | None, *, by_id: bool
) -> list[tuple[str, Sequence[int]]] | None:
    """Topics by name; those whose id nobody knows are left out."""
    if topics is None:
        return None
    wanted: list[tuple[str, Sequence[int]]] = []
    for one in topics:
        name: str | None = one.name
        if by_id:
            topic = image.topic_ids.get(one.topic_id)
            name = None if topic is None else topic.name
        if name is not None:
            wanted.append((name, one.partitions))
    return wanted


def _whole(
    version: int, wanted: Sequence[tuple[str, Sequence[int]]] | None, fetched: Fetched
) -> OffsetFetchResponse:
    """The answer about the only group. Before it had a place of its own, every partition told an
    error."""
    error = fetched.error
    if wanted is None:
        wanted = [(name, tuple(parts)) for name, parts in fetched.topics.items()]
    if error and version >= WHOLE_ERROR_SINCE:
        return OffsetFetchResponse(topics=[], error_code=error)
    topics = []
    for name, partitions in wanted:
        held = fetched.topics.get(name, {})
        rows = []
        for partition in partitions:
            one = held.get(partition, _NONE_KNOWN)
            rows.append(
                OffsetFetchResponsePartition(
                    partition, one.offset, one.leader_epoch, one.metadata, error
                )
            )
        topics.append(OffsetFetchResponseTopic(name, rows))
    return OffsetFetchResponse(topics=topics)


def _group(
    image: Image, group_id: str, asked: Sequence[_Asked] | None, fetched: Fetched, *, by_id: bool
) -> OffsetFetchResponseGroup:
    if fetched.error:
        return OffsetFetchResponseGroup(group_id, [], fetched.error)
    topics = []
    if asked is None:
        for name, held in fetched.topics.items():
            topic = image.topics.get(name)
            if topic is None and by_id:
                continue  # it has no id any more by which the client could know it
            topic_id = ZERO_UUID if topic is None else topic.topic_id
            rows = [_row(partition, one) for partition, one in held.items()]
            topics.append(OffsetFetchResponseTopics(name, topic_id, rows))
    else:
        for asked_for in asked:
            known = image.topic_ids.get(asked_for.topic_id) if by_id else None
            name = asked_for.name if known is None else known.name
            parts = fetched.topics.get(name, {})
            error = ErrorCode.UNKNOWN_TOPIC_ID if by_id and known is None else ErrorCode.NONE
            rows = [
                _row(partition, parts.get(partition, _NONE_KNOWN), error)
                for partition in asked_for.partitions
            ]
            topics.append(OffsetFetchResponseTopics(asked_for.name, asked_for.topic_id, rows))
    return OffsetFetchResponseGroup(group_id, topics)


def _row(
    partition: int, one: CommittedOffset, error: ErrorCode = ErrorCode.NONE
) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition, one.offset, one.leader_epoch, one.metadata, error
    )
