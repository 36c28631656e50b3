"""The connections of a client, over loopback: which are made, when they are left alone, when they end."""

import asyncio
from collections.abc import Coroutine

import pytest

from ottla.aio.client import Client, ConnectionLost, Lane, Unreachable
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError
from ottla.wire.api import API_VERSIONS, LIST_GROUPS, METADATA, Message
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.metadata import MetadataResponse, MetadataResponseBroker
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


class Script:
    """A cluster of one broker, which lists groups: `throttle_ms` says how busy it is."""

    def __init__(self, versions: dict[int, int] | None = None) -> None:
        self.throttle_ms = 0
        self.others: list[Address] = []
        self.is_silent = False
        self.listed: list[str] = []
        self.broker = ScriptedBroker(
            {METADATA: self.metadata, LIST_GROUPS: self.groups}, versions=versions
        )

    def metadata(self, request: Message) -> Message:
        brokers = [
            MetadataResponseBroker(number, *address)
            for number, address in enumerate((self.broker.address, *self.others), 1)
        ]
        return MetadataResponse(brokers=brokers, controller_id=1)

    def groups(self, request: Message) -> Message | None:
        assert isinstance(request, ListGroupsRequest)
        self.listed += request.states_filter
        if self.is_silent:
            return None
        return ListGroupsResponse(throttle_time_ms=self.throttle_ms)

    def client(self, *, in_flight_max: int = 64, idle_ms_max: int = 60_000) -> Client:
        return Client(
            ConnectionOptions(
                bootstrap=(self.broker.address,),
                request_ms_max=10_000,
                in_flight_max=in_flight_max,
                idle_ms_max=idle_ms_max,
            )
        )


def test_all_who_wait_for_a_broker_share_one_connection_and_each_lane_has_its_own() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            await client.refresh(())
            before = script.broker.opened_count
            request = ListGroupsRequest()
            await asyncio.gather(*(client.ask(1, LIST_GROUPS, request) for _ in range(5)))
            assert script.broker.opened_count == before + 1
            await client.ask(1, LIST_GROUPS, request, lane=Lane.GROUP)
            assert script.broker.opened_count == before + 2

    run(work())


def test_what_is_posted_leaves_in_order_once_the_broker_is_ready() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            await client.refresh(())
            first = ListGroupsRequest(states_filter=["0"])
            assert client.post(1, LIST_GROUPS, first) is None, "nobody is connected"
            await client.ready(1)
            posted = [
                client.post(1, LIST_GROUPS, ListGroupsRequest(states_filter=[str(number)]))
                for number in range(5)
            ]
            await asyncio.gather(*(future for future in posted if future is not None))
            assert script.listed == ["0", "1", "2", "3", "4"]
            assert await client.version_for(1, LIST_GROUPS, version_max=4) == 4

    run(work())


def test_a_broker_that_asks_for_a_pause_gets_it() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            await client.refresh(())
            script.throttle_ms = 60
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            script.throttle_ms = 0
            loop = asyncio.get_running_loop()
            told = loop.time()
            assert client.post(1, LIST_GROUPS, ListGroupsRequest()) is None
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            assert loop.time() - told >= 0.05
            assert client.post(1, LIST_GROUPS, ListGroupsRequest()) is not None

    run(work())


def test_a_broker_that_asks_for_a_pause_is_not_asked_on_another_connection() -> None:
    async def work() -> None:
        script, other = Script(), Script()
        async with script.broker, other.broker, script.client() as client:
            await client.refresh(())
            script.throttle_ms = 60
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            loop = asyncio.get_running_loop()
            told = loop.time()
            await client.refresh(())
            assert loop.time() - told >= 0.05, "there is nobody else"
            script.others = other.others = [other.broker.address]
            await client.refresh(())
            script.throttle_ms = 60_000
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            asked = len(script.broker.calls)
            for _ in range(3):
                await client.refresh(())
            assert len(script.broker.calls) == asked

    run(work())


def test_a_broker_before_kafka_2_has_paused_already() -> None:
    async def work() -> None:
        script = Script({API_VERSIONS: 1})
        async with script.broker, script.client() as client:
            await client.refresh(())
            script.throttle_ms = 60_000
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            assert client.post(1, LIST_GROUPS, ListGroupsRequest()) is not None

    run(work())


def test_above_the_bound_requests_wait_for_an_answer() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client(in_flight_max=1) as client:
            await client.refresh(())
            await client.ready(1)
            script.is_silent = True
            one = client.post(
                1, LIST_GROUPS, ListGroupsRequest(states_filter=["one"]), timeout_ms=50
            )
            assert one is not None
            assert client.post(1, LIST_GROUPS, ListGroupsRequest()) is None
            with pytest.raises(ConnectionLost):
                await client.ask(1, LIST_GROUPS, ListGroupsRequest(states_filter=["two"]))
            assert script.listed == ["one"]
            script.is_silent = False
            for name in ("three", "four"):
                await client.ask(1, LIST_GROUPS, ListGroupsRequest(states_filter=[name]))
            assert script.listed == ["one", "three", "four"]

    run(work())


def test_a_request_without_an_answer_costs_the_connection_and_all_that_wait_on_it() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            await client.refresh(())
            await client.ready(1)
            script.is_silent = True
            slow = client.post(1, LIST_GROUPS, ListGroupsRequest(), timeout_ms=9_000)
            assert slow is not None
            with pytest.raises(ConnectionLost, match="did not answer in time"):
                await client.ask(1, LIST_GROUPS, ListGroupsRequest(), timeout_ms=20)
            with pytest.raises(ConnectionLost):
                await slow
            script.is_silent = False
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())

    run(work())


def test_an_idle_connection_is_closed_and_made_again() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client(idle_ms_max=30) as client:
            await client.refresh(())
            await client.ready(1)
            while client.post(1, LIST_GROUPS, ListGroupsRequest()) is not None:
                await asyncio.sleep(0.05)
            await client.ask(1, LIST_GROUPS, ListGroupsRequest())

    run(work())


def test_an_address_that_failed_is_left_alone_for_a_while() -> None:
    async def work() -> None:
        gone = Script()
        async with gone.broker:
            free = gone.broker.address
        options = ConnectionOptions(
            bootstrap=(free,), reconnect_backoff_ms=80, reconnect_backoff_ms_max=80
        )
        async with Client(options) as client:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for _ in range(2):
                with pytest.raises(Unreachable, match="refused"):
                    await client.refresh(())
            assert loop.time() - began >= 0.05

    run(work())


def test_every_address_that_was_tried_is_named() -> None:
    async def work() -> None:
        gone = Script()
        async with gone.broker:
            free = gone.broker.address
        nowhere = Address("no such host", 9092)
        options = ConnectionOptions(bootstrap=(free, nowhere))
        async with Client(options) as client:
            with pytest.raises(Unreachable, match=rf"{free}.*refused.*{nowhere}.*resolved"):
                await client.refresh(())

    run(work())


def test_an_api_that_the_broker_lacks_is_refused_by_name_and_address() -> None:
    async def work() -> None:
        script = Script({LIST_GROUPS: -1})
        async with script.broker, script.client() as client:
            await client.refresh(())
            with pytest.raises(ApiError, match=rf"{script.broker.address}: ListGroups"):
                await client.ask(1, LIST_GROUPS, ListGroupsRequest())

    run(work())


def test_a_listener_that_hangs_up_at_the_first_request_may_want_sasl() -> None:
    async def work() -> None:
        script = Script()

        def hang_up(request: Message) -> None:
            script.broker.hang_up()

        script.broker = ScriptedBroker({METADATA: hang_up})
        async with script.broker, script.client() as client:
            with pytest.raises(ConnectionLost, match="Does this listener expect SASL"):
                await client.refresh(())

    run(work())


def test_after_close_nothing_is_asked() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            client = script.client()
            await client.start()
            await client.refresh(())
            await client.close()
            with pytest.raises(ConnectionLost, match="closed"):
                await client.ask(1, LIST_GROUPS, ListGroupsRequest())
            with pytest.raises(ConnectionLost, match="closed"):
                await client.refresh(())

    run(work())
