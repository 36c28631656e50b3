"""DeleteTopics, by name or by id: one row per topic, in the order asked.

Source: KIP-4, KIP-516 (ids), KIP-599 (quotas). Apache Kafka shuffles the rows, to hide from those who may not see a
topic whether it is there; that is for the day when there is access control.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import decide_delete
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.core.quota.mutation import EXCEEDED
from ottla.core.quota.quotas import Quotas
from ottla.errors import ErrorCode
from ottla.limits import quoted
from ottla.types import ZERO_UUID, Uuid, uuid_to_text
from ottla.wire.message.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 20
VERSIONS: Final = (0, 6)
GAPS: Final[tuple[str, ...]] = (
    "TimeoutMs is not looked at: on one node, a topic is deleted when the answer can be given at all",
)

_BY_STATE_SINCE: Final = 6
_DISABLED_SINCE: Final = 3
_KNOWS_QUOTAS_SINCE: Final = 5


class _Asked(NamedTuple):
    name: str | None
    topic_id: Uuid


@final
class HandleDeleteTopics:
    __slots__ = ("controller", "delete_enabled", "quotas")

    def __init__(self, *, controller: Controller, delete_enabled: bool, quotas: Quotas) -> None:
        self.controller = controller
        self.delete_enabled = delete_enabled
        self.quotas = quotas

    def __call__(self, now_ms: int, call: Call, request: DeleteTopicsRequest) -> list[Effect]:
        asked = _asked(call.version, request)
        if not self.delete_enabled:
            return [Reply(call, _disabled(call.version, asked))]
        latest = self.controller.latest
        times = Counter(asked)
        meant = Counter(_topic_id(one, latest) for one in times)
        rows = [_row(one, times[one], meant, latest) for one in times]
        strict = call.version >= _KNOWS_QUOTAS_SINCE
        quota = self.quotas.mutations(now_ms, call, strict=strict)
        doomed = []
        for row in rows:
            if row.error_code:
                continue
            if quota.take(len(latest.topic_ids[row.topic_id].partitions)):
                doomed.append(row.topic_id)
            else:
                row.error_code, row.error_message = EXCEEDED
        response = DeleteTopicsResponse(throttle_time_ms=quota.throttle_ms, responses=rows)
        answer = _Answer(call, response)
        return self.controller.submit(now_ms, decide_delete(latest, doomed), answer)


def _asked(version: int, request: DeleteTopicsRequest) -> list[_Asked]:
    if version >= _BY_STATE_SINCE:
        return [_Asked(topic.name, topic.topic_id) for topic in request.topics]
    return [_Asked(name, ZERO_UUID) for name in request.topic_names]


def _topic_id(one: _Asked, latest: Image) -> Uuid:
    """The id of the topic that is meant, as far as it can be told."""
    topic = None if one.name is None else latest.topics.get(one.name)
    return one.topic_id if topic is None else topic.topic_id


def _row(one: _Asked, times: int, meant: Mapping[Uuid, int], latest: Image) -> DeletableTopicResult:
    """What becomes of one topic; without an error, it is to be deleted.

    `times`: how often it stands in the request so; `meant`: how many ways of naming each topic do.
    """
    if one.name is None and one.topic_id == ZERO_UUID:
        return _refusal(
            one, ErrorCode.INVALID_REQUEST, "neither a topic's name nor its id is given"
        )
    if one.name is not None and one.topic_id != ZERO_UUID:
        return _refusal(
            one,
            ErrorCode.INVALID_REQUEST,
            f"topic {quoted(one.name)} has an id besides: give one of them",
        )
    shown = quoted(one.name) if one.name is not None else f"id {uuid_to_text(one.topic_id)}"
    if times > 1:
        return _refusal(
            one, ErrorCode.INVALID_REQUEST, f"topic {shown} stands {times} times in this request"
        )
    if one.name is not None:
        topic = latest.topics.get(one.name)
        error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    else:
        topic = latest.topic_ids.get(one.topic_id)
        error = ErrorCode.UNKNOWN_TOPIC_ID
    if topic is None:
        return _refusal(one, error, f"there is no topic {shown}")
    if meant[topic.topic_id] > 1:
        return _refusal(
            one,
            ErrorCode.INVALID_REQUEST,
            f"topic {shown} stands in this request by name and by id",
        )
    return DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)


def _refusal(one: _Asked, error: ErrorCode, message: str) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=one.name, topic_id=one.topic_id, error_code=error, error_message=message
    )


def _disabled(version: int, asked: list[_Asked]) -> DeleteTopicsResponse:
    error = ErrorCode.TOPIC_DELETION_DISABLED
    if version < _DISABLED_SINCE:
        error = ErrorCode.INVALID_REQUEST
    message = "topics cannot be deleted here: delete.topic.enable=false"
    return DeleteTopicsResponse(
        responses=[_refusal(one, error, message) for one in dict.fromkeys(asked)]
    )


@final
class _Answer:
    __slots__ = ("_call", "_response")

    def __init__(self, call: Call, response: DeleteTopicsResponse) -> None:
        self._call = call
        self._response = response

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        rows = [
            row if row.error_code else _refusal(_Asked(row.name, row.topic_id), error, message)
            for row in self._response.responses
        ]
        throttle_ms = self._response.throttle_time_ms
        return [Reply(self._call, DeleteTopicsResponse(throttle_ms, rows))]
