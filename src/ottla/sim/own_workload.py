"""Which worlds have the product's own clients, and what their applications ask for.

Drawn from a stream of its own, behind everything else, so that all other worlds stay as they are.
"""

from random import Random
from typing import Final

from ottla.sim.plan import Ask, ClientPlan, Role, Verb
from ottla.sim.workload import ADMINISTRATOR

_WORLDS: Final = 0.2
_WORLDS_THAT_READ: Final = 0.2
_MIXED: Final = 0.5
"""Of those that have groups of members written by hand."""
_ASSIGNORS: Final = (
    "range",
    "roundrobin",
    "sticky",
    "cooperative-sticky",
    "cooperative-sticky",
    "range+cooperative-sticky",
)
_GROUP: Final = "own"
_SOON_US: Final = 20_000


def draw(
    chance: Random, first: int, topics: dict[str, int], end_us: int
) -> tuple[tuple[ClientPlan, ...], list[Ask]]:
    """`first`: the number of the first client; `topics`: and how many partitions each."""
    if chance.random() > _WORLDS or not topics:
        return (), []
    producers = tuple(_producer(chance, first + at) for at in range(chance.choice((1, 1, 2))))
    asks = [ask for producer in producers for ask in _sends(chance, producer, topics, end_us)]
    return producers, asks


def draw_consumers(
    chance: Random,
    first: int,
    topics: dict[str, int],
    groups: tuple[str, ...],
    end_us: int,
) -> tuple[tuple[ClientPlan, ...], list[Ask]]:
    """Consumers that read all there is, members of a group of their own, and members of one of `groups`,
    beside those that are written by hand."""
    if chance.random() > _WORLDS_THAT_READ or not topics:
        return (), []
    group = chance.choice(groups) if groups and chance.random() < _MIXED else _GROUP
    names = chance.choice(_ASSIGNORS if group == _GROUP else _ASSIGNORS[:2])
    alone, together = chance.choice((0, 0, 1)), chance.choice((1, 2, 2, 3, 4))
    consumers = [_consumer(chance, first + at, "", "") for at in range(alone)]
    consumers += [_consumer(chance, first + alone + at, group, names) for at in range(together)]
    asks = [ask for one in consumers for ask in _readings(chance, one, topics, end_us)]
    return tuple(consumers), asks + _looks_at(chance, group, topics, end_us)


def _consumer(chance: Random, number: int, group: str, assignors: str) -> ClientPlan:
    is_static = bool(group) and chance.random() < 0.3
    return ClientPlan(
        number=number,
        role=Role.OWN_CONSUMER,
        group=group,
        instance=f"own{number}" if is_static else "",
        assignors=assignors,
        session_ms=chance.choice((500, 1_000, 3_000)) if group else 0,
        rebalance_ms=chance.choice((600, 1_000, 2_000)) if group else 0,
        commit_ms=chance.choice((0, 100, 400)) if group else 0,
        by_record=chance.random() < 0.3,
        listens=bool(group) and chance.random() < 0.4,
        from_end=chance.random() < 0.1,
        session=chance.random() < 0.7,
        committed=chance.random() < 0.3,
        batch_bytes=chance.choice((0, 0, 400, 3_000)),
        latency_us=chance.choice((100, 500, 500, 2_000, 10_000)),
        timeout_ms=chance.choice((400, 1_500, 3_000)),
    )


def _readings(chance: Random, client: ClientPlan, topics: dict[str, int], end_us: int) -> list[Ask]:
    number = client.number
    wanted = "+".join(sorted(chance.sample(sorted(topics), chance.randrange(1, len(topics) + 1))))
    comes_us = _SOON_US + chance.choice(
        (0, chance.randrange(100_000), chance.randrange(end_us // 2))
    )
    asks = [Ask(at_us=comes_us, client=number, verb=Verb.JOIN, topic=wanted)]
    at_us = comes_us
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        at_us += chance.choice((50_000, 400_000, 1_500_000)) + chance.randrange(50_000)
        draw = chance.random()
        if draw < 0.25:
            wait_ms = chance.choice((100, 800, 2_500))
            count = chance.randrange(2)
            asks.append(
                Ask(at_us=at_us, client=number, verb=Verb.PAUSE, wait_ms=wait_ms, count=count)
            )
        elif draw < 0.35:
            topic = chance.choice(sorted(topics))
            asks.append(Ask(at_us=at_us, client=number, verb=Verb.JOIN, topic=topic))
        else:
            verb = Verb.LEAVE if draw < 0.65 else Verb.VANISH
            asks.append(Ask(at_us=at_us, client=number, verb=verb, count=chance.randrange(2)))
            if chance.random() < 0.8:
                at_us += chance.choice((10_000, 200_000, 1_000_000))
                asks.append(Ask(at_us=at_us, client=number, verb=Verb.JOIN, topic=wanted))
    verbs = [Verb.COMMIT] * chance.choice((0, 2, 6)) + [Verb.SEEK] * chance.choice((0, 0, 1, 4))
    for verb in verbs:
        at_us, count = comes_us + chance.randrange(end_us), chance.randrange(4)
        asks.append(Ask(at_us=at_us, client=number, verb=verb, count=count))
    return [ask for ask in asks if ask.at_us < end_us]


def _looks_at(chance: Random, group: str, topics: dict[str, int], end_us: int) -> list[Ask]:
    """An administrator of groups looks, and now and then does something."""
    verbs = [Verb.POSITIONS, Verb.SEE_GROUP, Verb.LIST_GROUPS]
    if chance.random() < 0.15:
        verbs += [Verb.COMMIT, Verb.FORGET, Verb.DELETE_GROUP]
    return [
        Ask(
            at_us=_SOON_US + chance.randrange(end_us),
            client=ADMINISTRATOR,
            verb=chance.choice(verbs),
            topic=(topic := chance.choice(sorted(topics))),
            partition=chance.randrange(topics[topic]),
            count=chance.randrange(100),
            group=group,
        )
        for _ in range(chance.choice((0, 2, 5)))
    ]


def _producer(chance: Random, number: int) -> ClientPlan:
    idempotent = chance.random() < 0.75
    return ClientPlan(
        number=number,
        role=Role.OWN_PRODUCER,
        acks=-1 if idempotent else chance.choice((-1, -1, 1, 0)),
        idempotent=idempotent,
        in_flight_max=chance.choice((1, 2, 5, 5)),
        retries=idempotent or chance.random() < 0.8,
        by_name=chance.random() < 0.35,
        negotiates=chance.random() < 0.2,
        codec=chance.choice((0, 0, 0, 1, 2, 3, 4)),
        latency_us=chance.choice((100, 500, 500, 2_000, 10_000)),
        timeout_ms=chance.choice((400, 1_500, 3_000)),
        linger_ms=chance.choice((0, 0, 5, 100)),
        batch_bytes=chance.choice((0, 0, 200, 2_000)),
        buffer_bytes=chance.choice((0, 0, 0, 20_000)),
    )


def _sends(chance: Random, client: ClientPlan, topics: dict[str, int], end_us: int) -> list[Ask]:
    """In bursts, so that batches are gathered, and several are on their way at once."""
    asks = []
    size_bytes = chance.choice((20, 100, 100, 1_500))
    for _ in range(chance.choice((6, 12, 25))):
        at_us = _SOON_US + chance.randrange(end_us)
        topic = chance.choice(sorted(topics))
        keys = chance.choice((0, 0, 4))
        partition = -1 if keys and chance.random() < 0.5 else chance.randrange(topics[topic])
        for number in range(chance.choice((1, 2, 4, 8))):
            asks.append(
                Ask(
                    at_us=at_us + number * chance.choice((0, 100, 1_000, 5_000)),
                    client=client.number,
                    verb=Verb.SEND,
                    topic=topic,
                    partition=partition,
                    count=chance.choice((1, 1, 2, 3, 6)),
                    size_bytes=size_bytes,
                    time_ms=chance.choice((0, 0, 0, 5, 300)),
                    keys=keys,
                )
            )
    return asks
