"""Which groups a seed has and what they do, what is altered, what is asked besides, and who calls that
is no client.

Everything here comes from streams of chance of its own, so that what `workload.py` draws from a seed
does not depend on it. Rare things are common here: sessions of half a second, rebalances in every
other moment, members that pause for longer than that, and administrators who delete what is in use.
"""

from random import Random
from typing import Final

from ottla.sim.caller.administrator import IMPOSSIBLE
from ottla.sim.caller.inquirer import QUESTIONS
from ottla.sim.caller.stranger import KINDS
from ottla.sim.plan import Ask, ClientPlan, Role, Verb
from ottla.sim.workload import ADMINISTRATOR

_TOPICS: Final = ("t0", "t1", "t2")
_SOON_US: Final = 30_000
_LONG_SESSION_MS: Final = 120_000


def draw_settings(chance: Random) -> tuple[tuple[str, str], ...]:
    """How the broker coordinates."""
    settings = {
        "group.initial.rebalance.delay.ms": str(chance.choice((0, 0, 50, 300))),
        "group.min.session.timeout.ms": "100",
        "offsets.topic.num.partitions": str(chance.choice((1, 1, 2))),
    }
    if chance.random() < 0.5:
        settings["offsets.retention.check.interval.ms"] = str(chance.choice((100, 700)))
        settings["offsets.retention.minutes"] = "1"
    if chance.random() < 0.05:
        settings["group.max.size"] = str(chance.choice((1, 2)))
    return tuple(sorted(settings.items()))


def draw_members(chance: Random, first: int) -> tuple[ClientPlan, ...]:
    """The members of all groups; `first`: the number of the first one."""
    if chance.random() > 0.35:
        return ()
    members: list[ClientPlan] = []
    for group in ("g0", "g1")[: chance.choice((1, 1, 1, 2))]:
        for index in range(chance.choice((1, 2, 2, 3, 4))):
            is_static = chance.random() < 0.4
            twin = is_static and index > 0 and chance.random() < 0.15
            members.append(
                ClientPlan(
                    number=first + len(members),
                    role=Role.MEMBER,
                    group=group,
                    instance=f"i{index - 1 if twin else index}" if is_static else "",
                    session_ms=chance.choice((500, 1_000, 3_000, _LONG_SESSION_MS)),
                    rebalance_ms=chance.choice((400, 1_000, 2_000)),
                    vintage=chance.choice((0, 0, 1)) if is_static else chance.choice((0, 0, 1, 2)),
                    latency_us=chance.choice((100, 500, 2_000)),
                    timeout_ms=4_000,
                )
            )
    return tuple(members)


def draw_stranger(chance: Random, number: int) -> tuple[ClientPlan, ...]:
    if chance.random() > 0.15:
        return ()
    return (ClientPlan(number=number, role=Role.STRANGER),)


def draw_asks(
    chance: Random, clients: tuple[ClientPlan, ...], topics: dict[str, int], end_us: int
) -> list[Ask]:
    """`topics`: those that the world has, and how many partitions each."""
    asks: list[Ask] = []
    for client in clients:
        if client.role is Role.MEMBER:
            asks += _memberhood(chance, client, topics, end_us)
        elif client.role is Role.STRANGER:
            asks += [
                Ask(
                    at_us=chance.randrange(end_us),
                    client=client.number,
                    verb=Verb.INSULT,
                    count=chance.randrange(len(KINDS)),
                )
                for _ in range(chance.choice((2, 5)))
            ]
    groups = sorted({client.group for client in clients if client.group})
    if groups:
        asks += _stewardship(chance, groups, topics, end_us)
    asks += draw_alterations(chance, topics, end_us)
    if chance.random() < 0.4:
        asks += _inquiries(chance, topics, end_us)
    return asks


def _memberhood(
    chance: Random, client: ClientPlan, topics: dict[str, int], end_us: int
) -> list[Ask]:
    number = client.number
    wanted = "+".join(sorted(chance.sample(list(topics), chance.randrange(1, len(topics) + 1))))
    comes_us = _SOON_US + chance.choice(
        (0, chance.randrange(100_000), chance.randrange(end_us // 2))
    )
    asks = [Ask(at_us=comes_us, client=number, verb=Verb.JOIN, topic=wanted)]
    at_us = comes_us
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        at_us += chance.choice((100_000, 400_000, 1_500_000)) + chance.randrange(50_000)
        draw = chance.random()
        if draw < 0.3:
            wait_ms = chance.choice((100, 800, 2_500))
            asks.append(Ask(at_us=at_us, client=number, verb=Verb.PAUSE, wait_ms=wait_ms))
            continue
        if draw < 0.4:
            asks.append(
                Ask(at_us=at_us, client=number, verb=Verb.JOIN, topic=chance.choice(list(topics)))
            )
            continue
        verb = Verb.LEAVE if draw < 0.6 else Verb.VANISH
        asks.append(Ask(at_us=at_us, client=number, verb=verb, count=chance.randrange(3)))
        if chance.random() < 0.8:
            at_us += chance.choice((0, 10_000, 200_000, 1_000_000))
            asks.append(Ask(at_us=at_us, client=number, verb=Verb.JOIN, topic=wanted))
    for _ in range(chance.choice((2, 5, 10))):
        topic = chance.choice(list(topics))
        stray = chance.random() < 0.2
        asks.append(
            Ask(
                at_us=comes_us + chance.randrange(end_us),
                client=number,
                verb=Verb.COMMIT,
                topic=topic if stray else "",
                partition=1 + chance.randrange(topics[topic]) if stray else 0,
                count=chance.randrange(4),
                time_ms=chance.choice((0, 0, 1)),
            )
        )
    for _ in range(chance.choice((0, 1, 3))):
        at_us = comes_us + chance.randrange(end_us)
        count = chance.randrange(2)
        asks.append(Ask(at_us=at_us, client=number, verb=Verb.POSITIONS, count=count))
    return [ask for ask in asks if ask.at_us < end_us]


_STEWARDS_VERBS: Final = (
    Verb.POSITIONS,
    Verb.POSITIONS,
    Verb.POSITIONS,
    Verb.SEE_GROUP,
    Verb.SEE_GROUP,
    Verb.LIST_GROUPS,
    Verb.COMMIT,
    Verb.COMMIT,
    Verb.FORGET,
    Verb.DELETE_GROUP,
)


def _stewardship(
    chance: Random, groups: list[str], topics: dict[str, int], end_us: int
) -> list[Ask]:
    """Also of a group that nobody ever joins."""
    asks = []
    if chance.random() < 0.3:
        size = ("internal.segment.bytes", chance.choice(("2500", "6000")))
        asks.append(
            Ask(
                at_us=_SOON_US + chance.randrange(end_us),
                client=ADMINISTRATOR,
                verb=Verb.ALTER,
                topic="__consumer_offsets",
                configs=(size,),
            )
        )
    for _ in range(chance.choice((3, 6, 12))):
        topic = chance.choice(list(topics))
        asks.append(
            Ask(
                at_us=_SOON_US + chance.randrange(end_us),
                client=ADMINISTRATOR,
                verb=chance.choice(_STEWARDS_VERBS),
                topic=topic,
                partition=chance.randrange(topics[topic]),
                count=chance.randrange(100),
                group=chance.choice((*groups, *groups, "alone")),
            )
        )
    return asks


_ALTERABLE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("retention.ms", ("500", "100000", "")),
    ("retention.bytes", ("500", "100000", "")),
    ("internal.segment.bytes", ("300", "5000", "")),
    ("index.interval.bytes", ("0", "500", "")),
    ("segment.ms", ("300", "")),
    ("flush.messages", ("1", "3", "")),
    ("flush.ms", ("50", "")),
    ("min.insync.replicas", ("1", "2", "")),
    ("max.message.bytes", ("300", "100000", "")),
    ("message.timestamp.before.max.ms", ("100", "")),
)


def draw_alterations(chance: Random, topics: dict[str, int], end_us: int) -> list[Ask]:
    if chance.random() > 0.3:
        return []
    asks = []
    for _ in range(chance.choice((1, 2, 4))):
        chosen = chance.sample(_ALTERABLE, chance.choice((1, 1, 2, 3)))
        configs = [(key, chance.choice(values)) for key, values in chosen]
        if len(configs) > 1 and chance.random() < 0.3:
            at = chance.randrange(1, len(configs))
            configs[at] = (configs[at][0], IMPOSSIBLE)
        topic = chance.choice(list(topics))
        at_us = _SOON_US + chance.randrange(end_us)
        verb = Verb.ALTER if chance.random() < 0.75 else Verb.REPLACE
        asks.append(
            Ask(at_us=at_us, client=ADMINISTRATOR, verb=verb, topic=topic, configs=tuple(configs))
        )
        seen_us = at_us + chance.choice((2_000, 20_000, 200_000))
        asks.append(Ask(at_us=seen_us, client=ADMINISTRATOR, verb=Verb.CONFIGS, topic=topic))
    return asks


def _inquiries(chance: Random, topics: dict[str, int], end_us: int) -> list[Ask]:
    return [
        Ask(
            at_us=_SOON_US + chance.randrange(end_us),
            client=ADMINISTRATOR,
            verb=Verb.INQUIRE,
            topic=chance.choice((*topics, *topics, "nobody")),
            partition=chance.randrange(3),
            count=chance.randrange(len(QUESTIONS)),
        )
        for _ in range(chance.choice((4, 12, 20)))
    ]
