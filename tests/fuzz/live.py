"""A real `ottla serve`, watched from outside: memory, descriptors, log; and bystanders beside it.

The bystanders are one idempotent producer with numbered values and acks=all, who at the end reads all
of them, and somebody who connects anew every tenth of a second.
"""

import multiprocessing
import socket
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from ottla.errors import error_name
from ottla.record.batch import batches_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted
from ottla.wire.api import Message
from ottla.wire.client import ClientConnection
from ottla.wire.message.api_versions import ApiVersionsRequest
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.compat.broker import Ottla
from tests.fuzz.honest import HONEST

A = TypeVar("A", bound=Message)
ANSWER_SECONDS_MAX: Final = 30.0
TROUBLE: Final = (
    "Traceback", "ERROR", "CRITICAL", "UNKNOWN_SERVER_ERROR", "AssertionError", "Task exception",
    "never retrieved", "ResourceWarning", "a request failed", "cannot be encoded",
)  # fmt: skip
"""What a log must not say after an attack; refusals are WARNINGs."""


class Client:
    """One blocking connection that asks and reads the answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX)
        self._wire = ClientConnection("honest")

    def ask(self, request: Message, version: int, kind: type[A]) -> A:
        number, chunks = self._wire.request(request.API_KEY, version, request)
        self.socket.sendall(b"".join(bytes(chunk) for chunk in chunks))  # type: ignore[call-overload]
        size = struct.unpack(">i", self._read(4))[0]
        answers = dict(self._wire.received(struct.pack(">i", size) + self._read(size)))
        answer = answers[number]
        assert isinstance(answer, kind)
        return answer

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the broker closed an honest connection")
            data += part
        return bytes(data)

    def create(self, name: str, partitions: int = 2, **configs: str) -> None:
        given = [CreatableTopicConfig(k.replace("_", "."), v) for k, v in configs.items()]
        topic = CreatableTopic(
            name=name, num_partitions=partitions, replication_factor=1, configs=given
        )
        request = CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
        code = self.ask(request, 5, CreateTopicsResponse).topics[0].error_code
        assert code in (0, 36), error_name(code)

    def topics(self) -> dict[str, bytes]:
        found = self.ask(MetadataRequest(topics=None), 12, MetadataResponse).topics
        return {topic.name: topic.topic_id for topic in found if topic.name}

    def produce(self, topic: str, records: bytes, acks: int = -1) -> int:
        """The error code."""
        part = PartitionProduceData(index=0, records=records)
        request = ProduceRequest(
            acks=acks,
            timeout_ms=10_000,
            topic_data=[TopicProduceData(topic, partition_data=[part])],
        )
        answer = self.ask(request, 9, ProduceResponse)
        return int(answer.responses[0].partition_responses[0].error_code)

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What bystanders lived through."""

    acknowledged: int
    p99_ms: float
    longest_ms: float
    """Of the honest Produce requests."""
    newcomer_ms: float
    """The longest that a new connection and its ApiVersions took."""
    failure: str | None

    def __str__(self) -> str:
        return (
            f"honest p99 {self.p99_ms:.0f} longest {self.longest_ms:.0f} ms, "
            f"newcomer at most {self.newcomer_ms:.0f} ms"
        )


class Bystanders:
    """An honest producer and somebody who connects ever anew, in a process of their own: what they wait
    for is the broker's time, not the attacker's."""

    _made = 0

    def __init__(self, port: int) -> None:
        Bystanders._made += 1
        topic = f"{HONEST}-{Bystanders._made}"
        fork = multiprocessing.get_context("spawn")
        self._here, there = fork.Pipe()
        self._process = fork.Process(target=_stand_by, args=(port, topic, there), daemon=True)
        self._process.start()
        assert self._here.poll(60), "the bystanders do not start"
        self._here.recv()

    def finish(self) -> Experience:
        """Stop, and read everything back."""
        self._here.send(None)
        assert self._here.poll(120), "the bystanders do not come to an end"
        experience = self._here.recv()
        self._process.join(30)
        assert isinstance(experience, Experience)
        return experience


def _stand_by(port: int, topic: str, there: Connection) -> None:
    ends = threading.Event()
    produced_s: list[float] = []
    waited_s: list[float] = []
    failure: str | None = None
    client = Client(port)
    client.create(topic, 1)
    producer_id = client.ask(
        InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000),
        4,
        InitProducerIdResponse,
    ).producer_id
    written = 0

    def connect() -> None:
        nonlocal failure
        while not ends.wait(0.1):
            try:
                waited_s.append(ping_s(port))
            except OSError as error:
                failure = f"a newcomer: {error}"

    newcomer = threading.Thread(target=connect)
    newcomer.start()
    there.send(None)
    try:
        while not there.poll(0.01):
            builder = BatchBuilder()
            builder.append(int(time.time() * 1000), None, b"%d" % written)
            records = builder.build(
                producer_id=producer_id, producer_epoch=0, base_sequence=written
            )
            started_s = time.monotonic()
            code = client.produce(topic, bytes(records))
            produced_s.append(time.monotonic() - started_s)
            assert code == 0, f"Produce {written}: {error_name(code)}"
            written += 1
        _read_back(client, topic, written)
    except (OSError, AssertionError) as error:
        failure = f"{type(error).__name__}: {error}"
    ends.set()
    newcomer.join(60)
    produced_s.sort()
    there.send(
        Experience(
            acknowledged=written,
            p99_ms=1000 * produced_s[int(len(produced_s) * 0.99)] if produced_s else 0.0,
            longest_ms=1000 * max(produced_s, default=0.0),
            newcomer_ms=1000 * max(waited_s, default=0.0),
            failure=failure,
        )
    )


def _read_back(client: Client, topic: str, written: int) -> None:
    values: list[bytes] = []
    while len(values) < written:
        asked = FetchPartition(fetch_offset=len(values), partition_max_bytes=1 << 20)
        request = FetchRequest(max_wait_ms=0, topics=[FetchTopic(topic, partitions=[asked])])
        [row] = client.ask(request, 12, FetchResponse).responses[0].partitions
        assert row.error_code == 0, error_name(row.error_code)
        assert isinstance(row.records, bytes | memoryview)
        before = len(values)
        for batch in batches_untrusted(row.records):
            values += [bytes(one.value or b"") for one in records_untrusted(batch, limit=1 << 20)]
        assert len(values) > before, "acknowledged records are missing"
    ours = [b"%d" % number for number in range(written)]
    foreign = [(at, one[:40]) for at, one in enumerate(values) if one not in ours]
    assert values == ours, f"records changed; not ours: {foreign[:5]}"


def ping_s(port: int) -> float:
    """How long a new connection and its ApiVersions take."""
    started_s = time.monotonic()
    client = Client(port)
    client.ask(ApiVersionsRequest(), 0, Message)
    client.close()
    return time.monotonic() - started_s


class Live:
    """The broker's process, for the time of a `with`."""

    def __init__(self, **overrides: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="ottla-fuzz-")
        place = Path(self._directory.name)
        settings = {key.replace("_", "."): value for key, value in overrides.items()}
        self.broker = Ottla(place / "data", place, overrides=settings)
        self.port = int(self.broker.bootstrap.rpartition(":")[2])

    def __enter__(self) -> "Live":
        self.broker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.broker.stop()
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        assert self.broker.pid is not None
        return self.broker.pid

    def rss_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096

    def peak_bytes(self) -> int:
        """The highest RSS since `forget_peak`."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def scheduled_s(self) -> tuple[float, float]:
        """How long it ran, and how long it was ready and another process ran instead."""
        ran_ns, waited_ns, _ = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        return int(ran_ns) / 1e9, int(waited_ns) / 1e9

    def slowness(self, since_s: tuple[float, float]) -> float:
        """How many times longer everything took, because others used the machine as well."""
        ran_s, waited_s = self.scheduled_s()
        ran_s, waited_s = ran_s - since_s[0], waited_s - since_s[1]
        return (ran_s + waited_s) / max(ran_s, 0.001)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def trouble(self) -> list[str]:
        """Lines of the log that no attack may bring about."""
        lines = self.broker.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(word in line for word in TROUBLE)]
