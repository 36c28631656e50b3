"""Topics that must be there when the broker opens: `KAFKA_CREATE_TOPICS`.

A wish, not a command: what is there already stays as it is, and a replication factor above the
number of brokers is lowered to it, with a WARNING. That is the one place where it is; a client that
asks for too many replicas is refused.
"""

import logging
from collections.abc import Sequence
from typing import Final

from ottla.core.controller.answer import Nobody
from ottla.core.controller.controller import Controller
from ottla.core.controller.topics import NewTopic, Refused, TopicDefaults, TopicMaker
from ottla.core.effect import Effect
from ottla.core.port import Entropy
from ottla.settings.environment import TopicToCreate

_log: Final = logging.getLogger(__name__)


def provide_topics(
    now_ms: int,
    controller: Controller,
    wanted: Sequence[TopicToCreate],
    defaults: TopicDefaults,
    entropy: Entropy,
) -> list[Effect]:
    """Create those of `wanted` that are not there; call it after `controller.start`."""
    image = controller.latest
    alive = sum(broker.is_active for broker in image.brokers.values())
    maker = TopicMaker(image, defaults, entropy)
    for topic in wanted:
        if topic.name in image.topics:
            continue
        replicas = topic.replication_factor
        if replicas > alive:
            _log.warning(
                "topic %s: replication factor %d lowered to %d, the number of brokers",
                topic.name,
                replicas,
                alive,
            )
            replicas = alive
        policy = topic.cleanup_policy
        made = maker.make(
            NewTopic(
                name=topic.name,
                partitions=topic.partitions,
                replication_factor=replicas,
                configs={} if policy is None else {"cleanup.policy": policy},
            )
        )
        if isinstance(made, Refused):
            _log.error("topic %s can't be created: %s", topic.name, made.message)
    return controller.submit(now_ms, tuple(maker.records), Nobody())
