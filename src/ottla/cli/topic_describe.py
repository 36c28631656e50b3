"""`ottla topic describe`: partitions, leaders and settings.

In a terminal a table for each topic; into a pipe what Kafka's own tool prints, tabs included, because
scripts read it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, complain
from ottla.cli.tabular import Item, table, tell_items
from ottla.cli.terminal import width
from ottla.errors import ErrorCode, RemoteProtocolError, error_name
from ottla.types import NO_LEADER, uuid_to_text

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.metadata import TopicView

_PAGES_MAX: Final = 10_000
_UNKNOWN: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

Eligible = Mapping[tuple[str, int], tuple[Sequence[int], Sequence[int]]]
"""By topic and partition: the replicas eligible to lead, and those last known to be."""


async def describe(client: "Client", names: list[str], *, as_json: bool) -> int:
    """The exit code."""
    cluster = await client.refresh(names or None)
    exit_code = 0
    present = []
    for name in names or sorted(cluster.topics):
        code = cluster.topics[name].error_code if name in cluster.topics else _UNKNOWN
        if code == ErrorCode.NONE:
            present.append(name)
        elif code == _UNKNOWN:
            complain(f"Topic '{name}' does not exist. See: ottla topic list")
            exit_code = FAILED
        else:
            complain(f"Topic '{name}' cannot be described: {error_name(code)}.")
            exit_code = FAILED
    if not present:
        return exit_code
    configs = await overrides(client, present)
    if as_json:
        tell_items(
            "topics", [item(cluster.topics[name], configs.get(name, ())) for name in present]
        )
        return exit_code
    columns = width(sys.stdout)
    if columns is not None:
        for number, name in enumerate(present):
            print(
                "\n" * bool(number)
                + "\n".join(shown(cluster.topics[name], configs.get(name, ()), columns))
            )
        return exit_code
    eligible = await _eligible(client, present)
    for name in present:
        for line in described(cluster.topics[name], configs.get(name, ()), eligible):
            print(line)
    return exit_code


def shown(topic: "TopicView", configs: Sequence[tuple[str, str]], columns: int) -> Iterator[str]:
    """The lines for a terminal."""
    count = len(topic.partitions)
    partitions = "1 partition" if count == 1 else f"{count:,} partitions"
    yield f"Topic {topic.name}: {partitions}, id {uuid_to_text(topic.topic_id)}."
    for name, value in configs:
        yield f"  {name}={value}"
    rows = [
        (
            part.partition,
            None if part.leader_id == NO_LEADER else part.leader_id,
            _ids(part.replicas),
            _ids(part.isr),
        )
        for part in topic.partitions
    ]
    yield from table(("PARTITION", "LEADER", "REPLICAS", "ISR"), rows, columns)


def item(topic: "TopicView", configs: Sequence[tuple[str, str]]) -> Item:
    """A topic for programs."""
    return {
        "name": topic.name,
        "id": uuid_to_text(topic.topic_id),
        "internal": topic.is_internal,
        "configs": dict(configs),
        "partitions": [
            {
                "partition": part.partition,
                "leader": None if part.leader_id == NO_LEADER else part.leader_id,
                "leader_epoch": part.leader_epoch,
                "replicas": list(part.replicas),
                "isr": list(part.isr),
            }
            for part in topic.partitions
        ],
    }


async def overrides(
    client: "Client", names: Sequence[str]
) -> Mapping[str, Sequence[tuple[str, str]]]:
    from ottla.client.admin import configs_request, overrides_untrusted
    from ottla.wire.api import DESCRIBE_CONFIGS
    from ottla.wire.message.describe_configs import DescribeConfigsResponse

    response = await client.ask_any(DESCRIBE_CONFIGS, configs_request(names))
    assert isinstance(response, DescribeConfigsResponse)
    return overrides_untrusted(response)


async def _eligible(client: "Client", names: Sequence[str]) -> Eligible | None:
    """By topic and partition; None: the broker is too old to tell (before KIP-966)."""
    from ottla.wire.api import DESCRIBE_TOPIC_PARTITIONS
    from ottla.wire.message.describe_topic_partitions import (
        Cursor,
        DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsResponse,
        TopicRequest,
    )

    if not await client.speaks(DESCRIBE_TOPIC_PARTITIONS):
        return None
    found: dict[tuple[str, int], tuple[Sequence[int], Sequence[int]]] = {}
    request = DescribeTopicPartitionsRequest(topics=[TopicRequest(name) for name in sorted(names)])
    for _ in range(_PAGES_MAX):
        response = await client.ask_any(DESCRIBE_TOPIC_PARTITIONS, request)
        assert isinstance(response, DescribeTopicPartitionsResponse)
        for topic in response.topics:
            for part in topic.partitions:
                at = (topic.name or "", part.partition_index)
                found[at] = (part.eligible_leader_replicas or (), part.last_known_elr or ())
        if response.next_cursor is None:
            return found
        cursor = Cursor(response.next_cursor.topic_name, response.next_cursor.partition_index)
        request = DescribeTopicPartitionsRequest(topics=request.topics, cursor=cursor)
    raise RemoteProtocolError(f"the broker describes topics on more than {_PAGES_MAX:,} pages")


def described(
    topic: "TopicView", configs: Sequence[tuple[str, str]], eligible: Eligible | None
) -> Iterator[str]:
    """The lines Kafka's tool prints for a topic."""
    replication_factor = len(topic.partitions[0].replicas) if topic.partitions else 0
    settings = ",".join(f"{name}={value}" for name, value in configs)
    yield (
        f"Topic: {topic.name}\tTopicId: {uuid_to_text(topic.topic_id)}\t"
        f"PartitionCount: {len(topic.partitions)}\tReplicationFactor: {replication_factor}\t"
        f"Configs: {settings}"
    )
    for part in topic.partitions:
        if eligible is None:
            elr = last_known = "N/A"
        else:
            elr, last_known = map(_ids, eligible.get((topic.name, part.partition), ((), ())))
        leader = "none" if part.leader_id == NO_LEADER else part.leader_id
        yield (
            f"\tTopic: {topic.name}\tPartition: {part.partition}\tLeader: {leader}\t"
            f"Replicas: {_ids(part.replicas)}\tIsr: {_ids(part.isr)}\t"
            f"Elr: {elr}\tLastKnownElr: {last_known}"
        )


def _ids(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))
