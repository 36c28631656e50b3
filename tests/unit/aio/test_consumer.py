"""The consumer against a real broker on loopback: what a user sees of polls, groups and commits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.client import Client
from ottla.aio.consumer import Consumer
from ottla.aio.group_member import GroupSide
from ottla.aio.producer import Producer
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.record import ConsumedRecord, OffsetAndMetadata
from ottla.client.consume.trouble import NoOffset
from ottla.client.member.offsets import CommitFailed, Fenced
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.produce.options import ProducerOptions
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, OttlaError
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved
from ottla.types import TopicPartition
from ottla.wire.api import CREATE_PARTITIONS, CREATE_TOPICS, LEAVE_GROUP
from ottla.wire.message.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.message.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.message.leave_group import LeaveGroupRequest, MemberIdentity

SECONDS_MAX = 30
POLL_MS = 10_000
EAGER = ConsumerOptions(
    group_id="g",
    assignors=("range",),
    offset_reset="earliest",
    auto_commit=False,
    heartbeat_interval_ms=100,
)
COOPERATIVE = replace(EAGER, assignors=("cooperative-sticky",))
ALONE = ConsumerOptions(offset_reset="earliest")


class World:
    """A broker and a client; `fill` writes records "0", "1", … to a partition."""

    def __init__(self, client: Client, producer: Producer) -> None:
        self.client = client
        self._producer = producer

    async def topic(self, name: str, partitions: int = 1) -> None:
        request = CreateTopicsRequest(topics=[CreatableTopic(name, partitions, 1)])
        await self.client.ask_controller(CREATE_TOPICS, request)

    async def fill(self, name: str, count: int, partition: int = 0, first: int = 0) -> None:
        for number in range(first, first + count):
            await self._producer.send(name, b"%d" % number, partition=partition)
        await self._producer.flush()

    @asynccontextmanager
    async def consumer(
        self, options: ConsumerOptions, *topics: str, listener: "Diary | None" = None
    ) -> AsyncIterator[Consumer]:
        async with Consumer(self.client, options) as consumer:
            if topics:
                consumer.subscribe(topics, listener=listener)
            yield consumer


class Diary:
    """A listener that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self.on_assigned: Callable[[], None] = lambda: None

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("revoked", sorted(one.partition for one in partitions)))

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("assigned", sorted(one.partition for one in partitions)))
        self.on_assigned()

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("lost", sorted(one.partition for one in partitions)))


Scenario = Callable[[World], Coroutine[None, None, None]]


def in_world(directory: Path, scenario: Scenario) -> None:
    async def run() -> None:
        given = {
            "listeners": Resolved("PLAINTEXT://127.0.0.1:0"),
            "log.dirs": Resolved(str(directory)),
            "group.initial.rebalance.delay.ms": Resolved("0"),
            "offsets.topic.num.partitions": Resolved("1"),
            "auto.create.topics.enable": Resolved("false"),
        }
        broker = Broker(broker_settings(given), given=given)
        await broker.start()
        address = Address("127.0.0.1", broker.bound["PLAINTEXT"].port)
        try:
            async with (
                Client(ConnectionOptions(bootstrap=(address,))) as client,
                Producer(client, ProducerOptions()) as producer,
            ):
                await scenario(World(client, producer))
        finally:
            assert await broker.stop()

    asyncio.run(asyncio.wait_for(run(), SECONDS_MAX))


async def values(consumer: Consumer, count: int) -> list[bytes | None]:
    """At least so many records, waiting for them."""
    found: list[ConsumedRecord] = []
    while len(found) < count:
        polled = await consumer.poll(POLL_MS)
        assert polled, f"{len(found)} of {count} records came"
        found += [record for records in polled.values() for record in records]
    return [record.value for record in found]


async def settled(consumers: list[Consumer], shares: list[int]) -> None:
    """Polls until the assignments have these sizes."""
    while sorted(len(one.assignment()) for one in consumers) != shares:
        for one in consumers:
            await one.poll(20)


T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


def test_assigned_partitions_are_read_and_sought(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t", 2)
        await world.fill("t", 5)
        async with world.consumer(ALONE) as consumer:
            consumer.assign([T0, T1])
            assert await values(consumer, 5) == [b"0", b"1", b"2", b"3", b"4"]
            assert await consumer.position(T0) == 5
            assert (consumer.highwater(T0), consumer.lag(T0)) == (5, 0)
            consumer.seek(T0, 3)
            assert await values(consumer, 2) == [b"3", b"4"]
            consumer.seek_to_beginning([T0])
            assert len(await values(consumer, 5)) == 5
            consumer.seek_to_end()
            assert await consumer.position(T0) == 5
            consumer.pause([T0])
            await world.fill("t", 1, first=5)
            assert await consumer.poll(100) == {}
            assert consumer.paused() == {T0}
            consumer.resume([T0])
            assert await values(consumer, 1) == [b"5"]
            assert await consumer.beginning_offsets([T0, T1]) == {T0: 0, T1: 0}
            assert await consumer.end_offsets([T0, T1]) == {T0: 6, T1: 0}
            times = await consumer.offsets_for_times({T0: 0, T1: 0})
            assert times[T0] is not None
            assert times[T0].offset == 0
            assert times[T1] is None
            assert await consumer.topics() == {"t"}
            assert await consumer.partitions_for_topic("t") == {0, 1}
            assert await consumer.partitions_for_topic("gone") is None
            with pytest.raises(LocalProtocolError, match="unsubscribe first"):
                consumer.subscribe(["t"])
            with pytest.raises(LocalProtocolError, match="group_id is None"):
                await consumer.commit()

    in_world(tmp_path, scenario)


def test_whoever_has_no_group_reads_all_partitions_of_what_it_subscribes(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t", 2)
        await world.fill("t", 1, partition=1)
        async with world.consumer(ALONE, "t") as consumer:
            assert await values(consumer, 1) == [b"0"]
            assert consumer.assignment() == {T0, T1}

    in_world(tmp_path, scenario)


def test_a_member_goes_on_where_the_group_was(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 10)
        async with world.consumer(EAGER, "t") as consumer:
            seen = []
            async for record in consumer:
                seen.append(record.value)
                if len(seen) == 4:
                    break
            assert await consumer.position(T0) == 4
            await consumer.commit()
            assert await consumer.committed([T0, T1]) == {
                T0: OffsetAndMetadata(4, "", 0),
                T1: None,
            }
            assert consumer.group_metadata().generation_id == 1
            # What was held back by the loop comes again to whoever polls.
            assert (await values(consumer, 1))[0] == b"4"
        async with world.consumer(EAGER, "t") as consumer:
            assert (await values(consumer, 6))[0] == b"4"

    in_world(tmp_path, scenario)


def test_positions_are_committed_by_themselves_and_at_the_end(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 3)
        automatic = replace(EAGER, auto_commit=True, auto_commit_interval_ms=10)
        async with world.consumer(automatic, "t") as consumer:
            await values(consumer, 3)
            while (
                committed := (await consumer.committed([T0]))[T0]
            ) is None or not committed.offset:
                await consumer.poll(20)  # where it began is committed, too
            assert committed == OffsetAndMetadata(3, "", 0)
        slow = replace(automatic, auto_commit_interval_ms=60_000)
        await world.fill("t", 2, first=3)
        async with world.consumer(slow, "t") as consumer:
            assert await values(consumer, 2) == [b"3", b"4"]
        async with world.consumer(slow) as consumer:
            assert (await consumer.committed([T0]))[T0] == OffsetAndMetadata(5, "", 0)

    in_world(tmp_path, scenario)


def test_callbacks_of_commits_run_inside_a_poll(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 1)
        told: list[OttlaError | None] = []
        async with world.consumer(EAGER, "t") as consumer:
            with pytest.raises(CommitFailed, match="no member"):
                await consumer.commit({T0: 0})
            await values(consumer, 1)
            consumer.commit_nowait({T0: 1}, lambda offsets, error: told.append(error))
            for _ in range(2):
                await consumer.committed([T0])
                assert told == []
            while not told:
                await consumer.poll(0)
            assert told == [None]

    in_world(tmp_path, scenario)


def test_by_hand_assigned_partitions_commit_without_membership(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 3)
        for expected in (b"0", b"2"):
            async with world.consumer(EAGER) as consumer:
                consumer.assign([T0])
                assert (await values(consumer, 1))[0] == expected
                await consumer.commit({T0: OffsetAndMetadata(2, "note", -1)})
                assert (await consumer.committed([T0]))[T0] == OffsetAndMetadata(2, "note", -1)

    in_world(tmp_path, scenario)


@pytest.mark.parametrize("options", [EAGER, COOPERATIVE])
def test_two_members_share_and_one_takes_over(tmp_path: Path, options: ConsumerOptions) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t", 4)
        first_diary, second_diary = Diary(), Diary()
        async with world.consumer(options, "t", listener=first_diary) as first:
            await settled([first], [4])
            async with world.consumer(options, "t", listener=second_diary) as second:
                await settled([first, second], [2, 2])
                assert not first.assignment() & second.assignment()
            await settled([first], [4])
        told = [what for what, partitions in first_diary.told if partitions]
        if options is EAGER:
            assert told == ["assigned", "revoked"] * 3
            assert first_diary.told[1] == ("revoked", [0, 1, 2, 3])
        else:
            assert told == ["assigned", "revoked", "assigned", "revoked"]
            assert len(first_diary.told[1][1]) == 2, "only what goes is given up"
        assert second_diary.told[-1][0] == "revoked"

    in_world(tmp_path, scenario)


def test_a_listener_may_seek_what_came(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 5)
        diary = Diary()
        async with world.consumer(EAGER, "t", listener=diary) as consumer:
            diary.on_assigned = lambda: consumer.seek(T0, 4)
            assert await values(consumer, 1) == [b"4"]

    in_world(tmp_path, scenario)


def test_a_pattern_finds_topics_that_come_later(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("orders-1")
        await world.fill("orders-1", 1)
        async with world.consumer(COOPERATIVE) as consumer:
            consumer.subscribe(pattern="orders-.*")
            assert await values(consumer, 1) == [b"0"]
            assert consumer.subscription() == {"orders-1"}
            await world.topic("orders-2")
            await world.topic("other")
            await world.fill("orders-2", 1, first=7)
            await world.client.refresh(None)
            assert await values(consumer, 1) == [b"7"]
            assert consumer.subscription() == {"orders-1", "orders-2"}

    in_world(tmp_path, scenario)


def test_whose_pattern_it_is_keeps_finding_topics_whatever_others_subscribe(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("other")
        async with world.consumer(ALONE) as consumer, world.consumer(ALONE, "other"):
            consumer.subscribe(pattern="a.*")
            async with world.consumer(ALONE, "other"):
                await consumer.poll(50)
                await world.topic("ab")
                await world.client.fresh()
                assert consumer.assignment() == {TopicPartition("ab", 0)}

    in_world(tmp_path, scenario)


def test_a_topic_that_grows_is_shared_anew(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        async with world.consumer(EAGER, "t") as consumer:
            await settled([consumer], [1])
            request = CreatePartitionsRequest(topics=[CreatePartitionsTopic("t", 3, None)])
            await world.client.ask_controller(CREATE_PARTITIONS, request)
            await world.client.refresh(["t"])
            await settled([consumer], [3])

    in_world(tmp_path, scenario)


def test_who_unsubscribes_leaves_and_may_subscribe_again(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 2)
        diary = Diary()
        async with world.consumer(EAGER, "t", listener=diary) as consumer:
            await values(consumer, 2)
            consumer.unsubscribe()
            assert consumer.assignment() == frozenset()
            assert await consumer.poll(0) == {}
            assert diary.told == [("assigned", [0]), ("revoked", [0])]
            consumer.subscribe(["t"])
            assert len(await values(consumer, 2)) == 2

    in_world(tmp_path, scenario)


def test_a_static_member_comes_back_to_what_it_had(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t", 2)
        static = replace(EAGER, group_instance_id="one")
        async with world.consumer(EAGER, "t") as other:
            async with world.consumer(static, "t") as consumer:
                await settled([other, consumer], [1, 1])
                had, generation = consumer.assignment(), consumer.group_metadata().generation_id
            async with world.consumer(static, "t") as consumer:
                await settled([other, consumer], [1, 1])
                assert consumer.assignment() == had
                assert other.group_metadata().generation_id == generation

    in_world(tmp_path, scenario)


def test_nothing_committed_and_no_rule_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 1)
        async with world.consumer(replace(EAGER, offset_reset="none"), "t") as consumer:
            with pytest.raises(NoOffset, match="t-0"):
                await values(consumer, 1)
            consumer.seek(T0, 0)
            assert await values(consumer, 1) == [b"0"]

    in_world(tmp_path, scenario)


def test_whole_batches_can_be_polled(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 3)
        async with world.consumer(ALONE) as consumer:
            consumer.assign([T0])
            found: list[bytes | None] = []
            while len(found) < 3:
                for batch in await consumer.poll_batches(POLL_MS):
                    found += batch.values
            assert found == [b"0", b"1", b"2"]

    in_world(tmp_path, scenario)


def test_a_wakeup_ends_a_poll_and_close_ends_the_loop(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        async with world.consumer(ALONE, "t") as consumer:
            polling = asyncio.ensure_future(consumer.poll(60_000))
            await asyncio.sleep(0)
            consumer.wakeup()
            assert await polling == {}
        with pytest.raises(LocalProtocolError, match="closed"):
            await consumer.poll()
        assert [record async for record in consumer] == []

    in_world(tmp_path, scenario)


def test_a_topic_that_is_not_there_brings_nothing_until_it_is(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        async with world.consumer(EAGER, "late") as consumer:
            assert await consumer.poll(50) == {}
            await world.topic("late")
            await world.fill("late", 1)
            assert await values(consumer, 1) == [b"0"]
            with pytest.raises(ApiError) as told:
                await consumer.end_offsets([TopicPartition("gone", 0)], timeout_ms=50)
            assert told.value.code == ErrorCode.REQUEST_TIMED_OUT

    in_world(tmp_path, scenario)


def test_what_cannot_be_subscribed_is_refused(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        async with world.consumer(EAGER) as consumer:
            for wrong in ({}, {"topics": ["a"], "pattern": "b"}, {"topics": "a"}):
                with pytest.raises(LocalProtocolError):
                    consumer.subscribe(**wrong)  # type: ignore[arg-type]
            with pytest.raises(LocalProtocolError, match="not assigned"):
                await consumer.position(T0)
        async with world.consumer(ALONE) as consumer:
            with pytest.raises(LocalProtocolError, match="listener"):
                consumer.subscribe(["t"], listener=Diary())

    in_world(tmp_path, scenario)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_who_does_not_poll_has_lost_its_partitions_and_joins_again(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 2)
        diary = Diary()
        hasty = replace(EAGER, poll_interval_ms_max=60, heartbeat_interval_ms=20)
        async with world.consumer(hasty, "t", listener=diary) as consumer:
            await values(consumer, 2)
            await until(lambda: consumer.group_metadata().generation_id == -1)
            with pytest.raises(CommitFailed):
                await consumer.commit()
            before = len(diary.told)  # a machine that is busy may have been too slow before
            assert diary.told[-1] == ("assigned", [0]), "nobody is told but by a poll"
            assert len(await values(consumer, 2)) == 2
            assert [what for what, _ in diary.told][before : before + 2] == ["lost", "assigned"]

    in_world(tmp_path, scenario)


def test_who_was_removed_from_its_group_is_told_so(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 1)
        diary = Diary()
        async with world.consumer(COOPERATIVE, "t", listener=diary) as consumer:
            await values(consumer, 1)
            who = consumer.group_metadata()
            request = LeaveGroupRequest("g", members=[MemberIdentity(who.member_id, None, None)])
            await world.client.ask_coordinator("g", LEAVE_GROUP, request)
            with pytest.raises(CommitFailed, match="rebalanced"):
                await consumer.commit()
            assert await values(consumer, 1) == [b"0"]
            assert [what for what, _ in diary.told] == ["assigned", "lost", "assigned"]
            assert consumer.group_metadata().member_id != who.member_id

    in_world(tmp_path, scenario)


def test_a_static_member_that_another_replaced_is_fenced(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        static = replace(EAGER, group_instance_id="one")
        async with world.consumer(static, "t") as first:
            await settled([first], [1])
            async with world.consumer(static, "t") as second:
                await settled([second], [1])
                for _ in range(2):
                    with pytest.raises(Fenced):
                        await values(first, 1)

    in_world(tmp_path, scenario)


def test_a_listener_that_fails_does_not_stop_the_group(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 1)
        diary = Diary()

        def fail() -> None:
            diary.on_assigned = lambda: None
            raise ZeroDivisionError

        diary.on_assigned = fail
        async with world.consumer(EAGER, "t", listener=diary) as consumer:
            with pytest.raises(ZeroDivisionError):
                await values(consumer, 1)
            assert await values(consumer, 1) == [b"0"]

    in_world(tmp_path, scenario)


def test_what_is_sought_while_it_is_iterated_comes_next(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 5)
        seen: list[int] = []
        async with world.consumer(ALONE) as consumer:
            consumer.assign([T0])
            async for record in consumer:
                seen.append(record.offset)
                if seen == [0, 1]:
                    consumer.seek(T0, 3)
                if len(seen) == 4:
                    break
        assert seen == [0, 1, 3, 4]

    in_world(tmp_path, scenario)


def test_what_was_committed_for_an_earlier_assignment_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 5)
        async with world.consumer(EAGER) as consumer:
            answers = [1, 3]

            async def committed(
                self: GroupSide, places: Collection[TopicPartition]
            ) -> dict[TopicPartition, OffsetAndMetadata | None]:
                offset = answers.pop(0)
                if answers:
                    # It goes to somebody who reads on, and comes back.
                    consumer.assign([])
                    consumer.assign([T0])
                return dict.fromkeys(places, OffsetAndMetadata(offset))

            monkeypatch.setattr(GroupSide, "committed", committed)
            consumer.assign([T0])
            assert await values(consumer, 2) == [b"3", b"4"]
            assert not answers

    in_world(tmp_path, scenario)
