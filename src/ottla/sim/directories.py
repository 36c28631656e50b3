"""Which worlds have more than one log directory, what moves between them, and whose disk is struck.

A third of all worlds have two, some of these with the metadata log on a disk of its own. Partitions
are moved one by one and whole topics at once, back and forth, to where they are already, to nowhere,
and again before an earlier move has ended. A fault of a disk strikes one of them, and now and then a
disk is not there when the next process begins.

What is drawn here comes from a stream of its own: the other worlds are as they would be without it.

Elsewhere: who asks, `caller/mover.py`; what has to hold, `checker/places.py`.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final

from ottla.sim.plan import Ask, Blow, Fault, Verb
from ottla.sim.workload import ADMINISTRATOR

PATHS: Final = ("/disk0", "/disk1")
METADATA_PATH: Final = "/metadata"

_WORLDS: Final = 0.33
_METADATA_APART: Final = 0.2
_ILL: Final = 0.3
_SOON_US: Final = 40_000
_OFFSETS: Final = "__consumer_offsets"

_OF_A_DISK: Final = frozenset(
    {
        Blow.FULL,
        Blow.WRITE_ERROR,
        Blow.SYNC_ERROR,
        Blow.RENAME_ERROR,
        Blow.REMOVE_ERROR,
        Blow.READ_ERROR,
    }
)
_ILLNESSES: Final = (
    Blow.AWAY,
    Blow.AWAY,
    Blow.READ_ERROR,
    Blow.WRITE_ERROR,
    Blow.RENAME_ERROR,
    Blow.FULL,
)


def draw(
    chance: Random, topics: Mapping[str, int], faults: tuple[Fault, ...], end_us: int
) -> tuple[list[Ask], tuple[Fault, ...], tuple[tuple[str, str], ...]]:
    """(what is moved, the faults with the disk that each strikes, what the broker is started with).

    `topics`: those that the world has, and how many partitions each.
    """
    is_inherited = any(fault.blow is Blow.INHERIT for fault in faults)
    if (
        chance.random() > _WORLDS or is_inherited
    ):  # one that is left somewhere has to be found there
        return [], faults, ()
    settings = [("log.dirs", ",".join(PATHS))]
    numbers = [0, 1]
    if chance.random() < _METADATA_APART:
        settings.append(("metadata.log.dir", METADATA_PATH))
        numbers = [0, 1, 2]
    struck = [
        replace(fault, log_dir=chance.choice(numbers)) if fault.blow in _OF_A_DISK else fault
        for fault in faults
    ]
    if faults and chance.random() < _ILL:
        struck += _ill_at_a_start(chance, numbers, end_us)
    return _moves(chance, topics, end_us), tuple(struck), tuple(settings)


def _moves(chance: Random, topics: Mapping[str, int], end_us: int) -> list[Ask]:
    names = [*sorted(topics), *sorted(topics), _OFFSETS]
    asks = []
    for _ in range(chance.choice((2, 4, 8, 16))):
        at_us = _SOON_US + chance.randrange(end_us)
        topic = chance.choice(names)
        draw = chance.random()
        if draw < 0.25:
            topic = "+".join(sorted(topics))
        partition = -1 if draw < 0.5 else chance.randrange(topics.get(topic, 1))
        to = -1 if chance.random() < 0.05 else chance.randrange(len(PATHS))
        asks.append(_ask(at_us, Verb.MOVE, topic, partition, to))
        draw = chance.random()
        if draw < 0.3:  # it has hardly begun, or has just come to its end
            soon_us = at_us + chance.choice((100, 2_000, 10_000, 40_000))
            back = chance.randrange(len(PATHS))
            asks.append(_ask(soon_us, Verb.MOVE, topic, partition, back))
        elif draw < 0.6:
            seen_us = at_us + chance.choice((500, 5_000, 30_000, 300_000))
            asks.append(_ask(seen_us, Verb.PLACES))
    return asks


def _ask(at_us: int, verb: Verb, topic: str = "", partition: int = 0, to: int = 0) -> Ask:
    return Ask(
        at_us=at_us,
        client=ADMINISTRATOR,
        verb=verb,
        topic=topic,
        partition=partition,
        count=to,
    )


def _ill_at_a_start(chance: Random, numbers: list[int], end_us: int) -> list[Fault]:
    """One disk is away, or does not do what it should, and the next process begins."""
    at_us = chance.randrange(end_us)
    blow = chance.choice(_ILLNESSES)
    away = blow is Blow.AWAY
    return [
        Fault(
            at_us=at_us,
            blow=blow,
            count=0 if away or blow is Blow.FULL else chance.choice((1, 3, 10)),
            lasts_us=chance.choice((300_000, 2_000_000)),
            log_dir=chance.choice(numbers[1:]),
        ),
        Fault(
            at_us=at_us + (chance.choice((100, 50_000)) if away else 100),
            blow=chance.choice((Blow.KILL, Blow.POWER, Blow.STOP)),
            lasts_us=chance.choice((1_000, 50_000)),
            salt=chance.randrange(1 << 30),
        ),
    ]
