"""What a seed's clients are and what their applications ask for.

Several topics with settings that make rare things common: segments of a few batches, indexes with an
entry for each, snapshots of the metadata every few entries, retention by the second. Names are used
again after a topic was deleted.

Elsewhere: what goes wrong meanwhile, `nemesis.py`.
"""

from random import Random
from typing import Final

from ottla.sim.plan import Ask, ClientPlan, Role, Verb

ADMINISTRATOR: Final = 0

_TOPICS: Final = ("t0", "t1", "t2")
_CODECS: Final = ("gzip", "snappy", "lz4", "zstd", "uncompressed")
_SOON_US: Final = 20_000


def draw_settings(chance: Random) -> tuple[tuple[str, str], ...]:
    """What the broker is started with."""
    settings = {
        "log.flush.offset.checkpoint.interval.ms": str(chance.choice((1000, 1500, 4000))),
        "log.retention.check.interval.ms": str(chance.choice((300, 1000, 3000))),
        "log.initial.task.delay.ms": str(chance.choice((100, 1000))),
        "log.segment.delete.delay.ms": str(chance.choice((0, 200, 2000))),
        "metadata.log.max.record.bytes.between.snapshots": str(chance.choice((300, 2000, 20_000))),
    }
    if chance.random() < 0.45:
        settings["ottla.flush"] = "ack"
    if chance.random() < 0.2:
        settings["max.incremental.fetch.session.cache.slots"] = str(chance.choice((0, 1)))
    return tuple(sorted(settings.items()))


def draw_clients(chance: Random) -> tuple[ClientPlan, ...]:
    clients = [
        ClientPlan(number=ADMINISTRATOR, role=Role.ADMINISTRATOR, by_name=chance.random() < 0.2)
    ]
    for _ in range(chance.choice((1, 2, 2, 3))):
        idempotent = chance.random() < 0.6
        clients.append(
            ClientPlan(
                number=len(clients),
                role=Role.PRODUCER,
                acks=-1 if idempotent else chance.choice((-1, -1, 1, 0)),
                idempotent=idempotent,
                in_flight_max=chance.choice((1, 3, 5)) if idempotent else chance.choice((1, 1, 3)),
                retries=chance.random() < 0.85,
                by_name=chance.random() < 0.35,
                negotiates=chance.random() < 0.2,
                codec=chance.choice((0, 0, 0, 1, 2, 3, 4)),
                latency_us=_latency_us(chance),
                timeout_ms=chance.choice((400, 1500, 3000)),
            )
        )
    for _ in range(chance.choice((1, 1, 2))):
        clients.append(
            ClientPlan(
                number=len(clients),
                role=Role.CONSUMER,
                session=chance.random() < 0.6,
                by_name=chance.random() < 0.35,
                negotiates=chance.random() < 0.2,
                lazy=chance.random() < 0.2,
                latency_us=_latency_us(chance),
                timeout_ms=chance.choice((1500, 3000)),
            )
        )
    return tuple(clients)


def _latency_us(chance: Random) -> int:
    return chance.choice((100, 500, 500, 2_000, 10_000))


def draw_asks(chance: Random, clients: tuple[ClientPlan, ...], end_us: int) -> tuple[Ask, ...]:
    topics = _TOPICS[: chance.choice((1, 2, 2, 3))]
    partitions = {topic: chance.choice((1, 1, 2, 3)) for topic in topics}
    asks = [
        Ask(
            at_us=chance.randrange(_SOON_US),
            client=ADMINISTRATOR,
            verb=Verb.CREATE,
            topic=topic,
            count=partitions[topic],
            configs=_configs(chance),
        )
        for topic in topics
    ]
    asks += _administration(chance, topics, partitions, end_us)
    for client in clients:
        if client.role is Role.PRODUCER:
            asks += _sends(chance, client, partitions, end_us)
        elif client.role is Role.CONSUMER:
            asks += _reads(chance, client, partitions, end_us)
    return tuple(sorted(asks, key=lambda ask: ask.at_us))


def _configs(chance: Random) -> tuple[tuple[str, str], ...]:
    configs: dict[str, str] = {}
    if chance.random() < 0.7:
        configs["internal.segment.bytes"] = str(chance.choice((300, 700, 2_000, 6_000)))
    if chance.random() < 0.6:
        configs["index.interval.bytes"] = str(chance.choice((0, 100, 500)))
    if chance.random() < 0.1:
        configs["segment.ms"] = str(chance.choice((200, 1000)))
    if chance.random() < 0.2:
        configs["message.timestamp.type"] = "LogAppendTime"
    if chance.random() < 0.15:
        configs["flush.messages"] = str(chance.choice((1, 1, 3)))
    if chance.random() < 0.1:
        configs["flush.ms"] = str(chance.choice((20, 300)))
    if chance.random() < 0.15:
        configs["compression.type"] = chance.choice(_CODECS)
    if chance.random() < 0.1:
        configs["retention.ms"] = str(chance.choice((500, 2000)))
    if chance.random() < 0.1:
        configs["retention.bytes"] = str(chance.choice((500, 3000)))
    if chance.random() < 0.05:
        configs["max.message.bytes"] = str(chance.choice((300, 1000)))
    return tuple(sorted(configs.items()))


def _administration(
    chance: Random, topics: tuple[str, ...], partitions: dict[str, int], end_us: int
) -> list[Ask]:
    asks = []
    for _ in range(chance.choice((2, 4, 8))):
        topic = chance.choice(topics)
        at_us = _SOON_US + chance.randrange(end_us)
        draw = chance.random()
        if draw < 0.3:
            asks.append(_admin(at_us, Verb.LIST))
        elif draw < 0.45:
            asks.append(_admin(at_us, Verb.CONFIGS, topic))
        elif draw < 0.65:
            count = chance.choice((-1, 0, 1, 3, 8, 20))
            partition = chance.randrange(partitions[topic])
            asks.append(_admin(at_us, Verb.DELETE_BEFORE, topic, count, partition=partition))
        elif draw < 0.8:
            asks.append(_admin(at_us, Verb.GROW, topic, partitions[topic] + chance.randrange(2)))
        else:
            asks.append(_admin(at_us, Verb.DELETE, topic))
            if chance.random() < 0.8:
                gap_us = chance.choice((0, 1_000, 50_000, 800_000))
                again = _admin(at_us + gap_us, Verb.CREATE, topic, chance.choice((1, 2)))
                asks.append(_with_configs(again, _configs(chance)))
    return asks


def _admin(at_us: int, verb: Verb, topic: str = "", count: int = 0, *, partition: int = 0) -> Ask:
    return Ask(
        at_us=at_us,
        client=ADMINISTRATOR,
        verb=verb,
        topic=topic,
        count=count,
        partition=partition,
    )


def _with_configs(ask: Ask, configs: tuple[tuple[str, str], ...]) -> Ask:
    return Ask(
        at_us=ask.at_us,
        client=ask.client,
        verb=ask.verb,
        topic=ask.topic,
        count=ask.count,
        configs=configs,
    )


def _sends(
    chance: Random, client: ClientPlan, partitions: dict[str, int], end_us: int
) -> list[Ask]:
    """In bursts, so that several batches are on their way at once."""
    asks = []
    size_bytes = chance.choice((20, 100, 100, 1_500))
    for _ in range(chance.choice((4, 8, 12))):
        at_us = _SOON_US + chance.randrange(end_us)
        topic = chance.choice(list(partitions))
        partition = chance.randrange(partitions[topic])
        for number in range(chance.choice((1, 2, 4))):
            asks.append(
                Ask(
                    at_us=at_us + number * chance.choice((0, 1_000, 5_000)),
                    client=client.number,
                    verb=Verb.SEND,
                    topic=topic,
                    partition=partition,
                    count=chance.choice((1, 1, 2, 3, 6)),
                    size_bytes=size_bytes,
                    time_ms=chance.choice((0, 0, 0, 5, 300)),
                )
            )
    return asks


def _reads(
    chance: Random, client: ClientPlan, partitions: dict[str, int], end_us: int
) -> list[Ask]:
    asks = []
    topics = list(partitions)
    own = chance.choice(topics)
    for _ in range(chance.choice((8, 16, 24))):
        at_us = _SOON_US + chance.randrange(end_us)
        topic = own if chance.random() < 0.8 else chance.choice(topics)
        if chance.random() < 0.2:
            asks.append(
                Ask(
                    at_us=at_us,
                    client=client.number,
                    verb=Verb.LOOK_UP,
                    topic=topic,
                    partition=chance.randrange(partitions[topic]),
                    time_ms=chance.choice((-1, -2, -3, chance.randrange(1 + at_us // 1000))),
                )
            )
        else:
            asks.append(
                Ask(
                    at_us=at_us,
                    client=client.number,
                    verb=Verb.FETCH,
                    topic=topic,
                    size_bytes=chance.choice((1, 400, 3_000, 1_000_000)),
                    wait_ms=chance.choice((0, 10, 300)),
                )
            )
    return asks
