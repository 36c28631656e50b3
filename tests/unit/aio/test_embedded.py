"""`from ottla import Broker`: a real broker in this process, started and stopped from any thread."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

import ottla
from ottla import Broker, KafkaConsumer, KafkaProducer
from ottla.aio import embedded
from ottla.aio.embedded import Halted, NotNow
from ottla.aio.log_directory import CLEAN_MARKER, CannotStart
from ottla.core.effect import Effect
from ottla.core.event import Received
from ottla.errors import OttlaError
from ottla.settings.definition import ConfigurationError
from ottla.settings.listener import HostPort
from tests.unit.aio.test_broker import ScriptedNode, assembled

SECONDS_MAX = 30


def answers(broker: Broker) -> bool:
    """Whether an ApiVersions request is answered."""
    with socket.create_connection(broker.address, timeout=SECONDS_MAX) as client:
        client.sendall(struct.pack(">ihhih", 10, 18, 0, 77, -1))
        return bool(struct.unpack(">ii", client.recv(8, socket.MSG_WAITALL))[1] == 77)


def began(broker: Broker) -> threading.Thread:
    """`broker.start` in a thread; ready."""
    thread = threading.Thread(target=broker.start)
    thread.start()
    broker.wait_until_ready(SECONDS_MAX)
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(SECONDS_MAX)
    return not thread.is_alive()


def test_the_tutorials_shape() -> None:
    broker = Broker("127.0.0.1", 0)
    thread = began(broker)
    assert answers(broker)
    broker.stop()
    assert ended(thread)


def test_whoever_enters_is_served_and_whoever_leaves_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Broker(port=0) as broker:
        assert broker.address == HostPort("127.0.0.1", broker.address.port)
        assert broker.bootstrap_servers == f"127.0.0.1:{broker.address.port}"
        with KafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            assert producer.send("greetings", b"hello").get(SECONDS_MAX).offset == 0
        (folder,) = tmp_path.iterdir()
        assert (folder / "greetings-0").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_records_are_there_again_where_a_folder_was_named(tmp_path: Path) -> None:
    broker = Broker(port=0, data=tmp_path / "data")
    with broker, KafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        producer.send("greetings", b"hello").get(SECONDS_MAX)
    assert (tmp_path / "data" / CLEAN_MARKER).exists()
    with broker:
        consumer = KafkaConsumer(
            "greetings", bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
        )
        assert next(consumer).value == b"hello"
        consumer.close()


def test_several_in_one_process_know_nothing_of_each_other() -> None:
    with Broker(port=0) as one, Broker(port=0) as other:
        for broker, sent in ((one, b"one"), (other, b"other")):
            with KafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
                assert producer.send("t", sent).get(SECONDS_MAX).offset == 0


def test_several_threads_receive_whole_requests() -> None:
    """Each loop receives into memory of its own: one shared with another thread would be torn."""
    brokers = [Broker(port=0) for _ in range(2)]
    wrong: list[object] = []

    def send(broker: Broker, letter: bytes) -> None:
        with KafkaProducer(
            bootstrap_servers=broker.bootstrap_servers, linger_ms=0, batch_size=100_000
        ) as producer:
            futures = [producer.send("t", letter * 50_000) for _ in range(60)]
            wrong.extend(f.exception for f in futures if f.get(SECONDS_MAX).offset < 0)

    with brokers[0], brokers[1]:
        threads = [
            threading.Thread(target=send, args=(broker, letter))
            for broker, letter in zip(brokers, (b"a", b"b"), strict=True)
        ]
        for thread in threads:
            thread.start()
        assert all(ended(thread) for thread in threads)
        for broker, letter in zip(brokers, (b"a", b"b"), strict=True):
            consumer = KafkaConsumer(
                "t",
                bootstrap_servers=broker.bootstrap_servers,
                auto_offset_reset="earliest",
                consumer_timeout_ms=500,
            )
            assert {record.value for record in consumer} == {letter * 50_000}
            consumer.close()
    assert wrong == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with Broker(port=0) as first:
        second = Broker(port=first.address.port, data=tmp_path / "data")
        with pytest.raises(CannotStart, match=f"{first.bootstrap_servers}: the port is taken"):
            second.start()
        with pytest.raises(CannotStart, match="the port is taken"):
            second.wait_until_ready()
        with pytest.raises(CannotStart, match="the port is taken"), second:
            pass
        assert answers(first)


def test_a_folder_that_is_used_is_named(tmp_path: Path) -> None:
    with Broker(port=0, data=tmp_path), pytest.raises(CannotStart) as refused:
        Broker(port=0, data=tmp_path).start()
    assert str(refused.value) == f"{tmp_path} is already served by this process."
    assert isinstance(refused.value, OttlaError)


def test_what_is_asked_for_at_the_wrong_time_is_refused() -> None:
    broker = Broker(port=0)
    with pytest.raises(NotNow, match="never started"):
        broker.stop()
    with pytest.raises(NotNow, match="no address"):
        _ = broker.address
    with broker:
        with pytest.raises(NotNow, match="running already"):
            broker.start()
        assert answers(broker)
    broker.stop()  # it has: nothing to do
    with pytest.raises(TimeoutError, match=r"not ready after 0\.01 s"):
        broker.wait_until_ready(timeout_s=0.01)


def test_it_does_not_stand_in_the_way_of_a_loop() -> None:
    broker = Broker(port=0)

    async def on_a_loop() -> None:
        with pytest.raises(NotNow, match="event loop"):
            broker.start()
        with broker:  # in a thread of its own
            assert answers(broker)

    asyncio.run(on_a_loop())


def test_a_stop_while_it_starts_stops_it() -> None:
    broker = Broker(port=0)
    thread = threading.Thread(target=broker.start)
    thread.start()
    while True:
        try:
            broker.stop()
            break
        except NotNow:
            pass
    assert ended(thread)


def test_a_broker_that_gave_up_says_so_where_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    node = ScriptedNode()
    monkeypatch.setattr(embedded, "Served", partial(embedded.Served, assemble=assembled(node)))

    def breaks(event: Received) -> list[Effect]:
        raise AssertionError("what never happens")

    node.on_received = breaks
    with (
        pytest.raises(Halted, match="broken invariant: what never happens"),
        Broker(port=0) as broker,
        pytest.raises(struct.error),
    ):
        answers(broker)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num.partition": 1}, "num.partition is not a setting; did you mean num.partitions?"),
        ({"num.partitions": "many"}, "num.partitions=many"),
        ({"num.partitions": None}, "num.partitions=None: text, a number"),
        ({"listeners": "PLAINTEXT://127.0.0.1:none"}, "NAME://host:port is expected"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(
    settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Broker(settings=settings)
    assert said in str(refused.value)


def test_settings_have_kafkas_names_and_win(tmp_path: Path) -> None:
    settings = {
        "num.partitions": 3,
        "auto.create.topics.enable": True,
        "log.dirs": [str(tmp_path / "a"), str(tmp_path / "b")],
        "listeners": "PLAINTEXT://0.0.0.0:0",
    }
    with Broker(port=1, data=tmp_path / "unused", settings=settings) as broker:
        assert broker.address.host == "localhost"
        with KafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            assert producer.partitions_for("t") == {0, 1, 2}
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


PROGRAM = """
import signal, sys, threading
from ottla import Broker

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
broker = Broker(port=0, data=sys.argv[1])
def tell():
    broker.wait_until_ready()
    print("ready", flush=True)
threading.Thread(target=tell, daemon=True).start()
broker.start()
"""


def test_ctrl_c_in_the_main_thread_is_a_clean_stop(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        assert not (tmp_path / CLEAN_MARKER).exists()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=SECONDS_MAX)
    assert err.splitlines()[-1] == b"KeyboardInterrupt"
    assert (tmp_path / CLEAN_MARKER).exists()


def test_importing_ottla_loads_no_broker() -> None:
    code = "import sys, ottla; print('asyncio' in sys.modules, hasattr(ottla, 'Broker'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "False True\n"
    assert ottla.Broker is Broker
