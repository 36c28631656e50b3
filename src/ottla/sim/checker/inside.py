"""The machines' own invariants, and that what they keep in memory is what the batches say.

History checkers see a mistake when a client suffers from it, which may be long after it was made;
these see it at once. `check_bounds` is cheap and is asked often: nothing is parked for a connection
that is gone, numbers are in order. `check_deeply` reads every log: indexes are sorted and point
inside, the history of leader epochs is the one that the batches tell (M08), and the producers' last
sequences are those of the batches (M73).

Elsewhere: what clients are promised, every other file here.
"""

from collections.abc import Collection, Iterator
from typing import Final

from ottla.broker.handle import fetch
from ottla.broker.handle.fetch import HandleFetch
from ottla.broker.node import Node
from ottla.core.log.log import Log
from ottla.core.log.producer_state import ProducerState
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.sim import heritage
from ottla.types import TopicPartition

PROMISE: Final = "machines are sound"

_A_WHILE_MS: Final = 3_600_000
"""Producers that are remembered for less may have expired in a world."""


def check_bounds(node: Node, connections: Collection[int]) -> list[str]:
    """What is wrong; `connections`: those that are open."""
    problems: list[str] = []
    try:
        node.waiting.check_invariants()
        node.replicas.check_invariants()
        node.controller.check_invariants()
        node.groups.check_invariants()
        node.quotas.check_invariants()
        handle = getattr(node.routes._routes.get(fetch.API_KEY), "_handle", None)
        if isinstance(handle, HandleFetch):
            handle.sessions.check_invariants()
            handle.heads.check_invariants()
    except AssertionError as error:
        problems.append(f"an invariant does not hold: {_place(error)}")
    for connection_id in node.waiting._by_connection:
        if connection_id not in connections:
            problems.append(f"calls are parked for connection {connection_id}, which has ended")
    return problems


def check_all(
    node: Node, connections: Collection[int], damaged: Collection[TopicPartition]
) -> list[str]:
    """Both: what a world asks for at every inspection. `damaged`: where bits were flipped."""
    return check_bounds(node, connections) + check_deeply(node, damaged)


def check_deeply(node: Node, damaged: Collection[TopicPartition] = ()) -> list[str]:
    """What is wrong in any log but those that were `damaged`. Reads all of them."""
    problems: list[str] = []
    expires = node.replicas._settings.logs.producer_id_expiration_ms < _A_WHILE_MS
    try:
        node.metadata_log.check_invariants()
    except AssertionError as error:
        problems.append(f"__cluster_metadata-0: an invariant does not hold: {_place(error)}")
    for leader in leaders(node):
        if leader.error is ErrorCode.KAFKA_STORAGE_ERROR or leader.partition in damaged:
            continue
        where = f"{leader.partition.topic}-{leader.partition.partition}"
        try:
            leader.log.check_invariants()
            if leader.partition.topic == heritage.TOPIC:
                continue  # in part of formats that know neither epochs nor producers
            problems += [f"{where}: {one}" for one in _log_problems(leader.log, expires=expires)]
        except AssertionError as error:
            problems.append(f"{where}: an invariant does not hold: {_place(error)}")
        except OSError as error:
            problems.append(f"{where}: can't be read: {error}")
    return problems


def leaders(node: Node) -> Iterator[Leader]:
    """The partitions that are here, by topic id."""
    for topic_id in sorted(node.replicas._by_id):
        for leader in node.replicas._by_id[topic_id].leaders:
            if isinstance(leader, Leader):
                yield leader


def _place(error: AssertionError) -> str:
    """Where it was asserted: the innermost line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return str(error)
    code = trace.tb_frame.f_code
    return f"{code.co_name} in {code.co_filename.rpartition(chr(47))[2]}, line {trace.tb_lineno} {error}".rstrip()


def _log_problems(log: Log, *, expires: bool) -> Iterator[str]:
    epochs: list[tuple[int, int]] = []
    next_offset, gaps = log.start_offset, False  # they tell of an earlier compaction
    producers = ProducerState(log.start_offset)
    for batch in log.batches(log.start_offset, log.end_offset):
        start = max(batch.base_offset, log.start_offset)
        gaps = gaps or start > next_offset
        next_offset = batch.next_offset
        epoch = batch.partition_leader_epoch
        if epochs and epoch < epochs[-1][0]:
            epochs.clear()  # a disk that lied has lost newer epochs' records in the metadata log
        if not epochs or epoch != epochs[-1][0]:
            epochs.append((epoch, start))
        producers.observe(batch)
    kept = log.epochs.entries()
    while kept and kept[-1][1] >= log.end_offset:
        kept.pop()  # an epoch that has written nothing yet
    if gaps or log.cleaned_offset is not None or log.settings.cleanup_compact:
        # Of an epoch that wrote nothing but what is compacted away, no batch tells any more.
        for epoch, start in epochs:
            before = [one for one in kept if one[1] <= start]
            if not before or before[-1][0] != epoch:
                yield f"the epoch history says {kept}, the batch at {start} is of epoch {epoch}"
    elif kept != epochs:
        yield f"the epoch history says {kept}, the batches say {epochs}"
    yield from _producer_problems(log, producers, expires=expires)


def _producer_problems(log: Log, rebuilt: ProducerState, *, expires: bool) -> Iterator[str]:
    for producer_id, expected in sorted(rebuilt.producers.items()):
        found = log.producers.producers.get(producer_id)
        if found is None:
            if expires:
                continue
            yield f"producer {producer_id} wrote here and is not known"
            continue
        for name, kept, told in (
            ("epoch", found.epoch, expected.epoch),
            ("last sequence", found.last_sequence, expected.last_sequence),
        ):
            if kept != told:
                yield f"producer {producer_id}: {name} {kept} is kept, the batches say {told}"
