"""What learners type: the programs and commands of the common tutorials, run as they are printed.

Only the address is another one, because tests don't own port 9092. The programs stand in `programs/`;
each block of them has a broker of its own, configured as its tutorial says: by nothing at all, by the
variables of its compose file as an image would get them, by the file itself (`ottla up`), or inside
the program. A tutorial fails by an exception, a wrong line, or by being slow
where it would bore: a first group is there within a second when nobody is waited for.

Against Apache Kafka the same Python programs and shell commands run: there they judge `ottla.kafka`,
and the expectations themselves. What is left out there is Ottla's own (compose files), or a client that
Apache Kafka 4 has cut off (pykafka).

TLS, several brokers, and containers are other tables' work.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import install
from apache import ApacheKafka
from broker import ROOT, START_SECONDS_MAX, STOP_SECONDS_MAX, Broker, Process, free_port
from checks import World, Wrong
from clients import CLIENTS, REFERENCE
from tools import Row, Tools

TABLE: Final = "tutorials' programs"
COLUMN: Final = "runs"
OTTLA: Final = str(ROOT / ".venv" / "bin" / "ottla")
PROGRAMS: Final = Path(__file__).resolve().parent / "programs"
PROGRAM_SECONDS_MAX: Final = 90
SPARK_SECONDS_MAX: Final = 240
PRINTED_ADDRESS: Final = "localhost:9092"
JOIN_SECONDS_MAX: Final = 1.0
KAFKA_PYTHONS: Final = ("kafka-python-2", "kafka-python-3", "ottla.kafka")
# The broker of one's own machine: nobody else is waited for.
AT_ONCE: Final = {"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0"}

PRODUCER_REPORT: Final = (
    r"(?m)^5000 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, "
    r"[\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.$"
)
CONSUMER_REPORT: Final = (
    r"(?m)^start\.time, end\.time, data\.consumed\.in\.MB, MB\.sec, data\.consumed\.in\.nMsg, "
    r"nMsg\.sec, rebalance\.time\.ms, fetch\.time\.ms, fetch\.MB\.sec, fetch\.nMsg\.sec\n"
    r"\d{4}-\d\d-\d\d \S+, \d{4}-\d\d-\d\d \S+, [\d.]+, [\d.]+, 5000, "
)


class Served:
    """`ottla serve` with nothing but variables, as an image's entry point would start it; or what else
    `words` ask for."""

    def __init__(
        self,
        work: Path,
        name: str,
        variables: Mapping[str, str],
        port: int,
        words: Sequence[str] = ("serve",),
    ) -> None:
        self.data_dir: Path | None = work / name / "data"
        self.bootstrap = f"localhost:{port}"
        self._port = port
        self._log = work / name / "ottla.log"
        kept = {key: text for key, text in os.environ.items() if not key.startswith("KAFKA_")}
        self._environ = {**kept, **variables}
        self._words = words
        self._process: Process | None = None

    def start(self) -> None:
        command = [OTTLA, *self._words, "--data", str(self.data_dir)]
        self._process = Process(command, self._log, self._environ)
        self._process.wait_until_accepting("localhost", self._port, START_SECONDS_MAX)

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate(STOP_SECONDS_MAX)

    def said(self) -> str:
        return self._process.output() if self._process is not None else ""


@contextmanager
def served(
    work: Path,
    name: str,
    variables: Mapping[str, str],
    port: int,
    words: Sequence[str] = ("serve",),
) -> Iterator[Served]:
    broker = Served(work, name, variables, port, words)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def ordinary(work: Path, name: str) -> Iterator[Broker]:
    """Ottla on another port than 9092, and as it comes otherwise."""
    port = free_port()
    variables = {"KAFKA_LISTENERS": f"PLAINTEXT://localhost:{port}", **AT_ONCE}
    with served(work, name, variables, port) as broker:
        yield broker


@contextmanager
def ordinary_apache(work: Path, name: str) -> Iterator[Broker]:
    broker = ApacheKafka(install.java(), work / name / "data", work / name)
    broker.format_directory()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Tutorials:
    """The rows; each starts what it needs."""

    def __init__(self, kind: str, work: Path) -> None:
        self._ordinary = {"ottla": ordinary, "apache": ordinary_apache}[kind]
        self._ottla = kind == "ottla"
        self._work = work / "tutorials"
        self._work.mkdir(parents=True, exist_ok=True)

    def rows(self) -> list[Row]:
        rows: list[Row] = []
        for client in KAFKA_PYTHONS:
            rows += [
                (f"items-list, {client}", COLUMN, lambda c=client: self.items(c)),
                (f"notebook, {client}", COLUMN, lambda c=client: self.notebook(c)),
            ]
        for client in ("kafka-python-3", "ottla.kafka"):
            row = f"first group within 1 s, {client}"
            rows.append((row, COLUMN, lambda c=client: self.first_join(c)))
        checks: dict[str, Callable[[], str | None]] = {
            "confluent-kafka": self.confluent,
            "shell": self.shell,
            "shell, a group": self.shell_group,
            "shell, performance": self.performance,
        }
        if self._ottla:
            checks |= {
                "pykafka": self.pykafka,
                "compose: wurstmeister": self.wurstmeister,
                "compose: cp-kafka 7.3.2": self.confluent_image,
                "ottla up: wurstmeister": self.up_wurstmeister,
                "ottla up: cp-kafka 7.3.2": self.up_confluent,
                "ottla up: indented with tabs": self.up_tabs,
                "two brokers in a program": self.embedded,
                "ottla serve --log explain": self.explained,
                "Spark Structured Streaming": self.spark,
            }
        return [*rows, *((name, COLUMN, check) for name, check in checks.items())]

    # ---- Python

    def items(self, client: str) -> None:
        """The consumer ends when nothing came for a second; what it read is committed then."""
        items = [f"{{'item': {number}}}" for number in range(20)]
        with self._ordinary(self._work, f"items-{client}") as broker:
            for _ in range(2):
                self._program(client, "items_producer.py", broker)
                said = self._program(client, "items_consumer.py", broker).splitlines()
                if sorted(said) != sorted(items):
                    raise Wrong(f"{len(said)} lines were read of {len(items)}: {said[:3]}")
            said = self._program(client, "items_consumer.py", broker).splitlines()
            if said:
                raise Wrong(f"read again: {said[:3]}")

    def notebook(self, client: str) -> None:
        with self._ordinary(self._work, f"notebook-{client}") as broker:
            said = self._program(client, "notebook.py", broker)
        for line in (
            r"^future: <(ottla\.)?kafka\.producer\.future\.",
            r"^topics: \['a_partitioned_topic', 'my_awesome_topic'",
            r"^partitions: 1 2$",
            *(rf"^b'user {number}'$" for number in range(5)),
        ):
            _must_say(said, f"(?m){line}")

    def first_join(self, client: str) -> str:
        with self._ordinary(self._work, f"first-join-{client}") as broker:
            said = self._program(client, "first_join.py", broker)
        found = _must_say(said, r"joined after ([\d.]+) s")
        if float(found[1]) > JOIN_SECONDS_MAX:
            raise Wrong(found[0])
        return found[0]

    def confluent(self) -> None:
        with self._ordinary(self._work, "confluent") as broker:
            said = self._program("confluent-kafka", "confluent.py", broker)
        for word in ("first", "second", "third"):
            _must_say(said, f"(?m)^Received message: {word}$")
        if said.count("Message delivered to mytopic [0]") != 3:
            raise Wrong(f"delivery reports: {said}")

    def pykafka(self) -> str:
        interpreter = install.python_environment("pykafka", "pykafka==2.8.0", "python-snappy")
        with self._ordinary(self._work, "pykafka") as broker:
            said = _run([str(interpreter), str(self._printed("pykafka_program.py", broker))])
        for number in range(4):
            _must_say(said, rf"(?m)^{number} b'test message {number**2}'$")
        _must_say(said, r"(?m)^balanced b'test message 0'$")
        return "simple and balanced consumer"

    # ---- shell

    def shell(self) -> None:
        with self._ordinary(self._work, "shell") as broker:
            tools = self._tools(broker)
            topic = ("--topic", "my_awesome_topic")
            said = tools.run("org.apache.kafka.tools.TopicCommand", "--create", *topic)
            _must_say(said, r"(?m)^Created topic my_awesome_topic\.$")
            _must_say(said, r"WARNING: Due to limitations in metric names, topics with a period")
            tools.run("org.apache.kafka.tools.TopicCommand", "--create", "--topic", "another")
            said = tools.run("org.apache.kafka.tools.TopicCommand", "--list")
            _must_say(said, r"(?m)\Aanother\nmy_awesome_topic\n")
            said = tools.run("org.apache.kafka.tools.TopicCommand", "--describe", *topic)
            _must_say(
                said,
                r"(?m)^Topic: my_awesome_topic\tTopicId: [\w-]{22}\tPartitionCount: 1\t"
                r"ReplicationFactor: 1\tConfigs: [^\n]*\n"
                r"\tTopic: my_awesome_topic\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\t"
                r"Elr: \tLastKnownElr: ?$",
            )
            typed = "".join(f"line {number}\n" for number in range(5))
            tools.run("org.apache.kafka.tools.ConsoleProducer", *topic, typed=typed)
            consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
            for _ in range(2):  # records stay after being read
                said = tools.run(consumer, *topic, "--from-beginning", "--timeout-ms", "3000")
                _must_say(said, rf"\A{typed}")
                _must_say(said, r"(?m)^Processed a total of 5 messages$")

    def shell_group(self) -> None:
        with self._ordinary(self._work, "shell-group") as broker:
            tools = self._tools(broker)
            topic = ("--topic", "quickstart-events")
            consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
            reads = (*topic, "--group", "g", "--from-beginning", "--timeout-ms", "3000")
            for words in (("one", "two"), ("three",)):
                typed = "".join(f"{word}\n" for word in words)
                tools.run("org.apache.kafka.tools.ConsoleProducer", *topic, typed=typed)
                said = tools.run(consumer, *reads)
                _must_say(said, rf"\A{typed}")
                _must_say(said, rf"(?m)^Processed a total of {len(words)} messages$")
            tools.run(
                "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                *("--describe", "--group", "g"),
                says=r"(?m)^GROUP\s+TOPIC\s+PARTITION\s+CURRENT-OFFSET\s+LOG-END-OFFSET\s+LAG\s+"
                r"CONSUMER-ID\s+HOST\s+CLIENT-ID\s*\ng\s+quickstart-events\s+0\s+3\s+3\s+0\s",
            )

    def performance(self) -> None:
        with self._ordinary(self._work, "performance") as broker:
            tools = self._tools(broker)
            load = ("--num-records", "5000", "--record-size", "100", "--throughput", "-1")
            address = f"bootstrap.servers={broker.bootstrap}"
            tools.run(
                "org.apache.kafka.tools.ProducerPerformance",
                *("--topic", "perf", *load, "--producer-props", address, "acks=1"),
                says=PRODUCER_REPORT,
                server=(),
            )
            tools.run(
                "org.apache.kafka.tools.ConsumerPerformance",
                *("--topic", "perf", "--messages", "5000"),
                says=CONSUMER_REPORT,
            )

    # ---- compose files

    def wurstmeister(self) -> str:
        port = free_port()
        variables = {
            "KAFKA_ADVERTISED_HOST_NAME": "127.0.0.1",
            "KAFKA_PORT": str(port),
            "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
            "KAFKA_CREATE_TOPICS": "test-topic:5:2",
        }
        with served(self._work, "wurstmeister", variables, port) as broker:
            described = _described(broker, "test-topic")
            said = broker.said()
            address = self._advertised(broker)
        if len(described["partitions"]) != 5 or described["partitions"][0]["replicas"] != [1]:
            raise Wrong(f"test-topic is {described}")
        if address != f"127.0.0.1:{port}":
            raise Wrong(f"advertised is {address}")
        _must_say(said, r"(?m) WARN .*test-topic")
        return "as printed; ZooKeeper is not needed"

    def confluent_image(self) -> str:
        port, internal = free_port(), free_port()
        variables = {
            "KAFKA_BROKER_ID": "1",
            "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://localhost:{port},"
            f"PLAINTEXT_INTERNAL://broker:{internal}",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        }
        with served(self._work, "cp-kafka", variables, port) as broker:
            said = self._program("confluent-kafka", "confluent.py", broker)
            _must_say(said, "(?m)^Received message: third$")
            offsets = _described(broker, "__consumer_offsets")
            addresses = (
                self._advertised(broker),
                self._advertised(broker, f"127.0.0.1:{internal}"),
            )
        if len(offsets["partitions"]) != 50 or offsets["partitions"][0]["replicas"] != [1]:
            raise Wrong(f"__consumer_offsets has {len(offsets['partitions'])} partitions")
        if addresses != (f"localhost:{port}", f"broker:{internal}"):
            raise Wrong(f"advertised are {addresses}")
        return "as printed; ZooKeeper is not needed"

    # ---- the same files, without an image

    def up_wurstmeister(self) -> str:
        port = free_port()
        changes = {
            "9092:9092": f"{port}:{port}",
            "KAFKA_ZOOKEEPER_CONNECT": f"KAFKA_PORT: {port}\n      KAFKA_ZOOKEEPER_CONNECT",
        }
        with self._up("wurstmeister", port, changes) as broker:
            described = _described(broker, "test-topic")
            address = self._advertised(broker)
            _must_say(broker.said(), r"(?m) WARN .*test-topic")
        if len(described["partitions"]) != 5 or address != f"127.0.0.1:{port}":
            raise Wrong(f"test-topic at {address} is {described}")
        return "the file as printed"

    def up_confluent(self) -> str:
        port, internal = free_port(), free_port()
        changes = {
            "9092:9092": f"{port}:9092",
            "localhost:9092": f"localhost:{port}",
            "29092": str(internal),
            "KAFKA_BROKER_ID": "KAFKA_LISTENERS: "
            f"PLAINTEXT://:9092,PLAINTEXT_INTERNAL://broker:{internal}\n      KAFKA_BROKER_ID",
        }
        with self._up("cp-kafka", port, changes) as broker:
            said = self._program("confluent-kafka", "confluent.py", broker)
            _must_say(said, "(?m)^Received message: third$")
            addresses = self._advertised(broker), self._advertised(broker, f"127.0.0.1:{internal}")
        if addresses != (f"localhost:{port}", f"localhost:{internal}"):
            raise Wrong(f"advertised are {addresses}")
        return "the file as printed, its port published as another one"

    def up_tabs(self) -> None:
        file = self._work / "tabs.yml"
        lines = (PROGRAMS / "compose" / "wurstmeister.yml").read_text().splitlines(keepends=True)
        file.write_text("".join([*lines[:4], *(line.replace("  ", "\t") for line in lines[4:])]))
        done = subprocess.run([OTTLA, "up", str(file)], capture_output=True, text=True, timeout=30)
        _must_say(done.stderr, r"tabs\.yml: line 5: tab used for indentation\n")
        if done.returncode != 1:
            raise Wrong(f"exit code {done.returncode}")

    @contextmanager
    def _up(self, name: str, port: int, changes: Mapping[str, str]) -> Iterator[Served]:
        """The printed file, with this machine's free ports."""
        text = (PROGRAMS / "compose" / f"{name}.yml").read_text()
        for printed, ours in changes.items():
            assert text.count(printed) == 1, f"{name}.yml says {printed} once"
            text = text.replace(printed, ours)
        file = self._work / f"{name}.yml"
        file.write_text(text)
        with served(self._work, f"up-{name}", {}, port, ("up", str(file))) as broker:
            yield broker

    # ---- in a program, and in words

    def embedded(self) -> str:
        """Both ports are served from one process, and nothing of it is left."""
        ports = {"9092": str(free_port()), "9093": str(free_port())}
        text = (PROGRAMS / "embedded.py").read_text()
        for printed, ours in ports.items():
            text = text.replace(printed, ours)
        program = self._work / "embedded.py"
        program.write_text(text)
        said = _run([str(ROOT / ".venv" / "bin" / "python"), str(program)])
        hellos = [f"hello, 127.0.0.1:{port}" for port in ports.values()]
        if said.splitlines() != [*hellos, "offset 0", "stopped"]:
            raise Wrong(f"it says {said!r}")
        return "kafka-python 3 in the same process"

    def explained(self) -> str:
        port = free_port()
        variables = {"KAFKA_LISTENERS": f"PLAINTEXT://localhost:{port}", **AT_ONCE}
        words = ("serve", "--log", "explain")
        with served(self._work, "explained", variables, port, words) as broker:
            self._program("kafka-python-3", "items_producer.py", broker)
            self._program("kafka-python-3", "items_consumer.py", broker)
            said = broker.said()
        who = r"(?m)^\d\d:\d\d:\d\d  kafka-python-\S+ +"
        for line in (
            r"connects  from 127\.0\.0\.1:\d+",
            r"asks      for topic items-list, which is made now$",
            r"produces  \d+ records? \(\d+ bytes\) to items-list-0: appended at offsets? 0",
            r"joins     group items-group: generation 1; it leads 1 member",
            r"is given  by group items-group: items-list-0$",
            r"fetches   items-list-0 from offset 0: \d+ record",
            r"commits   group items-group goes on in items-list-0 at offset 20$",
            r"leaves    group items-group$",
        ):
            _must_say(said, who + line)
        return f"{len(said.splitlines())} lines"

    # ---- Spark

    def spark(self) -> str:
        """A stream reads one topic and writes another; a second run goes on at its checkpoint."""
        interpreter, jars = install.spark()
        with self._ordinary(self._work, "spark") as broker:
            reference = REFERENCE.driver(self._work / "reference")
            reference.aim_at(broker.bootstrap)
            try:
                world = World(reference, broker.data_dir)
                world.create("a_partitioned_topic", partitions=2)
                world.create("results")
                written: list[str] = []
                for words in (("one", "two", "three"), ("four",)):
                    self._write(world, words)
                    written += [word.upper() for word in words]
                    program = self._printed("spark_stream.py", broker)
                    checkpoint = str(self._work / "spark" / "checkpoint")
                    said = _run(
                        [str(interpreter), str(program), jars, checkpoint], SPARK_SECONDS_MAX
                    )
                    _must_say(said, r"(?m)^stream ended: None$")
                    _must_say(said, rf"(?m)^results: {re.escape(str(sorted(written)))}$")
            finally:
                reference.close()
        return f"pyspark {install.SPARK_VERSION}"

    def _write(self, world: World, words: tuple[str, ...]) -> None:
        from records import record

        records = [
            record(word.encode(), key=b"k", partition=number % 2, headers=(("h", b"1"),))
            for number, word in enumerate(words)
        ]
        world.reference.ask("produce", topic="a_partitioned_topic", codec="lz4", records=records)

    # ---- how

    def _program(self, client: str, name: str, broker: Broker) -> str:
        """What the program prints with this client's library."""
        (known,) = (one for one in CLIENTS if one.name == client)
        # The client's command ends in its driver and what that is told; before is what runs it.
        *runner, _, _ = known.command()
        return _run([*runner, str(self._printed(name, broker))])

    def _printed(self, name: str, broker: Broker) -> Path:
        """The program with this broker's address where its tutorial has its own."""
        copy = self._work / f"{broker.bootstrap.rpartition(':')[2]}-{name}"
        text = (PROGRAMS / name).read_text()
        assert PRINTED_ADDRESS in text, f"{name} names no address"
        copy.write_text(text.replace(PRINTED_ADDRESS, broker.bootstrap))
        return copy

    def _tools(self, broker: Broker) -> Tools:
        reference = REFERENCE.driver(self._work / "reference")
        reference.aim_at(broker.bootstrap)  # not started: it is never asked
        return Tools(install.java(), broker, World(reference, broker.data_dir), self._work)

    def _advertised(self, broker: Broker, bootstrap: str | None = None) -> str:
        """The address that clients are told who come to `bootstrap`."""
        interpreter = install.python_environment("confluent-kafka", "confluent-kafka>=2.12,<3")
        program = (
            "import sys; from confluent_kafka.admin import AdminClient; "
            "found = AdminClient({'bootstrap.servers': sys.argv[1]}).list_topics(timeout=20); "
            "print(*(f'{one.host}:{one.port}' for one in found.brokers.values()))"
        )
        return _run([str(interpreter), "-c", program, bootstrap or broker.bootstrap]).strip()


def _described(broker: Broker, topic: str) -> dict[str, list[dict[str, list[int]]]]:
    command = [OTTLA, "topic", "describe", topic, "--json"]
    said = _run([*command, "--bootstrap-server", broker.bootstrap])
    (found,) = json.loads(said)["items"]
    answer: dict[str, list[dict[str, list[int]]]] = found
    return answer


def _run(command: list[str], seconds_max: float = PROGRAM_SECONDS_MAX) -> str:
    """Standard output. The program must end well, and in time."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        raise Wrong(f"{Path(command[1]).name}: no end after {seconds_max:.0f} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise Wrong(f"{Path(command[1]).name}: {lines[-1] if lines else done.returncode}")
    return done.stdout


def _must_say(said: str, pattern: str) -> re.Match[str]:
    found = re.search(pattern, said)
    if found is None:
        raise Wrong(f"{pattern!r} is not in {said[-500:]!r}")
    return found


def rows(kind: str, work: Path) -> list[Row]:
    """`kind`: "ottla" or "apache"."""
    return Tutorials(kind, work).rows()
