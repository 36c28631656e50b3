"""Commits of a group's offsets, and what was committed, as requests and answers.

A commit names who commits: the coordinator refuses it from a generation that is over, so that a member
which lost its partitions cannot move the others' positions. Elsewhere: who one is, `membership.py`;
groups that one is no member of, `client/groups.py`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ottla.client.consume.record import GroupMetadata, OffsetAndMetadata
from ottla.client.groups import NAMED_TOPIC_MAX, ONE_GROUP_MAX
from ottla.errors import ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopic,
    OffsetFetchResponse,
)

COMMIT_VERSION_MAX: Final = NAMED_TOPIC_MAX
FETCH_VERSION_MAX: Final = ONE_GROUP_MAX
STABLE_SINCE: Final = 7
"""The OffsetFetch version that can wait for transactions' offsets (KIP-447)."""

_NOTHING: Final = -1


class CommitFailed(OttlaError):
    """The partitions are others' now, or soon: records since the last commit will be read again.

    It is not worth trying again: the next `poll` joins the group anew.
    """


class Rebalancing(OttlaError):
    """The group is being rebalanced: the commit can be tried again after the next `poll`."""


class Fenced(OttlaError):
    """Another consumer joined under this one's `group_instance_id`. This one is out for good."""


def commit_request(
    who: GroupMetadata, offsets: Mapping[TopicPartition, OffsetAndMetadata]
) -> OffsetCommitRequest:
    """To be sent with a version up to COMMIT_VERSION_MAX."""
    topics: dict[str, list[OffsetCommitRequestPartition]] = {}
    for place, offset in sorted(offsets.items()):
        topics.setdefault(place.topic, []).append(
            OffsetCommitRequestPartition(
                partition_index=place.partition,
                committed_offset=offset.offset,
                committed_leader_epoch=offset.leader_epoch,
                committed_metadata=offset.metadata,
            )
        )
    return OffsetCommitRequest(
        group_id=who.group_id,
        generation_id_or_member_epoch=who.generation_id,
        member_id=who.member_id,
        group_instance_id=who.group_instance_id,
        topics=[OffsetCommitRequestTopic(name=name, partitions=p) for name, p in topics.items()],
    )


def commit_codes_untrusted(
    offsets: Iterable[TopicPartition], response: OffsetCommitResponse
) -> dict[TopicPartition, int]:
    """By partition, an error code or NONE."""
    codes = {
        TopicPartition(topic.name, part.partition_index): part.error_code
        for topic in response.topics
        for part in topic.partitions
    }
    for place in offsets:
        if place not in codes:
            raise RemoteProtocolError(f"the answer to OffsetCommit leaves out {place}")
    return codes


def commit_error(code: int, place: TopicPartition, poll_ms: int, poll_ms_max: int) -> OttlaError:
    """What to raise for a code. `poll_ms`: since the last poll."""
    if code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
        why = "the group has been rebalanced, and this member is not in its generation any more"
        if poll_ms > poll_ms_max:
            why = (
                f"there was no poll for {poll_ms:,} ms, and poll_interval_ms_max is {poll_ms_max:,}: "
                "the group went on without this member. Poll fewer records at a time, or allow more "
                "time between polls"
            )
        return CommitFailed(f"offsets were not committed: {why}")
    if code == ErrorCode.REBALANCE_IN_PROGRESS:
        return Rebalancing(
            "offsets were not committed: the group is being rebalanced. Poll, then try again"
        )
    if code == ErrorCode.FENCED_INSTANCE_ID:
        return Fenced("another consumer has joined under the same group_instance_id")
    return ApiError(code, f"offset of {place} was not committed")


def committed_request(
    group: str, places: Iterable[TopicPartition], *, must_be_stable: bool
) -> OffsetFetchRequest:
    """To be sent with a version up to FETCH_VERSION_MAX; `must_be_stable`: from STABLE_SINCE on."""
    topics: dict[str, list[int]] = {}
    for place in sorted(places):
        topics.setdefault(place.topic, []).append(place.partition)
    return OffsetFetchRequest(
        group_id=group,
        topics=[
            OffsetFetchRequestTopic(name=name, partition_indexes=parts)
            for name, parts in topics.items()
        ],
        require_stable=must_be_stable,
    )


def committed_untrusted(
    places: Iterable[TopicPartition], response: OffsetFetchResponse
) -> dict[TopicPartition, OffsetAndMetadata | None]:
    """None: nothing is committed. Raises ApiError for the first partition that is refused."""
    if response.error_code != ErrorCode.NONE:
        raise ApiError(response.error_code, "committed offsets cannot be read")
    found: dict[TopicPartition, OffsetAndMetadata | None] = dict.fromkeys(places)
    for topic in response.topics:
        for part in topic.partitions:
            place = TopicPartition(topic.name, part.partition_index)
            if part.error_code != ErrorCode.NONE:
                raise ApiError(part.error_code, f"committed offset of {place}")
            if place in found and part.committed_offset > _NOTHING:
                found[place] = OffsetAndMetadata(
                    part.committed_offset, part.metadata or "", part.committed_leader_epoch
                )
    return found
