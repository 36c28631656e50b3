"""What `ottla doctor` sees on its way to a cluster, and the ways out that it names."""

import asyncio
import json
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import final

import pytest

from ottla.aio.client import Client
from ottla.aio.security import PLAINTEXT, Protocol, Security, Tls
from ottla.cli.diagnosis import FAILED, OK, Finding, Sent, advertised_unreachable, examine
from ottla.cli.doctor import Screen
from ottla.cli.main import main
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.wire.api import FETCH, METADATA, PRODUCE, VOTE, Message
from ottla.wire.message.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from tests.unit.cli.test_config import free_port, with_broker
from tests.unit.fakes.certificates import AUTHORITY, BROKER, BROKER_KEY, written
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20
SILENCE_MS_MAX = 10_000


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


async def found_at(
    *addresses: Address, security: Security = PLAINTEXT, silence_ms_max: int = SILENCE_MS_MAX
) -> list[Finding]:
    options = ConnectionOptions(bootstrap=addresses, connect_ms_max=5_000)
    findings: list[Finding] = []
    await examine(options, security, findings.append, silence_ms_max)
    return findings


def broker(
    answer: Callable[[Message], Message] | None = None, context: ssl.SSLContext | None = None
) -> ScriptedBroker:
    def never(message: Message) -> Message:
        raise AssertionError(message)

    answers = {PRODUCE: never, FETCH: never, METADATA: answer or never}
    return ScriptedBroker(answers, context=context)


def cluster(
    *brokers: Address, cluster_id: str = "c", leader: int = 1
) -> Callable[[Message], Message]:
    answer = MetadataResponse(
        brokers=[
            MetadataResponseBroker(number, address.host, address.port)
            for number, address in enumerate(brokers, start=1)
        ],
        cluster_id=cluster_id,
        controller_id=1,
        topics=[
            MetadataResponseTopic(
                name="orders",
                partitions=[
                    MetadataResponsePartition(
                        partition_index=0, leader_id=leader, replica_nodes=[1], isr_nodes=[1]
                    )
                ],
            )
        ],
    )
    return lambda _: answer


@final
class Stranger(asyncio.Protocol):
    """Something that listens and is no broker. `answer` None: it says nothing; empty: it closes."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is not None and self._transport is not None:
            self._transport.write(self._answer)
            self._transport.close()


@pytest.mark.parametrize(
    ("answer", "seen", "way_out"),
    [
        (None, "says nothing", "look at its log"),
        (b"", "closes them at once", "security.protocol=SSL"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "web server (HTTP)", "the broker's port"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH server", "the broker's port"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "speaks TLS", "security.protocol=SSL"),
        (b"-ERR unknown command\r\n", "does not speak Kafka's protocol", "another program"),
    ],
)
def test_a_peer_that_is_no_broker_is_told_for_what_it_is(
    answer: bytes | None, seen: str, way_out: str
) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stranger(answer), "127.0.0.1", 0)
        async with server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            silence_ms_max = 50 if answer is None else SILENCE_MS_MAX
            *before, last = await found_at(address, silence_ms_max=silence_ms_max)
        assert [one.status for one in before] == [OK, OK]
        assert (last.target, last.step, last.status) == (str(address), "listener", FAILED)
        assert seen in last.detail
        assert way_out in last.way_out

    run(work())


def test_a_listener_with_tls_is_recognized_and_with_tls_is_used(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        written(BROKER, tmp_path / "broker.pem"), written(BROKER_KEY, tmp_path / "broker.key")
    )

    async def work() -> None:
        async with broker(context=context) as peer:
            peer.replace(METADATA, cluster(peer.address))
            assert "speaks TLS" in (await found_at(peer.address))[-1].detail
            tls = Tls(ca_path=written(AUTHORITY, tmp_path / "ca.pem"))
            trusting = Security(protocol=Protocol.SSL, tls=tls)
            findings = await found_at(peer.address, security=trusting)
            assert {one.status for one in findings} == {OK}, findings
            assert "(SSL)" in findings[2].detail
            other = Security(protocol=Protocol.SSL, tls=Tls())
            last = (await found_at(peer.address, security=other))[-1]
            assert "certificate is not believed" in last.detail
            assert "ssl_cafile" in last.way_out

    run(work())


def test_a_port_where_nothing_listens_says_how_to_start_a_broker() -> None:
    async def work() -> None:
        name, last = await found_at(Address("127.0.0.1", free_port()))
        assert (name.status, last.step, last.status) == (OK, "connect", FAILED)
        assert "connection refused" in last.detail
        assert "ottla serve" in last.way_out

    run(work())


def test_a_name_that_is_none_is_the_first_step() -> None:
    async def work() -> None:
        (only,) = await found_at(Address("no..host", 9092))
        assert (only.step, only.status) == ("name", FAILED)

    run(work())


def test_an_advertised_address_that_is_dead_is_told_with_both_addresses() -> None:
    async def work() -> None:
        dead = Address("127.0.0.1", free_port())
        async with broker(cluster(dead)) as peer:
            findings = await found_at(peer.address)
            last = next(one for one in findings if one.status == FAILED)
            assert (last.target, last.broker, last.step) == (str(dead), 1, "connect")
            assert str(peer.address) in last.detail
            assert "advertised.listeners" in last.detail
            assert f"advertised.listeners=PLAINTEXT://{peer.address}" in last.way_out
            assert [one.step for one in findings if one.target == str(peer.address)] == [
                "name", "connect", "listener", "versions", "metadata",
            ]  # fmt: skip

    run(work())


def test_of_several_brokers_each_is_visited() -> None:
    async def work() -> None:
        dead = Address("127.0.0.1", free_port())
        async with broker() as one, broker() as two:
            for peer in (one, two):
                peer.replace(METADATA, cluster(one.address, two.address, dead))
            findings = await found_at(one.address)
            assert [x.broker for x in findings if x.status == FAILED] == [3]
            assert (
                "PLAINTEXT://HOST:PORT"
                in next(x for x in findings if x.broker == 3 and x.way_out).way_out
            )
            assert [x.step for x in findings if x.broker == 1] == ["address"]
            assert [x.step for x in findings if x.broker == 2][-1] == "metadata"

    run(work())


def test_an_advertised_address_that_is_another_cluster_is_told() -> None:
    async def work() -> None:
        async with broker() as one, broker() as other:
            one.replace(METADATA, cluster(other.address, cluster_id="mine"))
            other.replace(METADATA, cluster(other.address, cluster_id="foreign"))
            last = next(x for x in await found_at(one.address) if x.status == FAILED)
            assert "another cluster (foreign)" in last.detail
            assert "(mine)" in last.detail

    run(work())


@pytest.mark.parametrize(
    ("host", "bootstrap", "kind", "hint"),
    [
        ("kafka", "localhost", "unknown", "a container's"),
        ("localhost", "broker.example.com", "refused", "each machine itself"),
        ("172.17.0.2", "localhost", "silent", "private network"),
    ],
)
def test_the_usual_reasons_are_named(host: str, bootstrap: str, kind: str, hint: str) -> None:
    sent = Sent(1, Address(bootstrap, 29092), True, "c")
    refused = advertised_unreachable(Address(host, 9092), sent, "seen", kind, PLAINTEXT)
    assert hint in refused.detail
    assert f"advertised.listeners=PLAINTEXT://{bootstrap}:29092" in refused.way_out


def test_a_broker_that_speaks_no_common_version_is_told() -> None:
    async def work() -> None:
        async with ScriptedBroker({METADATA: cluster(), PRODUCE: cluster()}) as peer:
            last = (await found_at(peer.address))[-1]
            assert (last.step, last.status) == ("versions", FAILED)
            assert "Fetch" in last.detail
            assert "2.1" in last.way_out

    run(work())


def test_a_controllers_listener_is_recognized() -> None:
    async def work() -> None:
        async with ScriptedBroker({FETCH: cluster(), VOTE: cluster()}) as peer:
            last = (await found_at(peer.address))[-1]
            assert (last.step, last.status) == ("versions", FAILED)
            assert "a controller's listener" in last.detail

    run(work())


def test_a_cluster_that_knows_no_broker_is_told() -> None:
    async def work() -> None:
        async with broker(cluster()) as peer:
            last = (await found_at(peer.address))[-1]
            assert (last.step, last.status) == ("metadata", FAILED)
            assert "not even itself" in last.detail

    run(work())


def test_partitions_without_a_leader_are_unhealthy() -> None:
    async def work() -> None:
        async with broker() as peer:
            peer.replace(METADATA, cluster(peer.address, leader=-1))
            last = (await found_at(peer.address))[-1]
            assert (last.step, last.status) == ("leaders", FAILED)
            assert "orders-0" in last.detail

    run(work())


def test_a_real_broker_is_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(client: Client) -> None:
        findings = await found_at(*client.options.bootstrap)
        assert {one.status for one in findings} == {OK}, findings
        screen = Screen()
        for finding in findings:
            screen.show(finding)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{client.options.bootstrap[0]} (as asked for)"
        assert "\x1b" not in "".join(lines)

    with_broker(tmp_path, scenario)


def test_unhealthy_is_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    where = f"127.0.0.1:{free_port()}"
    assert main(["doctor", where]) == 4
    assert capsys.readouterr().out.endswith("\nUnhealthy: 1 step failed.\n")
    assert main(["doctor", where, "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["kind"]) == (1, "doctor")
    assert [one["status"] for one in told["items"]] == [OK, FAILED]


def test_a_file_that_makes_no_sense_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "client.properties"
    file.write_text("security.protocol=TSL\n")
    assert main(["doctor", "127.0.0.1:1", "--command-config", str(file)]) == 2
    assert "security.protocol=TSL" in capsys.readouterr().err


def test_a_terminal_gets_lines_of_its_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    screen = Screen()
    screen.show(Finding("a:1", None, "name", OK, "seen"))
    screen.show(Finding("b:2", 7, "connect", FAILED, "word " * 30, "do " * 30))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "a:1 (as asked for)",
        "  ok       name      seen",
        "",
        "b:2 (broker 7's advertised address)",
    ]
    assert all(len(line) <= 61 for line in lines)
    assert len(lines) > 10
