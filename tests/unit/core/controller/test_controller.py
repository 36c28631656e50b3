"""Decide, append, apply, reply: what the second of two requests sees, and when who is answered."""

import pytest

from ottla.core.controller.producer_ids import BLOCK_IDS, ProducerIds
from ottla.core.controller.topics import Created, NewTopic, Refused, TopicMaker
from ottla.core.effect import Effect, Reply
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import Image
from ottla.core.metadata.records import (
    BrokerRegistrationChangeRecord,
    MetadataRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
)
from ottla.errors import ErrorCode
from tests.unit.core.controller.one_node import (
    DEFAULTS,
    DIRECTORY_ID,
    OneNode,
    SeededEntropy,
    call,
    start,
)


class Told:
    """An answer that remembers what it was told."""

    def __init__(self, name: str, story: list[object]) -> None:
        self.name = name
        self.story = story

    def committed(self, image: Image) -> list[Effect]:
        self.story.append((self.name, sorted(image.topics)))
        return [Reply(call(19, 7), None)]

    def refused(self, error: ErrorCode, message: str) -> list[Effect]:
        self.story.append((self.name, error, message))
        return []


def decide(node: OneNode, name: str) -> tuple[Created | Refused, tuple[MetadataRecord, ...]]:
    maker = TopicMaker(node.controller.latest, DEFAULTS, SeededEntropy(ord(name[0])))
    made = maker.make(NewTopic(name=name, configs={}))
    return made, tuple(maker.records)


def submit(node: OneNode, records: tuple[MetadataRecord, ...], answer: Told) -> list[Effect]:
    return node.perform(node.controller.submit(node.now_ms, records, answer))


def test_an_answer_waits_until_its_records_are_on_the_disk() -> None:
    node, story = start(), []
    _, records = decide(node, "t")
    assert submit(node, records, Told("a", story)) == []
    assert story == []
    assert "t" not in node.image.topics
    assert len(node.flush()) == 1
    assert story == [("a", ["t"])]


def test_of_two_creations_in_flight_the_second_is_refused() -> None:
    node, story = start(), []
    _, records = decide(node, "t")
    submit(node, records, Told("a", story))
    second, none = decide(node, "t")
    assert isinstance(second, Refused)
    assert second.error is ErrorCode.TOPIC_ALREADY_EXISTS
    # What it was told rests on the first, so it is told no sooner.
    assert submit(node, none, Told("b", story)) == []
    node.flush()
    assert [name for name, *_ in story] == ["a", "b"]


def test_a_question_with_nothing_on_its_way_is_answered_at_once() -> None:
    node, story = start(), []
    assert len(submit(node, (), Told("a", story))) == 1
    assert story == [("a", [])]


def test_answers_come_in_the_order_of_the_decisions_each_with_its_own_image() -> None:
    node, story = start(), []
    for name in ("a", "b", "c"):
        submit(node, decide(node, name)[1], Told(name, story))
    node.flush()
    assert story == [("a", ["a"]), ("b", ["a", "b"]), ("c", ["a", "b", "c"])]


def test_when_everything_is_committed_decisions_see_the_committed_image() -> None:
    node = start()
    submit(node, decide(node, "t")[1], Told("a", []))
    assert node.controller.latest is not node.image
    node.flush()
    assert node.controller.latest is node.image


def test_a_disk_that_refuses_leaves_everything_as_it_was() -> None:
    node, story = start(), []
    _, records = decide(node, "t")
    node.disk.fail_in(1, changes_only=True)
    submit(node, records, Told("a", story))
    assert story[0][1] is ErrorCode.KAFKA_STORAGE_ERROR
    assert "t" not in node.controller.latest.topics
    node.disk.mend()
    submit(node, decide(node, "t")[1], Told("b", story))
    node.flush()
    assert story[1] == ("b", ["t"])


def test_a_node_is_started_when_its_registration_is_committed() -> None:
    node = start(flush=False)
    assert not node.controller.is_started
    assert not node.image.brokers
    node.flush()
    assert node.controller.is_started
    broker = node.image.brokers[1]
    assert [(one.listener, one.host, one.port) for one in broker.endpoints] == [
        ("PLAINTEXT", "localhost", 9092),
        ("OUTSIDE", "example.org", 443),
    ]
    assert (broker.rack, broker.log_dirs) == ("r1", (DIRECTORY_ID,))


def test_a_start_that_cannot_write_says_so() -> None:
    node = start()
    disk = node.disk.copy()
    disk.fail_in(1, stays_broken=True, changes_only=True)
    with pytest.raises(OSError, match="refuses"):
        start(disk, shutdown=Shutdown.KILLED, incarnation=2)


def test_who_leaves_is_fenced_and_comes_back_as_another() -> None:
    node = start()
    node.perform(node.controller.leave(node.now_ms))
    node.flush()
    assert node.image.brokers[1].fenced
    assert node.image.brokers[1].in_controlled_shutdown
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert again.image.brokers[1].is_active


def test_brokers_of_an_earlier_life_are_fenced_and_lead_no_more() -> None:
    node = start()
    submit(node, decide(node, "t")[1], Told("a", []))
    topic_id = node.controller.latest.topics["t"].topic_id
    stranger = RegisterBrokerRecord(
        broker_id=2, incarnation_id=b"2" * 16, broker_epoch=9, fenced=False
    )
    moved = PartitionChangeRecord(
        partition_id=0, topic_id=topic_id, replicas=[2, 1], isr=[2, 1], leader=2
    )
    submit(node, (stranger, moved), Told("b", []))
    node.flush()
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert again.image.brokers[2].fenced
    partition = again.image.topics["t"].partitions[0]
    assert (partition.leader, partition.isr, partition.leader_epoch) == (1, (1,), 2)


def test_partitions_keep_their_leader_epoch_unless_power_was_lost() -> None:
    node = start()
    submit(node, decide(node, "t")[1], Told("a", []))
    node.flush()
    for shutdown, epoch in (
        (Shutdown.CLEAN, 0),
        (Shutdown.KILLED, 0),
        (Shutdown.POWER_LOST, 1),
    ):
        disk = node.disk.copy()
        again = start(disk, shutdown=shutdown, incarnation=2)
        assert again.image.topics["t"].partitions[0].leader_epoch == epoch


def test_partitions_of_other_brokers_are_left_alone() -> None:
    node = start()
    submit(node, decide(node, "t")[1], Told("a", []))
    topic_id = node.controller.latest.topics["t"].topic_id
    records = (
        RegisterBrokerRecord(broker_id=2, incarnation_id=b"2" * 16, broker_epoch=9),
        BrokerRegistrationChangeRecord(broker_id=2, broker_epoch=9, fenced=-1),
        PartitionChangeRecord(partition_id=0, topic_id=topic_id, replicas=[2], isr=[2], leader=2),
    )
    submit(node, records, Told("b", []))
    node.flush()
    before = node.image.topics["t"]
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert again.image.topics["t"] == before


# --- producer ids ---------------------------------------------------------------------------------


def take(node: OneNode, ids: ProducerIds) -> int:
    producer_id = ids.take()
    if producer_id is None:
        node.perform(ids.refill(node.now_ms, Told("ids", [])))
        node.flush()
        producer_id = ids.take()
    assert producer_id is not None
    ids.check_invariants()
    return producer_id


def test_ids_are_handed_out_one_by_one_over_the_end_of_a_block() -> None:
    node = start()
    ids = ProducerIds(node.controller)
    assert [take(node, ids) for _ in range(BLOCK_IDS + 2)] == list(range(BLOCK_IDS + 2))
    assert node.image.next_producer_id == 2 * BLOCK_IDS


def test_no_id_of_a_block_leaves_before_the_block_is_committed() -> None:
    node, story = start(), []
    ids = ProducerIds(node.controller)
    node.perform(ids.refill(node.now_ms, Told("first", story)))
    node.perform(ids.refill(node.now_ms, Told("second", story)))
    assert ids.take() is None
    node.flush()
    assert [name for name, _ in story] == ["first", "second"]
    assert node.image.next_producer_id == BLOCK_IDS  # one block for both
    assert ids.take() == 0


def test_a_restart_never_hands_out_an_id_twice() -> None:
    node = start()
    used = {take(node, ProducerIds(node.controller))}
    for incarnation in (2, 3):
        node = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=incarnation)
        producer_id = take(node, ProducerIds(node.controller))
        assert producer_id not in used
        used.add(producer_id)
    assert used == {0, BLOCK_IDS, 2 * BLOCK_IDS}


def test_a_block_that_could_not_be_written_is_asked_for_again() -> None:
    node, story = start(), []
    ids = ProducerIds(node.controller)
    node.disk.fail_in(1, changes_only=True)
    node.perform(ids.refill(node.now_ms, Told("a", story)))
    node.disk.mend()
    assert story[0][1] is ErrorCode.KAFKA_STORAGE_ERROR
    assert take(node, ids) == 0
