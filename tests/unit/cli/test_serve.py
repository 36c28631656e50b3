"""`ottla` finds its subcommand, and `ottla serve` says what keeps it from starting in one sentence."""

import logging
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ottla import KafkaConsumer, KafkaProducer, __version__
from ottla.aio.log_directory import CannotStart
from ottla.cli import serve
from ottla.cli.main import main
from ottla.settings.broker import BrokerSettings
from ottla.settings.listener import HostPort


class Runs:
    """Stands where a broker would run; keeps what it would have been."""

    def __init__(self) -> None:
        self.settings: BrokerSettings | None = None
        self.refusal: str | None = None

    def __call__(self, settings: BrokerSettings, **rest: object) -> int:
        self.settings = settings
        if self.refusal is not None:
            raise CannotStart(self.refusal)
        return 0


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    runs = Runs()
    monkeypatch.setattr(serve, "run_until_signal", runs)
    for name in list(os.environ):
        if name.startswith(("KAFKA_", "OTTLA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    return runs


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"ottla {__version__}\n"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["serve", "--nonsense"]])
def test_wrong_usage_is_exit_code_two(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_help_of_a_command_names_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("server.properties", "--data", "--override", "--strict"))


def test_other_commands_never_load_a_broker() -> None:
    code = "import sys; from ottla.cli import main; print('ottla.aio.broker' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "False\n"


def test_a_start_makes_no_dataclasses() -> None:
    """Each takes 0.7 ms to make (where-the-time-goes.md)."""
    code = (
        "import sys, ottla.cli.serve;"
        "print([n for n, m in list(sys.modules.items()) if n.startswith('ottla.')"
        " for one in vars(m).values() if hasattr(one, '__dataclass_fields__')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"


def test_data_is_where_it_was_asked_for(runs: Runs, tmp_path: Path) -> None:
    assert main(["serve", "--data", str(tmp_path / "here")]) == 0
    assert runs.settings is not None
    assert runs.settings.log_dirs == (str(tmp_path / "here"),)


def test_a_port_is_a_port_of_this_machine(runs: Runs) -> None:
    assert main(["serve", "-p", "9093", "--brokers", "1"]) == 0
    assert runs.settings is not None
    (listener,) = runs.settings.listeners
    assert (listener.host, listener.port) == ("localhost", 9093)


def test_without_a_word_data_is_in_the_users_place(runs: Runs, tmp_path: Path) -> None:
    assert main(["serve"]) == 0
    assert runs.settings is not None
    assert runs.settings.log_dirs == (str(tmp_path / "home" / "ottla"),)


def test_a_file_names_the_place_and_an_override_wins(runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("log.dirs=/from/file\nnum.partitions=2\n")
    assert main(["serve", str(file), "--override", "num.partitions=3", "--set", "node.id=9"]) == 0
    assert runs.settings is not None
    assert runs.settings.log_dirs == ("/from/file",)
    assert (runs.settings.topics.partitions, runs.settings.node_id) == (3, 9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--brokers", "2"], "serve -p 9093 --data two"),
        (["-p", "99999"], "with a port from 0 to 65535"),
        (["--override", "num.partitions=many"], "num.partitions=many"),
        (["--override", "num.partitions"], "key=value is expected"),
        (["/nowhere/server.properties"], "/nowhere/server.properties"),
        (["--strict", "--override", "num.partition=1"], "did you mean num.partitions?"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_exit_code_one(
    runs: Runs, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["serve", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ottla serve: ")
    assert said in error
    assert error.count("\n") == 1
    assert runs.settings is None


def test_what_keeps_the_broker_from_starting_is_one_sentence(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.refusal = "the port is taken"
    assert main(["serve"]) == 1
    assert capsys.readouterr().err == "ottla serve: the port is taken\n"


def test_unknown_settings_are_warned_about(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--override", "num.partition=1"]) == 0
    out = capsys.readouterr().out
    assert out.count("did you mean num.partitions?") == 1
    assert " WARN " in out


def test_the_settings_are_a_table_at_debug(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--verbose", "--override", "num.partitions=3"]) == 0
    assert "DEBUG setting num.partitions=3 (--override) (ottla.serve)" in capsys.readouterr().out


def test_optimized_python_is_refused() -> None:
    code = "import sys; from ottla.cli.main import main; sys.exit(main(['serve']))"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ottla serve: Python's -O ")


def test_systemd_is_told_when_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        serve._tell_systemd()
        assert systemd.recv(100) == b"READY=1"


# What a newcomer is told


@pytest.mark.parametrize(
    ("bound", "address", "elsewhere"),
    [
        ([HostPort("localhost", 9092)], "localhost:9092", ""),
        ([HostPort("0.0.0.0", 9092)], "localhost:9092", ""),
        ([HostPort("0.0.0.0", 29092), HostPort("localhost", 9092)], "localhost:9092", ""),
        (
            [HostPort("localhost", 19092)],
            "localhost:19092",
            " --bootstrap-server localhost:19092",
        ),
        ([HostPort("::1", 9092)], "[::1]:9092", " --bootstrap-server [::1]:9092"),
    ],
)
def test_the_first_steps_lead_to_this_broker(
    bound: list[HostPort], address: str, elsewhere: str
) -> None:
    said = serve.first_steps(bound, ["/data"]).splitlines()
    assert f"serves Kafka's protocol on {address}. Its data is in /data" in "".join(said)
    commands = [line for line in said if " greetings" in line]
    assert [line.endswith(f"greetings --from-beginning{elsewhere}") for line in commands][2]
    assert commands[0].endswith(f" topic create greetings --partitions 3{elsewhere}")
    assert commands[1].endswith(f" produce greetings{elsewhere}")


def test_the_first_steps_name_all_directories_of_the_data() -> None:
    said = serve.first_steps([HostPort("localhost", 9092)], ["/one", "/two", "/three"])
    assert "Its data is in /one and /two and /three\n" in said


def test_the_first_steps_start_this_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "my bin" / "ottla"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    def told() -> str:
        text = serve.first_steps([HostPort("localhost", 9092)], ["/data"])
        return next(line for line in text.splitlines() if "topic create" in line).strip()

    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(program), "serve"])
    assert told().startswith(f"'{program}' topic create")
    monkeypatch.setenv("PATH", str(program.parent))
    assert told().startswith("ottla topic create")
    monkeypatch.setattr(sys, "argv", ["/somewhere/main.py", "serve"])
    assert told().startswith(f"{sys.executable} -m ottla.cli.main topic create")


# The real thing, as a process


class Process:
    """`ottla serve` on a free port; its output is read line by line."""

    def __init__(self, directory: Path, *words: str) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KAFKA_", "OTTLA_"))
        }
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "ottla.cli.main", "serve", "--data", str(directory), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *error: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate(timeout=30)

    def read_until(self, word: str) -> str:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line)
            if word in line:
                return line
        raise AssertionError(f"{word!r} was never said: {self.lines}")

    def ended(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """(exit code, remaining stdout, stderr)"""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=30)
        return self.popen.returncode, out, err


def test_a_broker_starts_says_so_serves_and_stops(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    # Few connections, so that a small limit of open files is nothing to warn of.
    anywhere = (
        "--override",
        "listeners=PLAINTEXT://127.0.0.1:0",
        "--override",
        "max.connections=99",
    )
    with Process(directory, *anywhere) as first:
        listening = first.read_until("listening on ")
        port = int(listening.split("127.0.0.1:")[1].split()[0])
        first.read_until("[KafkaServer id=1] started")
        said = "".join(first.lines)
        assert "Kafka Server started" in said
        assert "Transitioning from RECOVERY to RUNNING" in said
        first.read_until(f"Its data is in {directory}")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(struct.pack(">ihhih", 10, 18, 0, 77, -1))
            assert struct.unpack(">ii", client.recv(8, socket.MSG_WAITALL))[1] == 77

        with Process(directory, *anywhere) as second:
            code, out, err = second.ended()
            assert code == 1
            assert f"{directory} is in use by process {first.popen.pid}" in err
            assert "Traceback" not in out + err
        taken = f"listeners=PLAINTEXT://127.0.0.1:{port}"
        with Process(tmp_path / "other", "--override", taken) as third:
            code, out, err = third.ended()
            assert code == 1
            assert f"127.0.0.1:{port}: the port is taken" in err
            assert "Traceback" not in out + err

        code, out, err = first.ended(signal.SIGTERM)
        assert (code, err) == (0, "")
        assert "INFO stopped" in out
        assert (directory / ".kafka_cleanshutdown").exists()

    with Process(directory, *anywhere) as again:
        again.read_until("[KafkaServer id=1] started")
        code, out, err = again.ended(signal.SIGINT)
        assert (code, err) == (0, "")
        said = "".join(again.lines) + out
        assert "Its data is in" not in said  # told once
        assert "WARN" not in said


def test_what_clients_do_is_told_in_words(tmp_path: Path) -> None:
    told = ("--log", "explain", "-p", "0", "--set", "group.initial.rebalance.delay.ms=0")
    with Process(tmp_path / "data", *told) as process:
        listening = process.read_until("listening on ")
        address = listening.split("PLAINTEXT://")[1].strip()
        with KafkaProducer(bootstrap_servers=address, client_id="my-producer") as producer:
            producer.send("greetings", b"one").get(timeout=30)
        consumer = KafkaConsumer(
            "greetings",
            bootstrap_servers=address,
            client_id="my-consumer",
            group_id="g",
            auto_offset_reset="earliest",
        )
        assert next(consumer).value == b"one"
        consumer.close()
        process.read_until("leaves    group g")
        code, _, err = process.ended(signal.SIGTERM)
        assert (code, err) == (0, "")
    lines = [line[10:].rstrip("\n") for line in process.lines]
    assert all(line[2] == line[5] == ":" for line in process.lines if "  my-" in line)
    for said in (
        "my-producer           asks      for topic greetings, which is made now",
        "my-producer           produces  1 record (71 bytes) to greetings-0: appended at offset 0",
        "my-consumer           asks      who coordinates group g: broker 1",
        "my-consumer           joins     group g: generation 1; it leads 1 member, and assigns by range",
        "my-consumer           is given  by group g: greetings-0",
        "my-consumer           asks      where its group goes on in greetings-0: nowhere yet",
        "my-consumer           looks up  where greetings-0 begins: at offset 0",
        "my-consumer           fetches   greetings-0 from offset 0: 1 record",
        "my-consumer           commits   group g goes on in greetings-0 at offset 1",
        "my-consumer           leaves    group g",
    ):
        assert said in lines
    assert "Kafka Server started" not in "".join(process.lines)
