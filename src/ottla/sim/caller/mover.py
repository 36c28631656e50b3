"""What an administrator asks of log directories: that partitions move, and where they are (KIP-113).

Elsewhere: when, `directories.py`.
"""

from collections.abc import Callable
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.sim.caller.client import Client, expect
from ottla.sim.directories import PATHS
from ottla.sim.history import MoveAsked, Outcome, PlacesSeen
from ottla.sim.plan import Ask, Verb
from ottla.wire.api import ALTER_REPLICA_LOG_DIRS, DESCRIBE_LOG_DIRS, Message
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.message.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse

_MOVE_VERSION: Final = 2
_PLACES_VERSION: Final = 4
_NOWHERE: Final = "/nowhere"


@final
class Mover:
    """An administrator's third part, on the same connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, ask: Ask) -> None:
        if ask.verb is Verb.PLACES:
            self.see_places()
            return
        path = PATHS[ask.count % len(PATHS)] if ask.count >= 0 else _NOWHERE
        wanted: dict[str, list[int]] = {}
        for topic in ask.topic.split("+"):
            known = self._client.topics.get(topic)
            count = 1 if known is None else known.partitions
            wanted[topic] = list(range(count)) if ask.partition < 0 else [ask.partition]
        self.move(wanted, path)

    def move(self, wanted: dict[str, list[int]], path: str) -> None:
        client = self._client
        now_us = client.events.now_us
        ops = {
            (topic, number): MoveAsked(
                client.number, now_us, topic=topic, partition=number, path=path
            )
            for topic, numbers in wanted.items()
            for number in numbers
        }
        for op in ops.values():
            client.history.note(op)
        topics = [AlterReplicaLogDirTopic(topic, numbers) for topic, numbers in wanted.items()]

        def done(message: Message | None) -> None:
            answer = expect(message, AlterReplicaLogDirsResponse)
            ended_us = client.events.now_us
            if answer is None:
                for op in ops.values():
                    op.end(ended_us, Outcome.INFO)
                return
            for topic in answer.results:
                for row in topic.partitions:
                    error = ErrorCode(row.error_code)
                    outcome = Outcome.OK if error is ErrorCode.NONE else Outcome.FAIL
                    ops[topic.topic_name, row.partition_index].end(ended_us, outcome, error)

        request = AlterReplicaLogDirsRequest([AlterReplicaLogDir(path, topics)])
        client.request(ALTER_REPLICA_LOG_DIRS, _MOVE_VERSION, request, done)

    def see_places(
        self, then: Callable[[PlacesSeen], None] | None = None, *, final: bool = False
    ) -> None:
        client = self._client
        op = PlacesSeen(client.number, client.events.now_us, final=final)
        client.history.note(op)

        def done(message: Message | None) -> None:
            answer = expect(message, DescribeLogDirsResponse)
            if answer is None:
                op.end(client.events.now_us, Outcome.INFO)
            else:
                _read(answer, op)
                op.end(client.events.now_us, Outcome.OK)
            if then is not None:
                then(op)

        client.request(DESCRIBE_LOG_DIRS, _PLACES_VERSION, DescribeLogDirsRequest(None), done)


def _read(answer: DescribeLogDirsResponse, op: PlacesSeen) -> None:
    for row in answer.results:
        if row.error_code != ErrorCode.NONE:
            op.offline.append(row.log_dir)
        for topic in row.topics:
            for one in topic.partitions:
                which = op.coming if one.is_future_key else op.places
                key = (topic.name, one.partition_index)
                which.setdefault(key, []).append(row.log_dir)
