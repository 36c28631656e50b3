"""An administrator: topics made, grown, cut, altered, deleted and looked at, one request each.

What it asks names topics as it knows them: to delete one it first learns its id, so that a late
request never meets a successor of the same name.

Elsewhere: what it asks of groups, `steward.py`, of quotas, `quartermaster.py`, and of log directories,
`mover.py`; all other questions, `inquirer.py`.
"""

from collections.abc import Callable
from typing import Final, TypeVar, final

from ottla.errors import ErrorCode
from ottla.sim.caller import inquirer
from ottla.sim.caller.client import Client, Connect, TopicKnown, expect
from ottla.sim.caller.mover import Mover
from ottla.sim.caller.quartermaster import UNCERTAIN, Quartermaster
from ottla.sim.caller.steward import Steward
from ottla.sim.clock import Events
from ottla.sim.history import (
    Alter,
    ConfigsSeen,
    Create,
    Delete,
    DeleteBefore,
    Entry,
    Grow,
    History,
    Inquiry,
    Listing,
    Outcome,
    TopicSeen,
)
from ottla.sim.network import Wire
from ottla.sim.plan import Ask, ClientPlan, Verb
from ottla.types import ZERO_UUID
from ottla.wire.api import (
    ALTER_CONFIGS,
    CREATE_PARTITIONS,
    CREATE_TOPICS,
    DELETE_RECORDS,
    DELETE_TOPICS,
    DESCRIBE_CONFIGS,
    INCREMENTAL_ALTER_CONFIGS,
    METADATA,
    Message,
)
from ottla.wire.message import alter_configs, incremental_alter_configs
from ottla.wire.message.alter_client_quotas import AlterClientQuotasRequest
from ottla.wire.message.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.message.describe_topic_partitions import DescribeTopicPartitionsResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse

A = TypeVar("A", bound=Message)

_CREATE_VERSION: Final = 7
_DELETE_BY_ID: Final = 6
_DELETE_BY_NAME: Final = 5
_GROW_VERSION: Final = 3
_DELETE_RECORDS_VERSION: Final = 2
_CONFIGS_VERSION: Final = 4
_ALTER_VERSION: Final = 1
_REPLACE_VERSION: Final = 2
_METADATA_VERSION: Final = 12

_TOPIC: Final = 2
_SET_ON_THE_TOPIC: Final = 1

_SET: Final = 0
_TAKE_AWAY: Final = 1

IMPOSSIBLE: Final = "bad"
"""A value that no setting takes that a world alters."""


@final
class Administrator(Client):
    """`final`: what it lists is the last look at a world."""

    final = False

    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self.steward = Steward(self)
        self.quartermaster = Quartermaster(self)
        self.mover = Mover(self)

    def ask(self, ask: Ask) -> None:
        known = self.topics.get(ask.topic)
        match ask.verb:
            case Verb.CREATE:
                self.create(ask.topic, ask.count, dict(ask.configs))
            case Verb.LIST:
                self.list_topics()
            case Verb.CONFIGS:
                self.see_configs(ask.topic)
            case Verb.GROW:
                self.grow(ask.topic, ask.count)
            case Verb.DELETE if self.plan.by_name or known is not None:
                self.delete(ask.topic, known)
            case Verb.DELETE_BEFORE if known is not None:
                self.delete_before(ask.topic, known, ask.partition % known.partitions, ask.count)
            case Verb.ALTER | Verb.REPLACE:
                changes = {key: text or None for key, text in ask.configs}
                self.alter(ask.topic, changes, whole=ask.verb is Verb.REPLACE)
            case Verb.INQUIRE:
                self.inquire(ask, known)
            case Verb.QUOTA | Verb.QUOTAS:
                self.quartermaster.ask(ask)
            case Verb.MOVE | Verb.PLACES:
                self.mover.ask(ask)
            case _ if ask.group:
                self.steward.ask(ask)
            case _:
                self.learn_topics()

    def create(self, topic: str, partitions: int, configs: dict[str, str]) -> None:
        now_us = self.events.now_us
        op = Create(self.number, now_us, topic=topic, partitions=partitions, configs=configs)

        def read(answer: CreateTopicsResponse) -> int:
            result = answer.topics[0]
            if result.error_code == ErrorCode.NONE:
                op.topic_id = result.topic_id
            return result.error_code

        wanted = CreatableTopic(
            name=topic,
            num_partitions=partitions,
            replication_factor=1,
            configs=[CreatableTopicConfig(name=key, value=text) for key, text in configs.items()],
        )
        request = CreateTopicsRequest(topics=[wanted], timeout_ms=2_000)
        self._do(op, CREATE_TOPICS, _CREATE_VERSION, request, CreateTopicsResponse, read)

    def delete(self, topic: str, known: TopicKnown | None) -> None:
        by_name = self.plan.by_name or known is None
        topic_id = ZERO_UUID if known is None else known.topic_id
        op = Delete(
            self.number, self.events.now_us, topic=topic, topic_id=topic_id, by_name=by_name
        )

        def read(answer: DeleteTopicsResponse) -> int:
            self.topics.pop(topic, None)
            return answer.responses[0].error_code

        if by_name:
            request = DeleteTopicsRequest(topic_names=[topic], timeout_ms=2_000)
        else:
            state = DeleteTopicState(name=None, topic_id=topic_id)
            request = DeleteTopicsRequest(topics=[state], timeout_ms=2_000)
        version = _DELETE_BY_NAME if by_name else _DELETE_BY_ID
        self._do(op, DELETE_TOPICS, version, request, DeleteTopicsResponse, read)

    def grow(self, topic: str, partitions: int) -> None:
        op = Grow(self.number, self.events.now_us, topic=topic, partitions=partitions)
        wanted = CreatePartitionsTopic(name=topic, count=partitions, assignments=None)
        request = CreatePartitionsRequest(topics=[wanted], timeout_ms=2_000)
        self._do(
            op,
            CREATE_PARTITIONS,
            _GROW_VERSION,
            request,
            CreatePartitionsResponse,
            lambda answer: answer.results[0].error_code,
        )

    def delete_before(
        self, topic: str, known: TopicKnown, partition: int, before_offset: int
    ) -> None:
        op = DeleteBefore(
            self.number,
            self.events.now_us,
            topic=topic,
            topic_id=known.topic_id,
            partition=partition,
            before_offset=before_offset,
        )

        def read(answer: DeleteRecordsResponse) -> int:
            result = answer.topics[0].partitions[0]
            if result.error_code == ErrorCode.NONE:
                op.low_watermark = result.low_watermark
            return result.error_code

        part = DeleteRecordsPartition(partition_index=partition, offset=before_offset)
        asked = DeleteRecordsTopic(name=topic, partitions=[part])
        request = DeleteRecordsRequest(topics=[asked], timeout_ms=2_000)
        self._do(op, DELETE_RECORDS, _DELETE_RECORDS_VERSION, request, DeleteRecordsResponse, read)

    def list_topics(self, then: Callable[[], None] | None = None) -> None:
        op = Listing(self.number, self.events.now_us, final=self.final)

        def read(answer: MetadataResponse) -> int:
            for topic in answer.topics:
                leaderless = sum(one.error_code != ErrorCode.NONE for one in topic.partitions)
                seen = TopicSeen(topic.topic_id, len(topic.partitions), leaderless)
                op.topics[topic.name or ""] = seen
            self.topics = {
                name: TopicKnown(seen.topic_id, seen.partitions)
                for name, seen in op.topics.items()
                if not seen.leaderless
            }
            return ErrorCode.NONE

        request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
        self._do(op, METADATA, _METADATA_VERSION, request, MetadataResponse, read, then)

    def see_configs(self, topic: str, then: Callable[[], None] | None = None) -> None:
        op = ConfigsSeen(self.number, self.events.now_us, topic=topic, final=self.final)

        def read(answer: DescribeConfigsResponse) -> int:
            result = answer.results[0]
            op.configs = {
                one.name: one.value or ""
                for one in result.configs
                if one.config_source == _SET_ON_THE_TOPIC
            }
            return result.error_code

        asked = DescribeConfigsResource(
            resource_type=_TOPIC, resource_name=topic, configuration_keys=None
        )
        request = DescribeConfigsRequest(resources=[asked])
        self._do(
            op, DESCRIBE_CONFIGS, _CONFIGS_VERSION, request, DescribeConfigsResponse, read, then
        )

    def alter(self, topic: str, changes: dict[str, str | None], *, whole: bool) -> None:
        if whole:
            changes = {key: text for key, text in changes.items() if text is not None}
        op = Alter(
            self.number,
            self.events.now_us,
            topic=topic,
            changes=changes,
            whole=whole,
            refusable=IMPOSSIBLE in changes.values(),
        )
        if whole:
            old_configs = [alter_configs.AlterableConfig(*one) for one in changes.items()]
            old_resource = alter_configs.AlterConfigsResource(_TOPIC, topic, old_configs)
            self._do(
                op,
                ALTER_CONFIGS,
                _REPLACE_VERSION,
                alter_configs.AlterConfigsRequest([old_resource]),
                alter_configs.AlterConfigsResponse,
                lambda answer: answer.responses[0].error_code,
            )
            return
        configs = [
            incremental_alter_configs.AlterableConfig(
                key, _TAKE_AWAY if text is None else _SET, text
            )
            for key, text in changes.items()
        ]
        resource = incremental_alter_configs.AlterConfigsResource(_TOPIC, topic, configs)
        self._do(
            op,
            INCREMENTAL_ALTER_CONFIGS,
            _ALTER_VERSION,
            incremental_alter_configs.IncrementalAlterConfigsRequest([resource]),
            incremental_alter_configs.IncrementalAlterConfigsResponse,
            lambda answer: answer.responses[0].error_code,
        )

    def inquire(self, ask: Ask, known: TopicKnown | None) -> None:
        """One of the other questions there are."""
        api_key, version, question = inquirer.QUESTIONS[ask.count % len(inquirer.QUESTIONS)]
        op = Inquiry(self.number, self.events.now_us, api_key=api_key, about=ask.topic)
        request = question(inquirer.subject(ask.topic, known, ask.partition))
        altered = []
        if isinstance(request, AlterClientQuotasRequest):
            altered = self.quartermaster.noted(request)

        def read(answer: Message) -> int:
            if altered:
                self.quartermaster.end(altered, answer)
            op.problem = inquirer.problem(answer)
            if isinstance(answer, DescribeTopicPartitionsResponse):
                for topic in answer.topics:
                    is_it = topic.name == ask.topic and topic.error_code == ErrorCode.NONE
                    if is_it and answer.next_cursor is None:
                        op.topic_id, op.partitions = topic.topic_id, len(topic.partitions)
            return ErrorCode.NONE

        def then() -> None:
            if op.outcome is Outcome.INFO:
                self.quartermaster.end(altered, None)

        self._do(op, api_key, version, request, Message, read, then)

    def _do(
        self,
        op: Entry,
        api_key: int,
        version: int,
        request: Message,
        kind: type[A],
        read: Callable[[A], int],
        then: Callable[[], None] | None = None,
    ) -> None:
        """Ask, and note how it ended. `read` takes what it wants and returns the error code."""
        self.history.note(op)

        def done(message: Message | None) -> None:
            answer = expect(message, kind)
            if answer is None:
                op.end(self.events.now_us, Outcome.INFO)
            else:
                error = ErrorCode(read(answer))
                outcome = Outcome.OK if error is ErrorCode.NONE else Outcome.FAIL
                op.end(self.events.now_us, Outcome.INFO if error in UNCERTAIN else outcome, error)
            if then is not None:
                then()

        self.request(api_key, version, request, done)
