"""Groups and what they committed: listed, described, moved, forgotten."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, StrEnum
from typing import NamedTuple, TypeAlias

from ottla.client.groups import (
    NAMED_TOPIC_MAX,
    ONE_GROUP_MAX,
    Committed,
    assigned_untrusted,
    committed_request,
    committed_untrusted,
)
from ottla.errors import RemoteProtocolError
from ottla.kafka.admin.answer import Answer, answer
from ottla.kafka.admin.asking import error_class, operations, partitions_by_topic, raise_if
from ottla.kafka.admin.partitions import PartitionCalls, Places
from ottla.kafka.errors import BrokerResponseError, NoError
from ottla.kafka.offset_spec import OffsetSpec, OffsetTimestamp
from ottla.kafka.structs import (
    GroupInformation,
    MemberInformation,
    OffsetAndMetadata,
    TopicPartition,
)
from ottla.kafka.translation import coded, public
from ottla.wire.message.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.message.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.message.offset_fetch import OffsetFetchResponse
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription

Errors: TypeAlias = dict[TopicPartition, type[BrokerResponseError]]


class GroupState(StrEnum):
    UNKNOWN = "Unknown"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"
    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"


class GroupType(StrEnum):
    UNKNOWN = "Unknown"
    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"


class MemberToRemove(NamedTuple):
    """By either id."""

    member_id: str | None = None
    group_instance_id: str | None = None
    reason: str | None = None


class GroupCalls(PartitionCalls):
    def list_groups(
        self,
        broker_ids: Iterable[int] | None = None,
        states_filter: Iterable[str] | None = None,
        types_filter: Iterable[str] | None = None,
    ) -> list[Answer]:
        """Each with `group_id`, `protocol_type`, `group_state`, `group_type`."""
        request = ListGroupsRequest(_words(states_filter), _words(types_filter))
        found = []
        for response in self._each(request, ListGroupsResponse, broker_ids).values():
            raise_if(response.error_code)
            found += [answer(group) for group in response.groups]
        return found

    def list_consumer_groups(
        self, broker_ids: Iterable[int] | None = None
    ) -> list[tuple[str, str]]:
        """2.x's form: (group, protocol type)."""
        return [
            (str(one["group_id"]), str(one["protocol_type"]))
            for one in self.list_groups(broker_ids)
        ]

    def describe_groups(
        self,
        group_ids: Iterable[str],
        group_coordinator_id: int | None = None,
        include_authorized_operations: bool = False,
    ) -> dict[str, Answer]:
        """By group; one that does not exist is in state Dead, with its `error`."""
        return {
            name: _description(one)
            for name, one in self._described(
                group_ids, group_coordinator_id, include_authorized_operations
            ).items()
        }

    def describe_consumer_groups(
        self,
        group_ids: Iterable[str],
        group_coordinator_id: int | None = None,
        include_authorized_operations: bool = False,
    ) -> list[GroupInformation]:
        """2.x's form. Raises for a group that cannot be described."""
        found = []
        described = self._described(group_ids, group_coordinator_id, include_authorized_operations)
        for one in described.values():
            if one.group_state != GroupState.DEAD.value:
                raise_if(one.error_code, one.error_message)
            members = []
            for member in one.members:
                metadata, assignment = _protocol(one, member)
                members.append(
                    MemberInformation(
                        member.member_id,
                        member.client_id,
                        member.client_host,
                        metadata,
                        assignment,
                    )
                )
            found.append(
                GroupInformation(
                    0,
                    one.group_id,
                    one.group_state,
                    one.protocol_type,
                    one.protocol_data,
                    members,
                    operations(one.authorized_operations),
                )
            )
        return found

    def list_group_offsets(
        self, group_specs: "str | Iterable[str] | Mapping[str, Places | None]"
    ) -> dict[str, dict[TopicPartition, OffsetAndMetadata]]:
        """What groups committed; for `{group: partitions}`, of these partitions only."""
        specs: dict[str, Places | None] = (
            dict(group_specs)
            if isinstance(group_specs, Mapping)
            else dict.fromkeys([group_specs] if isinstance(group_specs, str) else group_specs)
        )
        found = {}
        for group, places in specs.items():
            committed = self._committed(group)
            if places is None:
                found[group] = committed
                continue
            wanted = [
                TopicPartition(topic, n)
                for topic, numbers in partitions_by_topic(places).items()
                for n in numbers
            ]
            none = OffsetAndMetadata(-1, "", -1)
            found[group] = {place: committed.get(place, none) for place in wanted}
        return found

    def list_consumer_group_offsets(
        self,
        group_id: str,
        group_coordinator_id: int | None = None,
        partitions: Iterable[TopicPartition] | None = None,
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """2.x's form, of one group."""
        found = self._committed(group_id, group_coordinator_id)
        if partitions is None:
            return found
        none = OffsetAndMetadata(-1, "", -1)
        return {TopicPartition(*place): found.get(place, none) for place in partitions}

    def alter_group_offsets(
        self,
        group_id: str,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        group_coordinator_id: int | None = None,
    ) -> Errors:
        """Commit for a group that nobody is in. By partition its error's class; NoError: done."""
        by_topic: dict[str, list[OffsetCommitRequestPartition]] = {}
        for (topic, number), given in offsets.items():
            offset, metadata, epoch = (
                given if isinstance(given, tuple) else OffsetAndMetadata(given)
            )
            by_topic.setdefault(topic, []).append(
                OffsetCommitRequestPartition(
                    number,
                    offset,
                    -1 if epoch is None else epoch,
                    committed_metadata=metadata or "",
                )
            )
        topics = [OffsetCommitRequestTopic(topic, partitions=n) for topic, n in by_topic.items()]
        response = self._coordinated(
            group_id,
            OffsetCommitRequest(group_id, -1, "", topics=topics),
            OffsetCommitResponse,
            version_max=NAMED_TOPIC_MAX,
            broker_id=group_coordinator_id,
        )
        return {
            TopicPartition(row.name, part.partition_index): error_class(part.error_code)
            for row in response.topics
            for part in row.partitions
        }

    def reset_group_offsets(
        self,
        group_id: str,
        offset_specs: Mapping[TopicPartition, int],
        group_coordinator_id: int | None = None,
    ) -> dict[TopicPartition, Answer]:
        """To `OffsetSpec`s, times (`OffsetTimestamp`) or plain offsets, within what there is."""
        specs = {TopicPartition(*place): spec for place, spec in offset_specs.items()}
        first = self.list_partition_offsets(dict.fromkeys(specs, OffsetSpec.EARLIEST))
        end = self.list_partition_offsets(dict.fromkeys(specs, OffsetSpec.LATEST))
        asked = {
            place: spec
            for place, spec in specs.items()
            if isinstance(spec, OffsetSpec | OffsetTimestamp)
        }
        named = self.list_partition_offsets(asked) if asked else {}
        wanted = {}
        for place, spec in specs.items():
            offset = named[place].offset if place in named else int(spec)
            if place in named and offset < 0:  # a time after the last record
                offset = end[place].offset
            offset = min(max(offset, first[place].offset), end[place].offset)
            wanted[place] = OffsetAndMetadata(offset, "", -1)
        done = self.alter_group_offsets(group_id, wanted, group_coordinator_id)
        return {place: Answer(error=done[place], offset=wanted[place].offset) for place in wanted}

    def delete_group_offsets(
        self,
        group_id: str,
        partitions: Iterable[TopicPartition],
        group_coordinator_id: int | None = None,
    ) -> Errors:
        """What the group committed for these is forgotten. Raises if there is no such group."""
        topics = [
            OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(n) for n in numbers])
            for topic, numbers in partitions_by_topic(partitions).items()
        ]
        response = self._coordinated(
            group_id,
            OffsetDeleteRequest(group_id, topics),
            OffsetDeleteResponse,
            broker_id=group_coordinator_id,
        )
        raise_if(response.error_code, f"group {group_id!r}")
        return {
            TopicPartition(row.name, part.partition_index): error_class(part.error_code)
            for row in response.topics
            for part in row.partitions
        }

    def delete_groups(
        self, group_ids: Iterable[str], group_coordinator_id: int | None = None
    ) -> dict[str, str]:
        """By group "OK", or the name of its error."""
        return {
            group: "OK" if error is NoError else error.__name__
            for group, error in self.delete_consumer_groups(group_ids, group_coordinator_id)
        }

    def delete_consumer_groups(
        self, group_ids: Iterable[str], group_coordinator_id: int | None = None
    ) -> list[tuple[str, type[BrokerResponseError]]]:
        """2.x's form: (group, its error's class); NoError: it is gone."""
        found = []
        for group in [group_ids] if isinstance(group_ids, str) else group_ids:
            response = self._coordinated(
                group,
                DeleteGroupsRequest([group]),
                DeleteGroupsResponse,
                broker_id=group_coordinator_id,
            )
            found += [(row.group_id, error_class(row.error_code)) for row in response.results]
        return found

    def remove_group_members(
        self,
        group_id: str,
        members: Iterable[MemberToRemove],
        group_coordinator_id: int | None = None,
    ) -> dict[str, type[BrokerResponseError]]:
        """By the id that was given, its error's class; NoError: the member is out."""
        asked = [
            MemberIdentity(
                member_id=one.member_id or "",
                group_instance_id=one.group_instance_id,
                reason=one.reason,
            )
            for one in members
        ]
        response = self._coordinated(
            group_id,
            LeaveGroupRequest(group_id, members=asked),
            LeaveGroupResponse,
            broker_id=group_coordinator_id,
        )
        raise_if(response.error_code, f"group {group_id!r}")
        return {
            row.group_instance_id or row.member_id: error_class(row.error_code)
            for row in response.members
        }

    def _described(
        self, group_ids: Iterable[str], broker_id: int | None, with_operations: bool
    ) -> dict[str, DescribedGroup]:
        found = {}
        for group in [group_ids] if isinstance(group_ids, str) else group_ids:
            response = self._coordinated(
                group,
                DescribeGroupsRequest([group], with_operations),
                DescribeGroupsResponse,
                broker_id=broker_id,
            )
            found.update({one.group_id: one for one in response.groups})
        return found

    def _committed(
        self, group: str, broker_id: int | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        response = self._coordinated(
            group,
            committed_request(group),
            OffsetFetchResponse,
            version_max=ONE_GROUP_MAX,
            broker_id=broker_id,
        )
        with public():
            committed: Mapping[tuple[str, int], Committed] = committed_untrusted(response)
        return {
            TopicPartition(*place): OffsetAndMetadata(one.offset, one.metadata, one.leader_epoch)
            for place, one in committed.items()
        }


def _words(given: Iterable[str] | None) -> Sequence[str]:
    return [one.value if isinstance(one, Enum) else str(one) for one in given or ()]


def _description(one: DescribedGroup) -> Answer:
    row = answer(one)
    row["error"] = str(coded(one.error_code, one.error_message)) if one.error_code else None
    for field in ("error_code", "error_message"):
        del row[field]
    row["authorized_operations"] = operations(one.authorized_operations)
    members = []
    for member in one.members:
        made = answer(member)
        made["member_metadata"], made["member_assignment"] = _protocol(one, member)
        members.append(made)
    row["members"] = members
    return row


def _protocol(group: DescribedGroup, member: DescribedGroupMember) -> tuple[object, object]:
    """What a consumer subscribed to and was given; the bytes as they are for other protocols."""
    if group.protocol_type != "consumer":
        return member.member_metadata, member.member_assignment
    metadata: object = member.member_metadata
    assignment: object = member.member_assignment
    try:
        metadata = _subscription_untrusted(bytes(member.member_metadata))
        places = assigned_untrusted(member.member_assignment)
        assignment = Answer(
            assigned_partitions=[
                Answer(topic=topic, partitions=numbers)
                for topic, numbers in partitions_by_topic(places).items()
            ]
        )
    except RemoteProtocolError:
        pass  # some other client's bytes: they are shown as they are
    return metadata, assignment


def _subscription_untrusted(data: bytes) -> Answer | None:
    if len(data) < 2:
        return None
    version = min(int.from_bytes(data[:2], "big"), ConsumerProtocolSubscription.VERSION_MAX)
    decoded = ConsumerProtocolSubscription.decode_untrusted(data[2:], version)
    return Answer(topics=list(decoded.topics), user_data=decoded.user_data)
