"""kafka-configs: which entity is meant, what is added, and how it is told."""

import argparse

import pytest

from ottla.cli.kafka import run_tool
from ottla.cli.kafka.configs import add_flags, config_line, quota_line
from ottla.cli.kafka.entities import Entity, added, entities
from ottla.cli.kafka.flags import Flags, Refused
from ottla.cli.kafka.scram_credentials import parsed
from ottla.client.configs import Config


def read(*words: str) -> argparse.Namespace:
    flags = Flags("configs", "configs")
    add_flags(flags)
    return flags.read(["--bootstrap-server", "h:1", *words])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--topic t", [Entity("topics", "t")]),
        ("--entity-type topics --entity-name t", [Entity("topics", "t")]),
        ("--entity-type topics", [Entity("topics", None)]),
        ("--broker-defaults", [Entity("brokers", "")]),
        ("--entity-type brokers --entity-default", [Entity("brokers", "")]),
        ("--broker-logger 1", [Entity("broker-loggers", "1")]),
        ("--client c --user u", [Entity("users", "u"), Entity("clients", "c")]),
        (
            "--entity-type clients --entity-name c --entity-type users --entity-default",
            [Entity("users", ""), Entity("clients", "c")],
        ),
        ("--user u --entity-type clients", [Entity("users", "u"), Entity("clients", None)]),
    ],
)
def test_entities_are_named_in_two_ways(words: str, expected: list[Entity]) -> None:
    assert entities(read("--describe", *words.split())) == expected


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("", "At least one entity type must be specified"),
        ("--topic t --entity-type topics", "Duplicate entity type"),
        ("--entity-type bogus", "Invalid entity type bogus, the entity type must be one of topics"),
        ("--topic t --user u", "Only one entity type"),
    ],
)
def test_entities_that_make_no_sense_are_refused(words: str, refusal: str) -> None:
    with pytest.raises(Refused, match=refusal):
        entities(read("--describe", *words.split()))


def test_brackets_keep_a_list_together() -> None:
    assert added("a=1, b=[x,y] ,c=", {"a": "0", "z": "9"}) == {
        "a": "1",
        "z": "9",
        "b": "x,y",
        "c": "",
    }
    assert added("SCRAM-SHA-256=[iterations=8192,password=a=b]", {}) == {
        "SCRAM-SHA-256": "iterations=8192,password=a=b"
    }
    for broken in ("a", "a=b=c"):
        with pytest.raises(Refused, match='must be in the format "key=val"'):
            added(broken, {})
    with pytest.raises(Refused, match="Invalid character found for config key: a b"):
        added("a b=1", {})


def test_a_configuration_is_told_with_where_it_comes_from() -> None:
    config = Config("a.b", "1", 1, False, [("a.b", "1", 1), ("log.a", None, 5)])
    assert config_line(config) == (
        "  a.b=1 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:a.b=1, DEFAULT_CONFIG:log.a=null}"
    )
    assert config_line(Config("p", None, 2, True, ())) == "  p=null sensitive=true synonyms={}"


@pytest.mark.parametrize(
    ("entity", "told"),
    [
        ({"user": "u", "client-id": None}, "user-principal 'u', the default client-id"),
        ({"ip": "10.0.0.1"}, "ip '10.0.0.1'"),
        ({"user": None}, "the default user-principal"),
    ],
)
def test_quotas_are_told_with_their_entity(entity: dict[str, str | None], told: str) -> None:
    line = quota_line(entity, {"b": 1e10, "a": 2.5})
    assert line == f"Quota configs for {told} are a=2.5, b=1.0E10"


def test_a_password_may_have_iterations() -> None:
    assert parsed("SCRAM-SHA-256", "password=a,b") == (4096, "a,b")
    assert parsed("SCRAM-SHA-256", "iterations=8192,password=") == (8192, "")
    assert parsed("SCRAM-SHA-256", "iterations=-1,password=x") == (4096, "x")
    with pytest.raises(Refused, match="Iterations 5 is less than the minimum 4096"):
        parsed("SCRAM-SHA-512", "iterations=5,password=x")
    with pytest.raises(Refused, match="Invalid credential property"):
        parsed("SCRAM-SHA-512", "x")


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("--describe --topic t --add-config a=b", 'Option "[describe]" can\'t be used with option'),
        ("--alter --topic t", "At least one of --add-config, --add-config-file"),
        ("--alter --entity-type topics --add-config a=b", "An entity name must be specified with"),
        ("--describe --broker x", "The entity name for brokers must be a valid integer broker id"),
        ("--topic t", "Command must include exactly one action: --describe, --alter"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    words: str, refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool("configs", ["--bootstrap-server", "127.0.0.1:1", *words.split()])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(refusal)
