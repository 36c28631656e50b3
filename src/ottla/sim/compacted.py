"""Which topic of a seed is compacted, and what is sent to it: keys that come again, and tombstones.

In some worlds one topic is, in every life that its name has. Rounds follow on each other at once, segments
are of a few batches, and a map of keys may hold but a handful of them. What is drawn here comes from
a stream of its own and changes nothing about the other topics.

Elsewhere: what has to be left, `checker/compacted.py`.
"""

from dataclasses import replace
from random import Random
from typing import Final

from ottla.sim.plan import Ask, ClientPlan, Role, Verb

_WORLDS: Final = 0.15
_OFFSETS_TOO: Final = 0.4
_POLICY_CHANGES: Final = 0.25
_SOON_US: Final = 40_000
_OFFSETS: Final = "__consumer_offsets"  # its largest record has to fit into a segment
_CODECS: Final = ("gzip", "snappy", "lz4", "zstd")


def draw(
    chance: Random, clients: tuple[ClientPlan, ...], asks: list[Ask], end_us: int
) -> tuple[list[Ask], tuple[tuple[str, str], ...]]:
    """(the asks of such a world, what its broker is started with besides); else as they are."""
    partitions = {
        ask.topic: ask.count
        for ask in reversed(asks)
        if ask.verb is Verb.CREATE and ask.topic.startswith("t")
    }
    if chance.random() > _WORLDS or not partitions:
        return asks, ()
    topic = chance.choice(sorted(partitions))
    keys = chance.choice((2, 4, 10))
    found = []
    for ask in asks:
        if ask.topic == topic and ask.verb is Verb.CREATE:
            configs = {**dict(ask.configs), **_configs(chance)}
            ask = replace(ask, configs=tuple(sorted(configs.items())))
        elif ask.topic == topic and ask.verb is Verb.SEND:
            ask = replace(ask, keys=keys, size_bytes=min(ask.size_bytes, 100))
        found.append(ask)
    found += _traffic(chance, clients, topic, partitions[topic], keys, end_us)
    if chance.random() < _POLICY_CHANGES:
        found += _changes_of_mind(chance, clients[0].number, topic, end_us)
    settings = _settings(chance)
    if any(client.role is Role.MEMBER for client in clients) and chance.random() < _OFFSETS_TOO:
        settings["log.cleaner.min.cleanable.ratio"] = "0.01"
        found.append(
            Ask(
                at_us=_SOON_US + chance.randrange(end_us // 2),
                client=clients[0].number,
                verb=Verb.ALTER,
                topic=_OFFSETS,
                configs=(("internal.segment.bytes", str(chance.choice((2_500, 4_000)))),),
            )
        )
    return found, tuple(settings.items())


def _configs(chance: Random) -> dict[str, str]:
    configs = {
        "cleanup.policy": chance.choice(("compact", "compact", "compact,delete")),
        "internal.segment.bytes": str(chance.choice((500, 1_000, 3_000))),
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": str(chance.choice((0, 500, 5_000))),
    }
    if chance.random() < 0.2:
        configs["min.compaction.lag.ms"] = str(chance.choice((50, 500)))
    if chance.random() < 0.3:
        configs["compression.type"] = chance.choice(_CODECS)
    return configs


def _changes_of_mind(chance: Random, administrator: int, topic: str, end_us: int) -> list[Ask]:
    """No longer compacted, with its gaps, and perhaps again later."""
    at_us = sorted(_SOON_US + chance.randrange(end_us) for _ in range(chance.choice((1, 2))))
    return [
        Ask(
            at_us=when_us,
            client=administrator,
            verb=Verb.ALTER,
            topic=topic,
            configs=(("cleanup.policy", policy),),
        )
        for when_us, policy in zip(at_us, ("delete", "compact"), strict=False)
    ]


def _settings(chance: Random) -> dict[str, str]:
    settings = {"log.cleaner.backoff.ms": "50"}
    if chance.random() < 0.3:
        settings["log.cleaner.dedupe.buffer.size"] = str(chance.choice((300, 500)))
    return settings


def _traffic(
    chance: Random,
    clients: tuple[ClientPlan, ...],
    topic: str,
    partitions: int,
    keys: int,
    end_us: int,
) -> list[Ask]:
    """More than what other topics get, and readers that begin anywhere, in a gap too."""
    asks = []
    for client in clients:
        if client.role is Role.PRODUCER:
            for _ in range(chance.choice((10, 20, 40))):
                asks.append(
                    Ask(
                        at_us=_SOON_US + chance.randrange(end_us),
                        client=client.number,
                        verb=Verb.SEND,
                        topic=topic,
                        partition=chance.randrange(partitions),
                        count=chance.choice((1, 2, 4, 8)),
                        size_bytes=chance.choice((10, 60)),
                        keys=keys,
                    )
                )
        elif client.role is Role.CONSUMER:
            for _ in range(chance.choice((6, 12))):
                asks.append(
                    Ask(
                        at_us=_SOON_US + chance.randrange(end_us),
                        client=client.number,
                        verb=Verb.FETCH,
                        topic=topic,
                        count=chance.choice((0, chance.randrange(1, 100))),
                        size_bytes=chance.choice((1, 3_000, 1_000_000)),
                    )
                )
    return asks
