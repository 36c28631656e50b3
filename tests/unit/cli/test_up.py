"""`ottla up`: which service of a compose file is Kafka, and where it is without a container."""

import logging
import os
import socket
from pathlib import Path

import pytest

from ottla.cli import serve
from ottla.cli.main import main
from ottla.settings.broker import BrokerSettings
from ottla.settings.listener import HostPort

KAFKA_ONLY = """\
services:
  kafka:
    image: IMAGE
    ports: ["9092:9092"]
"""

CP_KAFKA = """\
services:
  zookeeper:
    image: confluentinc/cp-zookeeper:7.3.2
  broker:
    image: confluentinc/cp-kafka:7.3.2
    ports:
      - "9094:9092"
    environment:
      KAFKA_BROKER_ID: 1
      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
      KAFKA_LISTENERS: PLAINTEXT://:9092,INTERNAL://broker:29092
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://localhost:9094,INTERNAL://broker:29092
      KAFKA_LOG_DIRS: /var/lib/kafka/data
"""

Shown = tuple[str, int, HostPort | None]


class Runs:
    """Stands where a broker would run; keeps what it would have been."""

    def __init__(self) -> None:
        self.settings: BrokerSettings

    def __call__(self, settings: BrokerSettings, **rest: object) -> int:
        self.settings = settings
        return 0

    def listeners(self) -> list[Shown]:
        return [(one.host, one.port, one.advertised) for one in self.settings.listeners]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    runs = Runs()
    monkeypatch.setattr(serve, "run_until_signal", runs)
    for name in list(os.environ):
        if name.startswith(("KAFKA_", "OTTLA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    return runs


def up(text: str, *words: str, file: str = "docker-compose.yml") -> int:
    Path(file).write_text(text)
    return main(["up", *words])


@pytest.mark.parametrize(
    "image",
    [
        "wurstmeister/kafka",
        "apache/kafka:4.0.0",
        "apache/kafka-native:latest",
        "bitnami/kafka:3.9@sha256:0123",
        "docker.io/bitnamilegacy/kafka:3.9",
        "registry:5000/confluentinc/cp-kafka:7.3.2",
        "confluentinc/confluent-local",
    ],
)
def test_images_of_kafka_are_known(runs: Runs, image: str) -> None:
    assert up(KAFKA_ONLY.replace("IMAGE", image)) == 0
    assert runs.listeners() == [("", 9092, None)]


def test_the_file_is_looked_for_as_docker_does(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up"]) == 1
    assert (
        "there is no compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml in"
        in (capsys.readouterr().err)
    )
    for file in ("docker-compose.yml", "compose.yaml"):
        assert up(KAFKA_ONLY.replace("IMAGE", "kafka"), file=file) == 0
        assert f"INFO {file}: service kafka (kafka)" in capsys.readouterr().out
    assert up(KAFKA_ONLY.replace("IMAGE", "kafka"), "mine.yml", file="mine.yml") == 0
    assert main(["up", "none.yml"]) == 1
    assert "none.yml cannot be read" in capsys.readouterr().err


def test_a_published_port_is_where_docker_has_it_and_names_of_containers_are_this_machine(
    runs: Runs, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert up(CP_KAFKA) == 0
    assert runs.listeners() == [
        ("", 9094, HostPort("localhost", 9094)),
        ("localhost", 29092, HostPort("localhost", 29092)),
    ]
    assert runs.settings.node_id == 1
    assert runs.settings.log_dirs == (str(tmp_path / "home" / "ottla-up" / "shop" / "broker"),)
    out = capsys.readouterr().out
    assert "service broker (confluentinc/cp-kafka:7.3.2); not started: zookeeper" in out
    assert " WARN " not in out


def test_words_of_the_command_win_over_the_file(runs: Runs, tmp_path: Path) -> None:
    assert up(CP_KAFKA, "--data", str(tmp_path / "here"), "--set", "broker.id=7") == 0
    assert runs.settings.log_dirs == (str(tmp_path / "here"),)
    assert runs.settings.node_id == 7


def test_the_environment_is_the_files_and_not_ours(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BROKER_ID", "9")
    monkeypatch.setenv("OTTLA_NUM_PARTITIONS", "4")
    assert up(CP_KAFKA) == 0
    assert (runs.settings.node_id, runs.settings.topics.partitions) == (1, 4)


def test_an_address_of_another_machine_is_warned_about(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    text = KAFKA_ONLY.replace("IMAGE", "wurstmeister/kafka") + (
        "    environment: {KAFKA_ADVERTISED_HOST_NAME: 192.0.2.10}\n"
    )
    assert up(text) == 0
    assert runs.listeners() == [("", 9092, HostPort("192.0.2.10", 9092))]
    assert "told to connect to 192.0.2.10:9092, which is not an address of this machine" in (
        capsys.readouterr().out
    )
    assert up(text.replace("192.0.2.10", socket.gethostname())) == 0


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("services: {}", [], "no service has an image of Kafka that is known: there is none"),
        ("services: {a: {image: b/c}}", [], "known: a (b/c); --service NAME says which"),
        (
            "services: {one: {image: kafka}, two: {image: kafka}}",
            [],
            "2 services run Kafka: one, two. Brokers that form a cluster are not in this version",
        ),
        ("services: {a: {image: b}}", ["--service", "c"], "there is no service c, but a"),
    ],
)
def test_which_service_it_is_must_be_clear(
    runs: Runs, capsys: pytest.CaptureFixture[str], text: str, words: list[str], said: str
) -> None:
    assert up(text, *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("ottla up: docker-compose.yml: ")
    assert said in error


def test_a_service_may_be_named(runs: Runs, tmp_path: Path) -> None:
    assert up("services: {my/own: {build: .}, b: {image: kafka}}", "--service", "my/own") == 0
    assert runs.settings.log_dirs == (str(tmp_path / "home" / "ottla-up" / "shop" / "my-own"),)
