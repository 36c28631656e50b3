"""Opening a directory twice gives the same as opening it once: recovery is idempotent.

A process may end while it recovers, in the middle of cutting, removing and rebuilding; whoever comes
after it must find what it would have found. `portrait` is what a start made of the disk; two of them
with nothing but an end in between are held against each other by `differences`.

Source: C15, M38. Elsewhere: that it is also the right thing, `kept.py`.
"""

from typing import TypeAlias, final

from ottla.broker.node import Node
from ottla.errors import ErrorCode
from ottla.sim.checker.inside import leaders

Face: TypeAlias = tuple[tuple[str, object], ...]


@final
class Portrait:
    """A started node: what stands in its partitions, and what its image says of topics."""

    __slots__ = ("faces",)

    def __init__(self, node: Node) -> None:
        image = node.current.image
        faces: dict[str, Face] = {}
        for topic in image.topics.values():
            faces[f"topic {topic.name}"] = (
                ("id", topic.topic_id.hex()),
                ("partitions", len(topic.partitions)),
                ("settings", tuple(sorted(image.topic_configs(topic.name).items()))),
            )
        faces["cluster"] = (("next producer id", image.next_producer_id),)
        for leader in leaders(node):
            if leader.error is ErrorCode.KAFKA_STORAGE_ERROR:
                continue
            log = leader.log
            epochs = [one for one in log.epochs.entries() if one[1] < log.end_offset]
            producers = [
                (producer_id, one.epoch, one.last_sequence)
                for producer_id, one in sorted(log.producers.producers.items())
            ]
            faces[f"{leader.partition.topic}-{leader.partition.partition}"] = (
                ("start", log.start_offset),
                ("end", log.end_offset),
                ("segments", tuple(log._bases)),
                ("epochs", tuple(epochs)),
                ("producers", tuple(producers)),
            )
        self.faces = faces


def differences(first: Portrait, second: Portrait) -> list[str]:
    """What the second start made other than the first. A partition that is offline is left out."""
    found = []
    for name, face in sorted(first.faces.items()):
        other = second.faces.get(name)
        if other is None:
            if not name.rpartition("-")[2].isdigit():
                found.append(f"{name} was there at the first start, not at the second")
            continue
        for (what, before), (_, after) in zip(face, other, strict=True):
            if before != after:
                found.append(f"{name}: {what} {before} at the first start, {after} at the second")
    for name in sorted(second.faces.keys() - first.faces.keys()):
        if name.startswith("topic "):
            found.append(f"{name} was not there at the first start")
    return found
