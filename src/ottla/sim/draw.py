"""From a seed to a plan: settings, clients, asks and faults, each from its own stream of chance."""

from random import Random
from typing import Final

from ottla.sim import nemesis, workload
from ottla.sim.plan import Blow, Plan

_HEALINGS: Final = (Blow.KILL, Blow.KILL, Blow.STOP, Blow.POWER)


def draw_plan(seed: int) -> Plan:
    shape = Random(f"{seed}/shape")
    heal_us = shape.choice((1_500_000, 3_000_000, 6_000_000))
    clients = workload.draw_clients(Random(f"{seed}/clients"))
    return Plan(
        seed=seed,
        settings=workload.draw_settings(Random(f"{seed}/settings")),
        clients=clients,
        asks=workload.draw_asks(Random(f"{seed}/asks"), clients, heal_us - 100_000),
        faults=nemesis.draw_faults(Random(f"{seed}/nemesis"), clients, heal_us - 100_000),
        heal_us=heal_us,
        heal=shape.choice(_HEALINGS),
        recover_twice=shape.random() < 0.15,
    )
