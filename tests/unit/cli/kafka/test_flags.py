"""Flags of Kafka's tools: every generation is understood, and what makes no sense is refused."""

import argparse

import pytest

from ottla.cli.kafka.flags import (
    FAILED,
    Flags,
    Refused,
    is_said,
    number,
    refuse_together,
    require,
    the_action,
)


def made() -> Flags:
    flags = Flags("topics", "look after topics")
    flags.bootstrap("--broker-list")
    flags.zookeeper()
    flags.command_config("--admin.config")
    flags.switch("--list", help="")
    flags.switch("--describe", help="")
    flags.value("--topic", help="")
    flags.value("--group", repeated=True, help="")
    flags.value("--partitions", kind=number, help="")
    flags.optional_value("--state", bare="", help="")
    return flags


def read(*words: str) -> argparse.Namespace:
    return made().read(words)


SERVER = ("--bootstrap-server", "h:1")


@pytest.mark.parametrize(
    "words",
    [
        (*SERVER, "--list", "--topic", "t"),
        ("-bootstrap-server", "h:1", "-list", "-topic", "t"),
        ("--bootstrap-server=h:1", "--list", "--topic=t"),
        ("--bootstrap", "h:1", "--li", "--top", "t"),
        ("--broker-list", "h:1", "--list", "--topic", "t"),
    ],
)
def test_every_way_to_say_it_means_the_same(words: tuple[str, ...]) -> None:
    args = read(*words)
    assert (args.bootstrap_server, args.list, args.topic) == ("h:1", True, "t")


def test_a_flag_that_kafka_removed_is_read_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    args = read("--zookeeper", "zk:2181", "--list")
    assert args.bootstrap_server == "localhost:9092"
    assert "--zookeeper is no more; read as --bootstrap-server" in capsys.readouterr().err


def test_a_renamed_flag_is_one_flag() -> None:
    assert read(*SERVER, "--admin.config", "f").command_config == "f"


def test_repeated_optional_and_negative_values_are_read() -> None:
    args = read(*SERVER, "--group", "a", "--group", "b", "--state", "--partitions", "-3")
    assert (args.group, args.state, args.partitions) == (["a", "b"], "", -3)
    assert read(*SERVER).state is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*SERVER, "--topik", "t"), "topik is not a recognized option (did you mean --topic?)"),
        (("--list",), 'Missing required argument "[bootstrap-server]"'),
        ((*SERVER, "--partitions", "many"), "Cannot parse argument 'many'"),
        ((), "Look after topics."),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_usage(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read(*words)
    assert ended.value.code == FAILED
    lines = capsys.readouterr().err.splitlines()
    assert told in lines[0]
    assert lines[1].startswith("usage: kafka-topics")


def test_a_word_that_belongs_to_no_flag_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert read(*SERVER, "--list", "extra").list
    assert "'extra' belongs to no flag" in capsys.readouterr().err


def test_words_are_found_before_and_after_flags() -> None:
    for words in (("describe", *SERVER), (*SERVER, "describe")):
        flags = made()
        flags.words("command", help="")
        assert flags.read(words).command == ["describe"]


def test_exactly_one_action_is_expected() -> None:
    assert the_action(read(*SERVER, "--list"), ("list", "describe")) == "list"
    for words in ((), ("--list", "--describe")):
        with pytest.raises(Refused, match="exactly one action: --list, --describe"):
            the_action(read(*SERVER, *words), ("list", "describe"))


def test_flags_that_exclude_or_need_each_other_are_refused() -> None:
    args = read(*SERVER, "--list", "--topic", "t")
    with pytest.raises(Refused, match=r'Option "\[topic\]" can\'t be used with option "\[list\]"'):
        refuse_together(args, "topic", ("describe", "list"))
    refuse_together(args, "topic", ("topic", "describe"))
    with pytest.raises(Refused, match=r'Missing required argument "\[partitions\]"'):
        require(args, "topic", "partitions")


def test_said_is_what_is_there() -> None:
    args = read(*SERVER, "--partitions", "0")
    assert is_said(args, "partitions")
    assert not any(is_said(args, name) for name in ("list", "topic", "group", "state"))


def test_help_and_version_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    for word, told in (("--help", "look after topics"), ("--version", "4.3.1")):
        with pytest.raises(SystemExit) as ended:
            read(word)
        assert ended.value.code == 0
        assert told in capsys.readouterr().out
