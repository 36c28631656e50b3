"""Which worlds have the product's own clients, and what their applications ask for.

Drawn from a stream of its own, behind everything else, so that all other worlds stay as they are.
"""

from random import Random
from typing import Final

from ottla.sim.plan import Ask, ClientPlan, Role, Verb

_WORLDS: Final = 0.2
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
