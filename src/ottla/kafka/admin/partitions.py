"""Partitions: added, emptied, moved, given other leaders; and where they begin and end."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from ottla.errors import ErrorCode
from ottla.kafka.admin.answer import Answer, answer
from ottla.kafka.admin.asking import Asking, error_class, operations, partitions_by_topic, raise_if
from ottla.kafka.errors import BrokerResponseError
from ottla.kafka.offset_spec import IsolationLevel
from ottla.kafka.structs import OffsetAndTimestamp, TopicPartition
from ottla.wire.message.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.message.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.message.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from ottla.wire.message.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    TopicPartitions,
)
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.message.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)

Places: TypeAlias = Iterable[TopicPartition | tuple[str, int]] | Mapping[str, Iterable[int]]


class ElectionType(IntEnum):
    """PREFERRED: the first replica, if it is in sync. UNCLEAN: any, and records may be lost."""

    PREFERRED = 0
    UNCLEAN = 1


class NewPartitions:
    """How many partitions a topic shall have in all, and on which brokers the new ones."""

    __slots__ = ("new_assignments", "total_count")

    def __init__(
        self, total_count: int, new_assignments: Sequence[Sequence[int]] | None = None
    ) -> None:
        self.total_count = total_count
        self.new_assignments = new_assignments

    def __repr__(self) -> str:
        return f"NewPartitions({self.total_count}, {self.new_assignments})"


class PartitionCalls(Asking):
    def create_partitions(
        self,
        topic_partitions: Mapping[str, NewPartitions | int],
        timeout_ms: int | None = None,
        validate_only: bool = False,
        raise_errors: bool = True,
    ) -> Answer:
        """Raises the first refusal, unless `raise_errors` is off."""
        topics = []
        for name, given in topic_partitions.items():
            wanted = NewPartitions(given) if isinstance(given, int) else given
            assigned = wanted.new_assignments
            topics.append(
                CreatePartitionsTopic(
                    name,
                    wanted.total_count,
                    None
                    if assigned is None
                    else [CreatePartitionsAssignment(list(brokers)) for brokers in assigned],
                )
            )
        request = CreatePartitionsRequest(topics, timeout_ms or self._timeout_ms, validate_only)
        response = self._controller(request, CreatePartitionsResponse)
        if raise_errors:
            for row in response.results:
                raise_if(row.error_code, row.error_message or f"topic {row.name!r}")
        return answer(response)

    def delete_records(
        self,
        records_to_delete: Mapping[TopicPartition, int],
        timeout_ms: int | None = None,
        partition_leader_id: int | None = None,
    ) -> dict[TopicPartition, Answer]:
        """Records before these offsets are gone (-1: all there are); the first offsets now."""
        before = {TopicPartition(*place): offset for place, offset in records_to_delete.items()}

        def make(parts: Mapping[str, list[int]]) -> DeleteRecordsRequest:
            topics = [
                DeleteRecordsTopic(
                    topic,
                    [DeleteRecordsPartition(n, before[TopicPartition(topic, n)]) for n in numbers],
                )
                for topic, numbers in parts.items()
            ]
            return DeleteRecordsRequest(topics, timeout_ms or self._timeout_ms)

        session = self._open()
        if partition_leader_id is None:
            responses = self._run(session.admin.led(before, make, DeleteRecordsResponse))
        else:
            request = make(partitions_by_topic(before))
            responses = [self._broker(partition_leader_id, request, DeleteRecordsResponse)]
        found = {}
        for response in responses:
            for topic in response.topics:
                for part in topic.partitions:
                    place = TopicPartition(topic.name, part.partition_index)
                    raise_if(part.error_code, f"partition {place}", place=place)
                    found[place] = answer(part)
        return found

    def elect_leaders(
        self,
        election_type: ElectionType | int | str,
        topic_partitions: Places | None = None,
        timeout_ms: int | None = None,
        raise_errors: bool = True,
    ) -> Answer:
        """Partitions whose leader is right already are no error. None: all partitions."""
        kind = (
            ElectionType[election_type.upper()]
            if isinstance(election_type, str)
            else ElectionType(election_type)
        )
        asked = None
        if topic_partitions is not None:
            places = partitions_by_topic(topic_partitions)
            asked = [TopicPartitions(topic, numbers) for topic, numbers in places.items()]
        request = ElectLeadersRequest(int(kind), asked, timeout_ms or self._timeout_ms)
        response = self._controller(request, ElectLeadersResponse)
        if raise_errors:
            raise_if(response.error_code)
            for topic in response.replica_election_results:
                for part in topic.partition_result:
                    if part.error_code != ErrorCode.ELECTION_NOT_NEEDED:
                        place = TopicPartition(topic.topic, part.partition_id)
                        raise_if(part.error_code, part.error_message or str(place), place=place)
        return answer(response)

    def perform_leader_election(
        self,
        election_type: ElectionType | int | str,
        topic_partitions: Places | None = None,
        timeout_ms: int | None = None,
    ) -> Answer:
        """2.x's name of `elect_leaders`."""
        return self.elect_leaders(election_type, topic_partitions, timeout_ms)

    def alter_partition_reassignments(
        self,
        reassignments: Mapping[TopicPartition, Sequence[int] | None],
        timeout_ms: int | None = None,
    ) -> dict[TopicPartition, type[BrokerResponseError] | None]:
        """`{partition: replicas}`; None cancels. What was refused has its error's class."""
        by_topic: dict[str, list[ReassignablePartition]] = {}
        for (topic, number), brokers in reassignments.items():
            replicas = None if brokers is None else list(brokers)
            by_topic.setdefault(topic, []).append(ReassignablePartition(number, replicas))
        request = AlterPartitionReassignmentsRequest(
            timeout_ms=timeout_ms or self._timeout_ms,
            topics=[ReassignableTopic(topic, parts) for topic, parts in by_topic.items()],
        )
        response = self._controller(request, AlterPartitionReassignmentsResponse)
        raise_if(response.error_code, response.error_message)
        return {
            TopicPartition(topic.name, part.partition_index): error_class(part.error_code)
            if part.error_code
            else None
            for topic in response.responses
            for part in topic.partitions
        }

    def list_partition_reassignments(
        self, topic_partitions: Places | None = None, timeout_ms: int | None = None
    ) -> dict[TopicPartition, Answer]:
        """What is being moved; None: anything."""
        asked = None
        if topic_partitions is not None:
            places = partitions_by_topic(topic_partitions)
            asked = [ListPartitionReassignmentsTopics(topic, n) for topic, n in places.items()]
        request = ListPartitionReassignmentsRequest(timeout_ms or self._timeout_ms, asked)
        response = self._controller(request, ListPartitionReassignmentsResponse)
        raise_if(response.error_code, response.error_message)
        return {
            TopicPartition(topic.name, part.partition_index): answer(part)
            for topic in response.topics
            for part in topic.partitions
        }

    def describe_topic_partitions(
        self,
        topics: Iterable[str],
        response_partition_limit: int = 2000,
        cursor: Mapping[str, object] | None = None,
    ) -> Answer:
        """One page; `next_cursor` of it is the `cursor` of the next."""
        at = None
        if cursor is not None:
            topic, number = cursor["topic_name"], cursor["partition_index"]
            assert isinstance(topic, str)
            assert isinstance(number, int)
            at = Cursor(topic, number)
        request = DescribeTopicPartitionsRequest(
            [TopicRequest(name) for name in topics], response_partition_limit, at
        )
        response = self._any(request, DescribeTopicPartitionsResponse)
        found = answer(response)
        rows = []
        for row in response.topics:
            made = answer(row)
            made["topic_authorized_operations"] = operations(row.topic_authorized_operations)
            rows.append(made)
        found["topics"] = rows
        return found

    def list_partition_offsets(
        self,
        topic_partition_specs: Mapping[TopicPartition, int],
        isolation_level: IsolationLevel | int | str = IsolationLevel.READ_UNCOMMITTED,
        timeout_ms: int | None = None,
    ) -> dict[TopicPartition, OffsetAndTimestamp]:
        """For each partition an `OffsetSpec`, or a time in ms: its first record from then on."""
        specs = {TopicPartition(*place): int(at) for place, at in topic_partition_specs.items()}
        level = (
            IsolationLevel[isolation_level.upper()]
            if isinstance(isolation_level, str)
            else IsolationLevel(isolation_level)
        )

        def make(parts: Mapping[str, list[int]]) -> ListOffsetsRequest:
            topics = [
                ListOffsetsTopic(
                    topic,
                    [
                        ListOffsetsPartition(
                            partition_index=n, timestamp=specs[TopicPartition(topic, n)]
                        )
                        for n in numbers
                    ],
                )
                for topic, numbers in parts.items()
            ]
            return ListOffsetsRequest(
                replica_id=-1,
                isolation_level=int(level),
                topics=topics,
                timeout_ms=timeout_ms or self._timeout_ms,
            )

        session = self._open()
        found = {}
        for response in self._run(session.admin.led(specs, make, ListOffsetsResponse)):
            for topic in response.topics:
                for part in topic.partitions:
                    place = TopicPartition(topic.name, part.partition_index)
                    raise_if(part.error_code, f"partition {place}", place=place)
                    found[place] = OffsetAndTimestamp(
                        part.offset, part.timestamp, part.leader_epoch
                    )
        return found
