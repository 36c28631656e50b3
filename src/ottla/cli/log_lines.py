"""How the lines of `ottla serve` look: Kafka's own pattern, or the one for learners.

Kafka's is for the tools that wait for its words; the learners' has columns, and leaves out what only
tools wait for. Whatever a client sends, a line stays one line.

Elsewhere: what is told to learners, `explain.py`.
"""

import logging
import sys
from enum import Enum
from typing import Final, final

EXPLAINED: Final = logging.getLogger("ottla.explained")

_ORDINARY: Final = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))
_WHO_WIDTH: Final = 20
_DOES_WIDTH: Final = 8
_DOES: Final = {"INFO": "says", "WARNING": "warns", "ERROR": "fails"}


class View(Enum):
    """`--log`"""

    KAFKA = "kafka"
    EXPLAIN = "explain"


def log_to_stdout(level: int, view: View) -> None:
    handler = logging.StreamHandler(sys.stdout)
    if view is View.EXPLAIN:
        handler.setFormatter(LearnersFormatter())
        handler.addFilter(_is_for_learners)
    else:
        handler.setFormatter(KafkaFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_for_learners(record: logging.LogRecord) -> bool:
    """What tools wait for is not, nor what the machines report of what was just told in words."""
    is_news = not record.name.startswith(("kafka.", "ottla.core."))
    return is_news or record.levelno >= logging.WARNING


def explain(who: str, does: str, what: str) -> None:
    """A line in columns."""
    EXPLAINED.info("%s", in_columns(who, does, what))


def in_columns(who: str, does: str, what: str) -> str:
    who = who if len(who) <= _WHO_WIDTH else f"{who[: _WHO_WIDTH - 2]}.."
    return f"{who:{_WHO_WIDTH}}  {does:{_DOES_WIDTH}}  {what}"


@final
class KafkaFormatter(logging.Formatter):
    """`[2026-01-02 03:04:05,678] INFO message field=value (logger)`, one line whatever is in it."""

    default_time_format = "%Y-%m-%d %H:%M:%S"
    default_msec_format = "%s,%03d"

    def format(self, record: logging.LogRecord) -> str:
        text = (
            f"[{self.formatTime(record)}] {record.levelname.replace('WARNING', 'WARN')} "
            f"{_said(record)} ({record.name})"
        )
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


@final
class LearnersFormatter(logging.Formatter):
    """`03:04:05  who  does  what`; what the broker logs otherwise is what the broker says."""

    default_time_format = "%H:%M:%S"
    default_msec_format = None

    def format(self, record: logging.LogRecord) -> str:
        said = _said(record)
        if record.name != EXPLAINED.name:
            said = in_columns("broker", _DOES.get(record.levelname, "says"), said)
        text = f"{self.formatTime(record)}  {said}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def _said(record: logging.LogRecord) -> str:
    """The message and what was said beside it."""
    fields = "".join(
        f" {name}={_one_line(str(value))}"
        for name, value in vars(record).items()
        if name not in _ORDINARY
    )
    return f"{_one_line(record.getMessage())}{fields}"


def _one_line(text: str) -> str:
    """Nobody writes lines of their own into the log by what they send."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
