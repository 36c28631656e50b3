"""A consumer whose polls, commits and listeners are broken off or fail: nothing hangs, nothing stays half done.

Against a real broker on loopback.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ottla.aio.client import Client
from ottla.aio.commits import Commits
from ottla.aio.consumer import Consumer
from ottla.aio.fetching import now_ms
from ottla.aio.group_member import GroupSide
from ottla.client.consume.reader import Reader
from ottla.client.consume.record import ConsumedRecord, GroupMetadata, OffsetAndMetadata
from ottla.client.groups import describe_request, described_untrusted
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, Bug, ErrorCode, OttlaError
from ottla.types import TopicPartition
from ottla.wire.api import DESCRIBE_GROUPS, METADATA, Message
from ottla.wire.message.describe_groups import DescribeGroupsResponse
from ottla.wire.message.metadata import MetadataRequest
from tests.unit.aio.test_consumer import (
    ALONE,
    COOPERATIVE,
    EAGER,
    POLL_MS,
    T0,
    Diary,
    World,
    in_world,
    settled,
    values,
)
from tests.unit.fakes.scripted_broker import ScriptedBroker

Offsets = Mapping[TopicPartition, OffsetAndMetadata]


async def member_count(world: World) -> int:
    response = await world.client.ask_coordinator("g", DESCRIBE_GROUPS, describe_request("g"))
    assert isinstance(response, DescribeGroupsResponse)
    return len(described_untrusted("g", response).members)


def hangs_once(monkeypatch: pytest.MonkeyPatch, where: type, name: str) -> None:
    """The first call of this method waits until it is cancelled."""
    real = getattr(where, name)
    calls: list[object] = []

    async def once(self: object, *given: object) -> object:
        calls.append(self)
        if len(calls) == 1:
            await asyncio.get_running_loop().create_future()
        return await real(self, *given)

    monkeypatch.setattr(where, name, once)


async def cancelled(consumer: Consumer) -> None:
    polling = asyncio.ensure_future(consumer.poll(POLL_MS))
    await asyncio.sleep(0.05)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling


def test_who_unsubscribes_and_closes_has_left_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Client.version_for

    async def slow(self: Client, *given: int, **more: object) -> int:
        await asyncio.sleep(0.02)
        return await real(self, *given, **more)  # type: ignore[arg-type]

    async def scenario(world: World) -> None:
        monkeypatch.setattr(Client, "version_for", slow)
        await world.topic("t")
        async with world.consumer(EAGER, "t") as consumer:
            await settled([consumer], [1])
            assert await member_count(world) == 1
            consumer.unsubscribe()
        assert await member_count(world) == 0

    in_world(tmp_path, scenario)


def test_a_listener_that_fails_at_the_end_does_not_keep_the_member_in_its_group(
    tmp_path: Path,
) -> None:
    class Failing(Diary):
        async def revoked(self, partitions: Collection[TopicPartition]) -> None:
            raise ZeroDivisionError

    async def scenario(world: World) -> None:
        await world.topic("t")
        with pytest.raises(ZeroDivisionError):
            async with world.consumer(EAGER, "t", listener=Failing()) as consumer:
                await settled([consumer], [1])
        assert await member_count(world) == 0

    in_world(tmp_path, scenario)


def test_a_poll_that_is_cancelled_before_a_join_is_gone_on_with_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        diary = Diary()
        async with world.consumer(EAGER, "t", listener=diary) as consumer:
            await settled([consumer], [1])
            hangs_once(monkeypatch, Commits, "automatic_now")
            consumer.enforce_rebalance()
            await cancelled(consumer)
            await world.fill("t", 1)
            assert await values(consumer, 1) == [b"0"]
            assert diary.told == [("assigned", [0]), ("revoked", [0]), ("assigned", [0])]

    in_world(tmp_path, scenario)


def test_a_poll_that_is_cancelled_while_partitions_go_is_gone_on_with_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t", 2)
        hasty = replace(COOPERATIVE, heartbeat_interval_ms=20)
        diary = Diary()
        async with (
            world.consumer(hasty, "t", listener=diary) as first,
            world.consumer(hasty, "t") as second,
        ):
            await settled([first], [2])
            real = Commits.automatic_now
            at: list[int] = []

            async def hanging(self: Commits) -> None:
                if self is first._commits:
                    at.append(1)
                    # Before its join; where partitions go; then no more.
                    if len(at) == 2:
                        await asyncio.get_running_loop().create_future()
                await real(self)

            monkeypatch.setattr(Commits, "automatic_now", hanging)
            polling = asyncio.ensure_future(first.poll(POLL_MS))
            while len(at) < 2:
                await second.poll(20)
            polling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await polling
            await settled([first, second], [1, 1])
            assert not first.assignment() & second.assignment()
            assert [what for what, _ in diary.told].count("revoked") == 1

    in_world(tmp_path, scenario)


def test_closing_ends_a_poll_that_waits_elsewhere(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")

        async def read(consumer: Consumer) -> list[ConsumedRecord]:
            return [record async for record in consumer]

        async with world.consumer(ALONE, "t") as consumer:
            reading = asyncio.ensure_future(read(consumer))
            await asyncio.sleep(0.02)
        assert await asyncio.wait_for(reading, 2) == []

    in_world(tmp_path, scenario)


def test_nothing_is_handed_out_after_the_consumer_was_closed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.topic("t")
        await world.fill("t", 5)
        seen: list[int] = []
        async with world.consumer(ALONE, "t") as consumer:
            async for record in consumer:
                seen.append(record.offset)
                await consumer.close()
        assert seen == [0]

    in_world(tmp_path, scenario)


def test_a_bug_behind_the_scenes_is_raised_by_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context["exception"])
        )
        await world.topic("t")

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Reader, "answered_untrusted", broken)
        async with world.consumer(ALONE, "t") as consumer:
            with pytest.raises(Bug):
                await consumer.poll(POLL_MS)
        assert isinstance(reported[0], ZeroDivisionError)

    in_world(tmp_path, scenario)


def test_a_topic_is_asked_to_be_made_until_a_broker_hears_it() -> None:
    async def work() -> None:
        asked: list[bool] = []

        def metadata(request: Message) -> Message | None:
            assert isinstance(request, MetadataRequest)
            asked.append(request.allow_auto_topic_creation)
            broker.hang_up()
            return None

        broker = ScriptedBroker({METADATA: metadata})
        async with broker:
            options = ConnectionOptions(
                bootstrap=(broker.address,), retry_backoff_ms=1, retry_backoff_ms_max=2
            )
            async with Client(options) as client, Consumer(client, ALONE) as consumer:
                consumer.subscribe(["late"])
                while asked.count(True) < 3:
                    await consumer.poll(5)

    asyncio.run(asyncio.wait_for(work(), 10))


class SlowGroup:
    """A group side whose commits wait until the test lets them go, or fail as it says."""

    is_member = False
    who = GroupMetadata("g", -1, "", None)

    def __init__(self) -> None:
        self.commits: list[tuple[int, bool]] = []
        self.gates: list[asyncio.Future[None]] = []

    async def commit(self, who: GroupMetadata, offsets: Offsets, *, tries: bool = True) -> None:
        assert who == self.who
        self.commits.append((offsets[T0].offset, tries))
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate


def commits_of(group: SlowGroup, consumed: Callable[[], Offsets], interval_ms: int = 0) -> Commits:
    options = replace(EAGER, auto_commit=True, auto_commit_interval_ms=interval_ms)
    side: GroupSide = group  # type: ignore[assignment]
    return Commits(
        side, options, consumed, on_change=lambda: None, on_bug=lambda _: None, retry_ms=100
    )


def test_a_commit_that_is_given_up_leaves_those_before_it_alone() -> None:
    async def work() -> None:
        group = SlowGroup()
        commits = commits_of(group, dict)
        told: list[OttlaError | None] = []
        commits.begin({T0: OffsetAndMetadata(1)}, lambda _, error: told.append(error))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await commits.commit({T0: OffsetAndMetadata(2)})
        group.gates[0].set_result(None)
        await commits.settled()
        commits.run_callbacks()
        assert told == [None]
        commits.begin({T0: OffsetAndMetadata(3)}, lambda _, error: told.append(error))
        await asyncio.sleep(0)
        await commits.close()
        commits.run_callbacks()
        assert "closed" in str(told[1])

    asyncio.run(asyncio.wait_for(work(), 10))


def test_an_automatic_commit_cannot_come_after_a_later_one() -> None:
    async def work() -> None:
        group = SlowGroup()
        at = iter(range(1, 9))
        commits = commits_of(group, lambda: {T0: OffsetAndMetadata(next(at))}, 200)
        while not group.gates:
            commits.tick()
            await asyncio.sleep(0)
        group.gates[0].set_exception(ApiError(ErrorCode.NOT_COORDINATOR, "g"))
        await commits.settled()
        assert group.commits == [(1, False)], "it is not tried again by itself"
        assert commits.due_ms is not None
        assert commits.due_ms - now_ms() <= 100, "but the next one comes soon"
        await commits.close()

    asyncio.run(asyncio.wait_for(work(), 10))
