"""Compose files as people write them: both dialects of `environment`, every form of a port, variables,
anchors; and what is wrong with a file is one sentence that names its place."""

from pathlib import Path

import pytest

from ottla.cli.compose import Project, Published, Service, read_project
from ottla.settings.definition import ConfigurationError


def project(folder: Path, text: str, **environ: str) -> Project:
    path = folder / "compose.yaml"
    path.write_text(text)
    return read_project(path, environ)


def service(folder: Path, body: str, **environ: str) -> Service:
    """The one whose body is given, in lines without indentation."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (only,) = project(folder, f"services:\n  kafka:\n{lines}", **environ).services
    return only


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        project(folder, text)
    return str(refused.value).replace(f"{folder}/", "")


def test_a_tab_is_named_with_its_line_and_the_way_out(tmp_path: Path) -> None:
    tabs = "version: '3'\n\nservices:\n  kafka:\n\t\timage: wurstmeister/kafka\n"
    first, second = refusal(tmp_path, tabs).splitlines()
    assert first == "compose.yaml: line 5: tab used for indentation"
    assert second.endswith("expand -t 2 compose.yaml > spaces.yml && ottla up spaces.yml")
    after_a_word = "services:\n  kafka:\n    image: kafka\n \tports:\n"
    assert "line 4: tab used for indentation" in refusal(tmp_path, after_a_word)


def test_a_tab_where_yaml_takes_one_is_none_of_our_business(tmp_path: Path) -> None:
    one = service(tmp_path, "image: a/kafka\ncommand: |\n  \tfirst\n  second")
    assert one.image == "a/kafka"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n  kafka: [a\n", "compose.yaml: line 3: "),
        ("- a list\n", "compose.yaml: names with values are expected"),
        ("version: '3'\n", "compose.yaml: services: names with values are expected"),
        ("services:\n  kafka: nothing\n", "services.kafka: names with values"),
        ("services:\n  k:\n    environment: text\n", "services.k.environment: names with values"),
        ("services:\n  k:\n    extends: other\n", "services.k.extends is not read"),
        ("services:\n  k:\n    ports: 9092\n", "services.k.ports: a list is expected"),
        ("services:\n  k:\n    ports: [nine]\n", "services.k.ports: nine: PORT, PORT:PORT or"),
        ("services:\n  k:\n    ports: ['1-3:4-5']\n", "1-3:4-5: PORT, PORT:PORT or"),
        ("services:\n  k:\n    image: a$\n", "a variable is $NAME"),
        ("services:\n  k:\n    image: ${TAG:?name one}\n", "the variable TAG is not set: name one"),
        ("services:\n  k:\n    env_file: none.env\n", "none.env cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_scalars_are_taken_as_they_are_written(tmp_path: Path) -> None:
    one = service(
        tmp_path,
        "image: apache/kafka:4.0.0\n"
        "environment:\n"
        "  KAFKA_NODE_ID: 1\n"
        "  KAFKA_AUTO_CREATE_TOPICS_ENABLE: false\n"
        "  KAFKA_A: yes\n"
        "  KAFKA_B: 0x10\n"
        '  KAFKA_C: ""\n',
    )
    assert one.variables == {
        "KAFKA_NODE_ID": "1",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_A": "yes",
        "KAFKA_B": "0x10",
        "KAFKA_C": "",
    }


def test_an_environment_may_be_a_list_and_may_leave_values_to_the_shell(tmp_path: Path) -> None:
    one = service(tmp_path, "environment:\n  - A=1=2\n  - B\n  - C", B="of the shell")
    assert one.variables == {"A": "1=2", "B": "of the shell"}
    other = service(tmp_path, "environment:\n  B:\n  C: ~", B="of the shell")
    assert other.variables == {"B": "of the shell"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("$TAG", "7"),
        ("a-${TAG}-b", "a-7-b"),
        ("${TAG:-8}", "7"),
        ("${NONE:-8}", "8"),
        ("${EMPTY:-8}", "8"),
        ("${EMPTY-8}", ""),
        ("${NONE}", ""),
        ("${TAG:+set}${NONE:+set}", "set"),
        ("$$TAG", "$TAG"),
    ],
)
def test_variables_are_replaced(tmp_path: Path, written: str, read: str) -> None:
    assert service(tmp_path, f"image: '{written}'", TAG="7", EMPTY="").image == read


def test_the_shell_wins_over_the_env_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# a comment\nA=file\nexport B='b c' \nC=plain # comment\nD\n")
    assert service(tmp_path, "image: $A $B $C $D", A="shell").image == "shell b c plain "


def test_variables_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "k.env").write_text("KAFKA_A=1\nKAFKA_B=2\n")
    body = (
        "env_file:\n  - k.env\n  - path: none.env\n    required: false\nenvironment: {KAFKA_B: 3}"
    )
    assert service(tmp_path, body).variables == {"KAFKA_A": "1", "KAFKA_B": "3"}
    assert service(tmp_path, "env_file: k.env").variables == {"KAFKA_A": "1", "KAFKA_B": "2"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("9092:9092", [(9092, "", 9092)]),
        ("9094:9092", [(9092, "", 9094)]),
        ("9092", [(9092, "", 9092)]),
        ("127.0.0.1:19092:9092", [(9092, "127.0.0.1", 19092)]),
        ("[::1]:9092:9092/tcp", [(9092, "::1", 9092)]),
        ("9092-9093:19092-19093", [(19092, "", 9092), (19093, "", 9093)]),
        ("9092:9092/udp", []),
        ("{target: 9092, published: 9094, host_ip: 127.0.0.1}", [(9092, "127.0.0.1", 9094)]),
        ("{target: 9092}", [(9092, "", 9092)]),
    ],
)
def test_every_form_of_a_port(
    tmp_path: Path, written: str, read: list[tuple[int, str, int]]
) -> None:
    text = written if written.startswith("{") else f'"{written}"'
    ports = service(tmp_path, f"ports:\n  - {text}").ports
    assert ports == tuple(Published(*one) for one in read)


def test_what_services_share_stands_once(tmp_path: Path) -> None:
    read = project(
        tmp_path,
        "name: shop\n"
        "x-kafka: &kafka\n"
        "  image: confluentinc/cp-kafka:7.3.2\n"
        "  container_name: broker\n"
        "  hostname: kafka.shop\n"
        "x-other: &other {image: never}\n"
        "services:\n"
        "  kafka:\n"
        "    <<: [*kafka, *other]\n"
        "    container_name: mine\n"
        "  ui: {image: provectuslabs/kafka-ui}\n",
    )
    assert read.name == "shop"
    kafka, _ = read.services
    assert kafka.image == "confluentinc/cp-kafka:7.3.2"
    assert kafka.names == {"kafka", "mine", "kafka.shop"}


def test_a_project_is_named_after_its_folder(tmp_path: Path) -> None:
    assert project(tmp_path, "services: {}").name == tmp_path.name
