"""A log line has Kafka's form, or a learner's columns, and is one line whatever is in it."""

import json
import logging
import sys

import pytest

from ottla.cli import log_lines
from ottla.cli.log_lines import KafkaFormatter, LearnersFormatter, View


def record_of(message: str, *values: object, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("ottla.x", logging.WARNING, "", 0, message, values, None)
    vars(record).update(fields)
    return record


def line(message: str, *values: object, **fields: object) -> str:
    return KafkaFormatter().format(record_of(message, *values, **fields))


def test_a_log_line_has_kafkas_form_and_its_fields() -> None:
    text = line("isr shrank to %d", 2, partition="t-0", left=[3])
    head, _, rest = text.partition("] ")
    assert rest == "WARN isr shrank to 2 partition=t-0 left=[3] (ottla.x)"
    assert len(head) == len("[2026-01-02 03:04:05,678")


def test_nobody_writes_log_lines_of_their_own() -> None:
    text = line("from %s", "x\n[2026-01-01 00:00:00,000] INFO fine", peer="a\r\n\x1b[31mb")
    assert "\n" not in text
    assert "\x1b" not in text
    assert json.dumps("x\n[2026")[1:-1] in text


def test_a_traceback_follows_its_line() -> None:
    try:
        raise KeyError("k")
    except KeyError:
        record = logging.LogRecord("ottla.x", logging.ERROR, "", 0, "oh", (), sys.exc_info())
    text = KafkaFormatter().format(record)
    assert text.splitlines()[0].endswith("ERROR oh (ottla.x)")
    assert text.splitlines()[-1] == "KeyError: 'k'"


def test_what_the_broker_logs_has_the_learners_columns() -> None:
    text = LearnersFormatter().format(record_of("the disk is full", directory="/data"))
    assert text[8:] == "  broker                warns     the disk is full directory=/data"
    assert len(text[:8].split(":")) == 3


def test_learners_read_what_is_told_and_what_went_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    log_lines.log_to_stdout(logging.INFO, View.EXPLAIN)
    log_lines.explain("a-client-with-a-long-name", "connects", "from\nhere")
    logging.getLogger("kafka.server.KafkaServer").info("Kafka Server started")
    logging.getLogger("ottla.core.group").info("group is empty")
    logging.getLogger("ottla.core.group").warning("that is odd")
    assert [line[10:] for line in capsys.readouterr().out.splitlines()] == [
        "a-client-with-a-lo..  connects  from\\nhere",
        "broker                warns     that is odd",
    ]
