"""What is asked about topics as wholes, and what was seen of them, as a history keeps it.

Elsewhere: when an operation is certain, `history.py`; who asks, `caller/administrator.py`.
"""

from typing import final

from ottla.sim.operation import Op
from ottla.types import Uuid


@final
class Create(Op):
    """`topic_id` is the answer's, ZERO_UUID unless OK."""

    __slots__ = ("configs", "partitions", "topic", "topic_id")

    def __init__(
        self, client: int, asked_us: int, *, topic: str, partitions: int, configs: dict[str, str]
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.partitions = partitions
        self.configs = configs
        self.topic_id: Uuid = bytes(16)


@final
class Delete(Op):
    """By id, so that a late request never hits a topic's successor; by name where `by_name`."""

    __slots__ = ("by_name", "topic", "topic_id")

    def __init__(
        self, client: int, asked_us: int, *, topic: str, topic_id: Uuid, by_name: bool
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.topic_id = topic_id
        self.by_name = by_name


@final
class Grow(Op):
    """CreatePartitions: `partitions` is the new total."""

    __slots__ = ("partitions", "topic")

    def __init__(self, client: int, asked_us: int, *, topic: str, partitions: int) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.partitions = partitions


@final
class DeleteBefore(Op):
    """DeleteRecords: everything below `before_offset` (-1: the high watermark) may go.

    `low_watermark`: the new log start as answered, else -1.
    """

    __slots__ = ("before_offset", "low_watermark", "partition", "topic", "topic_id")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        topic: str,
        topic_id: Uuid,
        partition: int,
        before_offset: int,
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.before_offset = before_offset
        self.low_watermark = -1


@final
class TopicSeen:
    """A topic as Metadata lists it. `leaderless`: partitions whose answer carried an error."""

    __slots__ = ("leaderless", "partitions", "topic_id")

    def __init__(self, topic_id: Uuid, partitions: int, leaderless: int) -> None:
        self.topic_id = topic_id
        self.partitions = partitions
        self.leaderless = leaderless


@final
class Listing(Op):
    """Metadata of all topics: name to what was seen."""

    __slots__ = ("final", "topics")

    def __init__(self, client: int, asked_us: int, *, final: bool) -> None:
        super().__init__(client, asked_us)
        self.final = final
        self.topics: dict[str, TopicSeen] = {}


@final
class ConfigsSeen(Op):
    """DescribeConfigs of a topic: what is set on the topic itself."""

    __slots__ = ("configs", "final", "topic")

    def __init__(self, client: int, asked_us: int, *, topic: str, final: bool) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.final = final
        self.configs: dict[str, str] = {}


@final
class Alter(Op):
    """IncrementalAlterConfigs of a topic: value by name, None where the setting is taken away.

    `whole`: AlterConfigs, after which nothing else is set. `refusable`: it asks for something that
    must be refused, and then nothing of it holds.
    """

    __slots__ = ("changes", "refusable", "topic", "whole")

    def __init__(
        self,
        client: int,
        asked_us: int,
        *,
        topic: str,
        changes: dict[str, str | None],
        whole: bool,
        refusable: bool,
    ) -> None:
        super().__init__(client, asked_us)
        self.topic = topic
        self.changes = changes
        self.whole = whole
        self.refusable = refusable
