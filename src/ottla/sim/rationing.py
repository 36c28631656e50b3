"""Who gets which quota in a seed, and when: set, altered and taken away while the others work.

Some worlds have them: on bytes, time and changes of topics, so small that they bite, with few and short
windows. Where groups are, only single clients have one: what a mute does to a member's session is
nobody's promise. Readers and writers get more to do than in other worlds. What is drawn here comes
from a stream of its own and changes nothing about the rest.

Elsewhere: who asks, `quartermaster.py`; what has to hold, `checker/quota_ledger.py` and its readers.
"""

from random import Random
from typing import Final

from ottla.core.metadata.quota import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
)
from ottla.sim.caller.quartermaster import IMPOSSIBLE
from ottla.sim.plan import Ask, ClientPlan, Role, Verb

_WORLDS: Final = 0.2
_SOON_US: Final = 30_000

_VALUES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (PRODUCER_BYTE_RATE, ("300", "1000", "5000", "")),
    (CONSUMER_BYTE_RATE, ("500", "2000", "20000", "")),
    (REQUEST_PERCENTAGE, ("0.02", "0.1", "2", "")),  # a request takes 0.005 % of a second
    (CONTROLLER_MUTATION_RATE, ("0.5", "1", "5", "")),
)


def draw(
    chance: Random, clients: tuple[ClientPlan, ...], topics: dict[str, int], end_us: int
) -> tuple[list[Ask], tuple[tuple[str, str], ...]]:
    """(more asks, what the broker is started with besides); `topics`: and their partitions."""
    if chance.random() > _WORLDS or not topics:
        return [], ()
    administrator, *others = clients
    with_groups = any(client.role is Role.MEMBER for client in others)
    asks = _traffic(chance, clients, topics, end_us)
    if chance.random() < 0.3:
        asks += _making(chance, administrator.number, end_us)
    for _ in range(chance.choice((2, 4, 7))):
        at_us = _SOON_US + chance.randrange(end_us)
        entity = _entity(chance, clients, single=with_groups)
        chosen = chance.sample(_VALUES, chance.choice((1, 1, 2, 3)))
        configs = [(key, chance.choice(values)) for key, values in chosen]
        if chance.random() < 0.2:
            spoiled = chance.randrange(len(configs))
            configs[spoiled] = (configs[spoiled][0], IMPOSSIBLE)
        number = administrator.number
        asks.append(
            Ask(
                at_us=at_us,
                client=number,
                verb=Verb.QUOTA,
                entity=entity,
                configs=tuple(configs),
            )
        )
        seen_us = at_us + chance.choice((2_000, 20_000, 200_000))
        asks.append(Ask(at_us=seen_us, client=number, verb=Verb.QUOTAS))
    settings = {
        # Connections are counted in the same windows: members must be looked at in time.
        "quota.window.num": "11" if with_groups else str(chance.choice((2, 2, 3, 11))),
        "quota.window.size.seconds": "1",
        "controller.quota.window.num": str(chance.choice((1, 2, 11))),
        "controller.quota.window.size.seconds": "1",
    }
    return asks, tuple(settings.items())


def _entity(chance: Random, clients: tuple[ClientPlan, ...], *, single: bool) -> str:
    able = [client for client in clients if client.role not in (Role.MEMBER, Role.STRANGER)]
    client = f"client-id:client-{chance.choice(able).number}"
    of_one = (client, client, f"{client}/user:", f"{client}/user:ANONYMOUS", f"{client}/user:ann")
    if single:
        return chance.choice(of_one)
    return chance.choice((*of_one, "client-id:", "user:", "user:ANONYMOUS", "client-id:/user:"))


def _making(chance: Random, administrator: int, end_us: int) -> list[Ask]:
    """Topics one after the other, by one who may make but few."""
    begin_us = _SOON_US + chance.randrange(end_us)
    rate = chance.choice(("0.5", "2"))
    asks = [
        Ask(
            at_us=begin_us,
            client=administrator,
            verb=Verb.QUOTA,
            entity=f"client-id:client-{administrator}/user:ANONYMOUS",
            configs=((CONTROLLER_MUTATION_RATE, rate),),
        )
    ]
    for number in range(chance.choice((3, 5))):
        asks.append(
            Ask(
                at_us=begin_us + (1 + number) * chance.choice((20_000, 60_000)),
                client=administrator,
                verb=Verb.CREATE,
                topic=f"ration{number}",
                count=chance.choice((1, 2)),
            )
        )
    return asks


def _traffic(
    chance: Random, clients: tuple[ClientPlan, ...], topics: dict[str, int], end_us: int
) -> list[Ask]:
    asks = []
    names = sorted(topics)
    for client in clients:
        for _ in range(chance.choice((5, 15, 30))):
            topic = chance.choice(names)
            at_us = _SOON_US + chance.randrange(end_us)
            if client.role is Role.PRODUCER:
                asks.append(
                    Ask(
                        at_us=at_us,
                        client=client.number,
                        verb=Verb.SEND,
                        topic=topic,
                        partition=chance.randrange(topics[topic]),
                        count=chance.choice((1, 2)),
                        size_bytes=chance.choice((100, 600)),
                    )
                )
            elif client.role is Role.CONSUMER:
                asks.append(
                    Ask(
                        at_us=at_us,
                        client=client.number,
                        verb=Verb.FETCH,
                        topic=topic,
                        count=chance.choice((0, 1)),  # again from the start, or further on
                        size_bytes=chance.choice((1_000, 1_000_000)),
                    )
                )
    return asks
