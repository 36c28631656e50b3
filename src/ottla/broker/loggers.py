"""The levels of this process's loggers, as requests see and change them (KIP-412).

They are the one thing that requests change without the metadata log: they end with the process. The
names are Python's (`ottla.core.replica.table`), the levels Kafka's: TRACE is everything below DEBUG.
"""

import logging
from collections.abc import Mapping
from typing import Final

ROOT: Final = "root"

LEVELS: Final[Mapping[str, int]] = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}


def levels() -> dict[str, str]:
    """Every logger there is and the level it obeys, the root first."""
    names = sorted(
        name
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    )
    return {ROOT: _level_of(logging.root), **{name: _level_of(_logger(name)) for name in names}}


def is_logger(name: str) -> bool:
    return name == ROOT or isinstance(logging.root.manager.loggerDict.get(name), logging.Logger)


def set_level(name: str, level: str) -> None:
    """`level` is a key of LEVELS."""
    _logger(name).setLevel(LEVELS[level])


def inherit_level(name: str) -> None:
    """The logger obeys the level of the one above it. Not for the root, which has none above."""
    assert name != ROOT
    _logger(name).setLevel(logging.NOTSET)


def _logger(name: str) -> logging.Logger:
    return logging.root if name == ROOT else logging.getLogger(name)


def _level_of(logger: logging.Logger) -> str:
    effective = logger.getEffectiveLevel()
    reached = [name for name, number in LEVELS.items() if number <= effective]
    return reached[-1] if reached else "TRACE"
