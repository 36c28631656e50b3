"""From a seed to a plan: settings, clients, asks and faults, each from its own stream of chance."""

from dataclasses import replace
from random import Random
from typing import Final

from ottla.sim import compacted, company, directories, nemesis, own_workload, rationing, workload
from ottla.sim.heritage import TOPIC
from ottla.sim.plan import Ask, Blow, ClientPlan, Fault, Plan, Role, Verb

_WITH_A_PAST: Final = 0.15
_WITH_WISHES: Final = 0.05
_HEALINGS: Final = (Blow.KILL, Blow.KILL, Blow.STOP, Blow.POWER)


def draw_plan(seed: int) -> Plan:
    shape = Random(f"{seed}/shape")
    heal_us = shape.choice((1_500_000, 3_000_000, 6_000_000))
    habits = Random(f"{seed}/habits")
    own = tuple(
        client
        if client.role is not Role.CONSUMER
        else replace(client, committed=habits.random() < 0.4, whims=habits.random() < 0.2)
        for client in workload.draw_clients(Random(f"{seed}/clients"))
    )
    members = company.draw_members(Random(f"{seed}/members"), len(own))
    stranger = company.draw_stranger(Random(f"{seed}/stranger"), len(own) + len(members))
    clients = (*own, *members, *stranger)
    end_us = heal_us - 100_000
    asks = workload.draw_asks(Random(f"{seed}/asks"), own, end_us)
    created = {ask.topic: ask.count for ask in reversed(asks) if ask.verb is Verb.CREATE}
    topics = dict(sorted(created.items()))
    more = company.draw_asks(Random(f"{seed}/company"), (*members, *stranger), topics, end_us)
    all_asks, cleaning = compacted.draw(
        Random(f"{seed}/compacted"), clients, [*asks, *more], end_us
    )
    rations, metering = rationing.draw(Random(f"{seed}/rations"), clients, topics, end_us)
    settings = workload.draw_settings(Random(f"{seed}/settings"))
    past_asks, past_faults = _past(Random(f"{seed}/past"), own, end_us)
    products, sends = own_workload.draw(Random(f"{seed}/own"), len(clients), topics, end_us)
    clients = (*clients, *products)
    consumers, readings = own_workload.draw_consumers(
        Random(f"{seed}/own-consumers"),
        len(clients),
        {} if rations else topics,  # some quotas keep a reader from its end
        tuple(sorted({one.group for one in members})),
        end_us,
    )
    clients = (*clients, *consumers)
    faults = nemesis.draw_faults(Random(f"{seed}/nemesis"), clients, end_us)
    moves, struck, places = directories.draw(
        Random(f"{seed}/directories"), topics, (*faults, *past_faults), end_us
    )
    coordination = company.draw_settings(Random(f"{seed}/coordination"))
    return Plan(
        seed=seed,
        settings=tuple(sorted(settings + coordination + cleaning + places + metering)),
        clients=clients,
        asks=tuple(
            sorted(
                (*all_asks, *past_asks, *moves, *rations, *sends, *readings),
                key=lambda ask: ask.at_us,
            )
        ),
        faults=tuple(sorted(struck, key=lambda fault: fault.at_us)),
        heal_us=heal_us,
        heal=shape.choice(_HEALINGS),
        wanted=_wanted(Random(f"{seed}/wanted")),
        recover_twice=shape.random() < 0.15,
    )


def _wanted(chance: Random) -> str:
    """In a few worlds: more replicas than there are brokers, and a name that no topic can have."""
    if chance.random() > _WITH_WISHES:
        return ""
    return chance.choice(("w0:2:1", "w0:1:3,w1:2:1:compact", "w.0:1:1,w_0:1:1"))


def _past(
    chance: Random, clients: tuple[ClientPlan, ...], end_us: int
) -> tuple[list[Ask], list[Fault]]:
    """A few worlds have a topic whose records are of long ago (`heritage.py`)."""
    if chance.random() > _WITH_A_PAST:
        return [], []
    administrator, *others = clients
    made_us = 60_000
    asks = [Ask(at_us=made_us, client=administrator.number, verb=Verb.CREATE, topic=TOPIC, count=1)]
    readers = [client.number for client in others if client.role is Role.CONSUMER]
    for number in range(chance.choice((2, 6))):
        is_look_up = number % 2 == 1
        asks.append(
            Ask(
                at_us=made_us + chance.randrange(end_us),
                client=chance.choice(readers),
                verb=Verb.LOOK_UP if is_look_up else Verb.FETCH,
                topic=TOPIC,
                size_bytes=chance.choice((1, 300, 100_000)),
                time_ms=chance.choice((-3, -2, -3_599_990, -3_599_970)) if is_look_up else 0,
            )
        )
    if chance.random() < 0.4:
        asks.append(
            Ask(
                at_us=made_us + chance.randrange(end_us),
                client=administrator.number,
                verb=Verb.DELETE_BEFORE,
                topic=TOPIC,
                count=chance.choice((5, 12, 22, 28)),
            )
        )
    return asks, [Fault(at_us=made_us - 10_000, blow=Blow.INHERIT)]
