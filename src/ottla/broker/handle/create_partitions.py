"""CreatePartitions: a topic grows, and never shrinks. One row per topic, in the order asked.

Source: KIP-195, KIP-599 (quotas). Elsewhere: what is refused and why, see `core/controller/topics.py`.
"""

from collections import Counter
from typing import Final, final

from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import Growth, TopicDefaults, TopicMaker
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Image
from ottla.core.port import Entropy
from ottla.core.quota.quotas import Quotas
from ottla.errors import ErrorCode
from ottla.limits import bounded, quoted
from ottla.wire.message.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from ottla.wire.server import Call

API_KEY: Final = 37
VERSIONS: Final = (0, 3)
GAPS: Final[tuple[str, ...]] = (
    "an internal topic does not grow (INVALID_REQUEST); in Apache Kafka groups then lose their offsets",
    "TimeoutMs is not looked at: on one node, partitions are there when the answer can be given at all",
)

_KNOWS_QUOTAS_SINCE: Final = 3


@final
class HandleCreatePartitions:
    __slots__ = ("controller", "defaults", "entropy", "quotas")

    def __init__(
        self, *, controller: Controller, defaults: TopicDefaults, entropy: Entropy, quotas: Quotas
    ) -> None:
        self.controller = controller
        self.defaults = defaults
        self.entropy = entropy
        self.quotas = quotas

    def __call__(self, now_ms: int, call: Call, request: CreatePartitionsRequest) -> list[Effect]:
        strict = call.version >= _KNOWS_QUOTAS_SINCE
        quota = self.quotas.mutations(now_ms, call, strict=strict)
        maker = TopicMaker(self.controller.latest, self.defaults, self.entropy, quota)
        times = Counter(topic.name for topic in request.topics)
        rows: dict[str, CreatePartitionsTopicResult] = {}
        for topic in request.topics:
            name = topic.name
            row = CreatePartitionsTopicResult(name=name)
            rows[name] = row
            if times[name] > 1:
                row.error_code = ErrorCode.INVALID_REQUEST
                row.error_message = (
                    f"topic {quoted(name)} stands {times[name]} times in this request"
                )
                continue
            refused = maker.grow(_asked(topic))
            if refused is not None:
                row.error_code = refused.error
                row.error_message = bounded(refused.message)
        response = CreatePartitionsResponse(results=list(rows.values()))
        response.throttle_time_ms = quota.throttle_ms
        records = () if request.validate_only else tuple(maker.records)
        return self.controller.submit(now_ms, records, _Answer(call, response))


def _asked(topic: CreatePartitionsTopic) -> Growth:
    assignments = None
    if topic.assignments is not None:
        assignments = tuple(tuple(one.broker_ids) for one in topic.assignments)
    return Growth(name=topic.name, total=topic.count, assignments=assignments)


@final
class _Answer:
    __slots__ = ("_call", "_response")

    def __init__(self, call: Call, response: CreatePartitionsResponse) -> None:
        self._call = call
        self._response = response

    def committed(self, image: Image) -> list[Effect]:
        return [Reply(self._call, self._response)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        rows = [
            row if row.error_code else CreatePartitionsTopicResult(row.name, error, message)
            for row in self._response.results
        ]
        throttle_ms = self._response.throttle_time_ms
        return [Reply(self._call, CreatePartitionsResponse(throttle_ms, rows))]
