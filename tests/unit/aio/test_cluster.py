"""When a client asks for the picture of the cluster, and whom it believes."""

import asyncio
import contextlib
from collections.abc import Coroutine

import pytest

from ottla.aio.client import Client, ConnectionLost, Unreachable
from ottla.client.metadata import Address, ClusterView, LeaderHint
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, ErrorCode
from ottla.types import ZERO_UUID
from ottla.wire.api import METADATA, Message
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


class Script:
    """A broker that describes `t`, of one partition that it leads."""

    def __init__(self, version: int = 13) -> None:
        self.epoch = 5
        self.error_code = 0
        self.advertised: Address | None = None
        self.asked: list[list[str | None] | None] = []
        self.broker = ScriptedBroker({METADATA: self.metadata}, versions={METADATA: version})

    def metadata(self, request: Message) -> Message:
        assert isinstance(request, MetadataRequest)
        names = None if request.topics is None else [topic.name for topic in request.topics]
        self.asked.append(names)
        if self.error_code:
            return MetadataResponse(error_code=self.error_code)
        host, port = self.advertised or self.broker.address
        part = MetadataResponsePartition(
            leader_id=1, leader_epoch=self.epoch, replica_nodes=[1], isr_nodes=[1]
        )
        topics = [
            MetadataResponseTopic(0, name, ZERO_UUID, False, [part])
            for name in (["t"] if names is None else names)
        ]
        return MetadataResponse(
            brokers=[MetadataResponseBroker(1, host, port)], controller_id=1, topics=topics
        )

    def client(self, *more: Address, age_ms_max: int = 300_000, backoff_ms: int = 1) -> Client:
        options = ConnectionOptions(
            bootstrap=(self.broker.address, *more),
            metadata_age_ms_max=age_ms_max,
            retry_backoff_ms=backoff_ms,
            reconnect_backoff_ms=1,
        )
        return Client(options)


def test_all_who_find_it_stale_are_served_by_one_question() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client(backoff_ms=500) as client:
            await asyncio.sleep(0)
            client.track(["t", "u", "v"])
            client.untrack(["v"])
            waiting = [asyncio.ensure_future(client.fresh()) for _ in range(10)]
            for _ in range(10):
                client.mark_stale()
            views = await asyncio.gather(*waiting)
            assert script.asked == [["t", "u"]]
            assert all(view is client.cluster for view in views)
            assert client.cluster.leader_of("u", 0) == 1

    run(work())


def test_it_is_asked_for_when_it_is_old() -> None:
    async def work() -> None:
        script = Script()
        seen = asyncio.Event()

        def listener(view: ClusterView) -> None:
            if len(script.asked) == 3:
                seen.set()

        async with script.broker, script.client(age_ms_max=5) as client:
            client.track_all(script, True)
            forget = client.on_cluster(listener)
            await seen.wait()
            forget()
            assert script.asked[:3] == [None, None, None]

    run(work())


def test_what_keeps_it_from_coming_is_told_and_remembered() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            client = script.client()
        async with client:
            with pytest.raises(Unreachable):
                await client.fresh()
            assert isinstance(client.trouble, Unreachable)

    run(work())


def test_a_leader_told_elsewhere_is_believed() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            await client.refresh(["t"])
            seen: list[ClusterView] = []
            client.on_cluster(seen.append)
            client.learn([LeaderHint("t", 0, 2, 4)], {2: Address("two", 1)})
            assert seen == []
            client.learn([LeaderHint("t", 0, 2, 6)], {2: Address("two", 1)})
            assert [view.leader_of("t", 0) for view in seen] == [2]
            # The broker that answers next knows less.
            assert (await client.refresh(["t"])).leader_epoch_of("t", 0) == 6

    run(work())


@pytest.mark.parametrize(("version", "epoch"), [(8, -1), (9, 5)])
def test_leader_epochs_count_from_metadata_9_on(version: int, epoch: int) -> None:
    async def work() -> None:
        script = Script(version)
        async with script.broker, script.client() as client:
            assert (await client.refresh(["t"])).leader_epoch_of("t", 0) == epoch

    run(work())


def test_a_broker_may_send_the_client_back_to_the_beginning() -> None:
    async def work() -> None:
        sends, new = Script(), Script()
        async with sends.broker, new.broker, sends.client() as client:
            await client.refresh(["t"])
            before = sends.broker.opened_count
            asked = 0

            def describe(request: Message) -> Message:
                nonlocal asked
                asked += 1
                sends.error_code = ErrorCode.REBOOTSTRAP_REQUIRED if asked == 1 else 0
                return sends.metadata(request)

            sends.broker.replace(METADATA, describe)
            sends.epoch = 1
            view = await client.refresh(["t"])
            assert view.leader_epoch_of("t", 0) == 1, "what was known before is forgotten"
            assert sends.broker.opened_count == before + 1

    run(work())


def test_a_client_that_is_always_sent_elsewhere_is_told_so() -> None:
    async def work() -> None:
        script = Script()
        script.error_code = ErrorCode.REBOOTSTRAP_REQUIRED
        async with script.broker, script.client() as client:
            with pytest.raises(ApiError, match="REBOOTSTRAP_REQUIRED"):
                await client.refresh(())
            assert len(script.asked) == 3

    run(work())


def test_when_no_known_broker_answers_the_bootstrap_addresses_are_asked_again() -> None:
    async def work() -> None:
        first, entrance = Script(), Script()
        async with entrance.broker:
            async with first.broker:
                entrance.advertised = first.broker.address
                client = entrance.client()
                await client.start()
                await client.refresh(["t"])
                assert client.cluster.brokers == {1: first.broker.address}
            # The whole cluster is gone, and one made anew stands behind the entrance.
            entrance.advertised = None
            entrance.broker.hang_up()
            entrance.epoch = 0
            with contextlib.suppress(ConnectionLost):
                await client.refresh(["t"])
            view = await client.refresh(["t"])
            assert view.brokers == {1: entrance.broker.address}
            assert view.leader_epoch_of("t", 0) == 0
            await client.close()

    run(work())


def test_an_outage_of_everybody_forgets_nothing() -> None:
    async def work() -> None:
        first, entrance = Script(), Script()
        async with first.broker, entrance.broker:
            entrance.advertised = first.broker.address
            client = entrance.client()
            await client.start()
            await client.refresh(["t"])
        for _ in range(2):
            with contextlib.suppress(ConnectionLost, Unreachable):
                await client.refresh(["t"])
        with pytest.raises(Unreachable):
            await client.refresh(["t"])
        assert client.cluster.leader_epoch_of("t", 0) == 5
        await client.close()

    run(work())
